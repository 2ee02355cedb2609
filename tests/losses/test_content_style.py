"""The prior of correlated views and the objective on it, against densities and other objectives."""

import math

import numpy as np
import pytest
import torch
from by_hand import draws, some_missing
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal

from sklearn_simvae.losses import (
    content_contrast,
    content_style_elbo,
    content_style_log_weights,
    content_style_objective,
    expected_log_correlated_prior,
    log_correlated_prior,
    nt_xent,
    simvae_elbo,
    simvae_log_weights,
    vae_elbo,
    vae_log_weights,
)

CORRELATIONS = [0.99, 0.5, 0.01, 0.0]
MASKS = pytest.mark.parametrize("masked", [False, True])


def mask_of(masked, batch=5, n_views=3):
    return some_missing(batch, n_views) if masked else None


def inputs(batch=5, n_views=3, d=4):
    mean, log_variance = draws(2, batch, n_views, d, seed=1).unbind(0)
    return draws(batch, n_views), mean.requires_grad_(), log_variance.requires_grad_()


# ---------------------------------------------------------------- the prior


@pytest.mark.parametrize("n_views", [1, 2, 3, 4, 8])
def test_prior_is_a_gaussian_of_unit_variance_with_a_correlation_for_each_dimension(n_views):
    z = draws(6, n_views, len(CORRELATIONS))
    expected = 0
    for d, rho in enumerate(CORRELATIONS):
        covariance = rho * np.ones((n_views, n_views)) + (1 - rho) * np.eye(n_views)
        expected += multivariate_normal(np.zeros(n_views), covariance).logpdf(z[:, :, d].numpy())
    assert_allclose(log_correlated_prior(z, CORRELATIONS), expected, rtol=1e-10)


@pytest.mark.parametrize("n_views", [1, 2, 5])
def test_expected_prior_is_the_mean_over_draws_from_q(n_views):
    mean, variance = draws(2, n_views, 4), draws(2, n_views, 4, seed=1).exp()
    z = mean + variance.sqrt() * draws(100_000, 2, n_views, 4, seed=2)
    sampled = log_correlated_prior(z, CORRELATIONS)
    error = sampled.std(0) / math.sqrt(len(z))
    expected = expected_log_correlated_prior(mean, variance, CORRELATIONS)
    assert ((sampled.mean(0) - expected).abs() < 4 * error).all()


@pytest.mark.parametrize("padding", [7.0, math.inf, math.nan])
def test_prior_of_a_sample_with_fewer_views_is_that_of_the_views_that_are_there(padding):
    mask = mask_of(True)
    mean, variance = draws(5, 3, 4), draws(5, 3, 4, seed=1).exp()
    expected = [
        expected_log_correlated_prior(mean[i, m], variance[i, m], CORRELATIONS)
        for i, m in enumerate(mask)
    ]
    given = [v.masked_fill(~mask[..., None], padding).requires_grad_() for v in (mean, variance)]
    value = expected_log_correlated_prior(*given, CORRELATIONS, mask)
    torch.testing.assert_close(value, torch.stack(expected))
    for gradient in torch.autograd.grad(value.sum(), given):
        assert gradient.isfinite().all() and not gradient[~mask].any()


@pytest.mark.parametrize("wrong", [1.0, 1, -0.1, 1.5, math.nan])
@pytest.mark.parametrize("of_each", [False, True])
def test_a_correlation_that_has_no_density_is_refused(wrong, of_each):
    correlation = [0.5, 0.5, 0.5, wrong] if of_each else wrong
    with pytest.raises(ValueError, match=rf"at least 0 and below 1; got {wrong}\."):
        log_correlated_prior(draws(2, 2, 4), correlation)


def test_there_is_one_correlation_for_each_dimension():
    with pytest.raises(ValueError, match="each of the 4 dimensions; got 3"):
        log_correlated_prior(draws(2, 2, 4), [0.5] * 3)


# ---------------------------------------------------------------- the bound


def assert_same_terms_and_gradients(terms, expected, of):
    for name in terms.keys() & expected.keys():
        assert_allclose(terms[name].detach(), expected[name].detach(), rtol=1e-10, err_msg=name)
    gradients = [torch.autograd.grad(t["elbo"].sum(), of) for t in (terms, expected)]
    for own, other in zip(*gradients, strict=True):
        assert_allclose(own, other, rtol=1e-10, atol=1e-10)


