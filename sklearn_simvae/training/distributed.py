"""One training shared by processes: each computes a part of every batch, and all take one step.

A launcher (`torchrun`, `accelerate launch`) runs the script once for each process; `fit` finds the
others by itself. Every process goes through the same order of batches, and works on its own part of
each. Where the loss of a sample depends on others of its batch, projections are gathered first.
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
from torch import Tensor, nn

# The longest that a process may keep the others waiting.
_TIMEOUT = timedelta(minutes=10)
_VARIABLES = ("RANK", "MASTER_ADDR", "MASTER_PORT")
_INTERRUPTED = "interrupted"


class _Local(threading.local):
    """The processes of the fit that is going on in a thread; None where it trains alone."""

    team = None


_local = _Local()


class ProcessLostError(RuntimeError):
    """Another process of the same training failed or is gone."""


# ---------------------------------------------------------------- who trains


@contextlib.contextmanager
def train_together() -> Iterator[None]:
    """Train with the other processes that a launcher started, if there are any.

    Inside, all of them go the same way: if one fails, all raise.

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
        # A fit inside of a fit, say of a callback, is that of one process.
        _local.team = None
        try:
            yield
        finally:
            _local.team = outer
        return
    with _answering():
        if not dist.is_initialized():
            dist.init_process_group(_backend(), timeout=_TIMEOUT)
            atexit.register(_leave)
        _local.team = SimpleNamespace(
            rank=dist.get_rank(),
            size=dist.get_world_size(),
            group=_new_group(),
            # For how it ends and nothing else, since the group is closed by who fails.
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
    """Whether there are others to train with."""
    # Workers of a search, threads or processes, only inherit what the launcher set.
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
    # NCCL wants a device for each process.
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


def rank() -> int:
    """The number of this process among those that train together; 0 where it is alone."""
    return 0 if _local.team is None else _local.team.rank


def n_processes() -> int:
    """How many processes train together."""
    return 1 if _local.team is None else _local.team.size


def local_cuda_device() -> torch.device:  # pragma: no cover
    """The CUDA device of this process."""
    if n_processes() == 1:
        return torch.device("cuda")
    index = int(os.environ.get("LOCAL_RANK", torch.cuda.current_device()))
    return torch.device("cuda", index % torch.cuda.device_count())


# ---------------------------------------------------------------- how a training ends


@contextlib.contextmanager
def agreement() -> Iterator[None]:
    """Leave a block as all processes leave it: well, interrupted, or by an error.

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
    """What this process is to raise, after it told the others of its own error."""
    mine = None
    if error is not None:
        # Others may be waiting for this process, and hear of it that way. The frames of what was
        # raised in the midst of an operation would keep the connections open.
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
        with _answering():
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
    # Nobody failed, and yet somebody was not heard.
    _local.team.over = any(text == "" for text in outcomes)
    return ProcessLostError(_lost()) if _local.team.over and error is None else error


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Say in plain words that another process does not answer."""
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
    """Whether something holds in any process.

    Parameters
    ----------
    condition : bool
        Whether it holds here.

    Returns
    -------
    any : bool
        The same in all processes.
    """
    return any(_from_all(condition))


def check_same(value: dict[str, Any]) -> None:
    """Raise in all processes if they are not about to do the same.

    Parameters
    ----------
    value : dict of str to object
        What is to be the same, by name.

    Raises
    ------
    ValueError
        If anything differs.
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
    """A number that tells arrays apart.

    Parameters
    ----------
    x : Tensor
        Any.

    Returns
    -------
    fingerprint : int
        The same for the same bits.
    """
    return zlib.crc32(np.ascontiguousarray(x.cpu().numpy()).data)


def _from_all(value) -> list:
    values = [value] * n_processes()
    if _local.team is not None:
        with _answering():
            dist.all_gather_object(values, value, group=_local.team.group)
    return values


# ---------------------------------------------------------------- what is shared out


def own_part(n: int) -> slice:
    """The rows of n that this process works on: even parts, in the order of the processes.

    Parameters
    ----------
    n : int
        Rows of all processes; where there are fewer than processes, each works on all of them.

    Returns
    -------
    part : slice
        Of the rows.

    Examples
    --------
    >>> from sklearn_simvae.training.distributed import own_part
    >>> own_part(5)
    slice(0, 5, None)
    """
    size = n_processes()
    if n < size:
        return slice(0, n)
    edges = [0, *np.cumsum(_part_sizes(n, size)).tolist()]
    return slice(edges[rank()], edges[rank() + 1])


def _part_sizes(n: int, n_parts: int) -> list[int]:
    smaller, more = divmod(n, n_parts)
    return [smaller + 1] * more + [smaller] * (n_parts - more)


class _Gather(torch.autograd.Function):
    """Rows of all processes; the gradient of the own part goes back.

    All processes compute the same loss of the same rows, so each has the whole gradient by itself.
    It is weighted by the share that the process has in the loss, which is undone here: see
    `SSLNet.train_step`.
    """

    @staticmethod
    def forward(ctx, z, n):
        sizes = _part_sizes(n, _local.team.size)
        # Collective operations want the same shape of all.
        padded = z.new_zeros(sizes[0], *z.shape[1:])
        padded[: len(z)] = z
        parts = [torch.empty_like(padded) for _ in sizes]
        with _answering():
            dist.all_gather(parts, padded, group=_local.team.group)
        ctx.part, ctx.share = own_part(n), len(z) / n
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx, gradient):
        return gradient[ctx.part] / ctx.share, None


def gather_rows(z: Tensor, n: int) -> Tensor:
    """The rows of all processes, in their order, with their gradients.

    Parameters
    ----------
    z : Tensor of shape (own, ...)
        Rows of this process, the :func:`own_part` of n.
    n : int
        Rows of all processes.

    Returns
    -------
    z : Tensor of shape (n, ...)
        As given, where these are all rows already.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training.distributed import gather_rows
    >>> gather_rows(torch.zeros(3, 2), 3).shape
    torch.Size([3, 2])
    """
    if len(z) == n:
        return z
    if z.dtype == torch.bool:
        return gather_rows(z.to(torch.uint8), n).bool()
    return _Gather.apply(z, n)


def gather_batch(z, batch):
    """Projections and masks of a whole batch, of which this process may have a part.

    Parameters
    ----------
    z : Tensor of shape (own, ...), or tuple of such
        What this process computed of its views.
    batch : Batch
        As it is given to an objective.

    Returns
    -------
    z : Tensor of shape (n, ...), or tuple of such
        Of all processes.
    batch : Batch
        With the whole mask; `views` are those of this process still.
    """
    n = len(batch.indices)
    if len(batch.views) == n:
        return z, batch
    z = tuple(gather_rows(part, n) for part in z) if isinstance(z, tuple) else gather_rows(z, n)
    return z, batch if batch.mask is None else batch._replace(mask=gather_rows(batch.mask, n))


# ---------------------------------------------------------------- what is made the same


def sum_over_processes(values: Tensor) -> Tensor:
    """Sum of what all processes have.

    Parameters
    ----------
    values : Tensor
        Of the same shape in all. It is changed.

    Returns
    -------
    values : Tensor
        The sum.
    """
    if _local.team is not None:
        with _answering():
            dist.all_reduce(values, group=_local.team.group)
    return values


def sum_gradients(module: nn.Module) -> None:
    """Give all processes the sum of their gradients; where there is none, it counts as zero.

    Parameters
    ----------
    module : Module
        Whose parameters have gradients.
    """
    # Before the parameters are listed, which takes a tenth of a millisecond of each step.
    if _local.team is None:
        return
    parameters = [p for p in module.parameters() if p.requires_grad]
    if not parameters:
        return
    for p in parameters:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    total = sum_over_processes(torch.cat([p.grad.flatten() for p in parameters]))
    for p, part in zip(parameters, total.split([p.numel() for p in parameters]), strict=True):
        p.grad.copy_(part.view_as(p))


@torch.no_grad()
def average_buffers(module: nn.Module) -> None:
    """Average running statistics, which each process takes of its own part of a batch.

    Parameters
    ----------
    module : Module
        Whose buffers are changed.
    """
    if _local.team is not None:
        for buffer in module.buffers():
            if buffer.is_floating_point() and buffer.numel():
                values = buffer.clone(memory_format=torch.contiguous_format)
                buffer.copy_(sum_over_processes(values) / n_processes())


def first_weights(module: nn.Module) -> None:
    """Give all processes the weights and the buffers of the first, of whatever shape they are.

    Parameters
    ----------
    module : Module
        Of one structure in all processes.
    """
    if _local.team is None:
        return
    tensors = [*module.parameters(), *module.buffers()]
    for tensor, shape in zip(tensors, from_first([t.shape for t in tensors]), strict=True):
        if tensor.shape != shape:
            tensor.data = tensor.new_empty(shape)
        if tensor.numel():
            tensor.data.copy_(first_tensor(tensor.data.contiguous()))


def first_tensor(values: Tensor) -> Tensor:
    """What the first process has.

    Parameters
    ----------
    values : Tensor
        Of the same shape in all. It is changed, other than in the first.

    Returns
    -------
    values : Tensor
        The same in all.
    """
    if _local.team is not None:
        with _answering():
            dist.broadcast(values, src=0, group=_local.team.group)
    return values


def from_first(value):
    """What the first process has: any object that can be pickled.

    Parameters
    ----------
    value : object
        That of this process.

    Returns
    -------
    value : object
        The same in all.
    """
    values = [value]
    if _local.team is not None:
        with _answering():
            dist.broadcast_object_list(values, src=0, group=_local.team.group)
    return values[0]


def own_seed(seed: int) -> int:
    """A seed of what each process is to draw by itself; the first keeps the one given.

    Parameters
    ----------
    seed : int
        The same in all.

    Returns
    -------
    seed : int
        Another in each.
    """
    return seed if rank() == 0 else int(np.random.SeedSequence([seed, rank()]).generate_state(1)[0])


def synchronise_batch_norm(module: nn.Module, device: torch.device) -> None:
    """Let batch normalisation take its statistics over all processes, which torch can on CUDA.

    Parameters
    ----------
    module : Module
        Whose parts are replaced; weights stay the same objects.
    device : torch.device
        Where it is.
    """
    if _local.team is not None and device.type == "cuda":  # pragma: no cover
        nn.SyncBatchNorm.convert_sync_batchnorm(module)
