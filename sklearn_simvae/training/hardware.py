"""What the machine has: the device to train on, and the precision it is fast at."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

from sklearn_simvae.training.distributed import local_cuda_device, n_processes

# Below this many weights, casting them to bf16 at each step costs more than it saves.
_BF16_MIN_WEIGHTS = 200_000
# Products of a step, weights times views, up to which a second thread was measured to gain 7 % at
# most, and to cost up to a quarter.
_SHARED_PRODUCTS = 60e6
# Of the free memory of a GPU, what the rows to learn from may take.
_LARGEST_SHARE = 0.25


def resolve_device(device: str | torch.device) -> torch.device:
    """The device that a name stands for, checked to be there.

    Parameters
    ----------
    device : str or torch.device
        "auto" (CUDA, else MPS, else CPU) or any name that torch knows. Where processes train
        together, "auto" and "cuda" are a device for each.

    Returns
    -------
    device : torch.device
        Where to train.

    Raises
    ------
    ValueError
        If the name is unknown or the device is not there.

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
        # A tensor that holds no number is no use, so "meta" fails here too.
        torch.zeros(1, device=resolved).item()
        if resolved == torch.device("cuda"):  # pragma: no cover
            return local_cuda_device()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ValueError(
            f"device={device!r} is not available here ({reason}). Use device='auto' for the best "
            "that is, or device='cpu'."
        ) from error
    return resolved


def resolve_precision(precision: str, device: torch.device, n_weights: int) -> bool:
    """Whether to run the networks under bf16 autocast.

    Parameters
    ----------
    precision : {"auto", "float32", "bf16"}
        "auto" takes bf16 where the processor has units for it and the network is large enough to
        gain by it.
    device : torch.device
        Where the training runs.
    n_weights : int
        Size of the network.

    Returns
    -------
    bf16 : bool
        True for bf16 autocast.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training import resolve_precision
    >>> resolve_precision("bf16", torch.device("cpu"), n_weights=10)
    True
    """
    if precision != "auto":
        return precision == "bf16"
    if n_weights < _BF16_MIN_WEIGHTS:
        return False
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        has = torch.cpu.get_capabilities()
        return bool(has.get("avx512_bf16") or has.get("amx_bf16"))
    return False


def fits_on_device(X: np.ndarray, device: torch.device) -> bool:
    """Whether an array is small beside the memory that a GPU has free.

    Parameters
    ----------
    X : ndarray
        As it would be copied.
    device : torch.device
        Where to.

    Returns
    -------
    fits : bool
        False on a CPU, where X is already.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from sklearn_simvae.training.hardware import fits_on_device
    >>> fits_on_device(np.zeros((10, 3)), torch.device("cpu"))
    False
    """
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return X.nbytes <= _LARGEST_SHARE * free


def lay_out(module: nn.Module, device: torch.device) -> None:
    """Keep the weights of convolutions as the device is fastest at them.

    Tensor cores take the channels last. On a CPU that was measured to be slower under bf16 (by a
    third for a plain stack of convolutions) and hardly faster otherwise.

    Parameters
    ----------
    module : nn.Module
        What is trained.
    device : torch.device
        Where it is.

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


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, of the CPU or of a GPU, did not suffice.

    Parameters
    ----------
    error : BaseException
        Any.

    Returns
    -------
    found : bool
        Of the CPU's, torch tells by the words of a RuntimeError.

    Examples
    --------
    >>> from sklearn_simvae.training.hardware import ran_out_of_memory
    >>> ran_out_of_memory(MemoryError())
    True
    """
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def in_halves(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """Apply a function of rows, to half as many at a time where memory does not hold all.

    Parameters
    ----------
    function : callable
        From a batch of rows to a tensor with as many; what it gives for a row does not depend on
        the others.
    x : Tensor of shape (n, ...)
        The batch.

    Returns
    -------
    y : Tensor of shape (n, ...)
        As `function(x)`.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training.hardware import in_halves
    >>> in_halves(torch.exp, torch.zeros(3))
    tensor([1., 1., 1.])
    """
    try:
        return function(x)
    except (RuntimeError, MemoryError) as error:
        if len(x) < 2 or not ran_out_of_memory(error):
            raise
    # Out here the error, and with it what it held of the attempt, is gone.
    return torch.cat([in_halves(function, half) for half in x.tensor_split(2)])


@contextlib.contextmanager
def one_thread_if_small(module: nn.Module, n_views: int) -> Iterator[None]:
    """Compute with one thread inside where a step is too little work to share out.

    Threads that wait for each other cost more than they save there, above all where other processes
    want the same cores, as in a search.

    Parameters
    ----------
    module : nn.Module
        What is trained. Only of dense layers is the work known by their size.
    n_views : int
        Views in a step.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training.hardware import one_thread_if_small
    >>> with one_thread_if_small(torch.nn.Linear(8, 4), n_views=100):
    ...     torch.get_num_threads()
    1
    """
    n_threads = torch.get_num_threads()
    layers = [m for m in module.modules() if next(m.parameters(recurse=False), None) is not None]
    dense = all(isinstance(m, nn.Linear | nn.modules.batchnorm._BatchNorm) for m in layers)
    products = n_views * sum(w.numel() for w in module.parameters())
    if n_threads > 1 and dense and products < _SHARED_PRODUCTS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


_RANDOM_STATE_LOCK = threading.RLock()


def _after_fork() -> None:
    """Let go, in a forked process, of the threads that only its parent has."""
    global _RANDOM_STATE_LOCK
    _RANDOM_STATE_LOCK = threading.RLock()
    # GNU's OpenMP would wait for its own for ever.
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def isolated_random_state(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global random states of torch and numpy inside, and put them back after.

    Initialisation, dropout and augmentations from elsewhere draw from the global states: inside,
    they too are fixed by `seed`. So is the type of new tensors, float32. Threads take turns.

    Parameters
    ----------
    seed : int
        Seed of the states inside.
    device : torch.device
        Whose state is guarded beside the CPU's.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training import isolated_random_state
    >>> with isolated_random_state(0, torch.device("cpu")):
    ...     first = torch.rand(1)
    >>> with isolated_random_state(0, torch.device("cpu")):
    ...     print(bool(torch.rand(1) == first))
    True
    """
    on_cuda = device.type == "cuda"
    with _RANDOM_STATE_LOCK, torch.random.fork_rng([device] if on_cuda else []):
        numpy_state = np.random.get_state()  # noqa: NPY002
        # torch.manual_seed would also reseed devices that are not ours.
        torch.default_generator.manual_seed(seed)
        if on_cuda:  # pragma: no cover
            index = torch.cuda.current_device() if device.index is None else device.index
            torch.cuda.default_generators[index].manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        default_dtype = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(default_dtype)
            np.random.set_state(numpy_state)  # noqa: NPY002
