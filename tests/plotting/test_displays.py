"""What all displays have in common."""

import sys

import numpy as np
import pytest
import torch
from conftest import TINY
from figures import data, drawn, fitted, fitted_multimodal
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_simvae import (
    CLIP,
    VAE,
    ContentStyleVAE,
    MultimodalSimVAE,
    SimVAE,
    VICReg,
    plotting,
)
from sklearn_simvae.plotting import (
    EmbeddingDisplay,
    ProbeDisplay,
    RecombinationDisplay,
    ReconstructionDisplay,
    SampleDisplay,
    TrainingHistoryDisplay,
    TraversalDisplay,
    ViewsDisplay,
)

pytestmark = pytest.mark.filterwarnings("ignore:.* has collapsed")

TABLE = [
    {"method": name, "probe": "linear", "metric": metric, "value": value, **factor}
    for name in ("A", "B")
    for metric, value, factor in (("accuracy", 0.5, {}), ("r2", 0.1, {"factor": "mean"}))
]
# From an estimator to a display, with axes or without.
MAKE = {
    "history": lambda est, **kw: TrainingHistoryDisplay.from_estimator(est, **kw),
    "reconstruction": lambda est, **kw: ReconstructionDisplay.from_estimator(
        est, data("flat"), 3, **kw
    ),
    "recombination": lambda est, **kw: RecombinationDisplay.from_estimator(
        est, data("flat"), n_samples=2, **kw
    ),
    "sample": lambda est, **kw: SampleDisplay.from_estimator(est, 3, **kw),
    "traversal": lambda est, **kw: TraversalDisplay.from_estimator(
        est, data("flat"), [0, 2], 3, **kw
    ),
    "views": lambda est, **kw: ViewsDisplay.from_estimator(est, data("flat"), 2, 2, **kw),
    "embedding": lambda est, **kw: EmbeddingDisplay.from_estimator(est, data("flat"), **kw),
    "probe": lambda est, **kw: ProbeDisplay.from_results(TABLE, **kw),
}
GENERATIVE = ["recombination", "reconstruction", "sample", "traversal"]
DIVIDED = [*GENERATIVE, "history", "views"]
every_display = pytest.mark.parametrize("name", MAKE)


def with_parts():
    """An estimator that all displays draw."""
    return fitted(method=ContentStyleVAE)


def axes_of(display):
    return list(display.axes_.flat) if hasattr(display, "axes_") else [display.ax_]


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


@pytest.mark.parametrize("name", [*GENERATIVE, "history", "embedding"])
def test_estimator_that_is_not_fitted_is_told(name):
    estimator = SimVAE(input_shape=(8, 8))
    for wrapped in (estimator, GridSearchCV(estimator, {"lr": [1e-3]})):
        with pytest.raises(NotFittedError):
            MAKE[name](wrapped)


@pytest.mark.parametrize("name", GENERATIVE)
def test_estimator_that_cannot_generate_is_told_which_can(name):
    with pytest.raises(ValueError, match="SimVAE, VAE or CRVAE; VICReg has no decoder"):
        MAKE[name](fitted(method=VICReg, projection_layer_sizes=(8,)))


@pytest.mark.parametrize("name", [*GENERATIVE, "history", "views"])
@pytest.mark.parametrize(
    "estimator", [PCA(2), make_pipeline(PCA(2), LogisticRegression())], ids=["alone", "pipeline"]
)
def test_estimator_of_another_package_is_told(name, estimator):
    with pytest.raises(ValueError, match=r"one of sklearn_simvae.*got P"):
        MAKE[name](estimator)


@pytest.mark.parametrize("name", [*GENERATIVE, "views"])
@pytest.mark.parametrize("method", [CLIP, MultimodalSimVAE])
def test_rows_of_modalities_are_told(name, method):
    with pytest.raises(ValueError, match=f"rows of {method.__name__} have modalities"):
        MAKE[name](fitted_multimodal(method))


@pytest.mark.parametrize("method", [CLIP, MultimodalSimVAE])
def test_history_and_embedding_take_modalities(method):
    estimator = fitted_multimodal(method)
    assert "loss" in TrainingHistoryDisplay.from_estimator(estimator).train
    assert EmbeddingDisplay.from_estimator(estimator, data("flat")).embedding.shape == (40, 2)


@pytest.fixture(scope="module")
def wrapped():
    """A Pipeline that mirrors images, alone and in a search, and the same by hand."""
    X, y = data("flat"), np.arange(40) % 2
    vae = SimVAE(**TINY, input_shape=(8, 8))
    pipe = make_pipeline(FunctionTransformer(lambda X: X[:, ::-1]), vae, LogisticRegression())
    search = GridSearchCV(pipe, {"logisticregression__C": [1.0]}, cv=2, error_score="raise")
    return pipe.fit(X, y), search.fit(X, y), SimVAE(**TINY, input_shape=(8, 8)).fit(X[:, ::-1])


