"""What was fitted is kept in files, whole, and comes back as it was."""

import builtins
import copy
import functools
import io
import json
import math
import os
import pickle
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import joblib
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import scipy.sparse
import skops.io
import torch
from conftest import METHODS, ONE_KIND, TINY, TWO, n_outputs, one_kind, tiny
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor, RandomTreesEmbedding
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.neighbors import KNeighborsTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    Normalizer,
    SplineTransformer,
    StandardScaler,
)
from skorch.callbacks import Callback
from skorch.history import History
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from sklearn_simvae import CLIP, InstanceDiscrimination, MultimodalSimVAE, SimCLR, SimVAE
from sklearn_simvae import _files as files
from sklearn_simvae._plain import fitted_digest
from sklearn_simvae._states import pack_history, unpack_history
from sklearn_simvae.persistence import ONNX_OPSET, read_metadata, trusted_types
from sklearn_simvae.training import KNNScore
from sklearn_simvae.views import Compose, FeatureCorruption, FeatureMasking


@pytest.fixture(scope="module")
def X(digits):
    return digits[0][:64]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


@pytest.fixture(scope="module")
def fitted(X):
    """A SimVAE, which no test changes."""
    return tiny("SimVAE").fit(X)


def mlp(input_shape, n_outputs, width=12):
    return nn.Sequential(nn.Linear(input_shape[0], width), nn.ReLU(), nn.Linear(width, n_outputs))


def copied(data, **changes):
    """A file of ours with other metadata, and a checksum that is right."""
    tensors, metadata = files.unpack(data, "it", "weights")
    text = json.dumps({**metadata, **changes})
    header = {"sklearn_simvae": text, "sha256": files._digest(tensors, text)}
    return files.need("safetensors.torch").save(tensors, header)


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


def test_unfitted_estimators_have_nothing_to_save(path):
    with pytest.raises(ValueError, match="not fitted"):
        tiny("SimVAE").save_weights(path)
    with pytest.raises(ValueError, match="not fitted"):
        tiny("SimVAE").to_onnx(path)


# ---------------------------------------------------------------- damaged and hostile files


class Hostile:
    def __reduce__(self):
        return exec, ("raise SystemExit('the file ran code')",)


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


# ---------------------------------------------------------------- whole or not at all


def refuse(*args, **kwargs):
    raise OSError(28, "No space left on device")


SAVE = {
    "weights": lambda estimator, path: estimator.save_weights(path),
    "onnx": lambda estimator, path: estimator.to_onnx(path),
}


@pytest.mark.parametrize("save", SAVE.values(), ids=SAVE)
@pytest.mark.parametrize("step", ["open", "os.fsync", "os.replace"])
def test_file_that_cannot_be_written_leaves_the_old_one(fitted, path, monkeypatch, save, step):
    path.write_bytes(b"what was there before")
    monkeypatch.setattr(f"sklearn_simvae._files.{step}", refuse, raising=False)
    with pytest.raises(OSError, match="No space left"):
        save(fitted, path)
    assert path.read_bytes() == b"what was there before"
    assert list(path.parent.iterdir()) == [path]


def test_folder_that_is_not_there_is_named(fitted, path):
    with pytest.raises(FileNotFoundError, match="file"):
        fitted.save_weights(path / "in" / "none")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_read_only_folder_is_refused(fitted, path):
    path.parent.chmod(0o500)
    with pytest.raises(PermissionError):
        fitted.save_weights(path)


def test_a_reader_never_sees_a_part(path, monkeypatch):
    files.write_whole(path, b"old" * 100)
    seen = []

    def replace(part, target, whole=os.replace):
        seen.append(Path(target).read_bytes() == b"old" * 100)
        whole(part, target)
        seen.append(Path(target).read_bytes() == b"new" * 100)

    monkeypatch.setattr("sklearn_simvae._files.os.replace", replace)
    files.write_whole(path, b"new" * 100)
    assert seen == [True, True] and list(path.parent.iterdir()) == [path]


