"""The VAE, and how it relates to SimVAE."""

import numpy as np
import pytest
from conftest import TINY
from numpy.testing import assert_allclose

from sklearn_simvae import VAE, SimVAE


def test_simvae_at_one_view_and_unit_total_variance_is_the_vae(digits):
    X, _ = digits
    params = {**TINY, "n_views": 1}
    vae = VAE(**params).fit(X)
    simvae = SimVAE(**params, style_variance=0.15, prior_variance=0.85).fit(X)
    assert_allclose(simvae.transform(X), vae.transform(X), atol=1e-4)
    assert_allclose(simvae.score_samples(X), vae.score_samples(X), rtol=1e-4)


@pytest.mark.parametrize(
    ("method", "weights"),
    [(VAE, {"kl": "beta"})],
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


def test_samples_of_a_vae_share_nothing_among_their_views(digits):
    pairs = VAE(**{**TINY, "max_epochs": 30}).fit(digits[0]).sample(200, n_views=2)
    within = np.square(pairs[:, 0] - pairs[:, 1]).mean()
    between = np.square(pairs[:, 0] - np.roll(pairs[:, 0], 1, axis=0)).mean()
    assert within == pytest.approx(between, rel=0.2)
