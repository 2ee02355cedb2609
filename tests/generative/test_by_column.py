"""Likelihoods by column: found in the data, or given."""

import numpy as np
import pandas as pd
import pytest
from conftest import ONE_KIND, tiny
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_simvae.generative.by_column import bounds_of, find_blocks
from sklearn_simvae.views import LazyArray
from sklearn_simvae.views.lazy import some_rows

GENERATIVE = [name for name in ONE_KIND if hasattr(tiny(name), "inverse_transform")]
NAMES = ["age", "income", "red", "green", "blue", "member", "visits"]


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(120, 2))
    color = np.eye(3)[np.digitize(z[:, 0], [-0.5, 0.5])]
    member = (z[:, 1] > 0).astype(float)
    visits = rng.poisson(np.exp(z[:, 0]))
    numbers = z @ rng.normal(size=(2, 2))
    return pd.DataFrame(np.c_[numbers, color, member, visits], columns=NAMES)


GIVEN = [("poisson", ["visits"]), ("categorical", slice(2, 5)), ("bernoulli", "member")]
BLOCKS = (
    ("poisson", (6,)),
    ("categorical", (2, 3, 4)),
    ("bernoulli", (5,)),
    ("gaussian", (0, 1)),
)


def test_categories_and_binary_columns_are_found(table):
    rows = table.to_numpy(copy=True)
    found = (("categorical", (2, 3, 4)), ("bernoulli", (5,)), ("gaussian", (0, 1, 6)))
    assert find_blocks("by_column", table, rows) == found
    missing = np.where(np.arange(120)[:, None] % 4, rows, np.where(np.arange(7) < 5, np.nan, rows))
    assert find_blocks("by_column", table, missing) == found
    # A constant column is no variable that is 0 or 1.
    rows[:, 5] = 1
    assert find_blocks("by_column", table, rows)[1:] == (("gaussian", (0, 1, 5, 6)),)


def test_columns_are_given_as_to_a_column_transformer(table):
    assert find_blocks(GIVEN, table, table.to_numpy()) == BLOCKS
    by_call = [("poisson", lambda X: [name for name in X.columns if name == "visits"])]
    assert find_blocks(by_call, table, table.to_numpy())[0] == ("poisson", (6,))
    mask = [("bernoulli", np.arange(7) == 5)]
    assert find_blocks(mask, table, table.to_numpy())[0] == ("bernoulli", (5,))


@pytest.mark.parametrize("name", GENERATIVE)
@pytest.mark.parametrize("likelihood", ["by_column", GIVEN])
def test_each_column_is_decoded_to_the_mean_of_its_likelihood(name, likelihood, table, path):
    estimator = tiny(name, likelihood=likelihood, random_state=0).fit(table)
    assert np.isfinite(estimator.score(table))
    made = estimator.inverse_transform(estimator.transform(table))
    assert_allclose(made[:, 2:5].sum(1), 1, rtol=1e-5)
    assert (made[:, 5] >= 0).all() and (made[:, 5] <= 1).all()
    if likelihood is GIVEN:
        assert estimator.layout_.blocks == BLOCKS and (made[:, 6] > 0).all()
    estimator.save_weights(path)
    loaded = tiny(name, likelihood=likelihood).load_weights(path)
    assert_array_equal(loaded.transform(table), estimator.transform(table))
    assert loaded.score(table) == estimator.score(table)


def test_likelihood_is_the_sum_over_columns(table):
    import torch

    estimator = tiny("VAE", likelihood=GIVEN, noise_variance=0.5, random_state=0).fit(table)
    module, x = estimator.module_, torch.tensor(table.to_numpy()[:4], dtype=torch.float32)
    z = torch.zeros(4, 1, estimator.n_components)
    with torch.no_grad():
        output = module.decoder(z[:, 0])
        found = module.log_likelihood(x[:, None], z)[:, 0]
    d = torch.distributions
    expected = (
        d.Normal(output[:, :2], 0.5**0.5).log_prob(x[:, :2]).sum(1)
        + d.Categorical(logits=output[:, 2:5]).log_prob(x[:, 2:5].argmax(1))
        + d.Bernoulli(logits=output[:, 5]).log_prob(x[:, 5])
        + d.Poisson(output[:, 6].exp()).log_prob(x[:, 6])
    )
    torch.testing.assert_close(found, expected)
    assert (module.best_log_likelihood(x[:, None])[:, 0] >= expected).all()


