"""The VAE's bound and the consistency-regularized one, against independent computation."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.distributions import Normal, kl_divergence

from sklearn_simvae.losses import crvae_elbo, gaussian_kl, simvae_elbo, vae_elbo, vae_log_weights


def draws(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_hand(mean, log_variance, other_mean=0.0, other_log_variance=0.0):
    """KL of diagonal Gaussians in numpy."""
    v, s = np.exp(log_variance), np.exp(other_log_variance)
    distance = (mean - other_mean) ** 2
    return 0.5 * np.sum(np.log(s / v) + (v + distance) / s - 1, axis=-1)


def test_divergence_equals_that_of_torch_distributions():
    m, lv, m2, lv2 = (draws(5, 3, 4, seed=s) for s in range(4))
    p, q = Normal(m, (0.5 * lv).exp()), Normal(m2, (0.5 * lv2).exp())
    assert_allclose(gaussian_kl(m, lv, m2, lv2), kl_divergence(p, q).sum(-1))
    standard = Normal(torch.zeros_like(m), torch.ones_like(m))
    assert_allclose(gaussian_kl(m, lv), kl_divergence(p, standard).sum(-1))
    assert_allclose(gaussian_kl(m, lv, m, lv), 0, atol=1e-14)


@pytest.mark.parametrize("n_views", [1, 2, 4])
@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_objective_is_what_numpy_gives(batch, n_views, beta):
    ll, m, lv = draws(batch, n_views), draws(batch, n_views, 3, seed=1), draws(batch, n_views, 3)
    terms = vae_elbo(ll, m, lv, beta)
    kl = by_hand(m.numpy(), lv.numpy())
    assert_allclose(terms["objective"], np.sum(ll.numpy() - beta * kl) / batch)
    assert_allclose(terms["elbo"], np.sum(ll.numpy() - kl) / batch)


@pytest.mark.parametrize("n_views", [1, 2, 4])
def test_consistency_is_what_numpy_gives(n_views):
    ll, m, lv = draws(5, n_views), draws(5, n_views, 3, seed=1), draws(5, n_views, 3, seed=2)
    terms = crvae_elbo(ll, m, lv, beta=2.0, consistency_weight=0.3)
    mean, log_variance = m.numpy(), lv.numpy()
    consistency = sum(
        by_hand(mean[:, j], log_variance[:, j], mean[:, 0], log_variance[:, 0]).sum()
        for j in range(1, n_views)
    )
    vae = ll.numpy().sum() - 2 * by_hand(mean, log_variance).sum()
    assert_allclose(terms["consistency"], consistency / 5, atol=1e-12)
    assert_allclose(terms["objective"], (vae - 0.3 * consistency) / 5)


def test_one_view_of_simvae_with_unit_total_variance_is_the_vae():
    ll, m, lv = draws(6, 1), draws(6, 1, 3, seed=1), draws(6, 1, 3, seed=2)
    simvae = simvae_elbo(ll, m, lv, style_variance=0.15, prior_variance=0.85)
    assert_allclose(simvae["elbo"], vae_elbo(ll, m, lv)["elbo"])


@pytest.mark.parametrize("loss", [vae_elbo, crvae_elbo])
def test_padding_never_counts(loss):
    ll, m, lv = draws(4, 3), draws(4, 3, 2, seed=1), draws(4, 3, 2, seed=2)
    mask = torch.tensor([[True, True, False]]).expand(4, 3)
    expected = loss(ll[:, :2], m[:, :2], lv[:, :2])["objective"]
    ll[:, 2], m[:, 2] = torch.nan, 1e200
    assert_allclose(loss(ll, m, lv, mask=mask)["objective"], expected)


@pytest.mark.parametrize("loss", [vae_elbo, crvae_elbo])
def test_gradients_are_those_of_finite_differences(loss):
    ll, m, lv = (x.requires_grad_() for x in (draws(3, 2), draws(3, 2, 2), draws(3, 2, 2, seed=3)))
    assert torch.autograd.gradcheck(lambda *a: loss(*a)["objective"], (ll, m, lv))


def test_log_weights_average_to_the_bound_and_are_constant_under_the_exact_posterior():
    ll, m, lv = draws(1, 2), draws(1, 2, 3, seed=1), draws(1, 2, 3, seed=2)
    z = m + draws(100_000, 2, 3, seed=4) * (0.5 * lv).exp()
    weights = vae_log_weights(ll.expand(len(z), 2), z, m, lv)
    error = 4 * weights.std() / len(z) ** 0.5
    assert_allclose(weights.mean(), vae_elbo(ll, m, lv)["elbo"], atol=float(error))
    # One dimension, x = z + noise of variance s: the posterior is N(x / (1 + s), s / (1 + s)).
    s, x = torch.tensor(0.5, dtype=torch.float64), 1.3
    z = draws(50, 1, 1)
    ll = Normal(z[..., 0], s.sqrt()).log_prob(torch.tensor(x, dtype=torch.float64))
    posterior = (
        torch.full((1, 1, 1), x / (1 + s)),
        torch.full((1, 1, 1), float((s / (1 + s)).log())),
    )
    evidence = Normal(0.0, float((1 + s).sqrt())).log_prob(torch.tensor(x))
    assert_allclose(vae_log_weights(ll, z, *posterior), float(evidence), rtol=1e-6)


def test_padding_has_no_gradient_in_the_consistency():
    mean = torch.zeros(2, 3, 2, requires_grad=True)
    log_variance = torch.zeros(2, 3, 2)
    log_variance[:, 2] = 1e3
    log_variance.requires_grad_()
    mask = torch.tensor([[True, True, False]] * 2)
    crvae_elbo(torch.zeros(2, 3), mean, log_variance, mask=mask)["objective"].backward()
    assert torch.isfinite(log_variance.grad).all()
    assert not log_variance.grad[:, 2].any()
