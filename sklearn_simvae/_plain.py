"""Parameters, and what preprocessors learned, as JSON knows them: told apart in any process."""

import functools
import hashlib
import json
import types
from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.base import BaseEstimator

# Stands in a file for parameters that are the user's own code.
OWN_CODE = "(own code)"


def plain(
    value: Any,
    other: Callable[[Any], Any] = lambda value: OWN_CODE,
    array: Callable[[np.ndarray], Any] = np.ndarray.tolist,
) -> Any:
    """A parameter as JSON knows it.

    Parameters
    ----------
    value : object
        Any.
    other : callable, default=that it is the user's own
        Function that stands in for functions, modules and other objects.
    array : callable, default=its values
        Function that stands in for arrays.

    Returns
    -------
    value : None, bool, int, float, str, list or dict
        Equal for equal values of any type.
    """
    inside = functools.partial(plain, other=other, array=array)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    if isinstance(value, list | tuple | range):
        return [inside(item) for item in value]
    if isinstance(value, np.ndarray):
        return inside(array(value))
    if isinstance(value, set | frozenset):
        # Their own order is another in each process.
        return sorted(map(inside, value), key=json.dumps)
    if isinstance(value, dict):
        return {str(name): inside(item) for name, item in value.items()}
    if isinstance(value, slice):
        return f"slice({value.start}, {value.stop}, {value.step})"
    return other(value)


def described(value: Any, weights: bool = True) -> Any:
    """A parameter as JSON knows it, other objects by what tells them apart in any process.

    Parameters
    ----------
    value : object
        Any.
    weights : bool, default=True
        Whether torch modules are told by their weights too, or by their layers alone.

    Returns
    -------
    value : None, bool, int, float, str, list or dict
        Functions and classes by name, what has parameters by these, all else by its digest.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae._plain import described
    >>> described([torch.optim.RAdam, (1, 2)])
    ['torch.optim.radam.RAdam', [1, 2]]
    """
    return plain(value, functools.partial(_describe, weights=weights))


def _describe(value: Any, weights: bool) -> Any:
    inside = functools.partial(described, weights=weights)
    if isinstance(value, functools.partial):
        return inside([value.func, value.args, value.keywords])
    if isinstance(value, types.MethodType):
        return inside([value.__func__, value.__self__])
    if hasattr(value, "__qualname__"):
        return _name(value)
    if hasattr(value, "get_params"):
        parameters = _that_count(value.get_params(deep=False))
        return {"class": type(value).__qualname__, **inside(parameters)}
    if isinstance(value, torch.nn.Module) and not weights:
        return repr(value)
    return f"{_name(type(value))} {fitted_digest(value)[:16]}"


def _name(code) -> str:
    return f"{code.__module__}.{code.__qualname__}"


def fitted_digest(value: Any) -> str:
    """Compute a digest that differs for other parameters, and for other data of a fit.

    Parameters
    ----------
    value : transformer or object
        Fitted, of scikit-learn or by its conventions; or any object, told by its attributes.

    Returns
    -------
    digest : str
        Equal for equal parts, whatever their order in memory, and whichever of them are one object:
        `joblib.hash` and the bytes of pickle tell those apart.
    """
    return hashlib.sha256(json.dumps(_consists_of(value), sort_keys=True).encode()).hexdigest()


def _consists_of(value: Any, within: tuple[int, ...] = ()) -> Any:
    """A value as JSON knows it, objects by their parts; `within` are those that it is a part of."""
    return plain(value, functools.partial(_taken_apart, within=within), _array)


def _array(values: np.ndarray) -> list:
    # Records have bytes between their fields that no copy keeps, and objects are addresses.
    if values.dtype.kind in "OV":
        return values.tolist()
    return [values.dtype.str, values.shape, hashlib.sha256(values.tobytes()).hexdigest()]


def _taken_apart(value: Any, within: tuple[int, ...]) -> Any:
    # The numbers that they draw next are not learned.
    if isinstance(value, np.random.RandomState | np.random.Generator) or id(value) in within:
        return OWN_CODE
    if hasattr(value, "__qualname__") and not isinstance(value, types.MethodType):
        return _name(value)
    try:
        return [type(value).__qualname__, _consists_of(_parts(value), (*within, id(value)))]
    except Exception:
        # Whatever an object raises, it is one that no file can keep either.
        return OWN_CODE


def _parts(value: Any) -> Any:
    """Take an object apart, without the parts that belong to its process."""
    if isinstance(value, torch.Tensor):
        numbers = value.detach().cpu().contiguous().reshape(-1)
        return [str(value.dtype), tuple(value.shape), numbers.view(torch.uint8).numpy()]
    if sparse.issparse(value):
        entries = value.tocoo()
        return [entries.shape, *entries.coords, entries.data]
    if isinstance(value, torch.nn.Module):
        tensors = (value.named_parameters(recurse=False), value.named_buffers(recurse=False))
        return [_public(value), dict(value.named_children()), *map(dict, tensors)]
    if isinstance(value, BaseEstimator) or hasattr(value, "transform"):
        return _public(value)
    # Trees, splines and others by what pickle makes of them, of which lists of a kind come by item.
    return [list(p) if isinstance(p, Iterator) else p for p in value.__reduce_ex__(2)]


def _public(value: Any) -> dict[str, Any]:
    """Attributes that count; of private ones, which may be of a process, kept rows and steps."""
    lasting = np.ndarray | sparse.sparray | sparse.spmatrix | BaseEstimator
    own = {n: v for n, v in vars(value).items() if n[0] != "_" or isinstance(v, lasting)}
    return _that_count(own)


def _that_count(attributes: dict[str, Any]) -> dict[str, Any]:
    """Leave out what changes no result: processors, verbosity, and whether a module trains."""
    return {n: v for n, v in attributes.items() if n not in ("n_jobs", "verbose", "training")}


def one_or_many(name: str, value: Any) -> Any:
    """A parameter of sizes as a list, where a single size is given; all others as they are."""
    is_size = name.endswith(("_sizes", "_shape")) and isinstance(value, Integral)
    return [value] if is_size else value
