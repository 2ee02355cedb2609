"""Retrieval across modalities: what brute force finds, whatever the blocks, in little memory."""

import subprocess
import sys
import tracemalloc
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics.pairwise import cosine_similarity

from sklearn_simvae.multimodal import recall_at_k, retrieval, retrieve

RNG = np.random.default_rng(0)
seeds = st.integers(0, 2**32 - 1)


def blocks(max_values):
    """Holds that many similarities at once."""
    return mock.patch.object(retrieval, "_MAX_VALUES", max_values)


def signed_axes(rng, n, d):
    """Vectors along axes: their cosines with anything are exact, and many are equal."""
    vectors = np.eye(d)[rng.integers(d, size=n)]
    return vectors * rng.choice([-1, 1], (n, 1))


def recall_by_hand(queries, targets, k):
    """The mean over the ways in which ties can be broken, one query at a time."""
    found = []
    for i, row in enumerate(cosine_similarity(queries, targets)):
        tied = np.isclose(row, row[i], atol=1e-6)
        first = np.sum((row > row[i]) & ~tied)
        found.append(np.mean(np.arange(first, first + tied.sum()) < k))
    return np.mean(found)


# ---------------------------------------------------------------- retrieve


@settings(max_examples=60, deadline=None)
@given(
    n_queries=st.integers(1, 20),
    n_targets=st.integers(1, 30),
    d=st.integers(1, 5),
    max_values=st.sampled_from([1, 7, 40, 100, 10_000]),
    data=st.data(),
    seed=seeds,
)
def test_retrieved_is_what_sorting_all_finds_ties_in_the_order_of_the_targets(
    n_queries, n_targets, d, max_values, data, seed
):
    k = data.draw(st.integers(1, n_targets))
    rng = np.random.default_rng(seed)
    queries, targets = rng.standard_normal((n_queries, d)), signed_axes(rng, n_targets, d)
    with blocks(max_values):
        indices, similarities = retrieve(queries, targets, k)
    # Rounded as it was: of two values that float32 takes for one, neither comes first.
    everything = cosine_similarity(queries, targets).astype(np.float32)
    expected = np.argsort(-everything, axis=1, kind="stable")[:, :k]
    values = np.take_along_axis(everything, indices, axis=1)
    assert_allclose(similarities, values, atol=1e-6)
    assert_allclose(values, np.take_along_axis(everything, expected, axis=1), atol=1e-6)
    # Among targets that are the same vector, the first ones, in order.
    for found in indices:
        assert len(set(found)) == k
        for axis in np.unique(targets, axis=0):
            same = [i for i in found if np.array_equal(targets[i], axis)]
            assert same == list(np.flatnonzero((targets == axis).all(1))[: len(same)])


@pytest.mark.parametrize("max_values", [1, 150, 2**24])
@pytest.mark.parametrize("k", [1, 3, 50])
def test_retrieved_of_continuous_embeddings_is_what_sorting_all_finds(k, max_values):
    queries, targets = RNG.standard_normal((40, 8)), RNG.standard_normal((50, 8))
    with blocks(max_values):
        indices, similarities = retrieve(queries, targets, k)
    everything = cosine_similarity(queries, targets)
    assert_array_equal(indices, np.argsort(-everything, axis=1)[:, :k])
    assert_allclose(similarities, -np.sort(-everything, axis=1)[:, :k], atol=1e-6)
    assert indices.dtype.kind == "i" and similarities.dtype == np.float32


def test_targets_that_are_all_the_same_are_retrieved_in_their_order():
    indices, similarities = retrieve([[3.0, 4.0]], np.tile([0.0, 2.0], (50, 1)), k=5)
    assert_array_equal(indices, [np.arange(5)])
    assert_allclose(similarities, 0.8, rtol=1e-6)


def test_length_of_embeddings_does_not_count():
    queries, targets = RNG.standard_normal((9, 4)), RNG.standard_normal((12, 4))
    expected = retrieve(queries, targets, 3)
    found = retrieve(queries * 7, targets * RNG.uniform(0.1, 9, (12, 1)), 3)
    assert_array_equal(found[0], expected[0])
    assert_allclose(found[1], expected[1], atol=1e-6)


def test_inputs_are_left_as_they_are():
    queries = RNG.standard_normal((5, 3)).astype(np.float32)
    before = queries.copy()
    retrieve(queries, queries, 2)
    recall_at_k(queries, queries)
    assert_array_equal(queries, before)


# ---------------------------------------------------------------- recall


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 25),
    d=st.integers(1, 4),
    k=st.integers(1, 30),
    tied=st.booleans(),
    max_values=st.sampled_from([1, 7, 100, 10_000]),
    seed=seeds,
)
def test_recall_is_what_counting_gives(n, d, k, tied, max_values, seed):
    rng = np.random.default_rng(seed)
    draw = signed_axes if tied else (lambda rng, n, d: rng.standard_normal((n, d)))
    queries, targets = draw(rng, n, d), draw(rng, n, d)
    with blocks(max_values):
        recall = recall_at_k(queries, targets, k)
    assert recall == {k: pytest.approx(recall_by_hand(queries, targets, k))}


