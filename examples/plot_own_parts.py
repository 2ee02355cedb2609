"""
====================================
Your own encoder and your own views
====================================

An encoder is any torch module, or a function that makes one; an augmentation is any function from a
batch of images to a batch of images. Both are parameters, so they can be set, searched and swapped.
This example has a convolutional network of a few lines, and views that shift an image by whole
pixels and add noise.
"""

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from torch import nn

from sklearn_simvae import SimCLR
from sklearn_simvae.plotting import EmbeddingDisplay, ViewsDisplay

# %%
# The parts
# ---------
# The factory receives the shape of an image, ``(C, H, W)``, and the number of outputs.


def small_network(input_shape, n_outputs):
    """Make a network of two convolutions and a linear layer."""
    channels, height, width = input_shape
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * -(-height // 2) * -(-width // 2), n_outputs),
    )


def shift(x):
    """Move each image by up to one pixel, and add noise."""
    rows = torch.randint(-1, 2, (len(x),)).tolist()
    columns = torch.randint(-1, 2, (len(x),)).tolist()
    moved = [
        image.roll((row, column), dims=(1, 2))
        for image, row, column in zip(x, rows, columns, strict=True)
    ]
    return torch.stack(moved) + 0.1 * torch.randn_like(x)


# %%
# Both are parameters
# -------------------
# ``fit`` seeds torch's global random state, so that the functions above are reproducible without
# changes.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=0.25, stratify=y, random_state=0
)
simclr = SimCLR(
    n_components=16,
    input_shape=(8, 8),
    encoder=small_network,
    augmentation=shift,
    max_epochs=10,
    random_state=0,
)
search = GridSearchCV(
    make_pipeline(simclr, KNeighborsClassifier()),
    {"simclr__encoder": [small_network, "mlp"], "simclr__augmentation": [shift, "auto"]},
    cv=2,
)
search.fit(X_train, y_train)
for params, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    encoder, augmentation = params["simclr__encoder"], params["simclr__augmentation"]
    names = [getattr(part, "__name__", part) for part in (encoder, augmentation)]
    print(f"encoder={names[0]}, augmentation={names[1]}: accuracy {score:.3f}")

# %%
# The views, and what was learned
# -------------------------------

simclr.fit(X_train)
ViewsDisplay.from_estimator(simclr, X_train, n_samples=3, n_views=6, random_state=0)

# %%

EmbeddingDisplay.from_estimator(simclr, X_test, y_test, method="tsne", random_state=0)
plt.show()
