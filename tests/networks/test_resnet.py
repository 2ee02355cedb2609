"""ResNet-18 and the decoder that mirrors it."""

import pytest
import torch
from made_networks import decoder_of, encoder_of, n_parameters
from torch import nn


def test_resnet18_takes_a_batch_of_one_in_eval_mode():
    assert encoder_of("resnet18", "image", (3, 8, 8)).eval()(torch.rand(1, 3, 8, 8)).shape == (1, 5)


def test_resnet18_is_the_standard_network():
    encoder = encoder_of("resnet18", "image", (3, 32, 32), n_outputs=10)
    assert n_parameters(encoder[:-1]) == 11_168_832
    assert sum(isinstance(module, nn.Conv2d) for module in encoder.modules()) == 17 + 3
    assert encoder[:-3].eval()(torch.rand(1, 3, 32, 32)).shape == (1, 512, 4, 4)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 15, 18)])
def test_resnet18_restores_the_exact_size_of_images(shape):
    assert decoder_of("resnet18", "image", shape)(torch.randn(2, 4)).shape == (2, *shape)
