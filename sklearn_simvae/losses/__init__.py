"""Objectives as pure functions: tensors in, means over samples out.

Latents have the shape (batch, views, d). Nothing here knows of networks, estimators or training.
"""

from sklearn_simvae.losses.crvae import crvae_elbo
from sklearn_simvae.losses.likelihood import bernoulli_log_likelihood, gaussian_log_likelihood
from sklearn_simvae.losses.nt_xent import nt_xent
from sklearn_simvae.losses.simvae import (
    expected_log_joint_prior,
    gaussian_entropy,
    log_joint_prior,
    simvae_elbo,
    simvae_log_weights,
)
from sklearn_simvae.losses.vae import gaussian_kl, vae_elbo, vae_log_weights
from sklearn_simvae.losses.vicreg import vicreg, vicreg_terms

__all__ = [
    "bernoulli_log_likelihood",
    "crvae_elbo",
    "expected_log_joint_prior",
    "gaussian_entropy",
    "gaussian_kl",
    "gaussian_log_likelihood",
    "log_joint_prior",
    "nt_xent",
    "simvae_elbo",
    "simvae_log_weights",
    "vae_elbo",
    "vae_log_weights",
    "vicreg",
    "vicreg_terms",
]
