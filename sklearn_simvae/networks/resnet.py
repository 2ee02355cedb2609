"""ResNet-18 and the decoder that mirrors it."""

import os
from collections.abc import Mapping
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from .blocks import ResidualBlock, convolution, group_norm

_WIDTHS = (64, 128, 256, 512)
_DEPTH = 2
# Images with a shorter side below this have too few cells left after the standard stem.
_STANDARD_FROM = 64
# The decoder's last convolution is at full size, where channels cost most.
_LAST_WIDTH = 16
# The colors of ImageNet, by which published networks standardize theirs.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# The published names of the parts of a residual block, in the order of its own.
_OF_BLOCK = {
    "residual.0": "conv1",
    "residual.1": "bn1",
    "residual.3": "conv2",
    "residual.4": "bn2",
    "shortcut.0": "downsample.0",
    "shortcut.1": "downsample.1",
}

Weights = str | os.PathLike | Mapping[str, Tensor]


def resnet18_encoder(
    input_shape: tuple[int, ...], n_outputs: int, weights: Weights | None = None
) -> nn.Sequential:
    """Make a ResNet-18, with random weights or with published ones.

    Images of at least 64 pixels on both sides get the standard stem, a convolution of 7 x 7 pixels
    with stride 2 and max-pooling. Smaller ones get a stem for small images, a convolution of
    3 x 3 pixels without stride and max-pooling.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one image, ``(C, H, W)``.
    n_outputs : int
        Width of the output.
    weights : path-like or mapping of str to Tensor, default=None
        A file of weights, or its contents, with the names that torchvision gives to the tensors
        of its ``resnet18`` and that timm shares. The weights of the classifier, ``fc``, are not
        used: the linear head is new. None means random weights.

    Returns
    -------
    nn.Sequential
        Encoder from ``(N, C, H, W)`` to ``(N, n_outputs)``. Its last element is the linear head,
        before which the 512 channels are averaged over all positions. With `weights`, its first
        element standardizes colors from 0 to 1 with the means and standard deviations of ImageNet,
        as published networks expect it.

    Raises
    ------
    ValueError
        If `weights` are not those of a ResNet-18 or do not fit the number of channels, or if images
        are too small for the standard stem.

    Examples
    --------
    >>> from sklearn_simvae.networks import resnet18_encoder
    >>> resnet18_encoder((3, 32, 32), 10)[-1]
    Linear(in_features=512, out_features=10, bias=True)

    A function of shapes alone is an encoder for all estimators:

    >>> from functools import partial
    >>> from sklearn_simvae import SimCLR
    >>> encoder = partial(resnet18_encoder, weights="resnet18-f37072fd.pth")
    >>> SimCLR(encoder=encoder).fit(photos)  # doctest: +SKIP
    """
    widths = [_WIDTHS[0], *(width for width in _WIDTHS for _ in range(_DEPTH))]
    blocks = [
        ResidualBlock(2, n_in, n_out, stride=1 if n_in == n_out else 2, norm=nn.BatchNorm2d)
        for n_in, n_out in pairwise(widths)
    ]
    encoder = nn.Sequential(
        *_stem(input_shape),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(_WIDTHS[-1], n_outputs),
    )
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            # Published ResNets are initialized like this.
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return encoder if weights is None else _published(encoder, input_shape, weights)


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
    >>> from sklearn_simvae.networks.resnet import resnet18_decoder
    >>> resnet18_decoder(10, (3, 9, 8))(torch.zeros(1, 10)).shape
    torch.Size([1, 3, 9, 8])
    """
    n_channels, *size = output_shape
    # The standard stem divides the size by 4; each stage but the first halves it, rounding up.
    n_halvings = 2 if _has_standard_stem(size) else 0
    sizes = [tuple(-(-n // 2**i) for n in size) for i in range(n_halvings + len(_WIDTHS))]
    stages = sizes[n_halvings:]
    grid = (_WIDTHS[-1], *stages[-1])
    blocks = [ResidualBlock(2, grid[0], grid[0]) for _ in range(_DEPTH)]
    for width, stage_size in zip(_WIDTHS[-2::-1], stages[-2::-1], strict=True):
        blocks.append(ResidualBlock(2, 2 * width, width, size=stage_size))
        blocks += [ResidualBlock(2, width, width) for _ in range(_DEPTH - 1)]
    return nn.Sequential(
        nn.Linear(n_components, prod(grid)),
        nn.ReLU(),
        nn.Unflatten(1, grid),
        *blocks,
        *_mirrored_stem(sizes[:n_halvings], n_channels),
    )


def _has_standard_stem(size: list[int] | tuple[int, ...]) -> bool:
    return min(size) >= _STANDARD_FROM


def _stem(input_shape: tuple[int, ...]) -> list[nn.Module]:
    n_channels, *size = input_shape
    normalize = [nn.BatchNorm2d(_WIDTHS[0]), nn.ReLU()]
    if not _has_standard_stem(size):
        return [convolution(2, n_channels, _WIDTHS[0], bias=False), *normalize]
    stem = nn.Conv2d(n_channels, _WIDTHS[0], 7, stride=2, padding=3, bias=False)
    return [stem, *normalize, nn.MaxPool2d(3, stride=2, padding=1)]


def _mirrored_stem(sizes: list[tuple[int, ...]], n_channels: int) -> list[nn.Module]:
    """Return the layers that upsample to these sizes, the largest first, and to the channels."""
    if not sizes:
        return [convolution(2, _WIDTHS[0], n_channels)]
    full, half = sizes
    return [
        nn.Upsample(size=half, mode="nearest"),
        convolution(2, _WIDTHS[0], _LAST_WIDTH, bias=False),
        group_norm(_LAST_WIDTH),
        nn.ReLU(),
        nn.Upsample(size=full, mode="nearest"),
        convolution(2, _LAST_WIDTH, n_channels),
    ]


class _Standardize(nn.Module):
    """Subtract the mean of each color and divide by its standard deviation."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(_STD)[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        """Standardize images of shape ``(N, 3, H, W)``."""
        return (x - self.mean) / self.std


def _published(
    encoder: nn.Sequential, input_shape: tuple[int, ...], weights: Weights
) -> nn.Sequential:
    """Return the encoder with published weights, and with the colors that they expect."""
    n_channels, *size = input_shape
    if n_channels != 3 or not _has_standard_stem(size):
        raise ValueError(
            "Published weights of ResNet-18 are for images of 3 channels and, with its standard "
            f"stem, of at least {_STANDARD_FROM} pixels on both sides; got {input_shape}, channels "
            "first. Resize the images, or leave out the weights."
        )
    if not isinstance(weights, Mapping):
        weights = torch.load(weights, map_location="cpu", weights_only=True)
    names = _published_names(encoder)
    # Older files do not count the batches, on which nothing depends.
    needed = {name for name in names.values() if not name.endswith("num_batches_tracked")}
    missing = sorted(needed.difference(weights))
    more = sorted(set(weights).difference(names.values(), ("fc.weight", "fc.bias")))
    if missing or more:
        raise ValueError(
            "The weights are not those of torchvision's resnet18: there "
            + "; ".join(
                f"{verb} {len(some)} tensors such as {some[0]!r}"
                for verb, some in (("lack", missing), ("are", more))
                if some
            )
            + ". Give its state_dict, or another network as encoder."
        )
    trunk = {own: weights[name] for own, name in names.items() if name in weights}
    try:
        encoder.load_state_dict({**encoder[-1].state_dict(prefix=f"{len(encoder) - 1}."), **trunk})
    except RuntimeError as error:
        raise ValueError(f"The weights are not those of a ResNet-18: {error}") from error
    return nn.Sequential(_Standardize(), *encoder)


def _published_names(encoder: nn.Sequential) -> dict[str, str]:
    """Return the published name of each tensor before the head, by its name in the encoder."""
    prefixes = {"0": "conv1", "1": "bn1"}
    blocks = [i for i, module in enumerate(encoder) if isinstance(module, ResidualBlock)]
    for number, i in enumerate(blocks):
        block = f"layer{number // _DEPTH + 1}.{number % _DEPTH}"
        prefixes.update({f"{i}.{own}": f"{block}.{name}" for own, name in _OF_BLOCK.items()})
    head = f"{len(encoder) - 1}."
    own_names = [name for name in encoder.state_dict() if not name.startswith(head)]
    split = (name.rpartition(".") for name in own_names)
    return {f"{own}.{tensor}": f"{prefixes[own]}.{tensor}" for own, _, tensor in split}
