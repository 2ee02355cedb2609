"""Rows and groups as users give them, checked before any work is done."""

from collections.abc import Mapping

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from sklearn_simvae._checks import missing
from sklearn_simvae._numerics import value_range
from sklearn_simvae.views.augmentation.color import COLORED
from sklearn_simvae.views.groups import Groups
from sklearn_simvae.views.layout import Layout
from sklearn_simvae.views.lazy import LazyArray, held_between, some_rows
from sklearn_simvae.views.rows import (
    cells_are_arrays,
    check_holds_rows,
    stack_cells,
    tensor_to_array,
)
from sklearn_simvae.views.sources import as_lazy_array


def check_rows(name: str, X) -> np.ndarray | LazyArray:
    """X as an array of numbers that are finite or NaN, without a copy where possible.

    Some rows of a lazy array are checked here, the others when they are read.
    """
    check_holds_rows(X)
    if isinstance(X, Mapping) and not sparse.issparse(X):
        raise ValueError(
            f"X is a dict of {list(X)}, and {name} takes one array of rows. "
            "Give one of its entries, or use CLIP or MultimodalSimVAE, which take several kinds of "
            "data."
        )
    X = as_lazy_array(stack_cells(X))
    try:
        values = check_array(
            some_rows(X),
            dtype="numeric",
            allow_nd=True,
            ensure_all_finite="allow-nan",
            estimator=name,
            input_name="X",
        )
    except (ValueError, TypeError) as error:
        if not cells_are_arrays(X):
            raise
        raise _mixed_cells(name) from error
    if values.dtype.kind not in "biuf":
        if cells_are_arrays(X):
            raise _mixed_cells(name)
        raise ValueError(
            f"X holds values of dtype {values.dtype}, which {name} does not "
            "read; expected integers or floats. Convert it to numbers first."
        )
    if values.dtype.kind == "f" and values.dtype.itemsize > 4:
        low, high = value_range(values)
        largest = max(high, -low)
        if largest > float(np.finfo(np.float32).max):
            raise ValueError(
                f"Input X contains values up to {largest:.3g}, too large for float32, in which "
                f"{name} computes. Scale the data first, e.g. by "
                "StandardScaler."
            )
    return X if isinstance(X, LazyArray) else values


def _mixed_cells(name: str) -> ValueError:
    return ValueError(
        f"Some cells of X hold arrays and others do not; {name} takes one array, a table of "
        "numbers, or one column of arrays. Leave the others out, or use CLIP or MultimodalSimVAE, "
        "whose modalities may be columns of arrays."
    )


def holds_missing(
    name: str, X: np.ndarray | LazyArray, layout: Layout, allow_nan: bool = True
) -> bool:
    """Whether values of vectors are missing; a whole column, or other kinds, may not be."""
    absent = _absent(X)
    if absent is None:
        return False
    if layout.kind != "vector" or not allow_nan:
        taken = "missing values in vectors only" if allow_nan else "no missing values"
        raise ValueError(
            f"Input X contains NaN in {absent.any(tuple(range(1, absent.ndim))).sum()} rows of the "
            f"kind {layout.kind!r}; {name} takes {taken}. Leave those rows out, or fill in the "
            "values first."
        )
    empty = absent.reshape(-1, layout.n_features).all(0)
    if empty.any():
        raise ValueError(
            f"Input X contains NaN alone in the columns {np.flatnonzero(empty).tolist()}, of which "
            "nothing can be learned. Leave these columns out."
        )
    return True


def check_none_missing(name: str, X: np.ndarray | LazyArray) -> None:
    """Raise where values are missing, as they were not in the rows that were fitted."""
    absent = _absent(X)
    if absent is None:
        return
    rows = absent.any(tuple(range(1, absent.ndim)))
    raise ValueError(
        f"Input X contains NaN in {rows.sum()} rows, the first of which is row {rows.argmax()}, "
        f"but {name} was fitted on rows without missing values. Fill them in, leave those rows "
        "out, or fit on rows in which values are missing, too."
    )


