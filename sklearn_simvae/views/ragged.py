"""Series of unequal length, as people have them, and the array of them that windows are read of."""

from typing import Any

import numpy as np
from torch import Tensor

from sklearn_simvae._checks import check_sizes
from sklearn_simvae.views.layout import Layout, kind_of_rows
from sklearn_simvae.views.rows import holds_arrays, tensor_to_array

# Without kind="series" an axis that all rows share is that of channels only where it is short.
_MOST_CHANNELS = 8
_LARGEST_WINDOW = 512
_FEWEST_STEPS = 2
# Views of series that are shorter than a window differ, too.
_SHORTEST_SHARE = 0.5


class RaggedArray:
    """Series of unequal length, end to end in memory, of which windows are read.

    Parameters
    ----------
    series : list of ndarray of shape (length, channels)
        Finite series.
    window : int
        Number of steps of a window.
    channels_last : bool, default=True
        Whether windows are read as (window, channels), else as (channels, window).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.views.ragged import RaggedArray
    >>> X = RaggedArray([np.ones((3, 1)), np.zeros((5, 1))], window=4)
    >>> X.shape, X[np.array([[0, 1, 2]])][0, :, 0]
    ((2, 4, 1), array([ 1.,  1., nan, nan], dtype=float32))
    """

    ndim = 3
    dtype = np.dtype(np.float32)

    def __init__(self, series: list[np.ndarray], window: int, channels_last: bool = True):
        self.values = np.concatenate(series, dtype=np.float32)
        self.lengths = np.array([len(x) for x in series])
        self.window = window
        self.channels_last = channels_last
        self._starts = np.cumsum(self.lengths) - self.lengths

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of series, and shape of a window."""
        row = (self.window, self.values.shape[1])
        return len(self), *(row if self.channels_last else row[::-1])

    @property
    def size(self) -> int:
        """Number of values."""
        return self.values.size

    def min(self) -> float:
        """Return the smallest value.

        Returns
        -------
        smallest : float
            Smallest of all values.
        """
        return float(self.values.min())

    def max(self) -> float:
        """Return the largest value.

        Returns
        -------
        largest : float
            Largest of all values.
        """
        return float(self.values.max())

    def __getitem__(self, windows: np.ndarray) -> np.ndarray:
        """Read windows, each given by its series, its first step and its number of steps.

        Windows of fewer steps than `window` are padded with NaN at their end.
        """
        row, first, n_steps = np.moveaxis(windows, -1, 0)[..., None]
        step = np.arange(self.window)
        given = step < n_steps
        places = self._starts[row] + first + np.where(given, step, 0)
        made = np.where(given[..., None], self.values[places], np.float32(np.nan))
        return made if self.channels_last else made.swapaxes(-1, -2)

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw a window of each row, of half to all of the steps that fit into one.

        Parameters
        ----------
        rows : ndarray of int
            Indices of series.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        windows : ndarray of int of shape (*rows.shape, 3)
            A window of each, as they are read.
        """
        share = _SHORTEST_SHARE + (1 - _SHORTEST_SHARE) * rng.random(rows.shape)
        n_steps = np.ceil(share * np.minimum(self.lengths[rows], self.window)).astype(int)
        n_places = self.lengths[rows] - n_steps + 1
        first = (rng.random(rows.shape) * n_places).astype(int)
        return np.stack([rows, first, n_steps], -1)

    def n_parts(self, rows: np.ndarray) -> np.ndarray:
        """Count the windows of :meth:`parts`.

        Parameters
        ----------
        rows : ndarray of int
            Indices of series.

        Returns
        -------
        n_parts : ndarray of int
            Number of windows of each.
        """
        return -(-self.lengths[rows] // self.window)

    def parts(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Divide series into windows of even length that cover each step once.

        Parameters
        ----------
        rows : ndarray of int of shape (...,)
            Indices of series.

        Returns
        -------
        windows : ndarray of int of shape (..., n_windows, 3)
            Windows of each; the first one is repeated in series that have fewer than others.
        given : ndarray of bool of shape (..., n_windows)
            False where a series has fewer windows than others.
        """
        count, length = self.n_parts(rows)[..., None], self.lengths[rows][..., None]
        which = np.arange(count.max(initial=1))
        given = which < count
        which = np.where(given, which, 0)
        first, end = which * length // count, (which + 1) * length // count
        row = np.broadcast_to(rows[..., None], first.shape)
        return np.stack([row, first, end - first], -1), given


def is_ragged(X, kind: str = "auto", encoder: Any = "auto") -> bool:
    """Return whether X holds series of unequal length, or an array that may be padded with NaN.

    Parameters
    ----------
    X : object
        Data of an estimator.
    kind, encoder : object
        Parameters of the estimator.

    Returns
    -------
    is_ragged : bool
        Whether :func:`read_ragged` is to read it.
    """
    kind = kind_of_rows(kind, encoder, has_shape=True)
    if kind not in ("auto", "series"):
        return False
    is_array = isinstance(X, np.ndarray) and X.dtype != object
    rows = None if is_array else _rows(X)
    if rows is None:
        X = tensor_to_array(X)
        return kind == "series" and isinstance(X, np.ndarray) and X.ndim in (2, 3) and _has_nan(X)
    if kind == "auto" and not (len(rows) and len(_shape(rows[0]) or ()) == 2):
        return False
    shapes = {_shape(row) for row in rows}
    if None in shapes:
        return False
    if kind == "series":
        return len(shapes) > 1 or (len(shapes.pop()) < 3 and any(map(_has_nan, rows)))
    if len(shapes) < 2 or any(len(shape) != 2 for shape in shapes):
        return False
    firsts, lasts = (sorted({shape[i] for shape in shapes}) for i in (0, 1))
    few, varying = (firsts, lasts) if len(firsts) == 1 else (lasts, firsts)
    return len(few) == 1 and few[0] < min(_MOST_CHANNELS, varying[-1])


def _has_nan(row) -> bool:
    values = np.asarray(tensor_to_array(row))
    return values.dtype.kind == "f" and bool(np.isnan(values).any())


def read_ragged(
    name: str, X, channels: str = "auto", input_shape=None, layout: Layout | None = None
) -> tuple[RaggedArray, Layout]:
    """Read series of any lengths.

    Parameters
    ----------
    name : str
        Name of the estimator, for messages.
    X : list of array-like, or array padded with NaN
        Series, of shape (length, channels), (channels, length) or (length,).
    channels : {"auto", "first", "last"}, default="auto"
        Position of the channels. "auto" finds it by the axis along which lengths differ.
    input_shape : tuple of int, default=None
        Shape of a window. None chooses its length.
    layout : Layout, default=None
        Layout of the series that were fitted, which X has to be like.

    Returns
    -------
    series : RaggedArray
        The series.
    layout : Layout
        Layout of a window.

    Raises
    ------
    ValueError
        If a series is too short, has gaps or values that are no numbers, or if series differ in
        their number of channels.
    """
    rows = _rows(X)
    arrays = [_as_array(row, i) for i, row in enumerate(X if rows is None else rows)]
    last = layout.channels_last if layout else _channels_last(arrays, channels)
    series = [_trimmed(x if last or x.ndim == 1 else x.T, i) for i, x in enumerate(arrays)]
    if not series:
        raise ValueError(
            f"Found array with 0 sample(s) while a minimum of 1 is required by {name}."
        )
    n_channels = {x.shape[1] for x in series}
    if layout is None and len(n_channels) > 1:
        found = [x.shape[1] for x in series]
        other = next(i for i, n in enumerate(found) if n != found[0])
        read = "(length, channels)" if last else "(channels, length)"
        raise ValueError(
            f"The series of X differ in their number of channels: series 0 has {found[0]} and "
            f"series {other} has {found[other]}, read as {read}. Pass channels='last' or "
            "channels='first', and resize images to one size."
        )
    if layout is None:
        layout = _layout(series, last, channels, input_shape)
    if n_channels != {layout.n_columns}:
        wrong = min(n_channels - {layout.n_columns})
        raise ValueError(
            f"X has {wrong} features, but {name} is expecting {layout.n_columns} features as "
            f"input: series of {layout.n_columns} channels, "
            f"{'(length, channels)' if last else '(channels, length)'} each."
        )
    return RaggedArray(series, layout.network_shape[1], last), layout


def _rows(X) -> Any:
    """Return the rows of a list or a column of arrays; None for all other objects."""
    if isinstance(X, Tensor):
        return list(X.unbind()) if X.is_nested else None
    if isinstance(X, list | tuple):
        return X
    if not holds_arrays(X):
        return None
    cells = np.asarray(X)
    return list(cells.ravel()) if cells.dtype == object else None


def _shape(row) -> tuple[int, ...] | None:
    """Return the shape of a row of numbers; None if it has none, or is a single value."""
    shape = getattr(row, "shape", None)
    if shape is None:
        try:
            shape = np.shape(row)
        except ValueError:
            return None
    return tuple(shape) or None


def _as_array(row, i: int) -> np.ndarray:
    array = np.asarray(tensor_to_array(row))
    if array.ndim not in (1, 2) or array.dtype.kind not in "biuf":
        raise ValueError(
            f"Series {i} of X has shape {array.shape} and dtype {array.dtype}; expected numbers of "
            "shape (length, channels), (channels, length) or (length,)."
        )
    return array.astype(np.float64, copy=False)


def _channels_last(arrays: list[np.ndarray], channels: str) -> bool:
    """Return whether the first axis is time: the axis along which lengths, or padding, differ."""
    if channels != "auto" or any(x.ndim == 1 for x in arrays):
        return channels != "first"
    if len({x.shape[1] for x in arrays}) > 1:
        return len({x.shape[0] for x in arrays}) > 1
    if len({x.shape[0] for x in arrays}) > 1:
        return True
    # Padding that leaves out a whole step, in all channels.
    along = [all(_is_padding(x if last else x.T) for x in arrays) for last in (True, False)]
    if along[0] == along[1] and 1 not in arrays[0].shape:
        shape = arrays[0].shape
        raise ValueError(
            f"Series of shape {shape} may have their channels first or last: pass channels='last' "
            f"for {shape[1]} channels over {shape[0]} steps, channels='first' for {shape[0]} "
            f"channels over {shape[1]} steps. Where NaN stand before the end of a series, they do "
            "not tell."
        )
    return along[0]


def _is_padding(x: np.ndarray) -> bool:
    """Return whether all NaN of a series (length, channels) is at its end."""
    missing = np.isnan(x)
    n_steps = len(x) - missing.all(1)[::-1].cumprod().sum()
    return not missing[: int(n_steps)].any()


def _trimmed(x: np.ndarray, i: int) -> np.ndarray:
    """Return a series (length, channels) as float32, without the NaN at its end."""
    x = x[:, None] if x.ndim == 1 else x
    missing = np.isnan(x)
    n_steps = len(x) - int(missing.all(1)[::-1].cumprod().sum())
    if n_steps < _FEWEST_STEPS:
        found = f"{n_steps} step" + ("" if n_steps == 1 else "s")
        found += " that are not NaN" if len(x) > n_steps else ""
        raise ValueError(
            f"Series {i} of X has {found}; at least {_FEWEST_STEPS} are needed. Leave it out."
        )
    gaps = missing[:n_steps].any(1)
    if gaps.any():
        raise ValueError(
            f"Series {i} of X contains NaN at step {gaps.argmax()}, before its end at step "
            f"{n_steps - 1}. Only the end may be padded with NaN: fill gaps, e.g. by "
            "pandas.DataFrame(series).interpolate(limit_direction='both'), or split the series "
            "there."
        )
    if not (np.abs(x[:n_steps]) <= np.finfo(np.float32).max).all():
        raise ValueError(
            f"Series {i} of X contains infinity or a value too large for float32. Leave it out, or "
            "scale the data."
        )
    return x[:n_steps].astype(np.float32)


def _layout(series: list[np.ndarray], last: bool, channels: str, input_shape) -> Layout:
    """Return the layout of windows: as long as most series, if not given by `input_shape`."""
    n_channels = series[0].shape[1]
    lengths = [len(x) for x in series]
    if input_shape is None:
        window = min(max(lengths), int(2 * np.median(lengths)), _LARGEST_WINDOW)
        shape = (window, n_channels) if last else (n_channels, window)
    else:
        shape = check_sizes(input_shape, "input_shape")
        if len(shape) != 2 or shape[1 if last else 0] != n_channels:
            expected = f"(length, {n_channels})" if last else f"({n_channels}, length)"
            raise ValueError(
                f"input_shape={input_shape} does not fit the series of X, which have {n_channels} "
                f"channels: expected {expected}, with the length of the windows that are learned "
                "from."
            )
    return Layout("series", shape, shape, channels="last" if last else "first", ragged=True)
