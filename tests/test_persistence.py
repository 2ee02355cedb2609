"""Methods of the estimators that save, load and copy them."""

import builtins
import copy
import os
import pickle

import numpy as np
import pytest
from conftest import METHODS, ONE_KIND, TINY, TWO, tiny
from numpy.testing import assert_array_equal
from saved import copied
from sklearn.impute import KNNImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler
from torch import nn

from sklearn_simvae import MultimodalSimVAE
from sklearn_simvae.persistence import read_metadata
from sklearn_simvae.training import KNNScore


@pytest.fixture(scope="module")
def X(digits):
    return digits[0][:64]


@pytest.fixture(scope="module")
def fitted(X):
    """A SimVAE, which no test changes."""
    return tiny("SimVAE").fit(X)


# ---------------------------------------------------------------- weights of something else


def test_unfitted_estimators_have_nothing_to_save(path):
    with pytest.raises(ValueError, match="not fitted"):
        tiny("SimVAE").save_weights(path)
    with pytest.raises(ValueError, match="not fitted"):
        tiny("SimVAE").to_onnx(path)


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


def test_extra_is_named_where_it_is_missing(fitted, path, monkeypatch):
    def without(name, *args, found=builtins.__import__, **kwargs):
        if name.partition(".")[0] == "safetensors":
            raise ImportError(name)
        return found(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"needs safetensors.*sklearn-simvae\[persistence\]"):
        fitted.save_weights(path)


# ---------------------------------------------------------------- ONNX


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


# ---------------------------------------------------------------- pickle


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
