"""Windows of recordings, and rows of about the same time, as views."""

import datetime as dt
import sys

import numpy as np
import pytest

from sklearn_simvae.views import sliding_windows, time_groups


def test_windows_are_parts_of_the_recording_in_order():
    X = np.arange(40.0).reshape(20, 2)
    windows, groups = sliding_windows(X, length=4, step=3, n_views=3)
    assert windows.shape == (6, 4, 2)
    for i, window in enumerate(windows):
        np.testing.assert_array_equal(window, X[3 * i : 3 * i + 4])
    assert groups.tolist() == [0, 0, 0, 1, 1, 1]


def test_windows_do_not_overlap_by_default_and_what_is_left_joins_the_last_group():
    windows, groups = sliding_windows(np.arange(55.0), length=10)
    np.testing.assert_array_equal(windows[..., 0], np.arange(50.0).reshape(5, 10))
    assert groups.tolist() == [0, 0, 1, 1, 1]


def test_no_group_has_windows_of_two_recordings():
    recordings = [np.zeros((30, 1)), np.ones((50, 1))]
    windows, groups = sliding_windows(recordings, length=10)
    assert groups.tolist() == [0, 0, 0, 1, 1, 2, 2, 2]
    assert all(len(np.unique(windows[groups == g])) == 1 for g in np.unique(groups))


@pytest.mark.parametrize(
    ("X", "params", "message"),
    [
        (np.zeros(30), {"length": 0}, "length must be a positive int"),
        (np.zeros(30), {"length": 5, "step": 0}, "step must be a positive int"),
        (np.zeros(30), {"length": 20}, "Recording 0 of X gives 1 window"),
        ([np.zeros(30), np.zeros(3)], {"length": 5}, "Recording 1 of X gives 0 window"),
        ([np.zeros((30, 1)), np.zeros((30, 2))], {"length": 5}, r"number of channels: \[1, 2\]"),
        (np.zeros((5, 30, 2)), {"length": 5}, "expected numbers of shape"),
        (np.array(["a"] * 30), {"length": 5}, "dtype <U1"),
    ],
)
def test_bad_recordings_are_refused(X, params, message):
    with pytest.raises(ValueError, match=message):
        sliding_windows(X, **params)


HOURS = np.array(["2026-03-01T00", "2026-03-01T23", "2026-03-02T01"], dtype="datetime64[h]")


def test_rows_of_one_period_share_a_group_whatever_form_times_have():
    pd = pytest.importorskip("pandas")
    day = np.timedelta64(1, "D")
    forms = [HOURS, HOURS.tolist(), pd.Series(HOURS), pd.DatetimeIndex(HOURS), HOURS.astype(str)]
    forms += [pd.DatetimeIndex(HOURS).tz_localize("Europe/Berlin")]
    for times in forms:
        assert time_groups(times, day).tolist() == [0, 0, 1]
    for period in ("1D", dt.timedelta(days=1), pd.Timedelta("24h")):
        assert time_groups(HOURS, period).tolist() == [0, 0, 1]
    assert time_groups([9.0, 0.0, 3.5], 2).tolist() == [4, 0, 1]


@pytest.mark.parametrize(
    ("times", "period", "message"),
    [
        ([], 1, "timestamps is empty"),
        ([0.0, np.nan], 1, "NaN, NaT or None in 1 rows"),
        (np.array(["NaT", "2026-01-01"], "datetime64[s]"), 1, "in 1 rows"),
        ([0.0, 1.0], 0, "period must be positive"),
        ([0.0, np.inf], 1, "finite"),
        ([0.0, 1.0], np.timedelta64(1, "s"), "does not fit timestamps that are numbers"),
        (HOURS, 60, "does not fit timestamps that are dates"),
        (HOURS, "soon", "period='soon' does not fit"),
        (["a", "b"], np.timedelta64(1, "s"), "neither numbers nor dates"),
        (np.zeros((3, 2)), 1, "1d array"),
    ],
)
def test_bad_times_are_refused(times, period, message):
    with pytest.raises(ValueError, match=message):
        time_groups(times, period)


def test_text_as_period_names_the_extra_where_pandas_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"sklearn-simvae\[evaluation\]"):
        time_groups(HOURS, "1D")
