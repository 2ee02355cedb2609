"""States as skops files: what comes back, what is asked for, and what is refused."""

import pickle
import zipfile

import pandas as pd
import pytest
import skops.io
import torch
from conftest import METHODS, ONE_KIND, tiny
from numpy.testing import assert_array_equal
from saved import Hostile, mlp, through_skops
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_simvae.persistence import trusted_types
from sklearn_simvae.views import Compose, FeatureCorruption, FeatureMasking

# ---------------------------------------------------------------- skops


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


def test_an_optimizer_that_skops_would_not_describe_is_told(X):
    vae = tiny("VAE").fit(X).set_params(weight_decay=0.1)
    with pytest.raises(ValueError, match="keeps the optimizer of the network that was fitted, but"):
        skops.io.dumps(vae)
