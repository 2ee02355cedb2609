"""Log-likelihoods log p(x | z) of a view, given the output of a decoder."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def gaussian_log_likelihood(
    x: Tensor, mean: Tensor, noise_variance: float | Tensor, observed: Tensor | None = None
) -> Tensor:
    r"""Compute the log-density of `x` under independent Gaussians of one variance.

    .. math:: -\tfrac{1}{2} \sum_i \left[ (x_i - m_i)^2 / s + \log(2 \pi s) \right]

    Parameters
    ----------
    x, mean : Tensor of shape (..., n_features)
        Observations and means.
    noise_variance : float or Tensor of shape ()
        Variance `s` of the Gaussians, in squared units of `x`; a tensor if it is learned.
    observed : Tensor of bool, default=None
        Mask of the values of `x` that count, of its shape; the others, which must not be NaN, are
        left out. None means all.

    Returns
    -------
    log_likelihood : Tensor of shape (...,)
        Sum over the features, in nats.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import gaussian_log_likelihood
    >>> gaussian_log_likelihood(torch.zeros(1, 2), torch.zeros(1, 2), 1.0)
    tensor([-1.8379])
    """
    # One operation with one gradient, where the square of a difference has several.
    squared_error = F.mse_loss(*torch.broadcast_tensors(mean, x), reduction="none")
    log = torch.log if isinstance(noise_variance, Tensor) else math.log
    n_values = x.shape[-1] if observed is None else observed.sum(-1)
    constant = n_values * log(2 * math.pi * noise_variance)
    if observed is not None:
        squared_error = squared_error * observed
    return squared_error.sum(-1) * (-0.5 / noise_variance) - 0.5 * constant


def multinomial_log_likelihood(x: Tensor, logits: Tensor, observed: Tensor | None = None) -> Tensor:
    r"""Compute the log-probability of the counts `x`, given their sum.

    .. math:: \log \Gamma(1 + \textstyle\sum_i x_i) - \sum_i \log \Gamma(1 + x_i)
        + \sum_i x_i \log p_i, \quad p = \mathrm{softmax}(\mathrm{logits})

    Parameters
    ----------
    x : Tensor of shape (..., n_features)
        Counts, at least 0; they need not be integers.
    logits : Tensor of shape (..., n_features)
        Logarithms of the expected shares of the features, up to a constant.
    observed : Tensor of bool, default=None
        Mask of the counts that are known, of the shape of `x`, in which the others must be 0. The
        probability is then that of the known counts, given their sum. None means all.

    Returns
    -------
    log_likelihood : Tensor of shape (...,)
        Log-probability of each row, in nats.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import multinomial_log_likelihood
    >>> multinomial_log_likelihood(torch.tensor([[1.0, 1.0]]), torch.zeros(1, 2))
    tensor([-0.6931])
    """
    if observed is not None:
        # Not infinity, whose product with a count of 0 is NaN.
        logits = logits.masked_fill(~observed, torch.finfo(logits.dtype).min)
    orders = torch.lgamma(1 + x.sum(-1)) - torch.lgamma(1 + x).sum(-1)
    return orders + sum_known(x * F.log_softmax(logits, dim=-1), observed)


def poisson_log_likelihood(x: Tensor, log_rate: Tensor, observed: Tensor | None = None) -> Tensor:
    r"""Compute the log-probability of the counts `x` under independent Poisson variables.

    .. math:: \sum_i \left[ x_i \log \lambda_i - \lambda_i - \log \Gamma(1 + x_i) \right]

    Parameters
    ----------
    x : Tensor of shape (..., n_features)
        Counts, at least 0; they need not be integers.
    log_rate : Tensor of shape (..., n_features)
        Logarithms of the expected counts.
    observed : Tensor of bool, default=None
        Mask of the values of `x` that count, of its shape; the others, which must not be NaN, are
        left out. None means all.

    Returns
    -------
    log_likelihood : Tensor of shape (...,)
        Sum over the features, in nats.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import poisson_log_likelihood
    >>> poisson_log_likelihood(torch.ones(1, 2), torch.zeros(1, 2))
    tensor([-2.])
    """
    return sum_known(x * log_rate - log_rate.exp() - torch.lgamma(1 + x), observed)


def bernoulli_log_likelihood(x: Tensor, logits: Tensor, observed: Tensor | None = None) -> Tensor:
    r"""Compute the log-probability of `x` in [0, 1] under independent Bernoulli variables.

    .. math:: \sum_i \left[ x_i \log p_i + (1 - x_i) \log(1 - p_i) \right],
        \quad p = \mathrm{sigmoid}(\mathrm{logits})

    Parameters
    ----------
    x : Tensor of shape (..., n_features)
        Observations in [0, 1]; a gray level between 0 and 1 counts as the probability of a 1.
    logits : Tensor of shape (..., n_features)
        Log-odds of a 1.
    observed : Tensor of bool, default=None
        Mask of the values of `x` that count, of its shape; the others, which must not be NaN, are
        left out. None means all.

    Returns
    -------
    log_likelihood : Tensor of shape (...,)
        Sum over the features, in nats.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import bernoulli_log_likelihood
    >>> bernoulli_log_likelihood(torch.ones(1, 2), torch.zeros(1, 2))
    tensor([-1.3863])
    """
    cross_entropy = F.binary_cross_entropy_with_logits(
        logits, x.to(logits.dtype).expand_as(logits), reduction="none"
    )
    return -sum_known(cross_entropy, observed)


def sum_known(values: Tensor, observed: Tensor | None) -> Tensor:
    """Sum over the features whose values are known.

    Parameters
    ----------
    values : Tensor of shape (..., n_features)
        Values, none of which is NaN.
    observed : Tensor of bool of shape (..., n_features) or None
        Mask of those to sum; None means all.

    Returns
    -------
    total : Tensor of shape (...,)
        Sums.
    """
    return (values if observed is None else values * observed).sum(-1)
