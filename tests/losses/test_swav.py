"""SwAV's loss and its balance, against numpy written out by hand and known values."""

import math

import numpy as np
import pytest
import torch
from by_hand import (
    assert_missing_views_do_not_count,
    assert_terms,
    batches,
    draws,
    softmax_terms_by_hand,
    some_missing,
    terms_of,
)
from numpy.testing import assert_allclose
from scipy.optimize import linear_sum_assignment

from sklearn_simvae.losses import sinkhorn, swav


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