def test_extra_is_named_where_it_is_missing(fitted, path, monkeypatch):
    def without(name, *args, found=builtins.__import__, **kwargs):
        if name.partition(".")[0] == "safetensors":
            raise ImportError(name)
        return found(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"needs safetensors.*sklearn-simvae\[persistence\]"):
        fitted.save_weights(path)


# ---------------------------------------------------------------- skops


def through_skops(estimator, path):
    skops.io.dump(estimator, path)
    return skops.io.load(path, trusted=trusted_types())


def test_skops_files_come_back_and_go_on_as_the_original_does(make, X, path):
    estimator = make(warm_start=True).fit(X)
    other = through_skops(estimator, path)
    assert skops.io.get_untrusted_types(file=path) == [
        f"{type(estimator).__module__}.{type(estimator).__name__}"
    ]
    assert repr(other) == repr(estimator) and other.history_ == estimator.history_
    assert_array_equal(other.transform(X), estimator.transform(X))
    # Not the weights alone: the optimizer goes on too.
    assert_array_equal(other.fit(X).transform(X), estimator.fit(X).transform(X))
    assert_array_equal(other.partial_fit(X).transform(X), estimator.partial_fit(X).transform(X))


def test_skops_takes_pipelines_with_augmentations_and_names(X, path):
    table = pd.DataFrame(X).add_prefix("pixel ")
    augmentation = Compose([FeatureCorruption(p=0.2), FeatureMasking(p=0.1)])
    pipeline = make_pipeline(StandardScaler(), tiny("SimVAE", augmentation=augmentation))
    pipeline.set_output(transform="pandas").fit(table)
    pd.testing.assert_frame_equal(
        through_skops(pipeline, path).transform(table), pipeline.transform(table)
    )


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ONE_KIND])
def test_skops_keeps_preprocessors_and_weights_alone_do_not(X, path, method):
    rows = {"text": ["warm and dry", "cold", "cold and wet", "wet"] * 8, "numbers": X[:32]}
    modalities = [("text", "mlp"), ("numbers", "auto")]
    params = {"modalities": modalities, "preprocessing": [("text", TfidfVectorizer())]}
    estimator = tiny(method, **params).fit(rows)
    Z = estimator.transform(rows)
    assert_array_equal(through_skops(estimator, path).transform(rows), Z)

    estimator.save_weights(path)
    with pytest.raises(ValueError, match=r"'text' \(TfidfVectorizer\).*skops or joblib"):
        tiny(method, **params).load_weights(path)
    assert_array_equal(estimator.partial_fit(rows).load_weights(path).transform(rows), Z)


def test_skops_keeps_unfitted_estimators(make, path):
    estimator = make()
    other = through_skops(estimator, path)
    assert repr(other) == repr(estimator) and not hasattr(other, "net_")


def test_skops_asks_for_what_is_not_of_this_package(X, path):
    estimator = tiny("SimVAE", optimizer=torch.optim.RMSprop).fit(X)
    skops.io.dump(estimator, path)
    with pytest.raises(TypeError, match="RMSprop"):
        skops.io.load(path, trusted=trusted_types())
    trusted = [*trusted_types(), "torch.optim.rmsprop.RMSprop"]
    other = skops.io.load(path, trusted=trusted)
    assert_array_equal(other.partial_fit(X).transform(X), estimator.partial_fit(X).transform(X))


def test_skops_refuses_modules_and_says_what_else_there_is(X, path):
    for estimator in (
        tiny("SimVAE", encoder=mlp((64,), 6)),
        tiny("CLIP", modalities=[("a", mlp((32,), 3), slice(32)), ("b", "mlp", slice(32, 64))]),
    ):
        with pytest.raises(ValueError, match=r"torch module.*joblib"):
            skops.io.dump(estimator.fit(X), path)


def test_skops_refuses_what_the_parameters_no_longer_describe(X, path):
    estimator = tiny("SimVAE").fit(X).set_params(weight_decay=0.1)
    with pytest.raises(ValueError, match="weight_decay changed since"):
        skops.io.dump(estimator, path)


