"""The evidence lower bound of SimVAE, with the shared content psi integrated out exactly."""

import math

import torch
from torch import Tensor

from sklearn_simvae.losses.reduction import (
    check_batch,
    reduce_terms,
    sum_over_views,
    without_padding,
)

_LOG_2PI = math.log(2 * math.pi)


def log_joint_prior(
    z: Tensor,
    style_variance: float | Tensor,
    prior_variance: float | Tensor | None = 1.0,
    mask: Tensor | None = None,
) -> Tensor:
    r"""Compute the log-density of the latents of one sample's views, content integrated out.

    With :math:`\psi \sim N(0, \gamma^2 I)`, :math:`z_j | \psi \sim N(\psi, \sigma^2 I)` and
    :math:`\bar z` the mean of the J latents, the log-density of each dimension is

    .. math::
        \log p(z_1, \ldots, z_J) = -\tfrac{J}{2} \log 2\pi - \tfrac{J-1}{2} \log \sigma^2
            - \tfrac{1}{2} \log(\sigma^2 + J \gamma^2)
            - \sum_j \frac{(z_j - \bar z)^2}{2 \sigma^2}
            - \frac{\bar z^2}{2 (\gamma^2 + \sigma^2 / J)}

    Parameters
    ----------
    z : Tensor of shape (..., n_views, d)
        Latents.
    style_variance : float or Tensor of shape (d,)
        Variance :math:`\sigma^2` of the views' latents around their content, for all dimensions
        or for each.
    prior_variance : float, Tensor of shape (d,) or None, default=1.0
        Variance :math:`\gamma^2` of the content. None means the paper's uniform, improper prior,
        of which the constant density of psi is left out.
    mask : Tensor of bool of shape (..., n_views), default=None
        False for each view that a sample lacks. None means that all views are present.

    Returns
    -------
    log_density : Tensor of shape (...,)
        Sum over the dimensions, in nats.

    References
    ----------
    Bizeul, Schölkopf and Allen, "A Probabilistic Model behind Self-Supervised Learning", TMLR 2024.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import log_joint_prior
    >>> log_joint_prior(torch.zeros(1, 2, 1), style_variance=1.0, prior_variance=1.0)
    tensor([-2.3872])
    """
    return expected_log_joint_prior(z, None, style_variance, prior_variance, mask)


def expected_log_joint_prior(
    mean: Tensor,
    variance: Tensor | None,
    style_variance: float | Tensor,
    prior_variance: float | Tensor | None = 1.0,
    mask: Tensor | None = None,
) -> Tensor:
    r"""Compute the expectation of :func:`log_joint_prior` under independent Gaussians.

    The expectation is in closed form. With :math:`q(z_j) = N(\mu_j, v_j)` per dimension,

    .. math::
        E \sum_j (z_j - \bar z)^2 = \sum_j (\mu_j - \bar\mu)^2 + (1 - 1/J) \sum_j v_j,
        \quad E \bar z^2 = \bar\mu^2 + \sum_j v_j / J^2

    Parameters
    ----------
    mean : Tensor of shape (..., n_views, d)
        Means :math:`\mu` of the Gaussians.
    variance : Tensor of shape (..., n_views, d) or None
        Variances :math:`v` of the Gaussians. None means a point mass at `mean`.
    style_variance : float or Tensor of shape (d,)
        Variance :math:`\sigma^2`, as in :func:`log_joint_prior`.
    prior_variance : float, Tensor of shape (d,) or None, default=1.0
        Variance :math:`\gamma^2`, as in :func:`log_joint_prior`.
    mask : Tensor of bool of shape (..., n_views), default=None
        Same as in :func:`log_joint_prior`.

    Returns
    -------
    expectation : Tensor of shape (...,)
        Sum over the dimensions, in nats.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import expected_log_joint_prior
    >>> expected_log_joint_prior(torch.zeros(1, 2, 1), torch.ones(1, 2, 1), 1.0, 1.0)
    tensor([-3.0538])
    """
    n_dims = mean.shape[-1]
    if mask is None:
        n_views = float(mean.shape[-2])
        log_views, weight = math.log(n_views), None
    else:
        weight = mask.unsqueeze(-1).to(mean.dtype)
        # The shape (..., 1) broadcasts over the dimensions.
        n_views = weight.sum(-2)
        log_views = n_views.log()
        # Filled, not multiplied: NaN in the padding must reach neither the value nor the gradient.
        mean = without_padding(mean, mask)
        variance = None if variance is None else without_padding(variance, mask)
    center = mean.sum(-2) / n_views
    squares = (mean - center.unsqueeze(-2)).square()
    spread = (squares if weight is None else weight * squares).sum(-2)

    # Factors of the squared distances from the center, of its own square, and of the variances.
    of_spread, of_center = -0.5 / style_variance, 0.0
    exponent = of_spread * spread
    if prior_variance is None:
        scale = (n_views - 1) * (_LOG_2PI + _log(style_variance)) + log_views
    else:
        total = n_views * prior_variance + style_variance
        of_center = -0.5 * n_views / total
        exponent = exponent + of_center * center.square()
        scale = n_views * _LOG_2PI + (n_views - 1) * _log(style_variance) + _log(total)
    if variance is not None:
        of_variance = (1 - 1 / n_views) * of_spread + of_center / n_views**2
        exponent = exponent + of_variance * variance.sum(-2)
    return exponent.sum(-1) - 0.5 * _sum_of_dims(scale, n_dims)


def _log(value: float | Tensor) -> float | Tensor:
    return value.log() if isinstance(value, Tensor) else math.log(value)


