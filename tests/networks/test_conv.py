"""Convolutional networks: sizes of any kind on the way in and on the way back."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_networks import decoder_of, encoder_of, n_parameters
from torch import nn


@pytest.mark.parametrize(
    "shape",
    [(1, 28, 28), (3, 32, 32), (3, 48, 48), (2, 64, 64), (3, 8, 8), (1, 33, 31), (3, 64, 9)],
)
def test_conv_encodes_images_of_any_size(shape):
    output = encoder_of("conv", "image", shape)(torch.rand(2, *shape))
    assert output.shape == (2, 5)
    assert output.isfinite().all()


@settings(max_examples=8, deadline=None)
@given(n_channels=st.integers(1, 4), length=st.integers(4, 300))
def test_conv1d_encodes_series_of_any_length(n_channels, length):
    encoder = encoder_of("conv1d", "series", (n_channels, length))
    assert encoder(torch.randn(2, n_channels, length)).shape == (2, 5)


@settings(max_examples=8, deadline=None)
@given(shape=st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40)))
def test_conv_flattens_a_map_of_bounded_size(shape):
    encoder = encoder_of("conv", "image", shape)
    n_flat = next(layer for layer in encoder if isinstance(layer, nn.Linear)).in_features
    assert n_flat <= 128 * 6 * 6
    assert encoder(torch.rand(1, *shape)).shape == (1, 5)


def test_conv_is_small():
    assert n_parameters(encoder_of("conv", "image", (3, 32, 32), n_outputs=64)) < 1_500_000


@pytest.mark.parametrize(
    "shape",
    [(1, 28, 28), (3, 32, 32), (3, 48, 48), (2, 64, 64), (3, 8, 8), (1, 33, 31), (3, 64, 9)],
)
def test_conv_restores_the_exact_size_of_images(shape):
    output = decoder_of("conv", "image", shape)(torch.randn(2, 4))
    assert output.shape == (2, *shape)
    assert output.isfinite().all()


@settings(max_examples=8, deadline=None)
@given(n_channels=st.integers(1, 4), length=st.integers(4, 300))
def test_conv1d_restores_the_exact_length_of_series(n_channels, length):
    decoder = decoder_of("conv1d", "series", (n_channels, length))
    assert decoder(torch.randn(2, 4)).shape == (2, n_channels, length)


def test_decoder_channels_last_changes_nothing():
    decoder = decoder_of("conv", "image", (3, 13, 10))
    codes = torch.randn(2, 4)
    expected = decoder(codes)
    decoder.to(memory_format=torch.channels_last)
    torch.testing.assert_close(decoder(codes), expected, atol=1e-4, rtol=1e-3)
