"""What the VAEs add, and how they relate to SimVAE."""

import numpy as np
import pytest
import torch
from conftest import TINY, Views
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_simvae import CRVAE, VAE, SimVAE
from sklearn_simvae.views import Batch


def test_simvae_at_one_view_and_unit_total_variance_is_the_vae(digits):
    X, _ = digits
    params = {**TINY, "n_views": 1}
    vae = VAE(**params).fit(X)
    simvae = SimVAE(**params, style_variance=0.15, prior_variance=0.85).fit(X)
    assert_allclose(simvae.transform(X), vae.transform(X), atol=1e-4)
    assert_allclose(simvae.score_samples(X), vae.score_samples(X), rtol=1e-4)


@pytest.mark.parametrize(
    ("method", "weights"),
    [(VAE, {"kl": "beta"}), (CRVAE, {"kl": "beta", "consistency": "consistency_weight"})],
)
def test_loss_is_the_weighted_sum_of_its_terms(digits, method, weights):
    values = {"beta": 3.0, "consistency_weight": 0.5}
    params = {name: values[name] for name in weights.values()}
    for row in method(**TINY, **params).fit(digits[0]).history_:
        weighted = sum(params[param] * row[term] for term, param in weights.items())
        assert_allclose(row["loss"], weighted - row["reconstruction"], rtol=1e-4)


def test_scores_are_bounds_whatever_the_weights(digits):
    """The weights shape the fit; a score compares fits of different weights."""
    X, _ = digits
    vae = VAE(**TINY).fit(X)
    score = vae.score(X)
    assert vae.set_params(beta=8.0).score(X) == score


def test_larger_beta_keeps_posteriors_nearer_to_the_prior(digits):
    X, _ = digits
    params = {**TINY, "max_epochs": 30, "noise_variance": 0.1}
    small, large = (VAE(**params, beta=beta).fit(X) for beta in (0.1, 10.0))
    assert large.history_[-1]["kl"] < small.history_[-1]["kl"]


def test_consistency_weight_pulls_the_posteriors_of_views_together(digits):
    X, _ = digits
    params = {**TINY, "max_epochs": 30, "noise_variance": 0.1, "lr": 5e-3}
    free, tied = (CRVAE(**params, consistency_weight=w).fit(X) for w in (0.0, 10.0))
    assert tied.history_[-1]["consistency"] < 0.5 * free.history_[-1]["consistency"]


def test_first_view_of_crvae_is_the_row_itself(digits):
    X, _ = digits
    blank = Views(act=lambda x: 0 * x)
    crvae = CRVAE(**TINY, augmentation=blank, n_views=3, batch_size=len(X)).fit(X)
    rows = blank.batches[0][: 3 * 2].numpy()
    batch = Batch(torch.from_numpy(X[:2]).float())
    views = crvae._reader().view_maker(crvae._read(X, n_views=3))(batch).views
    assert_array_equal(rows[0], rows[1])
    assert_array_equal(views[:, 0].numpy(), X[:2])
    assert not views[:, 1:].any()


def test_samples_of_a_vae_share_nothing_among_their_views(digits):
    pairs = VAE(**{**TINY, "max_epochs": 30}).fit(digits[0]).sample(200, n_views=2)
    within = np.square(pairs[:, 0] - pairs[:, 1]).mean()
    between = np.square(pairs[:, 0] - np.roll(pairs[:, 0], 1, axis=0)).mean()
    assert within == pytest.approx(between, rel=0.2)


@pytest.mark.parametrize("method", [VAE, SimVAE, CRVAE])
def test_decoded_pixels_stay_pixels_whatever_the_likelihood(method):
    images = np.random.default_rng(0).choice([0, 255], (60, 8, 8)).astype(np.uint8)
    params = TINY | {"input_shape": (8, 8), "likelihood": "gaussian", "max_epochs": 20}
    estimator = method(**params).fit(images)
    decoded = estimator.inverse_transform(5 * estimator.transform(images))
    assert decoded.min() == 0 and decoded.max() == 1
    assert np.isfinite(estimator.transform(decoded)).all()


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_learned_noise_starts_below_what_the_mean_leaves_on_any_scale(scale):
    X = np.random.default_rng(0).standard_normal((200, 5)) * scale
    estimator = VAE(**TINY | {"max_epochs": 1, "noise_variance": "learned"}).fit(X)
    assert 0.01 < estimator.noise_variance_ / X.var() < 1


@pytest.mark.parametrize("scale", [1e-3, 1e-5, 1e-7])
def test_small_numbers_do_not_throw_the_latents_about(scale):
    X = np.random.default_rng(0).standard_normal((40, 3)) * scale
    estimator = SimVAE(**TINY | {"max_epochs": 3}).fit(X)
    assert max(abs(row["loss"]) for row in estimator.history_) < 1e3


def test_constant_data_have_no_variance_to_explain():
    X = np.full((50, 4), 3.0)
    estimator = VAE(**TINY).fit(X)
    assert np.isnan(estimator.module_.explained_variance(torch.from_numpy(X).float()))
