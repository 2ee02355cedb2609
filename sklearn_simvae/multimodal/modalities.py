"""The values of modalities, read from a table or a dict."""

from collections.abc import Mapping, Set
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _get_feature_names, _num_samples, check_array

from sklearn_simvae._checks import is_missing
from sklearn_simvae.multimodal.layout import Modality, ModalLayout
from sklearn_simvae.multimodal.samples import ModalityRows, ModalSamples
from sklearn_simvae.views import Layout, LazyArray, as_lazy_array
from sklearn_simvae.views.layout import kind_of_rows
from sklearn_simvae.views.lazy import named, some_rows
from sklearn_simvae.views.rows import check_holds_rows, stack_cells, tensor_to_array

# Rows of a source that are looked through at a time.
_MAX_ROWS = 1024


def fit_modalities(X, declared: tuple[Modality, ...], input_shapes: Mapping | None) -> ModalSamples:
    """Fit the transformers, and read X.

    Parameters
    ----------
    X : array-like, DataFrame, sparse matrix or dict
        Data to fit.
    declared : tuple of Modality
        From :func:`declare`.
    input_shapes : dict of str to tuple of int or None
        The shape of one row of a modality, where its values alone do not tell.

    Returns
    -------
    samples : ModalSamples
        The samples; in their layout the transformers are fitted.

    Raises
    ------
    ValueError
        If a modality is missing in all rows or partly in one, or is not made of numbers, a row has
        none, entries differ in length, or `input_shapes` does not fit.
    """
    input_shapes = dict(input_shapes or {})
    unknown = [name for name in input_shapes if name not in {m.name for m in declared}]
    if unknown:
        raise ValueError(
            f"input_shapes names {unknown}, but the modalities are {[m.name for m in declared]}."
        )
    n = _n_rows(X, declared)
    parts, modalities = [], []
    for modality in declared:
        values, position = _present_part(modality, X, n)
        if values is None or not len(position[position >= 0]):
            raise ValueError(f"The modality {modality.name!r} is missing in all rows of X.")
        if modality.preprocessor is not None:
            fitted = clone(modality.preprocessor)
            values = fitted.fit_transform(values)
            modality = replace(modality, preprocessor=fitted)
        values = _numbers(values, modality.name)
        layout = _layout(modality, values, input_shapes.get(modality.name))
        modalities.append(replace(modality, layout=layout))
        parts.append(ModalityRows(values, position, modalities[-1]))
    is_dict = isinstance(X, Mapping)
    layout = ModalLayout.of(modalities, None if is_dict else X.shape[1], is_dict)
    return _with_something(ModalSamples(parts, layout))


def _layout(modality: Modality, values, input_shape) -> Layout:
    """How one modality is read."""
    name = modality.name
    if input_shape is None and sparse.issparse(values):
        input_shape = values.shape[1:]
    try:
        has_shape = values.ndim > 2 or np.size(input_shape) > 1
        kind = kind_of_rows("auto", modality.encoder, has_shape)
        layout, has_views = Layout.infer(values, input_shape, kind)
    except ValueError as error:
        raise ValueError(
            f"The modality {name!r}: {error} Here, pass input_shapes={{{name!r}: ...}}, or name an "
            "encoder that tells: 'conv' for images, 'conv1d' for series."
        ) from error
    if has_views:
        raise ValueError(
            f"The modality {name!r} of shape {values.shape} is read as several views. Pass "
            f"input_shapes={{{name!r}: {values.shape[1:]}}}, the shape of one row."
        )
    return layout


