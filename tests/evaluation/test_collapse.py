"""How many directions a representation uses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from sklearn_simvae.evaluation import effective_rank

RNG = np.random.default_rng(0)


def with_singular_values(values, n=50):
    """Centred rows whose singular values are these."""
    left = RNG.standard_normal((n, len(values)))
    left = np.linalg.qr(left - left.mean(0))[0]
    right = np.linalg.qr(RNG.standard_normal((len(values), len(values))))[0]
    return left * values @ right


def by_hand(Z):
    """From the singular values themselves, with their entropy."""
    singular = np.linalg.svd(Z - Z.mean(0), compute_uv=False)
    p = singular / singular.sum()
    return np.exp(-sum(share * np.log(share) for share in p if share > 0))


@pytest.mark.parametrize(
    "values, expected",
    [
        ([1.0], 1),
        ([1.0, 1.0, 1.0], 3),
        ([7.0] * 20, 20),
        # Shares of 1/2, 1/4 and 1/4 have an entropy of 1.5 log 2.
        ([2.0, 1.0, 1.0], 2**1.5),
        ([3.0, 1.0], 4 / 3**0.75),
    ],
)
def test_known_spectra_have_the_known_rank(values, expected):
    assert effective_rank(with_singular_values(values)) == pytest.approx(expected)


def test_rank_is_of_singular_values_rather_than_of_variances():
    Z = [[2.0, 0], [-2, 0], [0, 1], [0, -1]]
    shares = np.array([2 / 3, 1 / 3])
    assert effective_rank(Z) == pytest.approx(np.exp(-np.sum(shares * np.log(shares))))


@pytest.mark.parametrize("n, d", [(40, 5), (5, 40), (2, 1), (2, 7)])
def test_rows_on_a_line_have_rank_one(n, d):
    line = RNG.standard_normal((n, 1)) @ RNG.standard_normal((1, d)) + RNG.standard_normal(d)
    assert effective_rank(line) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -3e7, 1e-30])
@pytest.mark.parametrize("n, d", [(100, 4), (3, 10), (1, 5)])
def test_rows_that_are_all_the_same_have_rank_zero(n, d, value):
    row = value * (1 + np.arange(d) / 3)
    assert effective_rank(np.tile(row, (n, 1))) == 0.0
    assert effective_rank(np.full((n, d), value, dtype=np.float32)) == 0.0


@pytest.mark.parametrize("n, d", [(60, 6), (6, 60), (8, 8)])
def test_either_side_may_be_the_longer(n, d):
    Z = RNG.standard_normal((n, d)) * np.geomspace(1, 1e-3, d)
    assert effective_rank(Z) == pytest.approx(by_hand(Z), rel=1e-6)


@pytest.mark.parametrize("factor", [1e-20, 1e-3, 3.0, -7.0, 1e20])
def test_scale_does_not_count(factor):
    Z = RNG.standard_normal((30, 5)) * [1, 2, 3, 4, 5]
    assert effective_rank(factor * Z) == pytest.approx(effective_rank(Z))


def test_neither_place_nor_direction_nor_order_count():
    Z = RNG.standard_normal((30, 5)) * [1, 2, 3, 4, 5]
    rotation = np.linalg.qr(RNG.standard_normal((5, 5)))[0]
    for same in (Z + 100 * np.arange(5), Z @ rotation, RNG.permutation(Z), np.vstack([Z, Z])):
        assert effective_rank(same) == pytest.approx(effective_rank(Z))


def test_components_that_copy_others_add_nothing():
    Z = RNG.standard_normal((100, 3))
    copied = effective_rank(np.hstack([Z, Z]))
    assert copied == pytest.approx(effective_rank(Z))


@settings(deadline=None, max_examples=200)
@given(
    arrays(
        np.float64,
        array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
        elements=st.floats(-1e6, 1e6, width=32),
    )
)
def test_rank_lies_between_one_and_the_smaller_side(Z):
    rank = effective_rank(Z)
    assert type(rank) is float
    # Between the two, rows differ by little more than their mean is rounded.
    if np.ptp(Z, 0).max() == 0:
        assert rank == 0
    elif np.ptp(Z, 0).max() > 1e-6 * np.abs(Z).max():
        assert 1 - 1e-9 <= rank <= min(Z.shape) + 1e-6


def test_lists_and_other_types_will_do_and_are_not_modified():
    Z = RNG.integers(0, 5, (20, 3))
    expected = effective_rank(Z.astype(float))
    for same in (Z, Z.tolist(), Z.astype(np.float32)):
        assert effective_rank(same) == pytest.approx(expected)
    kept = Z.copy()
    effective_rank(Z)
    np.testing.assert_array_equal(Z, kept)
