"""Values that a likelihood is of, and what a model without a proper prior cannot do."""

import warnings

import numpy as np
import pytest
from conftest import tiny
from vaes import simvae

from sklearn_simvae.views import as_lazy_array

# ---------------------------------------------------------------- scores


def test_uniform_prior_withholds_what_it_has_not(digits):
    X, _ = digits
    estimator = simvae(prior_variance=None)
    for _ in range(2):
        for name in ("score", "score_samples", "sample"):
            assert not hasattr(estimator, name)
            with pytest.raises(AttributeError):
                getattr(estimator, name)
        estimator.fit(X)
    assert estimator.transform(X).shape == estimator.encode(X)[1].shape == (len(X), 3)
    assert estimator.inverse_transform(estimator.transform(X)).shape == X.shape
    assert hasattr(simvae(), "score")


# ---------------------------------------------------------------- bad input


def test_bernoulli_model_refuses_other_data_later(digits):
    estimator = simvae(likelihood="bernoulli").fit(digits[0])
    for method in ("transform", "score", "score_samples", "encode", "partial_fit"):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            getattr(estimator, method)(digits[0] * 2)


@pytest.mark.parametrize("name", ["VAE", "SimVAE", "CRVAE", "ContentStyleVAE"])
def test_values_beyond_those_that_means_can_reach(name, tmp_path):
    inside = np.random.default_rng(0).uniform(size=(2000, 6)).astype(np.float32)
    estimator = tiny(name).partial_fit(inside)
    with pytest.warns(UserWarning, match="first fitted on values in .0, 1.*likelihood='gaussian'"):
        estimator.partial_fit(10 * inside)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny(name, likelihood="gaussian").partial_fit(inside).partial_fit(10 * inside)
    # Some rows of a file are looked at first, and all when they are read.
    on_disk = np.memmap(tmp_path / "rows", np.float32, "w+", shape=inside.shape)
    on_disk[:] = inside
    on_disk[np.setdiff1d(np.arange(2000), np.linspace(0, 1999, 512).astype(int))[:50]] = 9
    for likelihood in ("auto", "bernoulli"):
        estimator = tiny(name, likelihood=likelihood)
        with pytest.raises(ValueError, match="to 9, where all must lie between 0 and 1"):
            estimator.fit(on_disk)
        assert not hasattr(estimator, "net_")
        with pytest.raises(ValueError, match="to 9, where all must lie between 0 and 1"):
            tiny(name, likelihood="bernoulli").fit(inside).score_samples(on_disk)
    assert tiny(name, likelihood="gaussian").fit(on_disk).n_iter_ == 2
    on_disk[on_disk == 9] = -0.5
    with pytest.raises(ValueError, match=r"from -0.5 .*, where all must lie between 0 and inf"):
        tiny(name, likelihood="multinomial").fit(on_disk)


@pytest.mark.parametrize("name", ["VAE", "MultimodalSimVAE"])
@pytest.mark.parametrize("goes_on", [False, True])
def test_rows_beyond_what_means_can_reach_are_refused_wherever_they_are_read(
    name, goes_on, tmp_path
):
    places = np.memmap(tmp_path / "places", np.float32, "w+", shape=(1500, 1))
    places[:, 0] = np.arange(1500)
    looked_at = as_lazy_array(places).sample.ravel().astype(int)
    inside = np.random.default_rng(0).random((1500, 6)).astype(np.float32)
    bad = np.memmap(tmp_path / "bad", np.float32, "w+", shape=(1500, 6))
    bad[:] = inside
    bad[np.setdiff1d(np.arange(1500), looked_at)[:2]] = 7

    def rows(first):
        return first if name == "VAE" else {"first": first, "second": inside}

    for seed in range(1 if goes_on else 4):
        estimator = tiny(name, early_stopping=not goes_on, warm_start=goes_on, random_state=seed)
        if goes_on:
            estimator.fit(rows(inside))
        with pytest.raises(ValueError, match="to 7, where all must lie between 0 and 1"):
            estimator.fit(rows(bad))
