"""Samples of series of unequal length, whose windows are their views."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sklearn_simvae._batch import Batch
from sklearn_simvae.losses.reduction import mean_over_views
from sklearn_simvae.views.samples import Samples
from sklearn_simvae.views.view_maker import make_views

# Windows of a batch in transform.
_MAX_WINDOWS = 512


class WindowSamples(Samples):
    """Samples of a :class:`~sklearn_simvae.views.ragged.RaggedArray`.

    To learn from, `n_views` windows of a series are drawn anew in each epoch; of rows with groups,
    one window of each. As they are, series are divided into windows that cover each step once.
    The parameters are those of :class:`~sklearn_simvae.views.Samples`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.views.ragged import read_ragged
    >>> from sklearn_simvae.views.windows import WindowSamples
    >>> X = [np.zeros((4, 2)), np.zeros((6, 2)), np.zeros((13, 2))]
    >>> samples = WindowSamples(*read_ragged("SimVAE", X), has_views=False, n_views=2)
    >>> samples.take(np.arange(3))[0].shape
    (3, 2, 12, 2)
    >>> samples.as_they_are(np.arange(3), "cpu").mask.sum(1)
    tensor([1, 1, 2])
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.reads_views = True

    def draw(self, which, rng=None, part=None):
        """Choose the windows that make up a batch of samples.

        Parameters
        ----------
        which : ndarray of int of shape (batch,)
            Positions among these samples.
        rng : numpy.random.Generator, default=None
            Source of randomness. None draws the same windows in each call.
        part : slice, default=None
            Samples of the batch to choose, when other processes take the rest. None means all.

        Returns
        -------
        windows : ndarray of int of shape (batch, n_views, 3)
            Row, first step and number of steps of each window.
        mask : ndarray of bool of shape (batch, n_views) or None
            False at padding, in groups with fewer rows than others.
        """
        rows, mask = super().draw(which, rng)
        if self.groups is None:
            rows = np.repeat(rows[:, None], self.n_views, axis=1)
        # The windows of all parts, which do not depend on the number of processes.
        windows = self.X.draw(rows, np.random.default_rng(0) if rng is None else rng)
        if part is not None:
            windows, mask = windows[part], None if mask is None else mask[part]
        return windows, mask

    def as_they_are(self, which: np.ndarray, device: torch.device | str) -> Batch:
        """Read a batch of samples, all of their windows, without augmentation.

        Parameters
        ----------
        which : ndarray of int of shape (batch,)
            Positions among these samples.
        device : torch.device or str
            Device of the views.

        Returns
        -------
        batch : Batch
            The windows of the samples, without indices.
        """
        rows, mask = super().draw(which)
        return self._whole(rows, mask, device)

    def _whole(self, rows: np.ndarray, mask: np.ndarray | None, device) -> Batch:
        """Read all windows of samples, whose rows are of shape (batch,) or (batch, n_rows)."""
        windows, given = self.X.parts(rows)
        if rows.ndim == 2:
            given = given if mask is None else given & mask[..., None]
            windows, given = windows.reshape(len(rows), -1, 3), given.reshape(len(rows), -1)
        views = torch.from_numpy(self.read(windows)).to(device)
        present = None if given.all() else torch.from_numpy(given).to(device)
        return Batch(make_views(views, self.layout, None), present)

    def of_rows(self, values: Tensor, mask: Tensor | None) -> Tensor:
        """Return what was computed of each window as what `X` holds, which are series.

        Parameters
        ----------
        values : Tensor of shape (batch, n_windows, d)
            Values of the windows of a batch.
        mask : Tensor of bool of shape (batch, n_windows) or None
            False for each window that a series lacks.

        Returns
        -------
        values : Tensor of shape (batch, 1, d)
            Means over the windows of each series.
        """
        return mean_over_views(values, mask).unsqueeze(1)

    def batches(self, device: torch.device | str, batch_size: int | None = None) -> Iterator[Batch]:
        """Read all samples in order, as they are, so many at a time that windows fit in memory.

        Parameters
        ----------
        device : torch.device or str
            Device of the views.
        batch_size : int, default=None
            Most windows in a batch. None takes as many as fit in memory.

        Yields
        ------
        batch : Batch
            Views of some samples, without indices.
        """
        if self.groups is None:
            n_windows = self.X.n_parts(self.indices)
        else:
            most = self.n_given_views * int(self.X.n_parts(np.arange(len(self.X))).max())
            n_windows = np.full(len(self), most)
        for which in _in_order(n_windows, batch_size or _MAX_WINDOWS):
            yield self.as_they_are(which, device)

    def group_batches(self, device):
        """Read batches of whole groups, as they are.

        Parameters
        ----------
        device : torch.device or str
            Device of the views.

        Yields
        ------
        rows : ndarray of int of shape (batch, n_rows)
            Rows of X.
        given : ndarray of bool of shape (batch, n_rows)
            False where a group has fewer rows than others.
        batch : Batch
            All windows of these rows, without indices.
        """
        most = int(self.X.n_parts(np.arange(len(self.X))).max())
        for which in self.groups.batches(max(1, _MAX_WINDOWS // most)):
            rows, mask = self.groups.draw(which, int(self.groups.sizes[which].max()))
            given = np.ones(rows.shape, bool) if mask is None else mask
            yield rows, given, self._whole(rows, mask, device)


def _in_order(n_windows: np.ndarray, largest: int) -> Iterator[np.ndarray]:
    """Divide samples into batches, padded to the most windows of one of them."""
    start = most = 0
    for place, count in enumerate(n_windows):
        most = max(most, int(count))
        if place > start and (place + 1 - start) * most > largest:
            yield np.arange(start, place)
            start, most = place, int(count)
    yield np.arange(start, len(n_windows))