def read_modalities(X, layout: ModalLayout, only: str | None = None) -> ModalSamples:
    """Read an X that is like what was fitted.

    Parameters
    ----------
    X : array-like, DataFrame, sparse matrix or dict
        Entries that a dict does not have are missing.
    layout : ModalLayout
        From :func:`fit_modalities`.
    only : str, default=None
        The one modality that counts; all others are left out.

    Returns
    -------
    samples : ModalSamples
        The samples.

    Raises
    ------
    ValueError
        If X is not like what was fitted, or a row has nothing that counts.
    """
    if only is not None:
        layout.index(only)
    n = _n_rows(X, layout.modalities)
    parts = []
    for modality in layout.modalities:
        values, position = None, np.full(n, -1)
        if only in (None, modality.name):
            _check_names(modality, X)
            values, position = _present_part(modality, X, n)
        if not len(position[position >= 0]):
            nothing = np.empty((0, modality.layout.n_features), np.float32)
            parts.append(ModalityRows(nothing, position, modality))
            continue
        if modality.preprocessor is not None:
            values = modality.preprocessor.transform(values)
        values = _numbers(values, modality.name)
        if modality.layout.has_views(values.shape, f"the modality {modality.name!r}"):
            raise ValueError(
                f"The modality {modality.name!r} of shape {values.shape} has a views axis, which "
                f"it had not in fit."
            )
        parts.append(ModalityRows(values, position, modality))
    return _with_something(ModalSamples(parts, layout), only)


def _check_names(modality: Modality, X) -> None:
    """Raise where the columns of a dict's entry are others than in fit, or in another order."""
    # A preprocessor does so itself, or knows them by name.
    if modality.feature_names is None or modality.preprocessor is not None:
        return
    names = _get_feature_names(named(X.get(modality.name)))
    if names is not None and tuple(names.tolist()) != modality.feature_names:
        raise ValueError(
            f"The feature names of the modality {modality.name!r} should match those that were "
            f"passed during fit, in their order: {list(modality.feature_names)}; got "
            f"{names.tolist()}."
        )


def _n_rows(X, modalities) -> int:
    if not isinstance(X, Mapping):
        return X.shape[0]
    names = [modality.name for modality in modalities]
    unknown = [name for name in X if name not in names]
    if unknown:
        raise ValueError(f"X has entries {unknown}; the modalities are {names}.")
    given = {name: values for name, values in X.items() if values is not None}
    for name, values in given.items():
        if not isinstance(values, Set):
            check_holds_rows(values, f"The entry {name!r} of X")
        is_sized = hasattr(values, "__len__") or hasattr(values, "shape")
        in_no_order = isinstance(values, Mapping | Set) and not sparse.issparse(values)
        if isinstance(values, str) or in_no_order or not is_sized:
            raise ValueError(f"The entry {name!r} of X must hold a value for each row: {values!r}.")
    lengths = {name: _num_samples(values) for name, values in given.items()}
    if not lengths:
        raise ValueError(f"X has no values in any of its entries {list(X)}.")
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The entries of X differ in length: {lengths}.")
    n = next(iter(lengths.values()))
    if not n:
        raise ValueError(f"The entries {list(X)} of X have 0 samples; at least 1 is required.")
    return n


def _present_part(modality: Modality, X, n: int) -> tuple[Any, np.ndarray]:
    """The values of the rows that have the modality, and the place of each row among them."""
    values = _as_array(modality.raw(X))
    if modality.columns is None and modality.preprocessor is None:
        values = as_lazy_array(values)
    if values is None:
        return None, np.full(n, -1)
    missing = _missing(values, modality.name, modality.preprocessor is not None)
    position = np.where(missing, -1, np.cumsum(~missing) - 1)
    if missing.any():
        present = np.flatnonzero(~missing)
        if isinstance(values, LazyArray):
            return _some_of(values, present), position
        values = _safe_indexing(values, present)
    return values, position


def _some_of(source: LazyArray, rows: np.ndarray) -> LazyArray:
    return LazyArray(
        lambda which: source[rows[which]], (len(rows), *source.shape[1:]), source.dtype
    )


