"""Estimators that displays are given: in pipelines and searches, not fitted, or of other kinds."""

import numpy as np
import pytest
import torch
from conftest import TINY
from figures import GENERATIVE, MAKE, data, fitted, fitted_multimodal
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_simvae import CLIP, VAE, ContentStyleVAE, MultimodalSimVAE, SimVAE, VICReg
from sklearn_simvae.plotting import (
    EmbeddingDisplay,
    RecombinationDisplay,
    ReconstructionDisplay,
    SampleDisplay,
    TrainingHistoryDisplay,
    TraversalDisplay,
    ViewsDisplay,
)

pytestmark = pytest.mark.filterwarnings("ignore:.* has collapsed")


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


def test_pipelines_within_pipelines_are_opened(wrapped):
    X = data("flat")
    inner = make_pipeline(FunctionTransformer(lambda X: X[:, ::-1]), wrapped[2])
    outer = make_pipeline(FunctionTransformer(lambda X: X[:, ::-1]), inner)
    rec = ReconstructionDisplay.from_estimator(outer, X, 4)
    np.testing.assert_array_equal(rec.originals, X[:4])
    assert TrainingHistoryDisplay.from_estimator(outer).train.keys() >= {"loss"}


@pytest.mark.parametrize("display", [ReconstructionDisplay, RecombinationDisplay, ViewsDisplay])
def test_series_of_unequal_length_are_refused(display):
    X = np.random.default_rng(0).standard_normal((8, 12, 2))
    X[0, 10:] = np.nan
    params = {"kind": "series", "channels": "last", "hidden_layer_sizes": (8,), "max_epochs": 1}
    vae = ContentStyleVAE(4, **params).fit(X)
    with pytest.raises(ValueError, match=f"{display.__name__} takes rows of one shape.*Fit it on"):
        display.from_estimator(vae, X)
