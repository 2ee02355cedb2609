"""Batches that do not fit in memory: encoding in chunks, repeated for the gradient."""

import contextlib
import os

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

# Share of the memory for what a step keeps between the forward and the backward pass.
_SHARE = 0.25
_UNKNOWN_MEMORY = 8 * 2**30


def encode_in_chunks(encoder: nn.Module, x: Tensor, chunk_size: int) -> Tensor:
    """Encode a batch, with the activations of at most one chunk of it in memory.

    If a batch has several chunks, only the outputs are kept, and each chunk is encoded again in the
    backward pass. The gradient is the same as for the whole batch, except that batch normalization
    inside the encoder normalizes over a chunk.

    Parameters
    ----------
    encoder : nn.Module
        Network `(N, *shape) -> (N, d)`.
    x : Tensor of shape (N, *shape)
        Batch to encode.
    chunk_size : int
        Largest number of rows to encode at a time.

    Returns
    -------
    z : Tensor of shape (N, d)
        Outputs of the encoder.

    References
    ----------
    Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup",
    RepL4NLP 2021.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training import encode_in_chunks
    >>> encode_in_chunks(torch.nn.Linear(3, 2), torch.zeros(5, 3), chunk_size=2).shape
    torch.Size([5, 2])
    """
    if len(x) <= chunk_size:
        return encoder(x)
    # Even chunks: batch normalization cannot normalize a last chunk of one row.
    chunks = x.tensor_split(-(-len(x) // chunk_size))
    if not torch.is_grad_enabled():
        return torch.cat([encoder(chunk) for chunk in chunks])

    def contexts():
        return contextlib.nullcontext(), _buffers_unchanged(encoder)

    return torch.cat(
        [checkpoint(encoder, chunk, use_reentrant=False, context_fn=contexts) for chunk in chunks]
    )


@contextlib.contextmanager
def _buffers_unchanged(encoder: nn.Module):
    """Keep running statistics unchanged: the second pass is only for the gradient."""
    before = [buffer.clone() for buffer in encoder.buffers()]
    try:
        yield
    finally:
        # Checkpointing ends the forward pass by an exception.
        for buffer, value in zip(encoder.buffers(), before, strict=True):
            buffer.copy_(value)


def auto_chunk_size(encoder: nn.Module, x: Tensor) -> int:
    """Choose the number of rows whose activations fill a quarter of the memory of the device.

    Parameters
    ----------
    encoder : nn.Module
        Network `(N, *shape) -> (N, d)`.
    x : Tensor of shape (N, *shape)
        Batch of at least two rows, on the device.

    Returns
    -------
    chunk_size : int
        Number of rows, at least 16.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training import auto_chunk_size
    >>> auto_chunk_size(torch.nn.Linear(3, 2), torch.zeros(2, 3)) > 100_000
    True
    """
    # Memory that does not depend on the rows, such as weights, drops out of the difference.
    bytes_per_row = _saved_bytes(encoder, x[:2]) - _saved_bytes(encoder, x[:1])
    return max(16, int(_SHARE * _memory(x.device) / max(bytes_per_row, 1)))


def _saved_bytes(encoder: nn.Module, x: Tensor) -> int:
    """Count the bytes of the tensors that a forward pass keeps for the backward pass."""
    sizes = []

    def count(tensor):
        # Returning the tensor would make a reference cycle with its graph, which is never freed.
        sizes.append(tensor.nbytes)

    with (
        torch.enable_grad(),
        torch.autograd.graph.saved_tensors_hooks(count, lambda nothing: nothing),
    ):
        encoder(x)
    return sum(sizes)


def _memory(device: torch.device) -> int:
    """Return the total memory; a fit must not depend on how much is free."""
    if device.type == "cuda":  # pragma: no cover
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN_MEMORY
