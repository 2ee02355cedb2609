"""The VAE's bound, against independent computation."""

import numpy as np
import pytest
import torch
from by_hand import draws, kl_by_hand
from numpy.testing import assert_allclose
from torch.distributions import Normal, kl_divergence

from sklearn_simvae.losses import gaussian_kl, simvae_elbo, vae_elbo, vae_log_weights


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
    kl = kl_by_hand(m.numpy(), lv.numpy())
    assert_allclose(terms["objective"], np.sum(ll.numpy() - beta * kl) / batch)
    assert_allclose(terms["elbo"], np.sum(ll.numpy() - kl) / batch)


def test_one_view_of_simvae_with_unit_total_variance_is_the_vae():
    ll, m, lv = draws(6, 1), draws(6, 1, 3, seed=1), draws(6, 1, 3, seed=2)
    simvae = simvae_elbo(ll, m, lv, style_variance=0.15, prior_variance=0.85)
    assert_allclose(simvae["elbo"], vae_elbo(ll, m, lv)["elbo"])


@pytest.mark.parametrize("loss", [vae_elbo])
def test_padding_never_counts(loss):
    ll, m, lv = draws(4, 3), draws(4, 3, 2, seed=1), draws(4, 3, 2, seed=2)
    mask = torch.tensor([[True, True, False]]).expand(4, 3)
    expected = loss(ll[:, :2], m[:, :2], lv[:, :2])["objective"]
    ll[:, 2], m[:, 2] = torch.nan, 1e200
    assert_allclose(loss(ll, m, lv, mask=mask)["objective"], expected)


@pytest.mark.parametrize("loss", [vae_elbo])
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
