"""Likelihoods against the densities of torch.distributions."""

import math

import pytest
import torch
from by_hand import draws
from torch.distributions import Bernoulli, Multinomial, Normal

from sklearn_simvae.losses import (
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    multinomial_log_likelihood,
)


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


def test_bernoulli_weighs_black_and_white_by_the_gray_level():
    x, logits = normal(4, 6).sigmoid(), normal(4, 6, seed=1)
    p = 1 / (1 + (-logits).exp())
    expected = (x * p.log() + (1 - x) * (1 - p).log()).sum(-1)
    torch.testing.assert_close(bernoulli_log_likelihood(x, logits), expected)


def test_bernoulli_is_largest_where_the_mean_is_the_gray_level():
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
    [
        lambda x, y: gaussian_log_likelihood(x, y, 0.3),
        bernoulli_log_likelihood,
        multinomial_log_likelihood,
    ],
    ids=["gaussian", "bernoulli", "multinomial"],
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


# ---------------------------------------------------------------- multinomial


def counts(*shape):
    return normal(*shape).abs().mul(5).floor()


@pytest.mark.parametrize("shape", [(6,), (4, 6), (2, 3, 6), (2, 3, 1)])
def test_multinomial_is_the_log_probability_of_counts(shape):
    x, logits = counts(*shape), 3 * normal(*shape, seed=1)
    rows = zip(x.reshape(-1, shape[-1]), logits.reshape(-1, shape[-1]), strict=True)
    # torch.distributions wants rows of one total.
    expected = [Multinomial(int(row.sum()), logits=own).log_prob(row) for row, own in rows]
    expected = torch.stack(expected).reshape(shape[:-1])
    torch.testing.assert_close(multinomial_log_likelihood(x, logits), expected)


def test_multinomial_probabilities_of_all_outcomes_sum_to_one():
    n = 5
    outcomes = [[i, j, n - i - j] for i in range(n + 1) for j in range(n + 1 - i)]
    x, logits = torch.tensor(outcomes, dtype=torch.float64), normal(3)
    total = multinomial_log_likelihood(x, logits).exp().sum()
    torch.testing.assert_close(total, torch.ones_like(total))


def test_multinomial_does_not_depend_on_a_constant_in_the_logits():
    x, logits = counts(4, 6), normal(4, 6, seed=1)
    expected = multinomial_log_likelihood(x, logits)
    torch.testing.assert_close(multinomial_log_likelihood(x, logits + 7), expected)


def test_multinomial_is_largest_where_the_shares_are_those_of_the_counts():
    x = counts(1, 6) + 1
    optimum = x.log().requires_grad_()
    best = multinomial_log_likelihood(x, optimum)
    (gradient,) = torch.autograd.grad(best.sum(), optimum)
    torch.testing.assert_close(gradient, torch.zeros_like(x))
    assert best > multinomial_log_likelihood(x, torch.zeros_like(x))


def test_multinomial_of_no_counts_is_certain_and_of_one_count_the_log_softmax():
    logits = normal(4, 6)
    nothing = multinomial_log_likelihood(torch.zeros_like(logits), logits)
    torch.testing.assert_close(nothing, torch.zeros(4, dtype=torch.float64), atol=1e-12, rtol=0)
    one = torch.eye(6, dtype=torch.float64)[[2, 0, 5, 2]]
    expected = (logits.log_softmax(1) * one).sum(1)
    torch.testing.assert_close(multinomial_log_likelihood(one, logits), expected)


def test_multinomial_has_the_gradients_of_finite_differences():
    x, logits = normal(2, 4).abs(), normal(2, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: multinomial_log_likelihood(x, y), (logits,))


@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_multinomial_stays_finite_at_extreme_logits(logit):
    logits = torch.tensor([[logit, 0.0]], requires_grad=True)
    value = multinomial_log_likelihood(torch.tensor([[1.0, 1.0]]), logits)
    value.sum().backward()
    assert value.item() == pytest.approx(math.log(2) - abs(logit), rel=1e-6)
    assert logits.grad.isfinite().all()


def test_a_learned_noise_variance_gets_the_gradient_of_the_density():
    x, mean = draws(5, 4), draws(5, 4, seed=1)
    variance = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    gaussian_log_likelihood(x, mean, variance).sum().backward()
    squared_error = (x - mean).square().sum()
    # The density is highest where the variance is the mean squared error.
    expected = (squared_error / 0.3 - x.numel()) / (2 * 0.3)
    torch.testing.assert_close(variance.grad, expected)
