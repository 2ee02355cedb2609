"""Projections of representations."""

import sys
import warnings

import numpy as np
import pytest
from figures import data, fitted
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_simvae.plotting import EmbeddingDisplay

RNG = np.random.default_rng(0)
Z = RNG.standard_normal((70, 4))
FLAT = Z[:, :2]
AS_IT_IS = FunctionTransformer()


def colors_by_point(display):
    """The color and the marker of each point, by where it is drawn."""
    found = {}
    for collection in display.scatter_:
        marker = tuple(collection.get_paths()[0].vertices.ravel())
        colors = collection.get_facecolors()
        for point, color in zip(collection.get_offsets(), colors, strict=True):
            found[tuple(np.asarray(point))] = to_hex(color), marker
    return found


def test_points_are_the_projected_representations():
    X, estimator = data("flat"), fitted()
    display = EmbeddingDisplay.from_estimator(estimator, X, random_state=0)
    expected = PCA(2).fit_transform(estimator.transform(X))
    np.testing.assert_allclose(np.abs(display.embedding), np.abs(expected), atol=1e-4)
    np.testing.assert_array_equal(display.scatter_[0].get_offsets(), display.embedding)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("PCA 1", "PCA 2")
    assert display.legend_ is None and display.colorbar_ is None


@pytest.mark.parametrize("n_classes", [2, 10, 25])
@pytest.mark.parametrize("kind", [int, str, float])
def test_classes_have_a_color_and_marker_each_and_a_legend(n_classes, kind):
    y = (np.arange(len(FLAT)) % n_classes).astype(kind)
    display = EmbeddingDisplay.from_representations(FLAT, y, method=AS_IT_IS)
    looks = colors_by_point(display)
    of_class = [
        {looks[tuple(point)] for point in display.embedding[y == label]} for label in np.unique(y)
    ]
    assert all(len(look) == 1 for look in of_class)
    assert len(set.union(*of_class)) == n_classes
    texts = [text.get_text() for text in display.legend_.texts]
    assert texts == [str(label) for label in np.unique(y)]
    handles = [to_hex(handle.get_color()) for handle in display.legend_.legend_handles]
    assert handles == [next(iter(look))[0] for look in of_class]
    assert display.colorbar_ is None


@pytest.mark.parametrize("y", [RNG.uniform(size=70), np.arange(70)], ids=["floats", "many ints"])
def test_numbers_have_a_color_bar(y):
    display = EmbeddingDisplay.from_representations(FLAT, y, method=AS_IT_IS)
    assert display.legend_ is None
    assert display.colorbar_.mappable is display.scatter_[0]
    values = dict(
        zip(
            map(tuple, np.asarray(display.scatter_[0].get_offsets())),
            display.scatter_[0].get_array(),
            strict=True,
        )
    )
    assert [values[tuple(point)] for point in display.embedding] == list(y)


def test_last_class_does_not_cover_the_others():
    y = np.repeat([0, 1], 35)
    display = EmbeddingDisplay.from_representations(FLAT, y, method=AS_IT_IS)
    drawn_last = {tuple(point) for point in display.scatter_[0].get_offsets()[-35:]}
    of_last = {tuple(point) for point in display.embedding[y == 1]}
    assert 5 < len(drawn_last & of_last) < 30


def test_some_rows_are_drawn_with_their_labels():
    y = np.where(FLAT[:, 0] > 0, "right", "left")
    first, again, other = (
        EmbeddingDisplay.from_representations(
            FLAT, y, method=AS_IT_IS, max_samples=20, random_state=seed
        )
        for seed in (0, 0, 1)
    )
    assert first.embedding.shape == (20, 2)
    assert len(np.unique(first.embedding, axis=0)) == 20
    np.testing.assert_array_equal(first.y == "right", first.embedding[:, 0] > 0)
    np.testing.assert_array_equal(first.embedding, again.embedding)
    assert not np.array_equal(first.embedding, other.embedding)


