"""States of modules, optimizers and histories, as tensors and plain values for files."""

import itertools
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_simvae._files import Tensors


def plain_history(history) -> list[dict]:
    """Return the rows of a skorch history, without the records of single batches.

    Parameters
    ----------
    history : skorch.history.History
        History of a net.

    Returns
    -------
    rows : list of dict
        Numbers and strings of each epoch, by name.
    """

    def number(value):
        if isinstance(value, bool | np.bool_):
            return bool(value)
        if isinstance(value, Integral):
            return int(value)
        return float(value) if isinstance(value, Real) else value

    return [
        {name: number(v) for name, v in row.items() if isinstance(v, Real | np.bool_ | str)}
        for row in history
    ]


def set_history(history, rows: list[dict]) -> None:
    """Replace the rows of a skorch history by those of :func:`plain_history`.

    Parameters
    ----------
    history : skorch.history.History
        History to change.
    rows : list of dict
        Numbers and strings of each epoch, by name.
    """
    history[:] = [{"batches": [], **row} for row in rows]


def pack_history(history) -> dict[str, Any]:
    """Convert the rows of a skorch history to columns, which take a fraction of the bytes.

    Parameters
    ----------
    history : skorch.history.History
        History of a net.

    Returns
    -------
    packed : dict
        Columns of the history, for :func:`unpack_history`.
    """
    rows = [{name: v for name, v in row.items() if name != "batches"} for row in history]
    return {
        "n_rows": len(history),
        "columns": _columns(rows),
        "n_batches": np.array([len(row.get("batches", ())) for row in history], dtype=np.int32),
        "batches": _columns([batch for row in history for batch in row.get("batches", ())]),
    }


def unpack_history(packed: dict[str, Any]) -> list[dict]:
    """Convert the columns made by :func:`pack_history` back to rows.

    Parameters
    ----------
    packed : dict
        Columns of the history.

    Returns
    -------
    rows : list of dict
        Rows equal to those that were packed, with values of the same types.
    """
    n_batches = packed["n_batches"].tolist()
    batches = iter(_rows(packed["batches"], sum(n_batches)))
    rows = _rows(packed["columns"], packed["n_rows"])
    both = zip(rows, n_batches, strict=True)
    return [{"batches": list(itertools.islice(batches, n)), **row} for row, n in both]


def _columns(rows: list[dict]) -> dict[str, tuple]:
    """Return for each name the indices of the rows that have it (None for all) and the values."""
    found: dict[str, tuple[list, list]] = {}
    for i, row in enumerate(rows):
        for name, value in row.items():
            where, values = found.setdefault(name, ([], []))
            where.append(i)
            values.append(value)
    return {
        name: (None if len(where) == len(rows) else _column(where), _column(values))
        for name, (where, values) in found.items()
    }


def _column(values: list):
    """Return values of one plain type as the smallest array that holds them, else as they are."""
    kinds = {type(value) for value in values}
    if kinds in ({float}, {bool}):
        return np.array(values)
    if kinds == {int} and min(values) >= -(2**63) and max(values) < 2**63:
        shortest = np.result_type(*map(np.min_scalar_type, (min(values), max(values))))
        # Numpy makes floats of a negative number beside one that only fits in uint64.
        return np.array(values, dtype=shortest if shortest.kind in "iu" else np.int64)
    return values


def _rows(columns: dict[str, tuple], n_rows: int) -> list[dict]:
    rows: list[dict] = [{} for _ in range(n_rows)]
    for name, (where, values) in columns.items():
        where = range(n_rows) if where is None else where
        for i, value in zip(where, getattr(values, "tolist", lambda v=values: v)(), strict=True):
            rows[i][name] = value
    return rows


def module_tensors(module: nn.Module) -> Tensors:
    """Return the weights and buffers of a module, by the names that they have in files.

    Parameters
    ----------
    module : Module
        Any module.

    Returns
    -------
    tensors : dict of str to Tensor
        The tensors of the module, not copies.

    Raises
    ------
    ValueError
        If the module's state holds an object that is not a tensor.
    """
    state = module.state_dict()
    for name, value in state.items():
        if not torch.is_tensor(value):
            raise ValueError(
                f"The network keeps {name} of type {type(value).__name__} in its state, but files "
                "of weights hold only tensors. Save it with joblib, or let get_extra_state return "
                "a tensor."
            )
    return {f"module.{name}": value for name, value in state.items()}


