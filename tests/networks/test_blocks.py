"""Residual blocks, against what convolutions are known to give."""

import math

import pytest
import torch
from made_networks import encoder_of
from torch import nn
from torch.nn import functional as F

from sklearn_simvae.networks.blocks import ResidualBlock, convolution


@pytest.mark.parametrize("name", ["conv", "resnet18"])
@pytest.mark.parametrize("size", [(9, 8), (9, 2), (9, 1)])
def test_bf16_sees_nothing_of_what_was_in_memory_before(name, size):
    encoder = encoder_of(name, "image", (3, *size))
    for _ in range(4):
        # What oneDNN's convolutions gave back, of maps as narrow as these end in.
        garbage = [torch.full((n,), torch.nan) for n in (1_000, 50_000, 300_000)]
        del garbage
        with torch.autocast("cpu", torch.bfloat16):
            assert encoder(torch.randn(4, 3, *size)).isfinite().all()


@pytest.mark.parametrize("n_dims", [1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_convolutions_have_a_cell_for_each_step_that_is_begun(n_dims, stride):
    layer = convolution(n_dims, 2, 3, stride=stride)
    for n in range(1, 10):
        out = layer(torch.zeros(1, 2, *[n] * n_dims))
        assert out.shape == (1, 3, *[math.ceil(n / stride)] * n_dims)


def without_residual(*args, **params):
    """A block whose residual branch adds nothing."""
    block = ResidualBlock(*args, **params)
    nn.init.zeros_(block.residual[-1].weight)
    nn.init.zeros_(block.residual[-1].bias)
    return block


@pytest.mark.parametrize("n_dims", [1, 2])
def test_a_block_without_its_residual_is_the_rectified_input(n_dims):
    x = torch.randn(3, 8, *[6] * n_dims)
    assert torch.equal(without_residual(n_dims, 8, 8)(x), x.clamp(min=0))


def test_a_block_that_enlarges_repeats_the_nearest_cell():
    x = torch.rand(2, 8, 3, 4)
    rows, columns = (torch.arange(n) * m // n for n, m in ((7, 3), (8, 4)))
    expected = x[:, :, rows][:, :, :, columns]
    assert torch.equal(without_residual(2, 8, 8, size=(7, 8))(x), expected)


def test_a_block_adds_two_convolutions_to_its_shortcut():
    block = ResidualBlock(2, 8, 16, stride=2)
    x = torch.randn(3, 8, 7, 5)
    first, second = (layer for layer in block.residual if isinstance(layer, nn.Conv2d))
    norms = [layer for layer in block.residual if isinstance(layer, nn.GroupNorm)]

    def normalized(x, norm):
        # Over two channels and all places together, for each row by itself.
        groups = x.reshape(len(x), 8, -1)
        mean, variance = groups.mean(2, keepdim=True), groups.var(2, keepdim=True, correction=0)
        x = ((groups - mean) / (variance + 1e-5).sqrt()).view_as(x)
        return x * norm.weight[:, None, None] + norm.bias[:, None, None]

    h = normalized(F.conv2d(x, first.weight, stride=2, padding=1), norms[0]).relu()
    h = normalized(F.conv2d(h, second.weight, padding=1), norms[1])
    shortcut, norm = block.shortcut
    h = h + normalized(F.conv2d(x, shortcut.weight, stride=2), norm)
    torch.testing.assert_close(block(x), h.relu(), atol=1e-5, rtol=1e-4)
