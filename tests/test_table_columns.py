"""Columns of tables as numbers, and back."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from made_tables import mixed
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sklearn_simvae._table_columns import (
    DateParts,
    NumberScaler,
    Select,
    WordEncoder,
    kind_of,
)

DAYS = [datetime.date(2024, 2, 29), datetime.date(2024, 3, 1), None]
KINDS = {
    "floats": ([0.5, 1.5, np.nan], "number"),
    "bools": ([True, False, True], "number"),
    "bools with None": ([True, False, None], "number"),
    "Int64": (pd.array([1, 2, None], dtype="Int64"), "number"),
    "boolean": (pd.array([True, False, None], dtype="boolean"), "number"),
    "decimals": ([Decimal("1.5"), Decimal("2.5"), None], "number"),
    "durations": (pd.to_timedelta([1, 2, None], unit="s"), "number"),
    "days": (DAYS, "date"),
    "timestamps": (pd.to_datetime(DAYS), "date"),
    "days of pyarrow": (pd.array(DAYS, dtype="date32[pyarrow]"), "date"),
    "timestamps in a zone": (pd.to_datetime(DAYS).tz_localize("Europe/Zurich"), "date"),
    "words": (["a", "b", "a"], "word"),
    "words with pd.NA": (pd.array(["a", "a", pd.NA], dtype="string"), "word"),
    "words and numbers": (["a", 1, "a"], "word"),
    "categories of numbers": (pd.Categorical([1, 2, 1]), "word"),
    "periods": (pd.PeriodIndex(["2024-01", "2024-02", "2024-01"], freq="M"), "word"),
    "one number": ([1.0, np.nan, 1.0], "useless"),
    "one word": (["a", "a", "a"], "useless"),
    "names": (["a", "b", "c"], "useless"),
    "all NaN": ([np.nan] * 3, "useless"),
    "all None": ([None] * 3, "useless"),
    "all NaT": (pd.to_datetime([None] * 3), "useless"),
}


@pytest.mark.parametrize("name", KINDS)
def test_kind_of_a_column_of_pandas(name):
    values, kind = KINDS[name]
    assert kind_of(pd.Series(values, name="it")) == kind


@pytest.mark.parametrize(
    "values, kind",
    [
        (pl.Series([1, 2, None]), "number"),
        (pl.Series([0.5, float("nan"), None, 1.5]), "number"),
        (pl.Series([True, None, False]), "number"),
        (pl.Series([Decimal("1.5"), Decimal("2.5")]), "number"),
        (pl.Series([datetime.timedelta(1), datetime.timedelta(2)]), "number"),
        (pl.Series(DAYS), "date"),
        (pl.Series(["a", None, "a"]), "word"),
        (pl.Series(["a", "b", "a"], dtype=pl.Categorical), "word"),
        (pl.Series(["a", "b", "a"], dtype=pl.Enum(["a", "b"])), "word"),
        (pl.Series([None, None]), "useless"),
    ],
    ids=str,
)
def test_kind_of_a_column_of_polars(values, kind):
    assert kind_of(values) == kind


@pytest.mark.parametrize("values", [[[1], [2], [1]], [{"a": 1}, {"a": 2}, None], [1j, 2j, 1j]])
def test_cells_that_are_no_values_are_named(values):
    with pytest.raises(ValueError, match=r"^Column 'it' .*Split it into columns.*, or leave it"):
        kind_of(pd.Series(values, name="it"))
    if not isinstance(values[0], complex):
        with pytest.raises(ValueError, match=r"^Column 'it' is of dtype"):
            kind_of(pl.Series("it", values))


# ---------------------------------------------------------------- choice


def test_useless_columns_are_named():
    table = mixed().assign(empty=np.nan, constant=1)
    with pytest.warns(UserWarning, match="left out .*: 'empty', 'constant'"):
        assert Select("useless")(table) == [9, 10]
    assert Select("number", groups="children")(table) == [0, 1, 3, 4]


def test_table_without_a_useful_column_is_an_error():
    with pytest.raises(ValueError, match=r"Nothing can be learned from X.*'a', 'b'"):
        Select("useless", groups="g")(pd.DataFrame({"a": [1, 1], "b": ["x", "y"], "g": [1, 2]}))


# ---------------------------------------------------------------- transformers


def test_numbers_are_scaled_and_zeros_and_ones_are_not():
    table = pd.DataFrame({"a": [1.0, 3.0, 8.0], "b": [0, 1, 1], "c": [True, False, None]})
    scaler = NumberScaler().fit(table)
    made = scaler.transform(table)
    assert_allclose(made.mean(axis=0)[0], 0, atol=1e-12)
    assert_allclose(made.std(axis=0)[0], 1)
    assert_array_equal(made[:, 1], [0, 1, 1])
    assert_allclose(scaler.inverse_transform(made)[:, 0], table["a"])


def test_missing_numbers_become_the_mean_or_stay_where_fit_saw_some():
    table = pd.DataFrame({"a": [1.0, np.nan, 8.0], "b": [0.0, 3.0, 4.0], "c": [1, 1, 0]})
    missing = pd.DataFrame({"a": [np.nan], "b": [np.nan], "c": [np.nan]})
    filled = NumberScaler().fit(table)
    assert_array_equal(filled.transform(missing), [[0, 0, 1]])
    assert_array_equal(filled.transform(table)[1, 0], 0)
    kept = NumberScaler("keep").fit(table)
    assert_array_equal(kept.transform(missing), [[np.nan, 0, 1]])


def test_infinity_is_an_error_that_names_the_column():
    with pytest.raises(ValueError, match="Column 'a' holds an infinite number"):
        NumberScaler().fit(pd.DataFrame({"a": [1.0, np.inf]}))


@pytest.mark.parametrize("library", [pd, pl])
def test_parts_of_dates(library):
    days = [datetime.datetime(1969, 12, 31, 18), datetime.datetime(2024, 2, 29, 6), None]
    table = library.DataFrame({"d": days})
    parts = DateParts().fit(table)
    assert parts.get_feature_names_out().tolist() == [
        f"d_{part}" for part in ("year", "month", "weekday", "hour", "total_seconds")
    ]
    made = parts.transform(table)
    # The first was a Wednesday, the second a Thursday.
    assert_array_equal(made[0], [1969, 12, 2, 18, -6 * 3600])
    assert_array_equal(made[1, :4], [2024, 2, 3, 6])
    assert np.isnan(made[2]).all()
    assert_array_equal(parts.inverse_transform(made)[:, 0], np.array(days, dtype="M8[us]"))


def test_parts_that_do_not_vary_are_left_out():
    table = pd.DataFrame({"a": pd.to_datetime(["2024-01-01", "2024-01-08"]), "b": DAYS[:2]})
    parts = DateParts().fit(table)
    names = ["a_total_seconds", "b_month", "b_weekday", "b_total_seconds"]
    assert parts.get_feature_names_out().tolist() == names
    again = parts.inverse_transform(parts.transform(table))
    assert_array_equal(again, table.astype("M8[us]"))


def test_categories_of_numbers_are_the_same_where_a_value_is_missing():
    whole = pd.DataFrame({"rooms": pd.Categorical([1, 2, 1, 2])})
    missing = pd.DataFrame({"rooms": pd.Categorical([1.0, 2.0, 1.0, np.nan])})
    encoder = WordEncoder(sparse_output=False, handle_unknown="ignore").fit(whole)
    assert_array_equal(encoder.transform(missing)[:3], encoder.transform(whole)[:3])
    assert encoder.get_feature_names_out().tolist() == ["rooms_1", "rooms_2"]


def test_words_have_different_names():
    table = pd.DataFrame({"a": ["None", None, "b_c"], "a_b": ["c", "c", "d"]})
    names = WordEncoder(sparse_output=False).fit(table).get_feature_names_out().tolist()
    assert names == ["a_None", "a_b_c", "a_None_", "a_b_c_", "a_b_d"]


@pytest.mark.parametrize("part", [NumberScaler("keep"), DateParts(), Select("word")])
def test_parts_are_cloned_and_shown(part):
    assert type(part).__name__ in repr(part)
    assert repr(clone(part, safe=False)) == repr(part)
