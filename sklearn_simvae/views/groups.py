"""Groups of rows that are views of the same sample."""

from collections.abc import Iterator

import numpy as np


class Groups:
    """The rows of each group, from which a number of views is drawn without a loop over groups.

    Parameters
    ----------
    groups : array-like of shape (n_rows,)
        Label of the group of each row, of any type that can be sorted.

    Attributes
    ----------
    labels : ndarray of shape (n_groups,)
        Label of each group, sorted.
    sizes : ndarray of shape (n_groups,)
        Number of rows in each group.

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
            Indices of the groups.
        n_views : int
            Largest number of rows to take from one group.
        rng : numpy.random.Generator, default=None
            Source of randomness for the choice of rows from larger groups. None takes the first
            rows.

        Returns
        -------
        rows : ndarray of shape (batch, n_views)
            Indices of rows. A smaller group is padded with its first row.
        mask : ndarray of bool of shape (batch, n_views) or None
            False at padding; None if there is no padding.
        """
        sizes = self.sizes[indices]
        n_views = min(n_views, sizes.max())
        mask = np.arange(n_views) < sizes[:, None]
        places = np.zeros((len(indices), n_views), dtype=np.intp)
        for view in range(n_views):
            if rng is None:
                place = np.full(len(indices), view)
            else:
                # A place among the rows not yet taken, then moved past the taken ones before it.
                place = (rng.random(len(indices)) * (sizes - view)).astype(np.intp)
                for taken in np.sort(places[:, :view], axis=1).T:
                    place += place >= taken
            places[:, view] = place
        places = np.where(mask, places, places[:, :1])
        rows = self._rows[self._starts[indices][:, None] + places]
        return rows, None if mask.all() else mask

    def batches(self, max_rows: int) -> Iterator[np.ndarray]:
        """Yield all groups in batches, with groups of similar size together.

        Parameters
        ----------
        max_rows : int
            Largest number of rows of a batch, unless a single group has more.

        Yields
        ------
        indices : ndarray of shape (batch,)
            Indices of the groups of the batch.
        """
        by_size = np.argsort(-self.sizes, kind="stable")
        start = 0
        while start < len(by_size):
            stop = start + max(1, max_rows // self.sizes[by_size[start]])
            yield by_size[start:stop]
            start = stop
