"""The objective of BYOL: each view predicts a slow teacher's projection of another view."""

from torch import Tensor

from sklearn_simvae.losses.simsiam import simsiam


def byol(p: Tensor, z: Tensor, mask: Tensor | None = None) -> Tensor:
    r"""Compute the squared distance of predictions to the teacher's projections of other views.

    Predictions and projections are normalized to length 1:

    .. math:: \mathrm{mean}_{j \neq k}
        \left\| \frac{p_j}{\|p_j\|} - \frac{z'_k}{\|z'_k\|} \right\|^2 = 2 - 2 \cos(p_j, z'_k)

    This is :func:`simsiam` up to scale, with the projections of a teacher (an exponential moving
    average of the network) in place of the network's own.

    Parameters
    ----------
    p : Tensor of shape (batch, n_views, d)
        Predictions, which a predictor computes from the network's projections.
    z : Tensor of shape (batch, n_views, d)
        Projections of the teacher, n_views >= 2. No gradient passes through them.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False for each view that a sample lacks. None means that all views are present.

    Returns
    -------
    loss : scalar Tensor
        Loss in [0, 4]; 2 if no sample has two views.

    References
    ----------
    Grill et al., "Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning", NeurIPS
    2020.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import byol
    >>> z = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    >>> byol(z.flip(1), z), byol(z, z)
    (tensor(0.), tensor(2.))
    """
    return 2 + 2 * simsiam(p, z, mask)
