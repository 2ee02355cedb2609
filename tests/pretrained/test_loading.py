"""Networks by name: where they come from, and what is said where they cannot be had."""

import copy
import json
import sys
import types

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from pretrained_networks import Convolutions, fake_timm, with_config
from torch import nn

from sklearn_simvae import SimCLR
from sklearn_simvae.pretrained.loading import load_network

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.2, 0.1)


def small_net():
    config = {"input_size": (3, 12, 10), "mean": MEAN, "std": STD}
    return with_config(Convolutions(), **config)


def offline():
    raise FileNotFoundError("no connection")


@pytest.fixture
def timm(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", fake_timm(small_net=small_net, far_net=offline))


def fake_transformers(monkeypatch, module, processor=None):
    """A library with the functions of transformers that are called, and one model."""

    def from_pretrained(name):
        if module is None:
            raise OSError("no connection")
        return module

    def get_image_processor_dict(name):
        if processor is None:
            raise OSError("there is none")
        return processor, {}

    mixin = types.SimpleNamespace(get_image_processor_dict=get_image_processor_dict)
    auto = types.SimpleNamespace(from_pretrained=from_pretrained)
    library = types.SimpleNamespace(AutoModel=auto)
    images = types.SimpleNamespace(ImageProcessingMixin=mixin)
    monkeypatch.setitem(sys.modules, "transformers", library)
    monkeypatch.setitem(sys.modules, "transformers.image_processing_base", images)


def test_a_module_is_copied_in_float32_and_left_as_it_is():
    module = Convolutions().double().train()
    before = copy.deepcopy(module.state_dict())
    network = load_network(module)
    assert {w.dtype for w in network.module.parameters()} == {torch.float32}
    nn.init.zeros_(network.module.stem.weight)
    for name, value in module.state_dict().items():
        assert value.dtype == before[name].dtype and bool((value == before[name]).all())
    assert (network.mean, network.std, network.image_size) == (None, None, None)


def test_a_module_of_timm_says_what_images_it_was_trained_on():
    network = load_network(small_net())
    assert (network.mean, network.std, network.image_size) == (MEAN, STD, (12, 10))


def test_a_model_of_timm_is_loaded_by_name_without_its_classes(timm):
    random = torch.get_rng_state()
    for name in ("small_net", "small_net.some_tag"):
        network = load_network(name)
        assert_array_equal(network.module.stem.weight.detach(), small_net().stem.weight.detach())
        assert (network.mean, network.image_size) == (MEAN, (12, 10))
    assert_array_equal(torch.get_rng_state(), random)


def test_weights_of_a_model_of_timm_come_from_a_path(timm, tmp_path):
    other = Convolutions(seed=1)
    torch.save(other.state_dict(), tmp_path / "weights.pth")
    network = load_network("small_net", tmp_path / "weights.pth")
    assert_array_equal(network.module.stem.weight.detach(), other.stem.weight.detach())
    with pytest.raises(FileNotFoundError, match="is not a file"):
        load_network("small_net", tmp_path / "other.pth")


@pytest.mark.parametrize(
    "state, message",
    [
        ({}, r"lack 8 of the parameters of the model 'small_net', such as 'stem.weight'"),
        ({"stem.weight": torch.zeros(1)}, "do not fit the model 'small_net'"),
    ],
)
def test_a_file_of_another_model_is_refused(timm, tmp_path, state, message):
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(ValueError, match=message):
        load_network("small_net", tmp_path / "weights.pth")


def test_a_file_may_have_the_classes_that_features_do_without(timm, tmp_path):
    torch.save({**Convolutions().state_dict(), "fc.weight": torch.zeros(2, 6)}, tmp_path / "all")
    load_network("small_net", tmp_path / "all")


@pytest.mark.parametrize(
    "processor, mean, size",
    [
        (
            {"image_mean": [0.5], "image_std": [0.2], "size": {"height": 8, "width": 6}},
            (0.5,),
            (8, 6),
        ),
        ({"image_mean": MEAN, "size": {"shortest_edge": 9}}, MEAN, (9, 9)),
        (
            {"do_normalize": False, "size": 12, "crop_size": 8, "do_center_crop": True},
            None,
            (8, 8),
        ),
        (None, None, (16, 16)),
    ],
)
def test_a_model_of_transformers_is_loaded_with_its_preprocessor(
    monkeypatch, processor, mean, size
):
    module = Convolutions()
    module.config = types.SimpleNamespace(image_size=16)
    fake_transformers(monkeypatch, module, processor)
    network = load_network("someone/net")
    assert network.mean == (None if mean is None else pytest.approx(mean))
    assert network.module is module and network.image_size == size


def test_of_a_model_of_images_and_text_the_part_for_images_is_taken(monkeypatch):
    both = nn.ModuleDict({"vision_model": Convolutions(), "text_model": nn.Linear(2, 2)})
    both.vision_model = both["vision_model"]
    fake_transformers(monkeypatch, both)
    assert load_network("someone/net").module is both["vision_model"]


def test_a_folder_is_read_by_the_library_that_wrote_it(monkeypatch, tmp_path, timm):
    fake_transformers(monkeypatch, Convolutions())
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}))
    assert isinstance(load_network(tmp_path).module, Convolutions)
    seen = []
    monkeypatch.setattr(
        sys.modules["timm"], "create_model", lambda name, **_: (seen.append(name), small_net())[1]
    )
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "small_net"}))
    load_network(str(tmp_path))
    load_network("timm/small_net.some_tag")
    assert seen == [f"local-dir:{tmp_path}", "hf-hub:timm/small_net.some_tag"]


def test_offline_the_error_says_which_weights_are_missing_and_how_to_get_them(monkeypatch, timm):
    with pytest.raises(OSError, match=r"'far_net' .*hf download timm/far_net.a_tag.*weights="):
        load_network("far_net")
    fake_transformers(monkeypatch, None)
    with pytest.raises(OSError, match=r"'someone/net' .*hf download someone/net.*save_pretrained"):
        load_network("someone/net")


@pytest.mark.parametrize("name, extra", [("resnet18", "timm"), ("a/b", "transformers")])
def test_without_the_library_the_error_names_the_extra(monkeypatch, name, extra):
    monkeypatch.setitem(sys.modules, extra, None)
    with pytest.raises(ImportError, match=rf"pip install 'sklearn-simvae\[{extra}\]'"):
        load_network(name)


def test_an_unknown_name_is_refused_with_names_that_are_like_it(timm):
    with pytest.raises(ValueError, match=r"timm has no model 'small_nett'.*small_net"):
        load_network("small_nett")


@pytest.mark.parametrize(
    "encoder, message",
    [
        (nn.Linear, "the class Linear"),
        (None, "got None"),
        (np.zeros(3), "must be a torch module or the name"),
        (SimCLR(), "give its encoder_"),
        (nn.LazyLinear(3), "lazy layers without weights"),
    ],
)
def test_what_is_no_pretrained_network_is_refused(encoder, message):
    with pytest.raises(ValueError, match=message):
        load_network(encoder)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_is_refused():
    with pytest.raises(ValueError, match="TorchScript"):
        load_network(torch.jit.script(nn.Linear(2, 2)))


def test_weights_are_for_names_of_timm(monkeypatch):
    with pytest.raises(ValueError, match="load_state_dict"):
        load_network(nn.Linear(2, 2), "weights.pth")
    fake_transformers(monkeypatch, Convolutions())
    with pytest.raises(ValueError, match="is for models of timm"):
        load_network("someone/net", "weights.pth")
