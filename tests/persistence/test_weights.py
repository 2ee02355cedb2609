"""Weights of fitted estimators in files: whole, damaged, hostile and of older formats."""

import functools
import io
import json
import math
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import TINY, TWO, tiny
from numpy.testing import assert_array_equal
from saved import Hostile, copied, mlp
from sklearn.base import clone
from sklearn.preprocessing import MaxAbsScaler
from torch import nn

from sklearn_simvae import CLIP, InstanceDiscrimination, MultimodalSimVAE, SimCLR, SimVAE
from sklearn_simvae import _files as files
from sklearn_simvae.persistence import read_metadata
from sklearn_simvae.training import KNNScore
from sklearn_simvae.views import Compose, FeatureCorruption, MultiView

# ---------------------------------------------------------------- weights


def test_weights_come_back_bit_for_bit(make, X, path):
    estimator = make().fit(X)
    estimator.save_weights(path)
    other = make(random_state=1)
    assert other.load_weights(path) is other
    assert_array_equal(other.transform(X), estimator.transform(X))
    assert other.history_ == estimator.history_ and other.n_iter_ == 2
    assert other.n_features_in_ == estimator.n_features_in_
    assert list(other.get_feature_names_out()) == list(estimator.get_feature_names_out())
    for name in ("score", "project", "score_samples"):
        if hasattr(estimator, name):
            assert_array_equal(getattr(other, name)(X), getattr(estimator, name)(X))


def test_training_goes_on_from_weights(make, X, path):
    make().fit(X).save_weights(path)
    other = make(warm_start=True).load_weights(path)
    Z = other.transform(X)
    assert other.partial_fit(X).n_iter_ == 3 and other.fit(X).n_iter_ == 5
    assert np.abs(other.transform(X) - Z).max() > 1e-6


VARIANTS = {
    "hidden": SimVAE(**TINY, representation="hidden"),
    "learned noise": SimVAE(**TINY, noise_variance="learned"),
    "bernoulli": SimVAE(**TINY, likelihood="bernoulli"),
    "memory bank": InstanceDiscrimination(**TINY, memory_bank=True),
    "images": SimVAE(**TINY, input_shape=(8, 8), encoder="conv"),
    "series": SimCLR(**TINY, input_shape=(32, 2)),
    "factory": SimVAE(**TINY, encoder=mlp, decoder=functools.partial(nn.Linear, out_features=64)),
    "module": SimVAE(**TINY, encoder=mlp((64,), 6)),
    "modalities": CLIP(**TINY, modalities=TWO, projection_layer_sizes=(8,)),
    "noise by modality": MultimodalSimVAE(**TINY, modalities=TWO, noise_variance={"even": 0.1}),
}
VARIANTS["factory"].decoder = lambda n_components, shape: nn.Linear(n_components, shape[0])


@pytest.mark.parametrize("estimator", VARIANTS.values(), ids=VARIANTS)
def test_weights_of_variants_come_back(estimator, X, path):
    estimator.fit(X).save_weights(path)
    other = type(estimator)(**estimator.get_params(deep=False)).load_weights(path)
    assert_array_equal(other.transform(X), estimator.transform(X))
    if hasattr(estimator, "score"):
        assert other.score(X) == estimator.score(X)


# ---------------------------------------------------------------- an estimator from a file alone


def assert_same_estimator(other, estimator, X):
    assert repr(other) == repr(estimator)
    assert_array_equal(other.transform(X), estimator.transform(X))
    for name in ("score", "score_samples", "project"):
        if hasattr(estimator, name):
            assert_array_equal(getattr(other, name)(X), getattr(estimator, name)(X))
    assert other.history_ == estimator.history_


def test_file_alone_makes_the_estimator(make, X, path):
    estimator = make().fit(X)
    estimator.save_weights(path)
    other = type(estimator).from_file(path)
    assert_same_estimator(other, estimator, X)
    assert other.get_params(deep=False).keys() == estimator.get_params(deep=False).keys()
    assert_array_equal(
        clone(other).set_params(random_state=0).fit(X).transform(X), estimator.transform(X)
    )
    assert other.partial_fit(X).n_iter_ == 3


