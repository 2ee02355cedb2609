"""Views from time: windows of recordings, and rows that were measured at about the same time."""

from datetime import UTC, timedelta

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.utils.validation import column_or_1d

from sklearn_simvae._checks import check_count, missing
from sklearn_simvae.views.rows import tensor_to_array

__all__ = ["sliding_windows", "time_groups"]


def sliding_windows(
    X, length: int, step: int | None = None, n_views: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Cut long recordings into windows, and group neighboring windows as views of one sample.

    The groups say that what stays the same from one window to the next is the content: give both to
    `fit(windows, groups=groups)` of an estimator with `kind="series"` and `channels="last"`.

    Parameters
    ----------
    X : array-like of shape (n_steps, channels) or (n_steps,), or list of these
        One recording, or several.
    length : int
        Number of steps of a window.
    step : int, default=None
        Number of steps from one window to the next. None is `length`, so that windows do not
        overlap.
    n_views : int, default=2
        Number of windows of a group. The last group of a recording has more, where their number is
        no multiple of it.

    Returns
    -------
    windows : ndarray of shape (n_windows, length, channels)
        Windows of all recordings, in order.
    groups : ndarray of int of shape (n_windows,)
        Group of each window, from 0. No group has windows of two recordings.

    Raises
    ------
    ValueError
        If a number is not a positive int, or a recording is too short for a group.

    See Also
    --------
    time_groups : Group rows by their timestamps.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.views import sliding_windows
    >>> windows, groups = sliding_windows(np.arange(1000.0), length=100, step=200)
    >>> windows.shape, groups.tolist()
    ((5, 100, 1), [0, 0, 1, 1, 1])
    """
    for value, name in ((length, "length"), (n_views, "n_views")):
        check_count(value, name)
    step = length if step is None else step
    check_count(step, "step")
    recordings = X if isinstance(X, list | tuple) and np.ndim(X[0] if X else 0) else [X]
    windows, groups, n_groups = [], [], 0
    for i, recording in enumerate(recordings):
        cut = _windows(tensor_to_array(recording), i, length, step)
        n_own = len(cut) // n_views
        if not n_own:
            raise ValueError(
                f"Recording {i} of X gives {len(cut)} window(s) of length={length}, step={step}, "
                f"which are too few for a group of n_views={n_views}. Lower length, step or "
                "n_views, or leave the recording out."
            )
        windows.append(cut)
        groups.append(n_groups + np.minimum(np.arange(len(cut)) // n_views, n_own - 1))
        n_groups += n_own
    n_channels = {cut.shape[2] for cut in windows}
    if len(n_channels) > 1:
        raise ValueError(
            f"The recordings of X differ in their number of channels: {sorted(n_channels)}. Give "
            "recordings of the same channels, each of shape (n_steps, channels)."
        )
    return np.concatenate(windows), np.concatenate(groups)


def _windows(recording, i: int, length: int, step: int) -> np.ndarray:
    """Cut one recording into windows (n_windows, length, channels)."""
    recording = np.asarray(recording)
    if recording.ndim not in (1, 2) or recording.dtype.kind not in "biuf":
        raise ValueError(
            f"Recording {i} of X has shape {recording.shape} and dtype {recording.dtype}; expected "
            "numbers of shape (n_steps, channels) or (n_steps,)."
        )
    recording = recording[:, None] if recording.ndim == 1 else recording
    if len(recording) < length:
        return np.empty((0, length, recording.shape[1]), recording.dtype)
    return sliding_window_view(recording, length, axis=0)[::step].swapaxes(1, 2)


def time_groups(timestamps, period) -> np.ndarray:
    """Group rows that were measured within the same period of time.

    The groups say that what stays the same within a period is the content: give them to
    `fit(X, groups=groups)`.

    Parameters
    ----------
    timestamps : array-like of shape (n,)
        Times: numbers, :class:`numpy.datetime64`, :class:`datetime.datetime`, or a column or index
        of pandas, in any order.
    period : float, timedelta or str
        Length of a period: a number where timestamps are numbers; else a
        :class:`numpy.timedelta64`, a :class:`datetime.timedelta`, or text that pandas reads, such
        as "10min".

    Returns
    -------
    groups : ndarray of int of shape (n,)
        Number of the period of each row, from 0 at the first timestamp.

    Raises
    ------
    ValueError
        If timestamps are missing or not one-dimensional, or if `period` is not positive or of
        another kind than they are.

    See Also
    --------
    sliding_windows : Cut a recording into windows, with groups.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.views import time_groups
    >>> time_groups([0.0, 0.4, 1.2, 5.0], period=1.0)
    array([0, 0, 1, 5])
    >>> days = np.array(["2026-01-01", "2026-01-02", "2026-01-09"], dtype="datetime64")
    >>> time_groups(days, np.timedelta64(7, "D"))
    array([0, 0, 1])
    """
    times = column_or_1d(tensor_to_array(timestamps), dtype=None)
    if not len(times):
        raise ValueError("timestamps is empty. Give one for each row.")
    if n_missing := int(missing(times).sum()):
        raise ValueError(
            f"timestamps contains NaN, NaT or None in {n_missing} rows. Leave those rows out."
        )
    if times.dtype.kind not in "biuf":
        times = _nanoseconds(times)
        period = _period(period)
    elif isinstance(period, str) or np.ndim(period) or np.asarray(period).dtype.kind not in "iuf":
        raise ValueError(
            f"period={period!r} does not fit timestamps that are numbers. Give a number in their "
            "unit, or convert them to dates, e.g. by pandas.to_datetime(timestamps, unit='s')."
        )
    if not (0 < period < np.inf and np.isfinite(times).all()):
        raise ValueError(
            f"period must be positive, and it and all timestamps finite; got {period!r}."
        )
    return ((times - times.min()) // period).astype(np.int64)


def _nanoseconds(times: np.ndarray) -> np.ndarray:
    """Convert dates to numbers."""
    try:
        # Dates of pandas with a time zone become those of UTC.
        if times.dtype.kind == "O" and all(getattr(t, "tzinfo", None) for t in times):
            times = np.array([t.astimezone(UTC).replace(tzinfo=None) for t in times], "datetime64")
        return times.astype("datetime64[ns]").astype(np.int64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"timestamps of dtype {times.dtype} are neither numbers nor dates. Convert them, e.g. "
            "by pandas.to_datetime."
        ) from error


def _period(period) -> int:
    """Convert a timedelta, or text that stands for one, to nanoseconds."""
    read = _timedelta(period) if isinstance(period, str) else period
    if isinstance(read, timedelta | np.timedelta64):
        return int(np.timedelta64(read, "ns").astype(np.int64))
    raise ValueError(
        f"period={period!r} does not fit timestamps that are dates. Give a timedelta, such as "
        "numpy.timedelta64(10, 'm'), or text such as '10min'."
    )


def _timedelta(text: str) -> np.timedelta64 | None:
    """Read a timedelta by pandas; None if it is none."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            f'period={text!r} is read by pandas: pip install "sklearn-simvae[evaluation]", or '
            "give a timedelta, such as numpy.timedelta64(10, 'm')."
        ) from error
    try:
        return pd.Timedelta(text).to_timedelta64()
    except ValueError:
        return None
