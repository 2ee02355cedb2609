"""Residual blocks for series (one spatial dimension) and images (two)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d}
# A series has no second axis over which to gather context: its kernels are longer.
_KERNEL_SIZES = {1: 5, 2: 3}
_N_GROUPS = 8

Stride = int | tuple[int, ...]


def group_norm(n_channels: int) -> nn.GroupNorm:
    """Make a group normalization, under which a row does not depend on the others of its batch.

    Parameters
    ----------
    n_channels : int
        Number of channels, a multiple of 8.

    Returns
    -------
    nn.GroupNorm
        Normalization over 8 groups of channels.

    Examples
    --------
    >>> group_norm(32)
    GroupNorm(8, 32, eps=1e-05, affine=True...)
    """
    return nn.GroupNorm(_N_GROUPS, n_channels)


def convolution(
    n_dims: int, n_inputs: int, n_outputs: int, *, stride: Stride = 1, bias: bool = True
) -> nn.Conv1d | nn.Conv2d:
    """Make a padded convolution whose output has ``ceil(size / stride)`` cells along each axis.

    Parameters
    ----------
    n_dims : {1, 2}
        Number of spatial dimensions.
    n_inputs, n_outputs : int
        Numbers of channels.
    stride : int or tuple of int
        Stride along each axis.
    bias : bool
        Whether to add a bias, which a layer followed by a normalization does not need.

    Returns
    -------
    nn.Conv1d or nn.Conv2d
        Convolution with torch's default initialization.

    Examples
    --------
    >>> convolution(2, 3, 8, stride=2)
    Conv2d(3, 8, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))
    """
    size = _KERNEL_SIZES[n_dims]
    return _CONVOLUTIONS[n_dims](n_inputs, n_outputs, size, stride, size // 2, bias=bias)


class ResidualBlock(nn.Module):
    """Two normalized convolutions added to a shortcut, then ReLU.

    A block with `size` upsamples between its convolutions, the reverse of a strided block; this
    takes half the time of upsampling first.

    Parameters
    ----------
    n_dims : {1, 2}
        Number of spatial dimensions.
    n_inputs, n_outputs : int
        Numbers of channels.
    stride : int or tuple of int
        Stride of the first convolution and of the shortcut.
    size : tuple of int, optional
        Spatial size to upsample to.
    norm : callable
        Function from a number of channels to the normalization to use.

    Examples
    --------
    >>> import torch
    >>> ResidualBlock(2, 8, 16, stride=2)(torch.zeros(1, 8, 7, 7)).shape
    torch.Size([1, 16, 4, 4])
    >>> ResidualBlock(2, 16, 8, size=(7, 9))(torch.zeros(1, 16, 4, 5)).shape
    torch.Size([1, 8, 7, 9])
    """

    def __init__(
        self,
        n_dims: int,
        n_inputs: int,
        n_outputs: int,
        *,
        stride: Stride = 1,
        size: tuple[int, ...] | None = None,
        norm: Callable[[int], nn.Module] = group_norm,
    ) -> None:
        super().__init__()
        # Nearest neighbor: the gradient of linear interpolation is not deterministic on CUDA.
        resize = [] if size is None else [nn.Upsample(size=size, mode="nearest")]
        self.residual = nn.Sequential(
            convolution(n_dims, n_inputs, n_outputs, stride=stride, bias=False),
            norm(n_outputs),
            nn.ReLU(),
            *resize,
            convolution(n_dims, n_outputs, n_outputs, bias=False),
            norm(n_outputs),
        )
        project: list[nn.Module] = []
        if n_inputs != n_outputs or (max(stride) if isinstance(stride, tuple) else stride) > 1:
            project = [
                _CONVOLUTIONS[n_dims](n_inputs, n_outputs, 1, stride, bias=False),
                norm(n_outputs),
            ]
        self.shortcut = nn.Sequential(*project, *resize)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Transform ``(N, n_inputs, ...)`` to ``(N, n_outputs, ...)``."""
        if torch.is_autocast_enabled("cpu") and x.ndim == 4 and x.shape[-1] <= 2:
            # On maps this narrow, oneDNN's strided bf16 convolutions (AMX) return stale memory.
            with torch.autocast("cpu", enabled=False):
                return self._sum(x.float())
        return self._sum(x)

    def _sum(self, x: Tensor) -> Tensor:
        return self.activation(self.residual(x) + self.shortcut(x))
