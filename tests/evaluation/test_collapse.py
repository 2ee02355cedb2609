"""How many directions a representation uses, and how evenly."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA

from sklearn_simvae import SimVAE
from sklearn_simvae.evaluation.collapse import (
    alignment,
    collapse_report,
    effective_rank,
    uniformity,
)

RNG = np.random.default_rng(0)


def with_singular_values(values, n=50):
    """Centered rows whose singular values are these."""
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


# ---------------------------------------------------------------- alignment and uniformity


def unit(Z):
    return Z / np.linalg.norm(Z, axis=-1, keepdims=True)


@pytest.mark.parametrize("n_views", [2, 3, 5])
def test_alignment_is_the_mean_over_pairs_of_views(n_views):
    Z = RNG.standard_normal((7, n_views, 3)) + 1
    pairs = list(itertools.combinations(range(n_views), 2))
    U = unit(Z)
    expected = np.mean([np.sum((U[:, i] - U[:, j]) ** 2, axis=-1) for i, j in pairs])
    assert alignment(Z) == pytest.approx(expected)


@pytest.mark.parametrize(
    "second, expected", [([2.0, 0.0], 0), ([0.0, 0.1], 2), ([-5.0, 0.0], 4), ([1.0, 1.0], 0.585786)]
)
def test_alignment_of_known_angles(second, expected):
    Z = np.array([[[1.0, 0.0], second]] * 3)
    assert alignment(Z) == pytest.approx(expected, abs=1e-6)


def test_uniformity_is_over_pairs_of_different_rows():
    Z = RNG.standard_normal((700, 3)) + np.eye(3)[0]
    expected = np.log(np.mean(np.exp(-2 * pdist(unit(Z), "sqeuclidean"))))
    assert uniformity(Z) == pytest.approx(expected)


@pytest.mark.parametrize(
    "Z, expected",
    [
        ([[1.0, 0.0], [3.0, 0.0], [0.5, 0.0]], 0),
        ([[1.0, 0.0], [0.0, 2.0]], -4),
        ([[1.0, 0.0], [-2.0, 0.0]], -8),
        ([[2.0], [5.0]], 0),
    ],
)
def test_uniformity_of_known_angles(Z, expected):
    assert uniformity(Z) == pytest.approx(expected, abs=1e-9)


def test_uniformity_falls_as_rows_spread_over_the_sphere():
    Z = RNG.standard_normal((600, 8))
    found = [uniformity(Z + shift * np.eye(8)[0]) for shift in (100, 3, 1, 0)]
    assert np.all(np.diff(found) < 0)
    assert found[0] > -0.01


def test_neither_length_nor_rotation_counts_for_either():
    Z = RNG.standard_normal((40, 2, 4))
    rotation = np.linalg.qr(RNG.standard_normal((4, 4)))[0]
    same = RNG.uniform(0.1, 10, (40, 2, 1)) * Z @ rotation
    assert alignment(same) == pytest.approx(alignment(Z))
    assert uniformity(same[:, 0]) == pytest.approx(uniformity(Z[:, 0]))


def test_representations_of_no_length_stay_where_they_are():
    assert alignment([[[0.0, 0.0], [0.0, 3.0]]]) == pytest.approx(1)
    assert alignment(np.zeros((3, 2, 4))) == 0
    assert uniformity([[0.0, 0.0], [0.0, 3.0]]) == pytest.approx(-2)
    assert uniformity(np.zeros((3, 4))) == 0


@pytest.mark.parametrize(
    "function, Z, message",
    [
        (alignment, np.zeros((5, 3)), "expected \\(n, n_views, n_components\\)"),
        (alignment, np.zeros((5, 1, 3)), "at least two views"),
        (alignment, np.full((5, 2, 3), np.nan), "NaN"),
        (uniformity, np.zeros((1, 3)), "minimum of 2"),
        (uniformity, np.zeros((5, 2, 3)), "dim 3"),
        (uniformity, np.full((5, 3), np.inf), "infinity"),
        (effective_rank, np.full((5, 3), np.nan), "NaN"),
        (effective_rank, np.zeros(3), "2D"),
    ],
)
def test_bad_representations_are_told(function, Z, message):
    with pytest.raises(ValueError, match=message):
        function(Z)


# ---------------------------------------------------------------- the report


def test_report_holds_what_the_functions_say():
    Z = RNG.standard_normal((50, 2, 4)) * [1, 2, 3, 4]
    report = collapse_report(None, Z)
    assert report.effective_rank == pytest.approx(effective_rank(Z.reshape(-1, 4)))
    assert report.n_components == 4
    np.testing.assert_allclose(report.variance, Z.reshape(-1, 4).var(0))
    assert report.n_dead == 0
    assert report.alignment == pytest.approx(alignment(Z))
    assert report.uniformity == pytest.approx(uniformity(Z[:, 0]))
    U = unit(Z)
    strangers = [pdist(U[:, view], "sqeuclidean").mean() for view in range(2)]
    assert report.alignment_of_strangers == pytest.approx(np.mean(strangers))


def test_rows_without_views_have_no_alignment():
    Z = RNG.standard_normal((50, 3))
    report = collapse_report("passthrough", Z)
    assert np.isnan(report.alignment)
    assert report.alignment_of_strangers == pytest.approx(pdist(unit(Z), "sqeuclidean").mean())
    assert report.uniformity == pytest.approx(uniformity(Z))


def test_dead_dimensions_are_counted():
    Z = RNG.standard_normal((100, 5)) * [1, 0.05, 0, 0.3, 10] + np.eye(5)[2] / 3
    assert collapse_report(None, Z).n_dead == 2
    assert collapse_report(None, Z[:, [0, 3, 4]] + 1e3).n_dead == 0


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0])
@pytest.mark.parametrize("shape", [(20, 3), (20, 2, 3), (20, 1)])
def test_report_of_a_collapsed_representation(shape, value):
    report = collapse_report(None, np.full(shape, value))
    assert report.effective_rank == 0
    assert report.n_dead == report.n_components == shape[-1]
    np.testing.assert_array_equal(report.variance, 0)
    assert report.alignment_of_strangers == pytest.approx(0, abs=1e-12)
    assert report.uniformity == pytest.approx(0, abs=1e-12)


def test_views_of_one_sample_are_nearer_than_strangers_unless_all_is_noise():
    content = RNG.standard_normal((100, 1, 6))
    noise = RNG.standard_normal((100, 2, 6))
    aligned, lost = collapse_report(None, content + 0.1 * noise), collapse_report(None, noise)
    assert aligned.alignment < 0.1 * aligned.alignment_of_strangers
    assert lost.alignment == pytest.approx(lost.alignment_of_strangers, rel=0.15)


def test_augmentation_makes_views_of_rows(digits):
    X = digits[0]
    pca = PCA(3).fit(X)
    report = collapse_report(pca, X, augmentation="auto", random_state=0)
    assert 0 < report.alignment < report.alignment_of_strangers
    report = collapse_report(pca, X, augmentation=lambda x: -x)
    assert report.alignment == 0
    np.testing.assert_allclose(report.variance, pca.transform(-X).var(0), rtol=1e-4)


def test_estimator_tells_images_from_views(sprites):
    estimator = SimVAE(3, hidden_layer_sizes=(16,), max_epochs=1, random_state=0).fit(sprites)
    rows, views = collapse_report(estimator, sprites[:, 0]), collapse_report(estimator, sprites)
    assert np.isnan(rows.alignment)
    Z = np.stack([estimator.transform(sprites[:, view]) for view in range(2)], axis=1)
    assert views.alignment == pytest.approx(alignment(Z))
    np.testing.assert_allclose(views.variance, Z.reshape(-1, 3).var(0), rtol=1e-4)
    np.testing.assert_allclose(rows.variance, Z[:, 0].var(0), rtol=1e-4)
    flat = sprites.reshape(40, 2, -1)
    assert collapse_report(estimator, flat).alignment == pytest.approx(views.alignment)


def test_random_state_fixes_the_report(digits):
    pca = PCA(3).fit(digits[0])
    first, again, other = (
        collapse_report(pca, digits[0], augmentation="auto", random_state=seed).alignment
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_uniformity_of_many_samples_is_of_some():
    Z = np.zeros((12_000, 2))
    Z[:, 0] = 1
    Z[::2, 0] = -1
    report = collapse_report(None, Z, random_state=0)
    # Half of the pairs are opposite, whichever samples count.
    assert report.uniformity == pytest.approx(np.log(0.5 + 0.5 * np.exp(-8)), abs=0.01)


def test_series_of_unequal_length():
    X = [RNG.standard_normal((n, 2)) for n in RNG.integers(10, 20, size=12)]
    simvae = SimVAE(3, kind="series", hidden_layer_sizes=(8,), max_epochs=1).fit(X)
    report = collapse_report(simvae, X, random_state=0)
    expected = collapse_report(None, simvae.transform(X), random_state=0)
    assert report.effective_rank == pytest.approx(expected.effective_rank)
    assert report.uniformity == pytest.approx(expected.uniformity)


@pytest.mark.parametrize(
    "X, params, message",
    [
        (np.zeros((1, 3)), {}, "1 samples; give at least 2"),
        (np.full((5, 3), np.nan), {}, "NaN"),
        (np.zeros((5, 1, 3)), {}, "no axis of at least two views"),
        (np.zeros((5, 2, 3)), {"augmentation": "auto"}, "views axis already"),
    ],
)
def test_report_tells_bad_input(X, params, message):
    with pytest.raises(ValueError, match=message):
        collapse_report(None, X, **params)
