"""Data that are not in memory, and are read batch by batch."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from sklearn_simvae._numerics import value_range
from sklearn_simvae.views.rows import holds_arrays

# Rows, and at most so many values, that are inspected of a source; arrays are inspected whole.
_SAMPLE_ROWS, _SAMPLE_VALUES = 512, 4_000_000


class LazyArray:
    """Rows that are read only when they are indexed; the rest of the package uses it as an array.

    Parameters
    ----------
    read : callable
        Function `(rows) -> ndarray of shape (len(rows), ...)`. The rows are unique and increasing.
    shape : tuple of int
        Shape of the array.
    dtype : numpy.dtype
        Type of the values, which are returned in the machine's byte order.
    low, high : float or ndarray, default=-inf and inf
        Bounds of the values that are accepted, or of those of each column.
    allow_nan : bool, default=False
        Whether values may be missing (NaN).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.views.lazy import LazyArray
    >>> squares = LazyArray(lambda rows: rows[:, None] ** 2, (1_000_000, 1), np.dtype(np.int64))
    >>> squares[np.array([3, 1, 3])].ravel()
    array([9, 1, 9])
    """

    def __init__(
        self,
        read: Callable[[np.ndarray], np.ndarray],
        shape: tuple[int, ...],
        dtype: np.dtype,
        low: float | np.ndarray = -np.inf,
        high: float | np.ndarray = np.inf,
        allow_nan: bool = False,
    ):
        self.read = read
        self.shape = shape
        self.dtype = dtype.newbyteorder("=")
        self.low, self.high = low, high
        self.allow_nan = allow_nan

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Read the rows of an array of integers, of any shape and in any order.

        Raises
        ------
        ValueError
            If a row has another shape than the others, or holds NaN, a value too large for float32
            or a value beyond the bounds.
        """
        unique, places = np.unique(rows, return_inverse=True)
        values = self._checked(unique, self.allow_nan)
        # Rows that were read in the order asked for need no further copy.
        return values if np.array_equal(unique, rows) else values[places.reshape(np.shape(rows))]

    def _checked(self, rows: np.ndarray, allow_nan: bool) -> np.ndarray:
        """Read rows, or raise if their values are not valid."""
        values = self.take(rows)
        bad = rows[~_finite(values, allow_nan)]
        if len(bad):
            raise ValueError(
                f"Input X contains {'' if allow_nan else 'NaN, '}infinity or a value too large for "
                f"float32: the first that was read is in row {bad[0]}. Leave that row out, or "
                "impute and scale the data."
            )
        # Extremes are computed only if there are bounds, which is rare.
        if (np.any(self.low > -np.inf) or np.any(self.high < np.inf)) and values.size:
            self._check_bounds(values)
        return values

    def _check_bounds(self, values: np.ndarray) -> None:
        by_column = np.ndim(self.low) > 0
        low, high = value_range(values, tuple(range(values.ndim - 1)) if by_column else None)
        bad = np.flatnonzero((low < self.low) | (high > self.high))
        if not len(bad):
            return
        found = (np.atleast_1d(value)[bad[0]] for value in (low, high, self.low, self.high))
        least, greatest, lower, upper = found
        raise ValueError(
            f"X has rows with values from {least:.3g} to {greatest:.3g}"
            f"{f' in column {bad[0]}' if by_column else ''}, where all must lie between {lower:g} "
            f"and {upper:g}, as in the rows that were inspected first. Scale X as a whole, leave "
            "such rows out, or use a likelihood or an augmentation that does not need such values."
        )

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Read rows without a check of their values.

        Parameters
        ----------
        rows : ndarray of int of shape (n_rows,)
            Indices of the rows, unique and increasing.

        Returns
        -------
        values : ndarray of shape (n_rows, ...)
            Values of the rows.

        Raises
        ------
        ValueError
            If a row has another shape than the others.
        """
        if not len(rows):
            return np.empty((0, *self.shape[1:]), self.dtype)
        values = np.asarray(self.read(rows))
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        if values.shape != (len(rows), *self.shape[1:]):
            raise ValueError(
                f"Rows {rows[0]} to {rows[-1]} of X were read as {values.shape}; expected "
                f"{(len(rows), *self.shape[1:])}."
            )
        return values

    @functools.cached_property
    def sample(self) -> np.ndarray:
        """Sample of the rows, spread evenly over all."""
        n_values = max(1, int(np.prod(self.shape[1:])))
        n_rows = min(len(self), _SAMPLE_ROWS, max(1, _SAMPLE_VALUES // n_values))
        # Whether values may be missing is decided by these.
        return self._checked(np.linspace(0, len(self) - 1, n_rows).astype(int), allow_nan=True)


def some_rows(X):
    """Return rows to inspect the values of X: all rows if they are in memory, else some.

    Parameters
    ----------
    X : LazyArray or array
        Rows of data.

    Returns
    -------
    rows : ndarray
        X itself if it is an array, or some rows of a source.
    """
    return X.sample if isinstance(X, LazyArray) else X


def held_between(X, low: float | np.ndarray, high: float | np.ndarray) -> Any:
    """Return a source that refuses rows with values beyond bounds when it reads them.

    Arrays are returned as they are, since all their values are inspected before.

    Parameters
    ----------
    X : LazyArray or array
        Rows of data.
    low, high : float
        Bounds of the values.

    Returns
    -------
    X : LazyArray or array
        A new source, or the same array.
    """
    if not isinstance(X, LazyArray):
        return X
    low, high = np.maximum(low, X.low), np.minimum(high, X.high)
    return LazyArray(X.read, X.shape, X.dtype, low, high, X.allow_nan)


def with_missing(X) -> Any:
    """Return a source whose rows may lack values; an array is returned as it is.

    Parameters
    ----------
    X : LazyArray or array
        Rows of data.

    Returns
    -------
    X : LazyArray or array
        A new source, or the same array.
    """
    if not isinstance(X, LazyArray):
        return X
    return LazyArray(X.read, X.shape, X.dtype, X.low, X.high, allow_nan=True)


def named(X):
    """Return an object from which scikit-learn can read the feature names of X.

    Parameters
    ----------
    X : object
        Data that was given to `fit`.

    Returns
    -------
    header : object
        X itself, or an empty table with its columns. None if X is one column of lists or arrays,
        whose name is not that of a feature.
    """
    # For lazy tables of other libraries the schema takes long to compute.
    schema = X.schema if type(X).__module__.startswith("pyarrow") and hasattr(X, "schema") else None
    if not isinstance(schema, getattr(sys.modules.get("pyarrow"), "Schema", ())):
        return None if holds_arrays(X) else X
    return None if is_one_list(schema) else schema.empty_table()


def as_table(X):
    """Convert a RecordBatch of pyarrow to a Table; return all other objects as they are.

    Parameters
    ----------
    X : object
        Any object.

    Returns
    -------
    X : object
        The Table, or X itself.
    """
    arrow = sys.modules.get("pyarrow")
    is_batch = arrow and isinstance(X, arrow.RecordBatch)
    return arrow.Table.from_batches([X]) if is_batch else X


def is_dask_array(X) -> bool:
    """Return whether X is a Dask array, without importing Dask.

    Parameters
    ----------
    X : object
        Any object.

    Returns
    -------
    is_dask_array : bool
        True if X is a Dask array.
    """
    return hasattr(X, "__dask_graph__") and hasattr(X, "numblocks")


def by_chunk(function: Callable[[np.ndarray], np.ndarray], X, row_shape: tuple[int, ...]):
    """Apply a function lazily to the chunks of rows of a Dask array.

    Parameters
    ----------
    function : callable
        Function from rows to as many float32 rows.
    X : dask.array.Array of shape (n, ...)
        Rows of data, chunked along any axis.
    row_shape : tuple of int
        Shape of a row of the result.

    Returns
    -------
    result : dask.array.Array of float32 of shape (n, *row_shape)
        Result, with the same chunks of rows as X.
    """
    X = X.rechunk(dict.fromkeys(range(1, X.ndim), -1))
    return X.map_blocks(
        functools.partial(_chunk, function, row_shape),
        dtype=np.float32,
        chunks=(X.chunks[0], *((size,) for size in row_shape)),
        drop_axis=list(range(1 + len(row_shape), X.ndim)),
        new_axis=list(range(X.ndim, 1 + len(row_shape))),
        meta=np.empty((0,) * (1 + len(row_shape)), np.float32),
    )


def _chunk(function, row_shape, rows):
    # After filtering a chunk may be empty.
    return np.asarray(function(rows)) if len(rows) else np.empty((0, *row_shape), np.float32)


def _finite(values: np.ndarray, allow_nan: bool = False) -> np.ndarray:
    """Return a mask of the rows that are finite, or missing, as float32."""
    if values.dtype.kind == "O":
        # Columns of bool with nulls have this type.
        values = values.astype(np.float32)
    if values.dtype.kind != "f":
        return np.ones(len(values), dtype=bool)
    with np.errstate(over="ignore"):
        values = values.astype(np.float32, copy=False)
    finite = ~np.isinf(values) if allow_nan else np.isfinite(values)
    return finite.all(tuple(range(1, values.ndim)))


def is_one_list(schema) -> bool:
    return len(schema) == 1 and hasattr(schema.types[0], "list_size")
