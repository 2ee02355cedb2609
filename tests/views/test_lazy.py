"""X that is not in memory: read by batch, and the same to every estimator as an array of it."""

import functools
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from sklearn_simvae import CLIP, MultimodalSimVAE
from sklearn_simvae.views import LazyArray, as_lazy_array
from sklearn_simvae.views.lazy import by_chunk, is_dask_array, named, some_rows
from sklearn_simvae.views.sources import _arrow_dataset

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
    source = as_lazy_array(wrap(X, tmp_path))
    assert isinstance(source, LazyArray) and as_lazy_array(source) is source
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
    assert_array_equal(as_lazy_array(chunked)[rows], X[rows])
    assert chunked.read == [(3, 11), (55, 59), (90, 91)]
    assert_array_equal(as_lazy_array(plain)[rows], X[rows])
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
    assert as_lazy_array(X) is X


def test_rows_taken_out_of_a_memmap_are_in_memory(tmp_path):
    X = memmap(np.arange(10.0).reshape(5, 2), tmp_path)
    assert isinstance(as_lazy_array(X[1:]), LazyArray)
    assert not isinstance(as_lazy_array(X[[0, 2]]), LazyArray)


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


@pytest.mark.parametrize("dtype", ["c8", "M8[s]", "U2", "O", "V3"])
def test_what_no_network_reads_is_refused_by_its_type(dtype):
    X = Slices(np.zeros((3, 2), dtype))
    with pytest.raises(ValueError, match="of type Slices, has dtype") as error:
        as_lazy_array(X)
    assert f"dtype {X.dtype}, which" in str(error.value)


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", "f2", "f8"])
def test_numbers_of_any_type_are_read(dtype):
    assert as_lazy_array(Slices(np.ones((3, 2), dtype))).dtype == dtype


def test_tables_and_columns_in_memory_are_no_sources():
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")

    class Standard:
        """What keeps to the array API."""

        shape, dtype = (3, 2), np.dtype(float)

        def __array_namespace__(self):
            return np

        def __getitem__(self, key):
            raise AssertionError("read")

    for X in [pd.DataFrame({"a": [1]}), pd.Series([1]), pl.Series([1]), pl.DataFrame({"a": [1]})]:
        assert as_lazy_array(X) is X
    for X in [Standard(), csr_array(np.eye(2)), np.float32(1), torch.zeros(2, 2), np.zeros((2, 2))]:
        assert as_lazy_array(X) is X


@pytest.mark.parametrize(("missing", "value"), [("shape", None), ("shape", ()), ("shape", [3, 2])])
def test_what_has_no_shape_of_an_array_is_no_source(missing, value):
    X = Slices(np.zeros((3, 2)))
    setattr(X, missing, value)
    assert as_lazy_array(X) is X


@pytest.mark.parametrize("chunks", [None, (), ((7, 2),), (7, 2), (1, 2), (100, 2)])
def test_chunks_of_any_kind_are_read(chunks):
    X = np.arange(60.0).reshape(30, 2)
    slices = Slices(X)
    slices.chunks = chunks
    rows = np.array([0, 1, 6, 7, 20, 29])
    assert_array_equal(as_lazy_array(slices)[rows], X[rows])


def test_items_of_different_shapes_are_refused_by_their_shapes():
    class Ragged(Pairs):
        def __getitem__(self, row):
            return np.zeros(2 + row % 2), "label"

    source = as_lazy_array(Ragged(np.zeros(6)))
    assert source.shape == (6, 2)
    with pytest.raises(
        ValueError, match=r"items of Ragged differ in shape: \{\(., ?\), \(., ?\)\}"
    ):
        source[np.array([0, 1])]


@pytest.mark.parametrize("X", [Stream(), Dataset()])
def test_what_is_read_in_order_or_has_no_length_is_named(X):
    with pytest.raises(ValueError, match=f"{type(X).__name__} can be read only in order.*partial_"):
        as_lazy_array(X)


def test_a_dataset_without_items_is_a_source_without_rows():
    source = as_lazy_array(TensorDataset(torch.zeros(0, 3)))
    assert (len(source), source.dtype) == (0, np.float32)
    assert source[np.array([], int)].shape == (0, 1)


class Tuples(Dataset):
    """Items are what a function makes of the row at their place."""

    def __init__(self, X, make):
        self.X, self.make = X, make

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        return self.make(self.X[i])


def as_image(x):
    from PIL import Image

    return Image.fromarray(x.numpy().astype(np.uint8).reshape(2, 3))


MORE_THAN_A_ROW = {
    "tensors": lambda x: (x, x + 1),
    "arrays": lambda x: (x.numpy(), x.numpy() + 1),
    "a list": lambda x: [x, x + 1],
    "one of each": lambda x: (x, x.numpy()),
    "with a label": lambda x: (x, x + 1, 3),
    "after a label": lambda x: (x, 3, x + 1),
    "three": lambda x: (x, x, x),
    "images": lambda x: (x.reshape(1, 2, 3), x.reshape(1, 2, 3)),
    "images of PIL": lambda x: (as_image(x), as_image(x)),
    "one number": lambda x: (x[:1], x[1:2]),
    "views and views": lambda x: ((x, x), (x, x)),
}


