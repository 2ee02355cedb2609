"""Inference of the shape and the kind of a row from arrays and shapes."""

import math
import warnings

import numpy as np

from sklearn_simvae.views.lazy import some_rows

CHANNELS = (1, 3, 4)
# Images have no shorter side, whereas a series may have fewer channels.
_SHORTEST_SIDE = 8
_MANY_VIEWS = 16


def shape_from_array(X: np.ndarray, kind: str, channels: str) -> tuple[tuple[int, ...], bool]:
    """Return the shape of a row if no `input_shape` is given, and whether X has a views axis."""
    if kind != "auto":
        return _shape_of_kind(X, kind, channels)
    shape = X.shape
    if X.ndim == 2:
        image = _square_image(shape[1])
        if X.dtype == np.uint8 and image and some_rows(X).max(initial=0) > 1:
            raise ValueError(
                f"uint8 rows of {shape[1]} values may be flattened images or plain vectors: pass "
                f"input_shape={image} for images, kind='vector' for vectors."
            )
        return shape[1:], False
    if X.ndim == 3:
        square = shape[1] == shape[2] >= _SHORTEST_SIDE
        if X.dtype.kind != "f" or square or shape[1] == 1 or channels != "auto":
            raise ValueError(
                f"X of shape {shape} and dtype {X.dtype} may be images, series or views of "
                f"vectors: pass kind='image' or input_shape={shape[1:]} for images of one channel, "
                "kind='series' with channels='last' or 'first' for series, kind='vector' or "
                f"input_shape=({shape[2]},) for samples of {_views(*shape[1:])}."
            )
        if shape[1] > _MANY_VIEWS or shape[1] > shape[2]:
            warnings.warn(
                f"X of shape {shape} is read as samples of {_views(*shape[1:])}. Pass "
                "kind='series' with channels='last' or 'first' if these are series, kind='image' "
                "if they are images of one channel, or kind='vector' if they are views, to avoid "
                "this warning.",
                UserWarning,
            )
        return shape[2:], True
    if X.ndim in (4, 5):
        return _image_from_array(X, kind, channels), X.ndim == 5
    raise ValueError(
        f"X has {X.ndim} dimensions, shape {shape}; expected 2 to 5. Pass input_shape, the shape "
        "of one row, if rows have another layout."
    )


def _views(n_views: int, n_features: int) -> str:
    views = "1 view" if n_views == 1 else f"{n_views} views"
    return f"{views} of {n_features} features each"


def _shape_of_kind(X: np.ndarray, kind: str, channels: str) -> tuple[tuple[int, ...], bool]:
    """Return the shape of a row of a given kind, and whether X has a views axis."""
    shape = X.shape
    if kind == "vector" and X.ndim in (2, 3):
        return shape[X.ndim - 1 :], X.ndim == 3
    if kind == "series" and X.ndim == 2:
        return ((1, shape[1]) if channels == "first" else (shape[1], 1)), False
    if kind == "series" and X.ndim in (3, 4):
        row = shape[-2:]
        if channels == "auto" and 1 not in row:
            raise ValueError(
                f"Series of shape {row} may have their channels first or last: pass channels="
                f"'last' for {row[1]} channels over {row[0]} steps, channels='first' for {row[0]} "
                f"channels over {row[1]} steps."
            )
        return row, X.ndim == 4
    if kind == "image" and X.ndim == 3:
        return shape[1:], False
    if kind == "image" and X.ndim in (4, 5):
        return _image_from_array(X, kind, channels), X.ndim == 5
    expected = {
        "vector": "(n, d) or (n, n_views, d)",
        "image": "(n, H, W), (n, C, H, W) or (n, H, W, C), or with n_views after n for colors",
        "series": "(n, length), (n, length, channels) or (n, channels, length), or with n_views "
        "after n",
    }[kind]
    raise ValueError(
        f"X of shape {shape} does not hold rows of kind={kind!r}: expected {expected}. Pass "
        "input_shape, the shape of one row, if rows are flat or have another layout."
    )


def _image_from_array(X: np.ndarray, kind: str, channels: str) -> tuple[int, ...]:
    """Return the shape of an image with a channel axis."""
    row = X.shape[-3:]
    first, last = row[0] in CHANNELS, row[2] in CHANNELS
    # Pixels with channels last, as of Pillow; floats of this shape may be views of series.
    pixels = X.dtype == np.uint8 and last and min(row[:2]) >= _SHORTEST_SIDE
    if channels != "auto" or (first and not last) or (pixels and not first):
        return row
    if kind == "image" and end_of_channels(row) is not None:
        return row
    raise ValueError(
        f"X of shape {X.shape} is not clearly (n, C, H, W) or (n, n_views, C, H, W) with C of 1, 3 "
        "or 4. Pass channels='first' or channels='last', or input_shape, the shape of one image: "
        "(H, W), (C, H, W) or (H, W, C). Pass kind='series' for samples of views of series."
    )


