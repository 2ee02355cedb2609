"""How the rows of X are laid out, and how they become what the networks read."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_simvae.networks.checks import check_sizes
from sklearn_simvae.views.sources import some_rows

_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class Layout:
    """The shape of one row (or one view), as the user gives it and as the networks read it.

    Parameters
    ----------
    kind : {"vector", "image", "series"}
        What a row is.
    input_shape : tuple of int
        The shape of one row: `(d,)`, `(H, W)`, `(C, H, W)`, `(H, W, C)` or `(length, channels)`.
    row_shape : tuple of int
        The shape that rows had in `fit`: `input_shape` or flat. `inverse_transform` returns it.
    pixels : bool
        Whether rows are uint8 pixels, to be scaled to [0, 1].

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

    @classmethod
    def infer(
        cls,
        X: np.ndarray,
        input_shape: tuple[int, ...] | None = None,
        series: bool = False,
    ) -> tuple["Layout", bool]:
        """Read the layout off an array, or hold it against a given `input_shape`.

        Parameters
        ----------
        X : ndarray or Source of shape (n, ...)
            Rows or samples of views.
        input_shape : tuple of int, default=None
            The shape of one row, where X alone does not tell.
        series : bool, default=False
            Read an `input_shape` of two numbers as `(length, channels)` in any case.

        Returns
        -------
        layout : Layout
            How a row is read.
        has_views : bool
            Whether the second axis of X counts views.

        Raises
        ------
        ValueError
            If the shape of X does not tell, or does not fit `input_shape`.
        """
        if input_shape is None:
            input_shape, has_views = _shape_from_array(X)
        else:
            input_shape = check_sizes(input_shape, "input_shape")
            has_views = _match(X.shape[1:], input_shape)
            if has_views is None:
                raise ValueError(
                    f"X of shape {X.shape} does not fit input_shape={input_shape}. Expected one "
                    f"of {_accepted(input_shape)}."
                )
        kind = _kind(input_shape, series)
        row_shape = X.shape[2:] if has_views else X.shape[1:]
        pixels = kind == "image" and X.dtype == np.uint8
        return cls(kind, input_shape, row_shape, pixels), has_views

    @property
    def n_features(self) -> int:
        """Number of values in a row."""
        return math.prod(self.input_shape)

    @property
    def channels_last(self) -> bool:
        """Whether a row has its channels last, where the networks have them first."""
        return self.kind == "series" or (
            len(self.input_shape) == 3 and self.input_shape[0] not in _CHANNELS
        )

    @property
    def network_shape(self) -> tuple[int, ...]:
        """Shape of a row in the networks: `(d,)`, `(C, H, W)` or `(channels, length)`."""
        if self.kind == "image" and len(self.input_shape) == 2:
            return (1, *self.input_shape)
        if self.channels_last:
            return (self.input_shape[-1], *self.input_shape[:-1])
        return self.input_shape

    def has_views(self, shape: tuple[int, ...], name: str) -> bool:
        """Tell whether an array of this shape has a views axis.

        Parameters
        ----------
        shape : tuple of int
            The array's shape.
        name : str
            The estimator's name, for the message.

        Returns
        -------
        has_views : bool
            Whether the second axis counts views.

        Raises
        ------
        ValueError
            If the rows have another size than those of `fit`.
        """
        found = _match(shape[1:], self.input_shape)
        if found is None:
            n_features = math.prod(shape[1:])
            raise ValueError(
                f"X has {n_features} features, but {name} is expecting {self.n_features} features "
                f"as input: got the shape {shape}, expected one of {_accepted(self.input_shape)}."
            )
        return found

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Tell whether an array of this shape holds rows of this size, or views of such.

        Parameters
        ----------
        shape : tuple of int
            The array's shape.

        Returns
        -------
        fits : bool
            Where :meth:`has_views` would raise, False.
        """
        return _match(shape[1:], self.input_shape) is not None

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, of what JSON knows.

        Returns
        -------
        fields : dict
            From which :meth:`from_dict` makes the layout again.
        """
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Layout":
        """Undo :meth:`to_dict`.

        Parameters
        ----------
        fields : dict
            The fields by name; sizes may be lists.

        Returns
        -------
        layout : Layout
            As it was.
        """
        shapes = {name: tuple(fields[name]) for name in ("input_shape", "row_shape")}
        return cls(fields["kind"], **shapes, pixels=fields["pixels"])

    def to_network(self, rows: Tensor) -> Tensor:
        """Turn a batch of rows into float32 of shape `(N, *network_shape)`.

        Parameters
        ----------
        rows : Tensor of shape (N, ...)
            Rows without a views axis, flat or shaped.

        Returns
        -------
        x : Tensor of shape (N, *network_shape)
            Pixels are scaled to [0, 1].
        """
        x = rows.reshape(-1, *self.input_shape)
        if self.channels_last:
            # Counted from the front: ONNX knows no other axes.
            x = x.movedim(x.ndim - 1, 1)
        x = x.reshape(-1, *self.network_shape).float()
        return x.div_(255.0) if self.pixels and rows.dtype == torch.uint8 else x

    def from_network(self, x: Tensor) -> Tensor:
        """Undo :meth:`to_network`, up to the scale of pixels: shape `(N, *row_shape)`.

        Parameters
        ----------
        x : Tensor of shape (N, *network_shape)
            What a decoder gives.

        Returns
        -------
        rows : Tensor of shape (N, *row_shape)
            In the layout that `fit` saw.
        """
        if self.channels_last:
            x = x.movedim(1, -1)
        return x.reshape(-1, *self.row_shape)


