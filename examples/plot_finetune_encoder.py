"""
====================================
Few labels: fine-tuning the encoder
====================================

Often there are many images and few labels. Here :class:`~sklearn_simvae.SimVAE` learns from all
training images without labels. Then its encoder is taken out, gets a new last layer, and is trained
further as an ordinary classifier (*fine-tuning*) with 10 labels for each class. The example answers
two questions: is this better than the same network trained from random weights, and is it better
than a simple logistic regression?
"""

import copy

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_simvae import SimVAE
from sklearn_simvae.networks import hidden_features
from sklearn_simvae.views import Compose, RandomResizedCrop, RandomRotation

# %%
# Learn from all images, without labels
# -------------------------------------

X, y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, stratify=y, random_state=0
)

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
).fit(X_train)

# %%
# A classifier on top of the encoder
# ----------------------------------
# ``encoder_`` is an ordinary torch module. ``hidden_features`` returns it without its last layer,
# and shares its weights. So it is copied, since fine-tuning would change ``simvae`` itself
# otherwise. :class:`skorch.NeuralNetClassifier` makes a scikit-learn classifier of the network.


class Classifier(nn.Module):
    """Classifier of the hidden layers of an encoder and a new linear layer."""

    def __init__(self, encoder, pretrained=True, n_classes=10):
        super().__init__()
        self.hidden = hidden_features(copy.deepcopy(encoder))
        if not pretrained:
            for layer in self.hidden:
                if hasattr(layer, "reset_parameters"):
                    layer.reset_parameters()
        self.head = nn.LazyLinear(n_classes)

    def forward(self, x):
        return self.head(self.hidden(x))


def make_classifier(pretrained):
    """Make a classifier with learned or with random weights, and the same training."""
    return NeuralNetClassifier(
        Classifier,
        module__encoder=simvae.encoder_,
        module__pretrained=pretrained,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        lr=1e-3,
        batch_size=32,
        max_epochs=40,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )


def make_linear():
    """Make a logistic regression on standardized features."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


# %%
# Ten labels for each class
# -------------------------
# The result depends on which 100 images have a label, so the comparison uses twenty random draws.

Z_train, Z_test = simvae.transform(X_train), simvae.transform(X_test)
methods = {
    "pixels,\nlogistic regression": (make_linear, X_train, X_test),
    "SimVAE features,\nlogistic regression": (make_linear, Z_train, Z_test),
    "network from\nrandom weights": (lambda: make_classifier(False), X_train, X_test),
    "network fine-tuned\nfrom SimVAE": (lambda: make_classifier(True), X_train, X_test),
}
n_draws = 20
scores = {name: [] for name in methods}
for draw in range(n_draws):
    labeled, _ = train_test_split(
        np.arange(len(X_train)), train_size=100, stratify=y_train, random_state=draw
    )
    for name, (make, A, B) in methods.items():
        torch.manual_seed(draw)
        scores[name].append(make().fit(A[labeled], y_train[labeled]).score(B, y_test))

print(f"Accuracy on {len(X_test)} test images with 100 labels, over {n_draws} draws of them")
for name, values in scores.items():
    print(
        f"  {name.replace(chr(10), ' '):<40}{np.mean(values):.3f} +- {np.std(values, ddof=1):.3f}"
    )

*_, random_weights, fine_tuned = (np.array(values) for values in scores.values())
print(
    f"Fine-tuning beats random weights in {np.sum(fine_tuned > random_weights)} of {n_draws} "
    f"draws, by {np.mean(fine_tuned - random_weights):+.3f} on average."
)

# %%
# Results
# -------
# Bars are means over the draws, and lines are standard deviations. All methods have the same
# labels, so one method may be better in most draws even if lines overlap. Both ways gain from what
# SimVAE learned without labels. With so few labels, fine-tuning 50,000 weights is no better than
# logistic regression on the 10 frozen features, which is simpler, so try that first.

fig, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
means = [np.mean(values) for values in scores.values()]
deviations = [np.std(values, ddof=1) for values in scores.values()]
bars = ax.barh(list(scores), means, xerr=deviations, color=["C7", "C0", "C7", "C0"], capsize=4)
ax.bar_label(bars, [f"{mean:.3f}" for mean in means], label_type="center", color="white")
ax.invert_yaxis()
ax.set(
    xlim=(0.7, 1.0),
    xlabel="accuracy on test images (the axis starts at 0.7)",
    title=f"Digits with 10 labels a class: {n_draws} draws of the labels\n(blue: after SimVAE)",
)

plt.show()
