"""
======================================
Few labels: SimVAE before a classifier
======================================

Often there are many rows and few labels. :class:`~sklearn_simvae.SimVAE` learns from all images of
scikit-learn's digits. Then a classifier learns from a few labels for each class, on the raw pixels,
on principal components, and on as many of SimVAE's latents.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_simvae import SimVAE
from sklearn_simvae.views import Compose, RandomResizedCrop, RandomRotation

X, y = load_digits(return_X_y=True)
X = X / 16
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, stratify=y, random_state=0
)

# %%
# Learn without labels
# --------------------

simvae = SimVAE(
    n_components=16,
    input_shape=(8, 8),
    augmentation=Compose([RandomResizedCrop(scale=(0.6, 1.0)), RandomRotation(degrees=10)]),
    n_views=4,
    batch_size=64,
    lr=2e-3,
    random_state=0,
).fit(X_train)
representations = {
    "raw pixels": FunctionTransformer(),
    "PCA": PCA(16, random_state=0).fit(X_train),
    "SimVAE": simvae,
}

# %%
# Then a few labels
# -----------------
# The labeled images are drawn ten times, and are the same for all representations.


def labeled(n_a_class, seed):
    """Draw the indices of some images of each class."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.choice(np.flatnonzero(y_train == c), n_a_class, replace=False) for c in range(10)]
    )


counts = [1, 2, 5, 10, 30]
accuracy = {}
for name, representation in representations.items():
    Z_train, Z_test = representation.transform(X_train), representation.transform(X_test)
    accuracy[name] = np.empty((len(counts), 10))
    for i, n_a_class in enumerate(counts):
        for seed in range(10):
            rows = labeled(n_a_class, seed)
            classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            classifier.fit(Z_train[rows], y_train[rows])
            accuracy[name][i, seed] = classifier.score(Z_test, y_test)
    means = ", ".join(f"{a:.3f}" for a in accuracy[name].mean(1))
    print(f"{name:<11} accuracy with {counts} labels a class: {means}")

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, values in accuracy.items():
    ax.errorbar(counts, values.mean(1), values.std(1), marker="o", capsize=3, label=name)
ax.set_xscale("log")
ax.set_xticks(counts, [str(n) for n in counts])
ax.minorticks_off()
ax.set(xlabel="labels a class", ylabel="accuracy on test images")
ax.legend(frameon=False, loc="lower right")
plt.show()
