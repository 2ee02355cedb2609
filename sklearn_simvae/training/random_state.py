"""The global random states of torch, numpy and Python, seeded for a while and restored."""

import contextlib
import os
import random
import threading
from collections.abc import Iterator

import numpy as np
import torch

from sklearn_simvae.training.modes import forget_threads, own_modes
from sklearn_simvae.training.turns import forget_turns

_RANDOM_STATE_LOCK = threading.RLock()


def _after_fork() -> None:
    """Release, in a forked process, the locks of threads that only its parent has."""
    global _RANDOM_STATE_LOCK
    _RANDOM_STATE_LOCK = threading.RLock()
    forget_threads()
    forget_turns()
    # GNU's OpenMP would wait forever for threads that do not exist here.
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def random_turn() -> Iterator[None]:
    """Prevent other threads from seeding the global random states.

    A thread that needs both this turn and that of an estimator takes this one first. Otherwise two
    threads could wait for each other.

    Examples
    --------
    >>> from sklearn_simvae.training import random_turn
    >>> with random_turn(), random_turn():
    ...     print("A thread does not wait for itself.")
    A thread does not wait for itself.
    """
    with _RANDOM_STATE_LOCK:
        yield


@contextlib.contextmanager
def isolated_random_state(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the random states of torch, numpy and Python, and restore them afterwards.

    Initialization, dropout and augmentations of other packages draw from the global states, so
    `seed` fixes them as well. Global modes of torch are reset inside, by :func:`own_modes`. Threads
    take turns.

    Parameters
    ----------
    seed : int
        Seed of the states.
    device : torch.device
        Device whose state is seeded besides that of the CPU.

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
    with _RANDOM_STATE_LOCK, own_modes(), torch.random.fork_rng([device] if on_cuda else []):
        numpy_state = np.random.get_state()  # noqa: NPY002
        python_state = random.getstate()
        # torch.manual_seed would also reseed devices that are not ours.
        torch.default_generator.manual_seed(seed)
        if on_cuda:  # pragma: no cover
            index = torch.cuda.current_device() if device.index is None else device.index
            torch.cuda.default_generators[index].manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)
