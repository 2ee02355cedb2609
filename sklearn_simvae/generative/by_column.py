"""The likelihoods of the columns of a table, found in the data or given."""

import functools
from typing import Any

import numpy as np

from sklearn_simvae._checks import missing
from sklearn_simvae.generative.bounds import BOUNDS, beyond_bounds
from sklearn_simvae.generative.likelihoods import LIKELIHOODS
from sklearn_simvae.views.augmentation.vectors import one_hot_blocks
from sklearn_simvae.views.columns import look_up_columns
from sklearn_simvae.views.reader import ArrayReader

Blocks = tuple[tuple[str, tuple[int, ...]], ...]


def hold_to_likelihood(reader: ArrayReader, likelihood: Any) -> None:
    """Have a reader refuse values that a likelihood is not of.

    Parameters
    ----------
    reader : ArrayReader
        Reader of X, whose layout is known unless X is to be fitted.
    likelihood : str or list of (str, columns)
        Parameter of the estimator, or the name of the likelihood that was fitted.
    """
    if not isinstance(likelihood, str) or likelihood == "by_column":
        if reader.layout is not None:
            _hold_columns(reader, reader.layout.blocks, reader.layout.n_features)
            return

        def find(table, rows):
            blocks = find_blocks(likelihood, table, rows)
            _hold_columns(reader, blocks, rows.shape[1])
            return blocks

        reader.find_blocks(find)
        return
    if likelihood not in ("auto", "gaussian"):
        reader.take_scales_as_they_are()
    if likelihood in BOUNDS:
        reader.require(*BOUNDS[likelihood], functools.partial(beyond_bounds, likelihood))


def _hold_columns(reader: ArrayReader, blocks: Blocks, n_features: int) -> None:
    bounds = bounds_of(blocks, n_features)
    reader.require(*bounds, functools.partial(beyond_bounds, "by_column"))


def find_blocks(likelihood: Any, table: Any, rows: np.ndarray) -> Blocks:
    """Assign a likelihood to each column.

    Parameters
    ----------
    likelihood : "by_column" or list of (str, columns)
        Parameter of the estimator. "by_column" finds blocks of one-hot encoded columns, which are
        categorical, and other columns of zeros and ones, which are Bernoulli.
    table : array-like or DataFrame of shape (n, n_features)
        Data to fit, in which columns are looked up as in
        :class:`~sklearn.compose.ColumnTransformer`.
    rows : ndarray of shape (n, n_features)
        Some of their values, NaN where one is missing.

    Returns
    -------
    blocks : tuple of (str, tuple of int)
        Names of likelihoods and their columns; those that are not named are Gaussian.

    Raises
    ------
    ValueError
        If an entry is not of that form, columns are not there or in two blocks, or values are not
        those of their likelihood.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.generative.by_column import find_blocks
    >>> rows = np.random.default_rng(0).normal(size=(20, 3))
    >>> find_blocks([("poisson", [2])], abs(rows), abs(rows))
    (('poisson', (2,)), ('gaussian', (0, 1)))
    """
    if isinstance(likelihood, str):
        blocks = _found(rows)
    else:
        blocks = [_given(item, table) for item in likelihood]
    taken = np.zeros(rows.shape[1], dtype=int)
    for _, columns in blocks:
        np.add.at(taken, list(columns), 1)
    if (taken > 1).any():
        raise ValueError(
            f"likelihood names the columns {np.flatnonzero(taken > 1).tolist()} twice. Give each "
            "column one likelihood."
        )
    for name, columns in blocks:
        _check_values(name, columns, rows[:, columns])
    if not taken.all():
        blocks.append(("gaussian", tuple(np.flatnonzero(taken == 0).tolist())))
    return tuple(blocks)


def bounds_of(blocks: Blocks, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of the values of each column.

    Parameters
    ----------
    blocks : tuple of (str, tuple of int)
        Likelihoods and their columns.
    n_features : int
        Number of columns.

    Returns
    -------
    low, high : ndarray of shape (n_features,)
        Bounds, infinite for the values of a Gaussian.
    """
    low, high = np.full(n_features, -np.inf), np.full(n_features, np.inf)
    for name, columns in blocks:
        low[list(columns)], high[list(columns)] = BOUNDS.get(name, (-np.inf, np.inf))
    return low, high


def _found(rows: np.ndarray) -> list:
    binary = ((rows == 0) | (rows == 1) | missing(rows)).all(0)
    # A category may be missing in some rows.
    whole = rows[~missing(rows[:, binary]).any(1)]
    one_hot = [("categorical", tuple(range(*ends))) for ends in one_hot_blocks(whole)]
    in_block = {column for _, columns in one_hot for column in columns}
    varying = (rows == 0).any(0) & (rows == 1).any(0)
    others = [int(c) for c in np.flatnonzero(binary & varying) if c not in in_block]
    return one_hot + ([("bernoulli", tuple(others))] if others else [])


def _given(item: Any, table: Any) -> tuple[str, tuple[int, ...]]:
    if not (isinstance(item, tuple | list) and len(item) == 2 and isinstance(item[0], str)):
        raise ValueError(f"likelihood must hold (name of a likelihood, columns), got {item!r}.")
    name, columns = item
    if name not in LIKELIHOODS:
        raise ValueError(f"likelihood names {name!r}; expected one of {list(LIKELIHOODS)}.")
    return name, look_up_columns(table, columns, f"The likelihood {name!r}")[1]


def _check_values(name: str, columns: tuple[int, ...], values: np.ndarray) -> None:
    low, high = BOUNDS.get(name, (-np.inf, np.inf))
    beyond = (values < low) | (values > high)
    if name == "categorical":
        beyond = beyond | ((values != 0) & (values != 1) & ~np.isnan(values))
        beyond = beyond | (np.nansum(values, 1, keepdims=True) > 1)
    if beyond.any():
        wanted = {
            "bernoulli": "values between 0 and 1",
            "categorical": "the columns of one category, of which one is 1 and the others are 0",
        }.get(name, "counts of at least 0")
        where = [columns[place] for place in np.flatnonzero(beyond.any(0))]
        raise ValueError(
            f"The likelihood {name!r} needs {wanted}, which the columns {where} do not hold. "
            "Encode them so, e.g. by OneHotEncoder, give one block for each category, or leave the "
            "columns to 'gaussian'."
        )