OWN = {
    name: {n: v.get_params()[n] for n in names}
    for name, v, names in (
        ("factory", VARIANTS["factory"], ["encoder", "decoder"]),
        ("module", VARIANTS["module"], ["encoder"]),
    )
}


@pytest.mark.parametrize("name", VARIANTS)
def test_file_alone_makes_variants(name, X, path):
    estimator = VARIANTS[name].fit(X)
    estimator.save_weights(path)
    other = type(estimator).from_file(path, **OWN.get(name, {}))
    assert_same_estimator(other, estimator, X)


@pytest.mark.parametrize("name", OWN)
def test_code_that_a_file_does_not_hold_is_named(name, X, path):
    VARIANTS[name].fit(X).save_weights(path)
    wanted = ", ".join(f"{parameter}=..." for parameter in sorted(OWN[name]))
    message = rf"does not hold .*encoder \(.*\).*SimVAE.from_file\('{path}', {wanted}\)"
    with pytest.raises(ValueError, match=message):
        SimVAE.from_file(path)


def test_file_holds_parameters_of_training(X, path):
    augmentation = Compose([FeatureCorruption(0.3), MultiView([None, FeatureCorruption(0.1)])])
    own = {"optimizer": torch.optim.RAdam, "lr": 0.01, "warm_start": True}
    estimator = SimVAE(**{**TINY, **own, "augmentation": augmentation}).fit(X)
    estimator.save_weights(path)
    assert_same_estimator(SimVAE.from_file(path), estimator, X)


def test_callbacks_and_random_states_need_not_be_held(X, path):
    own = {"callbacks": [KNNScore(X, np.arange(64) % 3)], "random_state": np.random.RandomState(0)}
    estimator = SimVAE(**{**TINY, **own}).fit(X)
    estimator.save_weights(path)
    other = SimVAE.from_file(path)
    assert other.callbacks is None and other.random_state is None
    assert_array_equal(other.transform(X), estimator.transform(X))


def test_parameters_that_are_given_stand_in_place_of_those_in_the_file(X, fitted, path):
    fitted.save_weights(path)
    other = SimVAE.from_file(path, max_epochs=7, device="cpu")
    assert (other.max_epochs, other.device, other.n_components) == (7, "cpu", 3)
    with pytest.raises(ValueError, match=r"n_components=3 in the file and 4 here"):
        SimVAE.from_file(path, n_components=4)
    with pytest.raises(TypeError, match="no parameter 'epochs'"):
        SimVAE.from_file(path, epochs=4)


def test_device_that_is_not_here_is_the_cpu(X, fitted, path):
    fitted.save_weights(path)
    arguments = {**read_metadata(path)["arguments"], "device": "cuda:77"}
    path.write_bytes(copied(path.read_bytes(), arguments=arguments))
    with pytest.warns(UserWarning, match="loaded on the CPU"):
        assert SimVAE.from_file(path).device == "cpu"


def test_file_of_another_class_is_refused_by_name(fitted, path):
    fitted.save_weights(path)
    with pytest.raises(ValueError, match="holds the weights of a SimVAE, but this is a SimCLR"):
        SimCLR.from_file(path)


def test_file_of_fitted_preprocessors_is_refused(X, path):
    tiny("CLIP", modalities=TWO, preprocessing=[("odd", MaxAbsScaler())]).fit(X).save_weights(path)
    with pytest.raises(ValueError, match=r"'odd' \(MaxAbsScaler\).* skops or joblib"):
        CLIP.from_file(path)


HOSTILE_ARGUMENTS = {
    "no dict": [1, 2],
    "unknown": {"nothing": 1},
    "type": {"n_components": "three"},
    "form": {"encoder": {"eval": "1 + 1"}},
    "self": {"self": 1},
}


@pytest.mark.parametrize("arguments", HOSTILE_ARGUMENTS.values(), ids=HOSTILE_ARGUMENTS)
def test_other_arguments_in_a_file_are_refused(fitted, path, arguments):
    fitted.save_weights(path)
    path.write_bytes(copied(path.read_bytes(), arguments=arguments))
    with pytest.raises(ValueError, match=r"parameter"):
        SimVAE.from_file(path)


# ---------------------------------------------------------------- rows of other kinds


