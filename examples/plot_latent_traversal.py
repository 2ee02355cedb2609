"""
==========================
The meaning of the latents
==========================

A generative method can show what it has learned. Here :class:`~sklearn_simvae.SimVAE` learns ten
latents of handwritten digits, and the displays of :mod:`sklearn_simvae.plotting` show them in
several ways, each by one line of code.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from sklearn_simvae import SimVAE
from sklearn_simvae.plotting import (
    ReconstructionDisplay,
    SampleDisplay,
    TrainingHistoryDisplay,
    TraversalDisplay,
    ViewsDisplay,
)
from sklearn_simvae.views import Compose, RandomResizedCrop, RandomRotation

X = load_digits().data / 16
simvae = SimVAE(
    n_components=10,
    input_shape=(8, 8),
    hidden_layer_sizes=(256, 128),
    augmentation=Compose([RandomResizedCrop(scale=(0.6, 1.0)), RandomRotation(degrees=10)]),
    max_epochs=60,
    random_state=0,
).fit(X)

# %%
# Views
# -----
# The first column is a row of X; the others are views of it, which are made anew in each epoch.

ViewsDisplay.from_estimator(simvae, X, n_samples=4, n_views=6, random_state=0)

# %%
# Training
# --------
# The figure has every term of the objective: reconstruction, entropy, and the prior, which ties the
# views of a sample together.

TrainingHistoryDisplay.from_estimator(simvae)

# %%
# Reconstructions from ten latents
# --------------------------------

ReconstructionDisplay.from_estimator(simvae, X, n_samples=10)

# %%
# The effect of each latent
# -------------------------
# Each row starts at the first image and changes one latent, from the least to the greatest of its
# usual values on X. The latents with the greatest effect come first.

TraversalDisplay.from_estimator(simvae, X)

# %%
# Samples
# -------
# Each row has one content, drawn from the prior, in six views: content stays, style changes.

SampleDisplay.from_estimator(simvae, n_samples=5, n_views=6, random_state=0)

plt.show()
