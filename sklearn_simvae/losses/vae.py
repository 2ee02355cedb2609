"""The evidence lower bound of a VAE, with a weight on the divergence from the prior."""

import torch
from torch import Tensor

from sklearn_simvae.losses.reduction import (
    check_batch,
    reduce_terms,
    sum_over_views,
    without_padding,
)


def gaussian_kl(
    mean: Tensor,
    log_variance: Tensor,
    other_mean: Tensor | float = 0.0,
    other_log_variance: Tensor | float = 0.0,
) -> Tensor:
    r"""Compute the Kullback-Leibler divergence of one diagonal Gaussian from another.

    .. math:: KL(q \| p) = \tfrac{1}{2} \sum_i \left[ \log \frac{s_i}{v_i}
        + \frac{v_i + (\mu_i - m_i)^2}{s_i} - 1 \right]

    Parameters
    ----------
    mean, log_variance : Tensor of shape (..., d)
        Mean :math:`\mu` and log variance :math:`\log v` of q.
    other_mean, other_log_variance : Tensor of shape (..., d) or float, default=0.0
        Mean :math:`m` and log variance :math:`\log s` of p, by default those of N(0, I).

    Returns
    -------
    kl : Tensor of shape (...,)
        Sum over the dimensions, in nats.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import gaussian_kl
    >>> gaussian_kl(torch.ones(1, 2), torch.zeros(1, 2))
    tensor([1.])
    """
    log_ratio = log_variance - other_log_variance
    precision = torch.exp(-torch.as_tensor(other_log_variance))
    distance = (mean - other_mean).square() * precision
    return 0.5 * (log_ratio.exp() + distance - 1 - log_ratio).sum(-1)


def vae_elbo(
    log_likelihood: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    beta: float = 1.0,
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> dict[str, Tensor]:
    r"""Compute the evidence lower bound of a VAE with prior N(0, I), summed over a sample's views.

    .. math:: \sum_j \left( E_q[\log p(x_j|z_j)] - \beta \, KL(q(z_j|x_j) \| N(0, I)) \right)

    Parameters
    ----------
    log_likelihood : Tensor of shape (batch, n_views)
        :math:`\log p(x_j | z_j)` at a draw :math:`z_j \sim q`.
    mean, log_variance : Tensor of shape (batch, n_views, d)
        Parameters of :math:`q(z_j | x_j)`.
    beta : float, default=1.0
        Weight of the divergence in the objective; with 1 the objective is the bound.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False for each view that a sample lacks. None means that all views are present.
    reduction : {"mean", "none"}, default="mean"
        Whether to average over samples, or to return one value for each sample.

    Returns
    -------
    terms : dict of Tensor
        "objective" (with the weight `beta`), "elbo" (without it), "reconstruction" and "kl", in
        nats per sample. Scalars, or tensors of shape (batch,) without reduction.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014; Higgins et al., "beta-VAE",
    ICLR 2017.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import vae_elbo
    >>> mean, log_variance = torch.ones(4, 2, 3), torch.zeros(4, 2, 3)
    >>> vae_elbo(torch.zeros(4, 2), mean, log_variance, beta=2.0)["objective"]
    tensor(-6.)
    """
    check_batch(mask, mean=mean, log_variance=log_variance)
    kl = gaussian_kl(without_padding(mean, mask), without_padding(log_variance, mask))
    terms = {
        "reconstruction": sum_over_views(log_likelihood, mask),
        "kl": sum_over_views(kl, mask),
    }
    terms["elbo"] = terms["reconstruction"] - terms["kl"]
    terms["objective"] = terms["reconstruction"] - beta * terms["kl"]
    return reduce_terms(terms, reduction)


def vae_log_weights(
    log_likelihood: Tensor,
    z: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    mask: Tensor | None = None,
) -> Tensor:
    r"""Compute log importance weights :math:`\log p(x, z) - \log q(z|x)` of draws from q.

    Parameters
    ----------
    log_likelihood : Tensor of shape (..., n_views)
        :math:`\log p(x_j | z_j)` at the draws.
    z : Tensor of shape (..., n_views, d)
        Draws from q.
    mean, log_variance : Tensor of shape (..., n_views, d)
        Parameters of q, broadcastable to `z`.
    mask : Tensor of bool of shape (..., n_views), default=None
        Same as in :func:`vae_elbo`.

    Returns
    -------
    log_weights : Tensor of shape (...,)
        One log weight for each sample and draw, in nats.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import vae_log_weights
    >>> z = torch.ones(1, 1, 1)
    >>> vae_log_weights(torch.zeros(1, 1), z, 0 * z, 0 * z)
    tensor([0.])
    """
    squared = (z - mean).square() * torch.exp(-log_variance)
    log_ratio = 0.5 * (squared + log_variance - z.square()).sum(-1)
    return sum_over_views(log_likelihood + log_ratio, mask)
