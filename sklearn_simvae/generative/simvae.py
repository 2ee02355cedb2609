"""SimVAE: one content behind all views of a sample, fitted generatively."""

from dataclasses import replace
from typing import Unpack

from sklearn_simvae._parameter_types import GenerativeParameters
from sklearn_simvae._parameters import POSITIVE
from sklearn_simvae.generative.content import BaseContent
from sklearn_simvae.losses import simvae_elbo, simvae_log_weights


class SimVAE(BaseContent):
    r"""Representations that keep content and style, from a generative model of views.

    A sample has a content psi; each of its views (augmentations of one row, rows of one group) has
    a latent scattered around it by style, and is generated from that latent:

    .. math::
        \psi \sim N(0, \gamma^2 I), \quad z_j | \psi \sim N(\psi, \sigma^2 I), \quad
        x_j | z_j \sim p(x | z_j)

    `fit` maximizes the evidence lower bound of the views, in which psi is integrated out in closed
    form, see :func:`~sklearn_simvae.losses.simvae_elbo`.

    Parameters
    ----------
    n_components : int, default=10
        Number of latent dimensions.
    style_variance : float, default=0.15
        Variance :math:`\sigma^2` of the latents of a sample's views around its content. A smaller
        one pulls the views of a sample, and similar samples, closer together.
    prior_variance : float or None, default=1.0
        Variance :math:`\gamma^2` of the content. None means the uniform prior of the paper: `fit`
        then needs at least two views, and `sample` and `score` are not available.
    {generative_parameters}
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    ContentStyleVAE : Has separate dimensions for content and style.
    VAE : Does not tie views together.
    sklearn.decomposition.PCA : Linear model of single views.

    References
    ----------
    Bizeul, Schölkopf and Allen, "A Probabilistic Model behind Self-Supervised Learning", TMLR 2024.

    Examples
    --------
    {example}
    """

    _parameter_constraints = {
        **BaseContent._parameter_constraints,
        "style_variance": [POSITIVE],
        "prior_variance": [POSITIVE, None],
    }

    def __init__(
        self,
        n_components: int = 10,
        *,
        style_variance: float = 0.15,
        prior_variance: float | None = 1.0,
        **shared: Unpack[GenerativeParameters],
    ):
        super().__init__(n_components, **shared)
        self.style_variance = style_variance
        self.prior_variance = prior_variance

    def _needs(self):
        return replace(super()._needs(), views=2 if self.prior_variance is None else 1)

    def _elbo(self, log_likelihood, mean, log_variance, **kwargs):
        return simvae_elbo(
            log_likelihood, mean, log_variance, self.style_variance, self.prior_variance, **kwargs
        )

    def _log_weights(self, log_likelihood, z, mean, log_variance, mask=None):
        return simvae_log_weights(
            log_likelihood, z, mean, log_variance, self.style_variance, self.prior_variance, mask
        )

    @property
    def _variances(self):
        return self.style_variance, self.prior_variance

    @property
    def _has_density(self):
        return self.prior_variance is not None
