"""The module from images, series or vectors to the features of a pretrained network."""

import difflib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_simvae._checks import check_sizes
from sklearn_simvae.networks.padded import padding
from sklearn_simvae.pretrained.loading import Network

POOLINGS = ("auto", "mean", "max", "token", "flatten")


class Features(nn.Module):
    """A network, between what makes its input of the rows and what makes rows of its output.

    Parameters
    ----------
    network : Network
        The network.
    kind : {"vector", "image", "series"}
        Kind of the rows.
    input_shape : tuple of int
        Shape of a row, channels first.
    layer : str or None, default=None
        Name of the part of the network whose output is taken; None is the whole network.
    pooling : str or callable, default="auto"
        How maps and tokens become one row.
    mean, std : "auto", float, sequence of float or None, default="auto"
        Normalization of the channels.
    image_size : "auto", int, tuple of int or None, default="auto"
        Height and width that images are resized to.
    padded : bool, default=False
        Whether rows are series that end in NaN where they are shorter than others, which become
        zeros after normalization.

    Attributes
    ----------
    n_outputs : int
        Number of features.

    Raises
    ------
    ValueError
        If a parameter is not valid, or the network does not take such rows.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.pretrained.features import Features
    >>> from sklearn_simvae.pretrained.loading import load_network
    >>> network = load_network(torch.nn.Conv2d(3, 8, 3))
    >>> features = Features(network, "image", (3, 16, 16))
    >>> features(torch.zeros(2, 3, 16, 16)).shape
    torch.Size([2, 8])
    """

    def __init__(
        self,
        network: Network,
        kind: str,
        input_shape: tuple[int, ...],
        layer: str | None = None,
        pooling: str | Callable[[Tensor], Tensor] = "auto",
        mean: Any = "auto",
        std: Any = "auto",
        image_size: Any = "auto",
        padded: bool = False,
    ):
        super().__init__()
        self.padded = padded
        self.network = network.module
        self.kind, self.layer, self.pooling = kind, layer, pooling
        check_layer(self.network, layer)
        self.repeats_gray = kind == "image" and input_shape[0] == 1 and _takes_colors(self.network)
        n_channels = 3 if self.repeats_gray else input_shape[0]
        for name, value, known in (("mean", mean, network.mean), ("std", std, network.std)):
            tensor = _per_channel(name, value, known, kind, n_channels, len(input_shape))
            self.register_buffer(name, tensor, persistent=False)
        self.image_size = _size(image_size, network.image_size, kind)
        self.frozen: tuple[str, ...] = ()
        self.n_outputs = _n_outputs(self, input_shape)

    def freeze(self, names: Sequence[str]) -> None:
        """Keep parts of the network as they are while others are trained.

        Parameters
        ----------
        names : sequence of str
            Names of parts, which then stay in evaluation mode, or of single parameters; "" is the
            whole network.

        Raises
        ------
        ValueError
            If the network has no such part.
        """
        parameters = dict(self.network.named_parameters())
        for name in names:
            if name in parameters:
                parameters[name].requires_grad_(False)
                continue
            check_layer(self.network, name or None)
            self.network.get_submodule(name).requires_grad_(False)
            self.frozen = (*self.frozen, name)

    def train(self, mode: bool = True):
        """Set the mode of all parts that are not frozen."""
        super().train(mode)
        for name in self.frozen:
            self.network.get_submodule(name).eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Compute features ``(N, n_outputs)`` of rows ``(N, ...)``."""
        if self.repeats_gray:
            x = x.expand(-1, 3, *x.shape[2:])
        if self.image_size is not None and tuple(x.shape[2:]) != self.image_size:
            x = nn.functional.interpolate(x, self.image_size, mode="bilinear", antialias=True)
        if self.mean is not None:
            x = x - self.mean
        if self.std is not None:
            x = x / self.std
        if self.padded:
            x = x.masked_fill(padding(x), 0.0)
        made = self.network(x) if self.layer is None else self._of_layer(x)
        return self._pooled(_one_tensor(made)).float()

    def _of_layer(self, x: Tensor) -> Any:
        """Compute the last output of a layer while the network runs."""
        thread, found = threading.get_ident(), []

        def keep(module, inputs, output):
            # Other threads may use the network at the same time.
            if threading.get_ident() == thread:
                found[:] = [output]

        handle = self.network.get_submodule(self.layer).register_forward_hook(keep)
        try:
            self.network(x)
        finally:
            handle.remove()
        if not found:
            raise ValueError(f"The network does not use its part layer={self.layer!r}.")
        return found[0]

    def _pooled(self, x: Tensor) -> Tensor:
        if callable(self.pooling):
            return self.pooling(x)
        if x.ndim <= 2:
            return x
        if self.pooling == "flatten":
            return x.flatten(1)
        tokens = x.ndim == 3 and self.kind != "series"
        if self.pooling == "token":
            if not tokens:
                raise ValueError(
                    "pooling='token' takes the first of tokens (N, tokens, width), but the network "
                    f"gives {tuple(x.shape)}. Use 'mean', 'max' or 'flatten'."
                )
            return x[:, 0]
        positions = (1,) if tokens else tuple(range(2, x.ndim))
        return x.amax(positions) if self.pooling == "max" else x.mean(positions)


def check_layer(module: nn.Module, layer: str | None) -> None:
    """Raise unless a module has a part of this name.

    Parameters
    ----------
    module : nn.Module
        A network.
    layer : str or None
        Name of a part, as in `named_modules`; None is the network itself.

    Raises
    ------
    ValueError
        If it has no such part.
    """
    names = [name for name, _ in module.named_modules() if name]
    if layer is not None and layer not in names:
        near = difflib.get_close_matches(layer, names, 3)
        near = near or [name for name in names if "." not in name][:10]
        raise ValueError(
            f"The network has no part {layer!r}; it has {', '.join(map(repr, near)) or 'none'}. "
            "All are listed by named_modules()."
        )


def _takes_colors(module: nn.Module) -> bool:
    first = next((part for part in module.modules() if isinstance(part, nn.Conv2d)), None)
    return first is not None and first.in_channels == 3


def _per_channel(
    name: str, value: Any, known: Sequence[float] | None, kind: str, n_channels: int, n_axes: int
) -> Tensor | None:
    """Make a tensor of a mean or a standard deviation that is subtracted from, or divides, rows."""
    automatic = isinstance(value, str) and value == "auto"
    value = known if automatic else value
    if value is None or (automatic and kind != "image"):
        return None
    given = f"{name}={value!r}{' of the network' if automatic else ''}"
    try:
        numbers = np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        numbers = np.full(0, np.nan)
    if numbers.ndim != 1 or not numbers.size or not np.isfinite(numbers).all():
        raise ValueError(f"{name} must be 'auto', None, or a number or one a channel, got {value}.")
    if kind == "vector":
        raise ValueError(f"{given} is for channels, and rows are vectors. Use StandardScaler.")
    if len(numbers) not in (1, n_channels):
        raise ValueError(
            f"{given} has {len(numbers)} numbers, but rows have {n_channels} channels. Give one "
            "for each, or None for no normalization."
        )
    if name == "std" and (numbers <= 0).any():
        raise ValueError(f"{given} must be above 0.")
    return torch.tensor(numbers, dtype=torch.float32).reshape(-1, *(1,) * (n_axes - 1))


def _size(image_size: Any, known: tuple[int, int] | None, kind: str) -> tuple[int, int] | None:
    if isinstance(image_size, str) and image_size == "auto":
        return known if kind == "image" else None
    if image_size is None:
        return None
    size = check_sizes(image_size, "image_size")
    size = size * 2 if len(size) == 1 else size
    if len(size) != 2:
        raise ValueError(f"image_size must be one side or (height, width), got {image_size!r}.")
    if kind != "image":
        raise ValueError(f"image_size={image_size!r} is for images, but rows are of kind {kind!r}.")
    return size


def _one_tensor(made: Any) -> Any:
    """The tensor among several outputs that has the features."""
    if isinstance(made, Mapping) and "last_hidden_state" in made:
        return made["last_hidden_state"]
    return made[0] if isinstance(made, tuple | list) and made else made


def _n_outputs(features: Features, input_shape: tuple[int, ...]) -> int:
    """Number of features, by a forward pass of two rows in evaluation mode."""
    features.eval()
    passed = (2, *input_shape)
    parameter = next(features.parameters(), None)
    device = None if parameter is None else parameter.device
    try:
        with torch.no_grad():
            made = features(torch.zeros(passed, device=device))
    except Exception as error:
        flat = " Give input_shape=(H, W, C) if rows are images." if len(input_shape) == 1 else ""
        raise ValueError(
            f"The network fails on an input of shape {passed}: {error}{flat}"
        ) from error
    if made.ndim != 2 or len(made) != 2:
        raise ValueError(
            f"The network and pooling={features.pooling!r} give {tuple(made.shape)} for an input "
            f"of shape {passed}, but must give one row of features for each. Choose another "
            "layer or pooling."
        )
    return made.shape[1]
