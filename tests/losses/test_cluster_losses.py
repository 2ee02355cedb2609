"""DeepCluster, SwAV and its balance, against numpy written out by hand and known values."""

import math

import numpy as np
import pytest
import torch
from by_hand import (
    assert_missing_views_do_not_count,
    assert_terms,
    cosine,
    draws,
    softmax_terms_by_hand,
    some_missing,
    terms_of,
)
from numpy.testing import assert_allclose
from scipy.optimize import linear_sum_assignment
from torch.nn import functional as F

from sklearn_simvae.losses import (
    deep_cluster,
    instance_discrimination,
    sinkhorn,
    swav,
)

n_views_of_all = pytest.mark.parametrize("n_views", [2, 4])
batches = pytest.mark.parametrize("batch", [1, 2, 5, 7])

# DeepCluster.

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


# The balance of SwAV.


def sinkhorn_by_hand(scores, epsilon=0.05, n_iter=3):
    """The authors' pseudocode, with exponentials and transposed."""
    Q = np.exp(scores / epsilon).T
    Q /= Q.sum()
    K, B = Q.shape
    for _ in range(n_iter):
        for k in range(K):
            Q[k] /= Q[k].sum() * K
        for i in range(B):
            Q[:, i] /= Q[:, i].sum() * B
    return (Q * B).T


shapes = pytest.mark.parametrize("shape", [(1, 3), (2, 4), (5, 3), (7, 2), (7, 1)])


@shapes
@pytest.mark.parametrize("n_iter", [1, 3, 10])
@pytest.mark.parametrize("epsilon", [0.05, 1.0])
def test_sinkhorn_is_the_algorithm_of_its_authors(shape, n_iter, epsilon):
    scores = draws(*shape).tanh()
    expected = sinkhorn_by_hand(scores.numpy(), epsilon, n_iter)
    assert_allclose(sinkhorn(scores, epsilon, n_iter), expected, rtol=1e-9)


@shapes
@pytest.mark.parametrize("n_iter", [1, 3, 200])
def test_sinkhorn_gives_each_sample_the_same_weight(shape, n_iter):
    assert_allclose(sinkhorn(draws(*shape), 0.5, n_iter).sum(1), 1, rtol=1e-12)


@shapes
def test_sinkhorn_gives_each_cluster_the_same_weight_in_the_limit(shape):
    n, n_clusters = shape
    assert_allclose(sinkhorn(draws(*shape), 0.5, n_iter=200).sum(0), n / n_clusters, rtol=1e-9)


def test_sinkhorn_maximizes_score_and_entropy_among_balanced_assignments():
    scores, epsilon = draws(7, 3), 0.5
    q = sinkhorn(scores, epsilon, n_iter=200)

    def objective(q):
        return (q * scores).sum() + epsilon * torch.special.entr(q).sum()

    for seed in range(20):
        # Rows and columns of the step sum to 0, it leaves the balance as it is.
        step = draws(7, 3, seed=seed + 1)
        step = step - step.mean(0) - step.mean(1, keepdim=True) + step.mean()
        for size in (1e-2, -1e-2):
            other = q + size * q.min() * step
            assert (other > 0).all()
            assert objective(other) < objective(q)


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_sinkhorn_does_not_overflow(size):
    q = sinkhorn(size * draws(7, 3), epsilon=1e-3)
    assert q.isfinite().all()
    assert_allclose(q.sum(1), 1)


@pytest.mark.parametrize("score", [0.0, 1e4, -1e4])
def test_sinkhorn_of_equal_scores_is_uniform(score):
    assert_allclose(sinkhorn(torch.full((5, 4), score).double()), np.full((5, 4), 0.25))


def test_sinkhorn_of_equal_samples_is_uniform_whatever_cluster_they_prefer():
    assert_allclose(sinkhorn(draws(1, 4).expand(6, -1)), np.full((6, 4), 0.25))


