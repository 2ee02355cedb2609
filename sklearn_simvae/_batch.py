"""Batches of views, and the terms of an objective on them."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """A batch of samples, either as it was read or as the networks take it.

    Parameters
    ----------
    views : Tensor of shape (batch, n_views, ...)
        Views of the samples; `(batch, ...)` as long as the views have not been made.
    mask : Tensor of bool of shape (batch, n_views) or None
        False for each view that a sample lacks, in whose place its first view is repeated.
    indices : Tensor of int of shape (batch,)
        Indices of the samples in the `Samples` that they come from.

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
