"""What memory holds: rows on a GPU, and batches in halves where it does not hold all."""

from collections.abc import Callable

import numpy as np
import torch

# Of the free memory of a GPU, what the rows to learn from may take.
_LARGEST_SHARE = 0.25


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
    >>> from sklearn_simvae.training.memory import fits_on_device
    >>> fits_on_device(np.zeros((10, 3)), torch.device("cpu"))
    False
    """
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return X.nbytes <= _LARGEST_SHARE * free


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
    >>> from sklearn_simvae.training.memory import ran_out_of_memory
    >>> ran_out_of_memory(MemoryError())
    True
    """
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def split_on_oom(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
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
    >>> from sklearn_simvae.training.memory import split_on_oom
    >>> split_on_oom(torch.exp, torch.zeros(3))
    tensor([1., 1., 1.])
    """
    try:
        return function(x)
    except (RuntimeError, MemoryError) as error:
        if len(x) < 2 or not ran_out_of_memory(error):
            raise
    # Out here the error, and with it what it held of the attempt, is gone.
    return torch.cat([split_on_oom(function, half) for half in x.tensor_split(2)])
