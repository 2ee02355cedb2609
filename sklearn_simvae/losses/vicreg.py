"""The objective of VICReg: invariance to views, with variance and covariance against collapse."""

import torch
from torch import Tensor

from sklearn_simvae._batch import Terms
from sklearn_simvae.losses.reduction import check_batch, masked_mean, view_pairs


def vicreg(
    z: Tensor,
    invariance_weight: float = 25.0,
    variance_weight: float = 25.0,
    covariance_weight: float = 1.0,
    mask: Tensor | None = None,
    return_terms: bool = False,
) -> Tensor | Terms:
    r"""Compute the loss of VICReg and its three terms.

    Invariance is the mean squared difference between the views of a sample, averaged over pairs of
    views. Variance is the hinge :math:`\max(0, 1 - \sqrt{\mathrm{Var} + 10^{-4}})` of each
    dimension over the batch, averaged over dimensions and views. Covariance is the sum of the
    squared off-diagonal covariances, divided by the number of dimensions; twice its mean over
    views is taken. With two views this is the authors' definition.

    Parameters
    ----------
    z : Tensor of shape (batch, n_views, d)
        Projections, n_views >= 2.
    invariance_weight, variance_weight, covariance_weight : float, default=25.0, 25.0, 1.0
        Weights of the terms in the loss.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False for each view that a sample lacks, in whose place `z` must repeat one of its other
        views. None means that all views are present.
    return_terms : bool, default=False
        Whether to return the parts of the loss as well.

    Returns
    -------
    loss : scalar Tensor or Terms
        The loss; with `return_terms`, its "loss" and its parts "invariance", "variance" and
        "covariance".

    References
    ----------
    Bardes, Ponce and LeCun, "VICReg: Variance-Invariance-Covariance Regularization for
    Self-Supervised Learning", ICLR 2022.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import vicreg
    >>> terms = vicreg(torch.ones(4, 2, 3), return_terms=True)
    >>> round(float(terms.loss), 2), round(float(terms.parts["variance"]), 2)
    (24.75, 0.99)
    """
    check_batch(mask, 2, z=z)
    batch, n_views, d = z.shape
    squared = (z.unsqueeze(2) - z.unsqueeze(1)).square().mean(-1)
    invariance = masked_mean(squared, view_pairs(z, mask))

    centered = (z - z.mean(0)).transpose(0, 1)
    covariances = centered.transpose(1, 2) @ centered / max(batch - 1, 1)
    variances = centered.square().sum(1) / max(batch - 1, 1)
    variance = torch.relu(1 - torch.sqrt(variances + 1e-4)).mean()
    # Not as the difference of two large sums, which would lose precision.
    off_diagonal = covariances * (1 - torch.eye(d, dtype=z.dtype, device=z.device))
    covariance = 2 * off_diagonal.square().sum() / (d * n_views)
    loss = (
        invariance_weight * invariance + variance_weight * variance + covariance_weight * covariance
    )
    if not return_terms:
        return loss
    return Terms(loss, {"invariance": invariance, "variance": variance, "covariance": covariance})
