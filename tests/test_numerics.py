"""The effective rank, where it is known; its public form has more tests beside it."""

import numpy as np
import pytest

from sklearn_simvae._numerics import known_means, smooth_rank, value_range


def in_directions(sizes, n=40):
    """Centered rows with these singular values, in random directions."""
    rng = np.random.default_rng(0)
    left = rng.standard_normal((n, len(sizes)))
    left = np.linalg.qr(left - left.mean(0))[0]
    right = np.linalg.qr(rng.standard_normal((len(sizes), len(sizes))))[0]
    return left * sizes @ right


def test_equal_directions_are_counted_and_unequal_ones_by_their_entropy():
    assert smooth_rank(in_directions([2.0] * 5)) == pytest.approx(5)
    p = np.array([0.5, 0.25, 0.25])
    # exp(-sum p log p) of halves and quarters: 2 ** 1.5.
    assert smooth_rank(in_directions(8 * p)) == pytest.approx(2**1.5)


def test_wide_and_long_arrays_have_the_rank_of_their_singular_values():
    rng = np.random.default_rng(0)
    for shape in ((30, 7), (7, 30), (12, 12)):
        Z = rng.standard_normal(shape)
        s = np.linalg.svd(Z - Z.mean(0), compute_uv=False)
        p = s / s.sum()
        p = p[p > 1e-12]
        assert smooth_rank(Z) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-5)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_neither_scale_nor_place_counts(scale):
    Z = in_directions([3.0, 1.0])
    expected = smooth_rank(Z)
    assert smooth_rank(scale * Z) == pytest.approx(expected)
    assert smooth_rank(scale * (Z + 5)) == pytest.approx(expected)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e8, 1e300])
def test_rows_that_are_all_equal_have_rank_zero(value):
    assert smooth_rank(np.full((50, 3), value)) == 0


@pytest.mark.parametrize("dtype", [float, np.float32, int])
def test_range_of_all_values_or_of_columns(dtype):
    X = np.array([[3, 1], [2, 5]], dtype=dtype)
    assert value_range(X) == (1, 5)
    assert [v.tolist() for v in value_range(X, axis=0)] == [[2, 1], [3, 5]]
    if dtype is not int:
        X[0, 1] = np.nan
        assert value_range(X) == (2, 5)
        assert [v.tolist() for v in value_range(X, axis=0)] == [[2, 5], [3, 5]]


def test_means_of_known_values():
    X = np.array([[1.0, np.nan, 2.0], [3.0, np.nan, np.nan]])
    assert known_means(X).tolist() == [2.0, 0.0, 2.0]
