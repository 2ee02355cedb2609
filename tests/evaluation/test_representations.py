"""Representations of any data by any transformer."""

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_simvae import MultimodalSimVAE, SimVAE
from sklearn_simvae.evaluation import (
    collapse_report,
    mutual_information,
    probe,
    reconstruction_error,
    style_probe,
)
from sklearn_simvae.evaluation.augmented import view_representations
from sklearn_simvae.evaluation.representations import representations


def test_representations_are_what_transform_gives(digits):
    X, _ = digits
    for estimator in (PCA(3).fit(X), tiny("SimVAE").fit(X)):
        assert_array_equal(representations(estimator, X), estimator.transform(X))
    assert_array_equal(representations("passthrough", X), X)


def test_sparse_representations_become_dense():
    encoder = OneHotEncoder().fit([["a"], ["b"]])
    assert sparse.issparse(encoder.transform([["a"]]))
    assert_array_equal(representations(encoder, [["a"]]), [[1, 0]])


@pytest.mark.parametrize(
    ("estimator", "X", "match"),
    [
        (object(), [[1.0]], "no transform"),
        (None, [[np.nan]], "NaN"),
        (None, [1.0, 2.0], "2D"),
        (None, np.empty((0, 3)), "0 sample"),
    ],
)
def test_what_cannot_be_read_is_refused(estimator, X, match):
    with pytest.raises(ValueError, match=match):
        representations(estimator, X)


def test_rows_of_images_are_not_taken_for_views_whoever_holds_the_estimator(sprites):
    rows = sprites[:, 0]
    estimator = tiny("SimVAE").fit(sprites)
    search = GridSearchCV(tiny("VAE"), {"n_components": [2]}, cv=2).fit(rows)
    for model in (estimator, make_pipeline(estimator, StandardScaler()).fit(rows), search):
        with pytest.raises(ValueError, match="no axis of at least two views"):
            view_representations(model, rows)


@pytest.mark.parametrize("tool", [collapse_report, mutual_information, style_probe])
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_keep_their_columns(tool, library):
    frames = pytest.importorskip(library)
    X = np.random.default_rng(0).standard_normal((80, 3))
    X = frames.DataFrame({name: X[:, i] for i, name in enumerate("abc")})
    model = make_pipeline(ColumnTransformer([("some", StandardScaler(), ["a", "b"])]), PCA(2))
    assert tool(model.fit(X), X, augmentation="auto", random_state=0)


def test_several_modalities_are_read_from_a_dict():
    rng = np.random.default_rng(0)
    X = {"a": rng.standard_normal((80, 2)), "b": rng.standard_normal((80, 3))}
    y = (X["a"][:, 0] > 0).astype(int)
    estimator = MultimodalSimVAE(2, hidden_layer_sizes=(16,), max_epochs=1, random_state=0).fit(X)
    Z = estimator.transform(X)
    options = {"probes": ["linear"], "n_repeats": 1, "random_state": 0}
    for tool, target in ((probe, y), (style_probe, X["b"][:, 0])):
        assert tool(estimator, X, target, **options) == tool(None, Z, target, **options)
    assert collapse_report(estimator, X).effective_rank == collapse_report(None, Z).effective_rank
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        probe(estimator, X, y[:-1])
    for tool in (mutual_information, reconstruction_error):
        with pytest.raises(ValueError, match=r"one array of rows; got a dict of \['a', 'b'\]"):
            tool(estimator, X)


def test_series_of_unequal_length_are_refused_where_rows_have_one_shape():
    X = [np.random.default_rng(0).standard_normal((n, 2)) for n in (10, 12, 14, 16)]
    simvae = SimVAE(3, kind="series", hidden_layer_sizes=(8,), max_epochs=1).fit(X)
    for function in (reconstruction_error, mutual_information):
        with pytest.raises(ValueError, match=f"{function.__name__} takes rows of one shape"):
            function(simvae, X)
