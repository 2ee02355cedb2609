"""
================================
Anomalies: rows that are unusual
================================

``score_samples`` of a generative model gives each row a bound on its log-density. The bound is low
for rows that are unlike the training rows. Here :class:`~sklearn_simvae.SimVAE` learns from the
digits 0 to 8, and has to detect a 9, or a digit with a damaged piece. It is compared with an
isolation forest and with the density of probabilistic PCA.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from sklearn_simvae import SimVAE
from sklearn_simvae.views import RandomTranslation

X, y = load_digits(return_X_y=True)
X = X / 16
usual, nines = X[y < 9], X[y == 9]
X_train, X_test = train_test_split(usual, test_size=0.25, random_state=0)

# A piece of 3 x 3 pixels is turned to its negative.
broken = X_test.reshape(-1, 8, 8).copy()
places = np.random.default_rng(0).integers(1, 5, (len(broken), 2))
for image, (row, column) in zip(broken, places, strict=True):
    piece = image[row : row + 3, column : column + 3]
    piece[:] = 1 - piece
broken = broken.reshape(len(broken), -1)

# %%
# Three models of usual rows
# --------------------------
# A learned noise variance is the natural choice if densities matter.

models = {
    "IsolationForest": IsolationForest(random_state=0),
    "PCA": PCA(16, random_state=0),
    "SimVAE": SimVAE(
        n_components=16,
        input_shape=(8, 8),
        augmentation=RandomTranslation(0.05),
        noise_variance="learned",
        lr=3e-3,
        random_state=0,
    ),
}
print(f"{'area under the ROC curve':<26}{'nines':>8}{'broken':>8}")
scores = {}
for name, model in models.items():
    model.fit(X_train)
    scores[name] = {
        kind: model.score_samples(rows)
        for kind, rows in [("usual", X_test), ("nine", nines), ("broken", broken)]
    }
    areas = []
    for kind in ("nine", "broken"):
        both = np.concatenate([scores[name]["usual"], scores[name][kind]])
        areas.append(roc_auc_score(np.arange(len(both)) < len(X_test), both))
    print(f"{name:<26}{areas[0]:8.3f}{areas[1]:8.3f}")

# %%
# Scores, and the most unusual rows
# ---------------------------------

figure = plt.figure(figsize=(9, 4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1, 1])
ax = left.subplots()
low = min(np.quantile(s, 0.02) for s in scores["SimVAE"].values())
high = max(s.max() for s in scores["SimVAE"].values())
for kind, values in scores["SimVAE"].items():
    ax.hist(values, bins=np.linspace(low, high, 30), density=True, alpha=0.6, label=kind)
ax.set(xlabel="score_samples of SimVAE, nats", yticks=[])
ax.legend(frameon=False)

rows = {"usual": X_test, "nine": nines, "broken": broken}
axes = right.subplots(3, 5)
for line, (kind, images) in zip(axes, rows.items(), strict=True):
    strangest = np.argsort(scores["SimVAE"][kind])[:5]
    for one, image in zip(line, images[strangest], strict=True):
        one.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        one.set(xticks=[], yticks=[])
    line[0].set_ylabel(kind)
right.suptitle("The strangest of each kind")
plt.show()