@pytest.mark.parametrize("n, d", [(1, 3), (10, 64), (37, 3), (300, 100)])
@pytest.mark.parametrize("max_values", [64, 2**24])
def test_recall_of_constant_embeddings_is_chance(n, d, max_values):
    constant = np.tile(RNG.standard_normal(d), (n, 1))
    with blocks(max_values):
        recall = recall_at_k(constant, constant, (1, 5, n))
    assert recall == {k: pytest.approx(min(k / n, 1)) for k in (1, 5, n)}


def test_recall_of_strangers_is_chance_and_of_the_same_is_perfect():
    a, b = RNG.standard_normal((2, 2000, 16))
    recall = recall_at_k(a, b, (1, 20, 200, 2000))
    for k, value in recall.items():
        assert value == pytest.approx(k / 2000, abs=4 * np.sqrt(k / 2000 / 2000))
    assert recall_at_k(a, a + 0.01 * b) == {1: 1.0, 5: 1.0, 10: 1.0}


def test_recall_agrees_with_retrieve():
    a = RNG.standard_normal((100, 4))
    b = a + RNG.standard_normal((100, 4))
    indices, _ = retrieve(a, b, 7)
    own = np.arange(100)[:, None]
    for k, value in recall_at_k(a, b, (1, 3, 7)).items():
        assert value == pytest.approx((indices[:, :k] == own).any(1).mean())


def test_recall_grows_with_k_and_takes_one_or_several():
    a = RNG.standard_normal((100, 4))
    b = a + 2 * RNG.standard_normal((100, 4))
    recall = recall_at_k(a, b, [1, 10, 50, 100])
    assert list(recall) == [1, 10, 50, 100]
    assert 0 < recall[1] < recall[10] < recall[50] < recall[100] == 1
    assert recall_at_k(a, b, 10) == {10: recall[10]}


# ---------------------------------------------------------------- memory


@pytest.mark.parametrize("function", [retrieve, recall_at_k])
def test_memory_does_not_grow_with_the_matrix_of_similarities(function):
    def peak(n):
        a = RNG.standard_normal((n, 4), dtype=np.float32)
        tracemalloc.start()
        function(a, a, 1)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    with blocks(2**16):
        assert peak(4000) < 2 * peak(1000)


RETRIEVE = """
import numpy as np
from sklearn_simvae.multimodal import retrieve
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
rng = np.random.default_rng(0)
a, b = rng.standard_normal((2, 20_000, 64), dtype=np.float32)
retrieve(a[:10], b[:10], 1)
before = peak()
retrieve(a, b, 10)
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells peak memory on Linux")
def test_resident_memory_stays_far_below_the_matrix_of_similarities():
    # Of a process of its own: what others had is not told from what this needs.
    run = subprocess.run([sys.executable, "-c", RETRIEVE], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    # In KiB; the matrix has 1.6 GB.
    assert int(run.stdout) < 400_000


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "queries, targets, k, message",
    [
        (np.ones((3, 2)), np.ones((4, 3)), 1, "2 dimensions and targets 3"),
        (np.ones((3, 2)), np.ones((4, 2)), 5, "k must be an int from 1 to .*4; got 5"),
        (np.ones((3, 2)), np.ones((4, 2)), 0, "got 0"),
        (np.ones((3, 2)), np.ones((4, 2)), 1.5, "got 1.5"),
        (np.full((3, 2), np.nan), np.ones((4, 2)), 1, "queries contains NaN"),
        (np.ones((3, 2)), np.full((4, 2), np.inf), 1, "targets contains infinity"),
        (np.ones(3), np.ones((4, 3)), 1, "2D"),
    ],
)
def test_retrieve_tells_bad_input(queries, targets, k, message):
    with pytest.raises(ValueError, match=message):
        retrieve(queries, targets, k)


@pytest.mark.parametrize(
    "queries, targets, k, message",
    [
        (np.ones((3, 2)), np.ones((4, 2)), 1, "there are 3 and 4"),
        (np.ones((3, 2)), np.ones((3, 4)), 1, "2 dimensions and targets 4"),
        (np.ones((3, 2)), np.ones((3, 2)), 0, "k must be a positive int.*got 0"),
        (np.ones((3, 2)), np.ones((3, 2)), (1, 2.5), "positive int"),
        (np.ones((3, 2)), np.ones((3, 2)), (), "positive int"),
    ],
)
def test_recall_tells_bad_input(queries, targets, k, message):
    with pytest.raises(ValueError, match=message):
        recall_at_k(queries, targets, k)
