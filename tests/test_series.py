"""Series of unequal length go through everything that rows go through."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import METHODS, tiny
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

from sklearn_simvae import SimCLR, SimVAE
from sklearn_simvae.views import sliding_windows

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(5, 60, size=24)
X = [RNG.standard_normal((n, 2)).cumsum(0).astype(np.float32) for n in LENGTHS]
Y = np.arange(24) % 2
GROUPS = np.arange(24) // 2
OF_ROWS = [name for name in METHODS if not hasattr(tiny(name), "modalities")]
PARAMS = {"kind": "series", "input_shape": (20, 2)}


@pytest.fixture(params=["SimVAE", "SimCLR"])
def make(request):
    return lambda **params: tiny(request.param, **{**PARAMS, **params})


@pytest.mark.parametrize("encoder", ["auto", "mlp"])
@pytest.mark.parametrize("name", OF_ROWS)
def test_a_series_alone_has_the_representation_that_it_has_among_longer_ones(name, encoder):
    estimator = tiny(name, **PARAMS, encoder=encoder)
    Z = estimator.fit_transform(X)
    assert (Z.shape, estimator.n_features_in_) == ((24, Z.shape[1]), 2)
    assert len(np.unique(Z.round(6), axis=0)) == 24
    for i in (int(LENGTHS.argmin()), 3, int(LENGTHS.argmax())):
        np.testing.assert_allclose(estimator.transform([X[i]])[0], Z[i], rtol=0, atol=1e-5)
    assert np.isfinite(estimator.score(X))


def test_padding_with_nan_is_the_same_as_a_list(make):
    padded = np.full((24, 60, 2), np.nan)
    for row, x in zip(padded, X, strict=True):
        row[: len(x)] = x
    expected = make().fit_transform(X)
    np.testing.assert_array_equal(make().fit_transform(padded), expected)
    first = make(input_shape=(2, 20)).fit([x.T for x in X])
    np.testing.assert_array_equal(first.transform([x.T for x in X]), expected)
    # Series that happen to be of one length are read as series of any length.
    fitted = make().fit(X)
    even = np.stack([X[3][:5], X[4][:5]])
    np.testing.assert_array_equal(fitted.transform(even), fitted.transform(list(even)))


def test_short_lists_of_few_channels_need_no_kind():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert tiny("SimVAE").fit(X).layout_.ragged


def test_windows_are_anew_in_each_epoch_and_fixed_by_random_state(make):
    seen = []

    def look(x):
        seen.append(x.clone())
        return x

    one = make(augmentation=look, max_epochs=2, batch_size=24).fit(X)
    first, second = seen
    assert not np.array_equal(first.numpy(), second.numpy(), equal_nan=True)
    other = make(augmentation=look, max_epochs=2, batch_size=24).fit(X)
    np.testing.assert_array_equal(one.transform(X), other.transform(X))


def test_partial_fit_early_stopping_and_groups(make):
    estimator = make().partial_fit(X[:12]).partial_fit(X[12:])
    assert estimator.transform(X).shape == (24, 3)
    assert "valid_loss" in make(early_stopping=True).fit(X).history_[0]
    grouped = make().fit(X, groups=GROUPS)
    assert np.isfinite(grouped.score(X, groups=GROUPS))
    table = pd.DataFrame({"series": X, "g": GROUPS})
    by_column = make(group_column="g").fit(table)
    np.testing.assert_array_equal(by_column.transform(table), grouped.transform(X))


def test_searches_cross_validation_and_pipelines_take_lists(make):
    pipe = make_pipeline(make(), LogisticRegression())
    assert len(cross_validate(pipe, X, Y, cv=3)["test_score"]) == 3
    assert pipe.fit(X, Y).predict(X[:3]).shape == (3,)
    search = GridSearchCV(make(), {"n_components": [2, 3]}, cv=2, error_score="raise").fit(X)
    assert np.isfinite(search.best_score_)
    assert clone(make().fit(X)).fit(X).transform(X[:2]).shape == (2, 3)


def test_what_is_saved_comes_back(make, tmp_path):
    estimator = make().fit(X)
    Z = estimator.transform(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(estimator)).transform(X), Z)
    estimator.save_weights(tmp_path / "weights.safetensors")
    loaded = make().load_weights(tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(loaded.transform(X), Z)
    assert loaded.n_features_in_ == 2


@pytest.mark.parametrize("encoder", ["auto", "mlp"])
def test_onnx_takes_windows_padded_with_nan(make, encoder, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    estimator = make(encoder=encoder).fit(X)
    estimator.to_onnx(tmp_path / "encoder.onnx")
    session = runtime.InferenceSession(str(tmp_path / "encoder.onnx"))
    short = [x for x in X if len(x) <= 20]
    rows = np.full((len(short), 20, 2), np.nan, np.float32)
    for row, x in zip(rows, short, strict=True):
        row[: len(x)] = x
    (found,) = session.run(None, {"rows": rows})
    np.testing.assert_allclose(found, estimator.transform(short), rtol=0, atol=1e-4)


def test_bound_of_a_series_is_that_of_its_windows_as_views():
    vae = tiny("SimVAE", **PARAMS).fit(X)
    scores = vae.score_samples(X)
    assert vae.score(X) == pytest.approx(scores.mean(), rel=1e-5)
    one = X[int(LENGTHS.argmax())]
    assert len(one) > 40
    parts = np.split(one, [len(one) // 3, 2 * len(one) // 3])
    as_views = vae.score_samples(parts, groups=np.zeros(3))
    np.testing.assert_allclose(as_views.sum(), vae.score_samples([one])[0], rtol=1e-4)
    short = [x[:10] for x in X]
    assert vae.score_samples(short).mean() > scores.mean()
    assert vae.score_samples(X, n_importance_samples=4).shape == (24,)


def test_what_is_decoded_are_windows():
    vae = tiny("SimVAE", **PARAMS).fit(X)
    Z = vae.transform(X)
    assert vae.inverse_transform(Z).shape == (24, 20, 2)
    assert vae.sample(3, n_views=2).shape == (3, 2, 20, 2)
    mean, variance = vae.encode(X)
    np.testing.assert_allclose(mean, Z, atol=1e-5)
    assert (variance > 0).all()
    assert vae.content(X, groups=GROUPS).shape == (12, 3)
    assert vae.style(X, groups=GROUPS).shape == (24, 3)


@pytest.mark.parametrize("likelihood", ["bernoulli", "multinomial"])
@pytest.mark.parametrize("encoder", ["auto", "mlp"])
def test_other_likelihoods(likelihood, encoder):
    unit = [1 / (1 + np.exp(-x)) for x in X]
    vae = tiny("SimVAE", **PARAMS, likelihood=likelihood, encoder=encoder).fit(unit)
    assert np.isfinite(vae.score_samples(unit)).all()
    with pytest.raises(ValueError, match=f"likelihood='{likelihood}' needs"):
        tiny("SimVAE", **PARAMS, likelihood=likelihood).fit(X)


def test_values_in_the_unit_interval_keep_means_there():
    unit = [1 / (1 + np.exp(-x)) for x in X]
    made = tiny("SimVAE", **PARAMS).fit(unit).sample(5)
    assert made.min() >= 0 and made.max() <= 1


def test_after_fit_the_same_checks_hold(make):
    estimator = make().fit(X)
    with pytest.raises(ValueError, match="X has 3 features"):
        estimator.transform([np.zeros((9, 3))])
    with pytest.raises(ValueError, match="Series 0 of X has 1 step"):
        estimator.transform([np.zeros((1, 2))])
    with pytest.raises(ValueError, match="NaN at step 2"):
        estimator.transform([np.array([[1, 1], [1, 1], [1, np.nan], [0, 0]])])


def test_augmentation_that_makes_nan_is_reported(make):
    with pytest.raises(ValueError, match="returned values that are NaN"):
        make(augmentation=lambda x: x / 0 * 0, max_epochs=2).fit(X)


def test_neighboring_windows_of_a_recording_are_views():
    recording = RNG.standard_normal((400, 3))
    windows, groups = sliding_windows(recording, length=20)
    params = {"kind": "series", "channels": "last", "max_epochs": 1}
    for cls in (SimVAE, SimCLR):
        Z = cls(3, **params).fit_transform(windows, groups=groups)
        assert Z.shape == (20, 3)
