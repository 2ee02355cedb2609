"""Rows beside what the augmentation makes of them."""

import random

import numpy as np
import pytest
import torch
from conftest import TINY
from figures import KINDS, as_decoded, as_seen, column_labels, data, drawn, every_kind, fitted
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_simvae import CRVAE, SimCLR, SimVAE, SwAV
from sklearn_simvae.plotting import ViewsDisplay
from sklearn_simvae.views import FeatureMasking, MultiView

pytestmark = pytest.mark.filterwarnings("ignore:.* has collapsed")


@every_kind
def test_row_stands_before_its_views(kind):
    X = data(kind)
    estimator = SimVAE(**{**TINY, **KINDS[kind]})
    display = ViewsDisplay.from_estimator(estimator, X, 2, 3, random_state=0)
    assert display.views.shape == (2, 3, *X.shape[1:])
    np.testing.assert_array_equal(display.rows, X[:2])
    shown = drawn(display.artists_)
    np.testing.assert_allclose(shown[:, 0], as_seen(X[:2], kind), atol=1e-6)
    for row in range(2):
        seen = as_decoded(display.views[row], kind)
        np.testing.assert_allclose(shown[row, 1:], seen, atol=1e-6)
    assert column_labels(display.axes_) == ["row", "view 1", "view 2", "view 3"]
    assert not np.allclose(display.views[:, 0], display.views[:, 1])


@every_kind
def test_fitted_or_not_makes_no_difference(kind):
    estimator = fitted(kind)
    again = ViewsDisplay.from_estimator(estimator, data(kind), 2, 1, random_state=0)
    first = ViewsDisplay.from_estimator(
        SimVAE(**{**TINY, **KINDS[kind]}), data(kind), 2, 1, random_state=0
    )
    np.testing.assert_array_equal(again.views, first.views)


def test_augmentation_of_the_estimator_is_used():
    X = data("vector")
    estimator = SimCLR(augmentation=lambda x: -x)
    views = ViewsDisplay.from_estimator(estimator, X, 3, 2).views
    np.testing.assert_allclose(views, np.repeat(-X[:3, None], 2, axis=1), rtol=1e-6)
    views = ViewsDisplay.from_estimator(SimCLR(augmentation=None), X, 3, 2).views
    np.testing.assert_allclose(views, np.repeat(X[:3, None], 2, axis=1), rtol=1e-6)


def test_each_view_has_its_own_augmentation():
    estimator = SimCLR(augmentation=MultiView([None, FeatureMasking(1.0)]))
    views = ViewsDisplay.from_estimator(estimator, data("vector"), 3, 3).views
    np.testing.assert_allclose(views[:, 0], data("vector")[:3], rtol=1e-6)
    np.testing.assert_array_equal(views[:, 1:], 0)


def test_small_crops_of_multi_crop_are_shown():
    X = data("flat")
    estimator = SwAV(n_views=6, input_shape=(8, 8))
    views = ViewsDisplay.from_estimator(estimator, X, 10, 6, random_state=0).views
    # The less of a picture there is, the smoother it becomes.
    roughness = np.abs(np.diff(views.reshape(10, 6, 8, 8), axis=-1)).mean((0, 2, 3))
    assert roughness[2:].max() < roughness[:2].min()


def test_row_itself_is_not_shown_twice():
    views = ViewsDisplay.from_estimator(CRVAE(), data("vector"), 3, 2, random_state=0).views
    assert np.all(np.any(views != data("vector")[:3, None].astype(np.float32), axis=2).sum(0) >= 1)


def test_features_come_from_other_rows_than_those_that_are_shown():
    X = np.arange(60.0)[:, None].repeat(5, axis=1)
    views = ViewsDisplay.from_estimator(SimVAE(), X, 2, 4, random_state=0).views
    assert np.max(views) > 1


def test_random_state_fixes_the_views_also_of_foreign_augmentations():
    by_python = lambda x: x + random.random()  # noqa: E731
    for augmentation in ("auto", lambda x: x + torch.randn_like(x), by_python):
        estimator = SimVAE(augmentation=augmentation)
        first, again, other = (
            ViewsDisplay.from_estimator(estimator, data("vector"), 2, 1, random_state=seed).views
            for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)


def test_neither_rows_nor_estimator_change():
    X, estimator = data("flat").copy(), SimVAE(input_shape=(8, 8))
    ViewsDisplay.from_estimator(estimator, X, 2, 1)
    np.testing.assert_array_equal(X, data("flat"))
    assert vars(estimator) == vars(SimVAE(input_shape=(8, 8)))


def test_steps_before_must_be_fitted():
    pipe = make_pipeline(StandardScaler(), SimVAE())
    with pytest.raises(NotFittedError):
        ViewsDisplay.from_estimator(pipe, data("vector"))
    pipe[0].fit(data("vector"))
    display = ViewsDisplay.from_estimator(pipe, data("vector"), 2, 1)
    np.testing.assert_allclose(display.rows, pipe[0].transform(data("vector"))[:2])


@pytest.mark.parametrize(
    "estimator, X, params, message",
    [
        (SimVAE(), np.zeros((5, 2, 3)), {}, "has a views axis already"),
        (SimVAE(), np.zeros((5, 3)), {"n_views": 0}, "n_views must be a positive int"),
        (SimVAE(), np.zeros((5, 3)), {"n_samples": "all"}, "n_samples must be a positive int"),
        (SimVAE(augmentation=3), np.zeros((5, 3)), {}, "'augmentation' parameter"),
        (SimVAE(input_shape=(8, 8)), np.zeros((5, 3)), {}, "does not fit input_shape"),
        (SimVAE(augmentation=lambda x: x[:, :2]), np.zeros((5, 3)), {}, "for a batch of shape"),
    ],
)
def test_bad_input_is_told(estimator, X, params, message):
    with pytest.raises(ValueError, match=message):
        ViewsDisplay.from_estimator(estimator, X, **params)
