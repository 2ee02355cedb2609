"""Preparation of the input, and pooling of the output, of a pretrained network."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from pretrained_networks import Convolutions, Tokens
from torch import nn

from sklearn_simvae.pretrained.features import Features, check_layer
from sklearn_simvae.pretrained.loading import Network, load_network

X = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def features(module, kind="image", shape=(3, 8, 8), **params):
    network = module if isinstance(module, Network) else load_network(module)
    return Features(network, kind, shape, **params)


@torch.no_grad()
def compute(made, x=X):
    return made(x)


def test_features_are_the_output_of_the_network():
    module = Convolutions().eval()
    assert_array_equal(compute(features(module)), compute(module))


@pytest.mark.parametrize(
    "pooling, expected",
    [
        ("auto", lambda maps: maps.mean((2, 3))),
        ("mean", lambda maps: maps.mean((2, 3))),
        ("max", lambda maps: maps.amax((2, 3))),
        ("flatten", lambda maps: maps.flatten(1)),
        (lambda maps: maps[:, :, 0, 0], lambda maps: maps[:, :, 0, 0]),
    ],
)
def test_maps_of_a_layer_are_pooled(pooling, expected):
    module = Convolutions().eval()
    maps = compute(nn.Sequential(module.stem, module.norm, module.body))
    made = features(module, layer="body", pooling=pooling)
    assert_allclose(compute(made), expected(maps), rtol=1e-5)
    assert made.n_outputs == expected(maps).shape[1]


@pytest.mark.parametrize(
    "pooling, expected",
    [
        ("auto", lambda tokens: tokens.mean(1)),
        ("max", lambda tokens: tokens.amax(1)),
        ("token", lambda tokens: tokens[:, 0]),
        ("flatten", lambda tokens: tokens.flatten(1)),
    ],
)
def test_tokens_are_pooled(pooling, expected):
    module = Tokens().eval()
    made = features(module, pooling=pooling)
    assert_allclose(compute(made), expected(compute(module)), rtol=1e-5)


def test_of_series_three_axes_are_channels_and_time():
    module, x = nn.Conv1d(2, 5, 3), torch.rand(4, 2, 16)
    made = features(module, "series", (2, 16))
    assert_allclose(compute(made, x), compute(module, x).mean(2), rtol=1e-5)


def test_of_several_outputs_the_last_hidden_state_or_the_first_is_taken():
    class Several(nn.Module):
        def __init__(self, outputs):
            super().__init__()
            self.outputs = outputs

        def forward(self, x):
            return self.outputs(x.mean((2, 3)))

    for outputs in (
        lambda x: {"pooler_output": x[:, :1], "last_hidden_state": x},
        lambda x: (x, None),
    ):
        assert_array_equal(compute(features(Several(outputs))), X.mean((2, 3)))


def test_pixels_are_normalized_as_the_network_says_or_as_given():
    module = nn.Flatten()
    known = Network(module, (0.5, 0.4, 0.3), (0.2, 0.1, 0.2))
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in (known.mean, known.std))
    assert_allclose(compute(features(known)), ((X - mean) / std).flatten(1), rtol=1e-5)
    assert_array_equal(compute(features(known, mean=None, std=None)), X.flatten(1))
    assert_allclose(
        compute(features(known, mean=0.5, std=[1, 2, 4])),
        ((X - 0.5) / torch.tensor([1.0, 2, 4]).reshape(3, 1, 1)).flatten(1),
        rtol=1e-5,
    )


def test_images_are_resized_to_what_the_network_takes_or_as_given():
    large = torch.rand(2, 3, 16, 12)
    known = Network(Tokens(image_size=8), image_size=(8, 8))
    made = features(known, shape=(3, 16, 12))
    resized = nn.functional.interpolate(large, (8, 8), mode="bilinear", antialias=True)
    assert_allclose(compute(made, large), compute(made, resized), rtol=1e-5)
    made = features(Network(nn.Flatten(), image_size=(8, 8)), image_size=4)
    assert compute(made).shape == (4, 3 * 4 * 4)
    made = features(Network(nn.Flatten(), image_size=(4, 4)), image_size=None)
    assert compute(made).shape == (4, 3 * 8 * 8)


def test_gray_images_are_repeated_for_a_network_of_colors():
    module = Convolutions().eval()
    gray = X[:, :1]
    made = features(module, shape=(1, 8, 8), mean=(0.1, 0.2, 0.3))
    mean = torch.tensor([0.1, 0.2, 0.3]).reshape(3, 1, 1)
    assert_allclose(compute(made, gray), compute(module, gray.expand(-1, 3, -1, -1) - mean))
    assert features(Convolutions(1), shape=(1, 8, 8)).n_outputs == 6


def test_threads_take_the_layer_of_their_own_rows():
    made = features(Convolutions(), layer="body")
    expected = [compute(made, x) for x in X.repeat(8, 1, 1, 1).split(1)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda x: compute(made, x), X.repeat(8, 1, 1, 1).split(1)))
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, rtol=1e-5)
    assert not made.network.body._forward_hooks


@pytest.mark.parametrize(
    "params, message",
    [
        ({"layer": "bodi"}, "no part 'bodi'; it has 'body'"),
        ({"layer": "other"}, "it has 'stem', 'norm'"),
        ({"pooling": "token"}, "takes the first of tokens"),
        ({"pooling": lambda x: x}, "must give one row of features"),
        ({"mean": (0.1, 0.2)}, "2 numbers, but rows have 3 channels"),
        ({"mean": "some"}, "mean must be 'auto', None, or a number"),
        ({"std": [1, 0, 1]}, "must be above 0"),
        ({"std": float("nan")}, "std must be"),
        ({"image_size": 0}, "image_size must be a positive integer"),
        ({"image_size": (4, 4, 3)}, "one side or"),
        ({"shape": (4, 8, 8)}, r"fails on an input of shape \(2, 4, 8, 8\)"),
        ({"kind": "vector", "shape": (192,)}, "Give input_shape"),
        ({"kind": "vector", "shape": (192,), "mean": 0.5}, "Use StandardScaler"),
        ({"kind": "series", "shape": (3, 8), "image_size": 8}, "is for images"),
    ],
)
def test_what_does_not_suit_the_network_is_refused(params, message):
    module = Convolutions()
    if "pooling" in params:
        module = nn.Sequential(module.stem, module.body)
    with pytest.raises(ValueError, match=message):
        features(module, **params)


def test_a_layer_that_is_not_used_is_refused():
    module = Convolutions()
    module.unused = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="does not use its part layer='unused'"):
        features(module, layer="unused")


def test_check_layer_takes_the_names_of_parts():
    check_layer(Convolutions(), None)
    check_layer(Convolutions(), "body.1")
    with pytest.raises(ValueError, match="it has none"):
        check_layer(nn.Linear(2, 2), "0")


def test_frozen_parts_stay_in_evaluation_mode_and_get_no_gradient():
    made = features(Convolutions())
    made.freeze(["norm", "body.1.bias"])
    made.train()
    training = {n for n, part in made.network.named_modules() if part.training}
    assert "norm" not in training and {"stem", "body", "dropout"} <= training
    made(X).sum().backward()
    without = {name for name, w in made.network.named_parameters() if w.grad is None}
    assert without == {"norm.weight", "norm.bias", "body.1.bias"}
    with pytest.raises(ValueError, match="no part 'bodi'"):
        made.freeze(["bodi"])
