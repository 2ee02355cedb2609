"""Augmented copies of rows, and representations of several views of each sample."""

import sys

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_array

from sklearn_simvae.evaluation.representations import (
    as_array,
    as_rows,
    has_views,
    reader_of,
    representations,
)
from sklearn_simvae.training import isolated_random_state
from sklearn_simvae.views import Layout, default_augmentation, make_views
from sklearn_simvae.views.augmentation import Augmentation
from sklearn_simvae.views.checks import check_colors, has_colors
from sklearn_simvae.views.hints import not_finite
from sklearn_simvae.views.view_maker import known_data, one_hot_columns

_ROWS = 1024


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
    X = _computable(as_array(frame))
    layout = _layout_of(X, input_shape, kind, estimator)
    if isinstance(augmentation, str):
        if has_colors(layout):
            check_colors(X)
        augmentation = default_augmentation(layout.kind, layout.network_shape[0])
    out, factors = _augment(X, layout, augmentation, random_state)
    return _like(frame, out), factors


def _computable(X: np.ndarray) -> np.ndarray:
    """Return rows of a type in which augmentations compute, if it tells them apart."""
    if X.dtype not in (np.uint8, np.float32, np.float64):
        X = check_array(X, dtype=np.float64, allow_nd=True, input_name="X")
        _check_differ(X)
        X = X.astype(np.float32)
    elif X.dtype == np.float64:
        _check_differ(X)
    return X


def _layout_of(X: np.ndarray, input_shape, kind: str, estimator) -> Layout:
    """Return the layout of rows, which is that of the estimator unless told otherwise."""
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
    return layout


def _augment(
    X: np.ndarray, layout: Layout, augmentation, random_state
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the augmented rows, and the factors that were drawn."""
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
    return out, {name: np.concatenate([part[name] for part in noted]) for name in names}


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
