"""Encoders as ONNX files."""

import contextlib
import io
import os
import warnings
from collections.abc import Iterator

import torch
from torch import nn

from sklearn_simvae._files import need, write_whole
from sklearn_simvae.training import own_modes
from sklearn_simvae.training.modes import evaluation_mode

# Version of the ONNX operators that `to_onnx` writes.
ONNX_OPSET = 18


class _FromRows(nn.Module):
    """Module that computes the representation of rows in the user's layout."""

    def __init__(self, module, layout, represent):
        super().__init__()
        self.module = module
        self.layout = layout
        self.represent = represent

    def forward(self, rows):
        return self.represent(self.layout.to_network(rows)).float()


# The package's own modes, since those of the caller (such as autocast) would end up in the file.
@own_modes()
def to_onnx(estimator, path: str | os.PathLike, layout, represent) -> None:
    """Write a network that maps rows to their representation as an ONNX file.

    Parameters
    ----------
    estimator : BaseSSL
        A fitted estimator.
    path : path-like
        Path of the file to write.
    layout : Layout
        Layout of the rows that the network in the file takes.
    represent : callable
        Function from a batch in the layout of the networks to representations.

    Raises
    ------
    ValueError
        If the network has operations that ONNX does not support.
    """
    need("onnx")
    module = _FromRows(estimator.module_, layout, represent)
    # Two rows, since with one row the export could treat the batch axis as constant.
    dtype = torch.uint8 if layout.pixels else torch.float32
    rows = torch.zeros(2, *layout.row_shape, dtype=dtype, device=estimator.net_.device)
    file = io.BytesIO()
    try:
        with warnings.catch_warnings(), evaluation_mode(module), _silent_export():
            # The newer exporter, based on torch.export, takes ten times as long for the same file.
            warnings.simplefilter("ignore", DeprecationWarning)
            # The checks in torch's own layers hold for any batch.
            warnings.filterwarnings("ignore", category=torch.jit.TracerWarning, module="torch")
            torch.onnx.export(
                module,
                (rows,),
                file,
                dynamo=False,
                opset_version=ONNX_OPSET,
                input_names=["rows"],
                output_names=["representation"],
                dynamic_axes={"rows": {0: "n"}, "representation": {0: "n"}},
            )
    # The type of the error depends on the operator.
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        name = type(estimator).__name__
        raise ValueError(
            f"The encoder of this {name} has an operation that ONNX does not support: {first:.300}"
        ) from error
    write_whole(path, file.getvalue())


@contextlib.contextmanager
def _silent_export() -> Iterator[None]:
    """Keep torch from printing the whole graph of an export that fails."""
    log = torch._C._jit_onnx_log
    torch._C._jit_onnx_log = lambda *parts: None
    try:
        yield
    finally:
        torch._C._jit_onnx_log = log
