"""Limits of memory: rows that fit on a GPU, and batches that are split if they do not fit."""

from collections.abc import Callable

import numpy as np
import torch

from sklearn_simvae._batch import Batch

# Share of the free memory of a GPU that the rows to train on may take.
_LARGEST_SHARE = 0.25


def fits_on_device(X: np.ndarray, device: torch.device) -> bool:
    """Return whether an array takes at most a quarter of the free memory of a GPU.

    Parameters
    ----------
    X : ndarray
        Array to copy.
    device : torch.device
        Device to copy it to.

    Returns
    -------
    fits : bool
        False on a CPU, where nothing has to be copied.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from sklearn_simvae.training.memory import fits_on_device
    >>> fits_on_device(np.zeros((10, 3)), torch.device("cpu"))
    False
    """
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return X.nbytes <= _LARGEST_SHARE * free


def ran_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that the CPU or a GPU ran out of memory.

    Parameters
    ----------
    error : BaseException
        Error to check.

    Returns
    -------
    found : bool
        True also for torch's RuntimeError on the CPU, which is recognized by its message.

    Examples
    --------
    >>> from sklearn_simvae.training.memory import ran_out_of_memory
    >>> ran_out_of_memory(MemoryError())
    True
    """
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def split_on_oom(function: Callable[..., torch.Tensor], x: Batch | torch.Tensor) -> torch.Tensor:
    """Apply a function to a batch, or to its halves if it runs out of memory.

    Parameters
    ----------
    function : callable
        Function from a batch to a tensor with the same number of rows. The output of a row must not
        depend on the other rows.
    x : Batch, or Tensor of shape (n, ...)
        Batch of rows.

    Returns
    -------
    y : Tensor of shape (n, ...)
        Output of the function.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training.memory import split_on_oom
    >>> split_on_oom(torch.exp, torch.zeros(3))
    tensor([1., 1., 1.])
    """
    try:
        return function(x)
    except (RuntimeError, MemoryError) as error:
        if len(x) < 2 or not ran_out_of_memory(error):
            raise
    # Outside of `except`, so that the error no longer keeps the failed attempt in memory.
    half = (len(x) + 1) // 2
    return torch.cat([split_on_oom(function, part) for part in (x[:half], x[half:])])
