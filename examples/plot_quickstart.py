"""
===================================
Quickstart: digits, without labels
===================================

You use :class:`~sklearn_simvae.SimVAE` like :class:`~sklearn.decomposition.PCA`: it learns a few
numbers that describe an image, without labels. PCA does this by a projection, and SimVAE by two
networks: an *encoder* maps an image to its numbers (the *latents*), and a *decoder* maps them back.
They learn from *views*, slightly changed copies of each image. Views of one image must have similar
latents, so that the latents keep what the image shows rather than how it happens to look.

Here SimVAE learns from scikit-learn's handwritten digits, and is compared with PCA of as many
components and with the raw pixels. As a script, this writes its figure to a file::

    python examples/plot_quickstart.py [quickstart.png]
"""

import sys
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_simvae import SimVAE
from sklearn_simvae.views import Compose, RandomResizedCrop, RandomRotation

start = time.perf_counter()

# %%
# The data
# --------
# The data are 1797 images of 8 x 8 pixels, scaled to [0, 1]. A quarter is set aside for the test.

X, y = load_digits(return_X_y=True)
X = X / 16
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, stratify=y, random_state=0
)

# %%
# Learn without labels
# --------------------
# A row of ``X`` is a flat list of 64 numbers; ``input_shape`` says that it is an image.
# ``augmentation`` says what differs between views of one image: here the part that is visible, and
# the angle of rotation. Each image has four views, which are made anew each time it is used. (The
# settings were chosen on a validation part of the training images.)

simvae = SimVAE(
    n_components=10,
    input_shape=(8, 8),
    hidden_layer_sizes=(256, 128),
    augmentation=Compose([RandomResizedCrop(scale=(0.6, 1.0)), RandomRotation(degrees=10)]),
    n_views=4,
    max_epochs=150,
    batch_size=64,
    lr=2e-3,
    random_state=0,
)
fit_start = time.perf_counter()
simvae.fit(X_train)
print(
    f"SimVAE learned from {len(X_train)} images in {time.perf_counter() - fit_start:.0f} s: "
    f"objective {-simvae.history_[0]['loss']:.0f} after the first pass, "
    f"{-simvae.history_[-1]['loss']:.0f} after the last."
)

# %%
# Are the latents useful?
# -----------------------
# Only this step uses labels. Two simple classifiers are trained on each representation: nearest
# neighbors, on the representation as it is (scaling would harm the pixels), and logistic
# regression, on standardized features. The raw pixels have 64 features, the others 10.

representations = {
    "raw pixels": FunctionTransformer(),
    "PCA": PCA(n_components=10, random_state=0).fit(X_train),
    "SimVAE": simvae,
}
print("\nAccuracy on test images\n" + " " * 12 + "features    kNN  logistic regression")
for name, representation in representations.items():
    Z_train, Z_test = representation.transform(X_train), representation.transform(X_test)
    knn = KNeighborsClassifier(n_neighbors=5)
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    scores = [model.fit(Z_train, y_train).score(Z_test, y_test) for model in (knn, linear)]
    print(f"{name:<12}{Z_train.shape[1]:8d}  {scores[0]:.3f}  {scores[1]:19.3f}")

# %%
# In a pipeline, with a search
# ----------------------------
# SimVAE is a transformer like any other. It can be a step of a pipeline, and its parameters can be
# searched together with those of the other steps. ``style_variance`` is the variance of the views
# of an image around their content. To be quick, the search trains small networks for a short time.

pipe = make_pipeline(
    SimVAE(
        input_shape=(8, 8),
        hidden_layer_sizes=(128,),
        max_epochs=25,
        batch_size=64,
        lr=5e-3,
        random_state=0,
    ),
    StandardScaler(),
    LogisticRegression(max_iter=1000),
)
grid = {"simvae__style_variance": [0.05, 0.15], "simvae__n_components": [8, 16]}
search = GridSearchCV(pipe, grid, cv=3).fit(X_train, y_train)

print("\nSearch: mean accuracy over 3 folds of the training images")
for params, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    print("  " + ", ".join(f"{key}={value}" for key, value in params.items()) + f": {score:.3f}")
print(f"Best, refitted, on test images: {search.score(X_test, y_test):.3f}")

# %%
# What has it learned?
# --------------------
# The figure shows the model that was trained first in three ways. *Reconstructions* are test
# images, decoded from their 10 latents. *Samples* are drawn from the model: each has a random
# content and four views. The *embedding* has the latents of the test images, in two dimensions by
# t-SNE.


def show_rows(ax, rows, labels, title):
    """Show rows of images as one picture, with a label for each row."""
    images = np.pad(rows.reshape(*rows.shape[:2], 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
    n_rows, n_columns, height, width = images.shape
    picture = images.transpose(0, 2, 1, 3).reshape(n_rows * height, n_columns * width)
    ax.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
    ax.set_yticks(height * (np.arange(n_rows) + 0.5), labels)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.set_title(title)


Z_test = simvae.transform(X_test)
first, second = np.transpose([np.flatnonzero(y_test == digit)[:2] for digit in range(10)])
reconstructed = simvae.inverse_transform(Z_test)
pairs = np.stack([X_test[first], reconstructed[first], X_test[second], reconstructed[second]])
samples = simvae.sample(10, n_views=4, random_state=0).swapaxes(0, 1)

fig = plt.figure(figsize=(12, 5.6), layout="constrained")
axes = fig.subplot_mosaic([["above", "map"], ["below", "map"]], width_ratios=[1.25, 1])
show_rows(
    axes["above"],
    pairs,
    ["original", "reconstruction"] * 2,
    "Test images and their reconstructions from 10 latents",
)
show_rows(
    axes["below"],
    samples,
    [f"view {view}" for view in range(1, 5)],
    "Samples: each column is one content in four views",
)
embedding = TSNE(random_state=0).fit_transform(Z_test)
points = axes["map"].scatter(*embedding.T, c=y_test, cmap="tab10", vmin=-0.5, vmax=9.5, s=14)
axes["map"].legend(
    *points.legend_elements(num=list(range(10))),
    title="digit",
    loc="center left",
    bbox_to_anchor=(1, 0.5),
)
axes["map"].set(title="Latents of test images (t-SNE)", xticks=[], yticks=[])

if __name__ == "__main__" and "sphinx_gallery" not in sys.modules:
    path = sys.argv[1] if len(sys.argv) > 1 else "quickstart.png"
    fig.savefig(path, dpi=120)
    print(f"\nWrote {path} after {time.perf_counter() - start:.0f} s.")
plt.show()
