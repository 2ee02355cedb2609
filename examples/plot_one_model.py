"""
==========================================
One model, many methods: content and style
==========================================

In the model behind self-supervised learning, a sample has a *content*, and each of its views has a
latent that *style* scatters around it. Every method pulls the latents of a sample's views together,
and prevents collapse in its own way. Here the content is a shape, and the style is its position,
size and brightness, drawn anew for each view. For each method we measure

- how tightly views of one sample lie together: the variance *within* samples over the variance
  *between* them;
- how well a probe predicts *content* from the representation (accuracy of a k-nearest-neighbor
  classifier of shapes);
- how well a probe predicts *style* from it (R2 of a k-nearest-neighbor regression of position, size
  and shade);

in the output of ``transform`` and, for the discriminative methods, after the projection head, from
which their objective is computed. As a script, this writes its figure to a file::

    python examples/plot_one_model.py [one_model.png]
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from sklearn_simvae import (
    BYOL,
    CRVAE,
    VAE,
    BarlowTwins,
    DeepCluster,
    InstanceDiscrimination,
    SimCLR,
    SimSiam,
    SimVAE,
    SwAV,
    VICReg,
)
from sklearn_simvae.datasets import make_sprites

# %%
# The data
# --------
# Two views of each sample share the shape, and nothing else.

train = make_sprites(3000, image_size=16, n_views=2, random_state=0)
test = make_sprites(1000, image_size=16, n_views=2, random_state=1)
style_names = ["x", "y", "size", "shade"]
columns = [train.factor_names.index(name) for name in style_names]

# %%
# The methods
# -----------
# They differ in one word. ``images`` has a views axis, so nothing is augmented.

methods = [
    *(VAE, CRVAE, SimVAE, InstanceDiscrimination, DeepCluster, SwAV),
    *(SimCLR, VICReg, BarlowTwins, SimSiam, BYOL),
]


def look(represent):
    """Measure variance within over between samples, content and style of a representation."""
    Z = np.stack([represent(train.images[:, view]) for view in range(2)], axis=1)
    Z_test = np.stack([represent(test.images[:, view]) for view in range(2)], axis=1)
    within = Z_test.var(axis=1).mean(0).sum()
    between = Z_test.mean(axis=1).var(0).sum()

    scaler = StandardScaler().fit(Z[:, 0])
    first, first_test = scaler.transform(Z[:, 0]), scaler.transform(Z_test[:, 0])
    classifier = KNeighborsClassifier(15).fit(first, train.target)
    regressor = KNeighborsRegressor(15, weights="distance")
    regressor.fit(first, train.factors[:, 0, columns])
    return {
        "within / between": within / between,
        "content": classifier.score(first_test, test.target),
        "style": max(0, regressor.score(first_test, test.factors[:, 0, columns])),
    }


results = {}
print(f"{'':36}{'within / between':>18}{'content':>10}{'style':>10}")
for method in methods:
    estimator = method(
        n_components=10,
        input_shape=(16, 16),
        hidden_layer_sizes=(256, 128),
        max_epochs=30,
        random_state=0,
    ).fit(train.images)
    name = method.__name__
    results[name] = look(estimator.transform)
    if hasattr(estimator, "project"):
        results[f"{name}, after head"] = look(estimator.project)
    for row in results:
        if row.startswith(name):
            values = results[row]
            print(
                f"{row:36}{values['within / between']:18.3f}"
                f"{values['content']:10.3f}{values['style']:10.3f}",
                flush=True,
            )

# %%
# The figure
# ----------
# Left: compared with a VAE, which does not tie the views of a sample, every method pulls them
# together. Methods that reconstruct keep the style all the same. Right: content against style. A
# line leads from the representation to the output of the projection head.

figure, axes = plt.subplots(1, 2, figsize=(12, 5), sharey=True, layout="constrained")
colors = plt.get_cmap("tab20").colors
for color, method in zip(colors, methods, strict=False):
    name = method.__name__
    before, after = results[name], results.get(f"{name}, after head")
    marker = "o" if after else "s"
    for ax, x in zip(axes, ("within / between", "content"), strict=True):
        if after:
            ax.plot([before[x], after[x]], [before["style"], after["style"]], color=color)
            ax.plot(after[x], after["style"], ".", color=color)
        ax.plot(before[x], before["style"], marker, color=color, markersize=9, label=name)
axes[0].set(xlabel="within / between variance of views", ylabel="style (R2)")
axes[1].set(xlabel="content (accuracy)")
axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
figure.suptitle("Squares: generative. Circles: discriminative, with a line to what the head leaves")
path = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1].endswith(".png") else "one_model.png"
figure.savefig(path, dpi=120)
