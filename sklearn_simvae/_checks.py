"""Checks of integer arguments, for several parts of the package."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state


def check_positive_int(value: Any, name: str) -> int:
    """Convert a positive integer of any type to an int.

    Parameters
    ----------
    value : int or numpy integer
        Value to check.
    name : str
        Name of the argument in the message.

    Returns
    -------
    int
        The value.

    Raises
    ------
    ValueError
        If the value is not a positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae._checks import check_positive_int
    >>> check_positive_int(np.int64(3), "n_outputs")
    3
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}.")
    return int(value)


def check_sizes(sizes: Sequence[int] | int, name: str) -> tuple[int, ...]:
    """Convert a positive integer, or a sequence of positive integers, to a tuple.

    Parameters
    ----------
    sizes : int or sequence of int
        A positive integer, or a sequence of positive integers that may be empty.
    name : str
        Name of the argument in the message.

    Returns
    -------
    tuple of int
        The sizes.

    Raises
    ------
    ValueError
        If `sizes` is anything else.

    Examples
    --------
    >>> from sklearn_simvae._checks import check_sizes
    >>> check_sizes(3, "sizes"), check_sizes([4, 2], "sizes")
    ((3,), (4, 2))
    """
    try:
        # The characters of a text, of which there may be none, are no sizes.
        single = isinstance(sizes, Integral | str | bytes)
        return tuple(check_positive_int(size, name) for size in ((sizes,) if single else sizes))
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be a positive integer or a sequence of them, got {sizes!r}."
        ) from None


def check_count(value, name: str, least: int = 1) -> None:
    """Raise unless a number of things is an int, and large enough."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        wanted = "a positive int" if least == 1 else f"an int of at least {least}"
        raise ValueError(f"{name} must be {wanted}, got {value!r}.")


def check_finite(estimator: str, made: np.ndarray, name: str = "X") -> np.ndarray:
    """Return the values that an estimator computed, or raise if some are not finite."""
    bad = ~np.isfinite(made).reshape(len(made), -1).all(1)
    if bad.any():
        raise ValueError(
            f"{estimator} makes values that are not finite of {bad.sum()} of "
            f"{len(made)} rows of {name}, the first of them row {bad.argmax()}: numbers of that "
            "size overflow float32. Scale the data to that of fit, e.g. by StandardScaler."
        )
    return made


def missing(labels: np.ndarray) -> np.ndarray:
    """Tell which labels are NaN, NaT, None or the NA of pandas."""
    kind = labels.dtype.kind
    if kind in "mM":
        return np.isnat(labels)
    if kind == "f":
        return np.isnan(labels)
    if kind == "O":
        # NaT differs from itself, as NaN does.
        return np.array([is_missing(v) or v != v for v in labels])
    return np.zeros(len(labels), dtype=bool)


def is_missing(value) -> bool:
    """Whether one value, of any type, is None, NaN or the NA of pandas."""
    if value is None or type(value).__name__ == "NAType":
        return True
    # NaN differs from itself.
    return isinstance(value, Real) and bool(value != value)


def seed_of(random_state) -> int:
    """A seed from `random_state`; None takes fresh entropy, not the global state."""
    rng = np.random.RandomState() if random_state is None else check_random_state(random_state)
    return int(rng.randint(np.iinfo(np.int32).max))
