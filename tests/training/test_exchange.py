"""What processes that train together split, gather and share."""

from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_simvae.training import distributed
from sklearn_simvae.training.exchange import own_part


@pytest.mark.parametrize(("n", "size"), [(7, 3), (6, 3), (3, 3)])
def test_parts_are_even_and_leave_nothing_out(monkeypatch, n, size):
    parts = []
    for rank in range(size):
        monkeypatch.setattr(distributed._local, "team", SimpleNamespace(rank=rank, size=size))
        parts.append(np.arange(n)[own_part(n)])
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_fewer_rows_than_processes_are_of_all(monkeypatch):
    monkeypatch.setattr(distributed._local, "team", SimpleNamespace(rank=2, size=3))
    assert own_part(2) == slice(0, 2)
