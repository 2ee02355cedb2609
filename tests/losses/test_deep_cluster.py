"""DeepCluster's loss, against numpy written out by hand and known values."""

import math

import numpy as np
import pytest
import torch
from by_hand import (
    assert_missing_views_do_not_count,
    assert_terms,
    batches,
    cosine,
    draws,
    n_views_of_all,
    softmax_terms_by_hand,
    some_missing,
    terms_of,
)
from numpy.testing import assert_allclose
from torch.nn import functional as F

from sklearn_simvae.losses import deep_cluster, instance_discrimination

SIZES = torch.tensor([6, 1, 0, 4])


def cluster_inputs(batch=5, n_views=2):
    labels = torch.tensor([3, 0, 1, 0, 3, 3, 0])[:batch]
    return draws(batch, n_views, 3), draws(4, 3, seed=1), labels, SIZES


def deep_cluster_by_hand(z, prototypes, labels, sizes, temperature=0.1, mask=None):
    """One view at a time, as the equation has it."""
    z, prototypes, labels, sizes = (x.numpy() for x in (z, prototypes, labels, sizes))
    owns, partitions = [], []
    for i, label in enumerate(labels):
        weight = sizes.sum() / (np.count_nonzero(sizes) * sizes[label])
        for j in range(z.shape[1]):
            if mask is None or mask[i, j]:
                s = np.array([cosine(z[i, j], w) / temperature for w in prototypes])
                owns.append(weight * s[label])
                partitions.append(weight * np.log(np.exp(s).sum()))
    return softmax_terms_by_hand(owns, partitions)


def whole_set(n_views=2):
    """A batch of all samples that there are."""
    labels = torch.repeat_interleave(torch.arange(len(SIZES)), SIZES)
    return draws(len(labels), n_views, 3), draws(len(SIZES), 3, seed=1), labels


@n_views_of_all
@batches
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_deep_cluster_is_what_numpy_gives(batch, n_views, temperature):
    args = *cluster_inputs(batch, n_views), temperature
    assert_terms(terms_of(deep_cluster, *args), deep_cluster_by_hand(*args))


@n_views_of_all
def test_deep_cluster_of_the_whole_set_is_the_mean_over_clusters(n_views):
    z, prototypes, labels = whole_set(n_views)
    # The mean of torch is one over weights.
    logits = F.normalize(z, dim=-1) @ F.normalize(prototypes, dim=-1).T / 0.1
    expected = F.cross_entropy(
        logits.flatten(0, 1), labels.repeat_interleave(n_views), 1 / SIZES.clamp(min=1).double()
    )
    assert_allclose(deep_cluster(z, prototypes, labels, SIZES), expected)


@pytest.mark.parametrize("cluster", [0, 1, 3])
def test_deep_cluster_does_not_change_where_a_cluster_is_in_the_set_twice(cluster):
    z, prototypes, labels = whole_set()
    twice = torch.cat([torch.arange(len(z)), torch.nonzero(labels == cluster).flatten()])
    sizes = SIZES.clone()
    sizes[cluster] *= 2
    value = deep_cluster(z[twice], prototypes, labels[twice], sizes)
    assert_allclose(value, deep_cluster(z, prototypes, labels, SIZES))


@n_views_of_all
@pytest.mark.parametrize("dtype", [torch.int64, torch.float32])
def test_deep_cluster_of_equal_clusters_is_the_plain_cross_entropy(n_views, dtype):
    z, prototypes, labels, _ = cluster_inputs(7, n_views)
    sizes = torch.full((4,), 12, dtype=dtype)
    logits = F.normalize(z, dim=-1) @ F.normalize(prototypes, dim=-1).T / 0.1
    expected = F.cross_entropy(logits.flatten(0, 1), labels.repeat_interleave(n_views))
    assert_allclose(deep_cluster(z, prototypes, labels, sizes), expected)


def test_deep_cluster_does_not_count_empty_clusters():
    # The prototype of the empty one is so far from all views that it is no rival either.
    z, prototypes, labels = draws(6, 2, 3).abs(), torch.eye(3).double(), torch.arange(6) % 3
    sizes = torch.tensor([5, 2, 8])
    expected = deep_cluster(z, prototypes, labels, sizes, temperature=0.01)
    prototypes = torch.cat([prototypes, -torch.ones(1, 3).double()])
    sizes = torch.cat([sizes, torch.tensor([0])])
    value = deep_cluster(z, prototypes, labels, sizes, temperature=0.01)
    assert_allclose(value, expected)


@n_views_of_all
def test_deep_cluster_with_each_sample_a_cluster_is_instance_discrimination(n_views):
    z, prototypes = draws(5, n_views, 3), draws(9, 3, seed=1)
    indices, sizes = torch.tensor([4, 0, 8, 3, 5]), torch.ones(9, dtype=torch.int64)
    mask = some_missing(5, n_views)
    torch.testing.assert_close(
        terms_of(deep_cluster, z, prototypes, indices, sizes, 0.2, mask),
        terms_of(instance_discrimination, z, prototypes, indices, 0.2, mask),
    )


def test_deep_cluster_of_collapsed_projections_is_the_log_of_clusters_at_best():
    z, labels = torch.ones(8, 2, 3, dtype=torch.float64), torch.arange(8) % 4
    sizes = torch.full((4,), 2)
    equal = deep_cluster(z, torch.ones(4, 3).double(), labels, sizes)
    assert_allclose(equal, math.log(4))
    assert deep_cluster(z, draws(4, 3), labels, sizes) > equal


@n_views_of_all
@pytest.mark.parametrize("batch", [2, 5, 7])
def test_deep_cluster_leaves_missing_views_out(n_views, batch):
    z, *args = cluster_inputs(batch, n_views)
    mask = some_missing(batch, n_views)
    expected = deep_cluster_by_hand(z, *args, mask=mask)["loss"]

    def loss(z):
        return deep_cluster(z, *args, mask=mask)

    assert_missing_views_do_not_count(loss, z, mask, expected)


@n_views_of_all
@pytest.mark.parametrize("masked", [False, True])
def test_deep_cluster_gradients_are_those_of_finite_differences(n_views, masked):
    z, prototypes, labels, sizes = cluster_inputs(5, n_views)
    mask = some_missing(5, n_views) if masked else None

    def loss(z, prototypes):
        return deep_cluster(z, prototypes, labels, sizes, 0.5, mask)

    assert torch.autograd.gradcheck(loss, (z.requires_grad_(), prototypes.requires_grad_()))


def test_deep_cluster_depends_on_no_order_name_or_length():
    z, prototypes, labels, sizes = cluster_inputs(5, 4)
    expected = deep_cluster(z, prototypes, labels, sizes)
    for args in (
        (z.flip(0), prototypes, labels.flip(0), sizes),
        (z.flip(1), prototypes, labels, sizes),
        (z, prototypes.flip(0), 3 - labels, sizes.flip(0)),
        (z * draws(5, 4, 1, seed=2).exp(), prototypes, labels, sizes),
        (z, prototypes * draws(4, 1, seed=3).exp(), labels, sizes),
    ):
        assert_allclose(deep_cluster(*args), expected)
