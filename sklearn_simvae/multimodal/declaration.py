"""Modalities as they are declared, like the columns of a ColumnTransformer."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from sklearn.utils.validation import _get_feature_names

from sklearn_simvae.multimodal.layout import Modality
from sklearn_simvae.views.columns import look_up_columns
from sklearn_simvae.views.lazy import named


def declare(X, modalities, preprocessing) -> tuple[Modality, ...]:
    """The modalities of X as they are declared, their columns looked up.

    Parameters
    ----------
    X : array-like, DataFrame, sparse matrix or dict
        Data to fit.
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
        columns, indices = look_up_columns(X, columns, f"The modality {name!r}")
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
