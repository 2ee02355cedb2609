"""Features of a network that is not trained, as a transformer of scikit-learn."""

import copy
import pickle
import sys

import joblib
import numpy as np
import pytest
import torch
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from pretrained_networks import Convolutions, Tokens, fake_timm, with_config
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from sklearn_simvae import ContentStyleVAE, FrozenEncoder

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (10, 3, 8, 8), dtype=np.uint8)


@torch.no_grad()
def expected(module, images):
    x = torch.from_numpy(images).float() / (255 if images.dtype == np.uint8 else 1)
    return module.eval()(x).numpy()


@parametrize_with_checks([FrozenEncoder(nn.Identity()), FrozenEncoder(nn.Tanh(), batch_size=3)])
def test_passes_all_of_scikit_learns_checks(estimator, check):
    check(estimator)


def test_features_are_those_of_the_network_in_evaluation_mode():
    module = Convolutions().train()
    Z = FrozenEncoder(module).fit_transform(IMAGES)
    assert Z.shape == (10, 6) and Z.dtype == np.float32
    assert_allclose(Z, expected(copy.deepcopy(module), IMAGES), rtol=1e-5)


def test_the_module_of_the_user_is_left_as_it_is():
    module = Convolutions().train()
    module.stem.weight.requires_grad_(False)
    before = copy.deepcopy(module)
    frozen = FrozenEncoder(module).fit(IMAGES)
    Z = frozen.transform(IMAGES)
    assert_array_equal(frozen.transform(IMAGES), Z)
    for (name, one), (_, other) in zip(
        module.state_dict().items(), before.state_dict().items(), strict=True
    ):
        assert_array_equal(one, other, err_msg=name)
    flags = [[w.requires_grad for w in m.parameters()] for m in (module, before)]
    assert flags[0] == flags[1]
    assert [m.training for m in module.modules()] == [m.training for m in before.modules()]
    assert not any(w.requires_grad for w in frozen.module_.parameters())


def test_what_was_fitted_does_not_follow_the_module():
    module = Convolutions()
    frozen = FrozenEncoder(module).fit(IMAGES)
    Z = frozen.transform(IMAGES)
    nn.init.zeros_(module.stem.weight)
    assert_array_equal(frozen.transform(IMAGES), Z)


def test_statistics_do_not_move_even_if_the_module_is_put_into_training_mode():
    frozen = FrozenEncoder(Convolutions()).fit(IMAGES)
    Z, mean = frozen.transform(IMAGES), frozen.module_.network.norm.running_mean.clone()
    frozen.module_.train()
    assert_array_equal(frozen.transform(IMAGES), Z)
    assert_array_equal(frozen.module_.network.norm.running_mean, mean)


def test_a_row_does_not_depend_on_the_batch():
    Z = FrozenEncoder(Convolutions()).fit_transform(IMAGES)
    for batch_size in (1, 3, 100):
        frozen = FrozenEncoder(Convolutions(), batch_size=batch_size).fit(IMAGES)
        assert_allclose(frozen.transform(IMAGES), Z, rtol=1e-5)


def test_batches_have_the_size_asked_for():
    sizes = []

    class Counts(nn.Module):
        def forward(self, x):
            sizes.append(len(x))
            return x.flatten(1)

    frozen = FrozenEncoder(Counts(), batch_size=4).fit(IMAGES)
    sizes.clear()
    frozen.transform(IMAGES)
    assert sizes == [4, 4, 2]


FORMS = {
    "floats": (IMAGES / np.float32(255), {}),
    "channels last": (IMAGES.transpose(0, 2, 3, 1), {"kind": "image", "channels": "last"}),
    "shape of channels last": (IMAGES.transpose(0, 2, 3, 1), {"input_shape": (8, 8, 3)}),
    "a list": (list(IMAGES), {}),
    "a tensor": (torch.from_numpy(IMAGES), {}),
    "flat": (IMAGES.reshape(10, -1), {"input_shape": (3, 8, 8)}),
}


@pytest.mark.parametrize("form", FORMS)
def test_images_in_all_forms_have_the_same_features(form):
    X, params = FORMS[form]
    Z = FrozenEncoder(Convolutions(), **params).fit_transform(X)
    assert_allclose(Z, expected(Convolutions(), IMAGES), rtol=1e-5)


