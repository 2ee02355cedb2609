"""Training by several processes: each computes a part of every batch, and all take one step.

A launcher (`torchrun`, `accelerate launch`) runs the script once for each process; `fit` finds the
others by itself, and ends the same way in all of them. The module `exchange` has what they share
of a batch.
"""

import atexit
import contextlib
import multiprocessing
import os
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from sklearn_simvae._batch import Batch
from sklearn_simvae.training.team import Alone, Team, join

_VARIABLES = ("RANK", "MASTER_ADDR", "MASTER_PORT")


class _Local(threading.local):
    """Processes of the fit that runs in a thread."""

    team = Alone()


_local = _Local()


# ---------------------------------------------------------------- processes of a fit


@contextlib.contextmanager
def train_together() -> Iterator[None]:
    """Train with the other processes that a launcher started, if there are any.

    If one process fails inside the context, all of them raise.

    Raises
    ------
    ProcessLostError
        If another process fails, or does not answer.

    Examples
    --------
    >>> from sklearn_simvae.training.distributed import n_processes, train_together
    >>> with train_together():
    ...     n_processes()
    1
    """
    outer = _local.team
    if not outer.alone or not _launched():
        # A fit inside a fit, e.g. by a callback, runs in one process.
        _local.team = Alone()
        try:
            yield
        finally:
            _local.team = outer
        return
    if not dist.is_initialized():
        join()
        atexit.register(_leave)
    _local.team = Team()
    try:
        with agreement():
            yield
    finally:
        _local.team.leave()
        _local.team = Alone()


def _launched() -> bool:
    """Return whether there are other processes to train with."""
    # Workers of a search, threads or processes, inherit the variables, but train alone.
    if not dist.is_available() or threading.current_thread() is not threading.main_thread():
        return False
    if dist.is_initialized():
        return dist.get_world_size() > 1 and not multiprocessing.current_process().daemon
    if multiprocessing.parent_process() is not None:
        return False
    return int(os.environ.get("WORLD_SIZE", 1)) > 1 and all(v in os.environ for v in _VARIABLES)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def current_team() -> Alone:
    """Return the processes of the fit that runs in this thread."""
    return _local.team


def rank() -> int:
    """Return the number of this process among those that train together; 0 if it is alone."""
    return _local.team.rank


def n_processes() -> int:
    """Return how many processes train together."""
    return _local.team.size


def local_cuda_device() -> torch.device:  # pragma: no cover
    """Return the CUDA device of this process."""
    if n_processes() == 1:
        return torch.device("cuda")
    index = int(os.environ.get("LOCAL_RANK", torch.cuda.current_device()))
    return torch.device("cuda", index % torch.cuda.device_count())


# ---------------------------------------------------------------- end of a fit


@contextlib.contextmanager
def agreement() -> Iterator[None]:
    """Leave the context the same way in all processes: normally, interrupted, or with an error.

    Raises
    ------
    KeyboardInterrupt
        If another process was interrupted, and none failed.
    ProcessLostError
        If another process failed.
    """
    error = None
    try:
        yield
    except BaseException as raised:
        error = raised
    error = _local.team.settle(error)
    if error is not None:
        raise error


def any_process(condition: bool) -> bool:
    """Return whether a condition is true in any process.

    Parameters
    ----------
    condition : bool
        The condition in this process.

    Returns
    -------
    any : bool
        Same value in all processes.
    """
    return any(_local.team.all_objects(condition))


def check_same(value: dict[str, Any]) -> None:
    """Raise in all processes if their values differ.

    Parameters
    ----------
    value : dict of str to object
        Values to compare, by name.

    Raises
    ------
    ValueError
        If any value differs.
    """
    values = _local.team.all_objects(value)
    for other, theirs in enumerate(values):
        different = [name for name in theirs if theirs[name] != values[0][name]]
        if different:
            raise ValueError(
                f"All processes must be given the same data and parameters: {different} of process "
                f"{other} is {[theirs[name] for name in different]}, and of process 0 "
                f"{[values[0][name] for name in different]}. Each process takes its own part of "
                "every batch by itself."
            )


def fingerprint(batch: Batch) -> int:
    """Compute a checksum of a batch.

    Parameters
    ----------
    batch : Batch
        Views, and a mask or none.

    Returns
    -------
    fingerprint : int
        Number that is equal for equal bits.
    """
    views = batch.views if isinstance(batch.views, tuple) else (batch.views,)
    checksum = 0
    for x in views if batch.mask is None else (*views, batch.mask):
        checksum = zlib.crc32(np.ascontiguousarray(x.cpu().numpy()).data, checksum)
    return checksum
