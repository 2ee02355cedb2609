"""
=======================================
Fashion-MNIST: 60,000 unlabeled images
=======================================

:class:`~sklearn_simvae.SimVAE` learns 10 numbers for each of the 60,000 training images of
Fashion-MNIST without labels, with the network of the paper. Then simple classifiers predict the
class from these numbers, and from 10 principal components for comparison.

The images come from a file, or are downloaded from their authors; see
:func:`~sklearn_simvae.datasets.fetch_fashion_mnist`. On two processor cores this takes minutes;
``--epochs 2`` gives a first look.
"""

import argparse
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_simvae import SimVAE
from sklearn_simvae.datasets import fetch_fashion_mnist
from sklearn_simvae.views import Compose, RandomHorizontalFlip, RandomResizedCrop

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=20, help="passes over the training images")
args, _ = parser.parse_known_args()

# %%
# The data
# --------
# The data are gray images of 28 x 28 pixels, each a flat row of 784 whole numbers from 0 to 255.
# SimVAE scales them batch by batch, so that memory holds only one byte for each pixel.

train = fetch_fashion_mnist(subset="train")
test = fetch_fashion_mnist(subset="test")
print(f"{len(train.data):,} training images, {len(test.data):,} test images")

# %%
# Views
# -----
# SimVAE learns from pairs of changed copies of an image. Here a copy shows a part of the image,
# between 40 and 100 % of its area, and half of the copies are mirrored, since the class does not
# depend on this. To see what an augmentation does, call it on a batch of shape (images, colors,
# height, width).

augmentation = Compose([RandomResizedCrop(scale=(0.4, 1.0)), RandomHorizontalFlip()])

shoe = torch.from_numpy(train.images[:1, None] / 255.0)
views = augmentation(shoe.expand(9, -1, -1, -1), torch.Generator().manual_seed(0)).numpy()

# %%
# Learn without labels
# --------------------
# For so many images, the default network is that of the paper, with layers of 2000, 500 and 500
# units and their mirror image as decoder. ``verbose=1`` shows the progress.

simvae = SimVAE(
    n_components=10,
    input_shape=(28, 28),
    augmentation=augmentation,
    batch_size=256,
    max_epochs=args.epochs,
    verbose=1,
    random_state=0,
)
start = time.perf_counter()
simvae.fit(train.data)
minutes = (time.perf_counter() - start) / 60
print(f"Trained for {simvae.n_iter_} epochs in {minutes:.1f} min on {simvae.net_.device}")

# %%
# Predict the class from 10 numbers
# ---------------------------------
# Classifiers learn from the standardized representation of the training images and their labels,
# and are scored on the test images.

pca = PCA(n_components=10, random_state=0).fit(train.data / np.float32(255))
codes = {
    "PCA": (
        pca.transform(train.data / np.float32(255)),
        pca.transform(test.data / np.float32(255)),
    ),
    "SimVAE": (simvae.transform(train.data), simvae.transform(test.data)),
}
print("\nAccuracy on test images\n" + " " * 12 + "kNN(15)  logistic regression")
for name, (Z_train, Z_test) in codes.items():
    classifiers = KNeighborsClassifier(n_neighbors=15), LogisticRegression(max_iter=1000)
    scores = [
        make_pipeline(StandardScaler(), classifier)
        .fit(Z_train, train.target)
        .score(Z_test, test.target)
        for classifier in classifiers
    ]
    print(f"{name:<12}{scores[0]:7.3f}  {scores[1]:19.3f}")

# %%
# Look at it
# ----------
# The model decodes 10 numbers to an image: the numbers of test images (*reconstructions*), and
# numbers that it draws (*samples*). The last figure places two thousand test images by their 10
# numbers.


def show_row(ax, images, title):
    """Show images side by side."""
    ax.imshow(np.hstack(images.reshape(-1, 28, 28)), cmap="gray_r", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=10)


Z_train, Z_test = codes["SimVAE"]
shown = np.array([np.flatnonzero(test.target == label)[0] for label in range(10)])

fig = plt.figure(figsize=(13, 6.2), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[1, 1.1])
axes = left.subplots(5, 1)
show_row(
    axes[0], np.concatenate([shoe.numpy(), views]), "A training image (left) and 9 views of it"
)
show_row(axes[1], test.data[shown] / 255, "Test images, one a class")
show_row(axes[2], simvae.inverse_transform(Z_test[shown]), "Reconstructions from 10 numbers")
samples = simvae.sample(10, n_views=2, random_state=0)
show_row(axes[3], samples[:, 0], "Samples")
show_row(axes[4], samples[:, 1], "The same contents again, in another view")

ax = right.subplots()
some = slice(2000)
points = TSNE(random_state=0).fit_transform(Z_test[some])
colors = plt.get_cmap("tab10").colors
for label, name in enumerate(test.target_names):
    of_class = points[test.target[some] == label]
    ax.scatter(*of_class.T, s=8, color=colors[label], label=name)
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=2)
ax.set(title="2,000 test images by their 10 numbers (t-SNE)", xticks=[], yticks=[])

plt.show()
