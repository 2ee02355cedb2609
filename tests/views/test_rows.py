"""Rows in the forms in which people have them: stacked, or refused with what to give instead."""

import collections
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn.base import clone
from torch.utils.data import DataLoader, TensorDataset

from sklearn_simvae import CLIP, SimVAE
from sklearn_simvae.evaluation import collapse_report, mutual_information, probe
from sklearn_simvae.multimodal import retrieve
from sklearn_simvae.views.rows import (
    cells_are_arrays,
    check_holds_rows,
    holds_arrays,
    stack_cells,
    stack_rows,
    tensor_to_array,
)

X = np.random.default_rng(0).random((24, 6)).astype(np.float32)
IMAGES = np.random.default_rng(0).random((24, 1, 8, 8)).astype(np.float32)
TINY = {"n_components": 3, "hidden_layer_sizes": (8,), "max_epochs": 1, "random_state": 0}


def objects(rows):
    column = np.empty(len(rows), dtype=object)
    column[:] = list(rows)
    return column


class Picture:
    """What an image library gives: neither an array nor a list."""

    def __init__(self, row):
        self.__array_interface__ = row.__array_interface__
        self.row = row


# Columns, and tables of one column, whose cells are arrays.
COLUMNS = {
    "objects": objects,
    "a column of objects": lambda rows: objects(rows)[:, None],
    "pandas": lambda rows: pd.Series(list(rows)),
    "a frame of pandas": lambda rows: pd.DataFrame({"image": list(rows)}),
    "lists in pandas": lambda rows: pd.Series(rows.tolist()),
    "nested objects": lambda rows: objects([objects(row) for row in rows]),
    "tensors": lambda rows: list(torch.from_numpy(rows)),
    "tensors in pandas": lambda rows: pd.Series(list(torch.from_numpy(rows))),
    "pictures": lambda rows: [Picture(row) for row in rows],
    "tuple": tuple,
    "polars lists": lambda rows: pl.Series("image", rows.tolist()),
    "polars arrays": lambda rows: pl.Series(
        "image", rows, dtype=pl.Array(pl.Float32, rows.shape[1:])
    ),
    "a frame of polars lists": lambda rows: pl.DataFrame({"image": rows.tolist()}),
    "a frame of polars arrays": lambda rows: pl.DataFrame(
        {"image": pl.Series("image", rows, dtype=pl.Array(pl.Float32, rows.shape[1:]))}
    ),
    "arrow": lambda rows: pa.array(rows.tolist()),
    "chunks of arrow": lambda rows: pa.chunked_array([rows[:3].tolist(), rows[3:].tolist()]),
    "arrow in pandas": lambda rows: pd.Series(
        pd.arrays.ArrowExtensionArray(pa.array(rows.tolist()))
    ),
}


@pytest.mark.parametrize("rows", [X, IMAGES], ids=["vectors", "images"])
@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_columns_of_arrays_are_stacked(column, rows):
    made = column(rows)
    # numpy makes nothing but an array of rows of one shape, for which it asks no help.
    assert_array_equal(np.asarray(stack_cells(made), dtype=np.float32), rows)


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_estimators_take_columns_of_arrays(column):
    expected = SimVAE(**TINY).fit(IMAGES)
    estimator = SimVAE(**TINY).fit(column(IMAGES))
    assert not hasattr(estimator, "feature_names_in_")
    assert_array_equal(estimator.transform(column(IMAGES)), expected.transform(IMAGES))
    assert estimator.score(column(IMAGES)) == expected.score(IMAGES)
    again = clone(estimator).partial_fit(column(IMAGES)).partial_fit(column(IMAGES))
    assert_array_equal(
        again.transform(IMAGES),
        clone(expected).partial_fit(IMAGES).partial_fit(IMAGES).transform(IMAGES),
    )


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_modalities_and_evaluation_take_columns_of_arrays(column):
    clip = CLIP(**TINY)
    expected = clip.fit({"a": IMAGES, "b": X}).transform({"a": IMAGES, "b": X})
    clip = CLIP(**TINY).fit({"a": column(IMAGES), "b": column(X)})
    assert_array_equal(clip.transform({"a": IMAGES, "b": X}), expected)
    estimator = SimVAE(**TINY).fit(IMAGES)
    report = collapse_report(estimator, column(IMAGES))
    assert report.effective_rank == collapse_report(estimator, IMAGES).effective_rank


