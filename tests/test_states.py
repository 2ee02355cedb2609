"""States of modules, optimizers and histories, as tensors and plain values."""

import pickle

import numpy as np
import pytest
from skorch.history import History

from sklearn_simvae._states import pack_history, unpack_history


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
