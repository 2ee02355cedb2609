"""Axes and figures of the displays, and rows as they are drawn."""

import sys

import numpy as np
import pytest
import torch
from conftest import TINY
from figures import DIVIDED, GENERATIVE, MAKE, axes_of, drawn, every_display, fitted, with_parts
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text

from sklearn_simvae import VAE, SimVAE, plotting
from sklearn_simvae.plotting import (
    EmbeddingDisplay,
    ProbeDisplay,
    ReconstructionDisplay,
    SampleDisplay,
    ViewsDisplay,
)

pytestmark = pytest.mark.filterwarnings("ignore:.* has collapsed")


def test_every_display_is_tested_here():
    assert len(MAKE) == len(plotting.__all__)


@every_display
def test_without_ax_one_figure_is_made(name):
    display = MAKE[name](with_parts())
    assert plt.get_fignums() == [display.figure_.number]
    assert isinstance(display.figure_, Figure)
    assert display.figure_.get_layout_engine() is not None
    assert {ax.figure for ax in axes_of(display)} == {display.figure_}
    assert max(display.figure_.get_size_inches()) <= 12


@every_display
def test_ax_is_used_and_nothing_else_of_pyplot_changes(name):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    other = plt.figure()
    display = MAKE[name](with_parts(), ax=right)
    assert plt.get_fignums() == [figure.number, other.number]
    assert plt.gcf() is other
    assert figure.gca() is right
    assert display.figure_ is figure
    figure.canvas.draw()
    middle = left.get_position().x1
    assert all(ax.get_position().x0 >= middle for ax in axes_of(display))
    assert not left.has_data()


@every_display
def test_plot_draws_again_elsewhere_and_gives_itself(name):
    display = MAKE[name](with_parts())
    first = display.figure_
    _, ax = plt.subplots()
    assert display.plot(ax) is display
    assert display.figure_ is ax.figure is not first


@pytest.mark.parametrize("name", DIVIDED)
def test_title_of_a_divided_ax_stays_above_the_titles_of_the_parts(name):
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    axes[1].set_title("all of it")
    display = MAKE[name](with_parts(), ax=axes[1])
    figure.canvas.draw()
    first = display.axes_[0, 0]
    title = first.get_title(loc="left")
    assert title.strip() == "all of it"
    assert axes[1].get_title() == ""
    (text,) = (artist for artist in first.findobj(Text) if artist.get_text() == title)
    part = first.title.get_window_extent()
    assert text.get_window_extent().y1 > part.y1 + 0.5 * part.height


@pytest.mark.parametrize("name", DIVIDED)
def test_ax_that_cannot_be_divided_is_told(name):
    ax = plt.figure().add_axes((0.1, 0.1, 0.5, 0.5))
    with pytest.raises(ValueError, match="must be a subplot"):
        MAKE[name](with_parts(), ax=ax)


def test_ax_that_need_not_be_divided_may_be_anywhere():
    ax = plt.figure().add_axes((0.1, 0.1, 0.5, 0.5))
    assert SampleDisplay.from_estimator(with_parts(), 1, ax=ax).axes_[0, 0] is ax


@every_display
def test_without_matplotlib_the_extra_is_named(name, monkeypatch):
    estimator = fitted()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"needs matplotlib.*sklearn-simvae\[plot\]"):
        MAKE[name](estimator)


@every_display
def test_global_random_states_are_not_touched(name):
    estimator = with_parts()
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    MAKE[name](estimator)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


@pytest.mark.parametrize("name", [*GENERATIVE, "views"])
def test_images_have_no_ticks_and_sharp_pixels(name):
    display = MAKE[name](with_parts())
    for ax, image in zip(display.axes_.flat, display.artists_.flat, strict=True):
        if image is None:
            assert not ax.get_visible()
            continue
        assert len(ax.get_xticks()) == len(ax.get_yticks()) == 0
        assert image.get_interpolation() == "nearest"
        assert image.get_clim() == (0, 1)


