"""Checks of integer arguments, for several parts of the package."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any


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
        return tuple(
            check_positive_int(size, name)
            for size in ((sizes,) if isinstance(sizes, Integral) else sizes)
        )
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be a positive integer or a sequence of them, got {sizes!r}."
        ) from None
