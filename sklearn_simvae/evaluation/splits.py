"""Splits of rows into train, validation and test rows, and checks of what probes predict."""

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils.validation import column_or_1d

from sklearn_simvae._checks import missing, seed_of
from sklearn_simvae.views.rows import tensor_to_array

# Row numbers of the train, validation and test rows.
Split = tuple[np.ndarray, np.ndarray, np.ndarray]


def check_probes(probes, known: Sequence[str], is_probe=is_classifier) -> dict[str, object]:
    """Check the probes, and return them by name.

    Parameters
    ----------
    probes : str, iterable of str, or dict of str to str or estimator
        The parameter `probes`, as the user gives it.
    known : sequence of str
        The names of the built-in probes.
    is_probe : callable, default=is_classifier
        Function that tells whether an estimator can be a probe.

    Returns
    -------
    named : dict of str to str or estimator
        For each probe, the name of a built-in probe or an estimator.

    Raises
    ------
    ValueError
        If there are no probes, or if one is neither a name nor a suitable estimator.
    """
    wanted = (
        f"Name some of {list(known)}, or give a dict from names to those or to scikit-learn "
        "estimators of your own."
    )
    probes = [probes] if isinstance(probes, str) else probes
    if not isinstance(probes, Iterable) or isinstance(probes, BaseEstimator):
        raise ValueError(f"probes is {probes!r}, which names no probe. {wanted}")
    pairs = list(probes.items() if isinstance(probes, Mapping) else ((p, p) for p in probes))
    if not pairs:
        raise ValueError(f"probes is empty. {wanted}")
    for name, value in pairs:
        built_in = isinstance(value, str) and value in known
        own = isinstance(value, BaseEstimator) and is_probe(value)
        if not (isinstance(name, str) and (built_in or own)):
            raise ValueError(f"probes has {value!r}, which is no probe here. {wanted}")
    return dict(pairs)


def check_sizes(**sizes: float) -> None:
    """Raise if a size is not a share of the rows.

    Parameters
    ----------
    **sizes : float
        Shares, by the names of the parameters.

    Raises
    ------
    ValueError
        If a size is not in (0, 1).
    """
    for name, size in sizes.items():
        if not (isinstance(size, Real) and 0 < size < 1):
            raise ValueError(
                f"{name} must be a share of the rows between 0 and 1, both excluded; got {size!r}."
            )


def check_seeds(n_repeats: int, random_state) -> list[int]:
    """Draw a seed for each repeat.

    Parameters
    ----------
    n_repeats : int
        Number of repeats.
    random_state : int, RandomState or None
        Source of the seeds.

    Returns
    -------
    seeds : list of int
        One seed for each repeat, to be used as `random_state`.

    Raises
    ------
    ValueError
        If `n_repeats` is not a positive integer.
    """
    if isinstance(n_repeats, bool) or not isinstance(n_repeats, Integral) or n_repeats < 1:
        raise ValueError(f"n_repeats must be an integer of at least 1; got {n_repeats!r}.")
    rng = np.random.RandomState(seed_of(random_state))
    return rng.randint(np.iinfo(np.int32).max, size=n_repeats).tolist()


