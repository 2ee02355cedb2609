"""CLIP's loss, against numpy written out by hand and where its values are known."""

import math

import numpy as np
import pytest
import torch
from by_hand import assert_terms, cosine, draws, softmax_terms_by_hand, terms_of
from numpy.testing import assert_allclose
from torch.nn import functional as F

from sklearn_simvae.losses import clip, nt_xent


def two(batch, d=4):
    return draws(batch, d), draws(batch, d, seed=1)


def clip_by_hand(za, zb, scale, mask=None):
    """One sample at a time, told among those that have both modalities."""
    there = [i for i in range(len(za)) if mask is None or mask[i]]
    owns, partitions = [], []
    for i in there:
        owns.append(scale * cosine(za[i], zb[i]))
        among_b = np.log(sum(np.exp(scale * cosine(za[i], zb[j])) for j in there))
        among_a = np.log(sum(np.exp(scale * cosine(za[j], zb[i])) for j in there))
        partitions.append((among_a + among_b) / 2)
    return softmax_terms_by_hand(owns, partitions)


def some_lack_one(batch):
    return torch.arange(batch) % 3 != 1


@pytest.mark.parametrize("scale", [0.5, 14.0, 100.0])
@pytest.mark.parametrize("batch", [2, 7])
def test_clip_is_what_numpy_gives(batch, scale):
    za, zb = two(batch)
    assert_terms(terms_of(clip, za, zb, scale), clip_by_hand(za.numpy(), zb.numpy(), scale))


@pytest.mark.parametrize("scale", [1.0, 14.0])
def test_clip_is_the_mean_of_two_cross_entropies(scale):
    """The pseudocode of its authors."""
    za, zb = two(9)
    logits = scale * F.normalize(za, dim=1) @ F.normalize(zb, dim=1).T
    labels = torch.arange(9)
    expected = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
    assert_allclose(clip(za, zb, scale), expected)


def test_a_perfect_and_a_collapsed_match_are_known():
    eye = torch.eye(5, dtype=torch.float64)
    assert_allclose(clip(eye, eye, 3.0), math.log1p(4 * math.exp(-3)))
    same = torch.ones(5, 2, dtype=torch.float64)
    assert_allclose(clip(same, same, 3.0), math.log(5))


def test_what_is_matched_wrongly_costs_more():
    eye = torch.eye(5, dtype=torch.float64)
    assert clip(eye, eye.roll(1, 0), 3.0) > math.log(5) > clip(eye, eye, 3.0)


def test_a_single_sample_has_nothing_to_be_told_from():
    za, zb = two(1)
    za.requires_grad_()
    terms = terms_of(clip, za, zb, 10.0)
    assert_allclose(terms["loss"].detach(), 0, atol=1e-12)
    assert_allclose(terms["alignment"].detach(), -10 * cosine(za.detach()[0], zb[0]))
    (gradient,) = torch.autograd.grad(terms["loss"], za)
    assert_allclose(gradient, 0, atol=1e-12)


@pytest.mark.parametrize("batch", [3, 8])
def test_samples_that_lack_a_modality_are_left_out(batch):
    za, zb = two(batch)
    mask = some_lack_one(batch)
    expected = clip_by_hand(za.numpy(), zb.numpy(), 5.0, mask.numpy())
    assert_terms(terms_of(clip, za, zb, 5.0, mask), expected)
    assert_terms(terms_of(clip, za[mask], zb[mask], 5.0), expected)


@pytest.mark.parametrize("padding", [0.0, 1e3, torch.inf, torch.nan])
@pytest.mark.parametrize("side", [0, 1])
def test_what_stands_at_a_missing_modality_changes_no_value_and_no_gradient(side, padding):
    pair, mask = two(6), some_lack_one(6)
    expected = clip(*pair, 5.0, mask)
    wanted = [z.clone().requires_grad_() for z in pair]
    clip(*wanted, 5.0, mask).backward()
    pair[side][~mask] = padding
    za, zb = (z.requires_grad_() for z in pair)
    value = clip(za, zb, 5.0, mask)
    assert_allclose(value.detach(), expected)
    value.backward()
    for z, other in zip((za, zb), wanted, strict=True):
        assert_allclose(z.grad, other.grad, atol=1e-12)
        assert not z.grad[~mask].any()


@pytest.mark.parametrize("n_there", [0, 1])
def test_no_pair_or_one_pair_is_zero_with_no_gradient(n_there):
    za, zb = two(4)
    za.requires_grad_()
    loss = clip(za, zb, torch.tensor(5.0), torch.arange(4) < n_there)
    assert_allclose(loss.detach(), 0, atol=1e-12)
    loss.backward()
    assert_allclose(za.grad, 0, atol=1e-12)


def test_a_mask_that_is_all_true_is_none():
    za, zb = two(5)
    all_there = torch.ones(5, dtype=torch.bool)
    assert_terms(terms_of(clip, za, zb, 5.0, all_there), terms_of(clip, za, zb, 5.0))


@pytest.mark.parametrize("masked", [False, True])
def test_gradients_are_those_of_finite_differences_also_to_the_scale(masked):
    za, zb = (z.requires_grad_() for z in two(5, 3))
    log_scale = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    mask = some_lack_one(5) if masked else None
    assert torch.autograd.gradcheck(lambda a, b, s: clip(a, b, s.exp(), mask), (za, zb, log_scale))


def test_a_scale_may_be_a_number_or_a_tensor():
    za, zb = two(5)
    assert_allclose(clip(za, zb, torch.tensor(7.0, dtype=torch.float64)), clip(za, zb, 7.0))


def test_the_scale_of_a_good_match_wants_to_grow_and_of_a_bad_one_to_shrink():
    eye, scale = torch.eye(4), torch.tensor(2.0, requires_grad=True)
    (good,) = torch.autograd.grad(clip(eye, eye, scale), scale)
    (bad,) = torch.autograd.grad(clip(eye, eye.roll(1, 0), scale), scale)
    assert good < 0 < bad


def test_neither_order_nor_length_nor_which_is_first_matters():
    za, zb = two(6)
    expected = clip(za, zb, 5.0)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    assert_allclose(clip(za[order], zb[order], 5.0), expected)
    assert_allclose(clip(zb, za, 5.0), expected)
    assert_allclose(clip(za * draws(6, 1, seed=2).exp(), zb, 5.0), expected)
    mask = some_lack_one(6)
    assert_allclose(clip(za[order], zb[order], 5.0, mask[order]), clip(za, zb, 5.0, mask))


def test_order_of_one_modality_alone_matters():
    za, zb = two(6)
    assert abs(clip(za, zb.roll(1, 0), 5.0) - clip(za, zb, 5.0)) > 0.01


def test_parts_add_up_to_the_loss():
    terms = terms_of(clip, *two(6), 5.0)
    assert_allclose(terms["alignment"] + terms["log_partition"], terms["loss"])


def test_nt_xent_has_more_negatives_and_otherwise_the_same_pull():
    """Between the modalities NT-Xent also tells a view from others of its own modality."""
    za, zb = two(6)
    assert nt_xent(torch.stack([za, zb], 1), 0.2) > clip(za, zb, 5.0)


@pytest.mark.parametrize("scale", [100.0, 1e4])
def test_clip_stays_finite_at_large_scales(scale):
    za, zb = (z.float().requires_grad_() for z in two(6))
    loss = clip(za, zb, scale)
    loss.backward()
    assert loss.isfinite() and za.grad.isfinite().all() and zb.grad.isfinite().all()
