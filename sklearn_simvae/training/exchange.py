"""What processes that train together share out, gather and make the same.

Each works on its own part of every batch. Where the loss of a sample depends on others of its
batch, projections are gathered with their gradients; weights and statistics are kept the same.
"""

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from sklearn_simvae.training.distributed import answering, current_team, n_processes, rank


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
    """Rows of all processes; the gradient of the own part goes back.

    All processes compute the same loss of the same rows, so each has the whole gradient by itself.
    It is weighted by the share that the process has in the loss, which is undone here: see
    `SSLNet.train_step`.
    """

    @staticmethod
    def forward(ctx, z, n):
        sizes = _part_sizes(n, current_team().size)
        # Collective operations want the same shape of all.
        padded = z.new_zeros(sizes[0], *z.shape[1:])
        padded[: len(z)] = z
        parts = [torch.empty_like(padded) for _ in sizes]
        with answering():
            dist.all_gather(parts, padded, group=current_team().group)
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
    if current_team() is not None:
        with answering():
            dist.all_reduce(values, group=current_team().group)
    return values


def sum_gradients(module: nn.Module) -> None:
    """Give all processes the sum of their gradients; where there is none, it counts as zero.

    Parameters
    ----------
    module : Module
        Whose parameters have gradients.
    """
    # Before the parameters are listed, which takes a tenth of a millisecond of each step.
    if current_team() is None:
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
    if current_team() is not None:
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
    if current_team() is None:
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
    if current_team() is not None:
        with answering():
            dist.broadcast(values, src=0, group=current_team().group)
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
    if current_team() is not None:
        with answering():
            dist.broadcast_object_list(values, src=0, group=current_team().group)
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


def synchronize_batch_norm(module: nn.Module, device: torch.device) -> None:
    """Let batch normalization take its statistics over all processes, which torch can on CUDA.

    Parameters
    ----------
    module : Module
        Whose parts are replaced; weights stay the same objects.
    device : torch.device
        Where it is.
    """
    if current_team() is not None and device.type == "cuda":  # pragma: no cover
        nn.SyncBatchNorm.convert_sync_batchnorm(module)
