"""What SimVAE adds: the bound and its terms, and what scores mean."""

import numpy as np
import pytest
import torch
from conftest import Spy
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from skorch.callbacks import Callback
from vaes import simvae


@pytest.fixture(scope="module")
def linear(images):
    """A model whose bound is known in closed form, and its data."""
    X = images[:400].reshape(400, 64)[:, 18:30]
    X = X - X.mean(0)
    return simvae(
        hidden_layer_sizes=(),
        likelihood="gaussian",
        noise_variance=0.05,
        style_variance=0.3,
        prior_variance=0.9,
        augmentation=None,
        max_epochs=30,
        lr=0.02,
    ).fit(X), X


# ---------------------------------------------------------------- the objective


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"prior_variance": None},
        {"n_views": 1},
        {"n_views": 4, "style_variance": 0.03},
        {"likelihood": "bernoulli"},
        {"early_stopping": True},
    ],
)
def test_loss_is_the_negative_sum_of_its_terms(digits, params):
    estimator = simvae(**params).fit(digits[0])
    for row in estimator.history_:
        for part in ("", "valid_") if "early_stopping" in params else ("",):
            terms = [row[part + name] for name in ("reconstruction", "entropy", "prior")]
            assert np.isfinite(terms).all()
            assert_allclose(row[part + "loss"], -np.sum(terms), rtol=1e-5)


def test_loss_is_a_mean_over_samples_whatever_the_batch(digits):
    losses = [
        simvae(batch_size=b, max_epochs=1, lr=1e-12, augmentation=None).fit(digits[0]).history_
        for b in (10, 160)
    ]
    assert_allclose(losses[0][0]["loss"], losses[1][0]["loss"], rtol=0.02)


def test_groups_of_unequal_size_count_with_the_views_that_they_have(digits):
    groups = np.r_[np.repeat(np.arange(40), 2), np.arange(100, 180)]
    estimator = simvae(batch_size=120, max_epochs=1, lr=1e-12).fit(digits[0], groups=groups)
    loss, score = estimator.history_[0]["loss"], estimator.score(digits[0], groups=groups)
    assert_allclose(loss, -score, rtol=0.05)


class Drift(Callback):
    """Spoils the weights a little each epoch."""

    def on_epoch_begin(self, net, **kwargs):
        with torch.no_grad():
            net.module_.decoder[0].bias += 1e-4


def test_early_stopping_heeds_small_changes_of_a_negative_loss(digits):
    X, spy = digits[0] / 10, Spy()
    params = {"hidden_layer_sizes": (), "likelihood": "gaussian", "warm_start": True}
    estimator = simvae(max_epochs=40, lr=1e-2, **params).fit(X)
    estimator.set_params(early_stopping=True, n_iter_no_change=3, max_epochs=40)
    estimator.set_params(lr=1e-12, lr_schedule="constant", callbacks=[Drift(), spy]).fit(X)
    losses = [row["valid_loss"] for row in estimator.history_[40:]]
    best = np.argmin(losses)
    assert max(losses) < 0 and max(np.abs(np.diff(losses[:8]))) < 1e-4 * abs(losses[0])
    assert len(losses) == best + 1 + 3 < 40
    weights = spy.seen("epoch_end", "weights")[best]
    assert all(torch.equal(w, weights[name]) for name, w in estimator.module_.state_dict().items())


