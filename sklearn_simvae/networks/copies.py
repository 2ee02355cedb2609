"""Copies and pickles of modules that copy.deepcopy and pickle do not support by themselves."""

import copy
import dataclasses
import functools
from collections import OrderedDict
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, is_lazy
from torch.nn.utils import parametrize


def copy_module(module: nn.Module) -> nn.Module:
    """Copy a module, even one with lazy layers or the hooks of torch.nn.utils.weight_norm.

    Parameters
    ----------
    module : nn.Module
        Any module that holds no TorchScript.

    Returns
    -------
    copied : nn.Module
        Module with equal weights that shares no memory with the other.

    Examples
    --------
    >>> from torch import nn
    >>> from sklearn_simvae.networks.copies import copy_module
    >>> copy_module(nn.LazyConv1d(2, kernel_size=3))
    LazyConv1d(0, 2, kernel_size=(3,), stride=(1,))
    """
    memo = {}
    for part in module.modules():
        for tensor in (*vars(part).values(), *part._buffers.values()):
            if isinstance(tensor, UninitializedBuffer):
                memo[id(tensor)] = UninitializedBuffer(
                    tensor.requires_grad, tensor.device, tensor.dtype
                )
            elif isinstance(tensor, torch.Tensor) and not tensor.is_leaf and not is_lazy(tensor):
                # The next forward pass computes such a weight anew from its parameters.
                memo[id(tensor)] = tensor.detach().clone()
    return copy.deepcopy(module, memo)


def as_float32(module: nn.Module) -> nn.Module:
    """Convert the floating-point weights and buffers of a module to float32, in place.

    Parameters
    ----------
    module : nn.Module
        Module to change.

    Returns
    -------
    module : nn.Module
        The module itself.

    Examples
    --------
    >>> from torch import nn
    >>> from sklearn_simvae.networks.copies import as_float32
    >>> as_float32(nn.Linear(2, 1).double()).weight.dtype
    torch.float32
    """
    tensors = (*module.parameters(), *module.buffers())
    other = any(t.is_floating_point() and t.dtype != torch.float32 for t in tensors)
    return module.float() if other else module


def picklable(value: Any, made: dict | None = None) -> Any:
    """Replace modules with parametrizations by objects that pickle restores as such modules.

    torch refuses to pickle modules with parametrizations, such as those of
    :func:`torch.nn.utils.parametrizations.weight_norm`, whose classes are made at run time.

    Parameters
    ----------
    value : object
        A module, or a list, tuple, dict, partial or dataclass that may hold some.
    made : dict, default=None
        Replacements by the identity of what they replace, so that shared modules stay shared.

    Returns
    -------
    value : object
        The value itself if it holds no parametrization. Otherwise an object that is only for
        pickle and copy.deepcopy.

    Examples
    --------
    >>> import pickle
    >>> from torch import nn
    >>> from sklearn_simvae.networks.copies import picklable
    >>> norm = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))
    >>> restored = pickle.loads(pickle.dumps(picklable(norm)))
    >>> bool((restored.weight == norm.weight).all())
    True
    """
    made = {} if made is None else made
    if not holds_parametrization(value):
        return value
    if type(value) in (list, tuple):
        return type(value)(picklable(item, made) for item in value)
    if type(value) is dict:
        return {key: picklable(item, made) for key, item in value.items()}
    if type(value) is functools.partial:
        args, keywords = picklable(value.args, made), picklable(value.keywords, made)
        return functools.partial(value.func, *args, **keywords)
    if _is_dataclass(value):
        twin = copy.copy(value)
        for name, item in vars(value).items():
            # This sets fields of frozen dataclasses too.
            object.__setattr__(twin, name, picklable(item, made))
        return twin
    if id(value) not in made:
        children = {name: picklable(child, made) for name, child in value._modules.items()}
        attributes = {n: picklable(v, made) for n, v in vars(value).items() if _is_dataclass(v)}
        state = {**vars(value), **attributes, "_modules": children}
        if parametrize.is_parametrized(value):
            # This hook of torch's weight_norm is a local function, which pickle refuses.
            state["_load_state_dict_pre_hooks"] = OrderedDict(
                (key, hook)
                for key, hook in value._load_state_dict_pre_hooks.items()
                if "_weight_norm_compat_hook" not in getattr(hook.hook, "__qualname__", "")
            )
            made[id(value)] = _Parametrized(parametrize.type_before_parametrizations(value), state)
        else:
            made[id(value)] = twin = type(value).__new__(type(value))
            vars(twin).update(state)
    return made[id(value)]


def holds_parametrization(value: Any) -> bool:
    """Return whether an object holds a module with parametrizations.

    Parameters
    ----------
    value : object
        A module, or a list, tuple, dict, partial or dataclass that may hold some; of all other
        objects the answer is False.

    Returns
    -------
    holds : bool
        True if :func:`picklable` would replace the object.
    """
    if isinstance(value, nn.Module):
        return any(
            parametrize.is_parametrized(part)
            or any(_is_dataclass(v) and holds_parametrization(v) for v in vars(part).values())
            for part in value.modules()
        )
    if type(value) is functools.partial:
        value = [value.args, value.keywords]
    elif _is_dataclass(value):
        value = list(vars(value).values())
    elif type(value) is dict:
        value = list(value.values())
    return type(value) in (list, tuple) and any(map(holds_parametrization, value))


def _is_dataclass(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


class _Parametrized:
    """Stand-in that is pickled in place of a module with parametrizations."""

    def __init__(self, cls: type, state: dict):
        self.cls = cls
        self.state = state

    def __reduce__(self):
        return _parametrized, (self.cls, self.state)


def _parametrized(cls: type, state: dict) -> nn.Module:
    """Make a module again, with the class and properties that register_parametrization makes."""
    module = cls.__new__(cls)
    module.__setstate__(state)
    parametrize._inject_new_class(module)
    for name in module.parametrizations:
        parametrize._inject_property(module, name)
    return module