def _absent(X: np.ndarray | LazyArray) -> np.ndarray | None:
    """Mask of the missing values of X; None if there are none."""
    some = some_rows(X)
    # A sum takes a fraction of the time of a mask, and is NaN where a value is.
    if some.dtype.kind != "f" or not np.isnan(some.sum(dtype=np.float64)):
        return None
    return np.isnan(some)


def check_like_fitted(
    name: str, X: np.ndarray | LazyArray, layout: Layout
) -> np.ndarray | LazyArray:
    """X, if images or series come in the kind of numbers of those of `fit`."""
    if not layout.missing:
        check_none_missing(name, X)
    if layout.pixels and X.dtype != np.uint8 and not in_unit_interval(X):
        raise ValueError(
            f"{name} was fitted on uint8 pixels, which it scales to [0, 1]; got {X.dtype} outside "
            "[0, 1]. Give uint8, or divide by 255."
        )
    if layout.kind == "image" and not layout.pixels and X.dtype == np.uint8:
        raise ValueError(
            f"{name} was fitted on images that were not uint8, which it took as they came; got "
            "uint8. Convert to what was fitted."
        )
    return held_between(X, 0, 1) if layout.pixels and X.dtype != np.uint8 else X


def check_groups(groups, X: np.ndarray, has_views: bool) -> Groups | None:
    """The groups of the rows of X."""
    if groups is None:
        return None
    if has_views:
        raise ValueError(
            f"X of shape {X.shape} has a views axis, so groups must be None. Give one or the other."
        )
    groups = column_or_1d(tensor_to_array(groups), dtype=None)
    check_consistent_length(X, groups)
    if n_missing := missing(groups).sum():
        raise ValueError(
            f"groups contains NaN, or other missing values, in {n_missing} rows. Give each of them "
            "a group of its own, or leave those rows out."
        )
    try:
        return Groups(groups)
    except TypeError as error:
        raise ValueError(
            f"groups must hold labels of one kind, all numbers or all strings: {error}."
        ) from error


def in_unit_interval(X: np.ndarray | LazyArray) -> bool:
    """Whether all of X lies in [0, 1]; of what is not in memory, some rows."""
    X = some_rows(X)
    # A modality that no row has lies in any interval.
    if X.shape[0] == 0:
        return True
    low, high = X.min(), X.max()
    if low != low:
        low, high = value_range(X)
    return bool(low >= 0 and high <= 1)


def looks_unit_interval(X: np.ndarray | LazyArray) -> bool:
    """Whether those rows of a source that are looked at lie in [0, 1], and all others are to."""
    return isinstance(X, LazyArray) and in_unit_interval(X)


def check_augmentation(augmentation, name: str) -> None:
    """Raise where an augmentation is a class, or its parameters are out of range."""
    if isinstance(augmentation, type):
        raise ValueError(
            f"{name} was given the class {augmentation.__name__}; pass an instance of it: "
            f"{augmentation.__name__}()."
        )
    if hasattr(augmentation, "validate"):
        augmentation.validate()


def has_colors(layout: Layout) -> bool:
    """Whether rows are images whose colors augmentation="auto" changes."""
    return layout.kind == "image" and layout.network_shape[0] in COLORED and not layout.pixels


def check_colors(X: np.ndarray | LazyArray, name: str = "X") -> None:
    """Raise where the colors that augmentation="auto" changes are not from 0 to 1.

    The rows of a source that are not looked at are to be refused when they are read.
    """
    if not in_unit_interval(X):
        some = some_rows(X)
        raise ValueError(
            f"{name} holds color images with values from {some.min():.3g} to {some.max():.3g}, "
            "but augmentation='auto' changes their colors, and clips to 0 to 1. Give uint8 "
            "pixels, scale to that range, or give an augmentation that leaves colors alone, such "
            "as RandomResizedCrop()."
        )
