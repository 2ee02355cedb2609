"""Columns of tables as numbers, and back: the parts that `make_table_transformer` is made of."""

import datetime
import importlib
import numbers
import warnings
from collections import Counter
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.validation import _check_feature_names, check_is_fitted

from sklearn_simvae._table_values import (
    as_dates,
    as_numbers,
    as_word,
    as_words,
    columns_of,
    dtype_kind,
    values_of,
)
from sklearn_simvae._trusted import trust

PARTS = ("year", "month", "weekday", "hour", "total_seconds")


# ---------------------------------------------------------------- kinds of columns


def kind_of(column) -> str:
    """Return the kind of a column: number, date, word, or useless.

    It is useless if it holds one value at most, or words that are all different, such as names.
    """
    kind = _kind(column)
    if kind == "word":
        counts = Counter(map(as_word, values_of(column)))
        is_used = len(counts) > 1 and any(n > 1 for word, n in counts.items() if word is not None)
    else:
        values = as_numbers(column) if kind == "number" else as_dates(column)
        # Both NaN and NaT differ from themselves.
        is_used = len(np.unique(values[values == values])) > 1
    return kind if is_used else "useless"


def _kind(column) -> str:
    letter = dtype_kind(column)
    if letter in "iufbm":
        return "number"
    if letter == "M":
        return "date"
    if letter in "cV":
        raise ValueError(
            f"Column {column.name!r} is of dtype {column.dtype}, which is none of numbers, bools, "
            "words and dates. Split it into columns of these, or leave it out."
        )
    if str(column.dtype) == "category":
        return "word"
    present = [value for value in values_of(column) if value is not None]
    if present and all(isinstance(value, numbers.Number) for value in present):
        return "number"
    if present and all(isinstance(value, datetime.date) for value in present):
        return "date"
    cell = next((v for v in present if isinstance(v, list | tuple | dict | set | np.ndarray)), None)
    if cell is not None:
        raise ValueError(
            f"Column {column.name!r} holds a {type(cell).__name__} in a cell; expected numbers, "
            "bools, words or dates. Split it into columns of these, or leave it out."
        )
    return "word"


def select(X, kind: str, groups: str | None = None) -> list[int]:
    """Return the places of the columns of a kind, without that of the groups."""
    names = list(X.columns)
    places = [
        place
        for place, column in enumerate(columns_of(X))
        if names[place] != groups
        # Which values a column has is looked at last, as it takes longest.
        and kind in ("useless", _kind(column))
        and kind_of(column) == kind
    ]
    if kind == "useless" and places:
        named = ", ".join(repr(names[place]) for place in places[:10])
        named += ", ..." if len(places) > 10 else ""
        if len(places) == len(names) - (groups in names):
            raise ValueError(
                f"Nothing can be learned from X: its columns hold one value at most, or words that "
                f"are all different: {named}."
            )
        warnings.warn(
            "Columns are left out that hold one value at most, or words that are all different: "
            f"{named}.",
            UserWarning,
        )
    return places


class Select:
    """Choice of the columns of a kind, for ColumnTransformer."""

    def __init__(self, kind: str, groups: str | None = None):
        self.kind = kind
        self.groups = groups

    def __call__(self, X) -> list[int]:
        """Return the places of these columns in X."""
        return select(X, self.kind, self.groups)

    def __repr__(self):
        return f"Select({self.kind!r})"


# ---------------------------------------------------------------- transformers


class NumberScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Numbers at mean 0 and variance 1, but those that are 0 or 1 as they are.

    Parameters
    ----------
    missing : {"fill", "keep"}, default="fill"
        Missing values become the mean of their column, or the more frequent of 0 and 1; or, with
        "keep", they stay NaN in the columns in which `fit` saw some.
    """

    def __init__(self, missing="fill"):
        self.missing = missing

    def fit(self, X, y=None):
        """Learn the means and scales of the columns."""
        values = self._values(X, reset=True)
        self.mean_, self.scale_ = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        self.scale_[self.scale_ == 0] = 1.0
        self.fill_ = self.mean_.copy()
        binary = (np.isnan(values) | (values == 0) | (values == 1)).all(axis=0)
        self.mean_[binary], self.scale_[binary] = 0.0, 1.0
        self.fill_[binary] = np.round(self.fill_[binary])
        self.keeps_ = np.isnan(values).any(axis=0) & (self.missing == "keep")
        return self

    def transform(self, X):
        """Scale the columns."""
        check_is_fitted(self)
        values = self._values(X)
        values = np.where(np.isnan(values) & ~self.keeps_, self.fill_, values)
        return (values - self.mean_) / self.scale_

    def inverse_transform(self, X):
        """Give the columns their units back."""
        check_is_fitted(self)
        return np.asarray(X, dtype=float) * self.scale_ + self.mean_

    def _values(self, X, reset=False):
        _check_feature_names(self, X, reset=reset)
        if reset:
            self.n_features_in_ = X.shape[1]
        if not hasattr(X, "columns"):
            return np.asarray(X, dtype=float)
        values = np.empty(X.shape)
        for place, column in enumerate(columns_of(X)):
            values[:, place] = as_numbers(column)
            if np.isinf(values[:, place]).any():
                raise ValueError(
                    f"Column {column.name!r} holds an infinite number. Set it to NaN if it is "
                    "missing, or to a number that stands for it."
                )
        return values


class DateParts(TransformerMixin, BaseEstimator):
    """Dates as year, month, weekday (0 is Monday), hour, and seconds since 1970.

    A part that was the same in all rows of `fit` is left out, except for the seconds.
    """

    def fit(self, X, y=None):
        """Learn which parts of the dates vary."""
        self.n_features_in_ = X.shape[1]
        self.names_ = list(map(str, X.columns))
        self.varies_ = np.array([self._varies(column) for column in columns_of(X)])
        return self

    def transform(self, X):
        """Take the dates apart."""
        check_is_fitted(self)
        parts = [self._parts(column) for column in columns_of(X)]
        return np.hstack([p[:, used] for p, used in zip(parts, self.varies_, strict=True)])

    def inverse_transform(self, X):
        """Make the dates again, from their seconds."""
        check_is_fitted(self)
        seconds = np.asarray(X, dtype=float)[:, self.varies_.sum(axis=1).cumsum() - 1]
        dates = np.full(seconds.shape, np.datetime64("NaT"), dtype="M8[us]")
        known = np.isfinite(seconds)
        dates[known] = np.round(seconds[known] * 1e6).astype("int64").astype("M8[us]")
        return dates

    def get_feature_names_out(self, input_features=None):
        """Names of the parts, e.g. "bought_month"."""
        check_is_fitted(self)
        return np.array(
            [
                f"{name}_{part}"
                for name, used in zip(self.names_, self.varies_, strict=True)
                for part, is_used in zip(PARTS, used, strict=True)
                if is_used
            ],
            dtype=object,
        )

    def _parts(self, column):
        dates = as_dates(column)
        missing = np.isnat(dates)
        dates = np.where(missing, np.datetime64(0, "us"), dates)
        days, seconds = dates.astype("M8[D]").astype(int), dates.astype(int) / 1e6
        months = dates.astype("M8[M]").astype(int)
        hours = (seconds - 86400 * days) / 3600
        parts = [1970 + months // 12, 1 + months % 12, (days + 3) % 7, hours, seconds]
        return np.where(missing[:, None], np.nan, np.column_stack(parts))

    def _varies(self, column):
        parts = self._parts(column)
        parts = parts[~np.isnan(parts).any(axis=1)]
        return [*(np.ptp(parts[:, :-1], axis=0) > 0), True]


class WordEncoder(OneHotEncoder):
    """OneHotEncoder of words, in which all sorts of missing values are one category, None."""

    def fit(self, X, y=None):
        """Learn the words."""
        return super().fit(as_words(X))

    def transform(self, X):
        """Make a column for each word."""
        return super().transform(as_words(X))

    def get_feature_names_out(self, input_features=None):
        """Names of the columns and words, e.g. "city_Bern"; "city_None" where it is missing."""
        # The word None and a missing one would have one name.
        return different(super().get_feature_names_out(input_features))


class TableColumns(ColumnTransformer):
    """ColumnTransformer of a DataFrame, with the way back."""

    def fit_transform(self, X, y=None, **params):
        """Learn how to prepare a table, and prepare it."""
        check_table(X)
        made = super().fit_transform(X, y, **params)
        self.library_ = type(X).__module__.partition(".")[0]
        self.columns_ = list(X.columns)
        self.sorts_ = [_sort_of(column) for column in columns_of(X)]
        return made

    def _add_prefix_for_feature_names_out(self, transformer_with_feature_names_out):
        # ColumnTransformer names its output here, and refuses equal names, such as that of the
        # number "sold_year" and of the year of the date "sold". Groups are found by their name.
        names = dict(transformer_with_feature_names_out)
        branches = sorted(names, key=lambda branch: branch != "groups")
        made = iter(different([name for branch in branches for name in names[branch]]))
        unique = {branch: [next(made) for _ in names[branch]] for branch in branches}
        return super()._add_prefix_for_feature_names_out(
            [(branch, np.array(unique[branch], dtype=object)) for branch in names]
        )

    def inverse_transform(self, X):
        """Make a table again of prepared columns, such as those that a decoder gives.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Prepared columns, without that of the groups.

        Returns
        -------
        table : DataFrame of pandas or polars
            Numbers in their units, and whole where they were whole in `fit`; the most probable
            word; dates. Columns that were left out are not there.
        """
        check_is_fitted(self)
        X = np.asarray(X)
        made: dict[int, Any] = {}
        for name, transformer, places in self.transformers_:
            if name in ("numbers", "dates", "words") and len(places):
                values = transformer.inverse_transform(X[:, self.output_indices_[name]])
                for place, column in zip(places, np.asarray(values).T, strict=True):
                    made[place] = CASTS[self.sorts_[place]](column)
        table = {self.columns_[place]: made[place] for place in sorted(made)}
        return importlib.import_module(self.library_).DataFrame(table)


def _sort_of(column) -> str:
    """Return which of `CASTS` makes the values of a column of those of `inverse_transform`."""
    kind = _kind(column)
    if kind != "number":
        return kind
    if dtype_kind(column) == "b" or set(map(type, values_of(column))) <= {bool, type(None)}:
        return "bool"
    values = as_numbers(column)
    values = values[~np.isnan(values)]
    return "whole number" if (values == np.round(values)).all() else kind


def _to_whole_numbers(values):
    return np.round(values) if np.isnan(values).any() else np.round(values).astype(np.int64)


def _to_bools(values):
    is_true = values > 0.5
    return np.where(np.isnan(values), None, is_true) if np.isnan(values).any() else is_true


CASTS = {
    "number": np.asarray,
    "whole number": _to_whole_numbers,
    "bool": _to_bools,
    "date": np.asarray,
    "word": list,
}


def different(names) -> np.ndarray:
    """Return names with a "_" behind each one that was there before."""
    made: dict[str, None] = {}
    for name in names:
        while name in made:
            name += "_"
        made[name] = None
    return np.array(list(made), dtype=object)


def check_table(X):
    """Raise an error unless X is a DataFrame with rows, and with names that are all different."""
    if hasattr(X, "collect_schema") and hasattr(X, "collect"):
        raise ValueError(
            f"X is a {type(X).__name__}, which holds no rows. Call its collect() first."
        )
    if not (hasattr(X, "columns") and hasattr(X, "shape") and len(X.shape) == 2):
        raise ValueError(
            f"X must be a DataFrame of pandas or polars; got {type(X).__name__}. An array of "
            "numbers needs no preparation of columns: give it to the estimator itself, after a "
            "StandardScaler."
        )
    if 0 in X.shape:
        raise ValueError(f"X has {X.shape[0]} rows and {X.shape[1]} columns; expected some.")
    names = list(map(str, X.columns))
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"Columns of X must have different names; got {twice} more than once.")


for _part in (NumberScaler, DateParts, WordEncoder, TableColumns, Select):
    trust(_part)
