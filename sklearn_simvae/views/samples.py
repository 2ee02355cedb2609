"""From arrays to batches of views, whether views are groups of rows, an axis of X or augmented."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from scipy.sparse import issparse
from torch import Tensor

from sklearn_simvae.views.augmentation import Augmentation
from sklearn_simvae.views.augmentation.data import DATA, Data, as_batch_like
from sklearn_simvae.views.augmentation.vectors import one_hot_blocks
from sklearn_simvae.views.layout import Layout
from sklearn_simvae.views.lazy import held_between, some_rows

# Rows of a batch in transform: enough to keep the processor busy, few enough to fit its cache.
_MAX_ROWS, _MAX_VALUES = 1024, 1_000_000
# Rows of a sparse matrix that are inspected; all of them would be too large as a dense array.
_SOME_ROWS = 512


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

    def __init__(self, X, layout, has_views, groups=None, n_views=1, indices=None):
        self.X = X
        self.layout = layout
        self.has_views = has_views
        self.groups = groups
        self.n_views = n_views
        n_samples = len(X) if groups is None else len(groups)
        self.indices = np.arange(n_samples) if indices is None else indices

    def __len__(self) -> int:
        return len(self.indices)

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
        return Samples(
            self.X, self.layout, self.has_views, self.groups, self.n_views, self.indices[which]
        )

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

    def some_views(self, n_samples: int, device: torch.device | str = "cpu") -> Tensor:
        """Return one view of each of some samples, spread evenly over all, to inspect the data.

        Parameters
        ----------
        n_samples : int
            Largest number of samples to take.
        device : torch.device or str, default="cpu"
            Device to put the views on.

        Returns
        -------
        x : Tensor of float32 of shape (at most n_samples, *layout.network_shape)
            The rows themselves, or the first view of each sample if X holds views.
        """
        some = np.linspace(0, len(self) - 1, min(len(self), n_samples)).astype(int)
        rows = torch.from_numpy(self.take(some)[0]).to(device)
        return self.layout.to_network(rows[:, 0] if self.views_given else rows)

    def batches(self, device: torch.device | str) -> Iterator[tuple[slice, Tensor, Tensor | None]]:
        """Read all samples in order, as they are.

        Parameters
        ----------
        device : torch.device or str
            Device of the views.

        Yields
        ------
        part : slice
            Places of the samples.
        views : Tensor of float32 of shape (batch, n_views, *layout.network_shape)
            Their views.
        mask : Tensor of bool of shape (batch, n_views) or None
            False where a group has fewer rows than others.
        """
        n_views = self.n_given_views
        step = max(1, min(_MAX_ROWS // n_views, _MAX_VALUES // (self.layout.n_features * n_views)))
        for start in range(0, len(self), step):
            part = slice(start, min(start + step, len(self)))
            rows, mask = self.take(np.arange(part.start, part.stop))
            rows = torch.from_numpy(rows).to(device)
            mask = None if mask is None else torch.from_numpy(mask).to(device)
            views = make_views(rows, self.layout, None if self.views_given else 1)
            # Before the next are read.
            del rows
            yield part, views, mask

    def map(self, function: Callable[[Tensor], Tensor], device: torch.device | str) -> np.ndarray:
        """Apply a function to all samples, as they are, a batch at a time.

        Parameters
        ----------
        function : callable
            From views, `(batch, n_views, *layout.network_shape)`, to a row for each sample.
        device : torch.device or str
            Device of the views.

        Returns
        -------
        rows : ndarray of float32 of shape (n_samples, ...)
            Results in the order of the samples.
        """
        rows = None
        for part, views, _ in self.batches(device):
            made = function(views)
            if rows is None:
                rows = np.empty((len(self), *made.shape[1:]), dtype=np.float32)
            rows[part] = made.cpu().numpy()
        return rows

    def group_batches(
        self, device: torch.device | str
    ) -> Iterator[tuple[np.ndarray, np.ndarray, Tensor, Tensor | None]]:
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
        views : Tensor of float32 of shape (batch, n_views, *layout.network_shape)
            Their views.
        mask : Tensor of bool of shape (batch, n_views) or None
            The same as `given`; None where all are there.
        """
        for which in self.groups.batches(_MAX_ROWS):
            rows, mask = self.groups.draw(which, int(self.groups.sizes[which].max()))
            batch = torch.from_numpy(Samples(self.X, self.layout, False).take(rows)[0])
            views = make_views(batch.to(device), self.layout, None)
            given = np.ones(rows.shape, bool) if mask is None else mask
            if mask is not None:
                mask = torch.from_numpy(mask).to(views.device)
            yield rows, given, views, mask

    def has_pairs(self) -> np.ndarray:
        """Tell which samples have at least two of their modalities.

        Returns
        -------
        paired : ndarray of bool of shape (n_samples,)
            One value for each sample.
        """
        return self.X.present()[self.indices].sum(1) > 1

    def hold_between(self, low: float, high: float) -> None:
        """Have rows refused, when they are read, whose values lie beyond.

        Parameters
        ----------
        low, high : float
            Bounds of the values.
        """
        self.X = held_between(self.X, low, high)


