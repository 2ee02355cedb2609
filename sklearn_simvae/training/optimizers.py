"""Optimizers by name, with the options that make them fast."""

import functools
import inspect
from collections.abc import Mapping
from typing import Any

import torch

_OPTIMIZERS = {
    "adam": (torch.optim.Adam, {"fused": True}),
    "adamw": (torch.optim.AdamW, {"fused": True}),
    # The fused version fails if a parameter gets its first gradient later than others.
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
}


def optimizer_parameters(
    optimizer, weight_decay: float, lr_multiples: Mapping[str, float]
) -> dict[str, Any]:
    """Make the parameters of a skorch net for its optimizer.

    Parameters
    ----------
    optimizer : {"adam", "adamw", "sgd"} or callable
        Name, or class of :mod:`torch.optim`.
    weight_decay : float
        Weight decay, passed on if it is not 0 or if the optimizer has a default of its own.
    lr_multiples : mapping of str to float
        Multiples of the learning rate, by pattern of the names of parameters.

    Returns
    -------
    parameters : dict
        Entry "optimizer" and its options.

    Raises
    ------
    ValueError
        If the optimizer evaluates the loss several times per step, like LBFGS.

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
            f"optimizer={optimizer!r} evaluates the loss several times per step, which is not "
            "supported. Use one that takes one gradient per step, such as 'adam'."
        )
    # Without it, torch uses its own default, which is 0.01 for AdamW.
    if weight_decay or (inspect.isclass(made) and _has_weight_decay(made)):
        options = {**options, "weight_decay": weight_decay}
    if lr_multiples:
        groups = [(name, {"lr_multiple": multiple}) for name, multiple in lr_multiples.items()]
        options = {**options, "param_groups": groups}
    return {"optimizer": made, **{f"optimizer__{name}": value for name, value in options.items()}}


def _needs_closure(optimizer) -> bool:
    """Return whether a step evaluates the loss, if the signature of the class tells."""
    while isinstance(optimizer, functools.partial):
        optimizer = optimizer.func
    if not hasattr(optimizer, "step"):
        return False
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is closure.empty


def _has_weight_decay(optimizer: type) -> bool:
    """Return whether a class accepts weight_decay, by itself or through a base class."""
    for kind in optimizer.mro()[:-1]:
        own = inspect.signature(kind).parameters
        # The parameter is named here, or nothing is passed on to the next class.
        if "weight_decay" in own or all(p.kind is not p.VAR_KEYWORD for p in own.values()):
            return "weight_decay" in own
    return False