def _shape_from_array(X: np.ndarray) -> tuple[tuple[int, ...], bool]:
    """The shape of a row where no `input_shape` is given, and whether X has a views axis."""
    shape = X.shape
    if X.ndim == 2:
        image = _square_image(shape[1])
        if X.dtype == np.uint8 and image and some_rows(X).max(initial=0) > 1:
            raise ValueError(
                f"uint8 rows of {shape[1]} values may be flattened images or plain vectors: pass "
                f"input_shape={image} for images, input_shape=({shape[1]},) for vectors."
            )
        return shape[1:], False
    if X.ndim == 3:
        if X.dtype.kind != "f" or (shape[1] == shape[2] >= 8):
            raise ValueError(
                f"X of shape {shape} and dtype {X.dtype} may be images or views of vectors: pass "
                f"input_shape={shape[1:]} for images, input_shape=({shape[2]},) for "
                f"{shape[1]} views of {shape[2]} features."
            )
        return shape[2:], True
    if X.ndim in (4, 5):
        row = shape[-3:]
        if row[0] in _CHANNELS and row[2] not in _CHANNELS:
            return row, X.ndim == 5
        raise ValueError(
            f"X of shape {shape} is not clearly (n, C, H, W) or (n, n_views, C, H, W) with C of 1, "
            f"3 or 4. Pass input_shape, the shape of one image: (H, W), (C, H, W) or (H, W, C)."
        )
    raise ValueError(
        f"X has {X.ndim} dimensions, shape {shape}; expected 2 to 5. Pass input_shape, the shape "
        "of one row, where a row has another layout."
    )


def _square_image(n_values: int) -> tuple[int, ...] | None:
    """The shape of the grey or colour square that has so many pixel values, from 8 px."""
    for channels in ((), (3,)):
        side = math.isqrt(n_values // math.prod(channels))
        if side >= 8 and math.prod(channels) * side**2 == n_values:
            return (*channels, side, side)
    return None


def _match(shape: tuple[int, ...], input_shape: tuple[int, ...]) -> bool | None:
    """Whether what follows the first axis has a views axis; None if it does not fit."""
    flat = (math.prod(input_shape),)
    if shape in (input_shape, flat):
        return False
    if shape[1:] in (input_shape, flat) and len(shape) > 1:
        return True
    return None


def _accepted(input_shape: tuple[int, ...]) -> str:
    """The shapes of X that go with an `input_shape`, in words."""
    inner = ", ".join(map(str, input_shape))
    shapes = [f"(n, {inner})", f"(n, n_views, {inner})"]
    if len(input_shape) > 1:
        size = math.prod(input_shape)
        shapes += [f"(n, {size})", f"(n, n_views, {size})"]
    return ", ".join(shapes)


def _kind(input_shape: tuple[int, ...], series: bool) -> str:
    """What a row of this shape is."""
    if len(input_shape) == 1:
        return "vector"
    if len(input_shape) == 2:
        channels = input_shape[1]
        # No picture is this narrow; a table of channels over time is.
        narrow = channels < 8 or max(input_shape) > 4 * min(input_shape)
        return "series" if series or narrow else "image"
    if len(input_shape) == 3:
        first, last = input_shape[0] in _CHANNELS, input_shape[2] in _CHANNELS
        # Of (4, 4, 3), either end may be the channels.
        either = first and last and input_shape[0] == input_shape[1] != input_shape[2]
        if first != last or (first and input_shape[1] in _CHANNELS and not either):
            return "image"
    raise ValueError(
        f"input_shape={input_shape} is not understood: expected (d,) for vectors, (H, W), "
        "(C, H, W) or (H, W, C) with C of 1, 3 or 4 for images, (length, channels) for series."
    )