def test_tsne_keeps_clusters_together_and_is_fixed_by_random_state():
    blobs = np.concatenate([Z[:12], Z[12:24] + 50])
    first, again = (
        EmbeddingDisplay.from_representations(blobs, method="tsne", random_state=0).embedding
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    centers = first[:12].mean(0), first[12:].mean(0)
    within = np.linalg.norm(first[:12] - centers[0], axis=1).max()
    assert np.linalg.norm(centers[0] - centers[1]) > within


@pytest.fixture
def umap():
    return pytest.importorskip("umap")


def test_umap_keeps_clusters_together_and_is_fixed_by_random_state(umap):
    blobs = np.concatenate([Z[:35], Z[35:] + 50])
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        first, again = (
            EmbeddingDisplay.from_representations(blobs, method="umap", random_state=0)
            for _ in range(2)
        )
    np.testing.assert_array_equal(first.embedding, again.embedding)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert (first.ax_.get_xlabel(), first.ax_.get_ylabel()) == ("UMAP 1", "UMAP 2")
    side = np.repeat([0, 1], 35)
    neighbors = KNeighborsClassifier(5).fit(first.embedding, side)
    assert neighbors.score(first.embedding, side) == 1
    other = EmbeddingDisplay.from_representations(blobs, method="umap", random_state=1)
    assert not np.array_equal(first.embedding, other.embedding)


@pytest.mark.parametrize("n", [3, 5, 12])
def test_umap_of_few_rows(umap, n):
    display = EmbeddingDisplay.from_representations(Z[:n], method="umap", random_state=0)
    assert display.embedding.shape == (n, 2) and np.isfinite(display.embedding).all()


def test_umap_of_what_has_no_neighbors_is_refused(umap):
    with pytest.raises(ValueError, match=r"10 rows of Z are equal.*UMAP knows no neighbors"):
        EmbeddingDisplay.from_representations(np.ones((10, 4)), method="umap")
    with pytest.raises(ValueError, match="needs at least 3 rows, got 2"):
        EmbeddingDisplay.from_representations(Z[:2], method="umap")


def test_umap_that_is_not_installed_is_named_before_anything_is_done(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    for method in (EmbeddingDisplay.from_representations, EmbeddingDisplay.from_estimator):
        given = [Z] if method == EmbeddingDisplay.from_representations else [None, Z]
        with pytest.raises(ImportError, match=r"umap-learn: pip install .*\[umap\]"):
            method(*given, method="umap")
    assert plt.get_fignums() == []


def test_transformer_is_cloned_and_names_the_axes():
    method = PCA(2, whiten=True)
    display = EmbeddingDisplay.from_representations(Z, method=method)
    np.testing.assert_allclose(display.embedding.std(0, ddof=1), 1)
    assert not hasattr(method, "components_")
    assert display.ax_.get_ylabel() == "PCA 2"
    display = EmbeddingDisplay.from_representations(FLAT, method=AS_IT_IS)
    assert display.ax_.get_xlabel() == "FunctionTransformer 1"


def test_any_transformer_and_pipelines_that_predict_are_taken():
    X, y = load_iris(return_X_y=True)
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    display = EmbeddingDisplay.from_estimator(pipe, X, method=PCA(2))
    expected = PCA(2).fit_transform(pipe[0].transform(X))
    np.testing.assert_allclose(np.abs(display.embedding), np.abs(expected), atol=1e-8)
    with pytest.raises(NotFittedError):
        EmbeddingDisplay.from_estimator(make_pipeline(StandardScaler(), PCA(2)), X)


def test_distances_are_the_same_in_every_direction():
    display = EmbeddingDisplay.from_representations(Z * [10, 1, 1, 1])
    assert display.ax_.get_aspect() == 1


def test_legend_lies_within_the_figure():
    y = np.array([f"a class of a long name {i}" for i in range(60)] * 2)
    display = EmbeddingDisplay.from_representations(RNG.standard_normal((120, 2)), y)
    display.figure_.canvas.draw()
    box = display.legend_.get_window_extent()
    figure = display.figure_.bbox
    assert figure.y0 <= box.y0 and box.y1 <= figure.y1 and box.x1 <= figure.x1


def test_keywords_reach_the_points():
    display = EmbeddingDisplay.from_representations(Z, scatter_kw={"s": 77})
    assert display.scatter_[0].get_sizes() == [77]


@pytest.mark.parametrize(
    "Z, y, params, message",
    [
        (Z, None, {"method": "isomap"}, "'tsne', 'umap' or a transformer, got 'isomap'"),
        (Z, None, {"method": PCA(3)}, r"PCA gave the shape \(70, 3\)"),
        (Z, None, {"max_samples": 1}, "max_samples must be an int of at least 2"),
        (Z, np.zeros(69), {}, "inconsistent numbers of samples"),
        (Z, np.full(70, np.nan), {}, "70 missing"),
        (Z, np.arange(70).astype(str), {}, "70 classes, more than the 60"),
        (Z[:, :1], None, {}, "at least 2 rows and 2 columns"),
        (Z[:1], None, {}, "at least 2 rows and 2 columns"),
        (np.full((5, 3), np.nan), None, {}, "NaN"),
    ],
)
def test_bad_input_is_told(Z, y, params, message):
    with pytest.raises(ValueError, match=message):
        EmbeddingDisplay.from_representations(Z, y, **params)


def test_estimator_without_transform_is_told():
    with pytest.raises(ValueError, match="has no transform"):
        EmbeddingDisplay.from_estimator(LogisticRegression(), Z)


def test_too_many_classes_are_told_before_a_figure_is_made():
    display = EmbeddingDisplay(FLAT, np.arange(70).astype(str))
    with pytest.raises(ValueError, match="70 classes, more than the 60"):
        display.plot()
    assert plt.get_fignums() == []


@pytest.mark.parametrize("y", [np.arange(70) % 3, np.arange(70) % 20, FLAT[:, 0]])
def test_settings_of_each_point_stay_with_it(y):
    sizes = np.arange(1.0, 71.0)
    display = EmbeddingDisplay.from_representations(
        FLAT, y, method=AS_IT_IS, scatter_kw={"s": sizes}
    )
    found = {}
    for collection in display.scatter_:
        for point, size in zip(collection.get_offsets(), collection.get_sizes(), strict=True):
            found[tuple(np.asarray(point))] = size
    assert found == dict(zip(map(tuple, FLAT), sizes, strict=True))


pytestmark = pytest.mark.filterwarnings("ignore:.* has collapsed")


@pytest.mark.parametrize("method", ["tsne", TSNE()])
def test_neighbors_in_a_collapsed_representation_are_refused(method):
    with pytest.raises(ValueError, match=r"10 rows of Z are equal.*collapsed"):
        EmbeddingDisplay.from_representations(np.ones((10, 4)), method=method)
    EmbeddingDisplay.from_representations(np.ones((10, 4)))