def test_categories_are_learned_where_they_can_be(table):
    estimator = tiny("SimVAE", likelihood=GIVEN, max_epochs=200, lr=0.01, random_state=0)
    made = estimator.fit(table).inverse_transform(estimator.transform(table))
    colors = table.to_numpy()[:, 2:5]
    assert (made[:, 2:5].argmax(1) == colors.argmax(1)).mean() > 0.8
    assert np.corrcoef(made[:, 6], table["visits"])[0, 1] > 0.7


def test_missing_values_of_any_likelihood(table):
    holes = table.mask(np.random.default_rng(1).random(table.shape) < 0.2)
    holes[["red", "green", "blue"]] = table[["red", "green", "blue"]]
    filled = tiny("SimVAE", likelihood=GIVEN).fit(holes).impute(holes)
    assert np.isfinite(filled).all() and (filled[:, 6] >= 0).all()
    assert filled[:, 5].min() >= 0 and filled[:, 5].max() <= 1


@pytest.mark.parametrize(
    ("likelihood", "match"),
    [
        ([("poisson", ["age"])], r"'poisson' needs counts of at least 0.*\[0\]"),
        ([("categorical", ["red", "member"])], "'categorical' needs the columns of one category"),
        ([("bernoulli", ["visits"])], "between 0 and 1"),
        ([("bernoulli", ["height"])], "'bernoulli' has columns that X does not have"),
        ([("gamma", ["visits"])], "names 'gamma'; expected one of"),
        ([("bernoulli", ["member"]), ("gaussian", [5])], r"names the columns \[5\] twice"),
        (["bernoulli"], "must hold .name of a likelihood, columns."),
        ("categorical", "likelihood"),
    ],
)
def test_bad_likelihoods(likelihood, match, table):
    with pytest.raises(ValueError, match=match):
        tiny("SimVAE", likelihood=likelihood).fit(table)


def test_values_that_a_column_cannot_have_are_refused_later(table):
    estimator = tiny("SimVAE", likelihood=GIVEN).fit(table)
    for method in ("transform", "score", "partial_fit"):
        with pytest.raises(ValueError, match="values that their likelihood does not have"):
            getattr(estimator, method)(table.assign(visits=-1.0))
    # Gaussian columns have no bounds.
    assert np.isfinite(estimator.score(table.assign(age=-100.0)))


def test_values_that_a_column_cannot_have_are_refused_when_they_are_read(table):
    rows = np.tile(table.to_numpy(dtype=np.float32), (40, 1))
    row = len(rows) // 2 + 3
    rows[row, 5] = 7.0
    X = LazyArray(rows.__getitem__, rows.shape, rows.dtype)
    assert some_rows(X)[:, 5].max() == 1
    with pytest.raises(ValueError, match="to 7 in column 5, where all must lie between 0 and 1"):
        tiny("SimVAE", likelihood=[("poisson", [6]), ("bernoulli", [5])]).fit(X)


def test_images_have_one_likelihood(digits):
    with pytest.raises(ValueError, match="by column are for vectors"):
        tiny("SimVAE", likelihood="by_column").fit(digits[0].reshape(-1, 1, 8, 8))


def test_bounds_of_columns():
    low, high = bounds_of(BLOCKS, 7)
    assert low.tolist() == [-np.inf, -np.inf, 0, 0, 0, 0, 0]
    assert high.tolist() == [np.inf, np.inf, 1, 1, 1, 1, np.inf]
