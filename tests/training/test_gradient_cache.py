"""Encoding in chunks: the same output and gradient, with the activations of one chunk in memory."""

import copy
import sys

import numpy as np
import pytest
import torch
from conftest import TINY
from torch import nn

from sklearn_simvae import BYOL, SimCLR, SwAV
from sklearn_simvae.networks import make_encoder
from sklearn_simvae.training import auto_chunk_size, encode_in_chunks

cache = sys.modules["sklearn_simvae.training.gradient_cache"]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def mlp(width=16, dropout=0.0):
    layers = [nn.Linear(6, width), nn.Dropout(dropout), nn.Tanh(), nn.Linear(width, 3)]
    return nn.Sequential(*layers).double()


def conv():
    shape = {"kind": "image", "input_shape": (3, 8, 8), "n_outputs": 3}
    return make_encoder("conv", **shape, hidden_layer_sizes=()).double()


def gradients(encoder, z):
    """Of a loss that, as contrastive ones do, depends on all pairs of rows."""
    encoder.zero_grad()
    torch.logsumexp(z @ z.T, dim=1).mean().backward()
    return [parameter.grad.clone() for parameter in encoder.parameters()]


def bytes_kept(encoder, x, chunk_size):
    """Bytes that the forward pass keeps for the backward pass, and what it gives."""
    sizes = []

    def pack(tensor):
        sizes.append(tensor.nbytes)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        z = encode_in_chunks(encoder, x, chunk_size)
    return sum(sizes), z


# ---------------------------------------------------------------- output and gradient


@pytest.mark.parametrize("chunk_size", [1, 4, 5, 19])
@pytest.mark.parametrize(("make", "shape"), [(mlp, (6,)), (conv, (3, 8, 8))])
def test_chunks_change_neither_output_nor_gradient(make, shape, chunk_size):
    encoder, x = make(), torch.rand(20, *shape, dtype=torch.float64)
    whole, parts = encoder(x), encode_in_chunks(encoder, x, chunk_size)
    torch.testing.assert_close(parts, whole)
    for got, expected in zip(gradients(encoder, parts), gradients(encoder, whole), strict=True):
        assert expected.abs().max() > 0
        torch.testing.assert_close(got, expected)


def test_gradient_of_the_input_passes_through_chunks_too():
    encoder, grads = mlp(), []
    for chunk_size in (4, 20):
        x = torch.linspace(-1, 1, 120, dtype=torch.float64).reshape(20, 6).requires_grad_()
        encode_in_chunks(encoder, x, chunk_size).square().sum().backward()
        grads.append(x.grad)
    torch.testing.assert_close(*grads)


def test_dropout_of_the_backward_pass_is_that_of_the_forward_pass():
    encoder, x = mlp(dropout=0.5), torch.rand(20, 6, dtype=torch.float64)
    torch.manual_seed(1)
    z = encode_in_chunks(encoder, x, 4)
    # What draws in between must not matter, as it does not without chunks.
    torch.rand(7)
    got = gradients(encoder, z)
    torch.manual_seed(1)
    by_hand = torch.cat([encoder(x[start : start + 4]) for start in range(0, 20, 4)])
    assert torch.equal(z, by_hand)
    for grad, expected in zip(got, gradients(encoder, by_hand), strict=True):
        torch.testing.assert_close(grad, expected)
    # The masks matter: others give another gradient.
    other = gradients(encoder, encode_in_chunks(encoder, x, 4))
    assert not torch.allclose(got[0], other[0])


def test_backward_pass_leaves_the_random_state_as_it_found_it():
    encoder, x = mlp(dropout=0.5), torch.rand(20, 6, dtype=torch.float64)
    z = encode_in_chunks(encoder, x, 4)
    before = torch.get_rng_state()
    z.sum().backward()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("chunk_size", [4, 16])
def test_batch_normalization_never_meets_a_chunk_of_one_row(chunk_size):
    """Which it refuses: a batch of 17 or 33 rows must not leave one over."""
    encoder = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8))
    for n_rows in (chunk_size + 1, 2 * chunk_size + 1):
        encode_in_chunks(encoder, torch.rand(n_rows, 6), chunk_size).sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())


def test_running_statistics_see_each_chunk_once():
    encoder = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8))
    x = torch.rand(32, 6)
    expected = torch.zeros(8)
    for chunk in encoder[0](x).detach().split(8):
        expected = 0.9 * expected + 0.1 * chunk.mean(0)
    encode_in_chunks(encoder, x, 8).sum().backward()
    torch.testing.assert_close(encoder[1].running_mean, expected)
    assert encoder[1].num_batches_tracked == 4


# ---------------------------------------------------------------- memory


class Recorder(nn.Module):
    """An encoder that keeps when it goes forward, on how many rows, and when a way back ends."""

    def __init__(self):
        super().__init__()
        self.encoder = mlp()
        self.events = []

    def forward(self, x):
        self.events.append(("forward", len(x)))
        first = self.encoder[0](x)
        if first.requires_grad:
            first.register_hook(lambda grad: self.events.append(("backward", len(grad))))
        return self.encoder[1:](first)


def test_forward_pass_keeps_less_than_the_activations_of_a_chunk():
    encoder = mlp(width=200)
    x = torch.rand(400, 6, dtype=torch.float64)
    whole, _ = bytes_kept(encoder, x, 400)
    of_a_chunk, _ = bytes_kept(encoder, x[:40], 40)
    kept, _ = bytes_kept(encoder, x, 40)
    assert whole > 5 * of_a_chunk  # else the test says nothing
    assert kept < of_a_chunk


