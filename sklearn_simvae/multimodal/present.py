"""Networks of modalities, applied to the rows that have them."""

import contextlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from sklearn_simvae.training.checks import has_batch_norm
from sklearn_simvae.training.modes import evaluation_mode


def encode_present(networks, views: Sequence[Tensor], mask: Tensor) -> Tensor:
    """Encode each modality of the rows that have it.

    Parameters
    ----------
    networks : sequence of Module
        One for each modality, all of the same width.
    views : sequence of Tensor of shape (N, *shape)
        Modalities in the layout of their networks, anything where they are missing.
    mask : Tensor of bool of shape (N, n_modalities)
        True where a modality is there.

    Returns
    -------
    z : Tensor of float32 of shape (N, n_modalities, d)
        Without meaning where a modality is missing.
    """
    both = zip(networks, views, mask.unbind(1), strict=True)
    return torch.stack([of_present(network, network, some, x) for network, x, some in both], dim=1)


def of_present(
    network: nn.Module, function: Callable[..., Tensor], present: Tensor, *rows: Tensor
) -> Tensor:
    """Apply a network to the rows that are there, which alone go into batch statistics.

    Parameters
    ----------
    network : Module
        Network of the function.
    function : callable
        From some of the rows to a tensor of as many.
    present : Tensor of bool of shape (N,)
        True for rows that are there.
    *rows : Tensor of shape (N, ...)
        Arguments of `function`.

    Returns
    -------
    made : Tensor of float32 of shape (N, ...)
        Without meaning where there is no row.
    """
    if not _selects(present) and not has_batch_norm(network):
        return function(*rows).float()
    statistics = contextlib.nullcontext()
    if present.sum() < 2:
        present = present.clone()
        if _needs_two_rows(network):
            present[:2] = True
        else:
            if has_batch_norm(network):
                # Too few for statistics of their own.
                statistics = evaluation_mode(network)
            # Without any, one row tells the width.
            present[0] |= ~present.any()
    with statistics:
        made = function(*(part[present] for part in rows)).float()
    where = present.reshape(-1, *[1] * (made.ndim - 1))
    return made.new_zeros(len(present), *made.shape[1:]).masked_scatter(where, made)


def _selects(present: Tensor) -> bool:
    """Whether rows are taken out even where nothing that is learned depends on the others.

    Not on a GPU, which would have to tell how many they are, and wait for it.
    """
    return not present.is_cuda


def _needs_two_rows(network: nn.Module) -> bool:
    """Whether it takes statistics of the batch in any case, or together with other processes."""
    return any(
        isinstance(m, nn.SyncBatchNorm) or m.running_mean is None
        for m in network.modules()
        if isinstance(m, nn.modules.batchnorm._BatchNorm)
    )