@pytest.mark.parametrize("make", MORE_THAN_A_ROW.values(), ids=MORE_THAN_A_ROW)
def test_a_second_view_is_not_lost_without_a_word(make):
    dataset = Tuples(torch.arange(24.0).reshape(4, 6), make)
    with pytest.raises(
        ValueError, match=r"Tuples are tuples that hold more than one .*torch\.stack"
    ):
        as_lazy_array(dataset)
    with pytest.raises(ValueError, match="row and its target"):
        as_lazy_array(Subset(dataset, [0, 1]))


def test_two_tensors_of_one_shape_are_not_one():
    X = torch.rand(20, 6)
    with pytest.raises(ValueError, match="TensorDataset are tuples that hold more than one"):
        tiny("SimVAE").fit(TensorDataset(X, X))


def test_a_second_view_of_a_later_item_is_seen():
    X = torch.arange(24.0).reshape(4, 6)
    source = as_lazy_array(Tuples(X, lambda x: (x, x) if x[0] else (x, 0)))
    with pytest.raises(ValueError, match="more than one array"):
        source[np.array([2])]


A_ROW = {
    "a number": lambda x: (x, 3),
    "a tensor of no axes": lambda x: (x, torch.tensor(3)),
    "a number of numpy": lambda x: (x, np.int64(3)),
    "a string": lambda x: (x, "abcdef"),
    "nothing": lambda x: (x,),
    "None": lambda x: (x, None),
    "one-hot": lambda x: (x, torch.eye(3)[0]),
    "boxes": lambda x: (x, {"boxes": x}),
}


@pytest.mark.parametrize("make", A_ROW.values(), ids=A_ROW)
def test_labels_after_a_row_are_left_out(make):
    X = torch.arange(24.0).reshape(4, 6)
    assert_array_equal(as_lazy_array(Tuples(X, make))[np.arange(4)], X)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: torch.stack([x, x + 1]),
        lambda x: (torch.stack([x, x + 1]), 3),
        lambda x: ((x, x + 1), 3),
        lambda x: ([x.bfloat16(), (x + 1).requires_grad_()], 3),
        lambda x: [(x.numpy(), x.numpy() + 1), "label"],
    ],
    ids=["stacked", "stacked and a label", "a tuple", "a list", "arrays"],
)
def test_views_in_one_item_are_views(make):
    X = torch.arange(24.0).reshape(4, 6)
    source = as_lazy_array(Tuples(X, make))
    assert source.shape == (4, 2, 6)
    assert_array_equal(source[np.arange(4)], torch.stack([X, X + 1], 1))


def test_a_dataset_may_have_items_that_are_no_tuples():
    class Rows(Pairs):
        def __getitem__(self, row):
            return self.X[row]

    X = np.arange(12.0).reshape(3, 2, 2)
    assert_array_equal(as_lazy_array(Rows(X))[np.array([2, 0])], X[[2, 0]])


def test_tables_of_arrow_without_columns_have_rows_without_features():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"a": [1.0, 2.0, 3.0]})
    assert as_lazy_array(table.select([])).shape == (3, 0)


def test_a_column_of_lists_is_read_across_its_chunks():
    pa = pytest.importorskip("pyarrow")
    X = np.arange(12.0, dtype=np.float32).reshape(6, 2)
    table = pa.concat_tables([arrow_table(X[:1], True), arrow_table(X[1:], True)])
    assert table["x"].num_chunks == 2
    source = as_lazy_array(table)
    assert source.dtype == np.float32
    assert_array_equal(source[np.array([5, 0, 1])], X[[5, 0, 1]])
    batch = as_lazy_array(arrow_table(X, True).to_batches()[0])
    assert_array_equal(batch[np.array([5, 0])], X[[5, 0]])


@pytest.mark.parametrize("as_list", [False, True])
def test_files_of_arrow_without_row_groups_are_read(as_list, tmp_path):
    feather = pytest.importorskip("pyarrow.feather")
    dataset = pytest.importorskip("pyarrow.dataset")
    X = np.arange(20.0).reshape(10, 2)
    for name, part in (("0", X[:3]), ("1", X[3:])):
        feather.write_feather(arrow_table(part, as_list), tmp_path / f"{name}.feather")
    source = as_lazy_array(dataset.dataset(tmp_path, format="feather"))
    rows = np.array([9, 2, 3, 0])
    assert source.shape == (10, 2)
    assert_array_equal(source[rows], X[rows])


def test_only_the_row_groups_that_hold_the_rows_are_decoded(tmp_path):
    pytest.importorskip("pyarrow")
    X = np.arange(60.0).reshape(30, 2)
    real = parquet_dataset(X, tmp_path, False)
    decoded = []

    class Part:
        def __init__(self, fragment):
            self.fragment, self.row_groups = fragment, fragment.row_groups

        def split_by_row_group(self):
            return [Part(group) for group in self.fragment.split_by_row_group()]

        def to_table(self, schema):
            decoded.append(self.fragment.row_groups[0].num_rows)
            return self.fragment.to_table(schema=schema)

    class Parts:
        schema = real.schema

        def get_fragments(self):
            return [Part(fragment) for fragment in real.get_fragments()]

    # Each file of 10 rows has groups of 9 and of 1.
    rows = np.array([8, 9, 15, 16])
    assert_array_equal(_arrow_dataset(Parts())[rows], X[rows])
    assert decoded == [9, 1, 9]


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
