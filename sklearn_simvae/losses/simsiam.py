"""The objective of SimSiam: each view predicts the projection of another, which is held fixed."""

from torch import Tensor
from torch.nn import functional as F

from sklearn_simvae.losses.reduction import check_batch, masked_mean, view_pairs


def simsiam(p: Tensor, z: Tensor, mask: Tensor | None = None) -> Tensor:
    r"""Compute the negative cosine similarity of predictions and projections of other views.

    .. math:: - \mathrm{mean}_{j \neq k} \cos(p_j, \mathrm{stopgrad}(z_k))

    The loss only pulls views together. Collapse is prevented because :math:`p` is computed from
    :math:`z` by a separate predictor, and because no gradient passes through :math:`z`.

    Parameters
    ----------
    p : Tensor of shape (batch, n_views, d)
        Predictions, which a predictor computes from the projections.
    z : Tensor of shape (batch, n_views, d)
        Projections, n_views >= 2. No gradient passes through them.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False for each view that a sample lacks. None means that all views are present.

    Returns
    -------
    loss : scalar Tensor
        Loss in [-1, 1]. It is -1 if all predictions are right, but also if all projections have
        collapsed to one point.

    References
    ----------
    Chen and He, "Exploring Simple Siamese Representation Learning", CVPR 2021.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import simsiam
    >>> z = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    >>> simsiam(z.flip(1), z), simsiam(z, z)
    (tensor(-1.), tensor(-0.))
    """
    check_batch(mask, p=p, z=z)
    cosine = F.normalize(p, dim=-1) @ F.normalize(z.detach(), dim=-1).transpose(1, 2)
    return -masked_mean(cosine, view_pairs(z, mask))
