"""Latent traversals."""

import numpy as np
import pytest
from conftest import TINY
from figures import as_decoded, column_labels, data, drawn, every_kind, fitted, row_labels
from scipy.stats import norm

from sklearn_simvae import VAE, ContentStyleVAE, SimVAE
from sklearn_simvae.plotting import TraversalDisplay

pytestmark = pytest.mark.filterwarnings("ignore:.* has collapsed")


@every_kind
def test_one_component_changes_and_the_others_stay_at_the_first_row(kind):
    X, estimator = data(kind), fitted(kind)
    display = TraversalDisplay.from_estimator(estimator, X, [2, 0], n_steps=3, span=0.5)
    latents = estimator.encode(X)[0]
    shown = drawn(display.artists_)
    for row, component in enumerate([2, 0]):
        Z = np.tile(latents[0], (3, 1))
        Z[:, component] = np.quantile(latents[:, component], [0.25, 0.5, 0.75])
        np.testing.assert_allclose(display.values[row], Z[:, component], atol=1e-6)
        decoded = estimator.inverse_transform(Z)
        np.testing.assert_allclose(display.decoded[row], decoded, atol=1e-5)
        np.testing.assert_allclose(shown[row], as_decoded(decoded, kind), atol=1e-5)
    assert row_labels(display.axes_) == ["$z_{2}$", "$z_{0}$"]
    assert column_labels(display.axes_) == ["25 %", "50 %", "75 %"]


@pytest.mark.parametrize(
    "method, params, variance",
    [
        (SimVAE, {"style_variance": 0.5, "prior_variance": 4.0}, 4.5),
        (SimVAE, {}, 1.15),
        (VAE, {}, 1.0),
    ],
)
def test_without_rows_the_prior_tells(method, params, variance):
    estimator = fitted(method=method, **params)
    display = TraversalDisplay.from_estimator(estimator, components=[1], n_steps=5)
    expected = norm.ppf([0.05, 0.275, 0.5, 0.725, 0.95]) * variance**0.5
    np.testing.assert_allclose(display.values[0], expected, rtol=0.01, atol=1e-12)
    middle = estimator.inverse_transform(np.zeros((1, 3)))
    np.testing.assert_allclose(display.decoded[:, 2], middle, atol=1e-6)


def test_single_row_is_a_start_with_the_values_of_the_prior():
    X, estimator = data("flat"), fitted()
    display = TraversalDisplay.from_estimator(estimator, X[7:8], [1])
    expected = TraversalDisplay.from_estimator(estimator, components=[1]).values
    np.testing.assert_array_equal(display.values, expected)
    Z = np.tile(estimator.transform(X[7:8]), (9, 1))
    Z[:, 1] = expected[0]
    np.testing.assert_allclose(display.decoded[0], estimator.inverse_transform(Z), atol=1e-6)


def test_components_that_change_most_come_first():
    X = data("flat")
    estimator = fitted(n_components=12)
    display = TraversalDisplay.from_estimator(estimator, X, n_steps=2)
    change = display.decoded.var(1).sum(1)
    assert len(display.components) == len(change) == 10
    assert np.all(np.diff(change) <= 0)
    left_out = sorted(set(range(12)) - set(display.components))
    others = TraversalDisplay.from_estimator(estimator, X, left_out, 2)
    assert others.decoded.var(1).sum(1).max() <= change[-1]
    same = TraversalDisplay.from_estimator(estimator, X, list(display.components), 2)
    np.testing.assert_allclose(same.decoded, display.decoded, atol=1e-6)
    np.testing.assert_array_equal(same.values, display.values)


def test_content_and_style_are_marked_and_content_comes_first():
    estimator = fitted(method=ContentStyleVAE, n_components=5, n_content_components=2)
    display = TraversalDisplay.from_estimator(estimator, data("flat"), n_steps=2)
    labels = row_labels(display.axes_)
    assert sorted(labels[:2]) == ["content 0", "content 1"]
    assert sorted(labels[2:]) == ["style 0", "style 1", "style 2"]
    change = display.decoded.var(1).sum(1)
    assert change[0] >= change[1] and change[2] >= change[3] >= change[4]
    chosen = TraversalDisplay.from_estimator(estimator, data("flat"), [4, 1], n_steps=2)
    assert row_labels(chosen.axes_) == ["style 2", "content 1"]


def test_improper_prior_needs_rows():
    X = data("flat")
    estimator = SimVAE(**TINY, input_shape=(8, 8), prior_variance=None).fit(X)
    assert TraversalDisplay.from_estimator(estimator, X, n_steps=4).axes_.shape == (3, 4)
    for too_few in (None, X[:1]):
        with pytest.raises(ValueError, match="Give an X of several rows"):
            TraversalDisplay.from_estimator(estimator, too_few)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"components": [3]}, r"ints from 0 to 2; got \[3\]"),
        ({"components": [-1]}, "ints from 0 to 2"),
        ({"components": [0.0]}, "ints from 0 to 2"),
        ({"components": []}, "ints from 0 to 2"),
        ({"components": 1}, "must be a list.*got 1"),
        ({"n_steps": 1}, "n_steps must be an int of at least 2"),
        ({"span": 0}, "span must be a float above 0 and below 1"),
        ({"span": 1.0}, "span must be"),
        ({"span": "all"}, "span must be"),
    ],
)
def test_bad_parameters_are_told(params, message):
    with pytest.raises(ValueError, match=message):
        TraversalDisplay.from_estimator(fitted(), **params)
