"""The record of a fit: terms of the objective, and the spread of latents."""

import numpy as np
from conftest import with_variants


def test_history_has_a_finite_row_for_each_epoch(make, digits):
    X, _ = digits
    estimator = make(early_stopping=True, max_epochs=3).fit(X)
    assert len(estimator.history_) == estimator.n_iter_ == 3
    names = set(estimator.history_[0])
    assert {"epoch", "loss", "valid_loss", "lr", "dur"} <= names
    assert {"effective_rank", "representation_variance"} <= names
    assert all(set(row) == names for row in estimator.history_)
    assert all(type(v) in (int, float) for row in estimator.history_ for v in row.values())
    assert np.isfinite([list(row.values()) for row in estimator.history_]).all()


def spread(Z):
    """Effective rank and mean variance, from the singular values of the centered rows."""
    Z = Z.astype(np.float64)
    singular = np.linalg.svd(Z - Z.mean(0), compute_uv=False)
    p = singular / singular.sum()
    p = p[p > 0]
    return np.exp(-np.sum(p * np.log(p))), np.square(singular).sum() / Z.size


def assert_spread_recorded(estimator, Z):
    row = estimator.history_[-1]
    recorded = row["effective_rank"], row["representation_variance"]
    np.testing.assert_allclose(recorded, spread(Z), rtol=1e-4)


@with_variants({"latent": {}, "hidden": {"representation": "hidden"}})
def test_history_tells_the_spread_of_the_latents(make, digits, params):
    X, _ = digits
    estimator = make(**params).fit(X)
    for _ in range(2):
        # Whatever transform gives, and however training goes on.
        estimator.set_params(**dict.fromkeys(params, "latent"))
        assert_spread_recorded(estimator, estimator.transform(X))
        estimator.set_params(**params).partial_fit(X)


def test_spread_is_that_of_some_samples_out_of_all_parts_of_X(make_one_of_each_kind):
    X = np.random.default_rng(0).random((1100, 6), dtype=np.float32).cumsum(0) % 3
    some = np.linspace(0, 1099, 512).astype(int)
    estimator = make_one_of_each_kind(max_epochs=1).fit(X)
    assert_spread_recorded(estimator, estimator.transform(X[some]))


def test_spread_is_that_of_the_first_views_where_views_are_given(make_one_of_each_kind, digits):
    views = digits[0].reshape(80, 2, 64)
    estimator = make_one_of_each_kind().fit(views)
    assert_spread_recorded(estimator, estimator.transform(views[:, 0]))
