"""The processes of one fit, of which there is one where it trains alone."""

import contextlib
import os
import traceback
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

# Longest time that a process may keep the others waiting.
_TIMEOUT = timedelta(minutes=10)
_INTERRUPTED = "interrupted"


class ProcessLostError(RuntimeError):
    """Error raised if another process of the same training failed or is gone."""


class Alone:
    """The one process of a fit that trains alone: what all processes have is what it has.

    Examples
    --------
    >>> from sklearn_simvae.training.team import Alone
    >>> Alone().all_objects("seed"), Alone().first_object("seed")
    (['seed'], 'seed')
    """

    rank, size = 0, 1

    @property
    def alone(self) -> bool:
        """Whether there is no other process."""
        return self.size == 1

    def all_objects(self, value: Any) -> list:
        """Return the objects of all processes, in their order."""
        return [value]

    def first_object(self, value: Any) -> Any:
        """Return the object of the first process."""
        return value

    def first_tensor(self, values: Tensor) -> Tensor:
        """Return the tensor of the first process; it is changed in place in all others."""
        return values

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over all processes of a tensor, which is changed in place."""
        return values

    def all_tensors(self, values: Tensor) -> list[Tensor]:
        """Return the tensors of all processes, which have one shape."""
        return [values]

    def settle(self, error: BaseException | None) -> BaseException | None:
        """Return the error that this process raises, after telling the others of its own."""
        return error

    def leave(self) -> None:
        """Close what connects the processes."""


class Team(Alone):
    """Several processes that take every step of a fit together."""

    def __init__(self):
        with answering():
            self.rank, self.size = dist.get_rank(), dist.get_world_size()
            self._group = self._new_group()
            # Only to agree on how the fit ends: a process that fails closes the other group.
            self._control = dist.new_group(backend="gloo", timeout=_TIMEOUT)
        self._over = False

    def all_objects(self, value):
        values = [None] * self.size
        with answering():
            dist.all_gather_object(values, value, group=self._group)
        return values

    def first_object(self, value):
        values = [value]
        with answering():
            dist.broadcast_object_list(values, src=0, group=self._group)
        return values[0]

    def first_tensor(self, values):
        with answering():
            dist.broadcast(values, src=0, group=self._group)
        return values

    def sum(self, values):
        with answering():
            dist.all_reduce(values, group=self._group)
        return values

    def all_tensors(self, values):
        parts = [torch.empty_like(values) for _ in range(self.size)]
        with answering():
            dist.all_gather(parts, values, group=self._group)
        return parts

    def settle(self, error):
        if self._over:
            return error
        own = None
        if error is not None:
            # Closing the group tells others that wait for this process. Frames of an error that was
            # raised during an operation would keep the connections open.
            raised = error
            while raised is not None:
                traceback.clear_frames(raised.__traceback__)
                raised = raised.__context__
            self._close_group()
            own = _outcome(error)
        outcomes = [None] * self.size
        try:
            with answering():
                dist.all_gather_object(outcomes, own, group=self._control)
        except ProcessLostError as lost:
            self._over = True
            return lost if own is None else error
        return self._common_error(error, outcomes)

    def _common_error(self, error, outcomes: list[str | None]) -> BaseException | None:
        failures = {
            r: text for r, text in enumerate(outcomes) if text not in (None, "", _INTERRUPTED)
        }
        if failures:
            self._over = True
            if self.rank in failures:
                return error
            r, text = next(iter(failures.items()))
            return ProcessLostError(
                f"Process {r} of {self.size} that train together failed. {text}"
            )
        if _INTERRUPTED in outcomes:
            self._close_group()
            self._group = self._new_group()
            return KeyboardInterrupt()
        # No process failed, but one did not hear from another.
        self._over = any(text == "" for text in outcomes)
        return ProcessLostError(_lost()) if self._over and error is None else error

    def leave(self):
        self._close_group()
        dist.destroy_process_group(self._control)

    def _new_group(self):
        return dist.new_group(backend=backend(), timeout=_TIMEOUT)

    def _close_group(self) -> None:
        if self._group is not None:
            dist.destroy_process_group(self._group)
            self._group = None


def join() -> None:
    """Connect this process to the others that the launcher started, once."""
    with answering():
        dist.init_process_group(backend(), timeout=_TIMEOUT)


def backend() -> str:
    """Choose how the processes talk to each other."""
    n_devices = torch.cuda.device_count()
    if not n_devices:
        return "gloo"
    # NCCL needs a device for each process.
    shared = int(os.environ.get("LOCAL_WORLD_SIZE", 1)) > n_devices
    return "cpu:gloo,cuda:gloo" if shared else "cpu:gloo,cuda:nccl"


def _outcome(error: BaseException) -> str:
    """Describe to the other processes how this one ended."""
    if isinstance(error, KeyboardInterrupt):
        return _INTERRUPTED
    return "" if isinstance(error, ProcessLostError) else f"{type(error).__name__}: {error}"


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
