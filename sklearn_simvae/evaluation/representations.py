"""Arrays that the evaluation looks at, made from any transformer and any data."""

import sys
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_array

from sklearn_simvae.training import isolated_random_state
from sklearn_simvae.views import Layout, default_augmentation, make_views
from sklearn_simvae.views.augmentation import Augmentation
from sklearn_simvae.views.checks import check_colors, has_colors
from sklearn_simvae.views.rows import check_holds_rows, stack_cells, tensor_to_array
from sklearn_simvae.views.samples import known_data, not_finite, one_hot_columns

_ROWS = 1024


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


def view_representations(
    estimator, X, augmentation=None, input_shape=None, kind="auto", n_views=2, random_state=0
) -> np.ndarray:
    """Compute the representations of several views of each sample.

    Parameters
    ----------
    estimator : fitted transformer, None or "passthrough"
        Same as in :func:`representations`.
    X : array-like of shape (n, n_views, ...) or (n, ...)
        Samples of several views. If `augmentation` is given, rows, of which views are made.
    augmentation : callable, "auto" or None, default=None
        Function that makes the views, as in the estimators. None takes the views from the second
        axis of X.
    input_shape : tuple of int, default=None
        The shape of one row, where `augmentation` needs to know it. None takes the shape that
        `estimator` reads, if it has one.
    kind : {"auto", "vector", "image", "series"}, default="auto"
        Kind of a row, where neither its shape nor `estimator` tells it.
    n_views : int, default=2
        Number of views to make.
    random_state : int, default=0
        Seed of the augmentation.

    Returns
    -------
    Z : ndarray of shape (n, n_views, n_features)
        The representation of each view by itself.

    Raises
    ------
    ValueError
        If X has no views and none are made, or where :func:`representations` raises one.
    """
    if augmentation is None:
        X = as_array(X)
        if not has_views(estimator, X.shape) or X.shape[1] < 2:
            raise ValueError(
                f"X of shape {X.shape} has no axis of at least two views. Give samples of views, "
                "(n, n_views, ...), or an augmentation that makes views of rows."
            )
        views = [X[:, view] for view in range(X.shape[1])]
    else:
        seeds = [[random_state, view] for view in range(n_views)]
        views = (
            augmented_rows(X, augmentation, input_shape, kind, seed, estimator)[0] for seed in seeds
        )
    return np.stack([representations(estimator, view) for view in views], axis=1)


def augmented_rows(
    X, augmentation="auto", input_shape=None, kind="auto", random_state=0, estimator=None
) -> tuple[ArrayLike, dict[str, np.ndarray]]:
    """Make an augmented copy of each row, and tell what was done to it.

    Parameters
    ----------
    X : array-like of shape (n, ...)
        Rows of numbers, without views.
    augmentation : callable or "auto", default="auto"
        Function that maps a batch, a tensor, to a batch of the same shape.
    input_shape : tuple of int, default=None
        The shape of one row, where neither X nor `estimator` tells.
    kind : {"auto", "vector", "image", "series"}, default="auto"
        Kind of a row, where neither its shape nor `estimator` tells it.
    random_state : int or sequence of int, default=0
        Seed of the augmentation.
    estimator : fitted transformer, None or "passthrough", default=None
        Transformer that the rows are for.

    Returns
    -------
    rows : ndarray, DataFrame or Arrow table of the shape and scale of X
        Augmented rows, which any transformer that takes X takes. Their dtype is that of X, or
        float32 if X holds whole numbers that are not pixels.
    factors : dict of str to ndarray of shape (n,)
        The parameters that the package's own augmentations drew, by name; empty for others.

    Raises
    ------
    ValueError
        If X has views already, if X varies by less than float32 can tell, or if the augmentation is
        not callable, does not fit X, or returns values that are not finite.
    """
    if not callable(augmentation) and augmentation != "auto":
        raise ValueError(
            f"augmentation must be 'auto' or a callable from a batch to a batch; got "
            f"{augmentation!r}."
        )
    frame = as_rows(X)
    X = as_array(frame)
    if X.dtype not in (np.uint8, np.float32, np.float64):
        X = check_array(X, dtype=np.float64, allow_nd=True, input_name="X")
        _check_differ(X)
        X = X.astype(np.float32)
    elif X.dtype == np.float64:
        _check_differ(X)
    fitted = getattr(reader_of(estimator, X.shape), "layout_", None)
    channels = "auto"
    if fitted is not None:
        kind = fitted.kind if kind == "auto" else kind
        if input_shape is None:
            input_shape, channels = fitted.input_shape, fitted.channels
    layout, has_views = Layout.infer(X, input_shape, kind, channels)
    if has_views:
        raise ValueError(
            f"X of shape {X.shape} has a views axis already. Give rows as they are, or "
            "input_shape, the shape of one row, if it was read wrongly."
        )
    if isinstance(augmentation, str):
        if has_colors(layout):
            check_colors(X)
        augmentation = default_augmentation(layout.kind, layout.network_shape[0])
    seed = int(np.random.SeedSequence(random_state).generate_state(1)[0])
    generator = torch.Generator().manual_seed(seed)
    # An augmentation may turn whole numbers into fractions.
    whole = X.dtype == np.uint8 and not layout.pixels
    out, noted = np.empty_like(X, dtype=np.float32 if whole else None), []
    # Augmentations of other packages draw from the global random states.
    one_hot = one_hot_columns(X, layout)
    with isolated_random_state(seed, generator.device), known_data(layout, one_hot):
        for start in range(0, len(X), _ROWS):
            rows = torch.from_numpy(np.array(X[start : start + _ROWS]))
            if isinstance(augmentation, Augmentation):
                x, factors = augmentation.augment_with_factors(layout.to_network(rows), generator)
                noted.append({name: value.numpy() for name, value in factors.items()})
            else:
                x = make_views(rows, layout, 1, augmentation, generator, one_hot).flatten(0, 1)
            if not x.isfinite().all():
                raise ValueError(not_finite("The augmentation"))
            # A transformer that was fitted on pixels from 0 to 255 must see such pixels again.
            x = x.mul(255).round().clamp(0, 255) if layout.pixels else x
            out[start : start + _ROWS] = layout.from_network(x).numpy()
    names = noted[0] if noted else ()
    factors = {name: np.concatenate([part[name] for part in noted]) for name in names}
    return _like(frame, out), factors


def _check_differ(X: np.ndarray) -> None:
    """Raise if rows differ, but not in float32, in which augmentations compute."""
    with np.errstate(over="ignore", invalid="ignore"):
        lost = (np.ptp(X.astype(np.float32), axis=0) == 0) & (np.ptp(X, axis=0) > 0)
    if lost.any():
        raise ValueError(
            f"{lost.sum()} feature(s) of X vary by too little about {X[:, lost].flat[0]:.3g} for "
            "float32, in which augmentations compute. Scale the data first, e.g. by StandardScaler."
        )


def _like(frame, rows: np.ndarray) -> ArrayLike:
    """Put rows into a container like the given one, with the same names."""
    if hasattr(frame, "column_names"):
        columns = map(sys.modules["pyarrow"].array, rows.T)
        return type(frame).from_arrays(list(columns), names=frame.column_names)
    if not hasattr(frame, "columns"):
        return rows
    if hasattr(frame, "index"):
        return type(frame)(rows, columns=list(frame.columns), index=frame.index)
    return type(frame)(rows, schema=list(frame.columns))