@pytest.mark.parametrize(
    "table",
    [X, X.astype(object), X.tolist(), pd.DataFrame(X), pd.DataFrame(X[:, :1]), pl.DataFrame(X)],
    ids=["array", "objects", "lists", "frame", "one column", "polars"],
)
def test_tables_of_numbers_are_left_as_they_are(table):
    assert not holds_arrays(table)
    assert not cells_are_arrays(table)
    made = stack_cells(table)
    assert made is table or isinstance(table, list)
    assert_array_equal(made, table)


SHORT = [torch.bfloat16, torch.float16, torch.float8_e5m2]


@pytest.mark.parametrize("dtype", SHORT, ids=str)
@pytest.mark.parametrize("method", ["fit_transform", "partial_fit", "score", "transform", "encode"])
def test_tensors_of_short_floats_are_read_as_float32(dtype, method):
    tensor = torch.from_numpy(X).to(dtype).requires_grad_(dtype.itemsize > 1)
    rows = tensor.detach().float().numpy()
    made, expected = SimVAE(**TINY).fit(rows), SimVAE(**TINY).fit(rows)
    made, expected = getattr(made, method)(tensor), getattr(expected, method)(rows)
    if method == "partial_fit":
        made, expected = made.transform(rows), expected.transform(rows)
    assert_array_equal(made, expected)


def test_numpy_and_lists_of_short_floats_are_read_too():
    short = X.astype(np.float16)
    expected = SimVAE(**TINY).fit_transform(short.astype(np.float32))
    assert_array_equal(SimVAE(**TINY).fit_transform(short), expected)
    tensors = list(torch.from_numpy(X).bfloat16())
    rows = torch.stack(tensors).float().numpy()
    assert_array_equal(stack_cells(tensors), rows)
    latents = torch.from_numpy(X[:, :3]).bfloat16()
    simvae = SimVAE(**TINY).fit(X)
    decoded = simvae.inverse_transform(latents.float().numpy())
    assert_array_equal(simvae.inverse_transform(latents), decoded)
    data = {"a": torch.from_numpy(X).bfloat16(), "b": X}
    assert CLIP(**TINY).fit(data).transform(data).shape == (24, 3)
    assert retrieve(latents, latents, k=1)[0].ravel().tolist() == list(range(24))
    groups = torch.arange(24) // 2
    paired = SimVAE(**TINY).fit(torch.from_numpy(X), groups=groups)
    assert_array_equal(
        paired.transform(X), SimVAE(**TINY).fit(X, groups=groups.numpy()).transform(X)
    )
    y = torch.arange(24) % 2
    table = probe(None, torch.from_numpy(X).bfloat16(), y, probes=["knn"], random_state=0)
    assert 0 <= table.mean(probe="knn", metric="accuracy") <= 1


@pytest.mark.parametrize(
    "tensor, match",
    [
        (torch.eye(6).to_sparse(), r"X is a sparse tensor; give X.to_dense\(\)"),
        (torch.eye(6).to_sparse_csr(), "sparse tensor"),
        (torch.nested.nested_tensor([torch.zeros(3), torch.zeros(2)]), "differ in shape"),
    ],
    ids=["sparse", "csr", "nested"],
)
def test_tensors_that_are_no_arrays_are_refused(tensor, match):
    with pytest.raises(ValueError, match=match):
        SimVAE(**TINY).fit(tensor)


def test_tensors_lose_their_graph_and_their_flags():
    tensor = torch.ones(2, requires_grad=True)
    assert_array_equal(tensor_to_array(torch._neg_view(tensor)), [-1, -1])
    assert tensor_to_array(X) is X


