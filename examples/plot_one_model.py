"""
=========================================
One model, many methods: content and style
=========================================

In the model behind self-supervised learning, a sample has a *content*, and each of its views has a
latent that *style* scatters around it. Every method pulls the latents of a sample's views together,
and holds something against collapse. Here the content is a shape and the style is where it lies, how
large and how bright it is, drawn anew for each view. For each method we look at

- how tightly views of one sample lie together: the variance *within* samples over the variance
  *between* them;
- how much *content* a probe reads off the representation (accuracy of a k-nearest-neighbour
  classifier of shapes);
- how much *style* a probe reads off it (R2 of a k-nearest-neighbour regression of position, size and
  shade);

in the representation that ``transform`` gives and, for the discriminative methods, after the
projection head, on which alone their objective looks. As a script, this writes its figure to a
file::

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

train = make_sprites(4000, image_size=16, n_views=2, random_state=0)
test = make_sprites(1000, image_size=16, n_views=2, random_state=1)
style_names = ["x", "y", "size", "shade"]
columns = [train.factor_names.index(name) for name in style_names]

# %%
# The methods
# -----------
# They differ in one word. A row of ``images`` has a views axis, so nothing is augmented.

methods = [
    *(VAE, CRVAE, SimVAE, InstanceDiscrimination, DeepCluster, SwAV),
    *(SimCLR, VICReg, BarlowTwins, SimSiam, BYOL),
]


def look(represent):
    """Within over between, content and style of the representation that a function gives."""
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
print(f"{'':24}{'within / between':>18}{'content':>10}{'style':>10}")
for method in methods:
    estimator = method(
        n_components=10,
        input_shape=(16, 16),
        hidden_layer_sizes=(256, 128),
        max_epochs=40,
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
                f"{row:24}{values['within / between']:18.3f}"
                f"{values['content']:10.3f}{values['style']:10.3f}",
                flush=True,
            )

# %%
# The picture
# -----------
# Left: the tighter the views of a sample lie together, the less style is left. Right: content
# against style; an arrow leads from the representation to what is left of it after the head.

figure, axes = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
generative = {"VAE", "CRVAE", "SimVAE"}
for method in methods:
    name = method.__name__
    colour = "tab:red" if name in generative else "tab:blue"
    before, after = results[name], results.get(f"{name}, after head")
    for ax, x in zip(axes, ("within / between", "content"), strict=True):
        ax.plot(before[x], before["style"], "o", color=colour)
        if after is not None:
            ax.annotate(
                "",
                (after[x], after["style"]),
                (before[x], before["style"]),
                arrowprops={"arrowstyle": "->", "color": colour, "alpha": 0.4},
            )
        ax.annotate(
            name,
            (before[x], before["style"]),
            xytext=(4, 4),
            textcoords="offset points",
            fontsize=8,
        )
        ax.set(xlabel=x, ylabel="style (R2)")
axes[0].set(xscale="log", xlabel="within / between variance of views")
axes[1].set(xlabel="content (accuracy)")
figure.suptitle("Red: generative. Blue: discriminative, with an arrow through the projection head.")
path = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1].endswith(".png") else "one_model.png"
figure.savefig(path, dpi=120)
