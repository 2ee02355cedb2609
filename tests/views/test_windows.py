"""Windows of series of unequal length are their views."""

import numpy as np
import pytest

from sklearn_simvae.views.groups import Groups
from sklearn_simvae.views.ragged import read_ragged
from sklearn_simvae.views.windows import WindowSamples

LENGTHS = [6, 25, 9, 40, 3]
X = [i + np.arange(n)[:, None] / 100 for i, n in enumerate(LENGTHS)]
GROUPS = np.array([0, 0, 1, 1, 1])


@pytest.fixture
def make():
    def samples(groups=None, n_views=2):
        series, layout = read_ragged("SimVAE", X, input_shape=(10, 1))
        groups = None if groups is None else Groups(groups)
        return WindowSamples(series, layout, False, groups, n_views)

    return samples


def series_of(views):
    return np.floor(np.nanmax(views, axis=(-2, -1)))


def test_views_of_a_series_are_windows_of_it_drawn_anew(make):
    samples, rng = make(n_views=3), np.random.default_rng(0)
    which = np.array([3, 0, 1])
    first, mask = samples.take(which, rng)
    assert (first.shape, mask) == ((3, 3, 10, 1), None)
    np.testing.assert_array_equal(series_of(first), np.repeat(which[:, None], 3, 1))
    second, _ = samples.take(which, rng)
    assert (first[0] != second[0]).any()
    # What is not to be random is not.
    np.testing.assert_array_equal(samples.take(which)[0], samples.take(which)[0])


def test_parts_of_a_batch_for_several_processes_are_those_of_the_whole(make):
    samples, which = make(), np.arange(5)
    whole, _ = samples.draw(which, np.random.default_rng(1))
    parts = [
        samples.draw(which, np.random.default_rng(1), part)[0] for part in (slice(2), slice(2, 5))
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_of_rows_with_groups_each_row_gives_a_window(make):
    rows, mask = make(GROUPS, n_views=3).take(np.arange(2), np.random.default_rng(0))
    assert rows.shape == (2, 3, 10, 1)
    assert mask.sum(1).tolist() == [2, 3]
    assert set(series_of(rows[1])) == {2, 3, 4}


def test_as_they_are_series_are_covered_by_windows(make):
    batch = make().as_they_are(np.arange(5), "cpu")
    assert batch.views.shape == (5, 4, 1, 10)
    assert batch.mask.sum(1).tolist() == [1, 3, 1, 4, 1]
    n_steps = (~batch.views.isnan() & batch.mask[:, :, None, None]).sum((1, 2, 3))
    assert n_steps.tolist() == LENGTHS
    assert make().as_they_are(np.array([0, 2]), "cpu").mask is None


def test_groups_as_they_are_have_all_windows_of_their_rows(make):
    (found,) = make(GROUPS).group_batches("cpu")
    rows, given, batch = found
    n_steps = (~batch.views.isnan() & batch.mask[:, :, None, None]).sum((1, 2, 3))
    for own, there, steps in zip(rows, given, n_steps, strict=True):
        assert steps == sum(LENGTHS[row] for row in own[there])
    assert sorted(rows[given]) == [0, 1, 2, 3, 4]


def test_batches_hold_a_limited_number_of_windows(make, monkeypatch):
    monkeypatch.setattr("sklearn_simvae.views.windows._MAX_WINDOWS", 6)
    batches = list(make().batches("cpu"))
    assert [len(batch) for batch in batches] == [2, 1, 1, 1]
    assert [batch.views.shape[1] for batch in batches] == [3, 1, 4, 1]
    assert sum(len(batch) for batch in make(GROUPS).batches("cpu")) == 2


def test_subset_and_rows_share_the_series(make):
    samples = make(GROUPS)
    part = samples.subset(np.array([1]))
    assert (type(part), len(part), part.X is samples.X) == (WindowSamples, 1, True)
    assert len(samples.ungrouped()) == 5
    assert samples.reads_views and not make().views_given
