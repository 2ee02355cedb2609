"""The content of some rows with the style of others."""

import numpy as np
import pytest
from figures import as_decoded, as_seen, column_labels, data, drawn, every_kind, fitted, row_labels
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_simvae import ContentStyleVAE
from sklearn_simvae.plotting import RecombinationDisplay

pytestmark = pytest.mark.filterwarnings("ignore:.* has collapsed")


def content_style(kind="flat", **params):
    return fitted(kind, ContentStyleVAE, **params)


@every_kind
def test_content_goes_down_and_style_across(kind):
    X, estimator = data(kind), content_style(kind)
    display = RecombinationDisplay.from_estimator(estimator, X[:2], X[2:5])
    np.testing.assert_array_equal(display.contents, X[:2])
    np.testing.assert_array_equal(display.styles, X[2:5])
    assert display.axes_.shape == display.artists_.shape == (3, 4)
    for i in range(2):
        for j in range(3):
            expected = estimator.recombine(X[i : i + 1], X[2 + j : 3 + j])[0]
            np.testing.assert_allclose(display.recombined[i, j], expected, atol=1e-5)
    shown = drawn(display.artists_[1:, 1:])
    np.testing.assert_allclose(
        shown.reshape(-1, *shown.shape[2:]),
        as_decoded(display.recombined.reshape(-1, *display.recombined.shape[2:]), kind),
        atol=1e-5,
    )
    np.testing.assert_allclose(drawn(display.artists_[:1, 1:])[0], as_seen(X[2:5], kind), atol=1e-6)
    assert display.artists_[0, 0] is None and not display.axes_[0, 0].get_visible()
    assert row_labels(display.axes_) == ["", "content", "content"]
    assert column_labels(display.axes_) == ["", "style", "style", "style"]


def test_rows_give_their_own_styles_where_no_others_are_given():
    X = data("flat")
    display = RecombinationDisplay.from_estimator(content_style(), X, n_samples=3)
    np.testing.assert_array_equal(display.styles, display.contents)
    assert display.axes_.shape == (4, 4)
    # Of a row with itself that is its reconstruction.
    estimator = content_style()
    decoded = estimator.inverse_transform(estimator.transform(X[:3]))
    np.testing.assert_allclose(display.recombined[range(3), range(3)], decoded, atol=1e-5)


def test_the_first_of_given_views_stands_for_a_sample():
    X, estimator = data("gray"), content_style("gray")
    views = np.stack([X, X[:, :, ::-1]], axis=1)
    display = RecombinationDisplay.from_estimator(estimator, views, n_samples=2)
    np.testing.assert_array_equal(display.contents, X[:2])


def test_rows_are_drawn_after_the_steps_before_the_estimator():
    X = data("vector")
    pipeline = make_pipeline(
        StandardScaler(), ContentStyleVAE(3, hidden_layer_sizes=(8,), max_epochs=1, random_state=0)
    ).fit(X)
    display = RecombinationDisplay.from_estimator(pipeline, X, n_samples=2)
    scaled = pipeline[0].transform(X)
    np.testing.assert_allclose(display.contents, scaled[:2], atol=1e-6)


def test_an_estimator_without_parts_is_refused():
    with pytest.raises(ValueError, match="a ContentStyleVAE; got SimVAE"):
        RecombinationDisplay.from_estimator(fitted(), data("flat"))
