"""Batches of samples, read by index as a whole."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from sklearn_simvae._batch import Batch
from sklearn_simvae.training.distributed import n_processes
from sklearn_simvae.training.exchange import own_part
from sklearn_simvae.training.history import SeenRange
from sklearn_simvae.training.memory import fits_on_device
from sklearn_simvae.views.samples import Samples
from sklearn_simvae.views.view_maker import ViewMaker

_MIN_BATCH, _STEPS_PER_EPOCH = 16, 20
# The steps that "auto" epochs amount to.
_STEPS_PER_ROOT, _FEWEST_STEPS, _MOST_EPOCHS = 40, 400, 100
# Small batches are augmented together, up to so many rows and values.
_ROWS_AT_ONCE, _VALUES_AT_ONCE = 256, 2**20


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


def auto_max_epochs(n_samples: int) -> int:
    """Choose the passes over a dataset, which give it a number of steps by its size.

    There are about 40 times as many steps as the square root of the number of samples, in batches
    of :func:`auto_batch_size`.

    Parameters
    ----------
    n_samples : int
        Number of samples in an epoch.

    Returns
    -------
    max_epochs : int
        Number of epochs, at most 100.

    Examples
    --------
    >>> from sklearn_simvae.training import auto_max_epochs
    >>> [auto_max_epochs(n) for n in (178, 60_000, 1_000_000)]
    [44, 42, 10]
    """
    steps_per_epoch = -(-n_samples // auto_batch_size(n_samples))
    n_steps = max(_FEWEST_STEPS, _STEPS_PER_ROOT * n_samples**0.5)
    return int(np.clip(round(n_steps / steps_per_epoch), 1, _MOST_EPOCHS))


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


def with_views(
    batches: Iterable[Batch],
    make_views: ViewMaker,
    generator: torch.Generator | None = None,
    seen: SeenRange | None = None,
) -> Iterator[Batch]:
    """Make the views of batches, those of several small batches at once.

    For a small batch an augmentation takes as long as the network: its time is that of starting
    its operations.

    Parameters
    ----------
    batches : iterable of Batch
        Batches as they are read.
    make_views : ViewMaker
        Function from a batch of rows to one of views. A function of the user's own is given each
        batch by itself.
    generator : torch.Generator, default=None
        Source of randomness of the views.
    seen : SeenRange, default=None
        Record of the range of the views.

    Yields
    ------
    batch : Batch
        The same batches with views as the networks take them.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training.batching import with_views
    >>> from sklearn_simvae.views import Batch, Layout, ViewMaker
    >>> batches = [Batch(torch.ones(n, 3), None, torch.arange(n)) for n in (2, 1)]
    >>> twice = ViewMaker(Layout("vector", (3,), (3,)), n_views=2)
    >>> [batch.views.shape for batch in with_views(batches, twice)]
    [torch.Size([2, 2, 3]), torch.Size([1, 2, 3])]
    """
    for some in _together(batches) if make_views.takes_several else ([b] for b in batches):
        rows = some[0] if len(some) == 1 else Batch(torch.cat([batch.views for batch in some]))
        made = make_views(rows, generator=generator)
        if seen is not None:
            seen.add(make_views.values(made.views))
        if len(some) == 1:
            yield made
            continue
        for batch, views in zip(some, made.views.split([len(b) for b in some]), strict=True):
            yield replace(batch, views=views)


def _together(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """Collect batches of rows of one shape that are small enough to be augmented at once."""
    some: list[Batch] = []
    n_rows = 0
    for batch in batches:
        rows = batch.views
        n_most = min(_ROWS_AT_ONCE, _VALUES_AT_ONCE // max(1, rows[0].numel()))
        if some and (n_rows + len(rows) > n_most or rows.shape[1:] != some[0].views.shape[1:]):
            yield some
            some, n_rows = [], 0
        some.append(batch)
        n_rows += len(rows)
    if some:
        yield some
