"""X that is not in memory: read by batch, and the same to every estimator as an array of it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_array_equal
from read_by_batch import SOURCES, Slices, any_source, arrow_table, memmap, parquet_table
from sklearn.decomposition import PCA
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_simvae import CLIP, MultimodalSimVAE
from sklearn_simvae.views import LazyArray, as_lazy_array
from sklearn_simvae.views.lazy import by_chunk, is_dask_array, named, some_rows

pytestmark = pytest.mark.filterwarnings("error:.*not writable")
array_source = pytest.mark.parametrize("wrap", SOURCES.values(), ids=SOURCES)


# ---------------------------------------------------------------- reading


def test_slices_touch_each_chunk_once_and_no_others():
    X = np.arange(200).reshape(100, 2)
    chunked, plain = Slices(X, chunks=(10, 2)), Slices(X)
    rows = np.array([55, 3, 58, 9, 90, 10])
    assert_array_equal(as_lazy_array(chunked)[rows], X[rows])
    assert chunked.read == [(3, 11), (55, 59), (90, 91)]
    assert_array_equal(as_lazy_array(plain)[rows], X[rows])
    assert plain.read == [(3, 4), (9, 11), (55, 56), (58, 59), (90, 91)]


def test_rows_taken_out_of_a_memmap_are_in_memory(tmp_path):
    X = memmap(np.arange(10.0).reshape(5, 2), tmp_path)
    assert isinstance(as_lazy_array(X[1:]), LazyArray)
    assert not isinstance(as_lazy_array(X[[0, 2]]), LazyArray)


# ---------------------------------------------------------------- estimators


@any_source
@pytest.mark.parametrize("name", ["SimVAE", "SimCLR"])
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_fit_is_bit_for_bit_that_of_the_array(name, wrap, digits, tmp_path):
    X = digits[0][:80]
    expected = tiny(name, input_shape=(8, 8), encoder="mlp").fit(X)
    source = wrap(X, tmp_path)
    estimator = tiny(name, input_shape=(8, 8), encoder="mlp").fit(source)
    assert_array_equal(estimator.transform(source), expected.transform(X))
    assert_array_equal(estimator.transform(X), expected.transform(X))
    assert estimator.score(source) == expected.score(X)
    assert estimator.n_features_in_ == 64
    if name == "SimVAE":
        assert_array_equal(estimator.score_samples(source), expected.score_samples(X))
        for got, right in zip(estimator.encode(source), expected.encode(X), strict=True):
            assert_array_equal(got, right)
    else:
        assert_array_equal(estimator.project(source), expected.project(X))


@array_source
def test_views_axis_and_pixels_are_read_off_a_source(wrap, sprites, tmp_path):
    expected = tiny("SimVAE", encoder="mlp").fit_transform(sprites)
    source = wrap(sprites, tmp_path)
    estimator = tiny("SimVAE", encoder="mlp").fit(source)
    assert estimator.layout_.pixels
    assert_array_equal(estimator.transform(source), expected)


@any_source
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_groups_partial_fit_and_early_stopping_read_a_source(wrap, digits, tmp_path):
    X, groups = digits[0][:80], np.repeat(np.arange(40), 2)[::-1]
    source = wrap(X, tmp_path)
    arrays, sources = tiny("SimVAE", early_stopping=True), tiny("SimVAE", early_stopping=True)
    for _ in range(2):
        arrays.partial_fit(X, groups=groups)
        sources.partial_fit(source, groups=groups)
    assert_array_equal(sources.transform(source), arrays.transform(X))
    assert_array_equal(
        sources.score_samples(source, groups=groups), arrays.score_samples(X, groups=groups)
    )


@array_source
@pytest.mark.parametrize("Method", [CLIP, MultimodalSimVAE])
def test_entries_of_a_dict_may_be_sources(Method, wrap, digits, tmp_path):
    X = np.array(digits[0][:60, :40])
    X[[0, 1, 17]] = np.nan  # A modality that these rows lack.
    other = np.random.default_rng(0).random((60, 5), dtype=np.float32)
    params = {"n_components": 3, "hidden_layer_sizes": (16,), "max_epochs": 2, "random_state": 0}
    array, source = {"a": X, "b": other}, {"a": wrap(X, tmp_path), "b": other}
    expected, estimator = Method(**params).fit(array), Method(**params).fit(source)
    assert_array_equal(estimator.transform(source), expected.transform(array))
    part = {"a": X[2:17]}
    assert_array_equal(estimator.transform(part), expected.transform(part))


def test_multimodal_estimators_ask_for_a_dict_of_sources():
    with pytest.raises(ValueError, match=r"type Slices, .* Give a dict"):
        tiny("CLIP").fit(Slices(np.zeros((20, 4))))


def test_row_of_a_modality_that_is_not_finite_is_named(tmp_path):
    X = np.random.default_rng(0).random((5000, 3))
    X[0], X[4321, 1] = np.nan, np.inf
    with pytest.raises(ValueError, match="in row 4321"):
        tiny("CLIP", batch_size=100).fit({"a": memmap(X, tmp_path), "b": np.ones((5000, 2))})
    X[1234, 1] = np.nan
    with pytest.raises(ValueError, match="in part, the first is row 1234"):
        tiny("CLIP").fit({"a": memmap(X, tmp_path), "b": np.ones((5000, 2))})


def test_pipeline_passes_a_source_on(digits, tmp_path):
    X = memmap(digits[0], tmp_path)
    pipe = make_pipeline(tiny("SimVAE"), StandardScaler())
    assert_array_equal(pipe.fit_transform(X), pipe.fit_transform(np.array(X)))


def test_columns_of_arrow_name_the_features(digits, tmp_path):
    X = digits[0]
    table = parquet_table(X, tmp_path, as_list=False)
    estimator = tiny("SimVAE").fit(table)
    assert_array_equal(estimator.feature_names_in_, table.column_names)
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.transform(table.rename_columns([f"y{j}" for j in range(64)]))
    with pytest.warns(UserWarning, match="valid feature names"):
        estimator.transform(X)
    assert not hasattr(tiny("SimVAE").fit(arrow_table(X, as_list=True)), "feature_names_in_")


def test_record_batches_stream_through_partial_fit(digits):
    X = digits[0]
    streamed, arrays = tiny("SimVAE"), tiny("SimVAE")
    for batch in arrow_table(X, as_list=True).to_batches(max_chunksize=40):
        streamed.partial_fit(batch)
    for start in range(0, len(X), 40):
        arrays.partial_fit(X[start : start + 40])
    assert_array_equal(streamed.transform(X), arrays.transform(X))


# ---------------------------------------------------------------- checks


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e39])
@pytest.mark.parametrize("name", ["SimVAE", "SimCLR"])
def test_row_that_is_not_finite_is_named_when_it_is_read(name, bad, tmp_path):
    # Beyond the rows that are looked at before training.
    X = np.random.default_rng(0).random((5000, 3))
    fitted = tiny(name, max_epochs=1, batch_size=500, warm_start=True).fit(X)
    before = fitted.transform(X[:9])
    X[4321, 1] = bad
    source = memmap(X, tmp_path)
    for call in (tiny(name, batch_size=500).fit, fitted.fit, fitted.transform, fitted.score):
        with pytest.raises(ValueError, match="in row 4321"):
            call(source)
    assert_array_equal(fitted.transform(X[:9]), before)


def test_values_are_looked_at_in_rows_spread_over_a_source(tmp_path):
    X = np.zeros((100_000, 64), dtype=np.uint8)
    X[-1] = 9
    with pytest.raises(ValueError, match="may be flattened images or plain vectors"):
        tiny("SimVAE").fit(memmap(X, tmp_path))
    slices = Slices(X)
    with pytest.raises(ValueError, match=r"likelihood='bernoulli' needs .* from 0 to 9"):
        tiny("SimVAE", likelihood="bernoulli", input_shape=(64,)).fit(slices)
    assert sum(stop - start for start, stop in slices.read) == 512
    fitted = tiny("SimVAE", input_shape=(8, 8)).fit(X[:50])
    with pytest.raises(ValueError, match=r"fitted on uint8 pixels.* got float32 outside"):
        fitted.transform(Slices(X.astype(np.float32)))


def test_sample_of_long_rows_is_bounded():
    class Long:
        shape, dtype = (100_000, 3, 500, 1333), np.dtype(np.uint8)
        n_rows = 0

        def __getitem__(self, key):
            self.n_rows += key.stop - key.start
            return np.zeros((key.stop - key.start, *self.shape[1:]), np.uint8)

    X = Long()
    assert as_lazy_array(X).sample.shape == (2, 3, 500, 1333) and X.n_rows == 2


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's account")
@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_file_never_comes_into_memory_whole():
    path = Path(__file__).parents[2] / "benchmarks" / "memory.py"
    spec = importlib.util.spec_from_file_location("memory", path)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    benchmark.measure_file(gib=0.01, n_steps=4)  # Loads what torch loads when it is first used.
    sizes = benchmark.measure_file(gib=0.25, n_steps=100)
    assert sizes["steps"] >= 100
    assert sizes["anonymous"] - sizes["anonymous_before"] < 0.6 * sizes["file"]


# ---------------------------------------------------------------- reading, beside estimators


def wrong(rows):
    return np.zeros((len(rows) + 1, 2))


def test_rows_read_in_another_shape_are_named_with_both_shapes():
    with pytest.raises(ValueError, match=r"Rows 3 to 7 of X were read as \(4, 2\); .*\(3, 2\)"):
        LazyArray(wrong, (9, 2), np.dtype(float))[np.array([7, 3, 4])]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39, -1e39])
def test_the_first_row_that_is_not_finite_is_named(bad):
    X = np.ones((9, 2, 3))
    X[7, 1, 2] = X[4, 0, 0] = bad
    source = LazyArray(X.__getitem__, X.shape, X.dtype)
    with pytest.raises(ValueError, match="the first that was read is in row 4"):
        source[np.array([8, 7, 4, 0])]
    assert_array_equal(source[np.array([8, 5])], X[[8, 5]])
    assert_array_equal(source.take(np.array([4, 7])), X[[4, 7]])


def test_rows_in_order_are_given_as_they_were_read():
    X = np.ones((9, 2))
    source = LazyArray(lambda rows: X, X.shape, X.dtype)
    assert source[np.arange(9)] is X
    assert source.take(np.arange(9)) is X


def test_a_source_has_the_byte_order_of_the_machine():
    swapped = np.arange(6.0).reshape(3, 2).astype(np.dtype(float).newbyteorder())
    source = LazyArray(swapped.__getitem__, swapped.shape, swapped.dtype)
    assert source.dtype == np.dtype(float) == source[np.arange(3)].dtype
    assert source[np.array([], int)].dtype == np.dtype(float)
    assert source[np.array([], int)].shape == (0, 2)


def test_the_sample_of_a_source_has_its_first_and_last_rows_and_those_between():
    X = np.arange(2000.0).reshape(1000, 2)
    sample = as_lazy_array(Slices(X)).sample
    assert len(sample) == 512
    assert sample[0].tolist() == [0, 1] and sample[-1].tolist() == [1998, 1999]
    assert set(np.diff(sample[:, 0])) == {2.0, 4.0}
    assert_array_equal(as_lazy_array(Slices(X[:5])).sample, X[:5])


def test_some_rows_of_an_array_are_all_and_of_a_source_a_sample():
    X = np.arange(2000.0).reshape(1000, 2)
    assert some_rows(X) is X
    assert len(some_rows(as_lazy_array(Slices(X)))) == 512


def test_names_of_features_are_those_of_columns_of_arrow():
    pytest.importorskip("pyarrow")
    X = np.arange(12.0).reshape(6, 2)
    header = named(arrow_table(X, False))
    assert (header.column_names, header.num_rows) == (["x0", "x1"], 0)
    assert named(arrow_table(X, True)) is None
    assert named(X) is X


# ---------------------------------------------------------------- Dask


@pytest.mark.parametrize(
    ("shape", "row_shape"),
    [((7, 5), ()), ((7, 5), (4,)), ((7, 2, 5), ()), ((7, 2, 5), (4,)), ((7, 2, 5), (2, 3))],
)
def test_a_function_is_applied_to_the_chunks_of_a_dask_array_when_asked_for(shape, row_shape):
    da = pytest.importorskip("dask.array")
    values = np.arange(np.prod(shape), dtype=float).reshape(shape)
    calls = []

    def total(rows):
        calls.append(rows.shape)
        sums = rows.reshape(len(rows), -1).sum(1).astype(np.float32)
        return np.broadcast_to(sums.reshape(-1, *(1,) * len(row_shape)), (len(rows), *row_shape))

    X = da.from_array(values, chunks=((3, 0, 4), *((n - 1, 1) for n in shape[1:])))
    result = by_chunk(total, X, row_shape)
    assert calls == []
    assert (result.shape, result.dtype) == ((7, *row_shape), np.float32)
    assert result.chunks == ((3, 0, 4), *((n,) for n in row_shape))
    assert (result._meta.shape, result._meta.dtype) == ((0,) * result.ndim, np.float32)
    expected = total(values)
    calls.clear()
    assert_array_equal(result.compute(scheduler="sync"), expected)
    assert sorted(calls) == [(3, *shape[1:]), (4, *shape[1:])]
    empty = result.blocks[1].compute(scheduler="sync")
    assert (empty.shape, empty.dtype) == ((0, *row_shape), np.float32)


def test_a_dask_array_is_told_and_refused_as_a_source():
    da = pytest.importorskip("dask.array")
    X = da.zeros((4, 2), chunks=2)
    assert is_dask_array(X)
    assert not is_dask_array(np.zeros(3))
    for attribute in ("__dask_graph__", "numblocks"):
        assert not is_dask_array(type("Half", (), {attribute: None})())
    with pytest.raises(ValueError, match=r"X is a Dask array.*X.compute\(\).*zarr.*partial_fit"):
        as_lazy_array(X)


def test_what_joblib_shares_between_processes_is_read_as_it_was_in_memory():
    X = np.random.default_rng(0).random((3000, 50))
    X[7, 3] = 1.5
    union = FeatureUnion([("vae", tiny("VAE")), ("pca", PCA(2))])
    one, two = (union.set_params(n_jobs=n_jobs).fit_transform(X) for n_jobs in (1, 2))
    assert_array_equal(one, two)
