"""The objective of Barlow Twins: the cross-correlation of two views, against the identity."""

from itertools import combinations

import torch
from torch import Tensor

from sklearn_simvae.losses.reduction import check_batch, loss_alone


def barlow_twins_terms(
    z: Tensor, redundancy_weight: float = 5e-3, mask: Tensor | None = None
) -> dict[str, Tensor]:
    r"""The loss of Barlow Twins and its two terms.

    With :math:`C` the correlations over the batch between the dimensions of one view and those of
    another,

    .. math:: \sum_i (1 - C_{ii})^2 + \lambda \sum_i \sum_{k \neq i} C_{ik}^2

    averaged over pairs of views. The first term pulls the views of a sample together; that each
    dimension is scaled to variance 1, and the second term, are what stands against collapse.

    Parameters
    ----------
    z : Tensor of shape (batch, n_views, d)
        Projections, n_views >= 2.
    redundancy_weight : float, default=5e-3
        :math:`\lambda`.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False where a sample has fewer views than others; a pair of views is correlated over the n
        samples that have both, and weighs by :math:`(n - 1)^2`.

    Returns
    -------
    terms : dict of scalar Tensor
        "loss", "invariance" and "redundancy".

    References
    ----------
    Zbontar et al., "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", ICML 2021.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import barlow_twins_terms
    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> terms = barlow_twins_terms(z.unsqueeze(1).expand(4, 2, 2))
    >>> round(float(terms["loss"]), 4)
    0.0
    """
    check_batch(mask, 2, z=z)
    there = z.new_ones(z.shape[:2]) if mask is None else mask.to(z.dtype)
    invariances, redundancies, counts = [], [], []
    for j, k in combinations(range(z.shape[1]), 2):
        weight = (there[:, j] * there[:, k]).unsqueeze(1)
        counts.append(weight.sum())
        weight = weight / counts[-1].clamp(min=1)
        a, b = _standardise(z[:, j], weight), _standardise(z[:, k], weight)
        correlation = (weight * a).T @ b
        # Not through the diagonal of the matrix, whose gradient is a matrix of zeros.
        own = (weight * a * b).sum(0)
        invariances.append((1 - own).square().sum())
        redundancies.append(correlation.square().sum() - own.square().sum())
    # Chance correlates n samples by a square of 1 / (n - 1), and fewer than two not at all.
    precision = (torch.stack(counts) - 1).clamp(min=0).square()
    invariance, redundancy = (
        values.mean() if mask is None else (precision * values).sum() / precision.sum().clamp(min=1)
        for values in (torch.stack(invariances), torch.stack(redundancies))
    )
    return {
        "loss": invariance + redundancy_weight * redundancy,
        "invariance": invariance,
        "redundancy": redundancy,
    }


def _standardise(x: Tensor, weight: Tensor) -> Tensor:
    """Scale each dimension to mean 0 and variance 1 over the samples that weigh."""
    centred = x - (weight * x).sum(0)
    # The epsilon of batch normalisation, by which the authors standardise.
    return centred * torch.rsqrt((weight * centred.square()).sum(0) + 1e-5)


barlow_twins = loss_alone(barlow_twins_terms)
