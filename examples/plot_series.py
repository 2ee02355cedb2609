"""
====================================
Series of unequal length: a wearable
====================================

People wear a sensor while they walk, run, climb stairs or cycle. Each recording is as long as it
happens to be, the sensor sits differently each time, and few recordings have a label. Here
:class:`~sklearn_simvae.SimCLR` learns from all recordings, as they come: its views are windows of
one recording, so that the content is what windows of a recording share.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_simvae import SimCLR

ACTIVITIES = {"walk": (1.8, 0.5), "run": (2.7, 1.3), "stairs": (1.6, 0.6), "cycle": (1.3, 0.2)}


def record(activity, rng, rate=20):
    """Simulate a table of the acceleration of a wrist, in g, at 20 Hz."""
    time = np.arange(int(rate * rng.uniform(3, 8))) / rate
    tempo, force = ACTIVITIES[activity]
    phase = 2 * np.pi * (tempo * rng.normal(1, 0.06) * time + rng.uniform())
    force = force * rng.uniform(0.6, 1.6)
    up = np.sin(phase) + (0.6 * np.sin(2 * phase + 1) if activity in ("walk", "stairs") else 0)
    if activity == "run":
        up = np.maximum(up, -0.3) * 1.4
    side = np.cos(phase / 2 if activity in ("walk", "run") else phase) * 0.5
    forth = np.sin(phase + 0.8) * (0.9 if activity == "cycle" else 0.4)
    if activity == "stairs":
        up = up + 0.4 * np.sin(phase / 4)
    moves = force * np.column_stack([up, side, forth])
    # The sensor is turned on the wrist by some angle, so that gravity falls on other axes.
    turn, tilt = rng.normal(0, 1, 2)
    turned = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    )
    tilted = np.array(
        [[np.cos(tilt), 0, -np.sin(tilt)], [0, 1, 0], [np.sin(tilt), 0, np.cos(tilt)]]
    )
    values = (moves + np.array([1, 0, 0])) @ turned @ tilted + rng.normal(0, 0.08, moves.shape)
    return pd.DataFrame({"time": time, "x": values[:, 0], "y": values[:, 1], "z": values[:, 2]})


rng = np.random.default_rng(0)
labels = rng.permutation(np.repeat(list(ACTIVITIES), 50))
tables = [record(activity, rng).assign(recording=i) for i, activity in enumerate(labels)]
readings = pd.concat(tables, ignore_index=True)
print(readings.head())

# %%
# From readings to a representation
# ---------------------------------
# One line makes a list of arrays, each with its own length, of the table of readings. The estimator
# takes the list; a recording has one row in its output.

X = [one[["x", "y", "z"]].to_numpy() for _, one in readings.groupby("recording")]
print(len(X), "recordings of", min(map(len, X)), "to", max(map(len, X)), "steps")

simclr = SimCLR(n_components=10, kind="series", max_epochs=30, random_state=0)
Z = simclr.fit_transform(X)
print("channels:", simclr.n_features_in_, "  representation:", Z.shape)

# %%
# Few labels
# ----------
# Both alternatives need series of one length, or a choice of what to summarize: PCA after linear
# interpolation to 128 steps, and the mean and standard deviation of each axis. The last knows how
# strong the movement is, SimCLR its form, so that they complement each other.

steps = np.linspace(0, 1, 128)
resampled = np.stack([[np.interp(steps, np.linspace(0, 1, len(x)), c) for c in x.T] for x in X])
representations = {
    "PCA of resampled series": PCA(10, random_state=0).fit_transform(resampled.reshape(len(X), -1)),
    "mean and deviation": np.stack([np.r_[x.mean(0), x.std(0)] for x in X]),
    "SimCLR": Z,
}
representations["SimCLR, mean and deviation"] = np.hstack(
    [representations["mean and deviation"], Z]
)
n_labels = [8, 16, 32, 64]
accuracy = {name: [] for name in representations}
for name, rows in representations.items():
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    for n in n_labels:
        splits = StratifiedShuffleSplit(20, train_size=n, random_state=0)
        accuracy[name].append(cross_val_score(model, rows, labels, cv=splits).mean())
    print(f"{name:<26}", *(f"{a:.3f}" for a in accuracy[name]))

# %%
# Recordings, their map, and accuracy by the number of labels
# -----------------------------------------------------------

figure = plt.figure(figsize=(10, 4.2), layout="constrained")
left, middle, right = figure.subfigures(1, 3, width_ratios=[1.1, 1, 1])
axes = left.subplots(4, 1, sharex=True, sharey=True)
for ax, activity in zip(axes, ACTIVITIES, strict=True):
    one = X[int(np.flatnonzero(labels == activity)[0])]
    ax.plot(np.arange(len(one)) / 20, one, linewidth=0.8)
    ax.set_ylabel(activity)
axes[-1].set_xlabel("seconds")
ax = middle.subplots()
plane = PCA(2).fit_transform(StandardScaler().fit_transform(Z))
for activity in ACTIVITIES:
    ax.plot(*plane[labels == activity].T, "o", markersize=3, label=activity)
ax.set(xticks=[], yticks=[], title="SimCLR, by PCA")
ax.legend(frameon=False, loc="best")
ax = right.subplots()
for name, values in accuracy.items():
    ax.plot(n_labels, values, "o-", label=name)
ax.set(xscale="log", xticks=n_labels, xticklabels=n_labels, xlabel="labels", ylabel="accuracy")
ax.minorticks_off()
ax.legend(frameon=False, fontsize="small")
plt.show()
