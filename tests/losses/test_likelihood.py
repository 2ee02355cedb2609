"""Likelihoods against the densities of torch.distributions."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Normal

from sklearn_simvae.losses import bernoulli_log_likelihood, gaussian_log_likelihood


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("noise_variance", [1e-4, 0.01, 1.0, 37.0])
@pytest.mark.parametrize("shape", [(6,), (4, 6), (2, 3, 6), (2, 3, 1)])
def test_gaussian_is_the_log_density_summed_over_features(shape, noise_variance):
    x, mean = normal(*shape), normal(*shape, seed=1)
    expected = Normal(mean, math.sqrt(noise_variance)).log_prob(x).sum(-1)
    torch.testing.assert_close(gaussian_log_likelihood(x, mean, noise_variance), expected)


@pytest.mark.parametrize("shape", [(6,), (4, 6), (2, 3, 6), (2, 3, 1)])
def test_bernoulli_is_the_log_probability_of_binary_observations(shape):
    x, logits = (normal(*shape) > 0).double(), 5 * normal(*shape, seed=1)
    expected = Bernoulli(logits=logits).log_prob(x).sum(-1)
    torch.testing.assert_close(bernoulli_log_likelihood(x, logits), expected)


def test_bernoulli_weighs_black_and_white_by_the_grey_level():
    x, logits = normal(4, 6).sigmoid(), normal(4, 6, seed=1)
    p = 1 / (1 + (-logits).exp())
    expected = (x * p.log() + (1 - x) * (1 - p).log()).sum(-1)
    torch.testing.assert_close(bernoulli_log_likelihood(x, logits), expected)


def test_bernoulli_is_largest_where_the_mean_is_the_grey_level():
    x, logits = normal(1, 3).sigmoid(), torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    optimum = torch.logit(x).requires_grad_()
    (gradient,) = torch.autograd.grad(bernoulli_log_likelihood(x, optimum).sum(), optimum)
    torch.testing.assert_close(gradient, torch.zeros_like(x))
    assert bernoulli_log_likelihood(x, optimum) > bernoulli_log_likelihood(x, logits)


@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_bernoulli_stays_finite_at_extreme_logits(logit):
    logits = torch.full((1, 2), logit, requires_grad=True)
    value = bernoulli_log_likelihood(torch.tensor([[0.0, 1.0]]), logits)
    value.sum().backward()
    assert value.item() == pytest.approx(-abs(logit))
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(
    "log_likelihood",
    [lambda x, y: gaussian_log_likelihood(x, y, 0.3), bernoulli_log_likelihood],
    ids=["gaussian", "bernoulli"],
)
def test_draws_broadcast_over_observations(log_likelihood):
    x, outputs = normal(4, 6).sigmoid(), normal(5, 4, 6, seed=1)
    expected = torch.stack([log_likelihood(x, output) for output in outputs])
    torch.testing.assert_close(log_likelihood(x, outputs), expected)


def test_bernoulli_takes_observations_of_any_dtype():
    x, logits = torch.tensor([[0, 1, 1]]), normal(1, 3)
    expected = bernoulli_log_likelihood(x.double(), logits)
    for dtype in (torch.bool, torch.uint8, torch.float32):
        torch.testing.assert_close(bernoulli_log_likelihood(x.to(dtype), logits), expected)
