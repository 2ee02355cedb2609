"""Factors of style by name and kind, in all the forms that they come in."""

import numpy as np
import pandas as pd
import pytest
from known_style import COLOR, CONTENT, FACTORS, PLACE, STYLE, N, SpyTransformer

from sklearn_simvae.evaluation.style import style_probe


def test_floats_are_regressed_and_all_else_is_classified():
    factors = {
        "float": PLACE[:, 0],
        "half": PLACE[:, 0].astype(np.float16),
        "int": CONTENT,
        "bool": CONTENT > 1,
        "str": COLOR,
        "object": COLOR.astype(object),
        "category": pd.Series(CONTENT / 2, dtype="category"),
        "list": COLOR.tolist(),
        "mean of x": PLACE[:, 1].tolist(),
    }
    table = style_probe(None, STYLE, factors, probes=["linear"], n_repeats=1)
    regressed = [row["factor"] for row in table if row["metric"] == "r2"]
    assert regressed == ["float", "half", "mean of x", "mean"]
    classified = [row["factor"] for row in table.select(metric="accuracy")]
    assert classified == ["int", "bool", "str", "object", "category", "list"]
    for name in ("str", "object", "list"):
        assert table.mean(factor=name, metric="accuracy") == 1.0


@pytest.mark.parametrize(
    "factors, names",
    [
        (PLACE[:, 0], ["style", "mean"]),
        (pd.Series(PLACE[:, 0]), ["style", "mean"]),
        (pd.Series(COLOR, dtype="category"), ["style"]),
        (PLACE, ["0", "1", "mean"]),
        (PLACE.tolist(), ["0", "1", "mean"]),
        (pd.DataFrame(FACTORS), ["x", "y", "mean", "color"]),
        (pd.DataFrame(FACTORS, index=np.arange(N)[::-1]), ["x", "y", "mean", "color"]),
        ({"x": PLACE[:, 0], 7: PLACE[:, 1]}, ["x", "7", "mean"]),
    ],
)
def test_factors_come_in_any_form(factors, names):
    table = style_probe(None, STYLE, factors, probes=["linear"], n_repeats=1, random_state=0)
    assert list(dict.fromkeys(row["factor"] for row in table)) == names
    for name in names:
        metric = "r2" if "mean" in names and name != "color" else "accuracy"
        assert table.mean(factor=name, metric=metric) > 0.95
    split = {"X_test": STYLE[:50], "probes": ["linear"], "n_repeats": 1}
    if hasattr(factors, "iloc"):
        tested = factors.iloc[:50]
    elif isinstance(factors, dict):
        tested = {name: values[:50] for name, values in factors.items()}
    else:
        tested = factors[:50]
    assert (
        style_probe(None, STYLE, factors, factors_test=tested, **split).labels() == table.labels()
    )


def test_constant_factors_are_left_out_with_a_warning():
    factors = {"x": PLACE[:, 0], "fixed": np.full(N, 0.1), "same": ["red"] * N}
    with pytest.warns(UserWarning) as caught:
        table = style_probe(None, STYLE, factors, probes=["linear"], n_repeats=1)
    assert ["'fixed'" in str(w.message) for w in caught] == [True, False]
    assert ["'same'" in str(w.message) for w in caught] == [False, True]
    assert {row["factor"] for row in table} == {"x", "mean"}


@pytest.mark.filterwarnings("ignore:.*same for all rows")
def test_factors_that_are_all_constant_are_refused():
    with pytest.raises(ValueError, match="same for all rows"):
        style_probe(None, STYLE, {"a": np.ones(N), "b": ["red"] * N})


@pytest.mark.parametrize("form", ["frame", "objects", "lists"])
def test_numbers_beside_names_are_regressed(form):
    frame = pd.DataFrame({"0": COLOR, "1": PLACE[:, 0]})
    objects = frame.to_numpy()
    factors = {"frame": frame, "objects": objects, "lists": objects.tolist()}[form]
    table = style_probe(None, STYLE, factors, probes=["linear"], n_repeats=1, random_state=0)
    assert table.mean(factor="1", metric="r2") > 0.99
    assert table.mean(factor="0", metric="accuracy") == 1


@pytest.mark.parametrize(
    "change, message",
    [
        ({"groups": np.arange(N) // 10, "test_size": 0.04}, "same in all 10 test rows"),
        ({"groups": np.arange(N) // 10, "validation_size": 0.04}, "same in all 10 validation rows"),
        ({"X_test": STYLE[:9], "factors_test": np.ones(9)}, "same in all 9 test rows"),
        ({"X_test": STYLE[:1], "factors_test": [0.5]}, "same in all 1 test rows"),
        ({"X": STYLE[:6], "factors": PLACE[:6, 0]}, "same in all 1 validation rows"),
    ],
)
def test_numbers_that_do_not_vary_where_they_are_scored_are_refused(change, message):
    spy = SpyTransformer()
    slant = np.random.default_rng(1).standard_normal(N // 10).repeat(10)
    with pytest.raises(ValueError, match=message):
        style_probe(spy, **{"X": STYLE, "factors": slant, "random_state": 0, **change})
    assert not spy.seen


@pytest.mark.parametrize("form", ["numpy", "nullable", "arrow types", "Arrow table"])
def test_whole_numbers_and_booleans_are_classes_in_any_frame(form):
    pa = pytest.importorskip("pyarrow")
    factors = pd.DataFrame({"code": CONTENT, "flag": PLACE[:, 0] > 0.5, "x": PLACE[:, 0]})
    if form == "nullable":
        factors = factors.convert_dtypes()
    elif form == "arrow types":
        factors = factors.convert_dtypes(dtype_backend="pyarrow")
    elif form == "Arrow table":
        factors = pa.Table.from_pandas(factors)
    table = style_probe(None, STYLE, factors, probes="linear", n_repeats=1, random_state=0)
    metrics = {row["factor"]: row["metric"] for row in table if row["metric"] != "chance_accuracy"}
    assert metrics == {
        "code": "balanced_accuracy",
        "flag": "balanced_accuracy",
        "x": "r2",
        "mean": "r2",
    }


def test_two_factors_of_one_name_are_refused():
    with pytest.raises(ValueError, match="Two factors have one name"):
        style_probe(None, STYLE, {1: PLACE[:, 0], "1": PLACE[:, 1]})


@pytest.mark.parametrize("types", [(int, float), (np.uint64, int), (bool, int), ("U1", "U3")])
def test_kind_of_a_factor_is_that_of_the_rows_it_is_learned_from(types):
    style = np.random.default_rng(0).integers(0, 2, 200)
    Z = np.random.default_rng(1).normal(size=(200, 2)) + 3 * style[:, None]
    train, test = ({"f": style.astype(dtype)} for dtype in types)
    table = style_probe(None, Z, train, X_test=Z, factors_test=test, probes="linear")
    assert {row["metric"] for row in table} == {"accuracy", "balanced_accuracy", "chance_accuracy"}
