"""The objective of Barlow Twins: the cross-correlation of two views, against the identity."""

from itertools import combinations

import torch
from torch import Tensor

from sklearn_simvae._batch import Terms
from sklearn_simvae.losses.reduction import check_batch


def barlow_twins(
    z: Tensor,
    redundancy_weight: float = 5e-3,
    mask: Tensor | None = None,
    return_terms: bool = False,
) -> Tensor | Terms:
    r"""Compute the loss of Barlow Twins and its two terms.

    With :math:`C` the correlations over the batch between the dimensions of one view and those of
    another,

    .. math:: \sum_i (1 - C_{ii})^2 + \lambda \sum_i \sum_{k \neq i} C_{ik}^2

    averaged over pairs of views. The first term pulls the views of a sample together. Collapse is
    prevented by the second term, and by scaling each dimension to variance 1.

    Parameters
    ----------
    z : Tensor of shape (batch, n_views, d)
        Projections, n_views >= 2.
    redundancy_weight : float, default=5e-3
        :math:`\lambda`.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False for each view that a sample lacks. None means that all views are present. A pair of
        views is correlated over the n samples that have both, and has the weight
        :math:`(n - 1)^2`.
    return_terms : bool, default=False
        Whether to return the parts of the loss as well.

    Returns
    -------
    loss : scalar Tensor or Terms
        The loss; with `return_terms`, its "loss" and its parts "invariance" and "redundancy".

    References
    ----------
    Zbontar et al., "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", ICML 2021.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import barlow_twins
    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(float(barlow_twins(z.unsqueeze(1).expand(4, 2, 2))), 4)
    0.0
    """
    check_batch(mask, 2, z=z)
    there = z.new_ones(z.shape[:2]) if mask is None else mask.to(z.dtype)
    invariances, redundancies, counts = [], [], []
    for j, k in combinations(range(z.shape[1]), 2):
        weight = (there[:, j] * there[:, k]).unsqueeze(1)
        counts.append(weight.sum())
        weight = weight / counts[-1].clamp(min=1)
        a, b = _standardize(z[:, j], weight), _standardize(z[:, k], weight)
        correlation = (weight * a).T @ b
        # Computed apart: the gradient of the matrix's diagonal is a whole matrix of mostly zeros.
        own = (weight * a * b).sum(0)
        invariances.append((1 - own).square().sum())
        redundancies.append(correlation.square().sum() - own.square().sum())
    # The squared correlation of n independent samples is 1 / (n - 1) on average.
    precision = (torch.stack(counts) - 1).clamp(min=0).square()
    invariance, redundancy = (
        values.mean() if mask is None else (precision * values).sum() / precision.sum().clamp(min=1)
        for values in (torch.stack(invariances), torch.stack(redundancies))
    )
    loss = invariance + redundancy_weight * redundancy
    if not return_terms:
        return loss
    return Terms(loss, {"invariance": invariance, "redundancy": redundancy})


def _standardize(x: Tensor, weight: Tensor) -> Tensor:
    """Scale each dimension to a weighted mean of 0 and a weighted variance of 1."""
    centered = x - (weight * x).sum(0)
    # The epsilon of batch normalization, which the authors use to standardize.
    return centered * torch.rsqrt((weight * centered.square()).sum(0) + 1e-5)
