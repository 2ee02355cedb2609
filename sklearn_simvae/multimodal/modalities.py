"""Kinds of data in one row: declared as in ColumnTransformer, read a batch at a time."""

from collections.abc import Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils._indexing import _get_column_indices
from sklearn.utils.validation import _get_feature_names, _num_samples, check_array

from sklearn_simvae._checks import is_missing
from sklearn_simvae.views import Layout, Source, as_source
from sklearn_simvae.views.layout import kind_of_rows
from sklearn_simvae.views.rows import check_holds_rows, stack_cells, tensor_to_array
from sklearn_simvae.views.sources import held_between, named, some_rows

# Rows of a source that are looked through at a time.
_MAX_ROWS = 1024


@dataclass(frozen=True)
class Modality:
    """A kind of data in the rows of X.

    Parameters
    ----------
    name : str
        Its name.
    encoder : str, callable or torch.nn.Module
        As the `encoder` of the other estimators.
    columns : tuple of int or None
        Its columns in X; None where X is a dict.
    as_series : bool
        Whether its column is taken as one-dimensional, as text vectorisers want it.
    preprocessor : transformer or None
        Fitted, of this modality alone.
    layout : Layout
        How what the preprocessor gives is read.
    start : int
        Its first place in a row as the networks read it.
    feature_names : tuple of str or None
        Names of the columns of a dict's entry, where they are strings.
    """

    name: str
    encoder: Any
    columns: tuple[int, ...] | None
    as_series: bool = False
    preprocessor: Any = None
    layout: Layout | None = None
    start: int = 0
    feature_names: tuple[str, ...] | None = None

    @property
    def stop(self) -> int:
        """The place after its last."""
        return self.start + self.layout.n_features

    def raw(self, X) -> Any:
        """Its part of X, as it comes; None where a dict does not have it."""
        if self.columns is None:
            return X.get(self.name)
        # Sparse arrays of one dimension are new to scipy.
        as_series = self.as_series and not sparse.issparse(X)
        columns = self.columns[0] if as_series else list(self.columns)
        values = take_columns(X, columns)
        # Columns of Arrow hold scalars of its own.
        return values.to_pylist() if as_series and hasattr(values, "to_pylist") else values


def take_columns(X, columns: int | list[int]):
    """Take a column of a table as a series, or some of them as a table."""
    if hasattr(X, "to_pylist") and hasattr(X, "select"):
        # Tables of Arrow, which old versions of scikit-learn do not index.
        return X.select(columns) if isinstance(columns, list) else X.column(columns)
    return _safe_indexing(X, columns, axis=1)


@dataclass(frozen=True)
class ModalLayout(Layout):
    """The layout of rows that hold several modalities, one after the other.

    Parameters
    ----------
    modalities : tuple of Modality
        In the order in which they were declared.
    n_columns : int
        Columns of X in `fit`; for a dict, all values of a row.
    from_dict : bool
        Whether X was a dict.
    """

    modalities: tuple[Modality, ...] = ()
    n_columns: int = 0
    from_dict: bool = False

    @property
    def names(self) -> list[str]:
        """Names of the modalities."""
        return [modality.name for modality in self.modalities]

    def index(self, name: str) -> int:
        """The place of a modality.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        index : int
            Counted from 0.

        Raises
        ------
        ValueError
            If there is none of that name.
        """
        if name not in self.names:
            raise ValueError(f"There is no modality {name!r}; there are {self.names}.")
        return self.names.index(name)

    def apart(self, feature_names: np.ndarray | None) -> "ModalLayout":
        """The same for a dict of the columns of each modality of a table.

        Parameters
        ----------
        feature_names : ndarray of str of shape (n_columns,) or None
            Names of all columns.

        Returns
        -------
        layout : ModalLayout
            Of such a dict.
        """
        modalities = []
        for m in self.modalities:
            names = None if feature_names is None else feature_names[list(m.columns)]
            names = None if names is None or m.as_series else tuple(names.tolist())
            modalities.append(replace(m, columns=None, feature_names=names))
        return replace(self, modalities=tuple(modalities), from_dict=True)


@dataclass
class Block:
    """The values of a modality in the rows that have it.

    Parameters
    ----------
    values : ndarray, sparse matrix or Source of shape (n_present, ...)
        Of those rows alone.
    position : ndarray of int of shape (n,)
        For each row its place in `values`, -1 where it has none.
    """

    values: Any
    position: np.ndarray

    def hold_between(self, low: float, high: float) -> None:
        """Have values beyond these bounds refused when they are read."""
        self.values = held_between(self.values, low, high)


