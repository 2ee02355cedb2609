import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sklearn_simvae.networks import make_decoder

BUILT_IN = [
    ("mlp", "vector", (7,)),
    ("mlp", "image", (1, 8, 8)),
    ("mlp", "series", (2, 9)),
    ("conv", "image", (3, 13, 10)),
    ("resnet18", "image", (3, 9, 8)),
    ("conv1d", "series", (2, 45)),
]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def decoder_of(decoder, kind, shape, encoder="auto", n_components=4, hidden_layer_sizes=(16, 8)):
    return make_decoder(
        decoder,
        encoder=encoder,
        kind=kind,
        n_components=n_components,
        output_shape=shape,
        hidden_layer_sizes=hidden_layer_sizes,
    )


class Unflat(nn.Sequential):
    def __init__(self, n_components, shape):
        n_outputs = torch.Size(shape).numel()
        super().__init__(nn.Linear(n_components, n_outputs), nn.Unflatten(1, shape))


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


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 15, 18)])
def test_resnet18_restores_the_exact_size_of_images(shape):
    assert decoder_of("resnet18", "image", shape)(torch.randn(2, 4)).shape == (2, *shape)


def test_mlp_reverses_the_hidden_layers():
    decoder = decoder_of("mlp", "image", (1, 8, 8), hidden_layer_sizes=(16, 12, 8))
    widths = [layer.out_features for layer in decoder if isinstance(layer, nn.Linear)]
    assert widths == [8, 12, 16, 64]


def test_mlp_without_hidden_layers_is_linear():
    decoder = decoder_of("mlp", "vector", (7,), hidden_layer_sizes=())
    assert [type(layer) for layer in decoder] == [nn.Linear, nn.Unflatten]


@pytest.mark.parametrize(("name", "kind", "shape"), BUILT_IN)
def test_auto_mirrors_an_encoder_given_by_name(name, kind, shape):
    mirrored = decoder_of("auto", kind, shape, encoder=name)
    assert str(mirrored) == str(decoder_of(name, kind, shape, encoder="mlp"))


@pytest.mark.parametrize("encoder", ["auto", nn.Identity(), lambda shape, n_outputs: None])
@pytest.mark.parametrize(
    ("kind", "shape", "name"),
    [
        ("vector", (7,), "mlp"),
        ("image", (1, 28, 28), "mlp"),
        ("image", (3, 12, 12), "conv"),
        ("image", (1, 33, 8), "conv"),
        ("series", (1, 20), "conv1d"),
    ],
)
def test_auto_goes_by_kind_and_size_where_the_encoder_has_no_name(encoder, kind, shape, name):
    decoder = decoder_of("auto", kind, shape, encoder=encoder)
    assert str(decoder) == str(decoder_of(name, kind, shape))


@pytest.mark.parametrize(("name", "kind", "shape"), BUILT_IN)
@pytest.mark.parametrize("training", [True, False])
def test_row_does_not_depend_on_its_batch(name, kind, shape, training):
    decoder = decoder_of(name, kind, shape).train(training)
    codes = torch.randn(5, 4)
    torch.testing.assert_close(decoder(codes)[2:3], decoder(codes[2:3]), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(("name", "kind", "shape"), BUILT_IN)
def test_outputs_have_no_final_nonlinearity(name, kind, shape):
    output = decoder_of(name, kind, shape)(10 * torch.randn(8, 4))
    assert output.min() < 0 < output.max()


@pytest.mark.parametrize(("name", "kind", "shape"), BUILT_IN)
def test_gradients_reach_every_parameter(name, kind, shape):
    decoder = decoder_of(name, kind, shape)
    decoder(torch.randn(8, 4)).square().sum().backward()
    for key, parameter in decoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, key


@pytest.mark.parametrize(("name", "kind", "shape"), BUILT_IN)
def test_bf16_autocast_gives_finite_outputs_and_gradients(name, kind, shape):
    decoder = decoder_of(name, kind, shape)
    for codes in (torch.randn(4, 4), torch.zeros(4, 4)):
        with torch.autocast("cpu", torch.bfloat16):
            output = decoder(codes)
        assert output.dtype == torch.bfloat16
        output.float().square().sum().backward()
        assert output.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in decoder.parameters())


@pytest.mark.parametrize(("name", "kind", "shape"), BUILT_IN)
def test_copies_and_pickles_give_the_same_outputs(name, kind, shape):
    decoder = decoder_of(name, kind, shape)
    codes = torch.randn(2, 4)
    for twin in (copy.deepcopy(decoder), pickle.loads(pickle.dumps(decoder))):
        torch.testing.assert_close(twin(codes), decoder(codes))


def test_channels_last_changes_nothing():
    decoder = decoder_of("conv", "image", (3, 13, 10))
    codes = torch.randn(2, 4)
    expected = decoder(codes)
    decoder.to(memory_format=torch.channels_last)
    torch.testing.assert_close(decoder(codes), expected, atol=1e-4, rtol=1e-3)


def test_given_module_is_copied():
    given_module = Unflat(4, (1, 3, 2))
    decoder = decoder_of(given_module, "image", (1, 3, 2))
    with torch.no_grad():
        decoder[0].weight.zero_()
    assert decoder is not given_module
    assert given_module[0].weight.abs().max() > 0


def test_factory_is_called_with_n_components_and_output_shape():
    decoder = decoder_of(Unflat, "image", (1, 3, 2))
    assert isinstance(decoder, Unflat)
    assert (decoder[0].in_features, decoder[1].unflattened_size) == (4, (1, 3, 2))


def test_wrong_output_shape_is_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"decoder .*\(2, 4\) to \(2, 6, 1\), but gives \(2, 6\)"):
        decoder_of(nn.Linear(4, 6), "series", (6, 1))


def test_failing_forward_is_refused_with_the_shape_passed():
    with pytest.raises(ValueError, match=r"decoder fails on an input of shape \(2, 4\)"):
        decoder_of(nn.Linear(3, 7), "vector", (7,))


def test_factory_that_returns_no_module_is_refused():
    with pytest.raises(ValueError, match=r"decoder factory must return an nn.Module, got int"):
        decoder_of(lambda n_components, shape: 3, "vector", (7,))


def test_names_are_checked_as_those_of_encoders():
    with pytest.raises(ValueError, match=r"decoder must be one of 'auto', 'mlp'.*'vgg'"):
        decoder_of("vgg", "image", (3, 8, 8))
    with pytest.raises(ValueError, match=r"encoder must be one of 'auto', 'mlp'.*'vgg'"):
        decoder_of("auto", "image", (3, 8, 8), encoder="vgg")
    with pytest.raises(ValueError, match="decoder='conv' does not fit samples of kind 'vector'"):
        decoder_of("conv", "vector", (7,))
    with pytest.raises(ValueError, match="decoder='conv1d' does not fit samples of kind 'image'"):
        decoder_of("conv1d", "image", (3, 8, 8))
    with pytest.raises(ValueError, match="n_components must be a positive integer"):
        decoder_of("mlp", "vector", (7,), n_components=0)
