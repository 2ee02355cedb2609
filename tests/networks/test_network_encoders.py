import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sklearn_simvae.networks import make_encoder

BUILT_IN = [
    ("mlp", "vector", (7,)),
    ("mlp", "image", (1, 8, 8)),
    ("conv", "image", (3, 13, 10)),
    ("resnet18", "image", (3, 9, 8)),
    ("conv1d", "series", (2, 45)),
]
NO_BATCH_STATISTICS = [option for option in BUILT_IN if option[0] != "resnet18"]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def encoder_of(name, kind, shape, n_outputs=5, hidden_layer_sizes=(16, 8)):
    return make_encoder(
        name,
        kind=kind,
        input_shape=shape,
        n_outputs=n_outputs,
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


@pytest.mark.parametrize("sizes", [(), 6, [6, 4], np.array([6, 4]), np.int64(6)])
def test_mlp_has_the_given_hidden_layers(sizes):
    encoder = encoder_of("mlp", "vector", (7,), hidden_layer_sizes=sizes)
    widths = [layer.out_features for layer in encoder if isinstance(layer, nn.Linear)]
    assert widths == [*np.atleast_1d(np.asarray(sizes, dtype=int)), 5]


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
        ("series", (1, 20), "conv1d"),
    ],
)
def test_auto_chooses_by_kind_and_size(kind, shape, name):
    assert str(encoder_of("auto", kind, shape)) == str(encoder_of(name, kind, shape))


@pytest.mark.parametrize(("name", "kind", "shape"), BUILT_IN)
def test_built_in_encoders_end_in_a_linear_head(name, kind, shape):
    encoder = encoder_of(name, kind, shape)
    assert type(encoder) is nn.Sequential
    assert type(encoder[-1]) is nn.Linear
    assert encoder[-1].out_features == 5


@pytest.mark.parametrize(("name", "kind", "shape"), NO_BATCH_STATISTICS)
@pytest.mark.parametrize("training", [True, False])
def test_row_does_not_depend_on_its_batch(name, kind, shape, training):
    encoder = encoder_of(name, kind, shape).train(training)
    batch = torch.randn(6, *shape)
    torch.testing.assert_close(encoder(batch)[2:3], encoder(batch[2:3]), atol=1e-5, rtol=1e-4)


def test_resnet18_takes_a_batch_of_one_in_eval_mode():
    assert encoder_of("resnet18", "image", (3, 8, 8)).eval()(torch.rand(1, 3, 8, 8)).shape == (1, 5)


@pytest.mark.parametrize(("name", "kind", "shape"), BUILT_IN)
def test_gradients_reach_every_parameter(name, kind, shape):
    encoder = encoder_of(name, kind, shape)
    encoder(torch.randn(4, *shape)).square().sum().backward()
    for key, parameter in encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, key


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


@pytest.mark.parametrize(("name", "kind", "shape"), BUILT_IN)
def test_bf16_autocast_gives_finite_outputs_and_gradients(name, kind, shape):
    encoder = encoder_of(name, kind, shape)
    for batch in (torch.rand(4, *shape), torch.randn(4, *shape), torch.zeros(4, *shape)):
        with torch.autocast("cpu", torch.bfloat16):
            output = encoder(batch)
        assert output.dtype == torch.bfloat16
        output.float().square().sum().backward()
        assert output.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in encoder.parameters())


@pytest.mark.parametrize(("name", "kind", "shape"), BUILT_IN)
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


def test_resnet18_is_the_standard_network():
    encoder = encoder_of("resnet18", "image", (3, 32, 32), n_outputs=10)
    assert n_parameters(encoder[:-1]) == 11_168_832
    assert sum(isinstance(module, nn.Conv2d) for module in encoder.modules()) == 17 + 3
    assert encoder[:-3].eval()(torch.rand(1, 3, 32, 32)).shape == (1, 512, 4, 4)


def test_conv_is_small():
    assert n_parameters(encoder_of("conv", "image", (3, 32, 32), n_outputs=64)) < 1_500_000


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


def test_check_leaves_the_mode_of_every_part_and_the_buffers_alone():
    module = nn.Sequential(nn.Linear(7, 5), nn.BatchNorm1d(5), nn.BatchNorm1d(5))
    module[1].eval()
    encoder = encoder_of(module, "vector", (7,))
    assert [part.training for part in encoder.modules()] == [True, True, False, True]
    assert encoder[2].num_batches_tracked == 0


def test_wrong_output_size_is_refused_with_both_shapes():
    for option in (Flat((7,), 4), lambda shape, _: Flat(shape, 4)):
        with pytest.raises(ValueError, match=r"encoder .*\(2, 7\) to \(2, 5\), but gives \(2, 4\)"):
            encoder_of(option, "vector", (7,))


def test_output_other_than_a_tensor_is_refused():
    with pytest.raises(ValueError, match="gives tuple"):
        encoder_of(nn.GRU(7, 5), "vector", (7,))


def test_failing_forward_is_refused_with_the_shape_passed():
    with pytest.raises(ValueError, match=r"fails on an input of shape \(2, 7\)") as caught:
        encoder_of(nn.Linear(6, 5), "vector", (7,))
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_factory_that_returns_no_module_is_refused():
    with pytest.raises(ValueError, match=r"encoder factory must return an nn.Module, got NoneType"):
        encoder_of(lambda shape, n_outputs: None, "vector", (7,))


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


def test_unknown_kind_and_shapes_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="kind must be one of 'vector', 'image', 'series'"):
        encoder_of("mlp", "text", (7,))
    with pytest.raises(ValueError, match="input_shape of kind 'image' must have 3 axes"):
        encoder_of("mlp", "image", (8, 8))
    with pytest.raises(ValueError, match="n_outputs must be a positive integer"):
        encoder_of("mlp", "vector", (7,), n_outputs=0)
