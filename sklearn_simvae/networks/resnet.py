"""ResNet-18 for small images, and the decoder that mirrors it."""

from itertools import pairwise
from math import prod

from torch import nn

from .blocks import ResidualBlock, convolution

_WIDTHS = (64, 128, 256, 512)
_DEPTH = 2


def resnet18_encoder(input_shape: tuple[int, ...], n_outputs: int) -> nn.Sequential:
    """Make a ResNet-18 with a stem for small images, without stride and max-pooling.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one image, ``(C, H, W)``.
    n_outputs : int
        Width of the output.

    Returns
    -------
    nn.Sequential
        Encoder from ``(N, C, H, W)`` to ``(N, n_outputs)``. Its last element is the linear head,
        before which the 512 channels are averaged over all positions.

    Examples
    --------
    >>> resnet18_encoder((3, 32, 32), 10)[-1]
    Linear(in_features=512, out_features=10, bias=True)
    """
    widths = [_WIDTHS[0], *(width for width in _WIDTHS for _ in range(_DEPTH))]
    blocks = [
        ResidualBlock(2, n_in, n_out, stride=1 if n_in == n_out else 2, norm=nn.BatchNorm2d)
        for n_in, n_out in pairwise(widths)
    ]
    encoder = nn.Sequential(
        convolution(2, input_shape[0], widths[0], bias=False),
        nn.BatchNorm2d(widths[0]),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(_WIDTHS[-1], n_outputs),
    )
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            # Published ResNets are initialized like this.
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return encoder


def resnet18_decoder(n_components: int, output_shape: tuple[int, ...]) -> nn.Sequential:
    """Make the decoder that mirrors :func:`resnet18_encoder`, with group normalization.

    Parameters
    ----------
    n_components : int
        Width of the input.
    output_shape : tuple of int
        Shape of one decoded image, ``(C, H, W)``.

    Returns
    -------
    nn.Sequential
        Decoder from ``(N, n_components)`` to ``(N, C, H, W)``.

    Examples
    --------
    >>> import torch
    >>> resnet18_decoder(10, (3, 9, 8))(torch.zeros(1, 10)).shape
    torch.Size([1, 3, 9, 8])
    """
    n_channels, *size = output_shape
    # Each stage of the encoder but the first halves the size, rounding up.
    sizes = [tuple(-(-n // 2**i) for n in size) for i in range(len(_WIDTHS))]
    grid = (_WIDTHS[-1], *sizes[-1])
    blocks = [ResidualBlock(2, grid[0], grid[0]) for _ in range(_DEPTH)]
    for width, stage_size in zip(_WIDTHS[-2::-1], sizes[-2::-1], strict=True):
        blocks.append(ResidualBlock(2, 2 * width, width, size=stage_size))
        blocks += [ResidualBlock(2, width, width) for _ in range(_DEPTH - 1)]
    return nn.Sequential(
        nn.Linear(n_components, prod(grid)),
        nn.ReLU(),
        nn.Unflatten(1, grid),
        *blocks,
        convolution(2, _WIDTHS[0], n_channels),
    )
