"""X that is not in memory: read by batch, and the same to every estimator as an array of it."""

import functools
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from sklearn_simvae import CLIP, MultimodalSimVAE
from sklearn_simvae.views import Source, as_source

pytestmark = pytest.mark.filterwarnings("error:.*not writable")


class Slices:
    """What gives rows by slices alone, and keeps account of them."""

    def __init__(self, X, chunks=None):
        self.X, self.shape, self.dtype = X, X.shape, X.dtype
        self.read = []
        if chunks:
            self.chunks = chunks

    def __getitem__(self, key):
        assert isinstance(key, slice) and type(key.start) is int
        self.read.append((key.start, key.stop))
        return self.X[key]

    def __array__(self, *args, **kwargs):
        raise AssertionError("read whole")


class Pairs(Dataset):
    """Items are tuples of a row and a label."""

    def __init__(self, X):
        self.X = X

    def __len__(self):
        return len(self.X)

    def __getitem__(self, row):
        assert type(row) is int
        return self.X[row], "label"


class ByBatch(Dataset):
    """Items that are to be fetched many at once."""

    def __init__(self, X):
        self.X = torch.from_numpy(np.array(X))

    def __len__(self):
        return len(self.X)

    def __getitem__(self, row):
        raise AssertionError("__getitems__ is there")

    def __getitems__(self, rows):
        return [(x, 0) for x in self.X[rows]]


class Stream(IterableDataset):
    def __iter__(self):
        return iter(np.zeros((9, 3)))


def memmap(X, path, dtype=None):
    np.save(path / "X.npy", X.astype(dtype or X.dtype))
    return np.load(path / "X.npy", mmap_mode="r")


def strided_memmap(X, path):
    return memmap(np.repeat(X, 2, axis=0), path)[::2]


def zarr_array(X, path):
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(
        path / "X.zarr", shape=X.shape, dtype=X.dtype, chunks=(7, *X.shape[1:])
    )
    array[:] = X
    return zarr.open_array(path / "X.zarr", mode="r")


def h5py_dataset(X, path, **options):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path / "X.h5", "w") as file:
        file.create_dataset("X", data=X, **options)
    return h5py.File(path / "X.h5")["X"]


def arrow_table(X, as_list):
    pa = pytest.importorskip("pyarrow")
    if as_list:
        values = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), X.shape[1])
        return pa.table({"x": values})
    return pa.table({f"x{j}": column for j, column in enumerate(X.T)})


def parquet_table(X, path, as_list):
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow_table(X, as_list), path / "X.parquet", row_group_size=9)
    return parquet.read_table(path / "X.parquet", memory_map=True)


def parquet_dataset(X, path, as_list):
    arrow_dataset = pytest.importorskip("pyarrow.dataset")
    (path / "parts").mkdir()
    for part, rows in enumerate(np.array_split(X, 3)):
        parquet_table(rows, path, as_list)
        (path / "X.parquet").rename(path / "parts" / f"{part}.parquet")
    return arrow_dataset.dataset(path / "parts")


SOURCES = {
    "memmap": memmap,
    "memmap-strided": strided_memmap,
    "memmap-swapped": lambda X, path: memmap(X, path, X.dtype.newbyteorder()),
    "slices": lambda X, path: Slices(X),
    "chunks": lambda X, path: Slices(X, chunks=(7, *X.shape[1:])),
    "zarr": zarr_array,
    "h5py": h5py_dataset,
    "h5py-chunked": lambda X, path: h5py_dataset(X, path, chunks=True, compression="gzip"),
    "tensors": lambda X, path: TensorDataset(torch.from_numpy(np.array(X)), torch.arange(len(X))),
    "subset": lambda X, path: Subset(Pairs(np.repeat(X, 2, axis=0)), range(0, 2 * len(X), 2)),
    "pairs": lambda X, path: Pairs(X),
    "by-batch": lambda X, path: ByBatch(X),
}
# Rows of theirs are of one dimension.
TABLES = {
    f"{name}-{kind}": functools.partial(make, as_list=kind == "list")
    for name, make in {"parquet": parquet_table, "parquet-dataset": parquet_dataset}.items()
    for kind in ("columns", "list")
}
any_source = pytest.mark.parametrize(
    "wrap", [*SOURCES.values(), *TABLES.values()], ids=[*SOURCES, *TABLES]
)
array_source = pytest.mark.parametrize("wrap", SOURCES.values(), ids=SOURCES)