@pytest.mark.parametrize("search", [False, True], ids=["pipeline", "search"])
def test_rows_are_drawn_after_the_steps_before(wrapped, search):
    X, estimator, by_hand = data("flat"), wrapped[int(search)], wrapped[2]
    rec = ReconstructionDisplay.from_estimator(estimator, X, 4)
    np.testing.assert_array_equal(rec.originals, X[:4, ::-1])
    own = ReconstructionDisplay.from_estimator(by_hand, X[:, ::-1], 4)
    np.testing.assert_allclose(rec.reconstructions, own.reconstructions, atol=1e-5)
    views = ViewsDisplay.from_estimator(estimator, X, 2, 1, random_state=0)
    np.testing.assert_array_equal(views.rows, X[:2, ::-1])
    traversal = TraversalDisplay.from_estimator(estimator, X, n_steps=2)
    own = TraversalDisplay.from_estimator(by_hand, X[:, ::-1], n_steps=2)
    np.testing.assert_allclose(traversal.values, own.values, atol=1e-5)
    samples = SampleDisplay.from_estimator(estimator, 2).samples
    np.testing.assert_allclose(samples, by_hand.sample(2), atol=1e-5)
    assert TrainingHistoryDisplay.from_estimator(estimator).train.keys() >= {"loss", "prior"}
    embedding = EmbeddingDisplay.from_estimator(estimator, X, random_state=0).embedding
    own = EmbeddingDisplay.from_estimator(by_hand, X[:, ::-1], random_state=0).embedding
    np.testing.assert_allclose(np.abs(embedding), np.abs(own), atol=1e-4)


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


def of_torch(X, folder):
    return torch.utils.data.TensorDataset(torch.from_numpy(X), torch.zeros(len(X)))


def on_disk(X, folder):
    made = np.memmap(folder / "X", X.dtype, "w+", shape=X.shape)
    made[:] = X
    return made


def of_arrow(X, folder):
    pa = pytest.importorskip("pyarrow")
    return pa.table({f"x{i}": X[:, i] for i in range(X.shape[1])})


@pytest.mark.parametrize("make_source", [of_torch, on_disk, of_arrow])
def test_displays_read_what_is_not_in_memory(make_source, tmp_path):
    X = np.random.default_rng(0).random((40, 30), dtype=np.float32)
    source = make_source(X, tmp_path)
    vae = VAE(**TINY).fit(source)
    display = ReconstructionDisplay.from_estimator(vae, source, n_samples=5)
    np.testing.assert_array_equal(display.originals, X[:5])
    display = ViewsDisplay.from_estimator(vae, source, n_samples=5)
    np.testing.assert_array_equal(display.rows, X[:5])


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


def test_history_may_be_of_lists():
    display = TrainingHistoryDisplay([1, 2], {"loss": [2.0, 1.0]}).plot()
    np.testing.assert_array_equal(display.lines_["loss"][0].get_ydata(), [2, 1])


def test_probe_results_may_be_a_frame_of_polars():
    pl = pytest.importorskip("polars")
    labels = {"method": "A", "probe": "linear", "value": 0.5}
    content = {**labels, "metric": "accuracy", "factor": None}
    style = {**labels, "metric": "r2", "factor": "mean"}
    display = ProbeDisplay.from_results(pl.DataFrame([content, style]))
    assert list(display.methods) == ["A"]


@pytest.mark.parametrize("method", ["tsne", TSNE()])
def test_neighbors_in_a_collapsed_representation_are_refused(method):
    with pytest.raises(ValueError, match=r"10 rows of Z are equal.*collapsed"):
        EmbeddingDisplay.from_representations(np.ones((10, 4)), method=method)
    EmbeddingDisplay.from_representations(np.ones((10, 4)))


def test_pipelines_within_pipelines_are_opened(wrapped):
    X = data("flat")
    inner = make_pipeline(FunctionTransformer(lambda X: X[:, ::-1]), wrapped[2])
    outer = make_pipeline(FunctionTransformer(lambda X: X[:, ::-1]), inner)
    rec = ReconstructionDisplay.from_estimator(outer, X, 4)
    np.testing.assert_array_equal(rec.originals, X[:4])
    assert TrainingHistoryDisplay.from_estimator(outer).train.keys() >= {"loss"}


def test_limits_of_gray_images_are_in_their_own_units():
    X = np.random.default_rng(0).normal(0, 3, (20, 8, 8))
    estimator = SimVAE(**TINY, input_shape=(8, 8)).fit(X)
    shown = ReconstructionDisplay.from_estimator(estimator, X, 2, row_kw={"vmin": -4, "vmax": 4})
    np.testing.assert_allclose(shown.artists_[0, 0].get_array(), X[0], rtol=1e-6)
    assert shown.artists_[0, 0].get_clim() == (-4, 4)