def test_files_are_read_by_batch(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    X = np.load(tmp_path / "images.npy", mmap_mode="r")
    Z = FrozenEncoder(Convolutions()).fit_transform(X)
    assert_allclose(Z, expected(Convolutions(), IMAGES), rtol=1e-5)


def test_a_dask_array_is_transformed_by_chunk():
    array = pytest.importorskip("dask.array").from_array(IMAGES, chunks=(4, 3, 8, 8))
    Z = FrozenEncoder(Convolutions()).fit(IMAGES).transform(array)
    assert Z.shape == (10, 6) and Z.chunks[0] == (4, 4, 2)
    assert_allclose(np.asarray(Z), expected(Convolutions(), IMAGES), rtol=1e-5)


def test_of_views_the_mean_is_taken():
    Z = FrozenEncoder(Convolutions()).fit_transform(IMAGES.reshape(5, 2, 3, 8, 8))
    assert_allclose(Z, expected(Convolutions(), IMAGES).reshape(5, 2, 6).mean(1), rtol=1e-5)


def test_series_of_unequal_length_end_in_zeros():
    network = nn.Conv1d(2, 4, 3, padding=1)
    X = [RNG.standard_normal((n, 2)) for n in (10, 12, 9)]
    padded = np.zeros((3, 12, 2))
    for row, series in zip(padded, X, strict=True):
        row[: len(series)] = series
    whole = FrozenEncoder(network, kind="series", channels="last").fit_transform(padded)
    assert_allclose(FrozenEncoder(network, kind="series").fit_transform(X), whole, rtol=1e-5)


def test_tables_keep_the_names_of_their_columns():
    frame = pytest.importorskip("pandas").DataFrame(RNG.random((6, 3)), columns=list("abc"))
    frozen = FrozenEncoder(nn.Linear(3, 2)).set_output(transform="pandas").fit(frame)
    assert list(frozen.feature_names_in_) == list("abc")
    assert list(frozen.transform(frame).columns) == ["frozenencoder0", "frozenencoder1"]
    with pytest.raises(ValueError, match="feature names"):
        frozen.transform(frame[["b", "a", "c"]])


def test_a_network_by_name_comes_with_its_normalization_and_size(monkeypatch):
    config = {"input_size": (3, 8, 8), "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.2)}
    library = fake_timm(small_net=lambda: with_config(Tokens(8), **config))
    monkeypatch.setitem(sys.modules, "timm", library)
    frozen = FrozenEncoder("small_net").fit(IMAGES)
    by_hand = FrozenEncoder(Tokens(8), mean=config["mean"], std=config["std"])
    assert_allclose(frozen.transform(IMAGES), by_hand.fit_transform(IMAGES), rtol=1e-5)
    # Photographs of any size are resized.
    photos = RNG.integers(0, 256, (2, 30, 20, 3), dtype=np.uint8)
    frozen = FrozenEncoder("small_net", kind="image", channels="last")
    assert frozen.fit_transform(photos).shape == (2, 5)
    for X in (IMAGES.astype(np.float32), 4 * IMAGES / np.float32(255) - 2):
        with pytest.raises(ValueError, match="trained on pixels from 0 to 1"):
            FrozenEncoder("small_net").fit(X)
    FrozenEncoder("small_net", mean=None, std=None).fit(X)


def test_rows_must_be_like_those_that_were_fitted():
    frozen = FrozenEncoder(Convolutions()).fit(IMAGES)
    with pytest.raises(ValueError, match="expecting 192 features"):
        frozen.transform(IMAGES[:, :, :4])
    with pytest.raises(ValueError, match="fitted on uint8 pixels"):
        frozen.transform(IMAGES.astype(float))


def test_features_that_are_not_finite_are_an_error():
    class Logarithm(nn.Module):
        def forward(self, x):
            return x.log()

    with pytest.raises(ValueError, match="not finite"):
        FrozenEncoder(Logarithm()).fit_transform(np.zeros((3, 2)))


@pytest.mark.parametrize(
    "params, message",
    [
        ({"layer": "other"}, "no part 'other'"),
        ({"pooling": "median"}, "'pooling' parameter"),
        ({"batch_size": 0}, "'batch_size' parameter"),
        ({"precision": "float16"}, "'precision' parameter"),
        ({"device": "tpu"}, "device='tpu' is not available"),
        ({"encoder": 3}, "encoder must be a torch module or the name"),
    ],
)
def test_bad_parameters_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        FrozenEncoder(Convolutions()).set_params(**params).fit(IMAGES)


def test_bf16_changes_features_a_little():
    Z, rounded = (
        FrozenEncoder(Convolutions(), precision=precision).fit_transform(IMAGES)
        for precision in ("float32", "bf16")
    )
    assert rounded.dtype == np.float32 and 0 < np.abs(Z - rounded).max() < 0.05 * np.abs(Z).max()


WAYS = {
    "pickle": lambda frozen: pickle.loads(pickle.dumps(frozen)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("way", WAYS)
def test_copies_give_the_same_features(way):
    frozen = FrozenEncoder(Convolutions(), layer="body").fit(IMAGES)
    found = WAYS[way](frozen)
    assert_array_equal(found.transform(IMAGES), frozen.transform(IMAGES))
    assert isinstance(found.encoder.stem.weight, nn.Parameter)
    assert_array_equal(clone(found).fit_transform(IMAGES), frozen.transform(IMAGES))


def test_equal_modules_have_equal_hashes_and_others_do_not():
    frozen = [FrozenEncoder(Convolutions(seed=seed)) for seed in (0, 0, 1)]
    hashes = [joblib.hash(each) for each in frozen]
    assert hashes[0] == hashes[1] == joblib.hash(clone(frozen[0])) != hashes[2]


def test_a_pipeline_with_memory_computes_features_once(tmp_path, capfd):
    class Says(Convolutions):
        def forward(self, x):
            print("computes")
            return super().forward(x)

    # joblib pickles by the name of the class.
    Says.__qualname__ = "Says"
    globals()["Says"] = Says
    for n_components in (2, 3):
        pipeline = make_pipeline(
            FrozenEncoder(Says()), StandardScaler(), PCA(n_components), memory=str(tmp_path)
        )
        assert pipeline.fit_transform(IMAGES).shape == (10, n_components)
        printed = capfd.readouterr().out
        assert ("computes" in printed) == (n_components == 2)


def test_an_estimator_learns_from_features_in_a_search():
    pipeline = make_pipeline(
        FrozenEncoder(Convolutions()), StandardScaler(), tiny("ContentStyleVAE")
    )
    assert isinstance(pipeline[-1], ContentStyleVAE)
    search = GridSearchCV(pipeline, {"frozenencoder__layer": [None, "stem"]}, cv=2).fit(IMAGES)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_skops_keeps_names_and_refuses_modules(monkeypatch):
    skops = pytest.importorskip("skops.io")
    with pytest.raises(ValueError, match="encoder of this FrozenEncoder holds a torch module"):
        skops.dumps(FrozenEncoder(Convolutions()))
    library = fake_timm(small_net=Convolutions)
    monkeypatch.setitem(sys.modules, "timm", library)
    frozen = FrozenEncoder("small_net").fit(IMAGES)
    loaded = skops.loads(
        skops.dumps(frozen), trusted=["sklearn_simvae.pretrained.frozen_encoder.FrozenEncoder"]
    )
    assert_array_equal(loaded.transform(IMAGES), frozen.transform(IMAGES))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_features_on_a_gpu_are_those_of_a_cpu():
    Z = [FrozenEncoder(Convolutions(), device=d).fit_transform(IMAGES) for d in ("cpu", "cuda")]
    assert_allclose(*Z, rtol=1e-2, atol=1e-3)
    frozen = FrozenEncoder(Convolutions(), device="cuda").fit(IMAGES)
    loaded = pickle.loads(pickle.dumps(frozen)).set_params(device="cpu")
    assert_allclose(loaded.transform(IMAGES), Z[0], rtol=1e-4)


def test_series_of_unequal_length():
    X = [RNG.standard_normal((n, 2)).astype(np.float32) for n in (12, 9, 12, 24, 12, 12, 12)]
    module = nn.Conv1d(2, 4, 3)
    frozen = FrozenEncoder(module, kind="series", input_shape=(12, 2)).fit(X)
    Z = frozen.transform(X)
    assert Z.shape == (7, 4) and np.isfinite(Z).all()
    assert_allclose(Z[:1], expected(module, X[0].T[None]).mean(-1), rtol=1e-5, atol=1e-6)
    # Steps that a series lacks of a window are zero.
    longer = np.concatenate([X[1], np.zeros((3, 2), dtype=np.float32)])
    assert_allclose(Z[1:2], expected(module, longer.T[None]).mean(-1), rtol=1e-5, atol=1e-6)
    halves = np.stack([X[3][:12].T, X[3][12:].T])
    assert_allclose(Z[3], expected(module, halves).mean((0, 2)), rtol=1e-5, atol=1e-6)
    assert_array_equal(pickle.loads(pickle.dumps(frozen)).transform(X), Z)
