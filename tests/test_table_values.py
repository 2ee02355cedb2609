"""Values of columns of pandas and polars."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from made_tables import mixed
from numpy.testing import assert_array_equal

from sklearn_simvae._table_values import as_dates, as_numbers, as_words, values_of


def test_missing_values_of_all_sorts_are_none():
    values = pd.Series(["a", None, np.nan, pd.NA, pd.NaT], dtype=object)
    assert values_of(values).tolist() == ["a", None, None, None, None]
    assert values_of(pl.Series(["a", None])).tolist() == ["a", None]
    assert as_words(pd.DataFrame({"a": values}))["a"].tolist() == ["a", None, None, None, None]
    assert as_words(pl.DataFrame({"a": ["a", None]}))[:, 0].tolist() == ["a", None]


def test_numbers_and_dates_are_the_same_in_pandas_and_polars():
    table = mixed()
    other = pl.from_pandas(table)
    for name in ("age", "income", "married", "owner"):
        assert_array_equal(as_numbers(table[name]), as_numbers(other[name]))
    assert_array_equal(as_dates(table["since"]), as_dates(other["since"]))


@pytest.mark.parametrize("library", [pd, pl])
def test_words_among_numbers_are_an_error_that_names_the_column(library):
    with pytest.raises(ValueError, match=r"^Column 'age' must hold numbers"):
        as_numbers(library.DataFrame({"age": ["3", "four"]})["age"])


def test_days_in_a_zone_are_in_utc():
    zoned = pd.Series(pd.to_datetime(["2024-01-01 12:00"]).tz_localize("Europe/Zurich"))
    expected = np.array(["2024-01-01T11:00"], dtype="M8[us]")
    assert_array_equal(as_dates(zoned), expected)
    assert_array_equal(as_dates(zoned.astype(object)), expected)
    assert_array_equal(as_dates(pl.from_pandas(zoned)), expected)


def test_words_among_dates_are_an_error_that_names_the_column():
    with pytest.raises(ValueError, match=r"^Column 'since' must hold dates"):
        as_dates(pd.Series(["yesterday"], name="since"))


def test_days_of_pyarrow_are_dates():
    days = [datetime.date(2024, 2, 29), None]
    expected = np.array(days, dtype="M8[us]")
    for dtype in ("date32[pyarrow]", "date64[pyarrow]"):
        assert_array_equal(as_dates(pd.Series(pd.array(days, dtype=dtype))), expected)


def test_whole_numbers_as_words_have_no_decimal_point():
    table = pd.DataFrame({"a": [1.0, np.float32(2), 0.5, True, "1.0"]}, dtype=object)
    assert as_words(table)["a"].tolist() == ["1", "2", "0.5", "True", "1.0"]