def test_training_lowers_the_bound_and_keeps_content(trained, images):
    X, y = images[800:], load_digits().target[800:]
    start = simvae(
        n_components=6, hidden_layer_sizes=(64,), input_shape=(8, 8), max_epochs=1, lr=1e-12
    ).fit(images[:800])
    assert trained.score(X) > start.score(X) + 50
    Z = trained.transform(X)
    distance = np.linalg.norm(Z[:, None] - Z[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    # A class in ten is right by chance.
    assert np.mean(y[distance.argmin(1)] == y) > 0.8


def test_small_style_variance_pulls_views_together(images):
    def spread(style_variance):
        views = np.stack([images, np.roll(images, 1, -1)], 1)[:400]
        mean, _ = (
            simvae(style_variance=style_variance, input_shape=(8, 8), max_epochs=20, lr=1e-2)
            .fit(views)
            .encode(views)
        )
        return mean.var(1).mean() / mean.mean(1).var(0).mean()

    assert spread(0.01) < 0.5 * spread(0.5)


# ---------------------------------------------------------------- scores


def linear_parts(estimator, X):
    """Mean and variance of q, and the decoder z -> W z + b, from public methods alone."""
    mean, variance = estimator.encode(X)
    b = estimator.inverse_transform(np.zeros((1, 3)))[0].astype(float)
    W = (estimator.inverse_transform(np.eye(3)) - b).T
    return mean.astype(float), variance.astype(float), W, b


def test_score_of_single_views_is_the_closed_form(linear):
    estimator, X = linear
    mean, variance, W, b = linear_parts(estimator, X)
    squares = ((X - b - mean @ W.T) ** 2).sum(1) + variance @ (W**2).sum(0)
    reconstruction = -0.5 * (squares / 0.05 + X.shape[1] * np.log(2 * np.pi * 0.05))
    entropy = 0.5 * np.log(2 * np.pi * np.e * variance).sum(1)
    prior = -0.5 * ((mean**2 + variance) / 1.2 + np.log(2 * np.pi * 1.2)).sum(1)
    bound = reconstruction + entropy + prior
    scores = estimator.score_samples(X)
    # The trace of W diag(v) W' is estimated by a few draws, common to all rows.
    assert abs(np.mean(scores - bound)) < 1
    assert np.std(scores - bound) < 0.1 * np.std(bound)
    assert_allclose(estimator.score_samples(X, n_importance_samples=1), scores)


def test_importance_weighted_bound_lies_between_bound_and_evidence(linear):
    estimator, X = linear
    _, _, W, b = linear_parts(estimator, X)
    evidence = multivariate_normal(b, 1.2 * W @ W.T + 0.05 * np.eye(X.shape[1])).logpdf(X)
    elbo = estimator.score_samples(X).mean()
    tight = estimator.score_samples(X, n_importance_samples=64).mean()
    tighter = estimator.score_samples(X, n_importance_samples=512).mean()
    # The draws are common to all rows, so that their error does not average out.
    assert elbo < tight < evidence.mean() + 0.3
    assert abs(tighter - evidence.mean()) < 0.3


def test_importance_weighted_bound_is_tighter(trained, images):
    X = images[800:1000]
    elbo = trained.score_samples(X)
    tight = trained.score_samples(X, n_importance_samples=64)
    assert tight.shape == elbo.shape and tight.mean() > elbo.mean() + 0.1


def test_views_of_one_sample_score_higher_than_strangers(trained, images):
    together = np.stack([images[:200], images[:200]], 1)
    apart = np.stack([images[:200], images[200:400]], 1)
    alone = trained.score_samples(images[:400])
    gain = trained.score(together) - 2 * alone[:200].mean()
    loss = trained.score(apart) - alone.reshape(2, 200).sum(0).mean()
    assert gain > 0 > loss


def test_noise_scores_lower_than_data(trained, images):
    rng = np.random.default_rng(0)
    X = images[800:1000]
    for odd in (rng.random(X.shape), rng.permuted(X.reshape(200, 64), axis=1), 1 - X):
        scores = trained.score_samples(np.concatenate([X, odd.reshape(X.shape)]))
        assert roc_auc_score([1] * 200 + [0] * 200, scores) > 0.95


# ---------------------------------------------------------------- decode and sample


def test_samples_share_content_among_their_views(images):
    estimator = simvae(
        style_variance=0.05, input_shape=(8, 8), max_epochs=20, lr=1e-2, hidden_layer_sizes=(64,)
    ).fit(images[:400])
    views = estimator.sample(100, n_views=2, random_state=0)
    within = np.linalg.norm(views[:, 0] - views[:, 1], axis=(1, 2)).mean()
    between = np.linalg.norm(views[:, 0] - np.roll(views[:, 1], 1, 0), axis=(1, 2)).mean()
    assert 0 < within < 0.6 * between


# ---------------------------------------------------------------- bad input


def test_a_group_of_one_counts_as_a_single_view(digits):
    X = digits[0]
    alone = simvae(augmentation=None, n_views=1).fit(X)
    grouped = simvae(n_views=3).fit(X, groups=np.arange(len(X)))
    assert_array_equal(grouped.transform(X), alone.transform(X))
