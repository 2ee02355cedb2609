"""States of estimators for pickle and joblib."""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_simvae.networks.copies import holds_parametrization, picklable
from sklearn_simvae.training.callbacks import without_data


class _Weights:
    """A tensor that is pickled by its values, so that pickles of equal tensors are equal.

    torch's own pickles hold the address of the tensor. joblib would then take each copy of a module
    for a different one, and a Pipeline with memory would never find its cached results.
    """

    def __init__(self, tensor: Tensor):
        self.tensor = tensor

    def __reduce__(self):
        t = self.tensor
        values = t.detach().cpu().contiguous()
        # numpy does not know all types of torch.
        data = values.reshape(-1).view(torch.uint8).numpy()
        kind = (t.dtype, str(t.device), t.requires_grad, isinstance(t, nn.Parameter))
        return _weights, (data, tuple(t.shape), *kind)


def _weights(data, shape, dtype, device, requires_grad, is_parameter) -> Tensor:
    # Copied, since joblib may pass read-only arrays.
    tensor = torch.from_numpy(np.array(data)).view(dtype).reshape(shape).to(device)
    if is_parameter:
        return nn.Parameter(tensor, requires_grad=requires_grad)
    return tensor.requires_grad_(requires_grad)


def pickled_state(estimator) -> dict[str, Any]:
    """Return the state of an estimator for pickle.

    Parameters
    ----------
    estimator : BaseSSL
        An estimator, fitted or not.

    Returns
    -------
    state : dict
        Attributes of the estimator. Modules among the parameters have weights that are pickled by
        value, and callbacks of a fitted estimator hold no data.
    """
    state, memo = dict(picklable(estimator.__dict__)), {}
    for name in estimator.get_params(deep=False):
        if holds_module(state.get(name)) and not holds_parametrization(estimator.__dict__[name]):
            state[name] = _with_weights_by_value(state[name], memo)
    if "net_" in state:
        state["callbacks"] = without_data(state["callbacks"])
    return state


def _with_weights_by_value(value, memo: dict[int, Any]):
    if isinstance(value, list | tuple):
        return type(value)(_with_weights_by_value(item, memo) for item in value)
    if isinstance(value, dict):
        return {name: _with_weights_by_value(item, memo) for name, item in value.items()}
    if not isinstance(value, nn.Module):
        return value
    for tensor in (*value.parameters(), *value.buffers()):
        plain_type = type(tensor) in (Tensor, nn.Parameter) and tensor.layout is torch.strided
        has_more = tensor.is_meta or tensor.__dict__ or tensor._backward_hooks
        if plain_type and not has_more:
            memo[id(tensor)] = _Weights(tensor)
    try:
        # The memo puts the stand-ins in place of the weights, which are not copied.
        return copy.deepcopy(value, memo)
    except Exception:
        # torch can pickle but not copy some modules, such as those that keep an activation.
        return value


def holds_module(value) -> bool:
    if isinstance(value, list | tuple):
        return any(map(holds_module, value))
    if isinstance(value, dict):
        return any(map(holds_module, value.values()))
    return isinstance(value, nn.Module)


def refuse_modules(estimator) -> None:
    """Raise where parameters hold torch modules, for files that hold no code.

    Parameters
    ----------
    estimator : object
        An object with `get_params`.

    Raises
    ------
    ValueError
        If one of its parameters holds a module.
    """
    modules = [n for n, v in estimator.get_params(deep=False).items() if holds_module(v)]
    if modules:
        raise ValueError(
            f"{', '.join(modules)} of this {type(estimator).__name__} holds a torch module, which "
            "is code. Give a function that makes the module, call save_weights instead, or use "
            "joblib and load only files that you trust."
        )
