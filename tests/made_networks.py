"""Networks by the names that estimators give them, for the tests of networks."""

import numpy as np
from torch import nn

from sklearn_simvae.networks import make_decoder, make_encoder


def encoder_of(name, kind, shape, n_outputs=5, hidden_layer_sizes=(16, 8)):
    return make_encoder(
        name,
        kind=kind,
        input_shape=shape,
        n_outputs=n_outputs,
        hidden_layer_sizes=hidden_layer_sizes,
    )


def decoder_of(decoder, kind, shape, encoder="auto", n_components=4, hidden_layer_sizes=(16, 8)):
    return make_decoder(
        decoder,
        encoder=encoder,
        kind=kind,
        n_components=n_components,
        output_shape=shape,
        hidden_layer_sizes=hidden_layer_sizes,
    )


def n_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


class Flat(nn.Module):
    """The least a user's encoder does."""

    def __init__(self, shape, n_outputs):
        super().__init__()
        self.linear = nn.Linear(int(np.prod(shape)), n_outputs)
        self.dropout = nn.Dropout()

    def forward(self, x):
        return self.dropout(self.linear(x.flatten(1)))
