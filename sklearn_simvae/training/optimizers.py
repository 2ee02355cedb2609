"""Optimisers by name, with the options that make them fast."""

import functools
import inspect
from collections.abc import Mapping
from typing import Any

import torch

_OPTIMIZERS = {
    "adam": (torch.optim.Adam, {"fused": True}),
    "adamw": (torch.optim.AdamW, {"fused": True}),
    # Fused, it fails where a parameter gets its first gradient later than others.
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
}


def optimizer_parameters(
    optimizer, weight_decay: float, lr_multiples: Mapping[str, float]
) -> dict[str, Any]:
    """What a skorch net is to be told of its optimizer.

    Parameters
    ----------
    optimizer : {"adam", "adamw", "sgd"} or callable
        A name or a class of :mod:`torch.optim`.
    weight_decay : float
        Passed on where it is not 0, or where the optimizer has a default of its own.
    lr_multiples : mapping of str to float
        Parts of the module that learn at another rate: a multiple by pattern of names.

    Returns
    -------
    parameters : dict
        "optimizer" and its options.

    Raises
    ------
    ValueError
        If the optimizer asks for the loss several times a step, as LBFGS does.

    Examples
    --------
    >>> from sklearn_simvae.training import optimizer_parameters
    >>> optimizer_parameters("adam", 0.1, {})
    {'optimizer': <class 'torch.optim.adam.Adam'>, 'optimizer__fused': True,
     'optimizer__weight_decay': 0.1}
    """
    made, options = _OPTIMIZERS.get(optimizer, (optimizer, {}))
    if _needs_closure(made):
        raise ValueError(
            f"optimizer={optimizer!r} asks for the loss several times a step, which is not "
            "supported. Give one that takes one gradient a step, such as 'adam'."
        )
    # Left out, it would be torch's own default, which is 0.01 for AdamW.
    if weight_decay or (inspect.isclass(made) and _has_weight_decay(made)):
        options = {**options, "weight_decay": weight_decay}
    if lr_multiples:
        groups = [(name, {"lr_multiple": multiple}) for name, multiple in lr_multiples.items()]
        options = {**options, "param_groups": groups}
    return {"optimizer": made, **{f"optimizer__{name}": value for name, value in options.items()}}


def _needs_closure(optimizer) -> bool:
    """Whether a step calls for the loss itself, as far as a class tells."""
    while isinstance(optimizer, functools.partial):
        optimizer = optimizer.func
    if not hasattr(optimizer, "step"):
        return False
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is closure.empty


def _has_weight_decay(optimizer: type) -> bool:
    """Whether a class takes one, by name or for a class that it is derived of."""
    for kind in optimizer.mro()[:-1]:
        own = inspect.signature(kind).parameters
        # Named, or handed on to the next class.
        if "weight_decay" in own or all(p.kind is not p.VAR_KEYWORD for p in own.values()):
            return "weight_decay" in own
    return False
