"""Choices for a fast fit on this machine: device, precision, layout of weights, threads."""

import contextlib
import functools
from collections.abc import Iterator

import torch
from threadpoolctl import ThreadpoolController
from torch import nn

from sklearn_simvae.training.distributed import local_cuda_device, n_processes

# Casting the weights to bf16 at each step costs more than it saves with fewer weights than this,
# or in steps of fewer views.
_BF16_MIN_WEIGHTS = 200_000
_BF16_MIN_VIEWS = 128
# Weights times views of a step, up to which a second thread was measured to gain 7 % at most, and
# to cost up to 25 %.
_SHARED_PRODUCTS = 60e6


def resolve_device(device: str | torch.device) -> torch.device:
    """Find the device of a name, and check that it is available.

    Parameters
    ----------
    device : str or torch.device
        "auto" (CUDA, else MPS, else CPU) or any name that torch knows. If processes train together,
        "auto" and "cuda" give each of them its own device.

    Returns
    -------
    device : torch.device
        Device to train on.

    Raises
    ------
    ValueError
        If the name is unknown or the device is not available.

    Examples
    --------
    >>> from sklearn_simvae.training import resolve_device
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        if torch.cuda.is_available():
            return local_cuda_device()
        mps = torch.backends.mps.is_available() and n_processes() == 1
        return torch.device("mps" if mps else "cpu")
    try:
        resolved = torch.device(device)
        # Reading a number also refuses "meta", whose tensors hold none.
        torch.zeros(1, device=resolved).item()
        if resolved == torch.device("cuda"):  # pragma: no cover
            return local_cuda_device()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ValueError(
            f"device={device!r} is not available here ({reason}). Use device='auto' for the best "
            "available device, or device='cpu'."
        ) from error
    return resolved


def resolve_precision(precision: str, device: torch.device, n_weights: int, n_views: int) -> bool:
    """Decide whether to run the networks under bf16 autocast.

    Parameters
    ----------
    precision : {"auto", "float32", "bf16"}
        Precision. "auto" chooses bf16 if the processor has units for it, and the network and its
        batches are large enough to gain.
    device : torch.device
        Device of the training.
    n_weights : int
        Number of weights of the network.
    n_views : int
        Number of views in a step.

    Returns
    -------
    bf16 : bool
        True for bf16 autocast.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training import resolve_precision
    >>> resolve_precision("bf16", torch.device("cpu"), n_weights=10, n_views=2)
    True
    """
    if precision != "auto":
        return precision == "bf16"
    if n_weights < _BF16_MIN_WEIGHTS or n_views < _BF16_MIN_VIEWS:
        return False
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        has = torch.cpu.get_capabilities()
        return bool(has.get("avx512_bf16") or has.get("amx_bf16"))
    return False


def lay_out(module: nn.Module, device: torch.device) -> None:
    """Store the weights of convolutions in the layout that is fastest on the device.

    Tensor cores are fastest with channels last. On a CPU, this layout was measured to be slower
    under bf16 (by a third for a plain stack of convolutions) and hardly faster otherwise.

    Parameters
    ----------
    module : nn.Module
        Network to train.
    device : torch.device
        Device of the network.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training.hardware import lay_out
    >>> conv = torch.nn.Conv2d(3, 8, 3)
    >>> lay_out(conv, torch.device("cuda"))
    >>> conv.weight.is_contiguous(memory_format=torch.channels_last)
    True
    """
    if device.type == "cuda":
        for part in module.modules():
            if isinstance(part, nn.Conv2d):
                part.to(memory_format=torch.channels_last)


@contextlib.contextmanager
def one_thread_if_small(module: nn.Module, n_views: int) -> Iterator[None]:
    """Compute with one thread inside the context if a step is too small to divide.

    In small steps, threads cost more than they save by waiting for each other, above all if other
    processes use the same cores, as in a search. Other threads of Python are not limited.

    Parameters
    ----------
    module : nn.Module
        Network to train. The work is estimated only for networks of dense layers.
    n_views : int
        Number of views in a step.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training.hardware import one_thread_if_small
    >>> with one_thread_if_small(torch.nn.Linear(8, 4), n_views=100):
    ...     torch.get_num_threads()
    1
    """
    # In a new thread, this call also sets torch's number, which would later undo the limit.
    n_threads = torch.get_num_threads()
    layers = [m for m in module.modules() if next(m.parameters(recurse=False), None) is not None]
    dense = all(isinstance(m, nn.Linear | nn.modules.batchnorm._BatchNorm) for m in layers)
    products = n_views * sum(w.numel() for w in module.parameters())
    small = n_threads > 1 and dense and products < _SHARED_PRODUCTS
    # Only this thread is limited: torch.set_num_threads would also limit later threads.
    with _openmp().limit(limits=1) if small else contextlib.nullcontext():
        yield


@functools.cache
def _openmp() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="openmp")
