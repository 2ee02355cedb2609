"""The record of a fit: means over each epoch, and rows as an estimator shows them."""

from numbers import Real

import torch

from sklearn_simvae._batch import Terms
from sklearn_simvae.training.exchange import sum_over_processes


class EpochMeans:
    """Means of terms over an epoch, summed on the device and read once."""

    def __init__(self):
        self._totals = self._weight = 0
        self._names = ()

    def add(self, terms: Terms, n_samples: int) -> None:
        """Add the terms of a batch.

        Parameters
        ----------
        terms : Terms
            Value of the objective.
        n_samples : int
            Samples of the batch, by which it counts where terms have no weight of their own.
        """
        weight = n_samples if terms.weight is None else terms.weight
        values = torch.stack([value.detach() for value in (terms.loss, *terms.parts.values())])
        self._totals = self._totals + values * weight
        self._weight = self._weight + weight
        self._names = ("loss", *terms.parts)

    def read(self) -> dict[str, float]:
        """Compute the means over the batches of all processes.

        Returns
        -------
        means : dict of str to float
            By name.
        """
        totals = self._totals
        weight = torch.as_tensor(self._weight, dtype=totals.dtype, device=totals.device)
        totals = sum_over_processes(torch.cat([totals, weight.reshape(1)]))
        means = (totals / totals[-1].clamp(min=1)).tolist()
        return dict(zip(self._names, means, strict=False))


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