def make_views(
    rows: Tensor,
    layout: Layout,
    n_views: int | None,
    augmentation: Callable[[Tensor], Tensor] | None = None,
    generator: torch.Generator | None = None,
    one_hot: tuple[tuple[int, int], ...] | None = None,
) -> Tensor:
    """Make the views that the networks take from a batch that was read.

    Parameters
    ----------
    rows : Tensor of shape (batch, ...) or (batch, n_views, ...)
        A batch from :meth:`Samples.take`.
    layout : Layout
        Layout of a row.
    n_views : int or None
        Number of views to make from each row; None if `rows` has a views axis.
    augmentation : callable, default=None
        Function from a batch of views to a batch of views, `(N, *layout.network_shape)`. If the
        data are pixels, uint8 values that it returns are scaled like them. None: views are copies.
    generator : torch.Generator, default=None
        Source of randomness of the package's own augmentations. None means the global generator
        of torch.
    one_hot : tuple of (int, int), default=None
        First column, and the one after the last, of each block of one-hot encoded columns of the
        data. With None, augmentations that need the blocks look for them in the batch.

    Returns
    -------
    views : Tensor of float32 of shape (batch, n_views, *layout.network_shape)
        The views.

    Raises
    ------
    ValueError
        If the augmentation changes the shape, or returns a type of numbers whose scale is not
        clear.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views import Layout, make_views
    >>> layout = Layout("vector", (3,), (3,))
    >>> make_views(torch.zeros(4, 3), layout, n_views=2).shape
    torch.Size([4, 2, 3])
    """
    batch = len(rows)
    if n_views is None:
        n_views = rows.shape[1]
        x = layout.to_network(rows.flatten(0, 1))
    else:
        x = layout.to_network(rows)
        if n_views > 1:
            # A copy of an expanded view takes a tenth of the time of repeat_interleave.
            x = x.unsqueeze(1).expand(-1, n_views, *x.shape[1:]).flatten(0, 1)
    if augmentation is not None:
        with known_data(layout, one_hot):
            if isinstance(augmentation, Augmentation):
                x = augmentation.augment_views(x, n_views, generator)
            else:
                # The user's function may change its input in place.
                x = as_batch_like(augmentation(x.clone()), x, "The augmentation")
    return x.reshape(batch, n_views, *layout.network_shape)


@contextlib.contextmanager
def known_data(layout: Layout, one_hot: tuple[tuple[int, int], ...] | None) -> Iterator[None]:
    """Let the augmentations called inside the context know from what data their batches are.

    Parameters
    ----------
    layout : Layout
        Layout of a row.
    one_hot : tuple of (int, int) or None
        Blocks of one-hot encoded columns, as :func:`one_hot_columns` returns them.
    """
    data = DATA.set(Data(layout.pixels, layout.n_features, one_hot))
    try:
        yield
    finally:
        DATA.reset(data)


def one_hot_columns(X, layout: Layout) -> tuple[tuple[int, int], ...] | None:
    """Find the one-hot encoded columns of the data, once before its batches are augmented.

    Parameters
    ----------
    X : array, sparse matrix or LazyArray of shape (n, ...)
        The data, with or without views. Only some rows are inspected if the data are sparse or
        not in memory.
    layout : Layout
        Layout of a row.

    Returns
    -------
    one_hot : tuple of (int, int) or None
        First column, and the one after the last, of each block; None if rows are not vectors.
    """
    if layout.kind != "vector":
        return None
    if issparse(X):
        some = np.linspace(0, X.shape[0] - 1, min(X.shape[0], _SOME_ROWS)).astype(int)
        X = X.tocsr()[some].toarray()
    return one_hot_blocks(np.asarray(some_rows(X)).reshape(-1, layout.n_features))
