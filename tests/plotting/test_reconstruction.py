"""Rows above what is decoded of them."""

import numpy as np
import pandas as pd
import pytest
from conftest import TINY
from figures import as_decoded, as_seen, column_labels, data, drawn, every_kind, fitted, row_labels

from sklearn_simvae import VAE
from sklearn_simvae.plotting import ReconstructionDisplay

pytestmark = pytest.mark.filterwarnings("ignore:.* has collapsed")


@every_kind
def test_rows_stand_above_what_is_decoded_of_their_latents(kind):
    X, estimator = data(kind), fitted(kind)
    display = ReconstructionDisplay.from_estimator(estimator, X, 3)
    decoded = estimator.inverse_transform(estimator.transform(X[:3]))
    np.testing.assert_array_equal(display.originals, X[:3])
    np.testing.assert_allclose(display.reconstructions, decoded, atol=1e-6)
    shown = drawn(display.artists_)
    np.testing.assert_allclose(shown[0], as_seen(X[:3], kind), atol=1e-6)
    np.testing.assert_allclose(shown[1], as_decoded(decoded, kind), atol=1e-6)
    assert row_labels(display.axes_) == ["original", "decoded"]
    assert column_labels(display.axes_) == ["", "", ""]


def test_views_of_a_sample_stand_in_its_column():
    X, estimator = data("gray"), fitted("gray")
    views = np.stack([X, X[:, :, ::-1]], axis=1)
    display = ReconstructionDisplay.from_estimator(estimator, views, 5)
    assert row_labels(display.axes_) == ["view 1", "decoded", "view 2", "decoded"]
    shown = drawn(display.artists_)
    for view in range(2):
        own = ReconstructionDisplay.from_estimator(estimator, views[:, view], 5)
        np.testing.assert_allclose(shown[2 * view : 2 * view + 2], drawn(own.artists_), atol=1e-6)


def test_all_rows_are_drawn_where_there_are_fewer():
    display = ReconstructionDisplay.from_estimator(fitted(), data("flat")[:3])
    assert display.axes_.shape == (2, 3)


def test_hidden_representations_are_decoded_from_the_latents_all_the_same():
    X = data("flat")
    estimator = fitted(representation="hidden")
    display = ReconstructionDisplay.from_estimator(estimator, X, 2)
    latents = estimator.encode(X[:2])[0]
    np.testing.assert_allclose(
        display.reconstructions, estimator.inverse_transform(latents), atol=1e-6
    )


def test_frames_and_lists_are_taken():
    X = data("vector")
    expected = ReconstructionDisplay.from_estimator(fitted("vector"), X, 2).reconstructions
    found = ReconstructionDisplay.from_estimator(fitted("vector"), X.tolist(), 2)
    np.testing.assert_allclose(found.reconstructions, expected, atol=1e-6)
    frame = pd.DataFrame(X, columns=list("abcde"))
    estimator = VAE(**TINY).fit(frame)
    found = ReconstructionDisplay.from_estimator(estimator, frame, 2)
    np.testing.assert_allclose(found.originals, X[:2])


def test_shares_of_counts_are_drawn_as_counts():
    X = np.random.default_rng(0).poisson(5, (30, 6)).astype(float)
    estimator = VAE(**TINY, likelihood="multinomial").fit(X)
    display = ReconstructionDisplay.from_estimator(estimator, X, 4)
    np.testing.assert_allclose(display.reconstructions.sum(1), X[:4].sum(1), rtol=1e-5)


def test_lines_and_bars_share_their_scale():
    for kind in ("series", "vector"):
        display = ReconstructionDisplay.from_estimator(fitted(kind), data(kind), 3)
        assert len({ax.get_ylim() for ax in display.axes_.flat}) == 1


@pytest.mark.parametrize("n_samples", [0, -1, 2.0, True, None])
def test_number_of_rows_is_checked(n_samples):
    with pytest.raises(ValueError, match="n_samples must be a positive int"):
        ReconstructionDisplay.from_estimator(fitted(), data("flat"), n_samples)


def test_rows_of_another_kind_are_told():
    with pytest.raises(ValueError, match="expecting 64 features"):
        ReconstructionDisplay.from_estimator(fitted(), data("vector"))
