"""The bound of SimVAE against densities, sampling, and linear models whose likelihood is known."""

import math

import numpy as np
import pytest
import scipy.integrate
import torch
from by_hand import draws
from scipy.stats import multivariate_normal, norm
from torch.distributions import Independent, Normal, kl_divergence

from sklearn_simvae.losses import (
    expected_log_joint_prior,
    gaussian_entropy,
    gaussian_log_likelihood,
    log_joint_prior,
    simvae_elbo,
    simvae_log_weights,
)

VARIANCES = [(0.15, 1.0), (1.0, 1.0), (2.5, 0.3), (0.01, 4.0)]
PRIORS = [*VARIANCES, (0.15, None)]
variances = pytest.mark.parametrize(("style", "prior"), VARIANCES)
priors = pytest.mark.parametrize(("style", "prior"), PRIORS)
paddings = pytest.mark.parametrize(
    ("padding", "style", "prior"),
    [(p, 0.15, g) for p in (-7.0, 1e300, math.inf, math.nan) for g in (1.0, None)],
)
MASK = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [0, 1, 1, 0], [1, 0, 1, 1]]).bool()


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def elbo_inputs(batch=4, n_views=4, d=3):
    mean, log_variance = normal(2, batch, n_views, d, seed=1)
    return normal(batch, n_views), mean, log_variance


def latent_covariance(n_views, style, prior):
    return prior * np.ones((n_views, n_views)) + style * np.eye(n_views)


def draw(mean, log_variance, n_draws, seed=5):
    return mean + (0.5 * log_variance).exp() * normal(n_draws, *mean.shape, seed=seed)


# The prior.


@variances
@pytest.mark.parametrize("n_views", [1, 2, 3, 4, 5])
def test_joint_prior_is_a_gaussian_with_content_as_shared_variance(n_views, style, prior):
    z = 2 * normal(6, n_views, 3)
    density = multivariate_normal(np.zeros(n_views), latent_covariance(n_views, style, prior))
    expected = density.logpdf(z.movedim(1, 2).numpy()).sum(-1)
    np.testing.assert_allclose(log_joint_prior(z, style, prior), expected, rtol=1e-10)


@pytest.mark.parametrize("n_views", [1, 2, 3, 5])
@pytest.mark.parametrize("style", [0.05, 0.8])
def test_improper_prior_integrates_over_a_content_of_unit_density(n_views, style):
    z = normal(1, n_views, 1)
    values = z.flatten().numpy()

    def joint(psi):
        return math.exp(norm.logpdf(values, psi, math.sqrt(style)).sum())

    reach = 12 * math.sqrt(style / n_views)
    integral, _ = scipy.integrate.quad(
        joint, values.mean() - reach, values.mean() + reach, epsabs=0, epsrel=1e-10
    )
    assert log_joint_prior(z, style, None).item() == pytest.approx(math.log(integral), rel=1e-8)


@pytest.mark.parametrize("n_views", [1, 2, 5])
def test_improper_prior_is_the_limit_of_a_wide_one(n_views):
    z, d, wide = normal(4, n_views, 3), 3, 1e10
    rescaled = log_joint_prior(z, 0.15, wide) + 0.5 * d * math.log(2 * math.pi * wide)
    torch.testing.assert_close(rescaled, log_joint_prior(z, 0.15, None), rtol=0, atol=1e-7)


@paddings
def test_masked_prior_reads_the_existing_views_alone(padding, style, prior):
    z, v = normal(4, 4, 3), normal(4, 4, 3, seed=1).exp()
    expected = torch.stack(
        [expected_log_joint_prior(z[i, m], v[i, m], style, prior) for i, m in enumerate(MASK)]
    )
    z, v = (t.masked_fill(~MASK[..., None], padding).requires_grad_() for t in (z, v))
    value = expected_log_joint_prior(z, v, style, prior, MASK)
    torch.testing.assert_close(value, expected)
    for gradient in torch.autograd.grad(value.sum(), (z, v)):
        assert gradient.isfinite().all()
        assert (gradient[~MASK] == 0).all()


@priors
def test_full_mask_changes_nothing(style, prior):
    z, mask = normal(5, 3, 2), torch.ones(5, 3, dtype=torch.bool)
    expected = log_joint_prior(z, style, prior)
    torch.testing.assert_close(log_joint_prior(z, style, prior, mask), expected)