# ---------------------------------------------------------------- reading


@any_source
@pytest.mark.parametrize("dtype", ["f4", "f8", "u1", "i4"])
def test_source_gives_rows_in_any_order_and_shape(wrap, dtype, tmp_path):
    X = np.random.default_rng(0).integers(0, 200, (40, 6)).astype(dtype)
    source = as_source(wrap(X, tmp_path))
    assert isinstance(source, Source) and as_source(source) is source
    assert (source.shape, source.ndim, len(source)) == ((40, 6), 2, 40)
    for rows in ([3], [39, 0, 7, 7, 8, 21], [[5, 4], [4, 30]], np.arange(40), []):
        rows = np.array(rows, dtype=int)
        got = source[rows]
        assert_array_equal(got, X[rows])
        assert got.dtype == X.dtype and got.flags.writeable


def test_slices_touch_each_chunk_once_and_no_others():
    X = np.arange(200).reshape(100, 2)
    chunked, plain = Slices(X, chunks=(10, 2)), Slices(X)
    rows = np.array([55, 3, 58, 9, 90, 10])
    assert_array_equal(as_source(chunked)[rows], X[rows])
    assert chunked.read == [(3, 11), (55, 59), (90, 91)]
    assert_array_equal(as_source(plain)[rows], X[rows])
    assert plain.read == [(3, 4), (9, 11), (55, 56), (58, 59), (90, 91)]


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((3, 2)),
        [[1, 2]],
        torch.zeros(3, 2),
        np.float32(3),
        "text",
        {"a": [1]},
        None,
    ],
)
def test_what_is_in_memory_is_no_source(X):
    assert as_source(X) is X


def test_rows_taken_out_of_a_memmap_are_in_memory(tmp_path):
    X = memmap(np.arange(10.0).reshape(5, 2), tmp_path)
    assert isinstance(as_source(X[1:]), Source)
    assert not isinstance(as_source(X[[0, 2]]), Source)


@pytest.mark.parametrize(
    "X, match",
    [
        (Slices(np.array([["a"]])), "dtype <U1, which no network reads"),
        (Pairs([np.zeros(2), np.zeros(3)]), "differ in shape|were read as"),
        (Slices(np.zeros((0, 3))), "0 sample"),
        (TensorDataset(torch.zeros(0, 3)), "0 sample"),
        (Slices(np.zeros(5)), "Expected 2D array, got 1D array"),
        (Stream(), "only in order.*partial_fit"),
    ],
)
def test_bad_source_is_refused(X, match):
    with pytest.raises(ValueError, match=match):
        tiny("SimVAE").fit(X)


def test_arrow_that_holds_no_rows_of_numbers_is_refused():
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match="which no network reads"):
        tiny("SimVAE").fit(pa.table({"a": ["text", "words"]}))
    arrow_dataset = pytest.importorskip("pyarrow.dataset")
    some = arrow_dataset.dataset(pa.table({"a": [1.0, 2.0, 3.0]})).filter(pa.compute.field("a") > 1)
    with pytest.raises(ValueError, match="Remove the filtering"):
        tiny("SimVAE").fit(some)
    rows = pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32(), 2))
    with pytest.raises(ValueError, match="'x' of X has rows that are null"):
        tiny("SimVAE").fit(pa.table({"x": rows}))


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
    assert as_source(X).sample.shape == (2, 3, 500, 1333) and X.n_rows == 2


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
