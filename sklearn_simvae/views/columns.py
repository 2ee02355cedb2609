"""Groups that are given as a column of X, for places where `groups` cannot be passed."""

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils._indexing import _get_column_indices

from sklearn_simvae.views.lazy import LazyArray, as_table, is_dask_array
from sklearn_simvae.views.sources import as_lazy_array

# Rows of a source that are read at a time to collect the groups.
_CHUNK = 4096


def take_column(
    X, column: str | int, n_features: int | None = None, needed: bool = True
) -> tuple[Any, Any]:
    """Take a column out of a table or of an array.

    Parameters
    ----------
    X : DataFrame of pandas or polars, table or dataset of pyarrow, or array of two axes
        Rows of data.
    column : str or int
        Name of the column, or its place from 0; negative places count from the end.
    n_features : int, default=None
        Number of the other columns, if it is known.
    needed : bool, default=True
        Whether to raise an error if X does not have the column.

    Returns
    -------
    X : object
        X without the column; if X is not in memory, an object that is still read by batch.
    values : array or None
        Values of the column; None if X does not have it.

    Raises
    ------
    ValueError
        If the column is needed and X does not have it.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_simvae.views.columns import take_column
    >>> X, patient = take_column(pd.DataFrame({"age": [3, 4], "patient": [7, 8]}), "patient")
    >>> list(X.columns), patient.tolist()
    (['age'], [7, 8])
    """
    if isinstance(column, bool):
        raise ValueError(
            f"group_column={column} is neither the name nor the place of a column. Give a str, an "
            "int, or None if there are no groups."
        )
    if sparse.issparse(X):
        # The estimator refuses sparse matrices with its own message.
        return X, None
    X = as_table(X)
    schema, columns = getattr(X, "schema", None), getattr(X, "columns", None)
    is_arrow = hasattr(schema, "names") and hasattr(schema, "remove")
    names = list(schema.names if is_arrow else columns) if is_arrow or columns is not None else None
    if names is None and not is_dask_array(X):
        X = as_lazy_array(X)
        if not isinstance(X, LazyArray) and not hasattr(X, "ndim"):
            X = np.asarray(X, dtype=object) if _holds_text(X) else np.asarray(X)
    place = _place(X, names, column, n_features, needed)
    if place is None:
        return X, None
    if is_arrow:
        return _of_arrow(X, names, place)
    others = [i for i in range(len(names) if names else X.shape[1]) if i != place]
    if hasattr(X, "iloc"):
        return X.iloc[:, others], np.asarray(X.iloc[:, place])
    if names is not None:
        return X[:, others], X[:, place].to_numpy()
    if isinstance(X, LazyArray):
        parts = [X.take(rows)[:, place] for rows in _chunks(len(X))]
        rest = LazyArray(
            lambda rows: X.take(rows)[:, others], (len(X), len(others)), X.dtype, X.low, X.high
        )
        return rest, np.concatenate([np.empty(0, X.dtype), *parts])
    return X[:, others], X[:, place]


def _place(
    X, names: list | None, column: str | int, n_features: int | None, needed: bool
) -> int | None:
    """Return the place of a column; None if it is not there and not needed."""
    if isinstance(column, str):
        if names is not None and names.count(column) == 1:
            return names.index(column)
        if not needed:
            return None
        if names is None:
            raise ValueError(
                f"group_column={column!r} is a name, but X, of type {type(X).__name__}, has no "
                "column names. Give a DataFrame, or the place of the column as an int."
            )
        shown = ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
        raise ValueError(
            f"group_column={column!r} must be one of the columns of X, once; X has {shown}. "
            "After a ColumnTransformer the name may have a prefix, unless it has "
            "verbose_feature_names_out=False."
        )
    shape = tuple(getattr(X, "shape", ())) if names is None else (None, len(names))
    if not needed and (len(shape) != 2 or shape[1] != n_features + 1):
        return None
    if len(shape) == 2 and shape[1] == n_features:
        raise ValueError(
            f"group_column={column} must hold the groups, which are needed here, but X has the "
            f"{n_features} columns of the features alone. Give X with that column."
        )
    if len(shape) != 2 or not -shape[1] <= column < shape[1]:
        raise ValueError(
            f"group_column={column} must be the place of a column of X; got X of shape {shape}, "
            "and expected rows and columns, one of which holds the groups."
        )
    return int(column) % shape[1]


def _of_arrow(X, names: list[str], place: int) -> tuple[Any, Any]:
    if hasattr(X, "remove_column"):
        rest, table = X.remove_column(place), X
    else:
        rest = X.replace_schema(X.schema.remove(place))
        table = X.to_table(columns=[names[place]])
    return rest, np.asarray(table.column(names[place]).to_pandas())


def _holds_text(X) -> bool:
    return np.asarray(X).dtype.kind in "US"


def _chunks(n: int):
    return (np.arange(start, min(start + _CHUNK, n)) for start in range(0, n, _CHUNK))


def look_up_columns(X, columns, what: str) -> tuple[Any, tuple[int, ...]]:
    """Look up columns in the ways of :class:`~sklearn.compose.ColumnTransformer`.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n, n_features)
        Data to fit.
    columns : str, int, array-like of these, slice, mask or callable
        Columns by name or number, or a function of X that returns them.
    what : str
        Name of what the columns are for, which begins the message.

    Returns
    -------
    columns : str, int, array-like of these, slice or mask
        The columns, as given or as the function returned them.
    indices : tuple of int
        Their numbers, at least one.

    Raises
    ------
    ValueError
        If X does not have them, or there are none.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_simvae.views.columns import look_up_columns
    >>> look_up_columns(pd.DataFrame({"a": [1], "b": [2]}), ["b"], "The likelihood")
    (['b'], (1,))
    """
    try:
        columns = columns(X) if callable(columns) else columns
        indices = tuple(int(i) for i in _get_column_indices(X, columns))
    # KeyError: scikit-learn 1.6 does not catch those of pandas.
    except (LookupError, ValueError, TypeError, AttributeError, NotImplementedError) as error:
        raise ValueError(
            f"{what} has columns that X does not have: {columns!r}. {error}"
        ) from error
    if not indices:
        raise ValueError(
            f"{what} has no columns: {columns!r} selects none of X, which has "
            f"n_features = {X.shape[1]}."
        )
    return columns, indices
