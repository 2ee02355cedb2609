"""Conversion of many kinds of data to arrays of rows, with clear errors for all other kinds."""

import os
import sys
from collections.abc import Iterable, Mapping, Set
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sklearn_simvae._pictures import is_picture, stack_pictures

# Types by name, so that no library is imported only to refuse its objects.
_BY_NAME = {
    "LazyFrame": "Call its collect() first.",
    "AnnData": "Give its matrix, adata.X, or the table adata.to_df().",
    "MuData": "Give a matrix of it, e.g. mdata['rna'].X, or to CLIP a dict of these.",
}
_BY_PART_OF_NAME = {
    "GroupBy": "Give the table without the column of the groups, and that column as groups.",
    "Resampler": "Give the table itself.",
}


def check_holds_rows(X, name: str = "X") -> None:
    """Raise an error for an object without rows that can be indexed, and say what to give instead.

    Parameters
    ----------
    X : object
        Any object.
    name : str, default="X"
        Name of the object in the message.

    Raises
    ------
    ValueError
        If X is a DataLoader, a generator, one image, a path, a lazy table, an AnnData, a table in
        groups, a set, or holds a dict for each row.

    Examples
    --------
    >>> from sklearn_simvae.views.rows import check_holds_rows
    >>> check_holds_rows({1.0, 2.0})
    Traceback (most recent call last):
    ...
    ValueError: X is of type set, which holds no rows that can be taken by index. Give an array ...
    """
    kind = type(X).__name__
    by_part = [advice for part, advice in _BY_PART_OF_NAME.items() if part in kind]
    if isinstance(X, DataLoader):
        advice = "Give its dataset, loader.dataset, from which batches are then read."
    elif kind in _BY_NAME:
        advice = _BY_NAME[kind]
    elif by_part:
        advice = by_part[0]
    elif isinstance(X, getattr(sys.modules.get("PIL.Image"), "Image", ())):
        advice = "Give a list of images, [image] if there is one only."
    elif isinstance(X, str | os.PathLike):
        advice = "Read the files first, photos by sklearn_simvae.datasets.load_image_folder(path)."
    elif isinstance(X, Set):
        advice = "Give an array or a list, whose rows have an order."
    elif isinstance(X, Iterable) and not _is_indexed(X):
        advice = (
            "Give an array, e.g. numpy.stack(list(X)); or call partial_fit on one batch after the "
            "other."
        )
    elif _first(X, Mapping):
        raise ValueError(
            f"{name} holds a dict for each row. Give a table of them, e.g. pandas.DataFrame(X)."
        )
    else:
        return
    raise ValueError(
        f"{name} is of type {kind}, which holds no rows that can be taken by index. {advice}"
    )


def stack_cells(X, name: str = "X") -> Any:
    """Stack the rows of X if each of them is an array; return all other objects as they are.

    Parameters
    ----------
    X : object
        Data to stack: a tensor; a list of arrays, tensors or images of Pillow; or a column, or a
        table of one column (of numpy, pandas, polars or pyarrow), whose cells are such or lists.
    name : str, default="X"
        Name of the object in the message.

    Returns
    -------
    X : ndarray of shape (n, ...) or object
        An array, or X itself.

    Raises
    ------
    ValueError
        If rows differ in shape, or one of them is missing.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_simvae.views.rows import stack_cells
    >>> stack_cells(pd.Series(list(np.zeros((5, 1, 8, 8))))).shape
    (5, 1, 8, 8)
    """
    if isinstance(X, Tensor):
        return tensor_to_array(X, name)
    if isinstance(X, list | tuple):
        if any(map(is_picture, X)):
            return stack_pictures(X, name)
        if not any(map(_is_array_like, X)):
            return X
        if not isinstance(X[0], Tensor):
            try:
                array = np.asarray(X)
            except (ValueError, TypeError):
                # An error with the shapes of the rows is clearer than that of numpy.
                return stack_rows(X, name)
            return array if array.dtype != object else stack_rows(X, name)
        return stack_rows(X, name)
    if not holds_arrays(X):
        return X
    column = np.asarray(_only_column(X))
    if column.dtype == object and any(map(is_picture, column.flat)):
        return stack_pictures(column.ravel(), name)
    return column if column.dtype != object else stack_rows(column.ravel(), name)


def stack_rows(rows, name: str = "X") -> np.ndarray:
    """Stack arrays of one shape.

    Parameters
    ----------
    rows : sequence of array-like
        Rows to stack, at least one. Their elements may be arrays themselves.
    name : str, default="X"
        Name of the whole in the message.

    Returns
    -------
    X : ndarray of shape (n, ...)
        The stacked rows.

    Raises
    ------
    ValueError
        If rows differ in shape, or one of them is missing.
    """
    arrays = [_as_array(row, f"{name}[{i}]") for i, row in enumerate(rows)]
    for i, array in enumerate(arrays):
        if array.shape == arrays[0].shape:
            continue
        for j, found in ((0, arrays[0]), (i, array)):
            if not found.shape:
                raise ValueError(
                    f"Row {j} of {name} is {rows[j]!r}, where others are arrays. Leave that row "
                    "out."
                )
        raise ValueError(
            f"The rows of {name} differ in shape: row 0 has {arrays[0].shape} and row {i} has "
            f"{array.shape}. Pass kind='series' for series of unequal length, and crop or resize "
            "images to one size; sklearn_simvae.datasets.load_image_folder(path, size=64) does so "
            "for files."
        )
    return np.stack(arrays)


