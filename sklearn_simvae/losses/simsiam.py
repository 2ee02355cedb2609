"""The objective of SimSiam: each view predicts the projection of another, held fixed."""

from torch import Tensor
from torch.nn import functional as F

from sklearn_simvae.losses.reduction import check_batch, masked_mean, view_pairs


def simsiam(p: Tensor, z: Tensor, mask: Tensor | None = None) -> Tensor:
    r"""Negative cosine similarity of predictions and the projections of other views.

    .. math:: - \mathrm{mean}_{j \neq k} \cos(p_j, \mathrm{stopgrad}(z_k))

    It only pulls together. What stands against collapse is that :math:`p` comes of :math:`z` by a
    predictor of its own, and that no gradient passes through :math:`z`.

    Parameters
    ----------
    p : Tensor of shape (batch, n_views, d)
        What a predictor makes of each projection.
    z : Tensor of shape (batch, n_views, d)
        Projections, n_views >= 2. No gradient passes through them.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False where a sample has fewer views than others.

    Returns
    -------
    loss : scalar Tensor
        In [-1, 1]; -1 where all predictions are right, as also where everything is the same.

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
