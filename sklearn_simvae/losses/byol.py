"""The objective of BYOL: each view predicts how a slow teacher projects another."""

from torch import Tensor

from sklearn_simvae.losses.simsiam import simsiam


def byol(p: Tensor, z: Tensor, mask: Tensor | None = None) -> Tensor:
    r"""Squared distance of normalised predictions to the teacher's projections of other views.

    .. math:: \mathrm{mean}_{j \neq k}
        \left\| \frac{p_j}{\|p_j\|} - \frac{z'_k}{\|z'_k\|} \right\|^2 = 2 - 2 \cos(p_j, z'_k)

    It is :func:`simsiam` up to scale, with the projections of a teacher, an exponential moving
    average of the network, in place of its own.

    Parameters
    ----------
    p : Tensor of shape (batch, n_views, d)
        What a predictor makes of each projection.
    z : Tensor of shape (batch, n_views, d)
        The teacher's projections, n_views >= 2. No gradient passes through them.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False where a sample has fewer views than others.

    Returns
    -------
    loss : scalar Tensor
        In [0, 4]; 2 where no sample has two views.

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
