"""Random draws on the device and with the type of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def one_per_row(drawn: Tensor) -> Tensor:
    """Return draws (N, ...) as a copy of shape (N,), of bool if they are bool, else of float32."""
    if drawn.ndim > 1:
        return drawn.flatten(1).to(torch.float32).mean(1)
    return drawn.to(torch.float32 if drawn.is_floating_point() else drawn.dtype, copy=True)


def rand(
    shape: Sequence[int],
    like: Tensor,
    generator: torch.Generator | None,
    low: float = 0.0,
    high: float = 1.0,
) -> Tensor:
    """Return uniform draws in [low, high), on the device and with the dtype of `like`."""
    draw = torch.rand(shape, generator=generator, device=like.device, dtype=like.dtype)
    return draw if (low, high) == (0.0, 1.0) else draw.mul_(high - low).add_(low)


def randn(shape: Sequence[int], like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return standard normal draws, on the device and with the dtype of `like`."""
    return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)
