"""Exchange between processes that train together: split, gather, sum and broadcast.

Each process works on its own part of every batch. If the loss of a sample depends on others of its
batch, projections are gathered with their gradients; weights and statistics are kept equal.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_simvae.training.distributed import current_team, n_processes, rank


def own_part(n: int) -> slice:
    """Return the part of n rows that this process works on: even parts, ordered by process.

    Parameters
    ----------
    n : int
        Number of rows in all processes. If it is smaller than the number of processes, each process
        works on all rows.

    Returns
    -------
    part : slice
        Slice of the rows.

    Examples
    --------
    >>> from sklearn_simvae.training.exchange import own_part
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
    """Rows of all processes, with the gradient for the own part.

    All processes compute the same loss of the same rows, so each of them has the whole gradient.
    `SSLNet.train_step` weights the loss by the share of the process, which is undone here.
    """

    @staticmethod
    def forward(ctx, z, n):
        sizes = _part_sizes(n, current_team().size)
        # Collective operations need the same shape in all processes.
        padded = z.new_zeros(sizes[0], *z.shape[1:])
        padded[: len(z)] = z
        parts = current_team().all_tensors(padded)
        ctx.part, ctx.share = own_part(n), len(z) / n
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx, gradient):
        return gradient[ctx.part] / ctx.share, None


def gather_rows(z: Tensor, n: int) -> Tensor:
    """Gather the rows of all processes, in order, with their gradients.

    Parameters
    ----------
    z : Tensor of shape (own, ...)
        Rows of this process, the :func:`own_part` of n.
    n : int
        Number of rows in all processes.

    Returns
    -------
    z : Tensor of shape (n, ...)
        Rows of all processes.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training.exchange import gather_rows
    >>> gather_rows(torch.zeros(3, 2), 3).shape
    torch.Size([3, 2])
    """
    if len(z) == n:
        return z
    if z.dtype == torch.bool:
        return gather_rows(z.to(torch.uint8), n).bool()
    return _Gather.apply(z, n)


def gather_batch(z, batch):
    """Gather the projections and the mask of a batch, of which this process may have a part.

    Parameters
    ----------
    z : Tensor of shape (own, ...), or tuple of such
        Projections of the views of this process.
    batch : Batch
        Batch, as the objective gets it.

    Returns
    -------
    z : Tensor of shape (n, ...), or tuple of such
        Projections of all processes.
    batch : Batch
        Batch with the whole mask; `views` are still only those of this process.
    """
    n = len(batch.indices)
    if len(batch) == n:
        return z, batch
    z = tuple(gather_rows(part, n) for part in z) if isinstance(z, tuple) else gather_rows(z, n)
    return z, batch if batch.mask is None else replace(batch, mask=gather_rows(batch.mask, n))


# ---------------------------------------------------------------- sums and broadcasts


def sum_over_processes(values: Tensor) -> Tensor:
    """Sum tensors over all processes.

    Parameters
    ----------
    values : Tensor
        Tensor of the same shape in all processes. It is changed in place.

    Returns
    -------
    values : Tensor
        Sum over all processes.
    """
    return current_team().sum(values)


def sum_gradients(module: nn.Module) -> None:
    """Sum gradients over all processes; a missing gradient counts as zero.

    Parameters
    ----------
    module : Module
        Network whose parameters have gradients.
    """
    # Return before listing the parameters, which takes a tenth of a millisecond per step.
    if current_team().alone:
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
    """Average running statistics, which each process computes from its own part of a batch.

    Parameters
    ----------
    module : Module
        Network whose buffers are changed.
    """
    if not current_team().alone:
        for buffer in module.buffers():
            if buffer.is_floating_point() and buffer.numel():
                values = buffer.clone(memory_format=torch.contiguous_format)
                buffer.copy_(sum_over_processes(values) / n_processes())


def first_weights(module: nn.Module) -> None:
    """Copy weights and buffers, of any shape, from the first process to all others.

    Parameters
    ----------
    module : Module
        Network with the same structure in all processes.
    """
    if current_team().alone:
        return
    tensors = [*module.parameters(), *module.buffers()]
    for tensor, shape in zip(tensors, from_first([t.shape for t in tensors]), strict=True):
        if tensor.shape != shape:
            tensor.data = tensor.new_empty(shape)
        if tensor.numel():
            tensor.data.copy_(first_tensor(tensor.data.contiguous()))


def first_tensor(values: Tensor) -> Tensor:
    """Copy a tensor from the first process to all others.

    Parameters
    ----------
    values : Tensor
        Tensor of the same shape in all processes. It is changed in place in all but the first.

    Returns
    -------
    values : Tensor
        Tensor of the first process.
    """
    return current_team().first_tensor(values)


def from_first(value):
    """Copy any object that can be pickled from the first process to all others.

    Parameters
    ----------
    value : object
        Object of this process.

    Returns
    -------
    value : object
        Object of the first process.
    """
    return current_team().first_object(value)


def own_seed(seed: int) -> int:
    """Derive a different seed for each process; the first keeps the one given.

    Parameters
    ----------
    seed : int
        Same seed in all processes.

    Returns
    -------
    seed : int
        Seed of this process.
    """
    return seed if rank() == 0 else int(np.random.SeedSequence([seed, rank()]).generate_state(1)[0])


def synchronize_batch_norm(module: nn.Module, device: torch.device) -> None:
    """Let batch normalization use the statistics of all processes, which torch supports on CUDA.

    Parameters
    ----------
    module : Module
        Network whose layers are replaced; weights stay the same objects.
    device : torch.device
        Device of the network.
    """
    if not current_team().alone and device.type == "cuda":  # pragma: no cover
        nn.SyncBatchNorm.convert_sync_batchnorm(module)