def check_labels(labels, name: str) -> np.ndarray:
    """Check labels, and return them as an array.

    Parameters
    ----------
    labels : array-like of shape (n,)
        Numbers, booleans or strings, or a column of pandas.
    name : str
        Name of the labels in error messages.

    Returns
    -------
    labels : ndarray of shape (n,)
        The same labels. Objects become the numbers, booleans or strings that they are.

    Raises
    ------
    ValueError
        If the labels are not one column, if values are missing, or if they are of another kind.
    """
    if labels is None:
        raise ValueError(f"{name} is None; give one label for each row, of shape (n,).")
    try:
        labels = column_or_1d(_of_numpy(tensor_to_array(labels)))
    except ValueError as error:
        raise ValueError(
            f"{name} must be one label for each row, of shape (n,); got the shape "
            f"{np.shape(labels)}. Give one column, or each of them under a name of its own."
        ) from error
    # Many functions do not know numpy's strings of any length.
    labels = labels.astype(object) if labels.dtype.kind == "T" else labels
    kind = labels.dtype.kind
    if kind not in "biufUSO":
        raise ValueError(
            f"{name} has the type {labels.dtype}, which is not for labels. Give numbers, booleans "
            "or strings."
        )
    if kind == "S":
        return np.char.decode(labels)
    n_missing = np.sum(~np.isfinite(labels)) if kind == "f" else missing(labels).sum()
    if n_missing:
        raise ValueError(
            f"{name} has {n_missing} missing or infinite values. Leave those rows out."
        )
    if kind == "O":
        # All booleans, or all numbers, keep their type; a mixture becomes strings.
        kinds = {bool if isinstance(v, bool | np.bool_) else isinstance(v, Real) for v in labels}
        found = np.array(labels.tolist()) if kinds in ({bool}, {True}) else labels.astype(str)
        return found if found.dtype.kind in "biufU" else labels.astype(str)
    return labels


def _of_numpy(labels):
    """Make a column of pandas one of numpy; whole numbers and booleans keep their kind."""
    dtype = getattr(labels, "dtype", None)
    # The types of pandas that allow missing values have a numpy type each.
    plain = getattr(dtype, "numpy_dtype", np.dtype(float))
    if plain.kind in "biu" and hasattr(labels, "isna") and not labels.isna().any():
        return labels.to_numpy(dtype=plain)
    names = np.asarray(getattr(dtype, "categories", ()))
    if names.dtype.kind == "f" and np.any(names % 1) and not labels.isna().any():
        # Categories are classes, even if their names are fractions.
        return np.asarray(labels).astype(str)
    return labels


def check_classes(y, name: str) -> np.ndarray:
    """Check classes, and return them as an array.

    Parameters
    ----------
    y : array-like of shape (n,)
        Classes.
    name : str
        Name of the classes in error messages.

    Returns
    -------
    y : ndarray of shape (n,)
        The classes, as :func:`check_labels` returns them.

    Raises
    ------
    ValueError
        If the classes are continuous, or all the same.
    """
    y = check_labels(y, name)
    if y.dtype.kind == "f" and np.any(y != np.floor(y)):
        raise ValueError(
            f"{name} is continuous, where classes are expected. Give it to style_probe, as a "
            "factor, or cut it into classes."
        )
    if len(np.unique(y)) < 2:
        raise ValueError(f"{name} has one class, {y[:1]}; a probe needs at least 2.")
    return y


def check_test_classes(y_test, y: np.ndarray, name: str) -> np.ndarray:
    """Check the classes of test rows, and return them as an array.

    Parameters
    ----------
    y_test : array-like of shape (n_test,)
        Classes.
    y : ndarray of shape (n,)
        Classes of the other rows.
    name : str
        Name of the classes in error messages.

    Returns
    -------
    y_test : ndarray of shape (n_test,)
        The classes, as :func:`check_labels` returns them.

    Raises
    ------
    ValueError
        If there are classes that `y` does not have.
    """
    y_test = check_labels(y_test, f"{name} of the test rows")
    others = sorted(set(y_test.tolist()) - set(y.tolist()), key=str)
    if others:
        raise ValueError(
            f"{name} of the test rows has classes that {name} does not have: {others[:5]}. No "
            "probe can learn them; leave those test rows out, or give rows of these classes."
        )
    return y_test


def check_train_classes(y: np.ndarray, splits, name: str) -> None:
    """Raise if the train rows of a split have only one class.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Classes.
    splits : list of (int, split)
        Splits, as :func:`make_splits` returns them.
    name : str
        Name of the classes in error messages.

    Raises
    ------
    ValueError
        If the train rows of a split have only one class.
    """
    if any(len(np.unique(y[train])) < 2 for _, (train, _, _) in splits):
        raise ValueError(
            f"{name} has rows of one class only left to train on in one of the splits. Give more "
            "rows of the other classes, or groups that hold several classes."
        )


