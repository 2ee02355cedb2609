"""Checks of the arguments of the factories and of the modules that they make."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from sklearn_simvae._checks import check_sizes

# Number of axes of one sample of each kind.
KINDS = {"vector": 1, "image": 3, "series": 2}


def check_sample_shape(shape: Sequence[int], kind: str, name: str) -> tuple[int, ...]:
    """Check that the shape of one sample has as many axes as its kind.

    Parameters
    ----------
    shape : sequence of int
        Shape of one sample.
    kind : {"vector", "image", "series"}
        Kind of the sample.
    name : str
        Name of the argument in the message.

    Returns
    -------
    tuple of int
        The shape.

    Raises
    ------
    ValueError
        If the kind is not known, or its samples have another number of axes.

    Examples
    --------
    >>> check_sample_shape([3, 32, 32], "image", "input_shape")
    (3, 32, 32)
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(map(repr, KINDS))}, got {kind!r}.")
    shape = check_sizes(shape, name)
    if len(shape) != KINDS[kind]:
        raise ValueError(f"{name} of kind {kind!r} must have {KINDS[kind]} axes, got {shape}.")
    return shape


def check_module(
    module: Any, input_shape: tuple[int, ...], output_shape: tuple[int, ...], name: str
) -> nn.Module:
    """Check by a forward pass of two rows that a module maps one shape to the other.

    Parameters
    ----------
    module : nn.Module
        Module that the user gave, or that the user's factory made. It stays in the mode (training
        or evaluation) that it was in.
    input_shape, output_shape : tuple of int
        Shapes of one row.
    name : str
        Name of the module in the message, such as "encoder".

    Returns
    -------
    nn.Module
        The module itself.

    Raises
    ------
    ValueError
        If `module` is not a module, if it fails on such an input, or if its output has another
        shape or is not float32.

    Examples
    --------
    >>> check_module(nn.Linear(3, 2), (3,), (2,), "encoder")
    Linear(in_features=3, out_features=2, bias=True)
    """
    if not isinstance(module, nn.Module):
        raise ValueError(
            f"The {name} factory must return an nn.Module, got {type(module).__name__}."
        )
    passed, expected = (2, *input_shape), (2, *output_shape)
    try:
        output = _evaluate(module, passed)
    except Exception as error:
        raise ValueError(f"The {name} fails on an input of shape {passed}: {error}") from error
    given = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
    if given != expected:
        raise ValueError(
            f"The {name} must map an input of shape {passed} to {expected}, but gives {given}."
        )
    if output.dtype != torch.float32:
        kind = str(output.dtype).removeprefix("torch.")
        raise ValueError(
            f"The {name} must map float32 to float32, but gives {kind}. Let its forward end with "
            ".float()."
        )
    return module


def check_no_torchscript(module: nn.Module, name: str) -> None:
    """Check that no part of a module is compiled by torch.jit.

    Parameters
    ----------
    module : nn.Module
        Module that the user gave, or that the user's factory made.
    name : str
        Name of the module in the message, such as "encoder".

    Raises
    ------
    ValueError
        If a part is compiled: copies of it cannot be trained, and it cannot be pickled.

    Examples
    --------
    >>> check_no_torchscript(nn.Linear(3, 2), "encoder")
    """
    if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        raise ValueError(
            f"The {name} holds a TorchScript module, made by torch.jit.script, torch.jit.trace or "
            "torch.jit.load. Copies of it cannot be trained or pickled. Give the nn.Module that "
            "it was made from, and set compile=True if you compiled it for speed."
        )


def _evaluate(module: nn.Module, shape: tuple[int, ...]) -> Any:
    # Modes are restored module by module, since the user may have left some in evaluation mode.
    modes = [(part, part.training) for part in module.modules()]
    parameter = next(module.parameters(), None)
    device = None if parameter is None else parameter.device
    module.eval()
    try:
        with torch.no_grad():
            return module(torch.zeros(shape, device=device))
    finally:
        for part, training in modes:
            part.training = training
