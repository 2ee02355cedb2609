"""The objective of CR-VAE, a VAE in which the posteriors of a sample's views are drawn together."""

from torch import Tensor

from sklearn_simvae.losses.reduction import reduce_terms, sum_over_views, without_padding
from sklearn_simvae.losses.vae import gaussian_kl, vae_elbo


def crvae_elbo(
    log_likelihood: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    beta: float = 1.0,
    consistency_weight: float = 1.0,
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> dict[str, Tensor]:
    r"""Compute the bounds of all views, less the divergences of their posteriors from the first's.

    .. math:: \sum_j \mathrm{ELBO}_\beta(x_j)
        - \lambda \sum_{j > 1} KL(q(z | x_j) \| q(z | x_1))

    The first view is the row itself, the others are its augmentations.

    Parameters
    ----------
    log_likelihood : Tensor of shape (batch, n_views)
        :math:`\log p(x_j | z_j)` at a draw :math:`z_j \sim q`.
    mean, log_variance : Tensor of shape (batch, n_views, d)
        Parameters of :math:`q(z_j | x_j)`.
    beta : float, default=1.0
        Weight of the divergence from the prior, in the bound.
    consistency_weight : float, default=1.0
        Weight :math:`\lambda` of the divergence between views.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False for each view that a sample lacks. None means that all views are present.
    reduction : {"mean", "none"}, default="mean"
        Whether to average over samples, or to return one value for each sample.

    Returns
    -------
    terms : dict of Tensor
        Terms of :func:`vae_elbo`, and "consistency", the divergence between views in nats.

    References
    ----------
    Sinha and Dieng, "Consistency Regularization for Variational Auto-Encoders", NeurIPS 2021.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import crvae_elbo
    >>> mean = torch.tensor([[[0.0], [2.0]]])
    >>> crvae_elbo(torch.zeros(1, 2), mean, torch.zeros_like(mean))["consistency"]
    tensor(2.)
    """
    terms = vae_elbo(log_likelihood, mean, log_variance, beta, mask, reduction="none")
    mean, log_variance = (without_padding(values, mask) for values in (mean, log_variance))
    first = mean[..., :1, :], log_variance[..., :1, :]
    divergence = gaussian_kl(mean[..., 1:, :], log_variance[..., 1:, :], *first)
    others = None if mask is None else mask[..., 1:]
    terms["consistency"] = sum_over_views(divergence, others)
    terms["objective"] = terms["objective"] - consistency_weight * terms["consistency"]
    return reduce_terms(terms, reduction)
