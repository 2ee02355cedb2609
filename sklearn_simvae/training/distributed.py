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
import traceback
import zlib
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

# Longest time that a process may keep the others waiting.
_TIMEOUT = timedelta(minutes=10)
_VARIABLES = ("RANK", "MASTER_ADDR", "MASTER_PORT")
_INTERRUPTED = "interrupted"


class _Local(threading.local):
    """Processes of the fit that runs in a thread; None if it trains alone."""

    team = None


_local = _Local()


class ProcessLostError(RuntimeError):
    """Error raised if another process of the same training failed or is gone."""


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
    if outer is not None or not _launched():
        # A fit inside a fit, e.g. by a callback, runs in one process.
        _local.team = None
        try:
            yield
        finally:
            _local.team = outer
        return
    with answering():
        if not dist.is_initialized():
            dist.init_process_group(_backend(), timeout=_TIMEOUT)
            atexit.register(_leave)
        _local.team = SimpleNamespace(
            rank=dist.get_rank(),
            size=dist.get_world_size(),
            group=_new_group(),
            # Only to agree on how the fit ends: a process that fails closes the other group.
            control=dist.new_group(backend="gloo", timeout=_TIMEOUT),
            over=False,
        )
    try:
        with agreement():
            yield
    finally:
        _close_group()
        dist.destroy_process_group(_local.team.control)
        _local.team = None


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


def _backend() -> str:
    n_devices = torch.cuda.device_count()
    if not n_devices:
        return "gloo"
    # NCCL needs a device for each process.
    shared = int(os.environ.get("LOCAL_WORLD_SIZE", 1)) > n_devices
    return "cpu:gloo,cuda:gloo" if shared else "cpu:gloo,cuda:nccl"


def _new_group():
    return dist.new_group(backend=_backend(), timeout=_TIMEOUT)


def _close_group() -> None:
    if _local.team.group is not None:
        dist.destroy_process_group(_local.team.group)
        _local.team.group = None


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def current_team() -> SimpleNamespace | None:
    """Return the processes of the fit that runs in this thread; None if it trains alone."""
    return _local.team


def rank() -> int:
    """Return the rank of this process among those that train together; 0 if it is alone."""
    return 0 if _local.team is None else _local.team.rank


def n_processes() -> int:
    """Return the number of processes that train together."""
    return 1 if _local.team is None else _local.team.size


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
    if _local.team is not None and not _local.team.over:
        error = _settle(error)
    if error is not None:
        raise error


def _settle(error: BaseException | None) -> BaseException | None:
    """Return the error that this process raises, after telling the others of its own."""
    mine = None
    if error is not None:
        # Closing the group tells others that wait for this process. Frames of an error that was
        # raised during an operation would keep the connections open.
        raised = error
        while raised is not None:
            traceback.clear_frames(raised.__traceback__)
            raised = raised.__context__
        _close_group()
        if isinstance(error, KeyboardInterrupt):
            mine = _INTERRUPTED
        elif isinstance(error, ProcessLostError):
            mine = ""
        else:
            mine = f"{type(error).__name__}: {error}"
    outcomes = [None] * _local.team.size
    try:
        with answering():
            dist.all_gather_object(outcomes, mine, group=_local.team.control)
    except ProcessLostError as lost:
        _local.team.over = True
        return lost if mine is None else error
    failures = {r: text for r, text in enumerate(outcomes) if text not in (None, "", _INTERRUPTED)}
    if failures:
        _local.team.over = True
        if _local.team.rank in failures:
            return error
        r, text = next(iter(failures.items()))
        return ProcessLostError(
            f"Process {r} of {_local.team.size} that train together failed. {text}"
        )
    if _INTERRUPTED in outcomes:
        _close_group()
        _local.team.group = _new_group()
        return KeyboardInterrupt()
    # No process failed, but one did not hear from another.
    _local.team.over = any(text == "" for text in outcomes)
    return ProcessLostError(_lost()) if _local.team.over and error is None else error


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """Raise a clear error if another process does not answer."""
    try:
        yield
    except RuntimeError as error:
        raise ProcessLostError(_lost()) from error


def _lost() -> str:
    return (
        "Another of the processes that train together failed or is gone, or kept others waiting "
        f"for {_TIMEOUT.total_seconds() / 60:.0f} minutes. See its own messages. Every process has "
        "to make the same calls of fit and partial_fit, on the same data."
    )


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
    return any(_from_all(condition))


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
    values = _from_all(value)
    for other, theirs in enumerate(values):
        different = [name for name in theirs if theirs[name] != values[0][name]]
        if different:
            raise ValueError(
                f"All processes must be given the same data and parameters: {different} of process "
                f"{other} is {[theirs[name] for name in different]}, and of process 0 "
                f"{[values[0][name] for name in different]}. Each process takes its own part of "
                "every batch by itself."
            )


def fingerprint(x: Tensor) -> int:
    """Compute a checksum of an array.

    Parameters
    ----------
    x : Tensor
        Values of any type.

    Returns
    -------
    fingerprint : int
        Number that is equal for equal bits.
    """
    return zlib.crc32(np.ascontiguousarray(x.cpu().numpy()).data)


def _from_all(value) -> list:
    values = [value] * n_processes()
    if _local.team is not None:
        with answering():
            dist.all_gather_object(values, value, group=_local.team.group)
    return values
