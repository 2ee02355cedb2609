"""From arrays to batches of views, whether views are groups of rows, an axis of X or augmented."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_simvae._batch import Batch
from sklearn_simvae.views.checks import in_unit_interval
from sklearn_simvae.views.lazy import held_between
from sklearn_simvae.views.view_maker import make_views

# Rows of a batch in transform: enough to keep the processor busy, few enough to fit its cache.
_MAX_ROWS, _MAX_VALUES = 1024, 1_000_000


class Samples:
    """The samples of an array: its rows, its groups of rows, or its entries with a views axis.

    Parameters
    ----------
    X : array of shape (n, ...) or (n, n_views, ...)
        Any object that can be indexed by an integer array and then returns a numpy array, such as
        a :class:`~sklearn_simvae.views.LazyArray`. Only the rows of one batch are read at a time.
    layout : Layout
        Layout of a row.
    has_views : bool
        True if the second axis of X counts views.
    groups : Groups, default=None
        Groups of rows that are the views of one sample. None if rows have no groups.
    n_views : int, default=1
        Number of views to make from a row, or largest number to draw from a group.
    indices : ndarray of int, default=None
        Indices of the samples to use; None means all.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.views import Layout, Samples
    >>> X = np.zeros((5, 2, 3))
    >>> samples = Samples(X, *Layout.infer(X))
    >>> len(samples), samples.take(np.array([0, 3]))[0].shape
    (5, (2, 2, 3))
    """

    # Name of the rows in messages.
    what = "X"

    def __init__(self, X, layout, has_views, groups=None, n_views=1, indices=None):
        self.X = X
        self.layout = layout
        self.has_views = has_views
        self.groups = groups
        self.n_views = n_views
        # Whether batches are read with a views axis.
        self.reads_views = self.views_given
        if indices is None:
            indices = np.arange(len(X) if groups is None else len(groups))
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def parts(self) -> list["Samples"]:
        """Rows of one kind: these, or those of each modality."""
        return [self]

    def of_parts(self, function: Callable[["Samples"], Any]) -> Any:
        """Apply a function to the rows, or to those of each modality.

        Parameters
        ----------
        function : callable
            Function of rows of one kind.

        Returns
        -------
        value : object or list of object
            A value, or one for each modality.
        """
        return function(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of X."""
        return self.X.shape

    @property
    def unit_interval(self) -> bool:
        """Whether all of X lies in [0, 1]; of a source, the rows that were looked at."""
        return self.layout.pixels or in_unit_interval(self.X)

    @property
    def views_given(self) -> bool:
        """True if X already holds the views, as groups of rows or along an axis."""
        return self.has_views or self.groups is not None

    @property
    def n_given_views(self) -> int:
        """Largest number of views of a sample in X; 1 if views have to be made."""
        if self.groups is not None:
            return int(min(self.n_views, self.groups.sizes.max()))
        return self.X.shape[1] if self.has_views else 1

    @property
    def n_step_views(self) -> int:
        """Largest number of views of a sample in a step, given or made."""
        return self.n_given_views if self.views_given else self.n_views

    def subset(self, which: np.ndarray) -> "Samples":
        """Return some of the samples, sharing X.

        Parameters
        ----------
        which : ndarray of int
            Positions among these samples.

        Returns
        -------
        samples : Samples
            The samples at these positions.
        """
        return type(self)(
            self.X, self.layout, self.has_views, self.groups, self.n_views, self.indices[which]
        )

    def ungrouped(self) -> "Samples":
        """Return the rows of X as samples of their own, without groups.

        Returns
        -------
        samples : Samples
            All rows, sharing X.
        """
        return type(self)(self.X, self.layout, self.has_views)

    def of_rows(self, values: Tensor, mask: Tensor | None) -> Tensor:
        """Return what was computed of each view as what `X` holds: rows, or views of samples.

        Parameters
        ----------
        values : Tensor of shape (batch, n_views, d)
            Values of the views of a batch.
        mask : Tensor of bool of shape (batch, n_views) or None
            False for each view that a sample lacks.

        Returns
        -------
        values : Tensor of shape (batch, n_views, d)
            The same values, since each view is in X.
        """
        return values

    def draw(
        self,
        which: np.ndarray,
        rng: np.random.Generator | None = None,
        part: slice | None = None,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Choose the rows of X that make up a batch of samples.

        Parameters
        ----------
        which : ndarray of int of shape (batch,)
            Positions among these samples.
        rng : numpy.random.Generator, default=None
            Source of randomness for the choice of rows from groups larger than `n_views`. None
            takes the first rows.
        part : slice, default=None
            Samples of the batch to choose, when other processes take the rest. None means all.

        Returns
        -------
        indices : ndarray of int of shape (batch,) or, with groups, (batch, n_views)
            Indices of rows of X.
        mask : ndarray of bool of shape (batch, n_views) or None
            False at padding, in groups with fewer rows than others.
        """
        indices, mask = self.indices[which], None
        if self.groups is not None:
            indices, mask = self.groups.draw(indices, self.n_views, rng)
        if part is not None:
            indices, mask = indices[part], None if mask is None else mask[part]
        return indices, mask

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Read rows of X.

        Parameters
        ----------
        indices : ndarray of int
            Indices of the rows, such as :meth:`draw` returns.

        Returns
        -------
        rows : ndarray of shape (*indices.shape, ...)
            Rows of X, as uint8 or else as float32, in the machine's byte order.
        """
        rows = np.asarray(self.X[indices])
        return rows if rows.dtype == np.uint8 else rows.astype(np.float32, copy=False)

    def take(
        self, which: np.ndarray, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Read a batch of samples.

        Parameters
        ----------
        which : ndarray of int of shape (batch,)
            Positions among these samples.
        rng : numpy.random.Generator, default=None
            Same as in :meth:`draw`.

        Returns
        -------
        rows : ndarray of shape (batch, n_views, ...) or, if views have to be made, (batch, ...)
            Rows of X, as :meth:`read` returns them.
        mask : ndarray of bool of shape (batch, n_views) or None
            Mask of the views, as :meth:`draw` returns it.
        """
        indices, mask = self.draw(which, rng)
        return self.read(indices), mask

    def as_they_are(self, which: np.ndarray, device: torch.device | str) -> Batch:
        """Read a batch of samples without augmentation.

        Parameters
        ----------
        which : ndarray of int of shape (batch,)
            Positions among these samples.
        device : torch.device or str
            Device of the views.

        Returns
        -------
        batch : Batch
            The views of the samples, without indices.
        """
        rows, mask = self.take(which)
        rows = torch.from_numpy(rows).to(device)
        mask = None if mask is None else torch.from_numpy(mask).to(device)
        return Batch(make_views(rows, self.layout, None if self.views_given else 1), mask)

    def some(self, n_samples: int, device: torch.device | str = "cpu") -> Batch:
        """Read some samples, spread evenly over all, to inspect the data.

        Parameters
        ----------
        n_samples : int
            Largest number of samples to take.
        device : torch.device or str, default="cpu"
            Device to put the views on.

        Returns
        -------
        batch : Batch
            One view of each: the row itself, or the first view if X holds views; all modalities
            that there are.
        """
        some = np.linspace(0, len(self) - 1, min(len(self), n_samples)).astype(int)
        batch = self.as_they_are(some, device)
        return batch if isinstance(batch.views, tuple) else Batch(batch.views[:, :1])

    def some_views(self, n_samples: int, device: torch.device | str = "cpu") -> Tensor:
        """Return the views of :meth:`some`, as the networks take them.

        Parameters
        ----------
        n_samples : int
            Largest number of samples to take.
        device : torch.device or str, default="cpu"
            Device to put the views on.

        Returns
        -------
        x : Tensor of float32 of shape (at most n_samples, *layout.network_shape)
            One view of each sample.
        """
        return self.some(n_samples, device).views[:, 0]

    def batches(self, device: torch.device | str, batch_size: int | None = None) -> Iterator[Batch]:
        """Read all samples in order, as they are.

        Parameters
        ----------
        device : torch.device or str
            Device of the views.
        batch_size : int, default=None
            Samples in a batch. None takes as many as fit the cache of a processor.

        Yields
        ------
        batch : Batch
            Views of some samples, without indices.
        """
        n_views = self.n_given_views
        fitting = min(_MAX_ROWS // n_views, _MAX_VALUES // (self.layout.n_features * n_views))
        step = batch_size or max(1, fitting)
        for start in range(0, len(self), step):
            yield self.as_they_are(np.arange(start, min(start + step, len(self))), device)

    def map(
        self,
        function: Callable[[Batch], Tensor],
        device: torch.device | str,
        batch_size: int | None = None,
    ) -> np.ndarray:
        """Apply a function to all samples, as they are, a batch at a time.

        Parameters
        ----------
        function : callable
            From a batch to a row for each of its samples.
        device : torch.device or str
            Device of the views.
        batch_size : int, default=None
            Samples in a batch, as in :meth:`batches`.

        Returns
        -------
        rows : ndarray of float32 of shape (n_samples, ...)
            Results in the order of the samples.
        """
        rows, done = None, 0
        for batch in self.batches(device, batch_size):
            made = function(batch)
            if rows is None:
                rows = np.empty((len(self), *made.shape[1:]), dtype=np.float32)
            rows[done : done + len(made)] = made.cpu().numpy()
            done += len(made)
        return rows

    def group_batches(
        self, device: torch.device | str
    ) -> Iterator[tuple[np.ndarray, np.ndarray, Batch]]:
        """Read batches of whole groups, as they are.

        Parameters
        ----------
        device : torch.device or str
            Device of the views.

        Yields
        ------
        rows : ndarray of int of shape (batch, n_views)
            Rows of X.
        given : ndarray of bool of shape (batch, n_views)
            False where a group has fewer rows than others.
        batch : Batch
            Their views, without indices.
        """
        for which in self.groups.batches(_MAX_ROWS):
            rows, mask = self.groups.draw(which, int(self.groups.sizes[which].max()))
            batch = torch.from_numpy(Samples(self.X, self.layout, False).take(rows)[0])
            views = make_views(batch.to(device), self.layout, None)
            given = np.ones(rows.shape, bool) if mask is None else mask
            if mask is not None:
                mask = torch.from_numpy(mask).to(views.device)
            yield rows, given, Batch(views, mask)

    def hold_between(self, low: float, high: float) -> None:
        """Have rows refused, when they are read, whose values lie beyond.

        Parameters
        ----------
        low, high : float
            Bounds of the values.
        """
        self.X = held_between(self.X, low, high)
