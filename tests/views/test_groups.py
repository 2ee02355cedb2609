"""Rows drawn from groups."""

import time
import tracemalloc

import numpy as np
import pytest

from sklearn_simvae.views import Groups

SIZES = [1, 3, 2, 6, 1, 4]


def labels(sizes=SIZES, seed=0):
    """Shuffled labels 0, 1, ... of groups of these sizes."""
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))


generators = pytest.mark.parametrize("seed", [None, 0, 1], ids=["first rows", "seed 0", "seed 1"])


def generator(seed):
    return None if seed is None else np.random.default_rng(seed)


@generators
@pytest.mark.parametrize("n_views", [1, 2, 4, 9])
def test_drawn_rows_are_different_rows_of_the_group(n_views, seed):
    labeled = labels()
    for _ in range(20):
        indices = np.array([3, 0, 5, 2, 3])
        rows, mask = Groups(labeled).draw(indices, n_views, generator(seed))
        mask = np.ones(rows.shape, bool) if mask is None else mask
        # Padding included: a stranger's row would cost the encoder a pass for nothing.
        assert (labeled[rows] == indices[:, None]).all()
        for row, valid in zip(rows, mask, strict=True):
            assert len(set(row[valid])) == valid.sum()


@generators
@pytest.mark.parametrize("n_views", [1, 2, 4, 9])
def test_mask_tells_as_many_views_as_a_group_has_up_to_n_views(n_views, seed):
    rows, mask = Groups(labels()).draw(np.arange(len(SIZES)), n_views, generator(seed))
    expected = np.minimum(SIZES, n_views)
    assert rows.shape == (len(SIZES), expected.max())
    if n_views == 1:
        assert mask is None
    else:
        assert mask.shape == rows.shape
        np.testing.assert_array_equal(mask.sum(1), expected)
        assert (np.diff(mask.astype(int), axis=1) <= 0).all()


def test_there_is_no_mask_where_all_groups_are_large_enough():
    rows, mask = Groups(labels()).draw(np.array([1, 3, 5]), 3, np.random.default_rng(0))
    assert rows.shape == (3, 3)
    assert mask is None


def test_groups_smaller_than_n_views_give_all_their_rows():
    labeled = labels()
    rows, mask = Groups(labeled).draw(np.arange(len(SIZES)), 9, np.random.default_rng(0))
    assert sorted(rows[mask]) == list(range(len(labeled)))


def test_first_rows_are_taken_in_order_without_a_generator():
    labeled = labels()
    rows, _ = Groups(labeled).draw(np.array([3]), 4)
    np.testing.assert_array_equal(rows[0], np.flatnonzero(labeled == 3)[:4])


@pytest.mark.parametrize("n_views", [1, 2, 3, 5])
def test_rows_of_a_large_group_are_drawn_uniformly_at_each_place(n_views):
    size, draws = 6, 20_000
    groups = Groups(np.zeros(size))
    rows, _ = groups.draw(np.zeros(draws, dtype=int), n_views, np.random.default_rng(0))
    counts = np.stack([np.bincount(column, minlength=size) for column in rows.T])
    error = np.sqrt(draws / size * (1 - 1 / size))
    assert (np.abs(counts - draws / size) < 4.5 * error).all()


def test_pairs_of_a_large_group_are_drawn_uniformly():
    size, draws = 5, 20_000
    groups = Groups(np.zeros(size))
    rows, _ = groups.draw(np.zeros(draws, dtype=int), 2, np.random.default_rng(0))
    counts = np.bincount(rows @ [size, 1], minlength=size**2).reshape(size, size)
    expected = draws / (size * (size - 1))
    assert (np.diag(counts) == 0).all()
    assert (np.abs(counts[~np.eye(size, dtype=bool)] - expected) < 4.5 * np.sqrt(expected)).all()


def test_draws_follow_the_generator():
    groups, indices = Groups(np.zeros(1000)), np.zeros(5, dtype=int)
    first, again, other = (
        groups.draw(indices, 3, np.random.default_rng(seed))[0] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    rng = np.random.default_rng(0)
    assert (groups.draw(indices, 3, rng)[0] != groups.draw(indices, 3, rng)[0]).any()


@pytest.mark.parametrize(
    "names",
    [
        [5, -2, 10**12],
        [0.5, -np.inf, 2.0],
        ["b", "a", "ab"],
        np.array(["b", "a", "ab"], dtype=object),
        np.array([2, 0, 1], dtype=np.uint8),
        np.array(["2024-01-02", "2023-01-01", "2024-01-01"], dtype="datetime64[D]"),
        [True, False],
    ],
    ids=["int", "float", "str", "object", "uint8", "date", "bool"],
)
def test_labels_may_be_of_any_sortable_kind_and_in_any_order(names):
    names = np.asarray(names)
    labeled = names[np.random.default_rng(0).integers(len(names), size=30)]
    groups = Groups(labeled)
    assert len(groups) == len(names)
    rows, mask = groups.draw(np.arange(len(groups)), 30)
    for row, valid, size in zip(rows, mask, groups.sizes, strict=True):
        (label,) = set(labeled[row].tolist())
        np.testing.assert_array_equal(row[valid], np.flatnonzero(labeled == label))
        assert size == valid.sum()


@pytest.mark.parametrize("max_rows", [1, 4, 7, 1000])
def test_batches_cover_each_group_once_within_max_rows(max_rows):
    groups = Groups(labels())
    batches = list(groups.batches(max_rows))
    assert sorted(np.concatenate(batches)) == list(range(len(groups)))
    for indices in batches:
        rows, _ = groups.draw(indices, groups.sizes.max())
        assert rows.size <= max_rows or len(indices) == 1


def test_batches_of_many_small_groups_are_full():
    groups = Groups(np.repeat(np.arange(1000), 2))
    assert [len(indices) for indices in groups.batches(400)] == [200] * 5


def test_giant_group_is_drawn_quickly_and_in_place():
    groups = Groups(np.append(np.zeros(1_000_000, dtype=np.int8), [1, 1]))
    indices = np.tile([0, 1], 128)
    tracemalloc.start()
    start = time.perf_counter()
    rows, _ = groups.draw(indices, 8, np.random.default_rng(0))
    seconds, (_, peak) = time.perf_counter() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows.shape == (256, 8)
    assert rows[::2].max() > 500_000
    assert peak < 1e6
    assert seconds < 0.5
