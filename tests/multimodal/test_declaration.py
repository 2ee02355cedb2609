"""Modalities as they are declared: names, encoders, columns and preprocessors."""

import numpy as np
import pytest
from made_modalities import OF_FRAME, PAIR, X, dense, make_frame, put, read
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.compose import make_column_selector
from sklearn.preprocessing import StandardScaler

from sklearn_simvae.multimodal.declaration import declare

COLUMNS = {
    "slice": (slice(1, 3), (1, 2)),
    "open slice": (slice(3, None), (3, 4)),
    "step": (slice(0, None, 2), (0, 2, 4)),
    "list": ([2, 0], (2, 0)),
    "from the end": ([-1, -2], (4, 3)),
    "int": (3, (3,)),
    "array": (np.array([1, 4]), (1, 4)),
    "mask": (np.arange(5) % 2 == 1, (1, 3)),
    "callable": (lambda X: list(range(X.shape[1] - 2)), (0, 1, 2)),
}


@pytest.mark.parametrize("columns, expected", COLUMNS.values(), ids=COLUMNS)
@pytest.mark.parametrize("make_X", [np.asarray, sparse.csr_array])
def test_columns_of_an_array_by_place(make_X, columns, expected):
    rest = [i for i in range(5) if i not in expected]
    declared = declare(make_X(X), [("a", "auto", columns), ("b", "mlp", rest)], ())
    assert [m.columns for m in declared] == [expected, tuple(rest)]
    assert [(m.name, m.encoder) for m in declared] == [("a", "auto"), ("b", "mlp")]
    samples = read(make_X(X), [("a", "auto", columns), ("b", "mlp", rest)])
    assert_array_equal(dense(samples), X[:, [*expected, *rest]])


@pytest.mark.parametrize(
    "columns, expected",
    [
        (["width", "height"], (1, 0)),
        ("weight", (2,)),
        (slice("width", "depth"), (1, 2, 3)),
        (slice(0, 2), (0, 1)),
        ([True, False, False, True, False, False], (0, 3)),
    ],
)
def test_columns_of_a_frame_by_name_and_place(frame, columns, expected):
    declared = declare(frame, [("a", "auto", columns), ("text", "auto", ["text"])], ())
    assert [m.columns for m in declared] == [expected, (5,)]


@pytest.mark.parametrize(
    "selector",
    [make_column_selector(dtype_include="number"), make_column_selector(pattern="^[^t]")],
)
def test_columns_by_selector(make_multimodal, selector):
    frame = make_frame("pandas")
    params = {**OF_FRAME, "modalities": [("size", "auto", selector), ("text", "auto", "text")]}
    Z = make_multimodal(**params).fit_transform(frame)
    assert_array_equal(Z, make_multimodal(**OF_FRAME).fit_transform(frame))


def test_modalities_are_the_halves_of_columns_or_the_entries_of_a_dict(make_multimodal):
    halves = [("first", "auto", slice(0, 3)), ("second", "auto", slice(3, 5))]
    first = make_multimodal().fit(X)
    assert first.layout_.names == ["first", "second"]
    assert_array_equal(make_multimodal(modalities=halves).fit_transform(X), first.transform(X))
    second = make_multimodal().fit({"x": X[:, :3], "y": X[:, 3:]})
    assert second.layout_.names == ["x", "y"]
    assert_array_equal(second.transform({"y": X[:, 3:], "x": X[:, :3]}), first.transform(X))


def test_a_dict_is_read_in_the_order_declared(make_multimodal):
    data = {"b": X[:, 3:], "a": X[:, :3]}
    declared = make_multimodal(modalities=[("a", "auto"), ("b", "mlp")]).fit(data)
    assert declared.layout_.names == ["a", "b"]
    assert_array_equal(declared.transform(data), make_multimodal().fit_transform(X))


def test_columns_of_no_modality_are_never_looked_at(make_multimodal):
    modalities = [("a", "auto", [0, 1]), ("b", "auto", [4])]
    estimator = make_multimodal(modalities=modalities).fit(X)
    other = put(X, (slice(0, 5), [2, 3]))
    assert_array_equal(estimator.transform(other), estimator.transform(X))
    assert_array_equal(
        make_multimodal(modalities=modalities).fit_transform(other), estimator.transform(X)
    )
    assert estimator.n_features_in_ == 5


