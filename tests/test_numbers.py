"""Whatever the settings and the type of the numbers: finite, or an error that says why."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import METHODS, tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split


def script(name):
    """A benchmark, as a module."""
    path = Path(__file__).parents[1] / "benchmarks" / f"{name}.py"
    if not path.exists():
        pytest.skip("needs the benchmarks", allow_module_level=True)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


random_configurations = script("random_configurations")


@pytest.mark.parametrize("method", METHODS)
def test_random_settings_give_finite_results_or_an_error_with_its_cause(method):
    rng = np.random.default_rng(0)
    _, params, scale = random_configurations.draw(rng, method)
    found = random_configurations.outcome(method, params, random_configurations.data(scale, 100))
    assert found == "finite" or found.startswith("error: ")


@pytest.mark.parametrize("extreme", ["style_variance", "prior_variance", "noise_variance"])
@pytest.mark.parametrize("value", [1e-6, 1e2])
def test_extreme_variances_are_trained_in_batches_of_two(extreme, value, digits):
    params = {extreme: value, "batch_size": 2, "lr": 1e-4, "n_views": 8}
    simvae = tiny("SimVAE", **params).fit(digits[0][:40])
    assert np.isfinite(simvae.transform(digits[0])).all()
    assert np.isfinite(simvae.score(digits[0]))
    assert np.isfinite([list(row.values()) for row in simvae.history_]).all()


@pytest.mark.parametrize("name", ["SimVAE", "SimCLR"])
def test_bf16_is_as_accurate_as_float32(name):
    """Within half a point, and another half for the noise of three seeds."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    scores = {"float32": [], "bf16": []}
    for seed in range(3):
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, train_size=600, random_state=seed, stratify=y
        )
        for precision, values in scores.items():
            estimator = tiny(
                name,
                n_components=10,
                hidden_layer_sizes=(64,),
                input_shape=(8, 8),
                max_epochs=8,
                batch_size=64,
                precision=precision,
                random_state=seed,
            )
            probe = LogisticRegression(C=10, max_iter=200)
            probe.fit(estimator.fit(X_train).transform(X_train), y_train)
            values.append(probe.score(estimator.transform(X_test), y_test))
    float32, bf16 = (np.mean(values) for values in scores.values())
    assert scores["float32"] != scores["bf16"]
    assert abs(float32 - bf16) < 0.01
    assert float32 > 0.6


def test_float64_gives_what_float32_gives(make, digits):
    X, _ = digits
    X = X[:60]
    wide = X.astype(np.float64)
    float32, float64 = make(max_epochs=1).fit(X), make(max_epochs=1).fit(wide)
    assert_array_equal(float64.transform(wide), float32.transform(X))
    assert float64.transform(wide).dtype == np.float32
    if hasattr(float32, "score"):
        assert float64.score(wide) == float32.score(X)


def test_the_default_type_of_torch_changes_nothing(make, digits):
    X = digits[0][:60]
    expected = make(max_epochs=1).fit(X)
    torch.set_default_dtype(torch.float64)
    try:
        found = make(max_epochs=1).fit(X)
        assert_array_equal(found.transform(X), expected.transform(X))
        if hasattr(found, "score"):
            assert found.score(X) == expected.score(X)
        if hasattr(found, "sample"):
            assert_array_equal(found.sample(3, random_state=0), expected.sample(3, random_state=0))
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_float64_that_float32_cannot_hold_gives_almost_the_same(make_one_of_each_kind, digits):
    X = digits[0][:60].astype(np.float64) + 1e-12 * np.random.default_rng(0).random((60, 64))
    X = np.clip(X, 0, 1)
    float64 = make_one_of_each_kind(max_epochs=1).fit(X).transform(X)
    float32 = make_one_of_each_kind(max_epochs=1).fit(X.astype(np.float32)).transform(X)
    assert_allclose(float64, float32, rtol=1e-5, atol=1e-6)
