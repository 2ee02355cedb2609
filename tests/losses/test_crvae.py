"""The consistency-regularized bound, against independent computation."""

import pytest
import torch
from by_hand import draws, kl_by_hand
from numpy.testing import assert_allclose

from sklearn_simvae.losses import crvae_elbo


@pytest.mark.parametrize("n_views", [1, 2, 4])
def test_consistency_is_what_numpy_gives(n_views):
    ll, m, lv = draws(5, n_views), draws(5, n_views, 3, seed=1), draws(5, n_views, 3, seed=2)
    terms = crvae_elbo(ll, m, lv, beta=2.0, consistency_weight=0.3)
    mean, log_variance = m.numpy(), lv.numpy()
    consistency = sum(
        kl_by_hand(mean[:, j], log_variance[:, j], mean[:, 0], log_variance[:, 0]).sum()
        for j in range(1, n_views)
    )
    vae = ll.numpy().sum() - 2 * kl_by_hand(mean, log_variance).sum()
    assert_allclose(terms["consistency"], consistency / 5, atol=1e-12)
    assert_allclose(terms["objective"], (vae - 0.3 * consistency) / 5)


@pytest.mark.parametrize("loss", [crvae_elbo])
def test_padding_never_counts(loss):
    ll, m, lv = draws(4, 3), draws(4, 3, 2, seed=1), draws(4, 3, 2, seed=2)
    mask = torch.tensor([[True, True, False]]).expand(4, 3)
    expected = loss(ll[:, :2], m[:, :2], lv[:, :2])["objective"]
    ll[:, 2], m[:, 2] = torch.nan, 1e200
    assert_allclose(loss(ll, m, lv, mask=mask)["objective"], expected)


@pytest.mark.parametrize("loss", [crvae_elbo])
def test_gradients_are_those_of_finite_differences(loss):
    ll, m, lv = (x.requires_grad_() for x in (draws(3, 2), draws(3, 2, 2), draws(3, 2, 2, seed=3)))
    assert torch.autograd.gradcheck(lambda *a: loss(*a)["objective"], (ll, m, lv))


def test_padding_has_no_gradient_in_the_consistency():
    mean = torch.zeros(2, 3, 2, requires_grad=True)
    log_variance = torch.zeros(2, 3, 2)
    log_variance[:, 2] = 1e3
    log_variance.requires_grad_()
    mask = torch.tensor([[True, True, False]] * 2)
    crvae_elbo(torch.zeros(2, 3), mean, log_variance, mask=mask)["objective"].backward()
    assert torch.isfinite(log_variance.grad).all()
    assert not log_variance.grad[:, 2].any()