def test_sinkhorn_with_small_epsilon_is_hard_and_even():
    # All samples prefer the first cluster, which has room for a third of them.
    best = torch.eye(3, dtype=torch.float64).repeat(3, 1)
    scores = best + torch.tensor([5.0, 0.0, 0.0]) + 0.1 * draws(9, 3).tanh()
    assert (scores.argmax(1) == 0).all()
    assert_allclose(sinkhorn(scores, epsilon=0.01, n_iter=50), best, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_sinkhorn_with_small_epsilon_scores_as_the_best_even_assignment(seed):
    scores, epsilon = draws(9, 3, seed=seed), 0.01
    places = scores.repeat_interleave(3, dim=1).numpy()
    best = places[linear_sum_assignment(places, maximize=True)].sum()
    q = sinkhorn(scores, epsilon, n_iter=2000)
    # The entropy of nine samples over three clusters is what it may lose.
    assert best - epsilon * 9 * math.log(3) < (q * scores).sum() < best + 1e-3
    assert scores.max(1).values.sum() > best + 0.1


def test_sinkhorn_has_no_gradient():
    assert not sinkhorn(draws(5, 3).requires_grad_()).requires_grad


# SwAV.


def swav_by_hand(
    scores, n_global_views=2, temperature=0.1, epsilon=0.05, n_iter=3, mask=None, queue_scores=None
):
    """One pair of views of one sample at a time."""
    batch, n_views, n_clusters = scores.shape
    owns, partitions = [], []
    for j in range(n_global_views):
        queue = np.empty((0, n_clusters)) if queue_scores is None else queue_scores[j].numpy()
        balanced = sinkhorn_by_hand(np.concatenate([queue, scores[:, j].numpy()]), epsilon, n_iter)
        q = balanced[len(queue) :]
        for i in range(batch):
            for k in range(n_views):
                if k != j and (mask is None or mask[i, k]):
                    s = scores[i, k].numpy() / temperature
                    owns.append(sum(q[i, c] * s[c] for c in range(n_clusters)))
                    partitions.append(np.log(np.exp(s).sum()))
    return softmax_terms_by_hand(owns, partitions)


def cosines(*shape, seed=0):
    return draws(*shape, seed=seed).tanh()


views_and_globals = pytest.mark.parametrize(
    ("n_views", "n_global_views"), [(2, 1), (2, 2), (4, 1), (4, 2), (4, 4)]
)


@views_and_globals
@batches
@pytest.mark.parametrize("rest", [(0.1, 0.05, 3), (0.7, 0.3, 1)])
def test_swav_is_what_numpy_gives(n_views, n_global_views, batch, rest):
    args = cosines(batch, n_views, 3), n_global_views, *rest
    assert_terms(terms_of(swav, *args), swav_by_hand(*args))


@views_and_globals
@batches
def test_swav_balances_the_batch_among_a_queue(n_views, n_global_views, batch):
    scores, queue = cosines(batch, n_views, 3), cosines(n_global_views, 6, 3, seed=1)
    terms = terms_of(swav, scores, n_global_views, queue_scores=queue)
    assert_terms(terms, swav_by_hand(scores, n_global_views, queue_scores=queue))


def test_swav_with_a_queue_that_repeats_the_batch_is_swav_without():
    scores = cosines(5, 3, 4)
    queue = scores[:, :2].transpose(0, 1).repeat(1, 3, 1)
    torch.testing.assert_close(terms_of(swav, scores, queue_scores=queue), terms_of(swav, scores))


def test_swav_turns_from_a_cluster_that_the_queue_fills():
    # Samples that like both clusters alike; the queue likes the first.
    scores = torch.zeros(4, 2, 2, dtype=torch.float64).requires_grad_()
    queue = torch.tensor([1.0, 0.0], dtype=torch.float64).expand(2, 12, -1)
    swav(scores, queue_scores=queue).backward()
    # Descent of the loss raises the score of the second.
    assert (scores.grad[..., 0] > 0).all() and (scores.grad[..., 1] < 0).all()


def test_swav_passes_no_gradient_to_the_queue():
    scores = cosines(5, 2, 3).requires_grad_()
    queue = cosines(2, 6, 3, seed=1).requires_grad_()
    swav(scores, queue_scores=queue).backward()
    assert queue.grad is None and scores.grad.any()


@views_and_globals
@pytest.mark.parametrize("n_prototypes", [2, 5])
def test_swav_of_collapsed_scores_is_the_log_of_prototypes(n_views, n_global_views, n_prototypes):
    scores = torch.full((7, n_views, n_prototypes), 0.6, dtype=torch.float64)
    assert_allclose(swav(scores, n_global_views), math.log(n_prototypes))


def test_swav_of_samples_that_all_prefer_one_cluster_is_worse_than_of_equal_scores():
    scores = draws(1, 1, 5).expand(7, 2, -1)
    assert swav(scores) > math.log(5)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_swav_of_aligned_and_even_views_is_known(temperature):
    scores = torch.eye(5, dtype=torch.float64).repeat(2, 1).unsqueeze(1).expand(-1, 4, -1)
    value = swav(scores, temperature=temperature, epsilon=0.01)
    assert_allclose(value, math.log1p(4 * math.exp(-1 / temperature)))


def test_swav_local_views_only_predict():
    # The alignment is linear in scores that have no part in the assignments.
    scores, other = cosines(5, 4, 3), cosines(5, 4, 3, seed=1)

    def alignment(weight, views):
        mixed = scores.clone()
        mixed[:, views] = (1 - weight) * scores[:, views] + weight * other[:, views]
        return terms_of(swav, mixed)["alignment"]

    local, assigned = [2, 3], [0, 1]
    ends = alignment(0.0, local) + alignment(1.0, local)
    assert_allclose(alignment(0.5, local), 0.5 * ends)
    ends = alignment(0.0, assigned) + alignment(1.0, assigned)
    assert abs(alignment(0.5, assigned) - 0.5 * ends) > 1e-3


@pytest.mark.parametrize("n_global_views", [1, 2])
@pytest.mark.parametrize("batch", [3, 5, 7])
@pytest.mark.parametrize("queue", [None, cosines(2, 6, 3, seed=1)])
def test_swav_leaves_missing_views_out(n_global_views, batch, queue):
    scores, mask = cosines(batch, 4, 3), some_missing(batch, 4, n_first=n_global_views)
    expected = swav_by_hand(scores, n_global_views, mask=mask, queue_scores=queue)["loss"]

    def loss(scores):
        return swav(scores, n_global_views, mask=mask, queue_scores=queue)

    assert_missing_views_do_not_count(loss, scores, mask, expected)


@views_and_globals
@pytest.mark.parametrize("masked", [False, True])
def test_swav_gradient_is_that_of_predictions_alone(n_views, n_global_views, masked):
    scores, temperature = cosines(5, n_views, 3).requires_grad_(), 0.5
    mask = some_missing(5, n_views, n_first=n_global_views)
    swav(scores, n_global_views, temperature, mask=mask if masked else None).backward()
    s, expected, n_pairs = scores.detach().numpy(), np.zeros((5, n_views, 3)), 0
    for j in range(n_global_views):
        q = sinkhorn_by_hand(s[:, j])
        for i in range(5):
            for k in range(n_views):
                if k != j and (mask[i, k] or not masked):
                    p = np.exp(s[i, k] / temperature)
                    expected[i, k] += (p / p.sum() - q[i]) / temperature
                    n_pairs += 1
    assert_allclose(scores.grad, expected / n_pairs, atol=1e-12)


def test_swav_gradients_are_those_of_finite_differences():
    # With respect to the views that only predict: assignments are held fixed, but do change.
    scores = cosines(5, 4, 3)

    def loss(local):
        return swav(torch.cat([scores[:, :2], local], dim=1), temperature=0.5)

    assert torch.autograd.gradcheck(loss, (scores[:, 2:].clone().requires_grad_(),))


def test_swav_order_of_samples_prototypes_and_like_views_does_not_matter():
    scores = cosines(6, 4, 3)
    expected = swav(scores)
    for order in ([1, 0, 2, 3], [0, 1, 3, 2]):
        assert_allclose(swav(scores[:, order]), expected)
    assert_allclose(swav(scores.flip(0)), expected)
    assert_allclose(swav(scores.flip(2)), expected)
    assert_allclose(swav(scores.flip(1), n_global_views=4), swav(scores, n_global_views=4))
    assert abs(swav(scores.flip(1)) - expected) > 1e-3


@pytest.mark.parametrize("n_global_views", [0, 3])
def test_swav_needs_as_many_views_as_are_assigned(n_global_views):
    with pytest.raises(ValueError, match=f"number of views, 2; got {n_global_views}"):
        swav(torch.eye(2).unsqueeze(1).expand(2, 2, 2), n_global_views=n_global_views)
