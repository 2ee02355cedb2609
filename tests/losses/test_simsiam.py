"""SimSiam's loss and BYOL's, against numpy written out by hand and known values."""

from itertools import permutations

import numpy as np
import pytest
import torch
from by_hand import (
    assert_missing_views_do_not_count,
    batches,
    cosine,
    draws,
    n_views_of_all,
    paddings,
    predictions,
    some_missing,
)
from numpy.testing import assert_allclose

from sklearn_simvae.losses import byol, simsiam


def mean_over_pairs(of_pair, p, z, mask=None):
    """Of one prediction of one sample and the projection of one other view at a time."""
    values = []
    for i in range(len(p)):
        for j, k in permutations(range(p.shape[1]), 2):
            if mask is None or (mask[i, j] and mask[i, k]):
                values.append(of_pair(p[i, j].detach().numpy(), z[i, k].detach().numpy()))
    return np.mean(values)


def simsiam_by_hand(p, z):
    return -cosine(p, z)


def byol_by_hand(p, z):
    return np.sum((p / np.linalg.norm(p) - z / np.linalg.norm(z)) ** 2)


both_losses = pytest.mark.parametrize(
    ("loss", "by_hand"), [(simsiam, simsiam_by_hand), (byol, byol_by_hand)], ids=["simsiam", "byol"]
)
known_losses = pytest.mark.parametrize(
    ("loss", "best", "middle", "worst"),
    [(simsiam, -1, 0, 1), (byol, 0, 2, 4)],
    ids=["simsiam", "byol"],
)


@both_losses
@n_views_of_all
@batches
def test_loss_is_what_numpy_gives(loss, by_hand, batch, n_views):
    p, z = predictions(batch, n_views)
    assert_allclose(loss(p, z), mean_over_pairs(by_hand, p, z))


@known_losses
@n_views_of_all
@batches
def test_loss_of_aligned_orthogonal_and_opposite_predictions_is_known(
    loss, best, middle, worst, batch, n_views
):
    z = draws(batch, 1, 3).expand(-1, n_views, -1)
    orthogonal = torch.linalg.cross(z, draws(batch, 1, 3, seed=1).expand_as(z))
    assert_allclose(loss(2 * z, z), best, atol=1e-12)
    assert_allclose(loss(orthogonal, z), middle, atol=1e-12)
    assert_allclose(loss(-z, z), worst)


@known_losses
@pytest.mark.parametrize("seed", range(5))
def test_loss_is_within_its_bounds(loss, best, middle, worst, seed):
    assert best < loss(draws(1, 2, 2, seed=seed), draws(1, 2, 2, seed=seed + 10)) < worst


@known_losses
def test_a_view_does_not_predict_itself(loss, best, middle, worst):
    z = torch.eye(4, dtype=torch.float64).expand(3, -1, -1)
    assert_allclose(loss(z, z), middle)


@both_losses
def test_loss_passes_no_gradient_to_projections(loss, by_hand):
    p, z = (x.requires_grad_() for x in predictions())
    loss(p, z).backward()
    assert z.grad is None and p.grad.any()


@both_losses
def test_gradient_is_of_predictions_alone_where_they_are_the_projections(loss, by_hand):
    # One network without a predictor: half of what plain alignment would give.
    z = draws(5, 2, 3)
    held, free = z.clone().requires_grad_(), z.clone().requires_grad_()
    loss(held, held).backward()
    unit = free / free.norm(dim=-1, keepdim=True)
    (-(unit[:, 0] * unit[:, 1]).sum(-1).mean()).backward()
    scale = 1 if loss is simsiam else 2
    assert_allclose(held.grad, scale * free.grad / 2)


@both_losses
@n_views_of_all
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_are_those_of_finite_differences(loss, by_hand, n_views, masked):
    p, z = predictions(5, n_views)
    mask = some_missing(5, n_views) if masked else None
    assert torch.autograd.gradcheck(lambda p: loss(p, z, mask), (p.requires_grad_(),))


@both_losses
@n_views_of_all
@pytest.mark.parametrize("batch", [2, 5, 7])
def test_missing_views_do_not_count(loss, by_hand, batch, n_views):
    p, z = predictions(batch, n_views)
    mask = some_missing(batch, n_views)
    expected = mean_over_pairs(by_hand, p, z, mask)
    for projections in paddings(z, mask):
        assert_missing_views_do_not_count(
            lambda p, z=projections: loss(p, z, mask), p, mask, expected
        )


@both_losses
def test_lengths_do_not_matter(loss, by_hand):
    p, z = predictions(5, 4)
    longer_p, longer_z = (x * draws(5, 4, 1, seed=s).exp() for s, x in ((2, p), (3, z)))
    assert_allclose(loss(longer_p, longer_z), loss(p, z))


@pytest.mark.parametrize("loss", [simsiam, byol])
def test_order_of_samples_and_of_views_does_not_matter(loss):
    p, z = predictions(6, 3)
    assert_allclose(loss(p.flip(0), z.flip(0)), loss(p, z))
    assert_allclose(loss(p.flip(1), z.flip(1)), loss(p, z))
