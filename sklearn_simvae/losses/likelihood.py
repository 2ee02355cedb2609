"""Log-likelihoods log p(x | z) of a view, given the output of a decoder."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def gaussian_log_likelihood(x: Tensor, mean: Tensor, noise_variance: float | Tensor) -> Tensor:
    r"""Compute the log-density of `x` under independent Gaussians of one variance.

    .. math:: -\tfrac{1}{2} \sum_i \left[ (x_i - m_i)^2 / s + \log(2 \pi s) \right]

    Parameters
    ----------
    x, mean : Tensor of shape (..., n_features)
        Observations and means.
    noise_variance : float or Tensor of shape ()
        Variance `s` of the Gaussians, in squared units of `x`; a tensor if it is learned.

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
    squared_error = F.mse_loss(*torch.broadcast_tensors(mean, x), reduction="none").sum(-1)
    log = torch.log if isinstance(noise_variance, Tensor) else math.log
    constant = x.shape[-1] * log(2 * math.pi * noise_variance)
    return squared_error * (-0.5 / noise_variance) - 0.5 * constant


def multinomial_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    r"""Compute the log-probability of the counts `x`, given their sum.

    .. math:: \log \Gamma(1 + \textstyle\sum_i x_i) - \sum_i \log \Gamma(1 + x_i)
        + \sum_i x_i \log p_i, \quad p = \mathrm{softmax}(\mathrm{logits})

    Parameters
    ----------
    x : Tensor of shape (..., n_features)
        Counts, at least 0; they need not be integers.
    logits : Tensor of shape (..., n_features)
        Logarithms of the expected shares of the features, up to a constant.

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
    orders = torch.lgamma(1 + x.sum(-1)) - torch.lgamma(1 + x).sum(-1)
    return orders + (x * F.log_softmax(logits, dim=-1)).sum(-1)


def bernoulli_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    r"""Compute the log-probability of `x` in [0, 1] under independent Bernoulli variables.

    .. math:: \sum_i \left[ x_i \log p_i + (1 - x_i) \log(1 - p_i) \right],
        \quad p = \mathrm{sigmoid}(\mathrm{logits})

    Parameters
    ----------
    x : Tensor of shape (..., n_features)
        Observations in [0, 1]; a gray level between 0 and 1 counts as the probability of a 1.
    logits : Tensor of shape (..., n_features)
        Log-odds of a 1.

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
    return -F.binary_cross_entropy_with_logits(
        logits, x.to(logits.dtype).expand_as(logits), reduction="none"
    ).sum(-1)