def module_differences(module: nn.Module, tensors: Tensors) -> list[str]:
    """Describe how the names, shapes and types of a file's weights differ from those of a module.

    Parameters
    ----------
    module : Module
        Module that was just built.
    tensors : dict of str to Tensor
        Weights of the file, by the names of :func:`module_tensors`.

    Returns
    -------
    differences : list of str
        One phrase for each difference, for messages; empty if the weights fit the module.
    """
    own, given = module_tensors(module), parts(tensors, "module")
    own = {name.removeprefix("module."): value for name, value in own.items()}
    found = [f"{name} is not in the file" for name in own if name not in given]
    found += [f"{name} of the file is not in the network" for name in given if name not in own]
    for name in own.keys() & given.keys():
        # Tensors that are empty at first grow with the data, such as the prototypes of samples.
        if own[name].numel() and (own[name].shape, own[name].dtype) != (
            given[name].shape,
            given[name].dtype,
        ):
            found.append(
                f"{name} is {_kind(given[name])} in the file and {_kind(own[name])} in the network"
            )
    return sorted(found)


def _kind(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} of {str(tensor.dtype).removeprefix('torch.')}"


@torch.no_grad()
def set_module(module: nn.Module, tensors: Tensors) -> None:
    """Set the weights of a module to those of a file, which must fit.

    Parameters
    ----------
    module : Module
        Module to change.
    tensors : dict of str to Tensor
        Weights of the file, by the names of :func:`module_tensors`.
    """
    given = parts(tensors, "module")
    for name, own in module.state_dict(keep_vars=True).items():
        if (own.shape, own.dtype) == (given[name].shape, given[name].dtype):
            own.copy_(given[name])
            continue
        new = given[name].to(own.device, copy=True)
        if isinstance(own, nn.Parameter):
            own.data = new
        else:
            owner, _, leaf = name.rpartition(".")
            setattr(module.get_submodule(owner), leaf, new)


def optimizer_parts(optimizer: torch.optim.Optimizer) -> tuple[Tensors, dict[str, Any]]:
    """Split the state of an optimizer into tensors and values that JSON can hold.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Any optimizer whose state holds only tensors and numbers.

    Returns
    -------
    tensors : dict of str to Tensor
        The tensors of the state, not copies.
    numbers : dict
        All other values of the state.
    """
    state = optimizer.state_dict()
    tensors, numbers = {}, {}
    for i, values in state["state"].items():
        numbers[str(i)] = {name: v for name, v in values.items() if not isinstance(v, Tensor)}
        tensors |= {f"optimizer.{i}.{n}": v for n, v in values.items() if isinstance(v, Tensor)}
    # Some optimizers keep counters in their parameter groups.
    groups = [
        {name: v for name, v in group.items() if isinstance(v, bool | int | float)}
        for group in state["param_groups"]
    ]
    return tensors, {"state": numbers, "groups": groups}


def set_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Tensors, numbers: dict[str, Any]
) -> None:
    """Set the state of an optimizer to the one that :func:`optimizer_parts` returned.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Optimizer to change, with the same parameters and options as the other.
    tensors : dict of str to Tensor
        Tensors of a file, among them those of the state.
    numbers : dict
        All other values of the state.
    """
    state = optimizer.state_dict()
    state["state"] = {int(i): dict(values) for i, values in numbers["state"].items()}
    for name, tensor in parts(tensors, "optimizer").items():
        i, _, key = name.partition(".")
        state["state"][int(i)][key] = tensor
    for group, saved in zip(state["param_groups"], numbers["groups"], strict=True):
        group.update(saved)
    optimizer.load_state_dict(state)


def parts(tensors: Tensors, prefix: str) -> Tensors:
    """Return the tensors whose names begin with a prefix and a dot, by their names without it.

    Parameters
    ----------
    tensors : dict of str to Tensor
        Tensors of a file.
    prefix : str
        Prefix of the names, without the dot.

    Returns
    -------
    tensors : dict of str to Tensor
        The tensors with that prefix.
    """
    start = f"{prefix}."
    return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
