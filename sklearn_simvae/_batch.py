"""Batches of views, and the terms of an objective on them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """A batch of samples, either as it was read or as the networks take it.

    Its length is the number of samples in `views`, and slices of it are batches of some of them.

    Parameters
    ----------
    views : Tensor of shape (batch, n_views, ...), or tuple of Tensor of shape (batch, ...)
        Views of the samples; `(batch, ...)` as long as the views have not been made. A tuple has a
        tensor for each modality.
    mask : Tensor of bool of shape (batch, n_views) or None
        False for each view that a sample lacks, in whose place its first view is repeated; values
        of a modality are then 0.
    indices : Tensor of int of shape (batch,) or None
        Indices of the samples in the `Samples` that they come from.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views import Batch
    >>> batch = Batch(torch.zeros(4, 2, 3), None, torch.arange(4))
    >>> len(batch), batch[:3].views.shape
    (4, torch.Size([3, 2, 3]))
    """

    views: Tensor | tuple[Tensor, ...]
    mask: Tensor | None = None
    indices: Tensor | None = None

    def __len__(self) -> int:
        return len(self.views[0] if isinstance(self.views, tuple) else self.views)

    def __getitem__(self, rows: slice) -> "Batch":
        is_tuple = isinstance(self.views, tuple)
        views = tuple(x[rows] for x in self.views) if is_tuple else self.views[rows]
        rest = (None if x is None else x[rows] for x in (self.mask, self.indices))
        return Batch(views, *rest)

    def apply(self, network: Callable[[Tensor], Tensor]) -> Tensor:
        """Apply a network to each of the views, which are in one tensor.

        Parameters
        ----------
        network : callable
            Function from rows to as many rows.

        Returns
        -------
        made : Tensor of float32 of shape (batch, n_views, ...)
            Output for each view.
        """
        made = network(self.views.flatten(0, 1)).float()
        return made.reshape(*self.views.shape[:2], *made.shape[1:])


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
