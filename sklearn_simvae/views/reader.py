"""The way from X, in all the forms that people have it, to samples."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from sklearn.utils.validation import _get_feature_names

from sklearn_simvae._numerics import value_range
from sklearn_simvae.views.augmentation import MultiView
from sklearn_simvae.views.checks import (
    check_augmentation,
    check_colors,
    check_groups,
    check_like_fitted,
    check_rows,
    has_colors,
    holds_missing,
)
from sklearn_simvae.views.columns import take_column
from sklearn_simvae.views.hints import warn_of_channels, warn_of_scales
from sklearn_simvae.views.layout import Layout, kind_of_rows
from sklearn_simvae.views.lazy import held_between, named, some_rows, with_missing
from sklearn_simvae.views.ragged import is_ragged, read_ragged
from sklearn_simvae.views.samples import Samples
from sklearn_simvae.views.view_maker import ViewMaker, one_hot_columns
from sklearn_simvae.views.windows import WindowSamples


class ArrayReader:
    """Read arrays, tables and sources whose rows are of one kind.

    A reader of another kind of X, such as that of modalities, has the same methods.

    Parameters
    ----------
    name : str
        Name of the estimator, for messages.
    layout : Layout or None, default=None
        Layout of the rows that were fitted; None where they are yet to be read.
    kind, channels, encoder, input_shape, group_column, n_views, augmentation : object
        Parameters of the estimator of these names.
    default_augmentation : callable
        From a layout to the augmentation that "auto" stands for.
    first_view_is_row : bool, default=False
        Whether the first view that is made of a row is the row itself.
    allow_nan : bool, default=True
        Whether values of vectors may be missing.

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
        n_views=1,
        augmentation=None,
        default_augmentation=None,
        first_view_is_row=False,
        allow_nan=True,
    ):
        self.name = name
        self.layout = layout
        self.kind = kind
        self.channels = channels
        self.encoder = encoder
        self.input_shape = input_shape
        self.group_column = group_column
        self.n_views = n_views
        self.augmentation = augmentation
        self.default_augmentation = default_augmentation
        self.first_view_is_row = first_view_is_row
        self.allow_nan = allow_nan
        self._bounds: tuple[float, float] | None = None
        self._why: Callable[[float, float], str] | None = None
        self._hints_at_scales = True
        self._find_blocks: Callable | None = None

    def require(self, low, high, why: Callable[[float, float], str]) -> None:
        """Refuse values beyond these bounds, where rows are no pixels.

        Parameters
        ----------
        low, high : float or ndarray of shape (n_features,)
            Bounds of the values, or of those of each column.
        why : callable
            From the least and the greatest value to the message.
        """
        self._bounds, self._why = (low, high), why

    def take_scales_as_they_are(self) -> None:
        """Give no hint at scales: counts and probabilities have the scale that they have."""
        self._hints_at_scales = False

    def find_blocks(self, find: Callable) -> None:
        """Have columns of vectors with different likelihoods found in the X that is fitted.

        Parameters
        ----------
        find : callable
            From X and its rows to blocks of columns, as `Layout` has them.
        """
        self._find_blocks = find

    def _blocks(self, layout: Layout, table, X) -> tuple:
        """Find the blocks of columns of X."""
        if layout.kind != "vector":
            raise ValueError(
                f"Likelihoods by column are for vectors; {self.name} was given rows of the kind "
                f"{layout.kind!r}. Give one likelihood by its name."
            )
        rows = some_rows(X).reshape(-1, layout.n_features)
        return self._find_blocks(table if X.ndim == 2 and np.ndim(table) == 2 else rows, rows)

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
        if is_ragged(X, self.kind, self.encoder):
            X, self.layout = read_ragged(self.name, X, self.channels, self.input_shape)
            if self._find_blocks is not None:
                self._blocks(self.layout, X, X)
            return self._samples(X, False, groups, n_views)
        names, table = _get_feature_names(named(X)), X
        X = check_rows(self.name, X)
        has_shape = X.ndim > 2 or np.size(self.input_shape) > 1
        kind = kind_of_rows(self.kind, self.encoder, has_shape)
        layout, has_views = Layout.infer(X, self.input_shape, kind, self.channels)
        missing = holds_missing(self.name, X, layout, self.allow_nan)
        layout = replace(layout, missing=missing)
        if self._find_blocks is not None:
            layout = replace(layout, blocks=self._blocks(layout, table, X))
        self.layout = layout
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
        if self.layout.ragged:
            X, _ = read_ragged(self.name, X, layout=self.layout)
            return self._samples(X, False, groups, n_views)
        # Arrays, which may be large, are not searched for NaN twice.
        is_list = self.layout.kind == "series" and not isinstance(X, np.ndarray)
        if is_list and is_ragged(X, "series"):
            raise ValueError(
                f"X holds series of unequal length, or NaN, but {self.name} was fitted on series "
                f"of one length, {self.layout.row_shape}. Cut or fill them to that shape, or fit "
                "on series of unequal length, too."
            )
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

    def view_maker(self, samples: Samples) -> ViewMaker:
        """Make the function from a batch as it is read to views, on the device.

        Parameters
        ----------
        samples : Samples
            All samples of which views are to be made.

        Returns
        -------
        maker : ViewMaker
            Makes views.

        Raises
        ------
        ValueError
            If the augmentation or its parameters are not valid, or do not suit the values.
        """
        layout, augmentation = samples.layout, self.augmentation
        if isinstance(augmentation, str):
            augmentation = None
            if not samples.views_given:
                if has_colors(layout):
                    check_colors(samples.X)
                    samples.hold_between(0, 1)
                augmentation = self.default_augmentation(layout)
        check_augmentation(augmentation, "augmentation")
        if self.first_view_is_row and not samples.views_given:
            augmentation = MultiView([None, augmentation])
        return ViewMaker(
            layout,
            None if samples.reads_views else self.n_views,
            augmentation,
            None if augmentation is None else one_hot_columns(samples.X, layout),
        )

    def layout_from_dict(self, fields: dict, preprocessors: dict) -> Layout:
        """Make a layout from the result of its `to_dict`.

        Parameters
        ----------
        fields : dict
            Fields by name.
        preprocessors : dict
            Not used.

        Returns
        -------
        layout : Layout
            The same layout.
        """
        return Layout.from_dict(fields)

    def _samples(self, X, has_views: bool, groups, n_views: int) -> Samples:
        if self.layout.missing:
            X = with_missing(X)
        if self._bounds is not None and not self.layout.pixels:
            low, high = self._ranges(some_rows(X))
            if np.any((low < self._bounds[0]) | (high > self._bounds[1])):
                raise ValueError(self._why(np.min(low), np.max(high)))
            X = held_between(X, *self._bounds)
        groups = check_groups(groups, X, has_views)
        kind = WindowSamples if self.layout.ragged else Samples
        return kind(X, self.layout, has_views, groups, n_views)

    def _ranges(self, X) -> tuple:
        """Find the range of all values, or those of each column."""
        if not X.size:
            return self._bounds
        if not isinstance(self._bounds[0], np.ndarray):
            low, high = X.min(), X.max()
            return value_range(X) if low != low else (low, high)
        return value_range(X.reshape(-1, self.layout.n_features), axis=0)
