"""The layout of the rows of X, and their conversion to the layout of the networks."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_simvae._batch import Batch
from sklearn_simvae._checks import check_sizes
from sklearn_simvae.views.shapes import (
    CHANNELS,
    accepted,
    end_of_channels,
    kind_of_shape,
    match,
    shape_from_array,
)

KINDS = ("vector", "image", "series")
_ENDS = ("first", "last")
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
    missing : bool, default=False
        True if rows are vectors some of whose values may be missing (NaN).
    blocks : tuple of (str, tuple of int), default=()
        Likelihoods and their columns, if columns have different ones.
    ragged : bool, default=False
        True if rows are windows of series of unequal length, padded with NaN.

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
    missing: bool = False
    blocks: tuple[tuple[str, tuple[int, ...]], ...] = ()
    ragged: bool = False

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
        X : ndarray or LazyArray of shape (n, ...)
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
            input_shape, has_views = shape_from_array(X, kind, channels)
            if kind == "series" and channels == "auto":
                channels = "first" if input_shape[0] == 1 and input_shape[1] > 1 else "last"
        else:
            input_shape = check_sizes(input_shape, "input_shape")
            has_views = match(X.shape[1:], input_shape)
            if has_views is None:
                raise ValueError(
                    f"X of shape {X.shape} does not fit input_shape={input_shape}. Expected one "
                    f"of {accepted(input_shape)}."
                )
        kind = kind_of_shape(input_shape, kind, channels)
        if kind == "image" and len(input_shape) == 3 and channels == "auto":
            channels = end_of_channels(input_shape) or "auto"
        row_shape = X.shape[2:] if has_views else X.shape[1:]
        pixels = kind == "image" and X.dtype == np.uint8
        layout = cls(kind, input_shape, row_shape, pixels)
        if channels != "auto" and layout.channels_last != (channels == "last"):
            layout = cls(kind, input_shape, row_shape, pixels, channels)
        return layout, has_views

    @property
    def n_columns(self) -> int:
        """Number of columns of X that a row is made of; of series of unequal length, channels."""
        return self.network_shape[0] if self.ragged else self.n_features

    @property
    def n_features(self) -> int:
        """Number of values in a row."""
        return math.prod(self.input_shape)

    @property
    def preprocessors(self) -> dict[str, Any]:
        """Fitted transformers by name, without which X cannot be read."""
        return {}

    @property
    def channels_last(self) -> bool:
        """True if rows have their channels last; the networks have them first."""
        if self.kind == "vector" or (self.kind == "image" and len(self.input_shape) == 2):
            return False
        if self.channels != "auto":
            return self.channels == "last"
        return self.kind == "series" or self.input_shape[0] not in CHANNELS

    @property
    def network_shape(self) -> tuple[int, ...]:
        """Shape of a row in the networks: `(d,)`, `(C, H, W)` or `(channels, length)`."""
        if self.kind == "image" and len(self.input_shape) == 2:
            return (1, *self.input_shape)
        if self.channels_last:
            return (self.input_shape[-1], *self.input_shape[:-1])
        return self.input_shape

    def zeros(self, device: torch.device | str = "cpu") -> Batch:
        """Make a batch of one sample, of one view that is zero.

        Parameters
        ----------
        device : torch.device or str, default="cpu"
            Device of the views.

        Returns
        -------
        batch : Batch
            Views as networks take them.
        """
        return Batch(torch.zeros((1, 1, *self.network_shape), dtype=torch.float32, device=device))

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
        found = match(shape[1:], self.input_shape)
        if found is None:
            n_features = math.prod(shape[1:])
            if n_features == self.n_features:
                raise ValueError(
                    f"X has the shape {shape}, but {name} was fitted on rows of the shape "
                    f"{self.input_shape}: expected one of {accepted(self.input_shape)}. Move its "
                    "axes to that order."
                )
            raise ValueError(
                f"X has {n_features} features, but {name} is expecting {self.n_features} features "
                f"as input: got the shape {shape}, expected one of {accepted(self.input_shape)}."
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
        return match(shape[1:], self.input_shape) is not None

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
        # Older files do not have all fields.
        names = {"kind", "pixels", "channels", "missing", "ragged"} & fields.keys()
        blocks = tuple((name, tuple(columns)) for name, columns in fields.get("blocks", ()))
        return cls(**shapes, **{name: fields[name] for name in names}, blocks=blocks)

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

    def bounded(self, x: Tensor) -> Tensor:
        """Hold a batch within the range of the rows, which means of a decoder may leave.

        Parameters
        ----------
        x : Tensor of shape (N, ...)
            Output of a decoder.

        Returns
        -------
        x : Tensor of shape (N, ...)
            The same, in [0, 1] if rows are pixels.
        """
        return x.clamp(0, 1) if self.pixels else x

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
