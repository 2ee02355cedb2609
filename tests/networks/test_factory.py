"""Encoders and decoders by name, by the kind of the data, and of users."""

import copy
import pickle

import pytest
import torch
from made_networks import Flat, decoder_of, encoder_of
from torch import nn

from sklearn_simvae.networks import make_decoder, make_encoder

ENCODERS = [
    ("mlp", "vector", (7,)),
    ("mlp", "image", (1, 8, 8)),
    ("conv", "image", (3, 13, 10)),
    ("resnet18", "image", (3, 9, 8)),
    ("conv1d", "series", (2, 45)),
]
ROW_BY_ROW_ENCODERS = [option for option in ENCODERS if option[0] != "resnet18"]


@pytest.mark.parametrize("sizes", [0, -1, (4, 0), 2.5, (4.0,), "8", ("8",), None, True])
def test_hidden_layer_sizes_other_than_positive_ints_are_refused(sizes):
    with pytest.raises(ValueError, match="hidden_layer_sizes must be a positive integer"):
        encoder_of("mlp", "vector", (7,), hidden_layer_sizes=sizes)


@pytest.mark.parametrize(
    ("kind", "shape", "name"),
    [
        ("vector", (7,), "mlp"),
        ("image", (1, 32, 32), "mlp"),
        ("image", (1, 32, 33), "conv"),
        ("image", (3, 8, 8), "conv"),
        ("series", (1, 512), "mlp"),
        ("series", (1, 513), "conv1d"),
        ("series", (2, 20), "conv1d"),
    ],
)
def test_auto_chooses_by_kind_and_size(kind, shape, name):
    assert str(encoder_of("auto", kind, shape)) == str(encoder_of(name, kind, shape))


@pytest.mark.parametrize(("name", "kind", "shape"), ENCODERS)
def test_built_in_encoders_end_in_a_linear_head(name, kind, shape):
    encoder = encoder_of(name, kind, shape)
    assert type(encoder) is nn.Sequential
    assert type(encoder[-1]) is nn.Linear
    assert encoder[-1].out_features == 5


@pytest.mark.parametrize(("name", "kind", "shape"), ROW_BY_ROW_ENCODERS)
@pytest.mark.parametrize("training", [True, False])
def test_row_does_not_depend_on_its_batch(name, kind, shape, training):
    encoder = encoder_of(name, kind, shape).train(training)
    batch = torch.randn(6, *shape)
    torch.testing.assert_close(encoder(batch)[2:3], encoder(batch[2:3]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("name", "kind", "shape"), ENCODERS)
def test_gradients_reach_every_parameter(name, kind, shape):
    encoder = encoder_of(name, kind, shape)
    encoder(torch.randn(4, *shape)).square().sum().backward()
    for key, parameter in encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, key


@pytest.mark.parametrize(("name", "kind", "shape"), ENCODERS)
def test_bf16_autocast_gives_finite_outputs_and_gradients(name, kind, shape):
    encoder = encoder_of(name, kind, shape)
    for batch in (torch.rand(4, *shape), torch.randn(4, *shape), torch.zeros(4, *shape)):
        with torch.autocast("cpu", torch.bfloat16):
            output = encoder(batch)
        assert output.dtype == torch.bfloat16
        output.float().square().sum().backward()
        assert output.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in encoder.parameters())


@pytest.mark.parametrize(("name", "kind", "shape"), ENCODERS)
def test_copies_and_pickles_give_the_same_outputs(name, kind, shape):
    encoder = encoder_of(name, kind, shape).eval()
    batch = torch.rand(2, *shape)
    for twin in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):
        torch.testing.assert_close(twin(batch), encoder(batch))


@pytest.mark.parametrize("name", ["conv", "resnet18"])
def test_channels_last_changes_nothing(name):
    encoder = encoder_of(name, "image", (3, 13, 10)).eval()
    batch = torch.rand(2, 3, 13, 10)
    expected = encoder(batch)
    encoder.to(memory_format=torch.channels_last)
    output = encoder(batch.to(memory_format=torch.channels_last))
    torch.testing.assert_close(output, expected, atol=1e-4, rtol=1e-3)


def test_given_module_is_copied_and_the_copy_trains_alone():
    given_module = Flat((7,), 5)
    before = copy.deepcopy(given_module.state_dict())
    encoder = encoder_of(given_module, "vector", (7,))
    encoder(torch.rand(3, 7)).sum().backward()
    torch.optim.SGD(encoder.parameters(), lr=1.0).step()
    assert all(parameter.grad is None for parameter in given_module.parameters())
    torch.testing.assert_close(dict(given_module.state_dict()), dict(before), atol=0, rtol=0)
    assert not torch.equal(encoder.linear.weight, given_module.linear.weight)


