"""States of modules, optimizers and histories, as tensors and plain values."""

import json
import pickle

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from skorch.history import History
from torch import nn

from sklearn_simvae._states import (
    module_differences,
    module_tensors,
    optimizer_parts,
    pack_history,
    set_module,
    set_optimizer,
    unpack_history,
)


def histories():
    yield History()
    rows = [
        {"batches": [], "epoch": 1, "loss": np.nan, "best": True, "text": "a", "huge": 2**70},
        {"batches": [{"loss": 0.5, "size": 3}, {"loss": -1e300, "size": 2}], "epoch": -200},
        {"batches": [], "loss": 1 / 3, "mixed": 1, "none": None, "array": np.float32(2)},
        {"batches": [{"size": 70_000}], "loss": -0.0, "mixed": 2.5, "best": False},
    ]
    yield History(rows)
    yield History([{"batches": []}] * 3)


@pytest.mark.parametrize("history", list(histories()))
def test_histories_come_back_equal_from_columns(history):
    rows = unpack_history(pickle.loads(pickle.dumps(pack_history(history))))
    # repr tells NaN, types and negative zeros, in whatever order names come.
    assert [sorted(map(repr, row.items())) for row in rows] == [
        sorted(map(repr, row.items())) for row in history
    ]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-(2**70), 2**70), min_size=1, max_size=5))
@example([-1, 2**40])
@example([-1, 2**63 - 1])
@example([-(2**63), 2**63 - 1])
def test_integers_of_any_size_come_back_as_they_were(values):
    rows = [{"batches": [], "count": value} for value in values]
    found = unpack_history(pickle.loads(pickle.dumps(pack_history(rows))))
    assert [row["count"] for row in found] == values
    assert all(type(row["count"]) is int for row in found)


def network(n_in=3):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(n_in, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


def trained(module, optimizer, n_steps, seed=0):
    """Take steps toward fixed random targets."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n_steps):
        x, y = (torch.randn(8, n, generator=generator) for n in (3, 2))
        optimizer.zero_grad()
        (module(x) - y).square().mean().backward()
        optimizer.step()


def test_weights_and_buffers_of_a_module_come_back_and_others_keep_theirs():
    module, other = network(), network()
    trained(module, torch.optim.SGD(module.parameters(), lr=0.1), 3)
    before = [parameter.clone() for parameter in module.parameters()]
    set_module(other, {name: t.clone() for name, t in module_tensors(module).items()})
    assert module_differences(other, module_tensors(module)) == []
    for name, value in module.state_dict().items():
        assert torch.equal(other.state_dict()[name], value)
    # They share no memory.
    trained(other, torch.optim.SGD(other.parameters(), lr=0.1), 3)
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), before, strict=True))


def test_each_difference_between_a_module_and_a_file_is_told():
    tensors = {f"module.{name}": t for name, t in network(n_in=5).state_dict().items()}
    tensors["module.3.weight"] = tensors["module.3.weight"].double()
    tensors["module.more"] = tensors.pop("module.3.bias")
    assert module_differences(network(), tensors) == [
        "0.weight is (4, 5) of float32 in the file and (4, 3) of float32 in the network",
        "3.bias is not in the file",
        "3.weight is (2, 4) of float64 in the file and (2, 4) of float32 in the network",
        "more of the file is not in the network",
    ]


@pytest.mark.parametrize(
    "make",
    [
        lambda parameters: torch.optim.Adam(parameters, lr=0.01, amsgrad=True),
        lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.9),
        lambda parameters: torch.optim.NAdam(parameters, lr=0.01),
        lambda parameters: torch.optim.RMSprop(parameters, lr=0.01, centered=True),
    ],
    ids=["Adam", "SGD", "NAdam", "RMSprop"],
)
def test_an_optimizer_goes_on_from_its_state_as_if_it_had_never_stopped(make):
    whole = network()
    trained(whole, optimizer := make(whole.parameters()), 4)
    tensors, numbers = optimizer_parts(optimizer)
    # Through a file: tensors are copied, and numbers pass JSON.
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    numbers = json.loads(json.dumps(numbers))
    resumed = network()
    resumed.load_state_dict(whole.state_dict())
    fresh = make(resumed.parameters())
    set_optimizer(fresh, tensors, numbers)
    for module, its in ((whole, optimizer), (resumed, fresh)):
        trained(module, its, 3, seed=1)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
