"""Small residual encoders and decoders for images and for series."""

from itertools import pairwise
from math import prod

from torch import nn

from .blocks import ResidualBlock, convolution, group_norm
from .mlp import dense_layers

_WIDTHS = (32, 64, 128)
_N_HIDDEN = 256
# Few channels: the decoder's last convolution is at full size and takes most of the time.
_LAST_WIDTH = 16
# Fewest cells along an axis of a series or of an image: enough to distinguish positions.
_SMALLEST = {1: 8, 2: 4}


def conv_encoder(input_shape: tuple[int, ...], n_outputs: int) -> nn.Sequential:
    """Make an encoder of images or series by strided residual convolutions.

    The last feature map is flattened, not pooled, so that positions are encoded too.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample, ``(C, H, W)`` or ``(channels, length)``.
    n_outputs : int
        Width of the output.

    Returns
    -------
    nn.Sequential
        Encoder from ``(N,) + input_shape`` to ``(N, n_outputs)``; its last element is the linear
        head.

    Examples
    --------
    >>> conv_encoder((3, 32, 32), 10)[-1]
    Linear(in_features=256, out_features=10, bias=True)
    """
    n_channels, *size = input_shape
    n_dims = len(size)
    sizes, widths = _plan(tuple(size))
    stem_stride, *strides = (_stride(*pair) for pair in pairwise(sizes))
    return nn.Sequential(
        convolution(n_dims, n_channels, widths[0], stride=stem_stride, bias=False),
        group_norm(widths[0]),
        nn.ReLU(),
        *(
            ResidualBlock(n_dims, *pair, stride=stride)
            for pair, stride in zip(pairwise(widths), strides, strict=True)
        ),
        nn.Flatten(),
        *dense_layers([widths[-1] * prod(sizes[-1]), _N_HIDDEN]),
        nn.ReLU(),
        nn.Linear(_N_HIDDEN, n_outputs),
    )


def conv_decoder(n_components: int, output_shape: tuple[int, ...]) -> nn.Sequential:
    """Make the decoder that mirrors :func:`conv_encoder`.

    Parameters
    ----------
    n_components : int
        Width of the input.
    output_shape : tuple of int
        Shape of one decoded sample, ``(C, H, W)`` or ``(channels, length)``.

    Returns
    -------
    nn.Sequential
        Decoder from ``(N, n_components)`` to ``(N,) + output_shape``.

    Examples
    --------
    >>> import torch
    >>> conv_decoder(10, (2, 45))(torch.zeros(1, 10)).shape
    torch.Size([1, 2, 45])
    """
    n_channels, *size = output_shape
    n_dims = len(size)
    sizes, widths = (plan[::-1] for plan in _plan(tuple(size)))
    grid = (widths[0], *sizes[0])
    return nn.Sequential(
        *dense_layers([n_components, _N_HIDDEN, prod(grid)]),
        nn.ReLU(),
        nn.Unflatten(1, grid),
        *(
            ResidualBlock(n_dims, *pair, size=stage_size)
            for pair, stage_size in zip(pairwise(widths), sizes[1:-1], strict=True)
        ),
        convolution(n_dims, widths[-1], _LAST_WIDTH),
        nn.ReLU(),
        nn.Upsample(size=sizes[-1], mode="nearest"),
        convolution(n_dims, _LAST_WIDTH, n_channels),
    )


def _plan(size: tuple[int, ...]) -> tuple[list[tuple[int, ...]], list[int]]:
    """Return the spatial sizes from the input to the last feature map, and the channel counts."""
    smallest = _SMALLEST[len(size)]
    sizes = [size]
    while (halved := tuple(_halve(n, smallest) for n in sizes[-1])) != sizes[-1]:
        sizes.append(halved)
    n_stages = max(len(sizes) - 1, len(_WIDTHS))
    # A small input gets as many layers as others, the first ones at full size.
    sizes = [size] * (n_stages + 1 - len(sizes)) + sizes
    return sizes, [*_WIDTHS, *[_WIDTHS[-1]] * (n_stages - len(_WIDTHS))]


def _halve(n: int, smallest: int) -> int:
    half = (n + 1) // 2
    return half if half >= smallest else n


def _stride(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(2 if b > a else 1 for b, a in zip(before, after, strict=True))
