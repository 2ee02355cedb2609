"""NT-Xent and VICReg, against numpy written out by hand and where their values are known."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sklearn_simvae.losses import nt_xent, vicreg, vicreg_terms


def draws(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def nt_xent_by_hand(z, temperature, mask=None):
    """One anchor, one positive at a time."""
    batch, n_views, _ = z.shape
    mask = np.ones((batch, n_views), bool) if mask is None else mask
    views = [(i, j) for i in range(batch) for j in range(n_views) if mask[i, j]]
    unit = {v: z[v] / np.linalg.norm(z[v]) for v in views}
    losses = []
    for anchor in views:
        others = [v for v in views if v != anchor]
        s = {v: unit[anchor] @ unit[v] / temperature for v in others}
        partition = np.log(sum(np.exp(s[v]) for v in others))
        positives = [v for v in others if v[0] == anchor[0]]
        if positives:
            losses.append(np.mean([partition - s[v] for v in positives]))
    return np.mean(losses)


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


@pytest.mark.parametrize("n_views", [2, 4])
@pytest.mark.parametrize("batch", [2, 7])
@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_nt_xent_is_what_numpy_gives(batch, n_views, temperature):
    z = draws(batch, n_views, 3)
    assert_allclose(nt_xent(z, temperature), nt_xent_by_hand(z.numpy(), temperature))


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("batch", [2, 5])
def test_nt_xent_of_aligned_orthogonal_samples_is_known(batch, temperature):
    z = torch.eye(batch, dtype=torch.float64).unsqueeze(1).expand(-1, 2, -1)
    negatives = (2 * batch - 2) * math.exp(-1 / temperature)
    assert_allclose(nt_xent(z, temperature), math.log1p(negatives))


def test_nt_xent_of_collapsed_projections_is_the_log_of_the_others():
    assert_allclose(nt_xent(torch.ones(6, 2, 3, dtype=torch.float64), 0.5), math.log(11))


def test_nt_xent_leaves_missing_views_out():
    z, mask = draws(5, 3, 4), torch.ones(5, 3, dtype=torch.bool)
    mask[1, 2] = mask[3, 1] = mask[3, 2] = False
    expected = nt_xent_by_hand(z.numpy(), 0.5, mask.numpy())
    z[~mask] = torch.nan
    z.requires_grad_()
    loss = nt_xent(z, 0.5, mask)
    assert_allclose(loss.detach(), expected)
    loss.backward()
    assert not z.grad[~mask].any() and z.grad.isfinite().all()


def test_nt_xent_of_a_single_sample_is_finite():
    assert_allclose(nt_xent(draws(1, 2, 3), 0.5), 0, atol=1e-12)


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
    assert_allclose(vicreg_terms(z, mask=mask)["invariance"], np.mean(squared))


def test_vicreg_of_a_single_sample_is_finite():
    assert vicreg(draws(1, 2, 3)).isfinite()


@pytest.mark.parametrize("loss", [nt_xent, vicreg])
@pytest.mark.parametrize("n_views", [2, 4])
def test_gradients_are_those_of_finite_differences(loss, n_views):
    z = (0.3 * draws(5, n_views, 3)).requires_grad_()
    assert torch.autograd.gradcheck(loss, (z,))


@pytest.mark.parametrize("loss", [nt_xent, vicreg])
def test_order_of_samples_and_of_views_does_not_matter(loss):
    z = draws(6, 3, 4)
    assert_allclose(loss(z.flip(0)), loss(z))
    assert_allclose(loss(z.flip(1)), loss(z))
