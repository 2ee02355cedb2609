"""Factors of style by name: numbers are predicted by regression, all others by classification."""

import warnings
from collections.abc import Mapping

import numpy as np
from sklearn.utils.validation import check_consistent_length

from sklearn_simvae.evaluation.representations import first_part
from sklearn_simvae.evaluation.splits import check_classes, check_labels, check_test_classes


def is_numeric(values: np.ndarray) -> bool:
    """Tell whether a factor that was checked is predicted by regression."""
    return values.dtype.kind == "f"


def _named(factors) -> dict[str, object]:
    """Return the factors by name, whatever their form."""
    if isinstance(factors, Mapping) or hasattr(factors, "columns"):
        # In Arrow, `columns` are the values, not the names.
        names = factors if isinstance(factors, Mapping) else factors.columns
        names = list(getattr(factors, "column_names", names))
        found = {str(name): factors[name] for name in names}
        if len(found) < len(names):
            raise ValueError(f"Two factors have one name, among {names}. Give each its own.")
        return found
    # A column of pandas stays as it is, since its type may be categorical.
    if np.ndim(factors) == 1:
        return {"style": factors}
    # An array of objects keeps numbers that stand beside strings.
    factors = factors if hasattr(factors, "dtype") else np.asarray(factors, dtype=object)
    if factors.ndim != 2:
        raise ValueError(
            f"factors has the shape {factors.shape}. Give an array of shape (n,) or (n, "
            "n_factors), a dict of arrays of shape (n,), or a DataFrame."
        )
    return {str(i): column for i, column in enumerate(factors.T)}


def check_factors(factors, X) -> dict[str, np.ndarray]:
    """Return the factors that differ between rows: float64 for regression, others for classes."""
    factors = _named(factors)
    if not factors:
        raise ValueError(
            "There are no factors to predict. Give some, or an augmentation of "
            "sklearn_simvae.views.augmentation, which tells what it drew."
        )
    if "mean" in factors:
        raise ValueError("A factor is named 'mean', as is the mean over all. Name it otherwise.")
    checked = {}
    for name, values in factors.items():
        labels = check_labels(values, f"the factor {name!r}")
        check_consistent_length(first_part(X), labels)
        if str(getattr(values, "dtype", "")) == "category":
            labels = labels.astype(str)
        if np.all(labels == labels[:1]):
            warnings.warn(
                f"The factor {name!r} is the same for all rows of X, and is left out.",
                stacklevel=3,
            )
        elif is_numeric(labels):
            checked[name] = labels.astype(np.float64)
        else:
            checked[name] = check_classes(labels, f"the factor {name!r}")
    if not checked:
        raise ValueError(
            f"All factors, {list(factors)}, are the same for all rows. Give factors that vary."
        )
    return checked


def check_test_factors(factors_test, X_test, factors: dict) -> dict[str, np.ndarray]:
    """Return the same factors of the test rows."""
    named, checked = _named(factors_test), {}
    missing = [name for name in factors if name not in named]
    if missing:
        raise ValueError(
            f"factors_test has {list(named)} and lacks {missing}. Give all that factors has."
        )
    for name, values in factors.items():
        what = f"the factor {name!r}"
        if is_numeric(values):
            checked[name] = check_labels(named[name], f"{what} of the test rows").astype(np.float64)
        else:
            labels = check_labels(named[name], f"{what} of the test rows")
            labels = labels.astype(str) if values.dtype.kind == "U" else labels
            # One type for both, since together they could become floats, which are regressed.
            checked[name] = check_test_classes(labels, values, what).astype(values.dtype)
        check_consistent_length(first_part(X_test), checked[name])
    return checked
