"""The record of a fit: means over each epoch, and rows as an estimator shows them."""

from numbers import Real

import torch
from torch import Tensor

from sklearn_simvae._batch import Terms
from sklearn_simvae.training.exchange import sum_over_processes

# Batches whose numbers are held one by one before they are summed, which takes fewer operations.
_AT_ONCE = 256


class EpochMeans:
    """Means of terms over an epoch, summed on the device and read once."""

    def __init__(self):
        self._totals: Tensor | float = 0.0
        self._weight: Tensor | float = 0.0
        self._values: list[Tensor] = []
        self._weights: list[Tensor | float] = []
        self._names: tuple[str, ...] = ()

    def add(self, terms: Terms, n_samples: int) -> None:
        """Add the terms of a batch.

        Parameters
        ----------
        terms : Terms
            Value of the objective.
        n_samples : int
            Samples of the batch, by which it counts where terms have no weight of their own.
        """
        self._names = ("loss", *terms.parts)
        self._values += [value.detach() for value in (terms.loss, *terms.parts.values())]
        self._weights.append(float(n_samples) if terms.weight is None else terms.weight.float())
        if len(self._weights) == _AT_ONCE:
            self._sum()

    def _sum(self) -> None:
        values = torch.stack(self._values).view(len(self._weights), -1)
        if isinstance(self._weights[0], Tensor):
            weights = torch.stack(self._weights)
        else:
            weights = values.new_tensor(self._weights)
        self._totals = self._totals + (weights[:, None] * values).sum(0)
        self._weight = self._weight + weights.sum()
        self._values, self._weights = [], []

    def read(self) -> dict[str, float]:
        """Compute the means over the batches of all processes.

        Returns
        -------
        means : dict of str to float
            By name.
        """
        if self._weights:
            self._sum()
        totals = sum_over_processes(torch.cat([self._totals, self._weight.reshape(1)]))
        means = (totals / totals[-1].clamp(min=1)).tolist()
        return dict(zip(self._names, means, strict=False))


class SeenRange:
    """Range of the views of an epoch, found on the device without waiting for it."""

    def __init__(self):
        self._ends: list[Tensor] = []

    def add(self, views: Tensor) -> None:
        """Widen the range by the views of a batch.

        Parameters
        ----------
        views : Tensor
            Views of a batch; NaN is kept.
        """
        self._ends += torch.aminmax(views.detach())
        if len(self._ends) == 2 * _AT_ONCE:
            self._ends = list(self._widest())

    def _widest(self) -> tuple[Tensor, Tensor]:
        ends = torch.stack(self._ends)
        return ends[::2].amin(), ends[1::2].amax()

    def read(self) -> tuple[float, float] | None:
        """Return the range.

        Returns
        -------
        range : tuple of float or None
            Smallest and largest value, NaN if there was one; None if there were no views.
        """
        return tuple(float(end) for end in self._widest()) if self._ends else None


def public_rows(history) -> list[dict]:
    """Select the entries of a skorch history that an estimator shows.

    Parameters
    ----------
    history : list of dict
        Rows of skorch.

    Returns
    -------
    rows : list of dict
        Numbers by name, those of the training part without the prefix "train_".

    Examples
    --------
    >>> from sklearn_simvae.training.history import public_rows
    >>> public_rows([{"train_loss": 2.0, "train_loss_best": True, "batches": []}])
    [{'loss': 2.0}]
    """
    return [
        {
            name.removeprefix("train_"): value
            for name, value in row.items()
            if isinstance(value, Real)
            and not name.endswith(("batch_count", "_best"))
            and name not in ("train_batch_size", "valid_batch_size")
        }
        for row in history
    ]