def _sum_of_dims(scale: float | Tensor, n_dims: int) -> float | Tensor:
    """Sum a scale over the dimensions; a float is the scale of each of them."""
    if isinstance(scale, Tensor):
        return scale.expand(*scale.shape[:-1], n_dims).sum(-1)
    return n_dims * scale


def gaussian_entropy(log_variance: Tensor) -> Tensor:
    r"""Compute the entropy of a diagonal Gaussian with variances :math:`v`.

    .. math:: \tfrac{1}{2} \sum_i (\log 2\pi e + \log v_i)

    Parameters
    ----------
    log_variance : Tensor of shape (..., d)
        Logarithms of the variances.

    Returns
    -------
    entropy : Tensor of shape (...,)
        Sum over the dimensions, in nats.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import gaussian_entropy
    >>> gaussian_entropy(torch.zeros(1, 1))
    tensor([1.4189])
    """
    return 0.5 * (log_variance.sum(-1) + log_variance.shape[-1] * (1 + _LOG_2PI))


def simvae_elbo(
    log_likelihood: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    style_variance: float | Tensor = 0.15,
    prior_variance: float | Tensor | None = 1.0,
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> dict[str, Tensor]:
    r"""Compute the evidence lower bound of SimVAE and its three terms.

    .. math::
        \mathrm{ELBO} = \sum_j E_q[\log p(x_j|z_j)] + \sum_j H[q(z_j|x_j)]
            + E_q[\log p(z_1, \ldots, z_J)]

    For J = 1 view this is the bound of a VAE whose prior has the variance
    `prior_variance + style_variance`.

    Parameters
    ----------
    log_likelihood : Tensor of shape (batch, n_views)
        :math:`\log p(x_j | z_j)` at a draw :math:`z_j \sim q`, see
        :func:`gaussian_log_likelihood` and :func:`bernoulli_log_likelihood`.
    mean, log_variance : Tensor of shape (batch, n_views, d)
        Parameters of :math:`q(z_j | x_j)`.
    style_variance : float or Tensor of shape (d,), default=0.15
        Variance :math:`\sigma^2`, as in :func:`log_joint_prior`.
    prior_variance : float, Tensor of shape (d,) or None, default=1.0
        Variance :math:`\gamma^2`, as in :func:`log_joint_prior`.
    mask : Tensor of bool of shape (batch, n_views), default=None
        Same as in :func:`log_joint_prior`.
    reduction : {"mean", "none"}, default="mean"
        Whether to average over samples, or to return one value for each sample.

    Returns
    -------
    terms : dict of Tensor
        "elbo" and the terms whose sum it is, "reconstruction", "entropy" and "prior", in nats per
        sample; higher is better. Scalars, or tensors of shape (batch,) without reduction.

    References
    ----------
    Bizeul, Schölkopf and Allen, "A Probabilistic Model behind Self-Supervised Learning", TMLR 2024.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import simvae_elbo
    >>> mean, log_variance = torch.zeros(4, 2, 3), torch.zeros(4, 2, 3)
    >>> simvae_elbo(torch.zeros(4, 2), mean, log_variance, style_variance=1.0)["elbo"]
    tensor(-0.6479)
    """
    check_batch(mask, mean=mean, log_variance=log_variance)
    log_variance = without_padding(log_variance, mask)
    terms = {
        "reconstruction": sum_over_views(log_likelihood, mask),
        "entropy": sum_over_views(gaussian_entropy(log_variance), mask),
        "prior": expected_log_joint_prior(
            mean, log_variance.exp(), style_variance, prior_variance, mask
        ),
    }
    terms["elbo"] = terms["reconstruction"] + terms["entropy"] + terms["prior"]
    return reduce_terms(terms, reduction)


def simvae_log_weights(
    log_likelihood: Tensor,
    z: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    style_variance: float | Tensor = 0.15,
    prior_variance: float | Tensor | None = 1.0,
    mask: Tensor | None = None,
) -> Tensor:
    r"""Compute log importance weights :math:`\log p(x, z) - \log q(z|x)` of draws from q.

    Their mean over draws estimates the evidence lower bound; the logarithm of the mean of their
    exponentials estimates the tighter importance-weighted bound.

    Parameters
    ----------
    log_likelihood : Tensor of shape (..., n_views)
        :math:`\log p(x_j | z_j)` at the draws.
    z : Tensor of shape (..., n_views, d)
        Draws from q.
    mean, log_variance : Tensor of shape (..., n_views, d)
        Parameters of q, broadcastable to `z`.
    style_variance : float or Tensor of shape (d,), default=0.15
        Variance :math:`\sigma^2`, as in :func:`log_joint_prior`.
    prior_variance : float, Tensor of shape (d,) or None, default=1.0
        Variance :math:`\gamma^2`, as in :func:`log_joint_prior`.
    mask : Tensor of bool of shape (..., n_views), default=None
        Same as in :func:`log_joint_prior`.

    Returns
    -------
    log_weights : Tensor of shape (...,)
        One log weight for each sample and draw, in nats.

    References
    ----------
    Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import simvae_log_weights
    >>> z = torch.zeros(1, 1, 1)
    >>> simvae_log_weights(torch.zeros(1, 1), z, z, z, style_variance=0.5, prior_variance=0.5)
    tensor([0.])
    """
    squared = (z - mean).square() * torch.exp(-log_variance)
    log_q = -0.5 * (squared + log_variance + _LOG_2PI).sum(-1)
    prior = log_joint_prior(z, style_variance, prior_variance, mask)
    return sum_over_views(log_likelihood - log_q, mask) + prior