BAD_TABLES = {
    "junk": ({"modalities": [3, 4]}, "must hold .name, encoder, columns., got 3"),
    "too short": ({"modalities": [("a",), PAIR[1]]}, "must hold"),
    "too long": ({"modalities": [(*PAIR[0], 1), PAIR[1]]}, "must hold"),
    "number for a name": ({"modalities": [(1, "auto", [0]), PAIR[1]]}, "must hold"),
    "no columns given": ({"modalities": [("a", "auto"), PAIR[1]]}, "'a' has no columns"),
    "None for columns": ({"modalities": [("a", "auto", None), PAIR[1]]}, "'a' has no columns"),
    "empty columns": ({"modalities": [("a", "auto", []), PAIR[1]]}, "'a' has no columns"),
    "empty slice": ({"modalities": [("a", "auto", slice(9, 12)), PAIR[1]]}, "no columns.*slice"),
    "empty mask": ({"modalities": [("a", "auto", [False] * 5), PAIR[1]]}, "'a' has no columns"),
    "short mask": ({"modalities": [("a", "auto", [True]), PAIR[1]]}, "'a' has columns"),
    "long mask": ({"modalities": [("a", "auto", [True] * 9), PAIR[1]]}, "'a' has columns"),
    "out of range": ({"modalities": [("a", "auto", [7]), PAIR[1]]}, r"'a' has columns.*\[7\]"),
    "names of an array": ({"modalities": [("a", "auto", "x"), PAIR[1]]}, "'a'.*dataframes"),
    "fraction": ({"modalities": [("a", "auto", 1.5), PAIR[1]]}, "'a' has columns.*1.5"),
    "broken selector": (
        {"modalities": [("a", "auto", lambda X: X.nothing), PAIR[1]]},
        "'a' has columns.*nothing",
    ),
    "overlap": ({"modalities": [("a", "auto", [0, 2]), PAIR[1]]}, "'a' and 'b' overlap.*column 2"),
    "overlap from the end": ({"modalities": [("a", "auto", [-2]), PAIR[1]]}, "overlap.*column 3"),
    "twice": ({"modalities": [("a", "auto", [0, 0]), PAIR[1]]}, "overlap"),
    "one": ({"modalities": PAIR[:1]}, r"At least two modalities.*\['a'\]"),
    "none": ({"modalities": []}, "At least two modalities"),
    "same names": ({"modalities": [PAIR[0], ("a", "auto", [4])]}, "names of their own"),
    "unknown encoder": ({"modalities": [("a", "mpl", [0]), PAIR[1]]}, "encoder must be one of"),
    "number for encoder": ({"modalities": [("a", 3, [0]), PAIR[1]]}, "encoder must be a name"),
    "encoder of images": ({"modalities": [("a", "conv", [0]), PAIR[1]]}, "conv"),
    "transformer of none": ({"preprocessing": [("third", StandardScaler())]}, r"\['third'\]"),
    "transformer by itself": ({"preprocessing": [StandardScaler()]}, "preprocessing must hold"),
    "class": ({"preprocessing": [("first", StandardScaler)]}, "preprocessing must hold"),
    "no transformer": ({"preprocessing": [("first", None)]}, "preprocessing must hold.*None"),
    "two transformers": (
        {"preprocessing": [("first", StandardScaler()), ("first", StandardScaler())]},
        "not unique",
    ),
    "name of a parameter": (
        {
            "modalities": [("lr", "auto", [0]), PAIR[1]],
            "preprocessing": [("lr", StandardScaler())],
        },
        "conflict.*'lr'",
    ),
    "name with __": (
        {
            "modalities": [("a__b", "auto", [0]), PAIR[1]],
            "preprocessing": [("a__b", StandardScaler())],
        },
        "must not contain __",
    ),
    "shape of none": ({"input_shapes": {"third": (3,)}}, r"input_shapes names \['third'\]"),
    "unfit shape": ({"input_shapes": {"first": (4,)}}, r"'first'.*does not fit.*\(4,\)"),
    "shape of nothing": ({"input_shapes": {"first": "wide"}}, "'first'.*input_shape"),
}


@pytest.mark.parametrize("params, match", BAD_TABLES.values(), ids=BAD_TABLES)
def test_declarations_that_do_not_fit(make_multimodal, params, match):
    estimator = make_multimodal(**params)
    with pytest.raises(ValueError, match=match):
        estimator.fit(X)
    assert not hasattr(estimator, "net_") and not hasattr(estimator, "n_features_in_")