@pytest.mark.parametrize("factory", [Flat, lambda shape, n_outputs: Flat(shape, n_outputs)])
def test_factory_is_called_with_input_shape_and_n_outputs(factory):
    encoder = encoder_of(factory, "image", (2, 3, 4))
    assert isinstance(encoder, Flat)
    assert (encoder.linear.in_features, encoder.linear.out_features) == (24, 5)


def test_option_of_another_type_is_refused():
    with pytest.raises(ValueError, match=r"a name, an nn.Module or a factory, got 3"):
        encoder_of(3, "vector", (7,))


def test_unknown_name_is_refused_with_the_valid_ones():
    with pytest.raises(ValueError, match=r"'auto', 'mlp', 'conv', 'resnet18', 'conv1d'.*'vgg'"):
        encoder_of("vgg", "image", (3, 32, 32))


@pytest.mark.parametrize(
    ("name", "kind", "shape"),
    [
        ("conv", "vector", (7,)),
        ("resnet18", "vector", (7,)),
        ("conv1d", "vector", (7,)),
        ("conv1d", "image", (3, 8, 8)),
        ("conv", "series", (2, 45)),
    ],
)
def test_name_that_does_not_fit_the_kind_is_refused(name, kind, shape):
    with pytest.raises(ValueError, match=f"'{name}' does not fit samples of kind '{kind}'.*'mlp'"):
        encoder_of(name, kind, shape)


DECODERS = [
    ("mlp", "vector", (7,)),
    ("mlp", "image", (1, 8, 8)),
    ("mlp", "series", (2, 9)),
    ("conv", "image", (3, 13, 10)),
    ("resnet18", "image", (3, 9, 8)),
    ("conv1d", "series", (2, 45)),
]


class Unflat(nn.Sequential):
    def __init__(self, n_components, shape):
        n_outputs = torch.Size(shape).numel()
        super().__init__(nn.Linear(n_components, n_outputs), nn.Unflatten(1, shape))


@pytest.mark.parametrize(("name", "kind", "shape"), DECODERS)
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
        ("series", (1, 512), "mlp"),
        ("series", (1, 513), "conv1d"),
        ("series", (2, 20), "conv1d"),
    ],
)
def test_auto_goes_by_kind_and_size_where_the_encoder_has_no_name(encoder, kind, shape, name):
    decoder = decoder_of("auto", kind, shape, encoder=encoder)
    assert str(decoder) == str(decoder_of(name, kind, shape))


@pytest.mark.parametrize(("name", "kind", "shape"), DECODERS)
@pytest.mark.parametrize("training", [True, False])
def test_decoder_row_does_not_depend_on_its_batch(name, kind, shape, training):
    decoder = decoder_of(name, kind, shape).train(training)
    codes = torch.randn(5, 4)
    torch.testing.assert_close(decoder(codes)[2:3], decoder(codes[2:3]), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(("name", "kind", "shape"), DECODERS)
def test_outputs_have_no_final_nonlinearity(name, kind, shape):
    output = decoder_of(name, kind, shape)(10 * torch.randn(8, 4))
    assert output.min() < 0 < output.max()


@pytest.mark.parametrize(("name", "kind", "shape"), DECODERS)
def test_decoder_gradients_reach_every_parameter(name, kind, shape):
    decoder = decoder_of(name, kind, shape)
    decoder(torch.randn(8, 4)).square().sum().backward()
    for key, parameter in decoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, key


@pytest.mark.parametrize(("name", "kind", "shape"), DECODERS)
def test_decoder_bf16_autocast_gives_finite_outputs_and_gradients(name, kind, shape):
    decoder = decoder_of(name, kind, shape)
    for codes in (torch.randn(4, 4), torch.zeros(4, 4)):
        with torch.autocast("cpu", torch.bfloat16):
            output = decoder(codes)
        assert output.dtype == torch.bfloat16
        output.float().square().sum().backward()
        assert output.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in decoder.parameters())


@pytest.mark.parametrize(("name", "kind", "shape"), DECODERS)
def test_decoder_copies_and_pickles_give_the_same_outputs(name, kind, shape):
    decoder = decoder_of(name, kind, shape)
    codes = torch.randn(2, 4)
    for twin in (copy.deepcopy(decoder), pickle.loads(pickle.dumps(decoder))):
        torch.testing.assert_close(twin(codes), decoder(codes))


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


def test_auto_of_series_that_are_padded_is_convolutional_in_both_networks():
    shape = {"kind": "series", "hidden_layer_sizes": (8,), "padded": True}
    encoder = make_encoder("auto", input_shape=(1, 20), n_outputs=2, **shape)
    decoder = make_decoder("auto", encoder="auto", n_components=2, output_shape=(1, 20), **shape)
    assert any(isinstance(layer, nn.Conv1d) for layer in encoder.modules())
    assert any(isinstance(layer, nn.Conv1d) for layer in decoder.modules())