# ---------------------------------------------------------------- rows that differ in shape

UNEQUAL = {
    "series": ([np.zeros((5, 9)), np.zeros((4, 9))], r"row 0 has \(5, 9\) and row 1 has \(4, 9\)"),
    "lists": ([[1.0, 2.0], [1.0]], r"row 0 has \(2,\) and row 1 has \(1,\)"),
    "images": ([IMAGES[0], IMAGES[1, :, :5]], r"\(1, 8, 8\) and row 1 has \(1, 5, 8\)"),
    "numbers of axes": ([IMAGES[0], IMAGES[1, 0]], r"\(1, 8, 8\) and row 1 has \(8, 8\)"),
    "tensors": ([torch.zeros(3), torch.zeros(4)], r"\(3,\) and row 1 has \(4,\)"),
    "parts of a row": ([[[1, 2], [3]], [[1, 2], [3]]], r"The rows of X\[0\] differ in shape"),
}
HOLDERS = {
    "list": list,
    "objects": objects,
    "pandas": lambda rows: pd.Series(list(rows)),
    "frame": lambda rows: pd.DataFrame({"x": list(rows)}),
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
@pytest.mark.parametrize("rows, match", UNEQUAL.values(), ids=UNEQUAL)
def test_rows_that_differ_in_shape_are_named(rows, match, holder):
    with pytest.raises(ValueError, match=f"{match}.*kind='series'.*resize"):
        SimVAE(**TINY).fit(holder(rows * 4))
    with pytest.raises(ValueError, match=match):
        collapse_report(None, holder(rows * 4))


def test_polars_lists_of_unequal_length_are_named():
    with pytest.raises(ValueError, match=r"row 0 has \(2,\) and row 1 has \(1,\)"):
        SimVAE(**TINY).fit(pl.Series([[1.0, 2.0], [1.0]] * 4))


@pytest.mark.parametrize("missing", [None, np.nan])
@pytest.mark.parametrize("row", [0, 3])
def test_a_missing_row_is_named(row, missing):
    rows = objects(X)
    rows[row] = missing
    for column in (rows, pd.Series(rows), list(rows)):
        with pytest.raises(ValueError, match=f"Row {row} of X is {missing}.*[Ll]eave"):
            SimVAE(**TINY).fit(column)


@pytest.mark.parametrize("to_table", [pd.DataFrame, pl.DataFrame])
def test_arrays_beside_numbers_are_told_apart(to_table):
    table = to_table({"image": X.tolist(), "age": np.arange(24.0)})
    with pytest.raises(ValueError, match=r"Some cells of X hold arrays.*CLIP"):
        SimVAE(**TINY).fit(table)


# ---------------------------------------------------------------- what holds no rows

AnnData = type("AnnData", (), {"X": X, "shape": X.shape, "__len__": lambda self: 24})

NO_ROWS = {
    "DataLoader": (DataLoader(TensorDataset(torch.from_numpy(X))), r"loader\.dataset"),
    "a path": ("photos", r"of type str.*load_image_folder\(path\)"),
    "a path of pathlib": (Path("photos"), r"load_image_folder\(path\)"),
    "one image": (Image.new("RGB", (8, 8)), r"a list of images, \[image\]"),
    "generator": ((row for row in X), r"numpy\.stack\(list\(X\)\)"),
    "iterator": (iter(X), r"numpy\.stack\(list\(X\)\)"),
    "map": (map(list, X), r"numpy\.stack\(list\(X\)\)"),
    "deque": (collections.deque(X).__reversed__(), "numpy.stack"),
    "LazyFrame": (pl.DataFrame(X).lazy(), r"collect\(\)"),
    "AnnData": (AnnData(), r"adata\.X.*to_df\(\)"),
    "groups of pandas": (pd.DataFrame(X).groupby(0), "the table without.*as groups"),
    "groups of polars": (pl.DataFrame(X).group_by("column_0"), "the table without.*as groups"),
    "a set": ({1.0, 2.0}, "order"),
    "dicts": ([{"a": 1.0}, {"a": 2.0}], r"a dict for each row.*pandas\.DataFrame\(X\)"),
    "an array of dicts": (np.array([{"a": 1.0}] * 3), r"pandas\.DataFrame\(X\)"),
}


@pytest.mark.parametrize("method", [SimVAE, CLIP])
@pytest.mark.parametrize("wrong, match", NO_ROWS.values(), ids=NO_ROWS)
def test_what_holds_no_rows_is_refused_with_what_to_give(wrong, match, method):
    estimator = method(**TINY).fit(X)
    for name in ("fit", "partial_fit", "fit_transform", "transform", "score"):
        with pytest.raises(ValueError, match=match):
            getattr(estimator, name)(wrong)
    for function in (collapse_report, mutual_information):
        with pytest.raises(ValueError, match=match):
            function(estimator, wrong)
    with pytest.raises(ValueError, match=match):
        probe(estimator, wrong, np.arange(24) % 2)


@pytest.mark.parametrize(
    "name", [name for name in NO_ROWS if "dict" not in name and name != "a set"]
)
def test_entries_that_hold_no_rows_are_refused_with_what_to_give(name):
    wrong, match = NO_ROWS[name]
    with pytest.raises(ValueError, match=f"The entry 'b' of X.*{match}"):
        CLIP(**TINY).fit({"a": X, "b": wrong})


def test_a_dict_is_for_the_multimodal_estimators():
    estimator = SimVAE(**TINY).fit(X)
    for name in ("fit", "transform", "score"):
        with pytest.raises(ValueError, match=r"X is a dict of \['a', 'b'\].*CLIP"):
            getattr(estimator, name)({"a": X, "b": X})


@pytest.mark.parametrize("rows", [X, X.tolist(), pd.DataFrame(X), range(3), None, 3.0])
def test_all_else_is_left_to_other_checks(rows):
    check_holds_rows(rows)


def test_stacked_rows_may_be_of_any_kind():
    assert_array_equal(stack_rows([torch.zeros(2), [1, 2], np.ones(2)]), [[0, 0], [1, 2], [1, 1]])


# ---------------------------------------------------------------- the array API

DISPATCHED = """
import numpy as np, sklearn, torch
from numpy.testing import assert_array_equal
from sklearn_simvae import CLIP, SimCLR, SimVAE
from sklearn_simvae.evaluation import collapse_report, effective_rank, probe

X = np.random.default_rng(0).random((24, 6)).astype(np.float32)
tensor, groups = torch.from_numpy(X), torch.arange(24) // 2
for method in (SimVAE, SimCLR, CLIP):
    def run(X, groups):
        tiny = dict(hidden_layer_sizes=(8,), max_epochs=1, random_state=0)
        estimator = method(3, **tiny).fit(X)
        made = [estimator.transform(X), estimator.score(X)]
        if method is not CLIP:
            made.append(estimator.fit(X, groups=groups).score(X, groups=groups))
        made.append(estimator.partial_fit(X).transform(X))
        made.append(effective_rank(X))
        made.append(collapse_report(estimator, X).variance)
        if method is SimVAE:
            made.append(estimator.inverse_transform(X[:, :3]))
        table = probe(None, X, groups % 2, probes=["knn"], random_state=0)
        return [*made, table.mean(metric="accuracy")]
    expected = run(X, groups.numpy())
    with sklearn.config_context(array_api_dispatch=True):
        found = run(tensor, groups)
    for a, b in zip(found, expected, strict=True):
        assert type(a) is type(b)
        assert_array_equal(a, b)
"""


def test_tensors_give_the_same_arrays_where_scikit_learn_dispatches():
    # scikit-learn wants the variable to be set before scipy is imported.
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DISPATCHED],
        env=environment,
        capture_output=True,
        text=True,
    )
    if "array_api_compat is required" in done.stderr:
        pytest.skip("this scikit-learn dispatches by a package that is not there")
    assert done.returncode == 0, done.stderr
