"""Encoders, decoders and scores as ONNX files."""

import contextlib
import io
import math
import os
import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sklearn_simvae._files import need, write_whole
from sklearn_simvae.training import own_modes
from sklearn_simvae.training.modes import evaluation_mode

# Version of the ONNX operators that `to_onnx` writes.
ONNX_OPSET = 18

# The parts of an estimator that can be written, each with the method that computes the same.
_METHODS = {
    "representation": "transform",
    "decoder": "inverse_transform",
    "score": "score_samples",
}
# Stirling's series is exact enough from here on.
_STIRLING_FROM = 8


class _Graph(nn.Module):
    """Module that computes a function of one tensor, with weights that are to be written."""

    def __init__(self, module: nn.Module, function: Callable[[Tensor], Tensor]):
        super().__init__()
        self.module = module
        self.function = function

    def forward(self, given: Tensor) -> Tensor:
        return self.function(given).float()


# The package's own modes, since those of the caller (such as autocast) would end up in the file.
@own_modes()
def to_onnx(
    estimator, path: str | os.PathLike, output: str, layout, represent, place: int = 0
) -> None:
    """Write a network of a fitted estimator as an ONNX file.

    Parameters
    ----------
    estimator : BaseSSL
        A fitted estimator.
    path : path-like
        Path of the file to write.
    output : {"representation", "decoder", "score"}
        Part to write.
    layout : Layout
        Layout of the rows.
    represent : callable
        Function from a batch in the layout of the networks to representations.
    place : int, default=0
        Place of the kind of data among those of a row.

    Raises
    ------
    ValueError
        If the estimator does not have this part, or its network has operations that ONNX does not
        support.
    """
    _check_output(estimator, output)
    need("onnx")
    function, names, given = _part(estimator, output, layout, represent, place)
    data = _exported(estimator, function, names, given.to(estimator.net_.device))
    write_whole(path, data)


def _part(estimator, output: str, layout, represent, place: int):
    """Return a part as a function of one tensor, the names of both sides, and such a tensor."""
    # Two rows, since with one row the export could treat the batch axis as constant.
    rows = torch.zeros(2, *layout.row_shape, dtype=torch.uint8 if layout.pixels else torch.float32)
    if output == "representation":
        return lambda rows: represent(layout.to_network(rows)), ("rows", output), rows
    if output == "score":
        bound = estimator._bound_in_graph(place)
        return lambda rows: bound(layout.to_network(rows)), ("rows", output), rows
    decode, latents = estimator.module_.parts[place].mean, torch.zeros(2, estimator.n_components_)
    return lambda z: layout.from_network(layout.bounded(decode(z))), ("latents", "rows"), latents


def _check_output(estimator, output: str) -> None:
    """Raise if there is no such part, or the method does not have it."""
    if output not in _METHODS:
        raise ValueError(f"output must be one of {[*_METHODS]}, got {output!r}.")
    if hasattr(estimator, _METHODS[output]):
        return
    name = type(estimator).__name__
    if hasattr(estimator, "inverse_transform"):
        raise ValueError(
            f"output='score' needs score_samples, which this {name} does not have: an improper "
            "prior (prior_variance=None) has no score. Set prior_variance to a positive number and "
            "fit again."
        )
    raise ValueError(
        f"output={output!r} needs {_METHODS[output]}, which {name} does not have: only the "
        "generative methods, such as SimVAE, decode and score rows. Take output='representation'."
    )


def _exported(estimator, function, names: tuple[str, str], given: Tensor) -> bytes:
    """Compute the contents of the file of a function of one tensor."""
    module, file = _Graph(estimator.module_, function), io.BytesIO()
    mode = _WrittenOut() if names[1] == "score" else contextlib.nullcontext()
    try:
        with warnings.catch_warnings(), evaluation_mode(module), _silent_export(), mode:
            # The newer exporter, based on torch.export, takes ten times as long for the same file.
            warnings.simplefilter("ignore", DeprecationWarning)
            # The checks in torch's own layers, and the numbers of our losses, hold for any batch.
            own = "torch|sklearn_simvae"
            warnings.filterwarnings("ignore", category=torch.jit.TracerWarning, module=own)
            torch.onnx.export(
                module,
                (given,),
                file,
                dynamo=False,
                opset_version=ONNX_OPSET,
                input_names=names[:1],
                output_names=names[1:],
                dynamic_axes={name: {0: "n"} for name in names},
            )
    # The type of the error depends on the operator.
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        name = type(estimator).__name__
        raise ValueError(
            f"The network of this {name} has an operation that ONNX does not support: {first:.300}"
        ) from error
    return file.getvalue()


@contextlib.contextmanager
def _silent_export() -> Iterator[None]:
    """Keep torch from printing the whole graph of an export that fails."""
    log = torch._C._jit_onnx_log
    torch._C._jit_onnx_log = lambda *parts: None
    try:
        yield
    finally:
        torch._C._jit_onnx_log = log


class _WrittenOut(TorchFunctionMode):
    """Mode that writes functions out in operations that ONNX has, and computes without overflow."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is torch.lgamma:
            return _lgamma(*args)
        if function is F.binary_cross_entropy_with_logits:
            return _binary_cross_entropy(*args)
        return function(*args, **(kwargs or {}))


def _lgamma(x: Tensor) -> Tensor:
    """Compute the logarithm of the gamma function of numbers from 1, by Stirling's series."""
    x = x.double()
    y = x + _STIRLING_FROM
    series = (1 / 12 - (1 / 360 - 1 / (1260 * y * y)) / (y * y)) / y
    below = sum((x + k).log() for k in range(_STIRLING_FROM))
    return ((y - 0.5) * y.log() - y + 0.5 * math.log(2 * math.pi) + series - below).float()


def _binary_cross_entropy(logits: Tensor, x: Tensor) -> Tensor:
    """Compute it for each value, where torch's exporter takes the logarithm of 0."""
    return logits.clamp(min=0) - logits * x + (1 + (-logits.abs()).exp()).log()