@priors
@pytest.mark.parametrize("n_views", [1, 2, 4])
@pytest.mark.parametrize("masked", [False, True])
def test_expected_prior_is_the_mean_over_draws(n_views, style, prior, masked):
    mean, log_variance = normal(2, n_views, 3), normal(2, n_views, 3, seed=1) - 1
    mask = (torch.arange(n_views) < torch.tensor([[n_views], [1]])) if masked else None
    value = expected_log_joint_prior(mean, log_variance.exp(), style, prior, mask)
    draws = log_joint_prior(draw(mean, log_variance, 50_000), style, prior, mask)
    error = draws.std(0) / len(draws) ** 0.5
    assert ((draws.mean(0) - value).abs() <= 4 * error + 1e-12).all()


@priors
@pytest.mark.parametrize("n_views", [1, 3])
def test_expected_prior_of_a_point_mass_is_the_prior(n_views, style, prior):
    mean = normal(5, n_views, 2)
    expected = log_joint_prior(mean, style, prior)
    for variance in (None, torch.zeros_like(mean)):
        value = expected_log_joint_prior(mean, variance, style, prior)
        torch.testing.assert_close(value, expected)


@pytest.mark.parametrize("shape", [(1,), (5,), (2, 3, 4)])
def test_entropy_is_that_of_a_diagonal_gaussian(shape):
    log_variance = 3 * normal(*shape)
    scale = (0.5 * log_variance).exp()
    expected = Independent(Normal(torch.zeros_like(scale), scale), 1).entropy()
    torch.testing.assert_close(gaussian_entropy(log_variance), expected)


# The bound.


@priors
@pytest.mark.parametrize("mask", [None, MASK], ids=["full", "masked"])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_elbo_is_the_sum_of_its_terms(style, prior, mask, reduction):
    terms = simvae_elbo(*elbo_inputs(), style, prior, mask, reduction)
    assert set(terms) == {"elbo", "reconstruction", "entropy", "prior"}
    total = terms["reconstruction"] + terms["entropy"] + terms["prior"]
    torch.testing.assert_close(terms["elbo"], total)
    assert terms["elbo"].shape == (() if reduction == "mean" else (4,))


def test_elbo_terms_are_what_they_are_called():
    log_likelihood, mean, log_variance = elbo_inputs()
    terms = simvae_elbo(log_likelihood, mean, log_variance, 0.3, 2.0, reduction="none")
    torch.testing.assert_close(terms["reconstruction"], log_likelihood.sum(1))
    torch.testing.assert_close(terms["entropy"], gaussian_entropy(log_variance.flatten(1)))
    prior = expected_log_joint_prior(mean, log_variance.exp(), 0.3, 2.0)
    torch.testing.assert_close(terms["prior"], prior)


@priors
@pytest.mark.parametrize("mask", [None, MASK], ids=["full", "masked"])
def test_mean_reduction_averages_samples(style, prior, mask):
    each = simvae_elbo(*elbo_inputs(), style, prior, mask, reduction="none")
    mean = simvae_elbo(*elbo_inputs(), style, prior, mask)
    for name, value in each.items():
        torch.testing.assert_close(mean[name], value.mean())


@variances
def test_elbo_of_single_views_is_the_textbook_bound(style, prior):
    log_likelihood, mean, log_variance = elbo_inputs(n_views=1)
    posterior = Normal(mean, (0.5 * log_variance).exp())
    kl = kl_divergence(posterior, Normal(0.0, math.sqrt(prior + style))).sum((1, 2))
    value = simvae_elbo(log_likelihood, mean, log_variance, style, prior, reduction="none")
    torch.testing.assert_close(value["elbo"], log_likelihood[:, 0] - kl)


@paddings
def test_masked_elbo_reads_the_existing_views_alone(padding, style, prior):
    inputs = elbo_inputs()
    expected = torch.stack(
        [
            simvae_elbo(*(t[i : i + 1, m] for t in inputs), style, prior)["elbo"]
            for i, m in enumerate(MASK)
        ]
    )
    inputs = [
        t.masked_fill(~MASK if t.ndim == 2 else ~MASK[..., None], padding).requires_grad_()
        for t in inputs
    ]
    value = simvae_elbo(*inputs, style, prior, MASK, reduction="none")["elbo"]
    torch.testing.assert_close(value, expected)
    for gradient in torch.autograd.grad(value.sum(), inputs):
        assert gradient.isfinite().all()
        assert (gradient[~MASK] == 0).all()