def test_skops_loads_on_the_cpu_what_was_trained_elsewhere(X, fitted, path):
    estimator = pickle.loads(pickle.dumps(fitted)).set_params(device="cuda:99")
    skops.io.dump(estimator, path)
    with pytest.warns(UserWarning, match="'cuda:99' is not available.*on the CPU"):
        other = skops.io.load(path, trusted=trusted_types())
    assert_array_equal(other.transform(X), fitted.transform(X))
    other.partial_fit(X)


def test_hostile_pickle_in_a_skops_file_is_refused(X, fitted, path, tmp_path):
    skops.io.dump(fitted, path)
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    blobs = [name for name in contents if name != "schema.json"]
    assert blobs
    evil = tmp_path / "evil"
    with zipfile.ZipFile(evil, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, pickle.dumps(Hostile()) if name in blobs else content)
    with pytest.raises(ValueError, match="damaged"):
        skops.io.load(evil, trusted=trusted_types())


def test_trusted_types_are_ours_and_run_no_code_of_a_file():
    for name in trusted_types():
        module, _, kind = name.rpartition(".")
        assert module.startswith("sklearn_simvae.")
        kind = getattr(__import__(module, fromlist=[kind]), kind)
        assert isinstance(kind, type)
    # A checkpoint would write to wherever the file says.
    assert not [name for name in trusted_types() if "training" in name]


# ---------------------------------------------------------------- ONNX


def run_onnx(path, rows):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["representation"], {"rows": rows})[0]


def assert_onnx_is_transform(estimator, path, rows, **kwargs):
    estimator.to_onnx(path, **kwargs)
    for part in (rows, rows[:1]):
        made, Z = run_onnx(path, part), estimator.transform(part, **kwargs)
        assert made.dtype == np.float32 and made.shape == Z.shape
        np.testing.assert_allclose(made, Z, atol=1e-4)


@one_kind
def test_onnx_gives_what_transform_gives(make, X, path):
    assert_onnx_is_transform(make().fit(X), path, X)


def images(channels_last=False):
    X = np.random.default_rng(0).integers(0, 256, (12, 3, 16, 16), dtype=np.uint8)
    return np.ascontiguousarray(X.transpose(0, 2, 3, 1)) if channels_last else X


def series():
    return np.random.default_rng(0).normal(size=(12, 40, 2)).astype(np.float32)


ENCODERS = {
    "mlp, hidden": (SimVAE(representation="hidden", **TINY), series()[:, :, 0]),
    "conv": (SimVAE(**TINY), images()),
    "conv, hidden": (SimCLR(representation="hidden", **TINY), images() / np.float32(255)),
    "channels last": (SimVAE(input_shape=(16, 16, 3), **TINY), images(channels_last=True)),
    "flat": (SimVAE(input_shape=(3, 16, 16), **TINY), images().reshape(12, -1)),
    "resnet18": (SimVAE(encoder="resnet18", **TINY), images()),
    "conv1d": (SimVAE(input_shape=(40, 2), **TINY), series()),
    "conv1d, flat": (SimCLR(input_shape=(40, 2), **TINY), series().reshape(12, -1)),
    "own": (SimVAE(encoder=mlp, **TINY), series()[:, :, 0]),
}


@pytest.mark.parametrize("estimator, rows", ENCODERS.values(), ids=ENCODERS)
def test_onnx_of_encoders_gives_what_transform_gives(estimator, rows, path):
    estimator.set_params(max_epochs=1).fit(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_onnx_is_transform(estimator, path, rows)


def test_onnx_says_its_operators_and_names(fitted, path):
    fitted.to_onnx(path)
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert [opset.version for opset in model.opset_import] == [ONNX_OPSET]
    assert [tensor.name for tensor in model.graph.input] == ["rows"]


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ONE_KIND])
def test_onnx_of_a_modality_gives_what_transform_gives_of_it(method, X, path):
    params = {"modalities": TWO, "preprocessing": [("odd", MaxAbsScaler())]}
    estimator = tiny(method, **params).fit(X)
    parts = {"even": X[:, ::2], "odd": MaxAbsScaler().fit_transform(X[:, 1::2])}
    for modality, rows in parts.items():
        estimator.to_onnx(path, modality)
        Z = estimator.transform(X, modality=modality)
        np.testing.assert_allclose(run_onnx(path, rows), Z, atol=1e-4)
    with pytest.raises(ValueError, match="no modality 'third'"):
        estimator.to_onnx(path, "third")


