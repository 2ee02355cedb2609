"""Arguments of constructors as JSON holds them, from which they are made again without any code."""

from typing import Any

import numpy as np
import torch

from sklearn_simvae import views
from sklearn_simvae._plain import OWN_CODE, plain
from sklearn_simvae.views import Augmentation

# Arrays of numbers are written with their values. Greatest depth of values in each other.
_KINDS, _MOST_NESTED = "biuf", 50


class NotHeld(ValueError):
    """Error of a value that a file does not hold, such as a function of the user."""


def written(value: Any) -> Any:
    """Return a value in a form that JSON can hold and :func:`read` understands.

    Parameters
    ----------
    value : object
        Argument of a constructor.

    Returns
    -------
    form : None, bool, int, float, str, list or dict
        Values that JSON does not know are a dict of one item, whose key names their kind. Code,
        and objects that are not of this package, have only their name there.

    Examples
    --------
    >>> from sklearn_simvae.persistence.arguments import read, written
    >>> written((64, slice(2)))
    {'tuple': [64, {'slice': [None, 2, None]}]}
    >>> read(written((64, slice(2))))
    (64, slice(None, 2, None))
    """
    if isinstance(value, list):
        return [written(item) for item in value]
    if type(value) is tuple:
        return {"tuple": [written(item) for item in value]}
    if isinstance(value, dict):
        named = all(isinstance(name, str) for name in value)
        return {"dict": {n: written(v) for n, v in value.items()}} if named else {"code": "a dict"}
    if isinstance(value, slice):
        return {"slice": [written(part) for part in (value.start, value.stop, value.step)]}
    if isinstance(value, np.ndarray) and value.dtype.kind in _KINDS:
        return {"array": [value.dtype.str, value.tolist()]}
    if isinstance(value, torch.device):
        return str(value)
    if _augmentation(type(value).__name__) is type(value):
        parameters = {n: written(v) for n, v in value.get_params(deep=False).items()}
        return {"augmentation": [type(value).__name__, parameters]}
    if isinstance(value, type) and _optimizer(value.__name__) is value:
        return {"optimizer": value.__name__}
    return plain(value, lambda value: {"code": _name(value)})


def read(form: Any, depth: int = 0) -> Any:
    """Return the value that :func:`written` gave the form of. No code is run.

    Parameters
    ----------
    form : object
        Value from JSON.
    depth : int, default=0
        Number of values that it is part of.

    Returns
    -------
    value : object
        Equal to the one that was written.

    Raises
    ------
    NotHeld
        If only the name of the value, or of a part of it, was written.
    ValueError
        If the form is none that :func:`written` gives.
    """
    if depth > _MOST_NESTED:
        raise ValueError("The parameters in the file are nested too deep.")
    if isinstance(form, list):
        return [read(item, depth + 1) for item in form]
    if not isinstance(form, dict):
        return form
    try:
        ((kind, content),) = form.items()
        return _READ[kind](content, depth + 1)
    except NotHeld:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f"The parameters in the file have an unknown form: {error!r}.") from error


def read_former(value: Any) -> Any:
    """Return a value that former versions wrote for readers alone.

    Parameters
    ----------
    value : object
        Value from JSON.

    Returns
    -------
    value : object
        The same value, with lists for tuples.

    Raises
    ------
    NotHeld
        If code, or a slice, is only mentioned there.
    """
    if isinstance(value, list):
        return [read_former(item) for item in value]
    if isinstance(value, dict):
        return {name: read_former(item) for name, item in value.items()}
    if isinstance(value, str) and (value == OWN_CODE or value.startswith("slice(")):
        raise NotHeld(value.strip("()"))
    return value


def _name(value: Any) -> str:
    """Name the code of a value: a function or a class by itself, other objects by their class."""
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _augmentation(name: str) -> type[Augmentation] | None:
    """Return the augmentation of this package that has a name."""
    found = getattr(views, name, None) if name in views.__all__ else None
    return found if isinstance(found, type) and issubclass(found, Augmentation) else None


def _optimizer(name: str) -> type[torch.optim.Optimizer] | None:
    """Return the optimizer of torch that has a name."""
    found = getattr(torch.optim, name, None)
    is_one = isinstance(found, type) and issubclass(found, torch.optim.Optimizer)
    return found if is_one else None


def _read_augmentation(content: list, depth: int) -> Augmentation:
    name, parameters = content
    found = _augmentation(name)
    if found is None:
        raise NotHeld(f"the augmentation {name}, which this version does not have")
    return found(**{name: read(form, depth) for name, form in parameters.items()})


def _read_optimizer(name: str, depth: int) -> type[torch.optim.Optimizer]:
    found = _optimizer(name)
    if found is None:
        raise NotHeld(f"the optimizer {name}, which this version of torch does not have")
    return found


def _read_array(content: list, depth: int) -> np.ndarray:
    dtype, values = np.dtype(content[0]), content[1]
    if dtype.kind not in _KINDS:
        raise ValueError(f"an array of {dtype}")
    return np.array(values, dtype=dtype)


def _read_code(name: str, depth: int):
    raise NotHeld(str(name))


# Functions that make a value of each kind again, from its content and its depth.
_READ = {
    "tuple": lambda content, depth: tuple(read(content, depth)),
    "dict": lambda content, depth: {name: read(form, depth) for name, form in content.items()},
    "slice": lambda content, depth: slice(*read(content, depth)),
    "array": _read_array,
    "augmentation": _read_augmentation,
    "optimizer": _read_optimizer,
    "code": _read_code,
}
