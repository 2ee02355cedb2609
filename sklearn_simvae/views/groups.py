"""Rows that are views of one sample already, told by equal groups."""

from collections.abc import Iterator

import numpy as np


class Groups:
    """The rows of each group, drawn or padded to a number of views without a loop over groups.

    Parameters
    ----------
    groups : array-like of shape (n_rows,)
        Labels of any sortable kind.

    Attributes
    ----------
    labels : ndarray of shape (n_groups,)
        The label of each group, in order.
    sizes : ndarray of shape (n_groups,)
        Rows in each group.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.views import Groups
    >>> rows, mask = Groups(["b", "a", "b"]).draw(np.array([0, 1]), n_views=2)
    >>> rows
    array([[1, 1],
           [0, 2]])
    >>> mask
    array([[ True, False],
           [ True,  True]])
    """

    def __init__(self, groups):
        self.labels, inverse, self.sizes = np.unique(
            np.asarray(groups), return_inverse=True, return_counts=True
        )
        self._rows = np.argsort(inverse, kind="stable")
        self._starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])

    def __len__(self) -> int:
        return len(self.sizes)

    def draw(
        self, indices: np.ndarray, n_views: int, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Draw up to `n_views` different rows of each group.

        Parameters
        ----------
        indices : ndarray of shape (batch,)
            Which groups.
        n_views : int
            The most rows to take of one group.
        rng : numpy.random.Generator, default=None
            Which rows of larger groups. None takes the first.

        Returns
        -------
        rows : ndarray of shape (batch, n_views)
            Indices of rows; a smaller group is padded with its first.
        mask : ndarray of bool of shape (batch, n_views) or None
            False at padding; None where there is none.
        """
        sizes = self.sizes[indices]
        n_views = min(n_views, sizes.max())
        mask = np.arange(n_views) < sizes[:, None]
        places = np.zeros((len(indices), n_views), dtype=np.intp)
        for view in range(n_views):
            if rng is None:
                place = np.full(len(indices), view)
            else:
                # The place among those not yet taken, then past each that is taken below it.
                place = (rng.random(len(indices)) * (sizes - view)).astype(np.intp)
                for taken in np.sort(places[:, :view], axis=1).T:
                    place += place >= taken
            places[:, view] = place
        places = np.where(mask, places, places[:, :1])
        rows = self._rows[self._starts[indices][:, None] + places]
        return rows, None if mask.all() else mask

    def batches(self, max_rows: int) -> Iterator[np.ndarray]:
        """Go through all groups, those of like size together.

        Parameters
        ----------
        max_rows : int
            The most rows of a batch, unless a single group has more.

        Yields
        ------
        indices : ndarray of shape (batch,)
            Which groups.
        """
        by_size = np.argsort(-self.sizes, kind="stable")
        start = 0
        while start < len(by_size):
            stop = start + max(1, max_rows // self.sizes[by_size[start]])
            yield by_size[start:stop]
            start = stop
