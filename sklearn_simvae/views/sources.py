"""X that stays on disk, or wherever it is, until a batch of it is read."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch.utils.data import Dataset, IterableDataset

from sklearn_simvae.views.rows import holds_arrays, tensor_to_array

# What is looked at of a source where an array is looked at whole.
_SAMPLE_ROWS, _SAMPLE_VALUES = 512, 4_000_000
# Part of the path of what joblib hands to its processes.
_JOBLIB = "joblib_memmapping_folder"


class Source:
    """Rows that are read when they are asked for, to the rest of the package an array.

    Parameters
    ----------
    read : callable
        `(rows) -> ndarray of shape (len(rows), ...)`, for rows in increasing order, each once.
    shape : tuple of int
        That of the array.
    dtype : numpy.dtype
        That of its values, which are given in the machine's byte order.
    low, high : float, default=-inf and inf
        What rows must lie between.

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
            If a row has another shape than the others, or holds NaN, what float32 cannot hold or
            what it must not.
        """
        unique, places = np.unique(rows, return_inverse=True)
        values = self.take(unique)
        bad = unique[~_finite(values)]
        if len(bad):
            raise ValueError(
                "Input X contains NaN, infinity or a value too large for float32: the first that "
                f"was read is in row {bad[0]}. Leave that row out, or impute and scale the data."
            )
        # Most sources have no bounds, and are spared the search for extremes.
        bounded = self.low > -np.inf or self.high < np.inf
        if bounded and values.size and (values.min() < self.low or values.max() > self.high):
            raise ValueError(
                f"X has rows with values from {values.min():.3g} to {values.max():.3g}, where all "
                f"must lie between {self.low:g} and {self.high:g}, as those do that were looked at "
                "first. Scale X as a whole, or leave such rows out; where it is the likelihood or "
                "the augmentation that asks for such values, use another."
            )
        # Batches in order are not copied once more.
        return values if np.array_equal(unique, rows) else values[places.reshape(np.shape(rows))]

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Read rows in increasing order, each once, whatever they hold.

        Parameters
        ----------
        rows : ndarray of int of shape (n_rows,)
            Which.

        Returns
        -------
        values : ndarray of shape (n_rows, ...)
            As they are.

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
        """Some rows, spread evenly over all."""
        n_values = max(1, int(np.prod(self.shape[1:])))
        n_rows = min(len(self), _SAMPLE_ROWS, max(1, _SAMPLE_VALUES // n_values))
        return self[np.linspace(0, len(self) - 1, n_rows).astype(int)]


def as_source(X) -> Any:
    """Wrap what is not in memory; leave all else as it is.

    Parameters
    ----------
    X : object
        A :class:`numpy.memmap`; a :class:`torch.utils.data.Dataset` of map style, whose items are
        rows, or tuples that begin with one and go on with labels (views of a sample are stacked, or
        a tuple within that, as in `((view1, view2), label)`); a table, record batch or dataset of
        pyarrow, of numeric columns or of one column of lists of fixed size; or another array with
        `shape`, `dtype` and slices, such as those of zarr and h5py.

    Returns
    -------
    X : Source or object
        A source, or X itself.

    Raises
    ------
    ValueError
        If X can be read only in order, or holds no numbers, or the items of a Dataset are tuples
        of arrays of one shape, which may be views or a row and its target.

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
        # What is taken out of a memmap by index has its class at times, but is in memory.
        if not isinstance(X, np.memmap) or X._mmap is None or X.dtype.kind == "O":
            return X
        if _JOBLIB in str(X.filename):
            # Results must not depend on how many processes share what was in memory.
            return np.asarray(X)
        source = Source(X.__getitem__, X.shape, X.dtype)
    elif isinstance(X, Dataset):
        source = _torch_dataset(X)
    elif arrow and isinstance(X, arrow.Table | arrow.RecordBatch):
        X = as_table(X)
        source = _arrow(X.schema, X.num_rows, lambda rows: _arrow_values(X.take(rows)))
        if source.dtype.kind != "f" and any(column.null_count for column in X.columns):
            # Nulls are read as NaN.
            source.dtype = np.dtype(np.float64)
    elif arrow_dataset and isinstance(X, arrow_dataset.Dataset):
        source = _arrow_dataset(X)
    elif is_dask_array(X):
        raise ValueError(
            "X is a Dask array, of which transform and score_samples go through the chunks. All "
            "else reads rows in random order, and so would compute nearly all chunks for each "
            "batch. Give X.compute() where it fits in memory; else write it once, e.g. by "
            "X.to_zarr(path), and give zarr.open(path); or call partial_fit on one computed block "
            "after the other."
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
    """What is looked at to know the values of X: all of them where they are in memory.

    Parameters
    ----------
    X : Source or array
        Rows.

    Returns
    -------
    rows : ndarray
        X itself, or some rows of a source.
    """
    return X.sample if isinstance(X, Source) else X


def held_between(X, low: float, high: float) -> Any:
    """X, whose rows are refused when they are read if they lie beyond; arrays are looked at before.

    Parameters
    ----------
    X : Source or array
        Rows.
    low, high : float
        The bounds.

    Returns
    -------
    X : Source or array
        Another source, or the same array.
    """
    if not isinstance(X, Source):
        return X
    return Source(X.read, X.shape, X.dtype, max(low, X.low), min(high, X.high))


def named(X):
    """What has the feature names of X, for scikit-learn to look up.

    Parameters
    ----------
    X : object
        What `fit` was given.

    Returns
    -------
    header : object
        X itself, or an empty table of its columns. None where a row is one column of lists or
        arrays, whose name is that of no feature.
    """
    # The schema of lazy tables of others is costly.
    schema = X.schema if type(X).__module__.startswith("pyarrow") and hasattr(X, "schema") else None
    if not isinstance(schema, getattr(sys.modules.get("pyarrow"), "Schema", ())):
        return None if holds_arrays(X) else X
    return None if _is_one_list(schema) else schema.empty_table()


def as_table(X):
    """An Arrow RecordBatch as a Table; all else as it comes.

    Parameters
    ----------
    X : object
        Anything.

    Returns
    -------
    X : object
        With columns that whatever knows tables can take.
    """
    arrow = sys.modules.get("pyarrow")
    is_batch = arrow and isinstance(X, arrow.RecordBatch)
    return arrow.Table.from_batches([X]) if is_batch else X


def is_dask_array(X) -> bool:
    """Whether X is a Dask array.

    Parameters
    ----------
    X : object
        Anything.

    Returns
    -------
    is_dask_array : bool
        Told without Dask.
    """
    return hasattr(X, "__dask_graph__") and hasattr(X, "numblocks")


def by_chunk(function: Callable[[np.ndarray], np.ndarray], X, row_shape: tuple[int, ...]):
    """Apply a function to the chunks of a Dask array along its rows, when the result is asked for.

    Parameters
    ----------
    function : callable
        From rows to as many float32 rows.
    X : dask.array.Array of shape (n, ...)
        Chunked along any axis.
    row_shape : tuple of int
        The shape of a row of the result.

    Returns
    -------
    result : dask.array.Array of float32 of shape (n, *row_shape)
        In the chunks of X along its rows.
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
    # Chunks of what was filtered may be empty.
    return np.asarray(function(rows)) if len(rows) else np.empty((0, *row_shape), np.float32)


def _finite(values: np.ndarray) -> np.ndarray:
    """Which rows are finite as float32."""
    if values.dtype.kind == "O":
        # Columns of bool with nulls.
        values = values.astype(np.float32)
    if values.dtype.kind != "f":
        return np.ones(len(values), dtype=bool)
    with np.errstate(over="ignore"):
        values = values.astype(np.float32, copy=False)
    return np.isfinite(values).all(tuple(range(1, values.ndim)))


def _is_array_like(X) -> bool:
    """Whether X has the shape, type and slices of an array, without being one in memory."""
    # pandas, what keeps to the array API, polars.
    in_memory = any(hasattr(X, name) for name in ("iloc", "__array_namespace__", "to_arrow"))
    if in_memory or isinstance(X, np.generic | torch.Tensor) or sparse.issparse(X):
        return False
    has_slices = hasattr(X, "shape") and hasattr(X, "dtype") and hasattr(X, "__getitem__")
    return has_slices and isinstance(X.shape, tuple) and len(X.shape) > 0


def _slice_reader(X) -> Callable[[np.ndarray], np.ndarray]:
    """Read by slices alone, each chunk that is touched once."""
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
            f"{type(dataset).__name__} can be read only in order, and training reads rows at "
            "random. Give a Dataset of map style, with __getitem__ and __len__, or call "
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
    """What an item of a Dataset begins with, if what follows is clearly no other view of it."""
    if not isinstance(item, tuple | list):
        return item
    shape = _shape_of(item[0])
    if shape and shape in map(_shape_of, item[1:]):
        name = type(dataset).__name__
        raise ValueError(
            f"The items of {name} are tuples that hold more than one array of shape {shape}: "
            "views of one sample, or a row and its target. Let __getitem__ return "
            "torch.stack([view1, view2]), or ((view1, view2), label), where they are views; the "
            "row alone where they are not."
        )
    return item[0]


def _shape_of(part) -> tuple[int, ...]:
    """The shape of an array or of views in a list; () of labels and of all else."""
    if hasattr(part, "shape"):
        return tuple(part.shape)
    if hasattr(part, "__array_interface__"):
        # Images of PIL.
        return np.asarray(part).shape
    if not isinstance(part, tuple | list):
        return ()
    shapes = {_shape_of(inner) for inner in part}
    return (len(part), *shapes.pop()) if len(shapes) == 1 else ()


def _as_array(item) -> np.ndarray:
    """An item of a Dataset, wherever it is and of whatever type."""
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
    """Numeric columns side by side, or the one column of lists of fixed size."""
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
    """Parts that are decoded as a whole: the row groups of parquet, else the files."""
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