def tensor_to_array(X, name: str = "X") -> Any:
    """Convert a tensor on any device to an array; return all other objects as they are.

    Parameters
    ----------
    X : object
        Any object.
    name : str, default="X"
        Name of the object in the message.

    Returns
    -------
    X : ndarray or object
        An array, of float32 if the tensor has a floating-point type with fewer bits; or X itself.

    Raises
    ------
    ValueError
        If the tensor is sparse, or if it is nested and its rows differ in shape.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.rows import tensor_to_array
    >>> tensor_to_array(torch.ones(2, dtype=torch.bfloat16))
    array([1., 1.], dtype=float32)
    """
    if not isinstance(X, Tensor):
        return X
    if X.is_nested:
        return stack_rows(X.unbind(), name)
    if X.layout is not torch.strided:
        raise ValueError(f"{name} is a sparse tensor; give {name}.to_dense().")
    X = X.detach().cpu().resolve_conj().resolve_neg()
    is_short = X.dtype.is_floating_point and X.dtype.itemsize < 4
    return (X.float() if is_short else X).numpy()


def holds_arrays(X) -> bool:
    """Return whether X is a column, or a table of one column, whose cells are arrays.

    Parameters
    ----------
    X : object
        Any object.

    Returns
    -------
    holds_arrays : bool
        True if some cells are arrays; False for an array of numbers.
    """
    column = _only_column(X)
    if column is None or not len(column):
        return False
    if hasattr(column, "to_arrow"):
        # In polars only lists and arrays have an inner type.
        return hasattr(column.dtype, "inner")
    dtype = getattr(column, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind != "O":
        return False
    return any(map(_is_array_like, np.asarray(column)))


def cells_are_arrays(X) -> bool:
    """Return whether some cells of a table, with any number of columns, are arrays.

    Parameters
    ----------
    X : object
        Any object.

    Returns
    -------
    cells_are_arrays : bool
        True if some cells are arrays; False if numpy cannot convert X to an array of objects.
    """
    if sparse.issparse(X):
        return False
    try:
        cells = np.asarray(X)
    except (ValueError, TypeError):
        return False
    return cells.dtype == object and any(map(_is_array_like, cells.flat))


def _only_column(X):
    """Return X itself or its only column; None if X is not a column."""
    if isinstance(X, np.ndarray):
        is_column = X.dtype == object and (X.ndim == 1 or (X.ndim == 2 and X.shape[1] == 1))
        return X.ravel() if is_column else None
    if hasattr(X, "iloc"):
        return X if X.ndim == 1 else X.iloc[:, 0] if X.shape[1] == 1 else None
    if hasattr(X, "to_arrow") and hasattr(X, "shape"):
        return X if len(X.shape) == 1 else X.to_series() if X.shape[1] == 1 else None
    # A column of pyarrow; its tables have column names, and are read by batch elsewhere.
    is_column = hasattr(X, "to_pylist") and not hasattr(X, "column_names")
    return np.asarray(X) if is_column else None


def _is_array_like(cell) -> bool:
    """Return whether a cell is a list or an array rather than a single value."""
    if isinstance(cell, str | bytes | np.generic):
        return False
    is_array = hasattr(cell, "__array__") or hasattr(cell, "__array_interface__")
    return isinstance(cell, list | tuple) or (is_array and getattr(cell, "shape", None) != ())


def _as_array(row, name: str) -> np.ndarray:
    if isinstance(row, Tensor):
        return tensor_to_array(row, name)
    try:
        array = np.asarray(row)
    except (ValueError, TypeError):
        return stack_rows(row, name)
    is_nested = array.dtype == object and array.ndim and any(map(_is_array_like, array.flat))
    return stack_rows(list(array), name) if is_nested else array


def _is_indexed(X) -> bool:
    """Return whether X has rows that can be indexed, or can be converted to an array."""
    if isinstance(X, Mapping | Dataset) or sparse.issparse(X):
        return True
    # Every kind of table can be converted to an array by one of these.
    ways = ("shape", "__array__", "__array_interface__", "__dataframe__", "__arrow_c_stream__")
    is_sequence = hasattr(X, "__len__") and hasattr(X, "__getitem__")
    return is_sequence or any(hasattr(X, way) for way in ways)


def _first(X, kind: type) -> bool:
    """Return whether the first row is of a type."""
    if isinstance(X, np.ndarray):
        return X.dtype == object and X.ndim == 1 and len(X) > 0 and isinstance(X[0], kind)
    return isinstance(X, list | tuple) and len(X) > 0 and isinstance(X[0], kind)
