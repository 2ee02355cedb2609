"""Parameters, and what preprocessors learned, as JSON knows them: told apart in any process."""

import functools
import hashlib
import json
import re
import types
from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.base import BaseEstimator

# What stands for parameters of which a file holds no more than that they are the user's own.
OWN_CODE = "(own code)"


def plain(value: Any, other: Callable[[Any], Any] = lambda value: OWN_CODE) -> Any:
    """A parameter as JSON knows it.

    Parameters
    ----------
    value : object
        Any.
    other : callable, default=that it is the user's own
        What stands for functions, modules and other objects.

    Returns
    -------
    value : None, bool, int, float, str, list or dict
        Equal for equal values of any type.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    if isinstance(value, list | tuple | range):
        return [plain(item, other) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), other)
    if isinstance(value, set | frozenset):
        # Their own order is another in each process.
        return sorted((plain(item, other) for item in value), key=json.dumps)
    if isinstance(value, dict):
        return {str(name): plain(item, other) for name, item in value.items()}
    if isinstance(value, slice):
        return f"slice({value.start}, {value.stop}, {value.step})"
    return other(value)


def described(value: Any) -> Any:
    """A parameter as JSON knows it, other objects by what tells them apart in any process.

    Parameters
    ----------
    value : object
        Any.

    Returns
    -------
    value : None, bool, int, float, str, list or dict
        Functions and classes by name, what has parameters by these, all else by its `repr`.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae._plain import described
    >>> described([torch.optim.RAdam, (1, 2)])
    ['torch.optim.radam.RAdam', [1, 2]]
    """
    return plain(value, _describe)


def _describe(value: Any) -> Any:
    if isinstance(value, functools.partial):
        return [described(part) for part in (value.func, value.args, value.keywords)]
    if hasattr(value, "__qualname__"):
        name = f"{value.__module__}.{value.__qualname__}"
        # Of functions within functions, and of those without a name, the name tells little.
        return [name, *_inside(value)] if "<" in name and hasattr(value, "__code__") else name
    if hasattr(value, "get_params"):
        return {"class": type(value).__qualname__, **described(_that_count(value))}
    text = repr(value)
    name = _without_addresses(text)
    # Without a repr of its own, its class alone would tell nothing of what it holds.
    return [name, plain(vars(value))] if name != text and hasattr(value, "__dict__") else name


def _inside(function) -> list:
    """What tells a function from others of its name: its code, defaults and what it closes over."""
    code = function.__code__
    inner = repr((code.co_names, plain(code.co_consts)))
    digest = hashlib.sha256(code.co_code + inner.encode()).hexdigest()[:16]
    cells = function.__closure__ or ()
    closed = [cell.cell_contents for cell in cells if cell != types.CellType()]
    return [digest, plain(function.__defaults__), plain(closed)]


def _without_addresses(text: str) -> str:
    return re.sub(r" at 0x\w+", "", text)


def fitted_digest(transformer: Any) -> str:
    """What tells a fitted transformer from one of other parameters, or fitted on other data.

    Parameters
    ----------
    transformer : transformer
        Fitted, of scikit-learn or by its conventions.

    Returns
    -------
    digest : str
        Of its parameters and fitted attributes, and of those of the estimators in it.
    """
    return hashlib.sha256(json.dumps(_learned(transformer), sort_keys=True).encode()).hexdigest()


def _that_count(estimator) -> dict[str, Any]:
    """Its parameters, without how many processors are used and what is said: no result's."""
    parameters = estimator.get_params(deep=False)
    return {name: v for name, v in parameters.items() if name not in ("n_jobs", "verbose")}


def _learned(value: Any, within: tuple[int, ...] = ()) -> Any:
    """What a value consists of, as far as it lasts; `within` are those that it is a part of."""
    if id(value) in within:
        return OWN_CODE
    inside = functools.partial(_learned, within=(*within, id(value)))
    if _is_transformer(value):
        parameters = _that_count(value) if hasattr(value, "get_params") else {}
        learned = {
            name: inside(v)
            for name, v in vars(value).items()
            if _holds_transformer(v)
            or (name.endswith("_") and not name.startswith("_"))
            # Rows that are kept are at times private; other private things may be of a process.
            or (name not in parameters and isinstance(v, np.ndarray))
        }
        return [type(value).__qualname__, described(parameters), learned]
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype == object):
        return [inside(v) for v in value]
    if isinstance(value, dict):
        return {str(name): inside(v) for name, v in value.items()}
    if sparse.issparse(value):
        return [plain(part) for part in (value.tocoo().coords, value.data)]
    if isinstance(value, torch.Tensor):
        return plain(value.detach().tolist())
    return plain(value, functools.partial(_taken_apart, inside=inside))


def _taken_apart(value: Any, inside: Callable[[Any], Any]) -> Any:
    """Another object by what pickle makes of it, such as a tree or a spline."""
    # What they draw next is not learned.
    if isinstance(value, np.random.RandomState | np.random.Generator):
        return OWN_CODE
    if hasattr(value, "__qualname__"):
        return described(value)
    try:
        _, *parts = value.__reduce_ex__(2)
    except Exception:
        # Whatever an object raises, it is one that no file can keep either.
        return OWN_CODE
    # Items of lists and dicts of a kind of their own come one by one.
    parts = [list(part) if isinstance(part, Iterator) else part for part in parts]
    return [type(value).__qualname__, *map(inside, parts)]


def _is_transformer(value: Any) -> bool:
    """Whether it keeps what it learned by the conventions of scikit-learn."""
    own = hasattr(value, "transform") and hasattr(value, "__dict__")
    return not isinstance(value, type) and (own or isinstance(value, BaseEstimator))


def _holds_transformer(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_transformer, value))
    return _is_transformer(value)


def one_or_many(name: str, value: Any) -> Any:
    """A parameter of sizes as a list, where a single size is given; all others as they are."""
    is_size = name.endswith(("_sizes", "_shape")) and isinstance(value, Integral)
    return [value] if is_size else value
