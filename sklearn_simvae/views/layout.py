"""The layout of the rows of X, and their conversion to the layout of the networks."""

import math
import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_simvae._checks import check_sizes
from sklearn_simvae.views.sources import some_rows

KINDS = ("vector", "image", "series")
_ENDS = ("first", "last")
_CHANNELS = (1, 3, 4)
# Images have no shorter side, whereas a series may have fewer channels.
_SHORTEST_SIDE = 8
_MANY_VIEWS = 16
# The only kind of rows that these encoders take.
_KIND_OF_ENCODER = {"conv": "image", "resnet18": "image", "conv1d": "series"}


@dataclass(frozen=True)
class Layout:
    """The shape of one row (or one view), as the user gives it and as the networks take it.

    Parameters
    ----------
    kind : {"vector", "image", "series"}
        Kind of the rows.
    input_shape : tuple of int
        Shape of one row: `(d,)`, `(H, W)`, `(C, H, W)`, `(H, W, C)`, `(length, channels)` or
        `(channels, length)`.
    row_shape : tuple of int
        Shape of the rows given to `fit`, which is `input_shape` or flat. `inverse_transform`
        returns rows of this shape.
    pixels : bool
        True if rows are uint8 pixels, to be scaled to [0, 1].
    channels : {"auto", "first", "last"}, default="auto"
        Position of the channels in `input_shape`. "auto" means last for series, and for images
        first if the first axis has length 1, 3 or 4, else last.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.views import Layout
    >>> layout, has_views = Layout.infer(np.zeros((5, 2, 1, 28, 28), dtype=np.uint8))
    >>> layout.kind, layout.network_shape, has_views
    ('image', (1, 28, 28), True)
    """

    kind: str
    input_shape: tuple[int, ...]
    row_shape: tuple[int, ...]
    pixels: bool = False
    channels: str = "auto"

    @classmethod
    def infer(
        cls,
        X: np.ndarray,
        input_shape: tuple[int, ...] | None = None,
        kind: str = "auto",
        channels: str = "auto",
    ) -> tuple["Layout", bool]:
        """Infer the layout of an array, or check that the array fits a given `input_shape`.

        Parameters
        ----------
        X : ndarray or Source of shape (n, ...)
            Rows, or samples with a views axis.
        input_shape : tuple of int, default=None
            Shape of one row, for an X whose layout is not clear from its own shape.
        kind : {"auto", "vector", "image", "series"}, default="auto"
            Kind of the rows. "auto" infers it if only one is plausible.
        channels : {"auto", "first", "last"}, default="auto"
            Position of the channels in rows and in `input_shape`.

        Returns
        -------
        layout : Layout
            Layout of a row.
        has_views : bool
            True if the second axis of X counts views.

        Raises
        ------
        ValueError
            If the shape of X allows several layouts, or does not fit `input_shape` or `kind`.

        Warns
        -----
        UserWarning
            If X is taken for samples of views but more likely holds series.
        """
        for name, value, known in (("kind", kind, KINDS), ("channels", channels, _ENDS)):
            if value not in ("auto", *known):
                expected = ", ".join(map(repr, ("auto", *known)))
                raise ValueError(f"{name} must be one of {expected}; got {value!r}.")
        if input_shape is None:
            input_shape, has_views = _shape_from_array(X, kind, channels)
            if kind == "series" and channels == "auto":
                channels = "first" if input_shape[0] == 1 and input_shape[1] > 1 else "last"
        else:
            input_shape = check_sizes(input_shape, "input_shape")
            has_views = _match(X.shape[1:], input_shape)
            if has_views is None:
                raise ValueError(
                    f"X of shape {X.shape} does not fit input_shape={input_shape}. Expected one "
                    f"of {_accepted(input_shape)}."
                )
        kind = _kind(input_shape, kind, channels)
        row_shape = X.shape[2:] if has_views else X.shape[1:]
        pixels = kind == "image" and X.dtype == np.uint8
        layout = cls(kind, input_shape, row_shape, pixels)
        if channels != "auto" and layout.channels_last != (channels == "last"):
            layout = cls(kind, input_shape, row_shape, pixels, channels)
        return layout, has_views

    @property
    def n_features(self) -> int:
        """Number of values in a row."""
        return math.prod(self.input_shape)

    @property
    def channels_last(self) -> bool:
        """True if rows have their channels last; the networks have them first."""
        if self.kind == "vector" or (self.kind == "image" and len(self.input_shape) == 2):
            return False
        if self.channels != "auto":
            return self.channels == "last"
        return self.kind == "series" or self.input_shape[0] not in _CHANNELS

    @property
    def network_shape(self) -> tuple[int, ...]:
        """Shape of a row in the networks: `(d,)`, `(C, H, W)` or `(channels, length)`."""
        if self.kind == "image" and len(self.input_shape) == 2:
            return (1, *self.input_shape)
        if self.channels_last:
            return (self.input_shape[-1], *self.input_shape[:-1])
        return self.input_shape

    def has_views(self, shape: tuple[int, ...], name: str) -> bool:
        """Return whether an array of this shape has a views axis.

        Parameters
        ----------
        shape : tuple of int
            Shape of the array.
        name : str
            Name of the estimator, for the message.

        Returns
        -------
        has_views : bool
            True if the second axis counts views.

        Raises
        ------
        ValueError
            If the rows have another size or shape than those given to `fit`.
        """
        found = _match(shape[1:], self.input_shape)
        if found is None:
            n_features = math.prod(shape[1:])
            if n_features == self.n_features:
                raise ValueError(
                    f"X has the shape {shape}, but {name} was fitted on rows of the shape "
                    f"{self.input_shape}: expected one of {_accepted(self.input_shape)}. Move its "
                    "axes to that order."
                )
            raise ValueError(
                f"X has {n_features} features, but {name} is expecting {self.n_features} features "
                f"as input: got the shape {shape}, expected one of {_accepted(self.input_shape)}."
            )
        return found

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Return whether an array of this shape holds rows, or views, of this layout.

        Parameters
        ----------
        shape : tuple of int
            Shape of the array.

        Returns
        -------
        fits : bool
            False if :meth:`has_views` would raise an error.
        """
        return _match(shape[1:], self.input_shape) is not None

    def to_dict(self) -> dict[str, Any]:
        """Convert the layout to a dict of values that JSON can hold.

        Returns
        -------
        fields : dict
            Fields by name, from which :meth:`from_dict` makes the layout again.
        """
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Layout":
        """Make a layout from the result of :meth:`to_dict`.

        Parameters
        ----------
        fields : dict
            Fields by name; shapes may be lists.

        Returns
        -------
        layout : Layout
            The same layout.
        """
        shapes = {name: tuple(fields[name]) for name in ("input_shape", "row_shape")}
        # Older files do not have this field.
        channels = fields.get("channels", "auto")
        return cls(fields["kind"], **shapes, pixels=fields["pixels"], channels=channels)

    def to_network(self, rows: Tensor) -> Tensor:
        """Convert a batch of rows to the layout of the networks.

        Parameters
        ----------
        rows : Tensor of shape (N, ...)
            Rows without a views axis, in `input_shape` or flat.

        Returns
        -------
        x : Tensor of float32 of shape (N, *network_shape)
            The rows, with pixels scaled to [0, 1].
        """
        x = rows.reshape(-1, *self.input_shape)
        if self.channels_last:
            # Axes are counted from the front, since ONNX does not support negative ones here.
            x = x.movedim(x.ndim - 1, 1)
        x = x.reshape(-1, *self.network_shape).float()
        return x.div_(255.0) if self.pixels and rows.dtype == torch.uint8 else x

    def from_network(self, x: Tensor) -> Tensor:
        """Convert a batch from the layout of the networks to that of the rows given to `fit`.

        This is the inverse of :meth:`to_network`, except that pixels stay in [0, 1].

        Parameters
        ----------
        x : Tensor of shape (N, *network_shape)
            Output of a decoder.

        Returns
        -------
        rows : Tensor of shape (N, *row_shape)
            Rows in the layout of those given to `fit`.
        """
        if self.channels_last:
            x = x.movedim(1, -1)
        return x.reshape(-1, *self.row_shape)


def kind_of_rows(kind: str, encoder: Any, has_shape: bool) -> str:
    """Return the kind of the rows, given by `kind` or by an encoder that takes one kind only.

    Parameters
    ----------
    kind : {"auto", "vector", "image", "series"}
        Parameter of the estimator.
    encoder : object
        Parameter of the estimator; only the name of a built-in encoder determines the kind.
    has_shape : bool
        True if X or an `input_shape` gives rows more than one axis. If not, the rows do not fit
        such an encoder, and it is ignored here.

    Returns
    -------
    kind : {"auto", "vector", "image", "series"}
        Kind of the rows; "auto" if neither parameter determines it.

    Examples
    --------
    >>> from sklearn_simvae.views.layout import kind_of_rows
    >>> kind_of_rows("auto", "conv1d", True), kind_of_rows("auto", "mlp", True)
    ('series', 'auto')
    """
    if kind != "auto" or not isinstance(encoder, str) or not has_shape:
        return kind
    return _KIND_OF_ENCODER.get(encoder, "auto")


def _shape_from_array(X: np.ndarray, kind: str, channels: str) -> tuple[tuple[int, ...], bool]:
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
        return _image_from_array(shape, channels), X.ndim == 5
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
        return _image_from_array(shape, channels), X.ndim == 5
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


def _image_from_array(shape: tuple[int, ...], channels: str) -> tuple[int, ...]:
    """Return the shape of an image with a channel axis."""
    row = shape[-3:]
    first, last = row[0] in _CHANNELS, row[2] in _CHANNELS
    if channels != "auto" or (first and not last):
        return row
    raise ValueError(
        f"X of shape {shape} is not clearly (n, C, H, W) or (n, n_views, C, H, W) with C of 1, 3 "
        "or 4. Pass channels='first' or channels='last', or input_shape, the shape of one image: "
        "(H, W), (C, H, W) or (H, W, C). Pass kind='series' for samples of views of series."
    )


def _square_image(n_values: int) -> tuple[int, ...] | None:
    """Return the shape of the square image with so many values, or None if there is none."""
    for channels in ((), (3,)):
        side = math.isqrt(n_values // math.prod(channels))
        if side >= 8 and math.prod(channels) * side**2 == n_values:
            return (*channels, side, side)
    return None


def _match(shape: tuple[int, ...], input_shape: tuple[int, ...]) -> bool | None:
    """Return whether a shape without its first axis has a views axis; None if it does not fit."""
    flat = (math.prod(input_shape),)
    if shape in (input_shape, flat):
        return False
    if shape[1:] in (input_shape, flat) and len(shape) > 1:
        return True
    return None


def _accepted(input_shape: tuple[int, ...]) -> str:
    """Return the shapes of X that fit an `input_shape`, as text for messages."""
    inner = ", ".join(map(str, input_shape))
    shapes = [f"(n, {inner})", f"(n, n_views, {inner})"]
    if len(input_shape) > 1:
        size = math.prod(input_shape)
        shapes += [f"(n, {size})", f"(n, n_views, {size})"]
    return ", ".join(shapes)


def _kind(input_shape: tuple[int, ...], kind: str, channels: str) -> str:
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
    if n_axes == 3:
        first, last = input_shape[0] in _CHANNELS, input_shape[2] in _CHANNELS
        # In (4, 4, 3), both the first and the last axis may be the channels.
        either = first and last and input_shape[0] == input_shape[1] != input_shape[2]
        clear = first != last or (first and input_shape[1] in _CHANNELS and not either)
        if clear or channels != "auto":
            return "image"
    raise ValueError(
        f"input_shape={input_shape} is not understood: expected (d,) for vectors, (H, W), "
        "(C, H, W) or (H, W, C) for images, with channels='first' or channels='last' where C is "
        "not 1, 3 or 4, (length, channels) for series."
    )
