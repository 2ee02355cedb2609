"""Global modes of torch, reset while an estimator computes."""

import contextlib
import threading
import weakref
from collections.abc import Iterator

import torch
from torch import nn

_AUTOCAST_DEVICES = ("cpu", "cuda", "mps")
_LOCK = threading.RLock()


class _DefaultType:
    """Number of users of float32 as default type, and the type before the first of them."""

    n_users = 0
    before = torch.float32


# Number of users of each module in evaluation mode, and its parts that were in training mode.
_users: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def forget_threads() -> None:
    """Release, in a forked process, the lock of threads that only its parent has."""
    global _LOCK
    _LOCK = threading.RLock()


@contextlib.contextmanager
def _float32_by_default() -> Iterator[None]:
    # The type is global: the first user sets it, the last one restores it.
    with _LOCK:
        if _DefaultType.n_users == 0:
            _DefaultType.before = torch.get_default_dtype()
        if torch.get_default_dtype() != torch.float32:
            torch.set_default_dtype(torch.float32)
        _DefaultType.n_users += 1
    try:
        yield
    finally:
        with _LOCK:
            _DefaultType.n_users -= 1
            if _DefaultType.n_users == 0 and _DefaultType.before != torch.float32:
                torch.set_default_dtype(_DefaultType.before)


@contextlib.contextmanager
def own_modes() -> Iterator[None]:
    """Reset the global modes of torch inside the context.

    Inside, there is no autocast, gradients are recorded, and new tensors are float32 on the CPU by
    default.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training.modes import own_modes
    >>> with torch.autocast("cpu", torch.bfloat16), torch.no_grad(), own_modes():
    ...     x = torch.ones(2, 2, requires_grad=True)
    ...     print((x @ x).dtype, (x @ x).requires_grad)
    torch.float32 True
    """
    with contextlib.ExitStack() as stack:
        for device in _AUTOCAST_DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        # Only if needed, since it makes each call of torch slower.
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(_float32_by_default())
        yield


@contextlib.contextmanager
def bf16_autocast(device: torch.device, enabled: bool) -> Iterator[None]:
    """Run networks in bf16, with weights that are rounded again each time.

    Torch keeps the rounded weights until the outermost autocast ends. If the caller uses autocast,
    all steps would otherwise use the weights of the first step.

    Parameters
    ----------
    device : torch.device
        Device of the networks.
    enabled : bool
        Whether to use bf16.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training.modes import bf16_autocast
    >>> layer = torch.nn.Linear(1, 1, bias=False)
    >>> with torch.autocast("cpu", enabled=False):
    ...     for value in (1.0, 2.0):
    ...         _ = torch.nn.init.constant_(layer.weight, value)
    ...         with bf16_autocast(torch.device("cpu"), True):
    ...             print(layer(torch.ones(1, 1)).item())
    1.0
    2.0
    """
    if not enabled and not torch.is_autocast_enabled(device.type):
        yield
        return
    torch.clear_autocast_cache()
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=enabled):
            yield
    finally:
        torch.clear_autocast_cache()


@contextlib.contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, and restore the modes of its parts afterwards.

    Several threads may use one module: the last one restores the modes.

    Parameters
    ----------
    module : Module
        Module to use.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training.modes import evaluation_mode
    >>> dropout = torch.nn.Dropout(0.9).train()
    >>> with evaluation_mode(dropout):
    ...     print(dropout(torch.ones(1, 3)))
    tensor([[1., 1., 1.]])
    >>> dropout.training
    True
    """
    with _LOCK:
        users = _users.setdefault(module, {"number": 0, "in training": []})
        users["number"] += 1
        for part in module.modules():
            if part.training:
                part.training = False
                users["in training"].append(part)
    try:
        yield
    finally:
        with _LOCK:
            users["number"] -= 1
            if users["number"] == 0:
                del _users[module]
                for part in users["in training"]:
                    part.training = True


@contextlib.contextmanager
def inference(module: nn.Module) -> Iterator[None]:
    """Compute with a trained module, without gradients and in :func:`evaluation_mode`.

    Parts of the module that the caller trains are in training mode again afterwards. Global modes
    of torch are reset inside, by :func:`own_modes`.

    Parameters
    ----------
    module : Module
        Module to use.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training.modes import inference
    >>> module = torch.nn.Sequential(torch.nn.Dropout(0.9)).train()
    >>> with inference(module):
    ...     print(module(torch.ones(1, 3)))
    tensor([[1., 1., 1.]])
    >>> module[0].training
    True
    """
    with evaluation_mode(module), own_modes(), torch.inference_mode():
        yield