def test_layout_and_scale_of_pixels_come_back(sprites, path):
    estimator = tiny("SimVAE").fit(sprites)
    estimator.save_weights(path)
    other = tiny("SimVAE").load_weights(path)
    assert other.layout_ == estimator.layout_ and other.layout_.pixels
    Z = estimator.transform(sprites)
    assert_array_equal(other.transform(sprites), Z)
    assert_array_equal(other.inverse_transform(Z), estimator.inverse_transform(Z))


def test_feature_names_come_back(X, path):
    table = pd.DataFrame(X).add_prefix("pixel ")
    tiny("VAE").fit(table).save_weights(path)
    other = tiny("VAE").load_weights(path)
    assert list(other.feature_names_in_) == list(table.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        other.transform(table.add_prefix("other "))


def test_loading_replaces_a_former_fit(X, path, fitted):
    fitted.save_weights(path)
    table = pd.DataFrame(np.tile(X, 2)).add_prefix("pixel ")
    other = tiny("SimVAE").fit(table).load_weights(path)
    assert_array_equal(other.transform(X), fitted.transform(X))
    assert not hasattr(other, "feature_names_in_") and other.n_features_in_ == 64


def test_file_tells_what_it_holds_and_names_no_device(fitted, path):
    fitted.save_weights(path)
    metadata = read_metadata(path)
    assert metadata["class"] == "SimVAE" and metadata["params"]["hidden_layer_sizes"] == [16]
    assert [row["epoch"] for row in metadata["history"]] == [1, 2]
    assert metadata["params"].pop("device") == "auto"
    assert not {"cuda", "cpu", "mps"} & set(json.dumps(metadata).replace('"', " ").split())


def test_settings_of_training_alone_may_differ(X, fitted, path):
    fitted.save_weights(path)
    params = {"optimizer": "sgd", "weight_decay": 0.1, "lr": 0.1, "max_epochs": 7}
    other = tiny("SimVAE", **params).load_weights(path)
    assert_array_equal(other.transform(X), fitted.transform(X))
    other.partial_fit(X)


# ---------------------------------------------------------------- weights of something else


OTHERS = {
    "class": ("VAE", {}, "holds the weights of a SimVAE, but this is a VAE"),
    "width": ("SimVAE", {"n_components": 4}, "n_components=3 in the file and 4 here"),
    "layers": (
        "SimVAE",
        {"hidden_layer_sizes": (8, 4)},
        r"hidden_layer_sizes=\[16\] in the file and \[8, 4\] here",
    ),
    "noise": ("SimVAE", {"noise_variance": "learned"}, "noise_variance=0.01 in the file"),
    "own encoder": (
        "SimVAE",
        {"encoder": mlp},
        r"encoder='auto' in the file and '\(own code\)' here",
    ),
}


@pytest.mark.parametrize("name, params, message", OTHERS.values(), ids=OTHERS)
def test_weights_of_another_network_are_refused(X, fitted, path, name, params, message):
    fitted.save_weights(path)
    other = tiny(name, **params).fit(X)
    Z, history = other.transform(X), other.history_
    with pytest.raises(ValueError, match=message):
        other.load_weights(path)
    assert_array_equal(other.transform(X), Z)
    assert other.history_ == history


def test_own_encoders_are_held_against_the_shapes_of_the_weights(X, path):
    tiny("SimVAE", encoder=mlp).fit(X).save_weights(path)
    wider = tiny("SimVAE", encoder=functools.partial(mlp, width=20))
    with pytest.raises(
        ValueError,
        match=r"encoder.0.weight is \(12, 64\) of float32 in the file and \(20, 64\) of float32 in",
    ):
        wider.load_weights(path)
    deeper = tiny("SimVAE", encoder=lambda shape, n: nn.Sequential(nn.Identity(), mlp(shape, n)))
    with pytest.raises(ValueError, match=r"encoder.0.bias of the file is not in the network"):
        deeper.load_weights(path)
    assert not hasattr(wider, "net_") and not hasattr(deeper, "net_")


def test_weights_that_the_parameters_no_longer_describe_are_not_saved(X, path):
    estimator = tiny("SimVAE").fit(X).set_params(n_components=5)
    with pytest.raises(ValueError, match="n_components changed since"):
        estimator.save_weights(path)
    assert not path.exists()


# ---------------------------------------------------------------- damaged and hostile files


def hostile_torch_file():
    file = io.BytesIO()
    torch.save(Hostile(), file)
    return file.getvalue()


def safetensors_of_others(metadata=None):
    return files.need("safetensors.torch").save({"a": torch.zeros(2)}, metadata)


DAMAGE = {
    "pickle": (lambda data: pickle.dumps(Hostile()), "damaged"),
    "torch file": (lambda data: hostile_torch_file(), "damaged"),
    "pickle in the metadata": (
        lambda data: safetensors_of_others({"sklearn_simvae": pickle.dumps(Hostile(), 0).decode()}),
        "not one that sklearn_simvae wrote",
    ),
    "empty": (lambda data: b"", "damaged"),
    "cut short": (lambda data: data[:-1], "damaged"),
    "cut in its header": (lambda data: data[:100], "damaged"),
    "longer": (lambda data: data + b"more", "damaged"),
    "one bit of a weight": (lambda data: data[:-4] + bytes([data[-4] ^ 1]) + data[-3:], "checksum"),
    "metadata": (lambda data: data.replace(b"SimVAE", b"BimVAE", 1), "checksum"),
    "of others": (lambda data: safetensors_of_others(), "not one that sklearn_simvae wrote"),
    "later format": (lambda data: copied(data, format=99), "in format 99, and this .* Install"),
    "format of no number": (lambda data: copied(data, format="1"), "not one that sklearn_simvae"),
    "other kind": (lambda data: copied(data, kind="checkpoint"), "kind 'checkpoint', where"),
    "no layout": (lambda data: copied(data, layout={}), "does not understand"),
    "layout of another kind": (lambda data: copied(data, layout=[1, 2]), "does not understand"),
    "no history": (lambda data: copied(data, history=3), "does not understand"),
}


@pytest.mark.parametrize("damage, message", DAMAGE.values(), ids=DAMAGE)
def test_damaged_files_are_refused_and_the_former_fit_survives(X, fitted, path, damage, message):
    fitted.save_weights(path)
    path.write_bytes(damage(path.read_bytes()))
    other = tiny("SimVAE", random_state=1).fit(X)
    Z = other.transform(X)
    with pytest.raises(ValueError, match=message):
        other.load_weights(path)
    assert_array_equal(other.transform(X), Z)


def test_files_of_an_older_format_are_brought_up(X, fitted, path, monkeypatch):
    fitted.save_weights(path)
    tensors, metadata = files.unpack(path.read_bytes(), "it", "weights")
    # As if the names of weights had once had no prefix, and the class another key.
    metadata["estimator"] = metadata.pop("class")
    tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    text = json.dumps({**metadata, "format": 0, "version": "0.0"})
    header = {"sklearn_simvae": text, "sha256": files._digest(tensors, text)}
    path.write_bytes(files.need("safetensors.torch").save(tensors, header))
    with pytest.raises(ValueError, match=r"sklearn-simvae 0.0 in format 0, .* no longer reads"):
        tiny("SimVAE").load_weights(path)

    def from_0(tensors, metadata):
        tensors = {f"module.{name}": tensor for name, tensor in tensors.items()}
        return tensors, {**metadata, "class": metadata["estimator"]}

    monkeypatch.setitem(files.MIGRATIONS, 0, from_0)
    other = tiny("SimVAE").load_weights(path)
    assert_array_equal(other.transform(X), fitted.transform(X))


# ---------------------------------------------------------------- ONNX


class RemembersWords(nn.Module):
    """An encoder with an object in its state that is no tensor."""

    def __init__(self, input_shape, n_outputs):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), n_outputs))

    def forward(self, x):
        return self.layers(x)

    def get_extra_state(self):
        return {"words": ["of", "its", "own"]}

    def set_extra_state(self, state):
        pass


def test_state_that_is_no_tensor_trains_but_is_not_kept_as_weights(X, path):
    fitted = SimVAE(2, encoder=RemembersWords, max_epochs=2, random_state=0).fit(X)
    assert fitted.n_iter_ == 2
    with pytest.raises(ValueError, match="_extra_state of type dict"):
        fitted.save_weights(path)
    assert not path.exists()
