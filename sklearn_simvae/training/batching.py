"""Batches of samples, read by index as a whole."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sklearn_simvae._batch import Batch
from sklearn_simvae.training.distributed import n_processes
from sklearn_simvae.training.exchange import own_part
from sklearn_simvae.training.memory import fits_on_device
from sklearn_simvae.views.samples import Samples

_MIN_BATCH, _STEPS_PER_EPOCH = 16, 20


def auto_batch_size(n_samples: int, largest: int = 256) -> int:
    """Choose a batch size: the largest, or less so that an epoch has about 20 steps.

    Parameters
    ----------
    n_samples : int
        Number of samples in an epoch.
    largest : int, default=256
        Number of samples in a batch of a large dataset.

    Returns
    -------
    batch_size : int
        Number of samples in a batch.

    Examples
    --------
    >>> from sklearn_simvae.training import auto_batch_size
    >>> [auto_batch_size(n) for n in (60_000, 2_000, 100)]
    [256, 100, 16]
    """
    return int(np.clip(n_samples // _STEPS_PER_EPOCH, _MIN_BATCH, largest))


class BatchLoader:
    """Iterator over samples in batches whose sizes differ by one at most.

    If the rows to train on fit on a GPU, they are copied there once; else each batch is pinned, and
    copied while the GPU still works on the previous one.

    If processes train together, each reads its own part of every batch: `indices` belong to the
    whole batch, `views` and `mask` to the part.

    Parameters
    ----------
    samples : Samples
        Samples to read.
    batch_size : int
        Largest number of samples in a batch.
    device : torch.device
        Device of the batches.
    shuffle : bool, default=False
        Whether to read the samples in random order.

    Attributes
    ----------
    seed : int
        Seed of the order, and of the rows drawn from large groups; set before each epoch.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from sklearn_simvae.training import BatchLoader
    >>> from sklearn_simvae.views import Layout, Samples
    >>> X = np.zeros((5, 3))
    >>> loader = BatchLoader(Samples(X, *Layout.infer(X)), 2, torch.device("cpu"))
    >>> [len(batch.views) for batch in loader]
    [2, 2, 1]
    """

    def __init__(self, samples: Samples, batch_size: int, device="cpu", shuffle: bool = False):
        self.samples = samples
        self.batch_size = batch_size
        self.device = torch.device(device)
        self.shuffle = shuffle
        self.seed = 0
        self._resident = None
        # Arrays on disk stay there. Validation parts, which are not shuffled, are small.
        if shuffle and type(samples.X) is np.ndarray and fits_on_device(samples.X, self.device):
            self._resident = torch.from_numpy(samples.read(slice(None))).to(self.device)

    def __len__(self) -> int:
        return -(-len(self.samples) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng(self.seed) if self.shuffle else None
        n_samples, together = len(self.samples), n_processes() > 1
        order = rng.permutation(n_samples) if self.shuffle else np.arange(n_samples)
        # Even parts rather than a small last batch, whose gradient would be noisy.
        for which in np.array_split(order, len(self)):
            own = own_part(len(which)) if together else None
            indices, mask = self.samples.draw(which, rng, own)
            mask = None if mask is None else self._to_device(mask)
            yield Batch(self._rows(indices), mask, self._to_device(which))

    def _rows(self, indices: np.ndarray) -> Tensor | tuple[Tensor, ...]:
        if self._resident is None:
            rows = self.samples.read(indices)
            is_tuple = isinstance(rows, tuple)
            return tuple(map(self._to_device, rows)) if is_tuple else self._to_device(rows)
        return self._resident[self._to_device(indices)]

    def _to_device(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":  # pragma: no cover
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)
