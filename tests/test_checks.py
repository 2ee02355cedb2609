"""Checks of numbers, sizes and labels, for several parts of the package."""

import numpy as np
import pandas as pd
import pytest

from sklearn_simvae._checks import (
    check_count,
    check_finite,
    check_positive_int,
    check_sizes,
    missing,
    seed_of,
)


@pytest.mark.parametrize("value", [1, np.int8(1), np.uint64(2**63), 2**70])
def test_positive_integers_of_any_type_become_int(value):
    found = check_positive_int(value, "n")
    assert type(found) is int and found == value


@pytest.mark.parametrize("value", [0, -1, 1.0, np.float32(2), True, np.True_, "1", None, [1]])
def test_what_is_no_positive_integer_is_refused_by_name_and_value(value):
    with pytest.raises(ValueError, match=r"^n must be a positive integer, got ") as error:
        check_positive_int(value, "n")
    assert str(error.value).endswith(f"got {value!r}.")


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [(3, (3,)), (np.int64(3), (3,)), ((), ()), ([4, 2], (4, 2)), (np.array([4, 2]), (4, 2))],
)
def test_sizes_become_a_tuple_of_int(sizes, expected):
    found = check_sizes(sizes, "sizes")
    assert found == expected and all(type(size) is int for size in found)


@pytest.mark.parametrize("sizes", ["", b"", "3", b"ab", None, True, 0, [3, 0], [3, None], 2.0])
def test_what_are_no_sizes_is_refused_by_name_and_value(sizes):
    with pytest.raises(ValueError, match=r"^sizes must be a positive integer or a seq") as error:
        check_sizes(sizes, "sizes")
    assert str(error.value).endswith(f"got {sizes!r}.")


def test_counts_are_held_to_their_least():
    check_count(2, "k", least=2)
    check_count(np.int32(1), "k")
    for value, least, wanted in ((1, 2, "an int of at least 2"), (0, 1, "a positive int")):
        with pytest.raises(ValueError, match=f"^k must be {wanted}, got {value}"):
            check_count(value, "k", least)
    with pytest.raises(ValueError, match="got True"):
        check_count(True, "k")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_first_row_that_is_not_finite_is_told_and_how_many_there_are(bad):
    made = np.zeros((9, 2, 3))
    assert check_finite("PCA", made) is made
    made[[4, 7], 1, 2] = bad
    with pytest.raises(ValueError, match=r"PCA .* of 2 of 9 rows of Z, the first of them row 4:"):
        check_finite("PCA", made, "Z")


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0.0, np.nan, 2.0]),
        np.array(["2020-01-01", "NaT", "2020-01-02"], "datetime64[D]"),
        np.array([1, "NaT", 2], "timedelta64[s]"),
        np.array(["a", None, "b"], dtype=object),
        np.array(["a", np.nan, "b"], dtype=object),
        np.array([1, pd.NA, 2], dtype=object),
        np.array([1, pd.NaT, 2], dtype=object),
        np.array([1, np.float32("nan"), 2], dtype=object),
    ],
    ids=lambda labels: f"{labels.dtype}-{labels[1]}",
)
def test_labels_that_are_missing_are_those_that_pandas_calls_missing(labels):
    np.testing.assert_array_equal(missing(labels), [False, True, False])
    np.testing.assert_array_equal(missing(labels), pd.isna(labels))


@pytest.mark.parametrize("labels", [[0, -1, 2], [True, False], ["", "nan", "None"]])
def test_labels_of_kinds_that_have_no_missing_value_are_all_there(labels):
    assert not missing(np.array(labels)).any()


def test_seeds_are_fixed_by_the_random_state_and_fresh_without():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert seed_of(3) == seed_of(3) == seed_of(np.random.RandomState(3)) != seed_of(4)
    # A random state moves on, so that two fits with it differ.
    rng = np.random.RandomState(3)
    assert seed_of(rng) != seed_of(rng)
    assert len({seed_of(None) for _ in range(5)}) == 5
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
