"""VICReg's loss, against numpy written out by hand and where its values are known."""

import math

import numpy as np
import pytest
import torch
from by_hand import draws, terms_of
from numpy.testing import assert_allclose

from sklearn_simvae.losses import vicreg


def vicreg_by_hand(z, weights=(25.0, 25.0, 1.0)):
    """The authors' pseudocode at two views."""
    a, b = z[:, 0], z[:, 1]
    d = a.shape[1]
    invariance = np.mean((a - b) ** 2)
    variance = covariance = 0.0
    for x in (a, b):
        std = np.sqrt(x.var(axis=0, ddof=1) + 1e-4)
        variance += np.mean(np.maximum(0, 1 - std)) / 2
        c = np.cov(x.T)
        covariance += (np.sum(c**2) - np.sum(np.diag(c) ** 2)) / d
    return weights[0] * invariance + weights[1] * variance + weights[2] * covariance


@pytest.mark.parametrize("batch", [2, 7, 32])
@pytest.mark.parametrize("weights", [(25.0, 25.0, 1.0), (1.0, 2.0, 3.0)])
def test_vicreg_at_two_views_is_its_authors(batch, weights):
    z = 0.5 * draws(batch, 2, 3)
    assert_allclose(vicreg(z, *weights), vicreg_by_hand(z.numpy(), weights))


def test_vicreg_of_whitened_equal_views_is_zero():
    x = draws(50, 4)
    x = x - x.mean(0)
    white = np.linalg.svd(x.numpy(), full_matrices=False)[0] * math.sqrt(49)
    z = torch.from_numpy(white).unsqueeze(1).expand(-1, 3, -1)
    assert_allclose(vicreg(z), 0, atol=1e-12)


def test_vicreg_over_more_views_averages_over_pairs_and_views():
    z = draws(9, 4, 3)
    pairs = [vicreg_by_hand(z[:, [j, k]].numpy()) for j in range(4) for k in range(j)]
    assert_allclose(vicreg(z), np.mean(pairs))


def test_vicreg_leaves_pairs_with_a_missing_view_out_of_the_invariance():
    z, mask = draws(6, 3, 2), torch.ones(6, 3, dtype=torch.bool)
    mask[0, 2] = mask[4, 1] = False
    pairs = [(i, j, k) for i in range(6) for j in range(3) for k in range(j)]
    squared = [((z[i, j] - z[i, k]) ** 2).mean() for i, j, k in pairs if mask[i, j] and mask[i, k]]
    assert_allclose(terms_of(vicreg, z, mask=mask)["invariance"], np.mean(squared))


def test_vicreg_of_a_single_sample_is_finite():
    assert vicreg(draws(1, 2, 3)).isfinite()


@pytest.mark.parametrize("loss", [vicreg])
@pytest.mark.parametrize("n_views", [2, 4])
def test_gradients_are_those_of_finite_differences(loss, n_views):
    z = (0.3 * draws(5, n_views, 3)).requires_grad_()
    assert torch.autograd.gradcheck(loss, (z,))


@pytest.mark.parametrize("loss", [vicreg])
def test_order_of_samples_and_of_views_does_not_matter(loss):
    z = draws(6, 3, 4)
    assert_allclose(loss(z.flip(0)), loss(z))
    assert_allclose(loss(z.flip(1)), loss(z))


def test_vicreg_covariance_is_a_sum_of_squares_on_any_scale():
    z = (1e3 * draws(64, 2, 1)).float().requires_grad_()
    covariance = terms_of(vicreg, z)["covariance"]
    covariance.backward()
    assert covariance == 0 and not z.grad.any()
    wide = 1e2 * draws(64, 2, 8).float()
    assert_allclose(
        terms_of(vicreg, wide)["covariance"],
        terms_of(vicreg, wide.double())["covariance"],
        rtol=1e-4,
    )
