"""Missing values of vectors: left out of the likelihood, seen by the encoder, filled in."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import METHODS, ONE_KIND, tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from sklearn_simvae import SimVAE

GENERATIVE = [name for name in ONE_KIND if hasattr(tiny(name), "inverse_transform")]


@pytest.fixture
def holes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2)) @ rng.normal(size=(2, 6))
    return np.where(rng.random(X.shape) < 0.2, np.nan, X)


@pytest.mark.parametrize("name", ONE_KIND)
def test_every_method_represents_rows_with_missing_values(name, holes):
    estimator = tiny(name, random_state=0).fit(holes)
    Z = estimator.transform(holes)
    assert np.isfinite(Z).all() and np.isfinite(estimator.score(holes))
    assert_array_equal(tiny(name, random_state=0).fit(pd.DataFrame(holes)).transform(holes), Z)
    # A row without any value, as scikit-learn's imputers take it, and rows that lack nothing.
    assert np.isfinite(estimator.transform(np.full((1, 6), np.nan))).all()
    assert np.isfinite(estimator.transform(np.nan_to_num(holes))).all()
    again = pickle.loads(pickle.dumps(estimator.partial_fit(holes)))
    assert_array_equal(again.transform(holes), estimator.transform(holes))
    assert estimator.__sklearn_tags__().input_tags.allow_nan


@pytest.mark.parametrize("name", ONE_KIND)
def test_missing_values_among_views_groups_and_in_files(name, holes, path):
    views = holes.reshape(30, 2, 6)
    Z = tiny(name).fit(views).transform(views)
    assert Z.shape[0] == 30 and np.isfinite(Z).all()
    grouped = tiny(name).fit(holes, groups=np.arange(60) // 2)
    grouped.save_weights(path)
    assert_array_equal(tiny(name).load_weights(path).transform(holes), grouped.transform(holes))


@pytest.mark.parametrize("name", ONE_KIND)
def test_what_was_fitted_whole_refuses_missing_values_later(name, holes):
    estimator = tiny(name).fit(np.nan_to_num(holes))
    n_rows = np.isnan(holes).any(1).sum()
    for method in ("transform", "score", "partial_fit"):
        with pytest.raises(ValueError, match=f"NaN in {n_rows} rows.*fitted on rows without"):
            getattr(estimator, method)(holes)
    if name in GENERATIVE:
        assert_array_equal(estimator.impute(np.nan_to_num(holes)), np.nan_to_num(holes))


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (np.full((20, 1, 8, 8), np.nan), "NaN in 20 rows of the kind 'image'"),
        (np.where(np.arange(6) == 4, np.nan, np.ones((20, 6))), r"NaN alone in the columns \[4\]"),
        (np.where(np.arange(6) == 4, np.inf, np.ones((20, 6))), "infinity"),
    ],
)
def test_bad_input(X, match, make_one_of_each_kind):
    with pytest.raises(ValueError, match=match):
        make_one_of_each_kind().fit(X)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli", "multinomial", "poisson"])
def test_likelihood_is_that_of_the_columns_that_are_there(likelihood, holes):
    X = np.abs(holes) / np.nanmax(np.abs(holes))
    estimator = tiny("VAE", likelihood=likelihood, random_state=0).fit(X)
    module, z = estimator.module_.eval(), torch.zeros(1, 1, estimator.n_components)
    row = torch.tensor(X[:1], dtype=torch.float32)
    output = module.decoder(z[0])
    there = ~row[0].isnan()
    alone = module.likelihood.log_prob(row[:, there], output[:, there], module.noise_variance)
    with torch.no_grad():
        assert_allclose(module.log_likelihood(row[:, None], z)[0], alone, rtol=1e-5)
        # No latents explain rows better than rows explain themselves.
        assert module.log_likelihood(row[:, None], z) <= module.best_log_likelihood(row[:, None])


@pytest.mark.parametrize("name", GENERATIVE)
def test_imputed_rows_keep_what_they_have(name, holes):
    estimator = tiny(name).fit(holes)
    filled = estimator.impute(holes)
    there = ~np.isnan(holes)
    assert filled.dtype == np.float64 and np.isfinite(filled).all()
    assert_array_equal(filled[there], holes[there])
    means = estimator.inverse_transform(estimator.encode(holes)[0])
    assert_allclose(filled[~there], means[~there], rtol=1e-5)
    views = estimator.impute(holes.reshape(30, 2, 6))
    assert_allclose(views.reshape(60, 6), filled, rtol=1e-4, atol=1e-6)


def test_imputation_is_better_than_that_of_means_and_of_neighbors():
    X = scale(load_breast_cancer().data)
    hidden = np.random.default_rng(0).random(X.shape) < 0.3
    holes = np.where(hidden, np.nan, X)

    def error(filled):
        return np.sqrt(np.mean((filled - X)[hidden] ** 2))

    ours = error(SimVAE(random_state=0).fit(holes).impute(holes))
    assert ours < 0.85 * error(KNNImputer().fit_transform(holes))
    assert ours < 0.6 * error(SimpleImputer().fit_transform(holes))


@pytest.mark.parametrize("likelihood", ["multinomial", [("multinomial", slice(6))]])
def test_imputed_counts_are_counts(likelihood):
    rng = np.random.default_rng(0)
    X = rng.poisson(np.linspace(5, 10, 6), size=(60, 6)).astype(float)
    hidden = rng.random(X.shape) < 0.2
    holes = np.where(hidden, np.nan, X)
    holes[0] = np.nan
    filled = tiny("SimVAE", likelihood=likelihood, random_state=0).fit(holes).impute(holes)
    assert_allclose(filled[hidden].mean(), X[hidden].mean(), rtol=0.1)
    assert_allclose(filled[0].sum(), 45, rtol=0.1)


def test_what_stands_for_missing_values_comes_from_the_training_part(holes):
    estimator = tiny("VAE", early_stopping=True, validation_fraction=0.5, random_state=0)
    means = []
    for X in (holes, np.where(np.arange(60)[:, None] < 30, holes, 100 * holes)):
        means.append(estimator.fit(X).encoder_[0].means.numpy().copy())
    in_training = [np.isclose(m, np.nanmean(holes, 0), rtol=1e-3).all() for m in means]
    assert not any(in_training)


def test_a_search_over_a_table_with_missing_values(holes):
    y = np.arange(60) % 2
    pipe = make_pipeline(StandardScaler(), tiny("SimVAE"), LogisticRegression())
    search = GridSearchCV(pipe, {"simvae__n_components": [2, 3]}, cv=2).fit(holes, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_imputation_is_withheld_where_rows_are_no_vectors(digits):
    images = digits[0].reshape(-1, 1, 8, 8)
    assert not hasattr(tiny("SimVAE").fit(images), "impute")
    others = [name for name in METHODS if name not in GENERATIVE]
    assert not any(hasattr(tiny(name), "impute") for name in others if name != "MultimodalSimVAE")
