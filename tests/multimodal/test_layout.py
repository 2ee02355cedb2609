"""The layout of rows of several modalities."""

import json

import numpy as np
import pytest
import torch
from made_modalities import IMAGES, NAMES, OF_FRAME, TEXT, X, dense, make_frame, read
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

from sklearn_simvae.multimodal.layout import take_columns
from sklearn_simvae.multimodal.modalities import read_modalities
from sklearn_simvae.multimodal.reader import ModalityReader


@pytest.mark.parametrize("columns, ndim", [("text", 1), (["text"], 2), (5, 1), ([5], 2)])
def test_a_single_column_comes_to_its_preprocessor_as_in_column_transformer(frame, columns, ndim):
    seen = []

    def look(values):
        seen.append(values)
        return np.zeros((len(values), 1))

    preprocessing = [("text", FunctionTransformer(look))]
    read(frame, [("size", "auto", NAMES), ("text", "auto", columns)], preprocessing)
    assert seen[0].ndim == ndim if hasattr(seen[0], "ndim") else len(seen[0].shape) == ndim
    assert type(seen[0]).__module__.split(".")[0] == type(frame).__module__.split(".")[0]


TABLES = {
    "array": np.asarray,
    "sparse": sparse.csr_array,
    "pandas": lambda values: pytest.importorskip("pandas").DataFrame(values, columns=NAMES),
    "polars": lambda values: pytest.importorskip("polars").DataFrame(values, schema=NAMES),
    "pyarrow": lambda values: pytest.importorskip("pyarrow").table(list(values.T), names=NAMES),
}


@pytest.mark.parametrize("make_table", TABLES.values(), ids=TABLES)
def test_columns_are_taken_alike_from_every_kind_of_table(make_table):
    table = make_table(X)
    some = take_columns(table, [3, 1])
    some = some.toarray() if sparse.issparse(some) else np.column_stack([*np.asarray(some).T])
    assert_array_equal(some, X[:, [3, 1]])
    if not sparse.issparse(table):
        assert_array_equal(np.asarray(take_columns(table, 2)), X[:, 2])


@pytest.fixture
def layout():
    """An image, scaled numbers and plain ones, of a dict."""
    data = {"image": IMAGES, "scaled": X[:, :2], "plain": TABLES["pandas"](X)}
    return read(data, None, [("scaled", MaxAbsScaler())], {"image": (8, 8, 3)}).layout


def test_a_layout_is_put_together_of_those_of_its_modalities(layout):
    assert layout.names == ["image", "scaled", "plain"]
    assert [layout.index(name) for name in layout.names] == [0, 1, 2]
    with pytest.raises(ValueError, match=r"no modality 'text'; there are \['image', 'scaled'"):
        layout.index("text")
    assert layout.n_features == layout.n_columns == 8 * 8 * 3 + 2 + 5
    assert list(layout.preprocessors) == ["scaled"]
    assert_array_equal(layout.preprocessors["scaled"].max_abs_, np.abs(X[:, :2]).max(0))
    assert [m.feature_names for m in layout.modalities] == [None, None, tuple(NAMES)]
    # Columns of no modality are counted among those of a table.
    of_table = read(X, [("a", "auto", [0]), ("b", "auto", [3, 4])]).layout
    assert (of_table.n_columns, of_table.n_features) == (5, 3)


def test_zeros_are_a_sample_as_the_networks_take_it(layout):
    batch = layout.zeros()
    assert len(batch) == 1
    assert [tuple(x.shape) for x in batch.views] == [(1, 3, 8, 8), (1, 2), (1, 5)]
    assert all(x.dtype == torch.float32 and not x.any() for x in batch.views)
    assert batch.mask.dtype == torch.bool and batch.mask.tolist() == [[True] * 3]


def test_a_layout_that_went_through_json_is_the_same(layout):
    fields = json.loads(json.dumps(layout.to_dict()))
    reader = ModalityReader("CLIP")
    assert reader.layout_from_dict(fields, layout.preprocessors) == layout
    with pytest.raises(ValueError, match=r"do not hold preprocessors.*'scaled' \(MaxAbsScaler\)"):
        reader.layout_from_dict(fields, {})
    with pytest.raises(ValueError, match="'plain'"):
        fields["modalities"][2]["preprocessor"] = "MaxAbsScaler"
        reader.layout_from_dict(fields, layout.preprocessors)


@pytest.mark.parametrize("with_names", [True, False])
def test_a_layout_apart_reads_a_dict_of_columns_as_the_table_was_read(with_names):
    frame = make_frame("pandas")
    preprocessing = OF_FRAME["preprocessing"]
    samples = read(frame, [("size", "auto", NAMES[::-1]), ("text", "auto", "text")], preprocessing)
    names = np.array([*NAMES, "text"], dtype=object) if with_names else None
    apart = samples.layout.apart(names)
    data = {"text": TEXT, "size": frame[NAMES[::-1]]}
    assert_array_equal(dense(read_modalities(data, apart)), dense(samples))
    assert apart.from_dict and not samples.layout.from_dict
    expected = tuple(NAMES[::-1]) if with_names else None
    assert [m.feature_names for m in apart.modalities] == [expected, None]
