"""The consistency-regularized VAE."""

from dataclasses import replace
from typing import Unpack

from sklearn_simvae._parameter_types import GenerativeParameters
from sklearn_simvae._parameters import NOT_NEGATIVE
from sklearn_simvae.generative.vae import VAE
from sklearn_simvae.losses import crvae_elbo


class CRVAE(VAE):
    r"""VAE in which the posteriors of augmented views are pulled to that of the original row.

    The first view is the row as it is, or the first of the views given (any row of a group). The
    objective penalizes the divergence of the posterior of each other view from that of the first,
    see :func:`~sklearn_simvae.losses.crvae_elbo`.

    Parameters
    ----------
    n_components : int, default=10
        Number of latent dimensions.
    consistency_weight : float, default=1.0
        Weight of the divergence between the posteriors of the views.
    beta : float, default=1.0
        Weight of the divergence from the prior, same as in :class:`VAE`.
    {generative_parameters}
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    SimVAE : Derives the pull between views from a generative model.

    References
    ----------
    Sinha and Dieng, "Consistency Regularization for Variational Auto-Encoders", NeurIPS 2021.

    Examples
    --------
    {example}
    """

    _parameter_constraints = {**VAE._parameter_constraints, "consistency_weight": [NOT_NEGATIVE]}

    def __init__(
        self,
        n_components: int = 10,
        *,
        consistency_weight: float = 1.0,
        beta: float = 1.0,
        **shared: Unpack[GenerativeParameters],
    ):
        super().__init__(n_components, beta=beta, **shared)
        self.consistency_weight = consistency_weight

    def _needs(self):
        return replace(super()._needs(), first_view_is_row=True)

    def _elbo(self, log_likelihood, mean, log_variance, **kwargs):
        return crvae_elbo(
            log_likelihood, mean, log_variance, self.beta, self.consistency_weight, **kwargs
        )