class Blocks:
    """Rows of several modalities, put together when they are read.

    Indexed by an array of integers it gives rows of float32, one modality after the other, NaN
    where one is missing: sparse and uint8 values stay what they are until then.

    Parameters
    ----------
    blocks : list of Block
        One for each modality.
    modalities : sequence of Modality
        Where their values go.
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, blocks: list[Block], modalities):
        self.blocks = blocks
        self.modalities = modalities
        self.shape = (len(blocks[0].position), modalities[-1].stop)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows) -> np.ndarray:
        rows = np.arange(len(self))[rows]
        out = np.full((len(rows), self.shape[1]), np.nan, dtype=np.float32)
        for block, modality in zip(self.blocks, self.modalities, strict=True):
            position = block.position[rows]
            present = np.flatnonzero(position >= 0)
            values = block.values[position[present]]
            values = values.toarray() if sparse.issparse(values) else np.asarray(values)
            part = values.reshape(len(present), modality.layout.n_features).astype(np.float32)
            if modality.layout.pixels and values.dtype == np.uint8:
                part /= 255
            out[present, modality.start : modality.stop] = part
        return out

    def present(self) -> np.ndarray:
        """Which rows have which modality, as bool of shape (n, n_modalities)."""
        return np.stack([block.position >= 0 for block in self.blocks], axis=1)


def declare(X, modalities, preprocessing) -> tuple[Modality, ...]:
    """The modalities of X as they are declared, their columns looked up.

    Parameters
    ----------
    X : array-like, DataFrame, sparse matrix or dict
        What is to be fitted.
    modalities : list of (name, encoder) or (name, encoder, columns), or None
        None is the entries of a dict, or the two halves of the columns.
    preprocessing : list of (name, transformer)
        Transformers of some of them.

    Returns
    -------
    modalities : tuple of Modality
        Without layouts, with transformers that are not fitted.

    Raises
    ------
    ValueError
        If the declaration is not of that form, there are fewer than two, names repeat, columns are
        none, not there or in two modalities, or a transformer is for none of them.
    """
    is_dict = isinstance(X, Mapping)
    if modalities is None:
        modalities = [(name, "auto") for name in X] if is_dict else _halves(X)
    declared = []
    for item in modalities:
        is_item = isinstance(item, tuple | list) and len(item) in (2, 3)
        if not (is_item and isinstance(item[0], str)):
            raise ValueError(
                f"modalities must hold (name, encoder, columns), got {item!r}. Where X is a dict, "
                "(name, encoder) will do."
            )
        name, encoder, columns = item if len(item) == 3 else (*item, None)
        if is_dict:
            names = _get_feature_names(named(X.get(name)))
            names = None if names is None else tuple(names.tolist())
            declared.append(Modality(name, encoder, None, feature_names=names))
            continue
        if columns is None:
            raise ValueError(
                f"The modality {name!r} has no columns. Give (name, encoder, columns), or X as a "
                "dict of arrays by name."
            )
        try:
            columns = columns(X) if callable(columns) else columns
            indices = tuple(_get_column_indices(X, columns))
        # KeyError: scikit-learn 1.6 does not catch those of pandas.
        except (LookupError, ValueError, TypeError, AttributeError, NotImplementedError) as error:
            raise ValueError(
                f"The modality {name!r} has columns that X does not have: {columns!r}. {error}"
            ) from error
        if not indices:
            raise ValueError(
                f"The modality {name!r} has no columns: {columns!r} selects none of X, which has "
                f"n_features = {X.shape[1]}."
            )
        declared.append(Modality(name, encoder, indices, as_series=np.isscalar(columns)))
    _check_declared(declared, X if is_dict else None)
    _check_preprocessing(preprocessing, [m.name for m in declared])
    transformers = dict(preprocessing)
    return tuple(replace(m, preprocessor=transformers.get(m.name)) for m in declared)


def _halves(X):
    n_columns = X.shape[1]
    if n_columns < 2:
        raise ValueError(
            f"X has n_features = {n_columns}, and 1 feature(s) cannot hold two modalities: a "
            "minimum of 2 is required."
        )
    half = (n_columns + 1) // 2
    return [("first", "auto", slice(0, half)), ("second", "auto", slice(half, n_columns))]


def _check_declared(declared: list[Modality], X: Mapping | None) -> None:
    names = [m.name for m in declared]
    if len(names) < 2:
        raise ValueError(f"At least two modalities are needed, got {names}.")
    if len(set(names)) < len(names):
        raise ValueError(f"Modalities must have names of their own, got {names}.")
    if X is not None:
        others = sorted(set(X) ^ set(names), key=str)
        if others:
            raise ValueError(
                f"The entries of X are {list(X)}, but modalities names {names}. Name all of them."
            )
        return
    seen: dict[int, str] = {}
    for modality in declared:
        for column in modality.columns:
            if column in seen:
                raise ValueError(
                    f"The modalities {seen[column]!r} and {modality.name!r} overlap: both have "
                    f"column {column}. Give each column to one of them."
                )
            seen[column] = modality.name


def _check_preprocessing(preprocessing, names: list[str]) -> None:
    for item in preprocessing:
        valid = isinstance(item, tuple | list) and len(item) == 2
        if not valid or isinstance(item[1], type) or not hasattr(item[1], "fit_transform"):
            raise ValueError(
                f"preprocessing must hold (name of a modality, transformer), got {item!r}."
            )
    unknown = [name for name, _ in preprocessing if name not in names]
    if unknown:
        raise ValueError(f"preprocessing names {unknown}, but the modalities are {names}.")


def fit_modalities(
    X, declared: tuple[Modality, ...], input_shapes: Mapping | None
) -> tuple[Blocks, ModalLayout]:
    """Fit the transformers, and read X.

    Parameters
    ----------
    X : array-like, DataFrame, sparse matrix or dict
        What is to be fitted.
    declared : tuple of Modality
        From :func:`declare`.
    input_shapes : dict of str to tuple of int or None
        The shape of one row of a modality, where its values alone do not tell.

    Returns
    -------
    blocks : Blocks
        The values.
    layout : ModalLayout
        How they are read, with the transformers fitted.

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
    blocks, modalities, start = [], [], 0
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
        modality = replace(modality, layout=layout, start=start)
        start = modality.stop
        blocks.append(Block(values, position))
        modalities.append(modality)
    is_dict = isinstance(X, Mapping)
    layout = ModalLayout(
        "vector",
        (start,),
        (start,),
        modalities=tuple(modalities),
        n_columns=start if is_dict else X.shape[1],
        from_dict=is_dict,
    )
    return _with_something(Blocks(blocks, layout.modalities)), layout


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


