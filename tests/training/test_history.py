"""The record of a fit: terms of the objective, and the spread of latents."""

import numpy as np
import pytest
import torch
from conftest import with_variants

from sklearn_simvae._batch import Terms
from sklearn_simvae.training.history import EpochMeans, public_rows


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


def test_means_of_an_epoch_weigh_batches_by_the_samples_that_count():
    losses, kls = np.array([3.0, 5.0, 10.0]), np.array([1.0, -1.0, 0.5])
    # The third batch says by itself how many of its samples have a pair.
    n_samples, weights = [4, 2, 9], [4, 2, 3]
    means = EpochMeans()
    for loss, kl, n, weight in zip(losses, kls, n_samples, weights, strict=True):
        own = None if n == weight else torch.tensor(weight)
        parts = {"kl": torch.tensor(kl)}
        means.add(Terms(torch.tensor(loss, requires_grad=True), parts, own), n)
    found = means.read()
    assert list(found) == ["loss", "kl"]
    assert found["loss"] == pytest.approx(np.average(losses, weights=weights))
    assert found["kl"] == pytest.approx(np.average(kls, weights=weights))


def test_an_epoch_in_which_nothing_counts_has_means_of_zero():
    means = EpochMeans()
    means.add(Terms(torch.tensor(0.0), {}, torch.tensor(0)), 8)
    assert means.read() == {"loss": 0.0}


def test_rows_show_numbers_under_their_names_and_no_bookkeeping():
    rows = [
        {
            "batches": [{"train_loss": 1.0}],
            "epoch": 1,
            "train_loss": 2.0,
            "train_loss_best": True,
            "train_batch_count": 3,
            "train_batch_size": 16,
            "valid_loss": np.float32(2.5),
            "valid_batch_size": 16,
            "event_lr": 1e-3,
            "note": "a text",
            "train_kl": np.nan,
        }
    ]
    (row,) = public_rows(rows)
    assert list(row) == ["epoch", "loss", "valid_loss", "event_lr", "kl"]
    assert row["loss"] == 2.0 and row["valid_loss"] == 2.5 and np.isnan(row["kl"])
