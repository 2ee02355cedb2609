"""Encoders of series that end in NaN where they are shorter than others of their batch."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from .blocks import convolution
from .conv import _N_HIDDEN, _plan, _stride
from .mlp import dense_layers

_N_GROUPS, _EPS = 8, 1e-5
# Wider layers took three times as long and were no better.
_MOST_FEATURES = 64
# Segments of a series of which features are averaged.
_N_SEGMENTS = 8


class ZeroPadding(nn.Module):
    """Replace the NaN at the end of series by zero.

    Parameters
    ----------
    tell : bool, default=False
        Whether to add a channel that is 1 at the steps that there are and 0 after them.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.networks.padded import ZeroPadding
    >>> ZeroPadding(tell=True)(torch.tensor([[[2.0, torch.nan]]]))
    tensor([[[2., 0.],
             [1., 0.]]])
    """

    def __init__(self, tell: bool = False) -> None:
        super().__init__()
        self.tell = tell

    def forward(self, x: Tensor) -> Tensor:
        """Replace NaN in series of shape ``(N, channels, length)``."""
        missing = padding(x)
        x = x.masked_fill(missing, 0.0)
        return torch.cat([x, missing[:, :1].logical_not().to(x.dtype)], 1) if self.tell else x


def padding(x: Tensor) -> Tensor:
    """Find the steps that a series does not have: NaN after the first step, which each has.

    Parameters
    ----------
    x : Tensor of shape (N, channels, length)
        Series that end in NaN.

    Returns
    -------
    missing : Tensor of bool of shape (N, channels, length)
        True at the padding. NaN at the first step is none, and makes NaN of what follows.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.networks.padded import padding
    >>> padding(torch.tensor([[[2.0, torch.nan]]]))
    tensor([[[False,  True]]])
    """
    missing = x.isnan()
    return torch.cat([torch.zeros_like(missing[..., :1]), missing[..., 1:]], -1)


class PaddedNorm(nn.Module):
    """Group normalization over the steps that there are.

    Parameters
    ----------
    n_channels : int
        Number of channels, a multiple of 8.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_channels, 1))
        self.bias = nn.Parameter(torch.zeros(n_channels, 1))

    def forward(self, x: Tensor, given: Tensor) -> Tensor:
        """Normalize ``(N, channels, length)``, with `given` of ``(N, 1, length)`` of 0 and 1."""
        groups = x.float().unflatten(1, (_N_GROUPS, -1))
        mask = given.unsqueeze(1)
        count = mask.sum((2, 3), keepdim=True).clamp(min=1) * groups.shape[2]
        mean = (groups * mask).sum((2, 3), keepdim=True) / count
        centered = (groups - mean) * mask
        variance = centered.square().sum((2, 3), keepdim=True) / count
        normal = centered * (variance + _EPS).rsqrt()
        return normal.flatten(1, 2) * self.weight + self.bias


