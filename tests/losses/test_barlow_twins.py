"""Barlow Twins' loss, against numpy written out by hand and known values."""

from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from by_hand import (
    assert_missing_views_do_not_count,
    assert_terms,
    batches,
    draws,
    n_views_of_all,
    predictions,
    some_missing,
    terms_of,
)
from numpy.testing import assert_allclose

from sklearn_simvae.losses import barlow_twins


def barlow_twins_by_hand(z, redundancy_weight=5e-3, mask=None):
    """One pair of views and one pair of dimensions at a time."""
    z = z.numpy()
    d, invariances, redundancies, weights = z.shape[2], [], [], []
    for j, k in combinations(range(z.shape[1]), 2):
        both = slice(None) if mask is None else (mask[:, j] & mask[:, k]).numpy()
        a, b = ((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) for x in (z[both, j], z[both, k]))
        c = np.array([[np.mean(a[:, i] * b[:, m]) for m in range(d)] for i in range(d)])
        invariances.append(sum((1 - c[i, i]) ** 2 for i in range(d)))
        redundancies.append(sum(c[i, m] ** 2 for i, m in permutations(range(d), 2)))
        weights.append(1 if mask is None else (both.sum() - 1) ** 2)
    invariance, redundancy = (np.average(v, weights=weights) for v in (invariances, redundancies))
    return {
        "loss": invariance + redundancy_weight * redundancy,
        "invariance": invariance,
        "redundancy": redundancy,
    }


def whitened(n, d):
    """Columns of mean 0 and variance 1 that do not correlate."""
    x = draws(n, d)
    return torch.linalg.qr(x - x.mean(0))[0] * n**0.5


@n_views_of_all
@batches
@pytest.mark.parametrize("redundancy_weight", [5e-3, 2.0])
def test_barlow_twins_is_what_numpy_gives(batch, n_views, redundancy_weight):
    z = draws(batch, n_views, 3)
    expected = barlow_twins_by_hand(z, redundancy_weight)
    assert_terms(terms_of(barlow_twins, z, redundancy_weight), expected, atol=1e-12)


@n_views_of_all
@pytest.mark.parametrize("redundancy_weight", [5e-3, 2.0])
def test_barlow_twins_of_whitened_equal_views_is_zero(n_views, redundancy_weight):
    z = whitened(20, 4).unsqueeze(1).expand(-1, n_views, -1)
    # What is left is the epsilon in the variance, squared.
    assert_allclose(barlow_twins(z, redundancy_weight), 0, atol=1e-9)


def test_barlow_twins_of_whitened_opposite_views_is_four_a_dimension():
    z = whitened(20, 4)
    assert_allclose(barlow_twins(torch.stack([z, -z], dim=1)), 4 * 4, rtol=1e-4)


def test_barlow_twins_of_equal_dimensions_is_all_redundancy():
    z = whitened(20, 1).unsqueeze(1).expand(-1, 2, 5)
    assert_allclose(barlow_twins(z, redundancy_weight=0.3), 0.3 * 5 * 4, rtol=1e-4)


@n_views_of_all
@pytest.mark.parametrize("batch", [1, 7])
def test_barlow_twins_of_collapsed_projections_is_the_number_of_dimensions(batch, n_views):
    z = draws(1, 1, 5).expand(batch, n_views, -1).clone().requires_grad_()
    loss = barlow_twins(z)
    loss.backward()
    assert_allclose(loss.detach(), 5)
    assert z.grad.isfinite().all()


def test_barlow_twins_depends_on_no_location_or_scale_of_a_view():
    z = 1e3 * draws(7, 4, 3)
    expected = barlow_twins(z)
    assert_allclose(barlow_twins(z + 1e3 * draws(1, 4, 3, seed=1)), expected, rtol=1e-9)
    assert_allclose(barlow_twins(z * draws(1, 4, 3, seed=2).exp()), expected, rtol=1e-6)


@n_views_of_all
def test_barlow_twins_correlates_over_samples_that_have_both_views(n_views):
    z, mask = draws(7, n_views, 3), some_missing(7, n_views)
    expected = barlow_twins_by_hand(z, mask=mask)["loss"]
    assert_missing_views_do_not_count(lambda z: barlow_twins(z, mask=mask), z, mask, expected)


@pytest.mark.parametrize("n_both", [0, 1])
def test_barlow_twins_leaves_out_pairs_of_views_that_fewer_than_two_samples_have(n_both):
    z, mask = draws(6, 3, 4), torch.ones(6, 3, dtype=torch.bool)
    mask[n_both:, 2] = False
    assert_allclose(barlow_twins(z, mask=mask), barlow_twins(z[:, :2]))


def test_barlow_twins_hardly_hears_of_views_that_hardly_any_sample_has():
    z = draws(100, 1, 32).expand(-1, 3, -1)
    mask = torch.ones(100, 3, dtype=torch.bool)
    mask[2:, 2] = False
    assert_allclose(barlow_twins(z, mask=mask), barlow_twins(z), rtol=0.05)


@n_views_of_all
@pytest.mark.parametrize("masked", [False, True])
def test_barlow_twins_gradients_are_those_of_finite_differences(n_views, masked):
    z, mask = draws(7, n_views, 3), some_missing(7, n_views) if masked else None
    assert torch.autograd.gradcheck(lambda z: barlow_twins(z, 0.3, mask), (z.requires_grad_(),))


@pytest.mark.parametrize("loss", [lambda p, z: barlow_twins(p)])
def test_order_of_samples_and_of_views_does_not_matter(loss):
    p, z = predictions(6, 3)
    assert_allclose(loss(p.flip(0), z.flip(0)), loss(p, z))
    assert_allclose(loss(p.flip(1), z.flip(1)), loss(p, z))
