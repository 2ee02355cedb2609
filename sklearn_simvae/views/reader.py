"""The way from X, in all the forms that people have it, to samples."""

from collections.abc import Callable

import numpy as np
from sklearn.utils.validation import _get_feature_names

from sklearn_simvae.networks import hidden_sizes
from sklearn_simvae.views.checks import (
    check_groups,
    check_like_fitted,
    check_rows,
    in_unit_interval,
)
from sklearn_simvae.views.columns import take_column
from sklearn_simvae.views.hints import warn_of_channels, warn_of_scales
from sklearn_simvae.views.layout import Layout, kind_of_rows
from sklearn_simvae.views.lazy import LazyArray, held_between, named, some_rows
from sklearn_simvae.views.samples import Samples


class ArrayReader:
    """Read arrays, tables and sources whose rows are of one kind.

    A reader of another kind of X, such as that of modalities, has the same methods.

    Parameters
    ----------
    name : str
        Name of the estimator, for messages.
    layout : Layout or None, default=None
        Layout of the rows that were fitted; None where they are yet to be read.
    kind, channels, encoder, input_shape, group_column : object
        Parameters of the estimator of these names.

    Attributes
    ----------
    layout : Layout
        Layout of the rows, once they are read.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.views.reader import ArrayReader
    >>> reader = ArrayReader("SimVAE")
    >>> len(reader.fit(np.zeros((5, 3)))), reader.layout.kind
    (5, 'vector')
    """

    def __init__(
        self,
        name: str,
        layout: Layout | None = None,
        *,
        kind="auto",
        channels="auto",
        encoder="auto",
        input_shape=None,
        group_column=None,
    ):
        self.name = name
        self.layout = layout
        self.kind = kind
        self.channels = channels
        self.encoder = encoder
        self.input_shape = input_shape
        self.group_column = group_column
        self._bounds: tuple[float, float] | None = None
        self._why: Callable[[float, float], str] | None = None
        self._hints_at_scales = True

    def require(self, low: float, high: float, why: Callable[[float, float], str]) -> None:
        """Refuse values beyond these bounds, where rows are no pixels.

        Parameters
        ----------
        low, high : float
            Bounds of the values.
        why : callable
            From the least and the greatest value to the message.
        """
        self._bounds, self._why = (low, high), why

    def take_scales_as_they_are(self) -> None:
        """Give no hint at scales: counts and probabilities have the scale that they have."""
        self._hints_at_scales = False

    def split_groups(self, X, groups=None, needed: bool = False) -> tuple:
        """Take the groups out of X, where a column of it holds them.

        Parameters
        ----------
        X : object
            Rows.
        groups : array-like or None, default=None
            Groups, where they are given beside X.
        needed : bool, default=False
            Whether the column must be there.

        Returns
        -------
        X : object
            Rows without that column.
        groups : array-like or None
            The groups.

        Raises
        ------
        ValueError
            If groups are given twice, or the column is needed and not there.
        """
        if self.group_column is None:
            return X, groups
        if groups is not None:
            raise ValueError(
                f"groups are given twice, as an argument and by group_column={self.group_column!r}."
                " Leave out the argument, or set group_column=None."
            )
        n_features = None if self.layout is None else self.layout.n_features
        return take_column(X, self.group_column, n_features, needed)

    def fit(self, X, groups=None, n_views: int = 1, hints: bool = True) -> Samples:
        """Read the X that is to be fitted, and learn its layout.

        Parameters
        ----------
        X : object
            Rows, without a column of groups.
        groups : array-like of shape (n,), default=None
            Rows with an equal group are the views of one sample.
        n_views : int, default=1
            Views to make of a row, or the most to draw of a group.
        hints : bool, default=True
            Whether to warn of data that are probably not what was meant.

        Returns
        -------
        samples : Samples
            The samples of X.

        Raises
        ------
        ValueError
            If X or groups are not valid.
        """
        names = _get_feature_names(named(X))
        X = check_rows(self.name, X)
        has_shape = X.ndim > 2 or np.size(self.input_shape) > 1
        kind = kind_of_rows(self.kind, self.encoder, has_shape)
        self.layout, has_views = Layout.infer(X, self.input_shape, kind, self.channels)
        warn_of_channels(self.layout, X, has_views)
        if hints and self._hints_at_scales:
            warn_of_scales(self.layout, X, names)
        return self._samples(X, has_views, groups, n_views)

    def read(self, X, groups=None, n_views: int = 1) -> Samples:
        """Read an X that is like what was fitted.

        Parameters
        ----------
        X : object
            Rows, without a column of groups.
        groups : array-like of shape (n,), default=None
            Rows with an equal group are the views of one sample.
        n_views : int, default=1
            Views to make of a row, or the most to draw of a group.

        Returns
        -------
        samples : Samples
            The samples of X.

        Raises
        ------
        ValueError
            If X or groups are not valid, or are not like what was fitted.
        """
        X = check_rows(self.name, X)
        has_views = self.layout.has_views(X.shape, self.name)
        return self._samples(
            check_like_fitted(self.name, X, self.layout), has_views, groups, n_views
        )

    def check_shape(self, X) -> None:
        """Raise if rows, whatever they hold, are not of the size of those that were fitted.

        Parameters
        ----------
        X : object
            Rows.

        Raises
        ------
        ValueError
            If they are of another size.
        """
        self.layout.has_views(X.shape, self.name)

    def unit_interval(self, samples: Samples) -> bool:
        """Tell whether all of X lies in [0, 1], once pixels are scaled.

        Parameters
        ----------
        samples : Samples
            The samples of X.

        Returns
        -------
        inside : bool
            For a source, as far as rows were looked at.
        """
        return samples.layout.pixels or in_unit_interval(samples.X)

    def hidden_sizes(self, samples: Samples, sizes, n_samples: int) -> tuple[int, ...]:
        """Choose the widths of the hidden layers of a network for these samples.

        Parameters
        ----------
        samples : Samples
            The samples of X.
        sizes : int, sequence of int or "auto"
            Widths, or "auto" to choose them.
        n_samples : int
            Number of rows that the network is to learn from.

        Returns
        -------
        sizes : tuple of int
            Widths of the hidden layers.
        """
        return hidden_sizes(sizes, samples.layout.n_features, n_samples)

    def _samples(self, X: np.ndarray | LazyArray, has_views: bool, groups, n_views: int) -> Samples:
        if self._bounds is not None and not self.layout.pixels:
            some = some_rows(X)
            if some.size and (some.min() < self._bounds[0] or some.max() > self._bounds[1]):
                raise ValueError(self._why(some.min(), some.max()))
            X = held_between(X, *self._bounds)
        return Samples(X, self.layout, has_views, check_groups(groups, X, has_views), n_views)
