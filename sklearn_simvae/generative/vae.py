"""The variational autoencoder, plain and with a weight on its divergence."""

from typing import Unpack

import torch

from sklearn_simvae._parameter_types import GenerativeParameters
from sklearn_simvae._parameters import NOT_NEGATIVE
from sklearn_simvae.generative.base import BaseGenerative
from sklearn_simvae.losses import vae_elbo, vae_log_weights


class VAE(BaseGenerative):
    r"""Variational autoencoder, or beta-VAE if `beta` is not 1.

    Each view has a latent of its own, :math:`z_j \sim N(0, I)`: nothing ties the views of a sample
    together, so views merely augment the data. :class:`SimVAE` with one view, and variances that
    sum to 1, is the same model.

    Parameters
    ----------
    n_components : int, default=10
        Number of latent dimensions.
    beta : float, default=1.0
        Weight of the divergence from the prior in the objective of `fit`. Scores do not use it:
        they are bounds on the log-likelihood for any `beta`.
    {generative_parameters}
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    SimVAE : Ties the views of a sample together by their content.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014; Higgins et al., "beta-VAE",
    ICLR 2017.

    Examples
    --------
    {example}
    """

    _parameter_constraints = {
        **BaseGenerative._parameter_constraints,
        "beta": [NOT_NEGATIVE],
    }

    def __init__(
        self, n_components: int = 10, *, beta: float = 1.0, **shared: Unpack[GenerativeParameters]
    ):
        super().__init__(n_components, **shared)
        self.beta = beta

    def _elbo(self, log_likelihood, mean, log_variance, **kwargs):
        return vae_elbo(log_likelihood, mean, log_variance, self.beta, **kwargs)

    def _log_weights(self, log_likelihood, z, mean, log_variance, mask=None):
        return vae_log_weights(log_likelihood, z, mean, log_variance, mask)

    def _sample_prior(self, shape, generator):
        return torch.randn(shape, generator=generator, dtype=torch.float32)