def test_what_onnx_cannot_say_is_refused(X, path, capfd):
    class Odd(nn.Module):
        def __init__(self, n_outputs):
            super().__init__()
            self.layer = nn.Linear(64, n_outputs)

        def forward(self, x):
            return self.layer(x) + torch.special.bessel_j0(x).mean()

    estimator = tiny("SimVAE")
    estimator.set_params(encoder=lambda shape, n: Odd(n_outputs(estimator))).fit(X)
    path.write_bytes(b"what was there before")
    capfd.readouterr()
    with pytest.raises(ValueError, match=r"ONNX does not support.*bessel") as raised:
        estimator.to_onnx(path)
    assert path.read_bytes() == b"what was there before"
    assert len(str(raised.value)) < 400
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


AMBIENT = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference": torch.inference_mode,
    "no gradients": torch.no_grad,
    "another device": lambda: torch.device("meta"),
}


@pytest.mark.parametrize("ambient", AMBIENT.values(), ids=AMBIENT)
@pytest.mark.parametrize("name", ["SimVAE", "SimCLR", "CLIP"])
def test_onnx_is_the_same_whatever_the_caller_has_switched_on(name, ambient, X, path, tmp_path):
    estimator = tiny(name).fit(X)
    modality = {} if name in ONE_KIND else {"modality": "first"}
    estimator.to_onnx(path, **modality)
    estimator.encoder_.train()
    with ambient():
        estimator.to_onnx(tmp_path / "other.onnx", **modality)
    assert (tmp_path / "other.onnx").read_bytes() == path.read_bytes()
    assert estimator.encoder_.training


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


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ONE_KIND])
def test_weights_go_with_preprocessors_that_learned_the_same(method, X, path):
    params = {"modalities": TWO, "preprocessing": [("odd", make_pipeline(StandardScaler()))]}
    estimator = tiny(method, **params).fit(X)
    estimator.save_weights(path)
    same = tiny(method, **params).fit(X).load_weights(path)
    np.testing.assert_array_equal(same.transform(X), estimator.transform(X))
    other = tiny(method, **params).fit(2 * X + 1)
    Z = other.transform(X)
    with pytest.raises(ValueError, match=r"other preprocessors of \['odd'\]"):
        other.load_weights(path)
    np.testing.assert_array_equal(other.transform(X), Z)
    restored = pickle.loads(pickle.dumps(estimator)).load_weights(path)
    np.testing.assert_array_equal(restored.transform(X), estimator.transform(X))


def test_digests_by_another_rule_say_nothing(X, path):
    params = {"modalities": TWO, "preprocessing": [("odd", StandardScaler())]}
    estimator = tiny("CLIP", **params).fit(X)
    estimator.save_weights(path)
    layout = read_metadata(path)["layout"]
    for modality in layout["modalities"]:
        assert ("learned" in modality) and ("digest" not in modality)
        modality["digest"] = modality.pop("learned") and "0" * 64
    path.write_bytes(copied(path.read_bytes(), layout=layout))
    loaded = tiny("CLIP", **params).fit(X).load_weights(path)
    np.testing.assert_array_equal(loaded.transform(X), estimator.transform(X))


@pytest.mark.parametrize("name", ["SimCLR", "VICReg"])
def test_a_fit_that_failed_leaves_the_score_of_the_weights_that_are_saved(name, X, path):
    estimator = tiny(name).fit(X)
    with pytest.raises(ValueError, match="make batches of 1"):
        estimator.set_params(batch_size=1).partial_fit(X)
    estimator.save_weights(path)
    assert tiny(name).load_weights(path).score(X) == estimator.score(X)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (Normalizer("l1"), Normalizer("max")),
        (FunctionTransformer(np.sqrt), FunctionTransformer(np.square)),
        (KNNImputer(), "other data"),
    ],
)
def test_weights_beside_other_preprocessors_are_refused(mine, theirs, path):
    rng = np.random.default_rng(0)
    X = {"a": rng.random((40, 4)), "b": rng.random((40, 4))}
    other = {"a": rng.random((40, 4)), "b": X["b"]} if theirs == "other data" else X

    def made(preprocessor, X):
        return MultimodalSimVAE(**TINY, preprocessing=[("a", preprocessor)]).fit(X)

    saved = made(mine, X)
    saved.save_weights(path)
    with pytest.raises(ValueError, match="other parameters or saw other data"):
        made(mine if theirs == "other data" else theirs, other).load_weights(path)
    assert made(mine, X).load_weights(path).score(X) == saved.score(X)


