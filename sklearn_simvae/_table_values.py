"""Values of columns of pandas and polars, as arrays of numbers, dates and words."""

import datetime
from collections.abc import Iterator

import numpy as np


def values_of(column) -> np.ndarray:
    """Return the values of a column as objects, with None where one is missing."""
    values = np.empty(len(column), dtype=object)
    if hasattr(column, "isna"):
        values[:] = column.astype(object).to_numpy()
        values[column.isna().to_numpy()] = None
    else:
        values[:] = column.to_list()
    return values


def dtype_kind(column) -> str:
    """Return numpy's letter for the dtype of a column of pandas or polars."""
    dtype = column.dtype
    if hasattr(dtype, "kind"):
        return dtype.kind
    if dtype.is_nested():
        return "V"
    # Decimals are objects in numpy, and integers with missing values floats.
    if dtype.is_numeric():
        return "i" if dtype.is_integer() else "f"
    return "b" if str(dtype) == "Boolean" else column.to_numpy().dtype.kind


def as_numbers(column) -> np.ndarray:
    """Return numbers, bools or durations (in seconds) as float64, with NaN for missing ones."""
    letter = dtype_kind(column)
    if letter == "m":
        since = column.to_numpy().astype("m8[us]")
        return np.where(np.isnat(since), np.nan, since.astype(float) / 1e6)
    if letter in "iufb":
        if hasattr(column, "isna"):
            return column.to_numpy(dtype=float, na_value=np.nan)
        return column.cast(float).to_numpy()
    try:
        return np.array(values_of(column), dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Column {column.name!r} must hold numbers: {error}") from error


def as_dates(column) -> np.ndarray:
    """Return dates as datetime64, those with a time zone in UTC, with NaT for missing ones."""
    # Days of pyarrow call themselves dates, but have no zone.
    if dtype_kind(column) == "M" and not str(column.dtype).startswith(("date32", "date64")):
        zone = hasattr(column, "isna") and getattr(column.dt, "tz", None)
        return (column.dt.tz_convert(None) if zone else column).to_numpy().astype("M8[us]")
    try:
        return np.array([_without_zone(value) for value in values_of(column)], dtype="M8[us]")
    except (TypeError, ValueError) as error:
        raise ValueError(f"Column {column.name!r} must hold dates: {error}") from error


def _without_zone(value):
    if getattr(value, "tzinfo", None) is not None:
        return value.astimezone(datetime.UTC).replace(tzinfo=None)
    return value


def as_word(value) -> str | None:
    """Return a value as a str, and None as it is.

    Whole numbers have no decimal point: pandas turns 1 into 1.0 where another value is missing.
    """
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return value if value is None else str(value)


def as_words(X):
    """Return the words of a table as str, with None for missing ones.

    They are a DataFrame if X is one of pandas, so that outputs keep its index, or else an array.
    """
    words = np.empty((len(X), len(X.columns)), dtype=object)
    for place, column in enumerate(columns_of(X)):
        words[:, place] = list(map(as_word, values_of(column)))
    if hasattr(X, "index"):
        return type(X)(words, index=X.index, columns=X.columns, dtype=object)
    return words


def columns_of(X) -> Iterator:
    """Yield the columns of a DataFrame."""
    for place, name in enumerate(X.columns):
        yield X.iloc[:, place] if hasattr(X, "iloc") else X[name]
