"""Kinds of data that are read batch by batch: memory maps, arrays, torch datasets and pyarrow."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch.utils.data import Dataset, IterableDataset

from sklearn_simvae.views.lazy import LazyArray, as_table, is_dask_array, is_one_list
from sklearn_simvae.views.rows import tensor_to_array

# Part of the path of the files in which joblib passes arrays to its processes.
_JOBLIB = "joblib_memmapping_folder"


def as_lazy_array(X) -> Any:
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
    X : LazyArray or object
        A source, or X itself.

    Raises
    ------
    ValueError
        If X can be read only in order or does not hold numbers, or if the items of a Dataset are
        tuples of arrays of one shape, which may be views or a row and its target.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views import as_lazy_array
    >>> source = as_lazy_array(torch.utils.data.TensorDataset(torch.eye(3)))
    >>> source.shape, source[[2, 0]].tolist()
    ((3, 3), [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    """
    arrow, arrow_dataset = sys.modules.get("pyarrow"), sys.modules.get("pyarrow.dataset")
    if isinstance(X, LazyArray):
        return X
    if isinstance(X, np.ndarray):
        # Rows indexed from a memmap may have its class too, but are in memory.
        if not isinstance(X, np.memmap) or X._mmap is None or X.dtype.kind == "O":
            return X
        if _JOBLIB in str(X.filename):
            # The array was in memory, and results must not depend on how joblib passes it on.
            return np.asarray(X)
        source = LazyArray(X.__getitem__, X.shape, X.dtype)
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
        source = LazyArray(_slice_reader(X), tuple(X.shape), np.dtype(X.dtype))
    else:
        return X
    if source.dtype.kind not in "biuf":
        raise ValueError(
            f"X, of type {type(X).__name__}, has dtype {source.dtype}, which no network reads; "
            "expected integers or floats. Convert it to numbers first."
        )
    return source


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


def _torch_dataset(dataset: Dataset) -> LazyArray:
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
        return LazyArray(read, (0, 1), np.dtype(np.float32))
    first = read(np.arange(1))
    return LazyArray(read, (len(dataset), *first.shape[1:]), first.dtype)


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


def _arrow(schema, n_rows: int, read) -> LazyArray:
    empty = _arrow_values(schema.empty_table())
    return LazyArray(read, (n_rows, *empty.shape[1:]), empty.dtype)


def _arrow_values(table) -> np.ndarray:
    """Return numeric columns side by side, or the only column, of lists of fixed size."""
    if not is_one_list(table.schema):
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


def _arrow_dataset(dataset) -> LazyArray:
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