def test_keywords_reach_matplotlib():
    image = SampleDisplay.from_estimator(with_parts(), 1, row_kw={"cmap": "magma"}).artists_[0, 0]
    assert image.get_cmap().name == "magma"
    lines = SampleDisplay.from_estimator(fitted("series"), 1, row_kw={"linewidth": 4}).artists_
    assert lines[0, 0][0].get_linewidth() == 4
    bars = SampleDisplay.from_estimator(fitted("vector"), 1, row_kw={"hatch": "/"}).artists_
    assert bars[0, 0].get_hatch() == "/"


@pytest.mark.parametrize("channels", [1, 3])
def test_images_beyond_the_unit_interval_share_a_scale(channels):
    shape = (8, 8) if channels == 1 else (3, 8, 8)
    X = np.random.default_rng(0).normal(5, 3, (20, *shape))
    estimator = SimVAE(**TINY, input_shape=shape, encoder="mlp", augmentation=None).fit(X)
    display = ViewsDisplay.from_estimator(
        estimator.set_params(augmentation=lambda x: 2 * x), X, 2, 1
    )
    shown = drawn(display.artists_)
    both = np.stack([X[:2], 2 * X[:2]], axis=1)
    both = both if channels == 1 else np.moveaxis(both, 2, -1)
    low, high = both.min(), both.max()
    if channels == 1:
        limits = {image.get_clim() for image in display.artists_.flat}
        np.testing.assert_allclose([*limits], [(low, high)], rtol=1e-6)
        shown = (shown - low) / (high - low)
    np.testing.assert_allclose(shown, (both - low) / (high - low), atol=1e-5)


def test_short_names_of_styles_replace_those_of_displays():
    Z = np.random.default_rng(0).random((30, 3))
    display = EmbeddingDisplay.from_representations
    assert display(Z, scatter_kw={"c": "red", "lw": 1}).scatter_[0].get_linewidth() == [1]
    for y in (Z[:, 0], np.arange(30) % 3):
        for name in ("c", "color"):
            drawn = display(Z, y, scatter_kw={name: "red"}).scatter_[0]
            np.testing.assert_allclose(drawn.get_facecolor()[0, :3], [1, 0, 0])
    bars = ProbeDisplay(["a", "b"], [1.0, 2.0], [1.0, 2.0]).plot(errorbar_kw={"ms": 3})
    assert bars.errorbar_[0].get_markersize() == 3
    series = np.random.default_rng(0).random((20, 40, 2), dtype=np.float32)
    vae = VAE(**TINY, input_shape=(40, 2)).fit(series)
    lines = ReconstructionDisplay.from_estimator(vae, series, row_kw={"lw": 3})
    assert lines.figure_.axes[0].lines[0].get_linewidth() == 3


def test_limits_of_gray_images_are_in_their_own_units():
    X = np.random.default_rng(0).normal(0, 3, (20, 8, 8))
    estimator = SimVAE(**TINY, input_shape=(8, 8)).fit(X)
    shown = ReconstructionDisplay.from_estimator(estimator, X, 2, row_kw={"vmin": -4, "vmax": 4})
    np.testing.assert_allclose(shown.artists_[0, 0].get_array(), X[0], rtol=1e-6)
    assert shown.artists_[0, 0].get_clim() == (-4, 4)


@pytest.mark.parametrize("n_channels", [2, 12])
def test_images_of_many_channels_are_drawn_gray(n_channels):
    X = np.random.default_rng(0).random((6, n_channels, 8, 8), dtype=np.float32)
    model = SimVAE(kind="image", **{**TINY, "max_epochs": 1}).fit(X)
    display = ReconstructionDisplay.from_estimator(model, X[:2])
    image = display.figure_.axes[0].images[0].get_array()
    np.testing.assert_allclose(image, X[0].mean(0), rtol=1e-5)
