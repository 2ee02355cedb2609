"""Objectives as pure functions of tensors, which return means over samples.

Latents have the shape (batch, views, d). Nothing here depends on networks, estimators or training.
"""

from sklearn_simvae._batch import Terms
from sklearn_simvae.losses.barlow_twins import barlow_twins
from sklearn_simvae.losses.byol import byol
from sklearn_simvae.losses.clip import clip
from sklearn_simvae.losses.content_style import (
    content_contrast,
    content_style_elbo,
    content_style_log_weights,
    content_style_objective,
    expected_log_correlated_prior,
    log_correlated_prior,
)
from sklearn_simvae.losses.crvae import crvae_elbo
from sklearn_simvae.losses.deep_cluster import deep_cluster
from sklearn_simvae.losses.instance_discrimination import (
    instance_discrimination,
)
from sklearn_simvae.losses.likelihood import (
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    multinomial_log_likelihood,
    poisson_log_likelihood,
)
from sklearn_simvae.losses.nt_xent import nt_xent
from sklearn_simvae.losses.simsiam import simsiam
from sklearn_simvae.losses.simvae import (
    expected_log_joint_prior,
    gaussian_entropy,
    log_joint_prior,
    simvae_elbo,
    simvae_log_weights,
)
from sklearn_simvae.losses.swav import sinkhorn, swav
from sklearn_simvae.losses.vae import gaussian_kl, vae_elbo, vae_log_weights
from sklearn_simvae.losses.vicreg import vicreg

__all__ = [
    "Terms",
    "barlow_twins",
    "bernoulli_log_likelihood",
    "byol",
    "clip",
    "content_contrast",
    "content_style_elbo",
    "content_style_log_weights",
    "content_style_objective",
    "crvae_elbo",
    "deep_cluster",
    "expected_log_correlated_prior",
    "expected_log_joint_prior",
    "gaussian_entropy",
    "gaussian_kl",
    "gaussian_log_likelihood",
    "instance_discrimination",
    "log_correlated_prior",
    "log_joint_prior",
    "multinomial_log_likelihood",
    "nt_xent",
    "poisson_log_likelihood",
    "simsiam",
    "simvae_elbo",
    "simvae_log_weights",
    "sinkhorn",
    "swav",
    "vae_elbo",
    "vae_log_weights",
    "vicreg",
]
