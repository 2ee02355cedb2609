"""Checks of what the factories are given and of what they make."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from sklearn_simvae._checks import check_sizes

# The number of axes of one sample of each kind.
KINDS = {"vector": 1, "image": 3, "series": 2}


def check_sample_shape(shape: Sequence[int], kind: str, name: str) -> tuple[int, ...]:
    """Check that the shape of one sample is one of its kind.

    Parameters
    ----------
    shape : sequence of int
        Shape of one sample.
    kind : {"vector", "image", "series"}
        What the sample is.
    name : str
        Name of the argument in the message.

    Returns
    -------
    tuple of int
        The shape.

    Raises
    ------
    ValueError
        If the kind is not known or does not have as many axes.

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
        What the user gave or what the user's factory made; left in the mode it was in.
    input_shape, output_shape : tuple of int
        Shapes of one row.
    name : str
        What the module is, in the message.

    Returns
    -------
    nn.Module
        The module itself.

    Raises
    ------
    ValueError
        If it is no module, if it fails on such an input or if its output has another shape or is
        not float32.

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
        What the user gave or what the user's factory made.
    name : str
        What the module is, in the message.

    Raises
    ------
    ValueError
        If a part is: its copies cannot be trained, and no pickle keeps it.

    Examples
    --------
    >>> check_no_torchscript(nn.Linear(3, 2), "encoder")
    """
    if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        raise ValueError(
            f"The {name} holds a TorchScript module, made by torch.jit.script, torch.jit.trace or "
            "torch.jit.load, of which no copy can be trained or pickled. Give the nn.Module that "
            "it was made from, and compile=True where speed is what it was for."
        )


def _evaluate(module: nn.Module, shape: tuple[int, ...]) -> Any:
    # Module by module: some may have been frozen in eval mode by their author.
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
