"""Batches of views, and the terms of an objective on them."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """Some samples, as they are read or as the networks take them.

    Parameters
    ----------
    views : Tensor of shape (batch, n_views, ...)
        Views of the samples; as read, `(batch, ...)` where views are yet to be made.
    mask : Tensor of bool of shape (batch, n_views) or None
        False where a sample has fewer views than others, at a repetition of its first.
    indices : Tensor of int of shape (batch,)
        Places of the samples among those that are gone through.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views import Batch
    >>> Batch(torch.zeros(4, 2, 3), None, torch.arange(4)).views.shape
    torch.Size([4, 2, 3])
    """

    views: Tensor
    mask: Tensor | None
    indices: Tensor


class Terms(NamedTuple):
    """The value of an objective on a batch, taken apart.

    Parameters
    ----------
    loss : scalar Tensor
        Mean over the samples of the batch, to be minimized.
    parts : mapping of str to scalar Tensor, default={}
        Parts of the loss by name, and other means over samples, for `history_`.
    weight : scalar Tensor or None, default=None
        Number of samples that the loss is a mean of, by which a batch counts in the means of an
        epoch. None is all samples of the batch.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import Terms
    >>> Terms(torch.tensor(3.0), {"kl": torch.tensor(1.0)}).parts
    {'kl': tensor(1.)}
    """

    loss: Tensor
    parts: Mapping[str, Tensor] = {}
    weight: Tensor | None = None
