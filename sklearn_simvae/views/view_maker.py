"""Views of a batch, made in the way that one fit makes them."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.sparse import issparse
from torch import Tensor

from sklearn_simvae._batch import Batch
from sklearn_simvae.networks.padded import padding
from sklearn_simvae.views.augmentation import Augmentation
from sklearn_simvae.views.augmentation.data import DATA, Data, as_batch_like
from sklearn_simvae.views.augmentation.vectors import one_hot_blocks
from sklearn_simvae.views.layout import Layout
from sklearn_simvae.views.lazy import some_rows

# Rows of a sparse matrix that are inspected; all of them would be too large as a dense array.
_SOME_ROWS = 512


@dataclass(frozen=True)
class ViewMaker:
    """Make views of batches as they are read.

    Parameters
    ----------
    layout : Layout
        Layout of a row.
    n_views : int or None
        Views to make of each row; None where a batch has a views axis.
    augmentation : callable, default=None
        Function from a batch of views to a batch of views.
    one_hot : tuple of (int, int), default=None
        Blocks of one-hot encoded columns, see :func:`~sklearn_simvae.views.make_views`.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views import Batch, Layout
    >>> from sklearn_simvae.views.view_maker import ViewMaker
    >>> maker = ViewMaker(Layout("vector", (3,), (3,)), n_views=2)
    >>> maker(Batch(torch.zeros(4, 3))).views.shape
    torch.Size([4, 2, 3])
    """

    layout: Layout
    n_views: int | None
    augmentation: Callable[[Tensor], Tensor] | None = None
    one_hot: tuple[tuple[int, int], ...] | None = None

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """Make views.

        Parameters
        ----------
        batch : Batch
            A batch as it is read, with `views` of shape `(batch, ...)` or `(batch, n_views, ...)`.
        generator : torch.Generator, default=None
            Randomness of the package's own augmentations.

        Returns
        -------
        batch : Batch
            The same with views of float32 of shape `(batch, n_views, *layout.network_shape)`.
        """
        views = make_views(
            batch.views, self.layout, self.n_views, self.augmentation, generator, self.one_hot
        )
        return replace(batch, views=views)

    def values(self, views: Tensor) -> Tensor:
        """Return the values of views, in which NaN is an error.

        Parameters
        ----------
        views : Tensor of shape (batch, n_views, *layout.network_shape)
            Views that were made.

        Returns
        -------
        values : Tensor
            The views, with zeros for the padding of series of unequal length.
        """
        if not self.layout.ragged:
            return views
        return views.masked_fill(padding(views), 0.0)

    @property
    def takes_several(self) -> bool:
        """Whether several batches may be augmented at once; a user's function is given each."""
        return getattr(self.augmentation, "takes_several", False)

    @property
    def augments(self) -> bool:
        """Whether views may hold values, such as NaN, that the data do not."""
        return self.augmentation is not None and not self.layout.missing


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
    missing = layout.missing or layout.ragged
    data = DATA.set(Data(layout.pixels, layout.n_features, one_hot, missing))
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
