"""Searches that share out their fits, caches of fits, and Dask arrays."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, tiny
from joblib import Memory, parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from test_docs import code_blocks

from sklearn_simvae import CLIP, SimCLR, SimVAE
from sklearn_simvae.base import BaseSSL


@pytest.fixture(scope="module")
def dask_cluster():
    distributed = pytest.importorskip("dask.distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as c,
        distributed.Client(c) as client,
    ):
        yield client


@pytest.fixture
def ray_cluster():
    ray = pytest.importorskip("ray")
    register = pytest.importorskip("ray.util.joblib").register_ray
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
        register()
        yield
        ray.shutdown()


def n_threads(estimator, X, y=None):
    """A score that is the number of threads that a fit beside it has used."""
    return torch.get_num_threads()


def search(method, **params):
    grid = {"n_components": [2, 3]}
    return GridSearchCV(method(**TINY), grid, cv=2, error_score="raise", **params)


# ---------------------------------------------------------------- searches


@pytest.fixture(scope="module")
def sequential(digits):
    return {method: search(method).fit(digits[0]) for method in (SimVAE, SimCLR)}


def assert_same_search(shared, alone):
    assert_allclose(
        shared.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"], rtol=1e-6
    )
    assert shared.best_params_ == alone.best_params_


@pytest.mark.parametrize("method", [SimVAE, SimCLR])
def test_search_over_processes_gives_the_scores_of_one(method, sequential, digits):
    assert_same_search(search(method, n_jobs=2).fit(digits[0]), sequential[method])


@pytest.mark.parametrize("method", [SimVAE, SimCLR])
def test_search_over_a_dask_cluster_gives_the_scores_of_one(
    method, dask_cluster, sequential, digits
):
    with parallel_config("dask"):
        shared = search(method, n_jobs=2).fit(digits[0])
    assert_same_search(shared, sequential[method])


def test_search_over_a_ray_cluster_gives_the_scores_of_one(ray_cluster, sequential, digits):
    with parallel_config("ray"):
        shared = search(SimVAE, n_jobs=2).fit(digits[0])
    assert_same_search(shared, sequential[SimVAE])


def test_workers_share_out_the_threads(monkeypatch, digits):
    # With it, workers have as many each in any case.
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    X = digits[0][:40]
    share = max(1, os.cpu_count() // 2)
    found = search(SimVAE, n_jobs=2, scoring=n_threads, refit=False).fit(X)
    assert_array_equal(found.cv_results_["mean_test_score"], share)


def test_dask_workers_use_a_thread_each(monkeypatch, dask_cluster):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert set(dask_cluster.run(torch.get_num_threads).values()) == {1}


@pytest.mark.parametrize("resource", ["max_epochs", "n_samples"])
def test_halving_search_and_warm_start_work_together(resource, digits):
    def halving(warm_start):
        budget = {} if resource == "n_samples" else {"min_resources": 1, "max_resources": 4}
        return HalvingGridSearchCV(
            SimVAE(**TINY, warm_start=warm_start),
            {"lr": [1e-4, 1e-3, 1e-2]},
            resource=resource,
            factor=2,
            cv=2,
            random_state=0,
            **budget,
        ).fit(digits[0])

    cold, warm = halving(False), halving(True)
    assert warm.n_iterations_ >= 2
    assert_array_equal(warm.cv_results_["mean_test_score"], cold.cv_results_["mean_test_score"])
    best = warm.best_estimator_
    n_epochs = best.n_iter_
    assert best.fit(digits[0]).n_iter_ == n_epochs + best.max_epochs


# ---------------------------------------------------------------- caches


@pytest.fixture
def fits(monkeypatch):
    """What has been fitted."""
    fitted, fit = [], BaseSSL._fit

    def record(self, *args, **kwargs):
        fitted.append(self)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(BaseSSL, "_fit", record)
    return fitted


@pytest.mark.parametrize("name", ["SimVAE", "SimCLR"])
def test_pipeline_fits_once_what_is_in_its_memory(name, fits, digits, tmp_path):
    X, y = digits
    pipe = make_pipeline(tiny(name), LogisticRegression(), memory=Memory(tmp_path, verbose=0))
    uncached = clone(pipe).set_params(memory=None).fit(X, y).predict_proba(X)
    fits.clear()
    for _ in range(2):
        assert_array_equal(clone(pipe).fit(X, y).predict_proba(X), uncached)
    assert len(fits) == 1
    assert len(pipe.fit(X, y)[0].history_) == 2, "what is cached is the whole estimator"
    # Four fits would be eight without the memory: two folds of two settings, and the last of all.
    grid = {f"{name.lower()}__n_components": [2, 3], "logisticregression__C": [0.1, 1.0]}
    fits.clear()
    GridSearchCV(pipe, grid, cv=2, refit=False).fit(X, y)
    assert len(fits) == 4


# ---------------------------------------------------------------- Dask arrays


@pytest.fixture(scope="module")
def fitted(digits):
    return tiny("SimVAE", input_shape=(64,)).fit(digits[0])


@pytest.fixture
def dask_array(digits):
    da = pytest.importorskip("dask.array")
    return da.from_array(digits[0], chunks=((70, 0, 50, 40), (32, 32)))


def test_dask_array_is_transformed_by_chunk_when_asked_for(fitted, digits):
    da = pytest.importorskip("dask.array")
    read = []

    def chunk(block_id):
        read.append(block_id[0])
        return digits[0][40 * block_id[0] : 40 * block_id[0] + 40]

    X = da.map_blocks(chunk, chunks=((40,) * 4, 64), dtype=np.float32, meta=np.empty((0, 0)))
    Z, scores = fitted.transform(X), fitted.score_samples(X)
    assert not read
    assert (Z.shape, Z.chunks, Z.dtype) == ((160, 3), ((40,) * 4, (3,)), np.float32)
    assert (scores.shape, scores.chunks, scores.dtype) == ((160,), ((40,) * 4,), np.float32)
    assert_allclose(
        Z[40:80].compute(scheduler="sync"), fitted.transform(digits[0][40:80]), atol=1e-6
    )
    assert read == [1]
    assert_allclose(scores.compute(scheduler="sync"), fitted.score_samples(digits[0]), rtol=1e-6)


def test_chunks_of_dask_arrays_may_be_empty_unknown_or_across_features(fitted, dask_array, digits):
    X = digits[0]
    assert_allclose(
        fitted.transform(dask_array).compute(scheduler="sync"), fitted.transform(X), atol=1e-6
    )
    bright = dask_array[dask_array.mean(1) > 0.3]
    assert np.isnan(bright.shape[0])
    expected = fitted.transform(X[X.mean(1) > 0.3])
    assert_allclose(fitted.transform(bright).compute(scheduler="sync"), expected, atol=1e-6)


def test_a_dask_array_of_unknown_length_is_scored(fitted, dask_array, digits):
    X = digits[0]
    some = dask_array[dask_array[:, 20] > 0.2]
    assert fitted.score(some) == pytest.approx(fitted.score(X[X[:, 20] > 0.2]))


def test_dask_arrays_may_have_views_and_pixels(sprites):
    da = pytest.importorskip("dask.array")
    estimator = tiny("SimCLR", encoder="mlp").fit(sprites)
    Z = estimator.transform(da.from_array(sprites, chunks=(15, 1, 3, 8, 4)))
    assert Z.chunks == ((15, 15, 10), (3,))
    assert_allclose(Z.compute(scheduler="sync"), estimator.transform(sprites), atol=1e-6)


def test_dask_tables_of_modalities_are_transformed(digits, dask_array):
    estimator = CLIP(**TINY).fit(digits[0])
    for modality in (None, "first"):
        expected = estimator.transform(digits[0], modality=modality)
        Z = estimator.transform(dask_array, modality=modality)
        assert_allclose(Z.compute(scheduler="sync"), expected, atol=1e-6)
    pair = {"a": digits[0][:, :40], "b": digits[0][:, 40:]}
    estimator = CLIP(**TINY).fit(pair)
    Z = estimator.transform(dask_array[:, :40], modality="a")
    assert_allclose(
        Z.compute(scheduler="sync"), estimator.transform(pair["a"], modality="a"), atol=1e-6
    )


def test_dask_array_is_transformed_and_scored_in_pipelines(fitted, dask_array, digits):
    pipe = make_pipeline(fitted)
    assert_allclose(
        pipe.transform(dask_array).compute(scheduler="sync"), fitted.transform(digits[0]), atol=1e-6
    )
    assert fitted.score(dask_array) == pytest.approx(fitted.score(digits[0]), rel=1e-6)


def test_workers_of_a_cluster_transform_the_chunks(dask_cluster, fitted, dask_array, digits):
    Z = fitted.transform(dask_array).compute()
    assert_allclose(Z, fitted.transform(digits[0]), atol=1e-6)


def test_what_cannot_go_by_chunk_says_what_to_do(fitted, dask_array):
    for call in (tiny("SimVAE").fit, tiny("SimCLR").fit, fitted.encode, tiny("SimVAE").partial_fit):
        with pytest.raises(ValueError, match=r"is a Dask array.*X\.compute\(\)"):
            call(dask_array)
    groups = np.arange(len(dask_array))
    with pytest.raises(ValueError, match="is a Dask array"):
        fitted.score_samples(dask_array, groups=groups)
    with pytest.raises(ValueError, match="X has 63 features, but SimVAE is expecting 64"):
        fitted.transform(dask_array[:, :63])
    with pytest.raises(ValueError, match=r"in row|contains NaN"):
        fitted.transform(dask_array * np.nan).compute(scheduler="sync")


# ---------------------------------------------------------------- documentation


def test_code_of_the_page_runs(monkeypatch, fits, tmp_path):
    for module in ("pyarrow", "dask.array"):
        pytest.importorskip(module)
    page = Path(__file__).parent.parent / "docs" / "clusters.rst"
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in code_blocks(page):
        # Clusters have tests of their own.
        if "parallel_config" not in block:
            fits.clear()
            exec(compile(block.replace("n_jobs=2", "n_jobs=1"), page.name, "exec"), names)
    assert names["Z"].shape == (2000, 10)
    assert len(fits) == 3, "as the last block says"