@priors
@pytest.mark.parametrize("mask", [None, MASK[:3]], ids=["full", "masked"])
def test_elbo_has_right_gradients(style, prior, mask):
    log_likelihood, mean, log_variance = elbo_inputs(batch=3, d=2)
    assert torch.autograd.gradcheck(
        lambda m, v: simvae_elbo(log_likelihood, m, v, style, prior, mask)["elbo"],
        (mean.requires_grad_(), log_variance.requires_grad_()),
    )


@priors
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("axis", [0, 1], ids=["samples", "views"])
def test_order_does_not_matter(style, prior, masked, axis):
    order = torch.tensor([2, 0, 3, 1])
    expected, value = (
        simvae_elbo(*inputs, style, prior, mask if masked else None, "none")["elbo"]
        for inputs, mask in (
            (elbo_inputs(), MASK),
            ([t.index_select(axis, order) for t in elbo_inputs()], MASK.index_select(axis, order)),
        )
    )
    torch.testing.assert_close(value, expected if axis else expected[order])


# Linear decoders with orthogonal columns: everything is Gaussian and known exactly.


class LinearModel:
    """Views x_j = W z_j + noise of one sample, its exact likelihood and its best factorised q."""

    def __init__(self, n_views, style, prior, noise=0.2, n_features=5, d=3):
        self.style, self.prior, self.noise = style, prior, noise
        orthogonal, _ = torch.linalg.qr(normal(n_features, d))
        self.W = orthogonal * torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
        self.x = normal(n_views, n_features, seed=1)
        W, covariance = self.W.numpy(), latent_covariance(n_views, style, prior)
        self.log_density = multivariate_normal(
            np.zeros(n_views * n_features),
            np.kron(covariance, W @ W.T) + noise * np.eye(n_views * n_features),
        ).logpdf(self.x.flatten().numpy())

        self.P = np.kron(np.linalg.inv(covariance), np.eye(d))
        self.P += np.kron(np.eye(n_views), W.T @ W / noise)
        mean = np.linalg.solve(self.P, (self.x.numpy() @ W / noise).ravel())
        self.mean = torch.from_numpy(mean).reshape(1, n_views, d)
        self.log_variance = -torch.tensor(np.diag(self.P)).log().reshape(1, n_views, d)

    def elbo(self, mean, log_variance):
        expected = gaussian_log_likelihood(self.x, mean @ self.W.T, self.noise)
        expected = expected - log_variance.exp() @ self.W.square().sum(0) / (2 * self.noise)
        return simvae_elbo(expected, mean, log_variance, self.style, self.prior)["elbo"]

    def log_weights(self, z, mean, log_variance):
        log_likelihood = gaussian_log_likelihood(self.x, z @ self.W.T, self.noise)
        return simvae_log_weights(
            log_likelihood, z, mean, log_variance, self.style, self.prior
        ).flatten()


@variances
def test_bound_of_single_views_is_tight_at_its_optimum(style, prior):
    model = LinearModel(1, style, prior)
    elbo = model.elbo(model.mean, model.log_variance).item()
    assert elbo == pytest.approx(model.log_density, rel=1e-8)


@variances
@pytest.mark.parametrize("n_views", [2, 3, 5])
def test_bound_misses_the_likelihood_by_the_coupling_of_the_views_alone(n_views, style, prior):
    model = LinearModel(n_views, style, prior)
    gap = 0.5 * (np.log(np.diag(model.P)).sum() - np.linalg.slogdet(model.P)[1])
    elbo = model.elbo(model.mean, model.log_variance).item()
    assert gap > 1e-5
    assert elbo + gap == pytest.approx(model.log_density, rel=1e-8)