class PaddedBlock(nn.Module):
    """Two normalized convolutions added to a shortcut, then ReLU, of the steps that there are.

    The shortcut is not normalized, so that the level and the scale of a series are kept.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Numbers of channels.
    stride : int
        Stride of the first convolution and of the shortcut.
    """

    def __init__(self, n_inputs: int, n_outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.first = convolution(1, n_inputs, n_outputs, stride=stride, bias=False)
        self.first_norm = PaddedNorm(n_outputs)
        self.second = convolution(1, n_outputs, n_outputs, bias=False)
        self.second_norm = PaddedNorm(n_outputs)
        self.shortcut: nn.Module = nn.Identity()
        if n_inputs != n_outputs or stride > 1:
            self.shortcut = nn.Conv1d(n_inputs, n_outputs, 1, stride, bias=False)

    def forward(self, x: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
        """Transform features of ``(N, n_inputs, length)``, and the mask of their steps."""
        after = given[..., :: self.stride]
        hidden = self.first_norm(self.first(x), after).relu() * after
        hidden = self.second_norm(self.second(hidden), after)
        return (hidden + self.shortcut(x)).relu() * after, after


class PaddedConvolutions(nn.Module):
    """Strided residual convolutions of series of any length, averaged over all of their steps.

    Beside the mean over all steps there are those over eight segments of a series, which tell what
    comes first. Neither the padding nor the other series of a batch have any influence.

    Parameters
    ----------
    n_channels : int
        Number of channels of a series.
    length : int
        Usual length of a series, which decides on the number of blocks.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.networks.padded import PaddedConvolutions
    >>> network = PaddedConvolutions(2, 100)
    >>> network(torch.zeros(1, 2, 70)).shape[1] == network.n_features
    True
    """

    def __init__(self, n_channels: int, length: int) -> None:
        super().__init__()
        sizes, widths = _plan((length,))
        widths = [min(width, _MOST_FEATURES) for width in widths]
        self.stem_stride, *strides = (_stride(*pair)[0] for pair in pairwise(sizes))
        self.stem = convolution(1, n_channels, widths[0], stride=self.stem_stride)
        self.blocks = nn.ModuleList(
            PaddedBlock(*pair, stride)
            for pair, stride in zip(pairwise(widths), strides, strict=True)
        )
        self.n_features = widths[-1] * (1 + _N_SEGMENTS)

    def forward(self, x: Tensor) -> Tensor:
        """Transform series ``(N, channels, length)`` to features ``(N, n_features)``."""
        missing = padding(x)
        given = missing[:, :1, :: self.stem_stride].logical_not().float()
        x = self.stem(x.masked_fill(missing, 0.0)).relu() * given
        for block in self.blocks:
            x, given = block(x, given)
        x = x.float()
        mean = x.sum(2, keepdim=True) / given.sum(2, keepdim=True).clamp(min=1)
        return torch.cat([mean, segment_means(x, given)], 2).flatten(1)


def segment_means(x: Tensor, given: Tensor, n_segments: int = _N_SEGMENTS) -> Tensor:
    """Average features over segments of the steps that there are, and interpolate where few are.

    Parameters
    ----------
    x : Tensor of shape (N, n_channels, length)
        Features.
    given : Tensor of shape (N, 1, length)
        1 at the steps that there are, 0 after them.
    n_segments : int, default=8
        Number of segments of a series.

    Returns
    -------
    means : Tensor of shape (N, n_channels, n_segments)
        Means of the features.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.networks.padded import segment_means
    >>> x = torch.tensor([[[1.0, 3.0, 5.0, 7.0, 0.0]]])
    >>> segment_means(x, torch.tensor([[[1.0, 1.0, 1.0, 1.0, 0.0]]]), 4)
    tensor([[[1., 3., 5., 7.]]])
    """
    n_steps = given.sum(2, keepdim=True).clamp(min=1)
    place = (torch.arange(x.shape[-1], device=x.device) + 0.5) / n_steps
    center = (torch.arange(n_segments, device=x.device) + 0.5)[:, None] / n_segments
    width = torch.clamp(1 / n_steps, min=1 / n_segments)
    weight = (1 - (place - center).abs() / width).relu() * given
    weight = weight / weight.sum(2, keepdim=True).clamp(min=_EPS)
    return x @ weight.transpose(1, 2)


def padded_encoder(
    name: str, input_shape: tuple[int, ...], n_outputs: int, hidden_layer_sizes: tuple[int, ...]
) -> nn.Sequential:
    """Make an encoder of series of unequal length.

    Parameters
    ----------
    name : {"conv1d", "mlp"}
        Name of the architecture.
    input_shape : tuple of int
        Shape of a window, ``(channels, length)``.
    n_outputs : int
        Width of the output.
    hidden_layer_sizes : tuple of int
        Widths of the hidden layers of an ``"mlp"``.

    Returns
    -------
    nn.Sequential
        Encoder from ``(N,) + input_shape`` to ``(N, n_outputs)``; its last element is the linear
        head. "conv1d" takes series of any length.

    Examples
    --------
    >>> from sklearn_simvae.networks.padded import padded_encoder
    >>> padded_encoder("conv1d", (2, 50), 10, ())[-1]
    Linear(in_features=256, out_features=10, bias=True)
    """
    n_channels, length = input_shape
    if name == "mlp":
        sizes = (math.prod((n_channels + 1, length)), *hidden_layer_sizes, n_outputs)
        return nn.Sequential(ZeroPadding(tell=True), nn.Flatten(), *dense_layers(sizes))
    convolutions = PaddedConvolutions(n_channels, length)
    return nn.Sequential(
        convolutions,
        *dense_layers([convolutions.n_features, _N_HIDDEN]),
        nn.ReLU(),
        nn.Linear(_N_HIDDEN, n_outputs),
    )