def _as_array(values):
    """Lists of numbers as an array; lists of text and of what else there is as they are."""
    values = list(values) if isinstance(values, tuple) else tensor_to_array(values)
    if hasattr(values, "to_pylist") and not hasattr(values, "column_names"):
        # Texts and lists of Arrow are scalars of its own.
        array = np.asarray(values)
        values = values.to_pylist() if array.dtype == object else array
    if isinstance(values, list) and values and not any(isinstance(v, str) for v in values):
        # Rows that differ in length are for a preprocessor.
        with suppress(ValueError):
            array = np.asarray(values)
            values = array if array.dtype.kind in "biuf" else values
    return values


def _missing(values, name: str, partly_allowed: bool) -> np.ndarray:
    """Tell which rows are missing: wholly NaN or None."""
    if sparse.issparse(values):
        return np.zeros(values.shape[0], dtype=bool)
    if isinstance(values, list):
        return np.array([is_missing(value) for value in values])
    array = values if isinstance(values, LazyArray) else np.asarray(values)
    if array.dtype.kind in "OUS":
        flat = array.reshape(len(array), -1)
        absent = np.array([[is_missing(value) for value in row] for row in flat])
    elif isinstance(array, LazyArray) and array.dtype.kind == "f":
        # Once through all of it: training must know which rows there are.
        batches = np.array_split(np.arange(len(array)), -(-len(array) // _MAX_ROWS))
        nan = [np.isnan(array.take(rows)).reshape(len(rows), -1) for rows in batches]
        absent = np.concatenate([np.stack([part.all(1), part.any(1)], axis=1) for part in nan])
    elif array.dtype.kind == "f":
        absent = np.isnan(array).reshape(len(array), -1)
    else:
        return np.zeros(len(array), dtype=bool)
    whole = absent.all(1)
    partly = np.flatnonzero(absent.any(1) & ~whole)
    if len(partly) and not partly_allowed:
        raise ValueError(
            f"Input X contains NaN: {len(partly)} row(s) have the modality {name!r} in part, the "
            f"first is row {partly[0]}. A modality is missing where all of it is NaN or None; "
            f"impute the rest, e.g. by preprocessing=[({name!r}, SimpleImputer())]."
        )
    return whole


def _numbers(values, name: str):
    """Values as an array, a sparse matrix or a source of finite numbers."""
    if isinstance(values, LazyArray):
        _numbers(some_rows(values), name)
        return values
    values = stack_cells(values, f"the modality {name!r}")
    array = values if sparse.issparse(values) else np.asarray(values)
    is_object = array.dtype == object and array.size
    if array.dtype.kind in "US" or (is_object and isinstance(array.flat[0], str)):
        raise ValueError(
            f"The modality {name!r} holds text, which no network reads: could not convert string "
            f"to float. Give preprocessing=[({name!r}, TfidfVectorizer())] or the like."
        )
    values = check_array(
        array.reshape(-1, 1) if array.ndim == 1 else array,
        accept_sparse="csr",
        dtype="numeric",
        allow_nd=True,
        input_name=f"X of the modality {name!r}",
    )
    if values.dtype.kind not in "biuf":
        raise ValueError(
            f"The modality {name!r} holds values of dtype {values.dtype}, which no network reads; "
            "expected integers or floats. Convert it to numbers first."
        )
    if values.dtype.kind == "f" and values.dtype.itemsize > 4 and values.size:
        largest = abs(values).max()
        if largest > np.finfo(np.float32).max:
            raise ValueError(
                f"Input X contains values up to {largest:.3g} in the modality {name!r}, too large "
                "for float32, in which networks compute. Scale the data first."
            )
    return values


def _with_something(samples: ModalSamples, only: str | None = None) -> ModalSamples:
    """Raise where a row has none of the modalities that count."""
    empty = np.flatnonzero(~samples.mask.any(1))
    if len(empty):
        what = "any modality" if only is None else f"the modality {only!r}"
        raise ValueError(
            f"Input X contains NaN or None alone in {len(empty)} row(s), which lack {what}; the "
            f"first is row {empty[0]}. Leave those rows out."
        )
    return samples
