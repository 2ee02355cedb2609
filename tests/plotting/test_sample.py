"""Samples of the model in a grid."""

import numpy as np
import pytest
from conftest import TINY
from figures import as_decoded, column_labels, data, drawn, every_kind, fitted

from sklearn_simvae import SimVAE
from sklearn_simvae.plotting import SampleDisplay

pytestmark = pytest.mark.filterwarnings("ignore:.* has collapsed")


@every_kind
def test_samples_are_those_of_the_estimator(kind):
    estimator = fitted(kind)
    display = SampleDisplay.from_estimator(estimator, 4, random_state=1)
    samples = estimator.sample(4, random_state=1)
    np.testing.assert_array_equal(display.samples, samples)
    shown = drawn(display.artists_)
    assert shown.shape[:2] == (2, 2)
    np.testing.assert_allclose(
        shown.reshape(4, *shown.shape[2:]), as_decoded(samples, kind), atol=1e-6
    )


@every_kind
def test_views_of_a_sample_stand_in_a_row(kind):
    estimator = fitted(kind)
    display = SampleDisplay.from_estimator(estimator, 2, n_views=3, random_state=1)
    samples = estimator.sample(2, 3, random_state=1)
    shown = drawn(display.artists_)
    for row in range(2):
        np.testing.assert_allclose(shown[row], as_decoded(samples[row], kind), atol=1e-6)
    assert column_labels(display.axes_) == ["view 1", "view 2", "view 3"]


@pytest.mark.parametrize("n, shape", [(1, (1, 1)), (2, (1, 2)), (5, (2, 3)), (16, (4, 4))])
def test_grid_is_nearly_square_and_empty_places_are_not_seen(n, shape):
    display = SampleDisplay.from_estimator(fitted(), n)
    assert display.axes_.shape == display.artists_.shape == shape
    assert [ax.get_visible() for ax in display.axes_.flat] == [
        place < n for place in range(np.prod(shape))
    ]


def test_random_state_fixes_the_samples():
    first, again, other = (
        SampleDisplay.from_estimator(fitted(), 3, random_state=seed).samples for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_improper_prior_is_told():
    estimator = SimVAE(**TINY, input_shape=(8, 8), prior_variance=None).fit(data("flat"))
    with pytest.raises(ValueError, match="improper prior"):
        SampleDisplay.from_estimator(estimator)


@pytest.mark.parametrize("params", [{"n_samples": 0}, {"n_views": 0}, {"n_views": 1.5}])
def test_numbers_are_checked(params):
    with pytest.raises(ValueError, match=f"{next(iter(params))} must be a positive int"):
        SampleDisplay.from_estimator(fitted(), **params)
