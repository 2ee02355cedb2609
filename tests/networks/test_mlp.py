"""Multilayer perceptrons: the layers that encoders and decoders have."""

import numpy as np
import pytest
from made_networks import decoder_of, encoder_of
from torch import nn


@pytest.mark.parametrize("sizes", [(), 6, [6, 4], np.array([6, 4]), np.int64(6)])
def test_mlp_has_the_given_hidden_layers(sizes):
    encoder = encoder_of("mlp", "vector", (7,), hidden_layer_sizes=sizes)
    widths = [layer.out_features for layer in encoder if isinstance(layer, nn.Linear)]
    assert widths == [*np.atleast_1d(np.asarray(sizes, dtype=int)), 5]


def test_mlp_reverses_the_hidden_layers():
    decoder = decoder_of("mlp", "image", (1, 8, 8), hidden_layer_sizes=(16, 12, 8))
    widths = [layer.out_features for layer in decoder if isinstance(layer, nn.Linear)]
    assert widths == [8, 12, 16, 64]


def test_mlp_without_hidden_layers_is_linear():
    decoder = decoder_of("mlp", "vector", (7,), hidden_layer_sizes=())
    assert [type(layer) for layer in decoder] == [nn.Linear, nn.Unflatten]
