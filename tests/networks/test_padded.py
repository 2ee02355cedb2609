"""Encoders of series that end in NaN: the padding has no influence."""

import pytest
import torch
from torch import nn

from sklearn_simvae.networks import hidden_features, make_encoder
from sklearn_simvae.networks.padded import PaddedConvolutions, ZeroPadding, segment_means

NAN = torch.nan


def encoder(name, length=40, n_channels=2):
    torch.manual_seed(0)
    shape = {"input_shape": (n_channels, length), "hidden_layer_sizes": (16,)}
    return make_encoder(name, kind="series", n_outputs=3, padded=True, **shape)


def padded(x, length):
    return torch.cat([x, x.new_full((*x.shape[:2], length - x.shape[2]), NAN)], 2)


@pytest.mark.parametrize("n_steps", [1, 2, 7, 16, 33, 40])
def test_convolutions_do_not_see_the_padding(n_steps):
    network, x = encoder("conv1d"), torch.randn(4, 2, n_steps)
    alone = network(x)
    for length in (40, 57):
        torch.testing.assert_close(network(padded(x, length)), alone, rtol=0, atol=1e-5)


def test_series_of_a_batch_do_not_see_each_other():
    network = encoder("conv1d")
    short, long = torch.randn(1, 2, 9), 100 * torch.randn(3, 2, 40)
    batch = torch.cat([padded(short, 40), long])
    torch.testing.assert_close(network(batch)[:1], network(short), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["conv1d", "mlp"])
def test_gradients_are_finite_and_the_end_of_a_series_counts(name):
    network = encoder(name)
    x = padded(torch.randn(3, 2, 30), 40)
    network(x).square().sum().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())
    shorter = x.clone()
    shorter[:, :, 25:] = NAN
    assert (network(x) - network(shorter)).abs().max() > 1e-3


def test_level_and_scale_of_a_series_are_kept():
    network, x = encoder("conv1d"), torch.randn(4, 2, 40)
    assert (network(3 * x) - network(x)).abs().max() > 0.1
    assert (network(x + 1) - network(x)).abs().max() > 0.1


def test_segments_are_means_of_what_is_there():
    x = torch.arange(16.0).reshape(1, 1, 16)
    given = torch.ones(1, 1, 16)
    torch.testing.assert_close(segment_means(x, given, 16), x)
    wide = segment_means(x, given, 2)
    assert 2 < wide[0, 0, 0] < 6 and 9 < wide[0, 0, 1] < 13
    one = segment_means(x, torch.eye(16)[:1, None], 4)
    torch.testing.assert_close(one, torch.zeros(1, 1, 4))
    two = segment_means(x, (torch.arange(16) < 2).float()[None, None], 4)
    assert two.diff().min() >= 0 and two.max() <= 1


def test_mlp_is_told_which_steps_there_are():
    x = torch.tensor([[[2.0, 0.0, NAN]]])
    made = ZeroPadding(tell=True)(x)
    assert made.tolist() == [[[2.0, 0.0, 0.0], [1.0, 1.0, 0.0]]]
    assert encoder("mlp")[2].in_features == 3 * 40


def test_own_module_is_given_zeros_and_keeps_its_hidden_layer():
    own = nn.Sequential(nn.Flatten(), nn.Linear(80, 5), nn.ReLU(), nn.Linear(5, 3))
    made = encoder(own)
    x = padded(torch.randn(2, 2, 30), 40)
    torch.testing.assert_close(made(x), own(torch.nan_to_num(x)))
    assert hidden_features(made)(x).shape == (2, 5)
    layer = nn.Conv1d(2, 3, 40)

    class Own(nn.Module):
        def forward(self, x):
            return layer(x)[..., 0]

    assert encoder(lambda shape, n: Own())(x).isfinite().all()


def test_number_of_features_is_that_of_the_output():
    network = PaddedConvolutions(1, 300)
    assert network(torch.zeros(2, 1, 8)).shape == (2, network.n_features)
