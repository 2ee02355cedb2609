"""From an array to batches of views: the three sources of views, behind one door."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from scipy.sparse import issparse
from torch import Tensor

from sklearn_simvae.views.augmentation import Augmentation
from sklearn_simvae.views.augmentation.base import DATA, Data, as_batch_like
from sklearn_simvae.views.augmentation.vectors import one_hot_blocks
from sklearn_simvae.views.layout import Layout
from sklearn_simvae.views.sources import held_between, some_rows

# Of a batch in transform: enough rows to keep the processor busy, few enough to stay in its cache.
_MAX_ROWS, _MAX_VALUES = 1024, 1_000_000
# What is looked at of sparse rows, which would be too many values if they were dense.
_SOME_ROWS = 512


class Samples:
    """The samples of an array: its rows, its rows by group, or its entries along a views axis.

    Parameters
    ----------
    X : array of shape (n, ...) or (n, n_views, ...)
        Anything that can be indexed by an integer array and gives numpy arrays, such as a
        :class:`~sklearn_simvae.views.Source`: only the rows of a batch are ever read.
    layout : Layout
        How a row is read.
    has_views : bool
        Whether the second axis of X counts views.
    groups : Groups, default=None
        Where rows with an equal group are the views of one sample.
    n_views : int, default=1
        Views to make of a row, or the most to draw of a group.
    indices : ndarray of int, default=None
        Which samples; None is all.

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
        """Whether X holds the views already, by group or along an axis."""
        return self.has_views or self.groups is not None

    @property
    def n_given_views(self) -> int:
        """The most views that X holds of a sample; 1 where views are to be made."""
        if self.groups is not None:
            return int(min(self.n_views, self.groups.sizes.max()))
        return self.X.shape[1] if self.has_views else 1

    def subset(self, which: np.ndarray) -> "Samples":
        """The samples at these places, sharing X.

        Parameters
        ----------
        which : ndarray of int
            Places among these samples.

        Returns
        -------
        samples : Samples
            The part.
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
        """Choose the rows of a batch of samples.

        Parameters
        ----------
        which : ndarray of int of shape (batch,)
            Places among these samples.
        rng : numpy.random.Generator, default=None
            Which rows of groups larger than `n_views`. None takes the first.
        part : slice, default=None
            The samples of the batch to read, where others read the rest. None is all.

        Returns
        -------
        indices : ndarray of int of shape (batch,) or, of groups, (batch, n_views)
            Rows of X.
        mask : ndarray of bool of shape (batch, n_views) or None
            False where a group has fewer rows than others.
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
            Which, as :meth:`draw` chooses them.

        Returns
        -------
        rows : ndarray of shape (*indices.shape, ...)
            As X holds them, but in the machine's byte order and a type that torch has.
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
            Places among these samples.
        rng : numpy.random.Generator, default=None
            As for :meth:`draw`.

        Returns
        -------
        rows : ndarray of shape (batch, n_views, ...) or, where views are to be made, (batch, ...)
            As :meth:`read` gives them.
        mask : ndarray of bool of shape (batch, n_views) or None
            As :meth:`draw` gives it.
        """
        indices, mask = self.draw(which, rng)
        return self.read(indices), mask

    def some_views(self, n_samples: int, device: torch.device | str = "cpu") -> Tensor:
        """One view of each of some samples, spread evenly over all, to look at the data.

        Parameters
        ----------
        n_samples : int
            The most samples to take.
        device : torch.device or str, default="cpu"
            Where the views go.

        Returns
        -------
        x : Tensor of float32 of shape (at most n_samples, *layout.network_shape)
            Rows as they are, or the first of the views given.
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
    """Turn a batch as read into views as the networks take them.

    Parameters
    ----------
    rows : Tensor of shape (batch, ...) or (batch, n_views, ...)
        A batch from :meth:`Samples.take`.
    layout : Layout
        How a row is read.
    n_views : int or None
        Views to make of each row; None where `rows` has a views axis.
    augmentation : callable, default=None
        From a batch of views to a batch of views, `(N, *layout.network_shape)`. What it returns
        as uint8 is scaled as pixels are, where the data are such.
    generator : torch.Generator, default=None
        Randomness of the package's own augmentations.
    one_hot : tuple of (int, int), default=None
        First column, and the one after the last, of each block of columns that the data have
        one-hot encoded. With None, augmentations that ask for them look at the batch.

    Returns
    -------
    views : Tensor of float32 of shape (batch, n_views, *layout.network_shape)
        The views.

    Raises
    ------
    ValueError
        If the augmentation changes the shape, or returns a type of numbers that may be meant on
        another scale.

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
            x = x.repeat_interleave(n_views, dim=0)
    if augmentation is not None:
        with known_data(layout, one_hot):
            if isinstance(augmentation, Augmentation):
                x = augmentation.augment_views(x, n_views, generator)
            else:
                # A foreign callable may work in place.
                x = as_batch_like(augmentation(x.clone()), x, "The augmentation")
    return x.reshape(batch, n_views, *layout.network_shape)


@contextlib.contextmanager
def known_data(layout: Layout, one_hot: tuple[tuple[int, int], ...] | None) -> Iterator[None]:
    """Let augmentations know what the batches that they are called on inside are of.

    Parameters
    ----------
    layout : Layout
        How a row is read.
    one_hot : tuple of (int, int) or None
        As :func:`one_hot_columns` finds it.
    """
    data = DATA.set(Data(layout.pixels, layout.n_features, one_hot))
    try:
        yield
    finally:
        DATA.reset(data)


def not_finite(who: str) -> str:
    """What is said of an augmentation that makes NaN or infinity of finite data.

    Parameters
    ----------
    who : str
        Its name.

    Returns
    -------
    message : str
        With what to do.
    """
    return (
        f"{who} returned values that are NaN or infinite, of data that are finite. Look in it for "
        "a division by zero, a root or logarithm of what is not positive, or an overflow."
    )


def one_hot_columns(X, layout: Layout) -> tuple[tuple[int, int], ...] | None:
    """Look for one-hot encoded columns in the data, once before batches of them are augmented.

    Parameters
    ----------
    X : array, sparse matrix or Source of shape (n, ...)
        The data, with or without views. Of what is not in memory, or sparse, some rows are looked
        at.
    layout : Layout
        How a row is read.

    Returns
    -------
    one_hot : tuple of (int, int) or None
        First column, and the one after the last, of each block; None where rows are no vectors.
    """
    if layout.kind != "vector":
        return None
    if issparse(X):
        some = np.linspace(0, X.shape[0] - 1, min(X.shape[0], _SOME_ROWS)).astype(int)
        X = X.tocsr()[some].toarray()
    return one_hot_blocks(np.asarray(some_rows(X)).reshape(-1, layout.n_features))
