"""Kinds of data that are read batch by batch, and what is no such data."""

import numpy as np
import pytest
import torch
from conftest import tiny
from numpy.testing import assert_array_equal
from read_by_batch import Pairs, Slices, any_source, arrow_table, parquet_dataset
from scipy.sparse import csr_array
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from sklearn_simvae.views import LazyArray, as_lazy_array
from sklearn_simvae.views.sources import _arrow_dataset

pytestmark = pytest.mark.filterwarnings("error:.*not writable")


class Stream(IterableDataset):
    def __iter__(self):
        return iter(np.zeros((9, 3)))


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


# ---------------------------------------------------------------- reading, beside estimators


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