def read_modalities(X, layout: ModalLayout, only: str | None = None) -> Blocks:
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
    blocks : Blocks
        The values.

    Raises
    ------
    ValueError
        If X is not like what was fitted, or a row has nothing that counts.
    """
    if only is not None:
        layout.index(only)
    n = _n_rows(X, layout.modalities)
    blocks = []
    for modality in layout.modalities:
        values, position = None, np.full(n, -1)
        if only in (None, modality.name):
            _check_names(modality, X)
            values, position = _present_part(modality, X, n)
        if not len(position[position >= 0]):
            blocks.append(Block(np.empty((0, modality.layout.n_features), np.float32), position))
            continue
        if modality.preprocessor is not None:
            values = modality.preprocessor.transform(values)
        values = _numbers(values, modality.name)
        if modality.layout.has_views(values.shape, f"the modality {modality.name!r}"):
            raise ValueError(
                f"The modality {modality.name!r} of shape {values.shape} has a views axis, which "
                f"it had not in fit."
            )
        blocks.append(Block(values, position))
    return _with_something(Blocks(blocks, layout.modalities), only)


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
        values = as_source(values)
    if values is None:
        return None, np.full(n, -1)
    missing = _missing(values, modality.name, modality.preprocessor is not None)
    position = np.where(missing, -1, np.cumsum(~missing) - 1)
    if missing.any():
        present = np.flatnonzero(~missing)
        if isinstance(values, Source):
            return _some_of(values, present), position
        values = _safe_indexing(values, present)
    return values, position


def _some_of(source: Source, rows: np.ndarray) -> Source:
    return Source(lambda which: source[rows[which]], (len(rows), *source.shape[1:]), source.dtype)


def _as_array(values):
    """Lists of numbers as an array; lists of text and of what else there is as they are."""
    values = list(values) if isinstance(values, tuple) else tensor_to_array(values)
    if hasattr(values, "to_pylist") and not hasattr(values, "column_names"):
        # Of Arrow, whose texts and lists are scalars of its own.
        array = np.asarray(values)
        values = values.to_pylist() if array.dtype == object else array
    if isinstance(values, list) and values and not any(isinstance(v, str) for v in values):
        # Rows that differ in length are for a preprocessor.
        with suppress(ValueError):
            array = np.asarray(values)
            values = array if array.dtype.kind in "biuf" else values
    return values


def _missing(values, name: str, partly_allowed: bool) -> np.ndarray:
    """Which rows are missing: wholly NaN or None."""
    if sparse.issparse(values):
        return np.zeros(values.shape[0], dtype=bool)
    if isinstance(values, list):
        return np.array([is_missing(value) for value in values])
    array = values if isinstance(values, Source) else np.asarray(values)
    if array.dtype.kind in "OUS":
        flat = array.reshape(len(array), -1)
        absent = np.array([[is_missing(value) for value in row] for row in flat])
    elif isinstance(array, Source) and array.dtype.kind == "f":
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
    if isinstance(values, Source):
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


def _with_something(blocks: Blocks, only: str | None = None) -> Blocks:
    """Raise where a row has none of the modalities that count."""
    empty = np.flatnonzero(~blocks.present().any(1))
    if len(empty):
        what = "any modality" if only is None else f"the modality {only!r}"
        raise ValueError(
            f"Input X contains NaN or None alone in {len(empty)} row(s), which lack {what}; the "
            f"first is row {empty[0]}. Leave those rows out."
        )
    return blocks