@pytest.mark.parametrize("n_views", [1, 3])
@pytest.mark.parametrize("seed", [2, 3])
def test_ascent_reaches_the_optimum_and_never_the_other_side_of_the_likelihood(n_views, seed):
    model = LinearModel(n_views, 0.15, 1.0)
    mean, log_variance = normal(2, *model.mean.shape, seed=seed)
    parameters = [mean.clone().requires_grad_(), log_variance.clone().requires_grad_()]
    optimizer = torch.optim.LBFGS(
        parameters, max_iter=300, tolerance_grad=1e-10, line_search_fn="strong_wolfe"
    )
    path = []

    def closure():
        optimizer.zero_grad()
        loss = -model.elbo(*parameters)
        loss.backward()
        path.append(-loss.item())
        return loss

    optimizer.step(closure)
    best = model.elbo(model.mean, model.log_variance).item()
    assert path[0] < best - 1
    assert path[-1] == pytest.approx(best, abs=1e-8)
    assert max(path) <= min(best, model.log_density) + 1e-9
    torch.testing.assert_close(parameters[0].detach(), model.mean, rtol=0, atol=1e-4)


# Importance weights.


@pytest.mark.parametrize("n_views", [1, 3])
def test_mean_log_weight_is_the_elbo(n_views):
    model = LinearModel(n_views, 0.15, 1.0)
    q = model.mean + 0.1, model.log_variance + 0.5
    weights = model.log_weights(draw(*q, 50_000), *q)
    error = weights.std().item() / len(weights) ** 0.5
    assert error < 0.05
    assert weights.mean().item() == pytest.approx(model.elbo(*q).item(), abs=4 * error)


@variances
def test_weights_of_the_exact_posterior_all_equal_the_likelihood(style, prior):
    model = LinearModel(1, style, prior)
    q = model.mean, model.log_variance
    weights = model.log_weights(draw(*q, 100), *q)
    np.testing.assert_allclose(weights, model.log_density, rtol=1e-8)


def test_importance_weighted_bound_tightens_with_the_number_of_draws():
    model = LinearModel(2, 0.15, 1.0)
    q = model.mean, model.log_variance
    weights = model.log_weights(draw(*q, 4096), *q)
    bounds = [
        (weights.reshape(-1, k).logsumexp(1) - math.log(k)).mean().item()
        for k in (1, 4, 16, 64, 1024)
    ]
    assert bounds[0] == pytest.approx(weights.mean().item())
    # On the same draws in nested parts, Jensen's inequality holds without an error of sampling.
    assert np.diff(bounds).min() > 0
    assert model.log_density - bounds[-1] < 0.1 * (model.log_density - bounds[0])
    assert bounds[-1] == pytest.approx(model.log_density, abs=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_importance_weighted_bound_is_not_below_the_elbo_of_the_same_draws(seed):
    log_likelihood = normal(7, 4, 3, seed=seed)
    mean, log_variance = normal(2, 4, 3, 2, seed=seed + 10)
    z = draw(mean, log_variance, 7, seed)
    weights = simvae_log_weights(log_likelihood, z, mean, log_variance)
    assert weights.shape == (7, 4)
    assert (weights.logsumexp(0) - math.log(7) >= weights.mean(0)).all()


@paddings
def test_masked_weights_read_the_existing_views_alone(padding, style, prior):
    log_likelihood, mean, log_variance = elbo_inputs()
    inputs = log_likelihood, draw(mean, log_variance, 1)[0], mean, log_variance
    expected = torch.stack(
        [simvae_log_weights(*(t[i, m] for t in inputs), style, prior) for i, m in enumerate(MASK)]
    )
    inputs = [t.masked_fill(~MASK if t.ndim == 2 else ~MASK[..., None], padding) for t in inputs]
    torch.testing.assert_close(simvae_log_weights(*inputs, style, prior, MASK), expected)


def test_masked_priors_of_draws_are_those_of_each_draw_alone():
    z = draws(2, 3, 4, 5)
    mask = torch.arange(4) < torch.tensor([[1, 4, 2], [3, 2, 4]]).unsqueeze(-1)
    for prior_variance in (1.5, None):
        prior = log_joint_prior(z, 0.3, prior_variance, mask)
        for s, i in np.ndindex(2, 3):
            there = z[s, i][mask[s, i]]
            torch.testing.assert_close(prior[s, i], log_joint_prior(there, 0.3, prior_variance))
