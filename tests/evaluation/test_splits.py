"""Splits into train, validation and test rows, and what is refused before they are used."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_content import CONTENT, NOISE, N, SpyClassifier

from sklearn_simvae.evaluation.probes import make_splits, probe


@pytest.mark.parametrize("with_groups", [False, True])
def test_parts_are_apart_together_all_rows_and_of_the_size_asked_for(with_groups):
    groups = np.arange(N) % 40 if with_groups else None
    splits = make_splits(
        N, [3, 4], test_size=0.25, validation_size=0.4, classes=CONTENT, groups=groups
    )
    for _, (train, validation, test) in splits:
        np.testing.assert_array_equal(
            np.sort(np.concatenate([train, validation, test])), np.arange(N)
        )
        assert [len(train), len(validation), len(test)] == [108, 72, 60]
        if not with_groups:
            for part in (train, validation, test):
                assert np.ptp(np.bincount(CONTENT[part])) == 0
    assert [seed for seed, _ in splits] == [3, 4]
    assert set(splits[0][1][2]) != set(splits[1][1][2])


def test_groups_do_not_cross_into_another_part(rng):
    groups = rng.integers(0, 30, N)
    for _, parts in make_splits(N, range(5), test_size=0.2, validation_size=0.2, groups=groups):
        train, validation, test = (set(groups[part]) for part in parts)
        assert not train & validation
        assert not train & test
        assert not validation & test


def test_a_probe_that_knows_groups_by_heart_reads_nothing_of_new_ones(rng):
    """Each group has a class and a place of its own, which do not go together."""
    groups = np.repeat(np.arange(60), 4)
    y = rng.permutation(np.repeat([0, 1], 30))[groups]
    Z = rng.standard_normal((60, 5))[groups]
    across = probe(None, Z, y, probes=["knn"], n_repeats=2, random_state=0)
    apart = probe(None, Z, y, groups=groups, probes=["knn"], n_repeats=5, random_state=0)
    assert across.mean(metric="accuracy") > 0.95
    assert apart.mean(metric="accuracy") < 0.75


def test_given_test_rows_are_all_tested_and_none_of_the_others(spied):
    X_test = NOISE[:30] + 100
    groups = np.arange(N) % 20
    probe(
        None,
        NOISE,
        CONTENT,
        X_test=X_test,
        y_test=CONTENT[:30] * 0,
        groups=groups,
        probes={"spy": SpyClassifier()},
        n_repeats=2,
        random_state=0,
    )
    assert [call[0] for call in spied] == ["fit", "predict"] * 2
    for _, X, _, _ in spied[1::2]:
        np.testing.assert_array_equal(X, X_test.astype(np.float32))
    for _, X, _, _ in spied[::2]:
        np.testing.assert_array_equal(np.sort(X, 0), np.sort(NOISE.astype(np.float32), 0))


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.integers(0, 3), min_size=2, max_size=5),
    st.sampled_from([0.1, 0.2, 0.35, 0.5, 0.7]),
    st.sampled_from([0.1, 0.2, 0.35, 0.5, 0.7]),
)
def test_as_many_rows_of_each_class_as_the_message_asks_for_are_enough(more, test, validation):
    def split(y):
        return make_splits(len(y), [0], test_size=test, validation_size=validation, classes=y)

    y = np.repeat([0, 1], [40, 1])
    with pytest.raises(ValueError, match="class 1 has 1 row") as info:
        split(y)
    needed = int(str(info.value).split("; ")[1].split()[0])
    y = np.repeat(np.arange(len(more)), np.add(more, needed))
    for _, parts in split(y):
        for part in parts:
            assert len(part) >= len(more)


def test_test_rows_must_be_of_the_same_kind():
    with pytest.raises(ValueError, match="6 features and X_test of 2"):
        probe(None, NOISE, CONTENT, X_test=NOISE[:4, :2], y_test=[0, 1, 2, 3])


@pytest.mark.parametrize("n_rare", [2, 3])
def test_class_that_is_not_in_every_part_is_refused(n_rare):
    y = np.repeat([0, 1], [100, n_rare])
    with pytest.raises(ValueError, match=f"the class 1 has {n_rare} row"):
        probe(None, np.random.default_rng(0).normal(size=(len(y), 2)), y, random_state=0)