def check_parts_differ(values: np.ndarray, splits, name: str) -> None:
    """Raise if a number is the same in all validation rows, or all test rows, of a split.

    Parameters
    ----------
    values : ndarray of shape (n,)
        The numbers.
    splits : list of (int, split)
        Splits, as :func:`make_splits` returns them.
    name : str
        Name of the numbers in error messages.

    Raises
    ------
    ValueError
        If the number is the same, so that R2 is not defined.
    """
    for _, (_, *parts) in splits:
        for part, rows in zip(("validation", "test"), parts, strict=True):
            if np.ptp(values[rows]) == 0:
                raise ValueError(
                    f"{name} is the same in all {len(rows)} {part} rows of one of the splits, so "
                    "that R2 is not defined there. Give more rows or groups, or raise "
                    "validation_size or test_size."
                )


def make_splits(
    n: int,
    seeds: Sequence[int],
    *,
    test_size: float,
    validation_size: float,
    classes: np.ndarray | None = None,
    groups=None,
    n_test: int = 0,
) -> list[tuple[int, Split]]:
    """Split rows into train, validation and test rows, once for each seed.

    Parameters
    ----------
    n : int
        Number of rows to split.
    seeds : sequence of int
        One for each split.
    test_size : float
        Share of the rows to test on.
    validation_size : float
        Share of the other rows to choose settings on.
    classes : ndarray of shape (n,), default=None
        Classes by which the splits are stratified, unless there are groups.
    groups : array-like of shape (n,), default=None
        The group of each row; rows of one group stay together.
    n_test : int, default=0
        Number of test rows that follow the `n` rows; 0 splits the test rows off the `n` rows.

    Returns
    -------
    splits : list of (int, (ndarray, ndarray, ndarray))
        Each seed with the numbers of the train, validation and test rows.

    Raises
    ------
    ValueError
        If there are too few rows, groups, or rows of a class.
    """
    if groups is not None:
        groups = check_labels(groups, "groups")
        if len(groups) != n:
            raise ValueError(f"groups has {len(groups)} rows and X {n}. Give each row its group.")
        splitter, n_units = GroupShuffleSplit, len(np.unique(groups))
    else:
        splitter, n_units = (ShuffleSplit if classes is None else StratifiedShuffleSplit), n

    def split(rows, size, seed):
        by = [None if labels is None else labels[rows] for labels in (classes, groups)]
        kept, held = next(splitter(1, test_size=size, random_state=seed).split(rows, *by))
        return rows[kept], rows[held]

    splits = []
    try:
        for seed in seeds:
            rest, test = np.arange(n), np.arange(n, n + n_test)
            if n_test == 0:
                rest, test = split(rest, test_size, seed)
            splits.append((seed, (*split(rest, validation_size, seed), test)))
            if splitter is StratifiedShuffleSplit:
                # It refuses classes of a single row, but not parts without a class.
                parts = splits[-1][1][: 2 if n_test else 3]
                if any(len(np.unique(classes[part])) < len(np.unique(classes)) for part in parts):
                    raise ValueError("A part lacks a class.")
    except ValueError as error:
        held = 0 if n_test else test_size
        smallest = min(held or 1, (1 - held) * validation_size, (1 - held) * (1 - validation_size))
        # One row more than the smallest part needs, since rounding may take one.
        needed = math.ceil(1 / smallest) + 1
        what = f"there are {n_units} {'rows' if groups is None else 'groups'}"
        advice = f"{needed} are enough. Give more"
        if splitter is StratifiedShuffleSplit:
            what, advice = _rarest(classes, needed)
        raise ValueError(
            f"The rows cannot be split into train, validation and test rows, as {what}; {advice}, "
            "or change test_size or validation_size."
        ) from error
    return splits


def _rarest(classes: np.ndarray, needed: int) -> tuple[str, str]:
    """Return what a message tells of the class with too few rows, and its advice."""
    found, counts = np.unique(classes, return_counts=True)
    return (
        f"the class {found[counts.argmin()]} has {counts.min()} row(s)",
        f"{needed} rows of each class are enough. Leave rarer classes out",
    )