def test_backward_pass_encodes_one_chunk_at_a_time():
    encoder = Recorder()
    z = encode_in_chunks(encoder, torch.rand(20, 6, dtype=torch.float64), 5)
    assert encoder.events == [("forward", 5)] * 4
    encoder.events.clear()
    z.square().sum().backward()
    # Each chunk's activations are used up before those of the next are made.
    assert encoder.events == [("forward", 5), ("backward", 5)] * 4


def test_batch_that_fits_is_encoded_once_and_whole():
    encoder = Recorder()
    encode_in_chunks(encoder, torch.rand(20, 6, dtype=torch.float64), 20).sum().backward()
    assert encoder.events == [("forward", 20), ("backward", 20)]


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_without_a_gradient_each_chunk_is_encoded_once(context):
    encoder = Recorder()
    x = torch.rand(20, 6, dtype=torch.float64)
    with context():
        z = encode_in_chunks(encoder, x, 5)
        torch.testing.assert_close(z, encoder.encoder(x))
    assert encoder.events == [("forward", 5)] * 4 and not z.requires_grad


# ---------------------------------------------------------------- "auto"


def test_auto_chunk_fills_a_quarter_of_the_memory(monkeypatch):
    encoder = mlp(width=50)
    monkeypatch.setattr(cache, "_memory", lambda device: 2**22)
    chunk_size = auto_chunk_size(encoder, torch.rand(2, 6, dtype=torch.float64))
    x = torch.rand(chunk_size, 6, dtype=torch.float64)
    kept, _ = bytes_kept(encoder, x, chunk_size)
    # Weights are kept too, but they are there anyway.
    weights = sum(parameter.nbytes for parameter in encoder.parameters())
    assert 0.98 * 2**20 < kept < 2**20 + weights


def test_auto_chunk_shrinks_with_width_to_16_at_least(monkeypatch):
    monkeypatch.setattr(cache, "_memory", lambda device: 2**22)
    x = torch.rand(2, 6, dtype=torch.float64)
    sizes = [auto_chunk_size(mlp(width), x) for width in (10, 100, 1000, 20_000)]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 4
    assert sizes[-1] == 16 < sizes[-2]


def test_auto_chunk_leaves_gradients_and_modes_alone():
    encoder = mlp().train()
    with torch.no_grad():
        sizes = {auto_chunk_size(encoder, torch.rand(2, 6).double())}
    sizes.add(auto_chunk_size(encoder, torch.rand(2, 6).double()))
    assert len(sizes) == 1 and encoder.training
    assert all(parameter.grad is None for parameter in encoder.parameters())


# ---------------------------------------------------------------- in a fit

# The normalization in the head takes away what biases before it add. Adam blows up what rounding
# leaves of their gradient, SGD does not.
SMOOTH = {**TINY, "projection_layer_sizes": (16, 8), "optimizer": "sgd", "lr": 1e-2}


def calls_of_the_encoder(monkeypatch):
    """Chunk sizes that a fit asks for, and numbers of views."""
    calls, base = [], sys.modules["sklearn_simvae.discriminative.base"]

    def spy(encoder, x, chunk_size):
        calls.append((chunk_size, len(x)))
        return encode_in_chunks(encoder, x, chunk_size)

    monkeypatch.setattr(base, "encode_in_chunks", spy)
    return calls


@pytest.mark.parametrize("method", [SimCLR, BYOL, SwAV])
def test_a_fit_in_chunks_is_the_fit_without(method, digits, monkeypatch):
    X, _ = digits
    whole = method(**SMOOTH).fit(X)
    calls = calls_of_the_encoder(monkeypatch)
    chunked = method(**SMOOTH, chunk_size=8).fit(X)
    assert (8, 32) in calls  # 16 samples of two views
    np.testing.assert_allclose(chunked.transform(X), whole.transform(X), atol=1e-4)
    assert chunked.score(X) == pytest.approx(whole.score(X), rel=1e-4)
    # Training moved it by more than that.
    still = method(**{**SMOOTH, "lr": 1e-12}).fit(X)
    assert np.abs(whole.transform(X) - still.transform(X)).max() > 1e-2


def test_a_convolutional_fit_in_chunks_is_the_fit_without(sprites):
    params = {**SMOOTH, "encoder": "conv", "max_epochs": 1, "precision": "float32"}
    chunked, whole = (SimCLR(**params, chunk_size=n).fit_transform(sprites) for n in (8, 10_000))
    moved = whole - SimCLR(**{**params, "lr": 1e-12}).fit_transform(sprites)
    # Processors multiply batches of other sizes in other ways, and each step builds on the last.
    np.testing.assert_allclose(chunked, whole, atol=1e-3 * np.abs(moved).max())


def test_a_fit_sets_the_chunk_that_memory_holds(digits, monkeypatch):
    X, _ = digits
    free = SimCLR(**TINY).fit(X)
    assert free.module_.chunk_size == auto_chunk_size(free.encoder_, torch.tensor(X[:2]))
    monkeypatch.setattr(cache, "_memory", lambda device: 1)
    tight = SimCLR(**TINY).fit(X)
    assert tight.module_.chunk_size == 16
    # A fit that goes on looks anew.
    again = copy.deepcopy(free).set_params(chunk_size=8).partial_fit(X)
    assert again.module_.chunk_size == 8