def end_of_channels(input_shape: tuple[int, ...]) -> str | None:
    """Return "first" or "last", the only place where an image of three axes can have its channels.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one image.

    Returns
    -------
    end : {"first", "last"} or None
        None if there are two sensible readings. Images of any number of channels have one if they
        are square.

    Examples
    --------
    >>> from sklearn_simvae.views.shapes import end_of_channels
    >>> end_of_channels((12, 64, 64)), end_of_channels((64, 80, 3)), end_of_channels((12, 64, 80))
    ('first', 'last', None)
    """
    first, last = input_shape[0] in CHANNELS, input_shape[2] in CHANNELS
    if first != last:
        return "first" if first else "last"
    square_first = input_shape[1] == input_shape[2]
    square_last = input_shape[0] == input_shape[1]
    if first or square_first == square_last:
        return None
    return "first" if square_first else "last"


def _square_image(n_values: int) -> tuple[int, ...] | None:
    """Return the shape of the square image with so many values, or None if there is none."""
    for channels in ((), (3,)):
        side = math.isqrt(n_values // math.prod(channels))
        if side >= 8 and math.prod(channels) * side**2 == n_values:
            return (*channels, side, side)
    return None


def match(shape: tuple[int, ...], input_shape: tuple[int, ...]) -> bool | None:
    """Return whether a shape without its first axis has a views axis; None if it does not fit."""
    flat = (math.prod(input_shape),)
    if shape in (input_shape, flat):
        return False
    if shape[1:] in (input_shape, flat) and len(shape) > 1:
        return True
    return None


def accepted(input_shape: tuple[int, ...]) -> str:
    """Return the shapes of X that fit an `input_shape`, as text for messages."""
    inner = ", ".join(map(str, input_shape))
    shapes = [f"(n, {inner})", f"(n, n_views, {inner})"]
    if len(input_shape) > 1:
        size = math.prod(input_shape)
        shapes += [f"(n, {size})", f"(n, n_views, {size})"]
    return ", ".join(shapes)


def kind_of_shape(input_shape: tuple[int, ...], kind: str, channels: str) -> str:
    """Return the kind of rows of this shape."""
    n_axes = len(input_shape)
    if kind != "auto" and n_axes not in {"vector": (1,), "image": (2, 3), "series": (2,)}[kind]:
        expected = {
            "vector": "(d,)",
            "image": "(H, W), (C, H, W) or (H, W, C)",
            "series": "(length, channels), or (channels, length) with channels='first'",
        }[kind]
        raise ValueError(
            f"input_shape={input_shape} does not fit kind={kind!r}: expected {expected}."
        )
    if n_axes == 1:
        return "vector"
    if n_axes == 2:
        return _kind_of_two_axes(input_shape, kind, channels)
    if n_axes == 3:
        first, last = input_shape[0] in CHANNELS, input_shape[2] in CHANNELS
        # In (4, 4, 3), both the first and the last axis may be the channels.
        either = first and last and input_shape[0] == input_shape[1] != input_shape[2]
        clear = first != last or (first and input_shape[1] in CHANNELS and not either)
        square = kind == "image" and end_of_channels(input_shape) is not None
        if clear or square or channels != "auto":
            return "image"
    raise ValueError(
        f"input_shape={input_shape} is not understood: expected (d,) for vectors, (H, W), "
        "(C, H, W) or (H, W, C) for images, with kind='image' and channels='first' or "
        "channels='last' where C is not 1, 3 or 4, (length, channels) for series."
    )


def _kind_of_two_axes(input_shape: tuple[int, ...], kind: str, channels: str) -> str:
    """Return the kind of rows of two axes: images of one channel, or series."""
    first, second = input_shape
    if kind == "series" and channels == "auto" and first < second:
        raise ValueError(
            f"input_shape={input_shape} of series may be {first} steps of {second} channels or "
            f"{first} channels over {second} steps: pass channels='last' for the one, "
            "channels='first' for the other."
        )
    if kind != "auto":
        return kind
    if first == second >= _SHORTEST_SIDE:
        return "image"
    if second < min(first, _SHORTEST_SIDE):
        return "series"
    raise ValueError(
        f"input_shape={input_shape} may be that of images (H, W) or of series (length, "
        "channels): pass kind='image' or kind='series' (with channels='first' for (channels, "
        "length)), or (1, H, W) for images."
    )