def test_an_optimizer_that_skops_would_not_describe_is_told(X):
    vae = tiny("VAE").fit(X).set_params(weight_decay=0.1)
    with pytest.raises(ValueError, match="keeps the optimizer of the network that was fitted, but"):
        skops.io.dumps(vae)


PREPROCESSORS = {
    "vocabulary": CountVectorizer(vocabulary={"cat", "dog", "car", "bus", "tree"}),
    "splines": SplineTransformer(),
    "trees": RandomTreesEmbedding(3, max_depth=2, random_state=0),
    "pipeline": make_pipeline(StandardScaler(), SplineTransformer()),
    "function": FunctionTransformer(np.sqrt),
    "neighbors": KNeighborsTransformer(n_neighbors=2, algorithm="ball_tree"),
    "columns": make_column_transformer(
        (make_pipeline(SimpleImputer(), RandomTreesEmbedding(3, random_state=0)), slice(0, 2)),
        (PCA(1), [2]),
    ),
}


def test_preprocessors_are_told_alike_in_another_process():
    X = np.random.default_rng(0).random((50, 3))
    fitted = {name: clone(made) for name, made in PREPROCESSORS.items()}
    for name in fitted.keys() - {"vocabulary"}:
        fitted[name].fit(X).transform(X)
    expected = {name: fitted_digest(made) for name, made in fitted.items()}
    assert len({*expected.values()}) == len(fitted)
    # pickled, as sets have another order in each process.
    code = (
        "import json, pickle, sys; from sklearn_simvae._plain import fitted_digest;"
        "fitted = pickle.load(sys.stdin.buffer);"
        "print(json.dumps({name: fitted_digest(made) for name, made in fitted.items()}))"
    )
    for seed in "12":
        there = subprocess.run(
            [sys.executable, "-c", code],
            input=pickle.dumps(fitted),
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        assert json.loads(there) == expected


@pytest.mark.parametrize("name", PREPROCESSORS)
def test_copies_of_preprocessors_are_told_alike(name):
    fitted = clone(PREPROCESSORS[name])
    if name != "vocabulary":
        fitted.fit(np.random.default_rng(0).random((50, 3)))
    data = skops.io.dumps(fitted)
    loaded = skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
    assert fitted_digest(copy.deepcopy(fitted)) == fitted_digest(loaded) == fitted_digest(fitted)


def test_texts_are_told_by_what_was_read():
    texts = ["one cat and two dogs", "a dog", "two cars and one bus"]
    stop_words = ["and", "a"]
    fitted = [
        TfidfVectorizer(stop_words=words).fit(read)
        for read, words in (
            *((texts, stop_words), (texts, list(stop_words))),
            *(([*texts, "a dog"], stop_words), (texts, ["and"])),
        )
    ]
    same, other, read, words = map(fitted_digest, fitted)
    assert same == other and len({same, read, words}) == 3
    assert fitted_digest(pickle.loads(pickle.dumps(fitted[0]))) == same


def test_arrays_are_told_by_their_values_whatever_their_order_in_memory():
    A = np.arange(12.0).reshape(3, 4)
    forms = [A, A.copy("F"), np.repeat(A, 2, axis=1)[:, ::2], np.broadcast_to(A, A.shape)]
    assert len({fitted_digest([form]) for form in forms}) == 1
    assert fitted_digest([A, A]) == fitted_digest([A, A.copy()])
    others = [A.reshape(4, 3), A.astype("f4"), A.astype("i8"), A + 1]
    assert len(set(map(fitted_digest, [A, *others]))) == 5
    for kind in (scipy.sparse.csr_array, torch.tensor):
        digests = [fitted_digest(kind(B)) for B in (A, A.copy("F"), A + 1)]
        assert digests[0] == digests[1] != digests[2]
    draws = [np.random.default_rng(seed) for seed in (0, 1)]
    assert len(set(map(fitted_digest, draws))) == 1


def test_modules_are_told_by_their_weights():
    def made(value, dtype=torch.bfloat16, p=0.5):
        torch.manual_seed(value)
        return nn.Sequential(weight_norm(nn.Linear(3, 2)), nn.Dropout(p)).to(dtype)

    digests = [made(0), made(0).eval(), made(1), made(0, torch.float32), made(0, p=0.1)]
    one, same, *others = map(fitted_digest, digests)
    assert one == same and len({one, *others}) == 4


def test_what_holds_itself_is_told():
    holding = [ByConvention().fit(np.full((2, 2), value)) for value in (0, 0, 1)]
    for one in holding:
        one.own = {"transformers": [one]}
    one, same, other = map(fitted_digest, holding)
    assert one == same != other


class ByConvention:
    """A transformer that is no estimator of scikit-learn."""

    def fit(self, X):
        self.mean_ = X.mean(0)
        return self

    def transform(self, X):
        return X - self.mean_


class WithTensor(BaseEstimator):
    """One that keeps a tensor."""

    def fit(self, X):
        self.mean_ = torch.from_numpy(X.mean(0))
        return self


class OfTrees(BaseEstimator):
    """One that keeps what is told by its trees alone."""

    def fit(self, X):
        self.forest_ = RandomForestRegressor(2, max_depth=2, random_state=0).fit(X, X[:, 0])
        return self


@pytest.mark.parametrize("make", [SplineTransformer, ByConvention, WithTensor, OfTrees])
def test_preprocessors_that_saw_other_data_are_told_apart(make):
    rng = np.random.default_rng(0)
    A, B = rng.random((50, 3)), 5 * rng.random((50, 3))
    digests = [fitted_digest(make().fit(X)) for X in (A, A, B)]
    assert digests[0] == digests[1] != digests[2]


def test_number_of_processors_makes_no_other_preprocessor():
    X = np.random.default_rng(0).random((50, 3))
    digests = {
        fitted_digest(make_pipeline(RandomTreesEmbedding(3, random_state=0, n_jobs=n)).fit(X))
        for n in (None, 1, 2)
    }
    assert len(digests) == 1


# ---------------------------------------------------------------- pickle


def histories():
    yield History()
    rows = [
        {"batches": [], "epoch": 1, "loss": np.nan, "best": True, "text": "a", "huge": 2**70},
        {"batches": [{"loss": 0.5, "size": 3}, {"loss": -1e300, "size": 2}], "epoch": -200},
        {"batches": [], "loss": 1 / 3, "mixed": 1, "none": None, "array": np.float32(2)},
        {"batches": [{"size": 70_000}], "loss": -0.0, "mixed": 2.5, "best": False},
    ]
    yield History(rows)
    yield History([{"batches": []}] * 3)


@pytest.mark.parametrize("history", list(histories()))
def test_histories_come_back_equal_from_columns(history):
    rows = unpack_history(pickle.loads(pickle.dumps(pack_history(history))))
    # repr tells NaN, types and negative zeros, in whatever order names come.
    assert [sorted(map(repr, row.items())) for row in rows] == [
        sorted(map(repr, row.items())) for row in history
    ]


@pytest.mark.parametrize("callbacks", [None, [Callback()]], ids=["epochs", "batches"])
def test_history_and_what_goes_on_come_back_from_pickle(make, X, callbacks):
    estimator = make(callbacks=callbacks).fit(X).partial_fit(X)
    loaded = pickle.loads(pickle.dumps(estimator))
    assert loaded.history_ == estimator.history_
    assert loaded.net_.history == estimator.net_.history
    assert type(loaded.net_.history) is type(estimator.net_.history)
    assert bool(loaded.net_.history[-1]["batches"]) == bool(callbacks)
    a, b = (e.partial_fit(X).transform(X) for e in (estimator, loaded))
    assert_array_equal(a, b)
    assert len(loaded.history_) == len(estimator.history_) == 4
    net = pickle.loads(pickle.dumps(estimator.net_))
    assert net.history == estimator.net_.history


def test_a_call_of_partial_fit_adds_little_to_a_pickle(X):
    estimator = tiny("SimVAE")
    sizes = []
    for _ in range(3):
        for _ in range(20):
            estimator.partial_fit(X)
        sizes.append(len(pickle.dumps(estimator)))
    # Eight numbers of float64 and some small ones; 311 bytes as rows.
    assert (sizes[2] - sizes[1]) / 20 < 90


def modules():
    shared = nn.Linear(64, 64)
    lazy = nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.Linear(16, 3))
    deep = nn.Sequential(nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    deep[3].weight.requires_grad_(False)
    short = nn.Linear(64, 3).bfloat16()
    tied = nn.Sequential(shared, nn.ReLU(), shared, nn.Linear(64, 3))
    return {"deep": deep, "tied": tied, "bfloat16": short, "lazy": lazy}


@pytest.mark.parametrize("name", modules())
def test_modules_come_back_from_pickle_as_they_were(name):
    module = modules()[name]
    loaded = pickle.loads(pickle.dumps(tiny("SimCLR", encoder=module))).encoder
    assert type(loaded) is type(module)
    state = loaded.state_dict(keep_vars=True)
    for key, tensor in module.state_dict(keep_vars=True).items():
        assert type(state[key]) is type(tensor)
        if name != "lazy":
            assert state[key].dtype == tensor.dtype
            assert state[key].requires_grad == tensor.requires_grad
            assert torch.equal(state[key], tensor)
    if name == "tied":
        assert loaded[0] is loaded[2]


def test_modules_of_classes_that_others_cannot_import_are_pickled_by_value(X):
    cloudpickle = pytest.importorskip("joblib.externals.cloudpickle")

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(64, 3)

        def forward(self, x):
            return self.layer(x)

    estimator = tiny("SimCLR", encoder=Own())
    loaded = pickle.loads(cloudpickle.dumps(estimator))
    assert_array_equal(loaded.fit_transform(X), estimator.fit_transform(X))


@pytest.mark.parametrize("name", ["deep", "tied", "bfloat16"])
@pytest.mark.parametrize("parameter", ["encoder", "augmentation", "modalities"])
def test_joblib_tells_modules_by_their_weights(name, parameter):
    def holding(module):
        if parameter == "modalities":
            items = [("a", module, slice(0, 3)), ("b", "mlp", slice(3, 6))]
            return tiny("CLIP", modalities=items)
        return tiny("SimCLR", **{parameter: module})

    module = modules()[name]
    estimator = holding(module)
    digest = joblib.hash(estimator)
    for copied in (clone, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))):
        assert joblib.hash(copied(estimator)) == digest
    changed = copy.deepcopy(module)
    with torch.no_grad():
        # Both halves of a number count.
        next(iter(changed.parameters())).view(-1)[-1] *= 1.01
    assert joblib.hash(holding(changed)) != digest
    frozen = copy.deepcopy(module)
    next(iter(frozen.parameters())).requires_grad_(False)
    assert joblib.hash(holding(frozen)) != digest
    assert joblib.hash(holding(nn.Sequential(module))) != digest


def test_copies_of_an_estimator_hold_what_it_holds(X):
    score = KNNScore(X, np.arange(len(X)) % 2, n_neighbors=3)
    estimator = tiny("SimVAE", encoder=nn.Linear(64, 6), callbacks=[score]).fit(X)
    shallow, deep = copy.copy(estimator), copy.deepcopy(estimator)
    assert vars(shallow) == vars(estimator)
    assert deep.encoder is not estimator.encoder
    assert deep.net_ is not estimator.net_
    assert_array_equal(deep.transform(X), estimator.transform(X))
    assert_array_equal(deep.callbacks[0].X, X)
    assert "knn_accuracy" in deep.fit(X).history_[-1]
