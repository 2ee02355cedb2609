"""Checks of the modules that users give, and of the shapes that they are for."""

import pytest
from made_networks import Flat, decoder_of, encoder_of
from torch import nn


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


def test_unknown_kind_and_shapes_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="kind must be one of 'vector', 'image', 'series'"):
        encoder_of("mlp", "text", (7,))
    with pytest.raises(ValueError, match="input_shape of kind 'image' must have 3 axes"):
        encoder_of("mlp", "image", (8, 8))
    with pytest.raises(ValueError, match="n_outputs must be a positive integer"):
        encoder_of("mlp", "vector", (7,), n_outputs=0)


def test_wrong_output_shape_is_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"decoder .*\(2, 4\) to \(2, 6, 1\), but gives \(2, 6\)"):
        decoder_of(nn.Linear(4, 6), "series", (6, 1))


def test_decoder_failing_forward_is_refused_with_the_shape_passed():
    with pytest.raises(ValueError, match=r"decoder fails on an input of shape \(2, 4\)"):
        decoder_of(nn.Linear(3, 7), "vector", (7,))


def test_decoder_factory_that_returns_no_module_is_refused():
    with pytest.raises(ValueError, match=r"decoder factory must return an nn.Module, got int"):
        decoder_of(lambda n_components, shape: 3, "vector", (7,))