@MASKS
@pytest.mark.parametrize("of_each", [False, True])
@pytest.mark.parametrize("rho", [0.01, 0.87, 0.99])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_one_correlation_everywhere_is_simvae(masked, of_each, rho, reduction):
    log_likelihood, *q = inputs()
    mask = mask_of(masked)
    own = content_style_elbo(log_likelihood, *q, [rho] * 4 if of_each else rho, mask, reduction)
    assert_same_terms_and_gradients(
        own, simvae_elbo(log_likelihood, *q, 1 - rho, rho, mask, reduction), q
    )


@MASKS
@pytest.mark.parametrize("of_each", [False, True])
def test_no_correlation_anywhere_is_the_vae(masked, of_each):
    log_likelihood, *q = inputs()
    mask = mask_of(masked)
    own = content_style_elbo(log_likelihood, *q, [0.0] * 4 if of_each else 0.0, mask)
    assert_same_terms_and_gradients(own, vae_elbo(log_likelihood, *q, mask=mask), q)


@MASKS
def test_dimensions_add_up(masked):
    """The bound of two kinds of dimension is that of either kind, with one likelihood."""
    log_likelihood, *q = inputs()
    mask = mask_of(masked)
    zero = torch.zeros_like(log_likelihood)
    whole = content_style_elbo(zero, *q, [0.99, 0.99, 0.01, 0.01], mask, "none")["elbo"]
    halves = [
        simvae_elbo(zero, *(v[..., part] for v in q), 1 - rho, rho, mask, "none")["elbo"]
        for rho, part in ((0.99, slice(2)), (0.01, slice(2, 4)))
    ]
    assert_allclose(whole.detach(), (halves[0] + halves[1]).detach(), rtol=1e-10)


@MASKS
def test_log_weights_are_those_of_the_models_that_it_becomes(masked):
    log_likelihood, mean, log_variance = inputs()
    z, mask = draws(5, 3, 4, seed=3), mask_of(masked)
    for rho, expected in (
        (0.0, vae_log_weights(log_likelihood, z, mean, log_variance, mask)),
        (0.9, simvae_log_weights(log_likelihood, z, mean, log_variance, 0.1, 0.9, mask)),
    ):
        own = content_style_log_weights(log_likelihood, z, mean, log_variance, [rho] * 4, mask)
        assert_allclose(own.detach(), expected.detach(), rtol=1e-9)


# ---------------------------------------------------------------- the contrast


def test_contrast_of_whole_samples_is_nt_xent():
    z = draws(6, 3, 4)
    assert content_contrast(z, 0.3) == nt_xent(z, 0.3)
    full = torch.ones(6, 3, dtype=torch.bool)
    assert_allclose(content_contrast(z, 0.3, full), nt_xent(z, 0.3))


def test_contrast_is_a_mean_over_samples_of_which_those_of_one_view_add_nothing():
    z = draws(4, 2, 3)
    mask = torch.tensor([[True, True], [True, False], [True, True], [True, False]])
    # The single views are still told apart from: they are among the negatives.
    similarity = torch.nn.functional.normalize(z.reshape(8, 3), dim=1)
    similarity = (similarity @ similarity.T / 0.2).numpy()
    there, losses = mask.flatten().numpy(), []
    for anchor, positive in ((0, 1), (1, 0), (4, 5), (5, 4)):
        others = [k for k in range(8) if there[k] and k != anchor]
        losses.append(
            np.log(np.exp(similarity[anchor, others]).sum()) - similarity[anchor, positive]
        )
    assert_allclose(content_contrast(z, 0.2, mask), np.mean(losses) / 2, rtol=1e-10)


def test_views_that_stand_alone_have_no_contrast_and_no_gradient():
    alone = torch.tensor([[True, False]] * 4)
    for z, mask in ((draws(4, 1, 3), None), (draws(4, 2, 3), alone)):
        z = z.requires_grad_()
        value = content_contrast(z, mask=mask)
        assert value == 0
        if value.requires_grad:
            (gradient,) = torch.autograd.grad(value, z)
            assert not gradient.any()


@MASKS
def test_objective_is_the_bound_less_the_weighted_contrast(masked):
    log_likelihood, *q = inputs()
    mask, contrast = mask_of(masked), torch.tensor(1.5)
    terms = content_style_objective(log_likelihood, *q, contrast, CORRELATIONS, 20.0, mask)
    bound = content_style_elbo(log_likelihood, *q, CORRELATIONS, mask)
    assert set(terms) == {*bound, "contrast", "objective"}
    assert_allclose(terms["objective"].item(), bound["elbo"].item() - 30, rtol=1e-12)
    parts = sum(terms[name] for name in ("reconstruction", "entropy", "prior"))
    assert_allclose(terms["elbo"].item(), parts.item(), rtol=1e-12)
