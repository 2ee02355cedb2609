"""Data that are not in memory, and are read batch by batch."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch.utils.data import Dataset, IterableDataset

from sklearn_simvae.views.rows import holds_arrays, tensor_to_array

# Rows, and at most so many values, that are inspected of a source; arrays are inspected whole.
_SAMPLE_ROWS, _SAMPLE_VALUES = 512, 4_000_000
# Part of the path of the files in which joblib passes arrays to its processes.
_JOBLIB = "joblib_memmapping_folder"


class Source:
    """Rows that are read only when they are indexed; the rest of the package uses it as an array.

    Parameters
    ----------
    read : callable
        Function `(rows) -> ndarray of shape (len(rows), ...)`. The rows are unique and increasing.
    shape : tuple of int
        Shape of the array.
    dtype : numpy.dtype
        Type of the values, which are returned in the machine's byte order.
    low, high : float, default=-inf and inf
        Bounds of the values that are accepted.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.views.sources import Source
    >>> squares = Source(lambda rows: rows[:, None] ** 2, (1_000_000, 1), np.dtype(np.int64))
    >>> squares[np.array([3, 1, 3])].ravel()
    array([9, 1, 9])
    """

    def __init__(
        self,
        read: Callable[[np.ndarray], np.ndarray],
        shape: tuple[int, ...],
        dtype: np.dtype,
        low: float = -np.inf,
        high: float = np.inf,
    ):
        self.read = read
        self.shape = shape
        self.dtype = dtype.newbyteorder("=")
        self.low, self.high = low, high

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
        values = self.take(unique)
        bad = unique[~_finite(values)]
        if len(bad):
            raise ValueError(
                "Input X contains NaN, infinity or a value too large for float32: the first that "
                f"was read is in row {bad[0]}. Leave that row out, or impute and scale the data."
            )
        # Extremes are computed only if there are bounds, which is rare.
        bounded = self.low > -np.inf or self.high < np.inf
        if bounded and values.size and (values.min() < self.low or values.max() > self.high):
            raise ValueError(
                f"X has rows with values from {values.min():.3g} to {values.max():.3g}, where all "
                f"must lie between {self.low:g} and {self.high:g}, as in the rows that were "
                "inspected first. Scale X as a whole, leave such rows out, or use a likelihood or "
                "an augmentation that does not need such values."
            )
        # Rows that were read in the order asked for need no further copy.
        return values if np.array_equal(unique, rows) else values[places.reshape(np.shape(rows))]

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
        return self[np.linspace(0, len(self) - 1, n_rows).astype(int)]


def as_source(X) -> Any:
    """Wrap data that are not in memory; return all other objects as they are.

    Parameters
    ----------
    X : object
        Data, which are wrapped if they are a :class:`numpy.memmap`; a map-style
        :class:`torch.utils.data.Dataset` whose items are rows, or tuples of a row and labels (views
        of a sample are stacked, or form a tuple of their own, as in `((view1, view2), label)`); a
        table, record batch or dataset of pyarrow with numeric columns or with one column of lists
        of fixed size; or another array with `shape`, `dtype` and slices, such as those of zarr and
        h5py.

    Returns
    -------
    X : Source or object
        A source, or X itself.

    Raises
    ------
    ValueError
        If X can be read only in order or does not hold numbers, or if the items of a Dataset are
        tuples of arrays of one shape, which may be views or a row and its target.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views import as_source
    >>> source = as_source(torch.utils.data.TensorDataset(torch.eye(3)))
    >>> source.shape, source[[2, 0]].tolist()
    ((3, 3), [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    """
    arrow, arrow_dataset = sys.modules.get("pyarrow"), sys.modules.get("pyarrow.dataset")
    if isinstance(X, Source):
        return X
    if isinstance(X, np.ndarray):
        # Rows indexed from a memmap may have its class too, but are in memory.
        if not isinstance(X, np.memmap) or X._mmap is None or X.dtype.kind == "O":
            return X
        if _JOBLIB in str(X.filename):
            # The array was in memory, and results must not depend on how joblib passes it on.
            return np.asarray(X)
        source = Source(X.__getitem__, X.shape, X.dtype)
    elif isinstance(X, Dataset):
        source = _torch_dataset(X)
    elif arrow and isinstance(X, arrow.Table | arrow.RecordBatch):
        X = as_table(X)
        source = _arrow(X.schema, X.num_rows, lambda rows: _arrow_values(X.take(rows)))
        if source.dtype.kind != "f" and any(column.null_count for column in X.columns):
            # Nulls become NaN, which only floats can hold.
            source.dtype = np.dtype(np.float64)
    elif arrow_dataset and isinstance(X, arrow_dataset.Dataset):
        source = _arrow_dataset(X)
    elif is_dask_array(X):
        raise ValueError(
            "X is a Dask array, which only transform and score_samples accept. All other methods "
            "read rows in random order, and would compute nearly all chunks for each batch. Give "
            "X.compute() if it fits in memory; else write it once, e.g. by X.to_zarr(path), and "
            "give zarr.open(path); or call partial_fit on one computed block after the other."
        )
    elif _is_array_like(X):
        source = Source(_slice_reader(X), tuple(X.shape), np.dtype(X.dtype))
    else:
        return X
    if source.dtype.kind not in "biuf":
        raise ValueError(
            f"X, of type {type(X).__name__}, has dtype {source.dtype}, which no network reads; "
            "expected integers or floats. Convert it to numbers first."
        )
    return source


def some_rows(X):
    """Return rows to inspect the values of X: all rows if they are in memory, else some.

    Parameters
    ----------
    X : Source or array
        Rows of data.

    Returns
    -------
    rows : ndarray
        X itself if it is an array, or some rows of a source.
    """
    return X.sample if isinstance(X, Source) else X


def held_between(X, low: float, high: float) -> Any:
    """Return a source that refuses rows with values beyond bounds when it reads them.

    Arrays are returned as they are, since all their values are inspected before.

    Parameters
    ----------
    X : Source or array
        Rows of data.
    low, high : float
        Bounds of the values.

    Returns
    -------
    X : Source or array
        A new source, or the same array.
    """
    if not isinstance(X, Source):
        return X
    return Source(X.read, X.shape, X.dtype, max(low, X.low), min(high, X.high))


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
    return None if _is_one_list(schema) else schema.empty_table()


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


def _finite(values: np.ndarray) -> np.ndarray:
    """Return a mask of the rows that are finite as float32."""
    if values.dtype.kind == "O":
        # Columns of bool with nulls have this type.
        values = values.astype(np.float32)
    if values.dtype.kind != "f":
        return np.ones(len(values), dtype=bool)
    with np.errstate(over="ignore"):
        values = values.astype(np.float32, copy=False)
    return np.isfinite(values).all(tuple(range(1, values.ndim)))


def _is_array_like(X) -> bool:
    """Return whether X has the shape, type and slices of an array but is not in memory."""
    # Attributes of pandas, of libraries with the array API, and of polars.
    in_memory = any(hasattr(X, name) for name in ("iloc", "__array_namespace__", "to_arrow"))
    if in_memory or isinstance(X, np.generic | torch.Tensor) or sparse.issparse(X):
        return False
    has_slices = hasattr(X, "shape") and hasattr(X, "dtype") and hasattr(X, "__getitem__")
    return has_slices and isinstance(X.shape, tuple) and len(X.shape) > 0


def _slice_reader(X) -> Callable[[np.ndarray], np.ndarray]:
    """Make a function that reads rows by slices alone, and each chunk only once."""
    chunks = getattr(X, "chunks", None)
    step = chunks[0] if chunks and isinstance(chunks[0], int) else 1

    def read(rows):
        cut = (np.diff(rows) > 1) & (np.diff(rows // step) > 0)
        parts = np.split(rows, np.flatnonzero(cut) + 1)
        return np.concatenate([np.asarray(X[int(p[0]) : int(p[-1]) + 1])[p - p[0]] for p in parts])

    return read


def _torch_dataset(dataset: Dataset) -> Source:
    if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__len__"):
        raise ValueError(
            f"{type(dataset).__name__} can be read only in order, but training reads rows in "
            "random order. Give a map-style Dataset, with __getitem__ and __len__, or call "
            "partial_fit on one batch of it after the other."
        )

    def read(rows):
        rows = rows.tolist()
        fetch = getattr(dataset, "__getitems__", None)
        rows = fetch(rows) if fetch else [dataset[row] for row in rows]
        items = [_as_array(_row_of(dataset, item)) for item in rows]
        shapes = {item.shape for item in items}
        if len(shapes) > 1:
            raise ValueError(f"The items of {type(dataset).__name__} differ in shape: {shapes}.")
        return np.stack(items)

    if not len(dataset):
        return Source(read, (0, 1), np.dtype(np.float32))
    first = read(np.arange(1))
    return Source(read, (len(dataset), *first.shape[1:]), first.dtype)


def _row_of(dataset: Dataset, item) -> Any:
    """Return the row that an item of a Dataset begins with, if no other view of it may follow."""
    if not isinstance(item, tuple | list):
        return item
    shape = _shape_of(item[0])
    if shape and shape in map(_shape_of, item[1:]):
        name = type(dataset).__name__
        raise ValueError(
            f"The items of {name} are tuples that hold more than one array of shape {shape}: "
            "views of one sample, or a row and its target. Let __getitem__ return "
            "torch.stack([view1, view2]), or ((view1, view2), label), if they are views, and the "
            "row alone if they are not."
        )
    return item[0]


def _shape_of(part) -> tuple[int, ...]:
    """Return the shape of an array or of views in a list; () for labels and all other objects."""
    if hasattr(part, "shape"):
        return tuple(part.shape)
    if hasattr(part, "__array_interface__"):
        # Images of PIL have this attribute.
        return np.asarray(part).shape
    if not isinstance(part, tuple | list):
        return ()
    shapes = {_shape_of(inner) for inner in part}
    return (len(part), *shapes.pop()) if len(shapes) == 1 else ()


def _as_array(item) -> np.ndarray:
    """Convert an item of a Dataset, on any device and of any type, to an array."""
    if isinstance(item, tuple | list):
        return np.stack([_as_array(part) for part in item])
    return np.asarray(tensor_to_array(item))


# ---------------------------------------------------------------- pyarrow


def _is_one_list(schema) -> bool:
    return len(schema) == 1 and hasattr(schema.types[0], "list_size")


def _arrow(schema, n_rows: int, read) -> Source:
    empty = _arrow_values(schema.empty_table())
    return Source(read, (n_rows, *empty.shape[1:]), empty.dtype)


def _arrow_values(table) -> np.ndarray:
    """Return numeric columns side by side, or the only column, of lists of fixed size."""
    if not _is_one_list(table.schema):
        columns = [column.to_numpy() for column in table.columns]
        return np.stack(columns, axis=1) if columns else np.empty((table.num_rows, 0))
    (column,) = table.columns
    size = column.type.list_size
    if column.null_count:
        raise ValueError(
            f"The column {table.column_names[0]!r} of X has rows that are null. Leave them out."
        )
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    dtype = column.type.value_type.to_pandas_dtype()
    return np.concatenate([np.empty(0, dtype), *parts]).reshape(-1, size)


def _arrow_dataset(dataset) -> Source:
    """Make a source that reads the parts that hold the rows: row groups of parquet, else files."""
    parts, sizes = [], [0]
    for file in dataset.get_fragments():
        if hasattr(file, "split_by_row_group"):
            parts += file.split_by_row_group()
            sizes += [group.num_rows for group in file.row_groups]
        else:
            parts.append(file)
            sizes.append(file.count_rows())
    starts = np.cumsum(sizes)

    def read(rows):
        which = np.searchsorted(starts, rows, side="right") - 1
        values = []
        for i in np.unique(which):
            table = parts[i].to_table(schema=dataset.schema)
            values.append(_arrow_values(table.take(rows[which == i] - starts[i])))
        return np.concatenate(values)

    return _arrow(dataset.schema, int(starts[-1]), read)
