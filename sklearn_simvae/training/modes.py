"""What a caller has switched on in torch, set aside while an estimator computes."""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

_AUTOCAST_DEVICES = ("cpu", "cuda", "mps")


@contextlib.contextmanager
def own_modes() -> Iterator[None]:
    """Without the caller's autocast, and with new tensors on the CPU unless told otherwise.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training.modes import own_modes
    >>> with torch.autocast("cpu", torch.bfloat16), own_modes():
    ...     print((torch.ones(2, 2) @ torch.ones(2, 2)).dtype)
    torch.float32
    """
    with contextlib.ExitStack() as stack:
        for device in _AUTOCAST_DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        # Entered only where it changes something: it makes each call of torch slower.
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


@contextlib.contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, and each of its parts back into its own after.

    Parameters
    ----------
    module : Module
        What is going to be used.

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
    in_training = [part for part in module.modules() if part.training]
    for part in in_training:
        part.training = False
    try:
        yield
    finally:
        for part in in_training:
            part.training = True


@contextlib.contextmanager
def inference(module: nn.Module) -> Iterator[None]:
    """Compute with a trained module: without gradients, and in :func:`evaluation_mode`.

    Parts that a caller trains, taken out of the module, go back to training mode after.

    Parameters
    ----------
    module : Module
        What is going to be used.

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
