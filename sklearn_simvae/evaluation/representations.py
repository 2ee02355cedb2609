"""Arrays that the evaluation looks at, made from any transformer and any data."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_array

from sklearn_simvae.views import Layout
from sklearn_simvae.views.rows import check_holds_rows, stack_cells, tensor_to_array


def as_rows(X, name: str = "X") -> ArrayLike:
    """Make X an array if it has no shape, and leave it as it is otherwise.

    Parameters
    ----------
    X : array-like of shape (n, ...)
        Rows.
    name : str, default="X"
        Name of X in error messages.

    Returns
    -------
    X : array, DataFrame or sparse matrix of shape (n, ...)
        The same rows.

    Raises
    ------
    ValueError
        If X holds no rows, or rows of different shapes.

    Examples
    --------
    >>> from sklearn_simvae.evaluation.representations import as_rows
    >>> as_rows([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    kind = type(X).__name__
    if isinstance(X, Mapping):
        raise ValueError(
            f"{name} must be one array of rows; got a dict of {list(X)}. Give one of these, or "
            "what an estimator's transform makes of all."
        )
    check_holds_rows(X, name)
    # Tensors stay tensors, for transformers that take them.
    X = X if isinstance(X, torch.Tensor) else stack_cells(X, name)
    if not hasattr(X, "shape"):
        X = np.asarray(X)
    if not X.shape:
        raise ValueError(f"{name} must hold rows, of shape (n, ...); got a single {kind}.")
    return X


def check_arguments(estimator, X) -> None:
    """Raise if the transformer or its rows are not what they should be.

    Parameters
    ----------
    estimator : object
        Expected to be a fitted transformer, None or "passthrough".
    X : object
        Expected to hold rows.

    Raises
    ------
    ValueError
        If there is no X, or the estimator is a class or has no `transform`.
    """
    kind = type(estimator).__name__
    if isinstance(estimator, type):
        raise ValueError(
            f"estimator is the class {estimator.__name__}; give a fitted instance of it, or None "
            "where X holds representations."
        )
    holds_rows = hasattr(estimator, "shape") or isinstance(estimator, list | tuple)
    if X is None:
        advice = f" For the {kind} given as estimator, pass None as estimator, and it as X."
        raise ValueError(
            "X is None; expected the rows that estimator transforms, or representations where "
            f"estimator is None.{advice if holds_rows else ''}"
        )
    if not is_passthrough(estimator) and not hasattr(estimator, "transform"):
        raise ValueError(
            "estimator must be a fitted transformer, or None where X holds representations; got "
            f"{kind}, which has no transform."
        )
    check_holds_rows(X)


def first_part(X) -> ArrayLike:
    """Return an array with the rows of X: the first modality of a dict, or X itself."""
    return next(iter(X.values()), ()) if isinstance(X, Mapping) else X


def steps_of(estimator) -> list:
    """Return the steps that data go through, in order, out of any Pipelines and searches."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not isinstance(estimator, Pipeline):
        return [] if estimator is None or isinstance(estimator, str) else [estimator]
    return [part for _, step in estimator.steps for part in steps_of(step)]


def without_groups(estimator, X) -> ArrayLike:
    """Return X without the column of groups, if the estimator has such a column."""
    make_reader = getattr(next(iter(steps_of(estimator)), None), "_reader", None)
    return X if make_reader is None else make_reader().split_groups(X)[0]


def reader_of(estimator, shape: tuple[int, ...]) -> object | None:
    """Return the first step of this package if it reads rows of this shape, else None.

    Steps before it may scale the rows. If they change the size of a row, its layout says nothing
    about the rows that enter the first step.
    """
    for place, step in enumerate(steps_of(estimator)):
        layout = getattr(step, "layout_", None)
        if layout is not None:
            reads = place == 0 or (isinstance(layout, Layout) and layout.fits(shape))
            return step if reads else None
    return None


def takes_any_length(estimator) -> bool:
    """Tell whether an estimator was fitted on series of unequal length."""
    layouts = (getattr(step, "layout_", None) for step in steps_of(estimator))
    return any(getattr(layout, "ragged", False) for layout in layouts)


def check_one_length(estimator, caller: str) -> None:
    """Raise if an estimator was fitted on series of unequal length, which have no one shape."""
    if takes_any_length(estimator):
        raise ValueError(
            f"{caller} takes rows of one shape, and the estimator was fitted on series of unequal "
            "length. Fit it on series that are cut to one length, e.g. by sliding_windows."
        )


def has_views(estimator, shape: tuple[int, ...]) -> bool:
    """Tell whether the second axis of rows counts views, for this estimator.

    Parameters
    ----------
    estimator : fitted transformer, None or "passthrough"
        An estimator of this package tells, alone, in a Pipeline or in a search.
    shape : tuple of int
        Shape of all rows together.

    Returns
    -------
    has_views : bool
        True if the second axis counts views. For estimators of other packages, True if there are
        more than two axes.

    Raises
    ------
    ValueError
        If the rows differ in size from those that `estimator` was fitted on.
    """
    reader = reader_of(estimator, shape)
    if reader is None:
        return len(shape) > 2
    return reader.layout_.has_views(shape, type(reader).__name__)


def as_array(X) -> np.ndarray:
    """Make rows a dense array.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, ...)
        Rows.

    Returns
    -------
    X : ndarray of shape (n, ...)
        The same rows.

    Raises
    ------
    ValueError
        If X does not hold rows, see :func:`as_rows`.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from sklearn_simvae.evaluation.representations import as_array
    >>> as_array(csr_array([[0, 1]]))
    array([[0, 1]])
    """
    X = tensor_to_array(as_rows(X))
    return np.asarray(X.toarray() if hasattr(X, "toarray") else X)


def check_size(Z: np.ndarray, name: str) -> np.ndarray:
    """Raise if the squares of values overflow in float32, else return the values.

    Parameters
    ----------
    Z : ndarray
        Finite numbers.
    name : str
        Name of the values in error messages.

    Returns
    -------
    Z : ndarray
        The same values.

    Raises
    ------
    ValueError
        If a value is too large for float32.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.evaluation.representations import check_size
    >>> check_size(np.array([[1e30]]), "Z")
    array([[1.e+30]])
    """
    if np.abs(Z).max(initial=0) > np.finfo(np.float32).max:
        raise ValueError(
            f"{name} contains values up to {np.abs(Z).max():.3g}, too large for dtype('float32'): "
            "their squares overflow. Scale the data first, e.g. by StandardScaler."
        )
    return Z


def representations(estimator, X) -> np.ndarray:
    """Compute the representations of rows by a transformer, or take the rows as such.

    Parameters
    ----------
    estimator : fitted transformer, None or "passthrough"
        Any transformer with `transform`. None and "passthrough" take X as it is.
    X : array-like of shape (n, ...)
        Rows that `estimator` transforms, or representations of shape (n, n_features).

    Returns
    -------
    Z : ndarray of float32 or float64 of shape (n, n_features)
        The representations.

    Raises
    ------
    ValueError
        If `estimator` has no `transform`, or the representations are not a finite 2-D array.

    Examples
    --------
    >>> from sklearn_simvae.evaluation.representations import representations
    >>> representations(None, [[0.0, 1.0], [2.0, 3.0]]).shape
    (2, 2)
    """
    check_arguments(estimator, X)
    if not is_passthrough(estimator):
        X = estimator.transform(X)
    X = stack_cells(X, "representations")
    X = X.toarray() if hasattr(X, "toarray") else X
    # float32 if it holds every number of the type; lists and columns come as float64.
    short = isinstance(X, np.ndarray) and X.dtype.itemsize <= 2
    dtypes = [np.float32, np.float64] if short else [np.float64, np.float32]
    return check_size(check_array(X, dtype=dtypes, input_name="representations"), "representations")


def standard_scaler() -> StandardScaler:
    """Make a scaler that gives arrays, even if the user has set other containers globally."""
    return StandardScaler().set_output(transform="default")


def is_passthrough(estimator) -> bool:
    """Tell whether rows are taken as representations."""
    return estimator is None or (isinstance(estimator, str) and estimator == "passthrough")
