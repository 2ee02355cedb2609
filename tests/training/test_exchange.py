"""What processes that train together split, gather and share."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklearn_simvae.training import distributed
from sklearn_simvae.training.exchange import gather_rows, own_part, own_seed, sum_gradients


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


class Pretended:
    """One of two processes, which is told what the other one has."""

    alone, size = False, 2

    def __init__(self, rank, others):
        self.rank, self.others = rank, others

    def all_tensors(self, values):
        padded = values.new_zeros(values.shape)
        padded[: len(self.others)] = self.others.to(values.dtype)
        return [values, padded] if self.rank == 0 else [padded, values]

    def sum(self, values):
        return values.add_(self.others)


@pytest.mark.parametrize("n", [6, 7])
def test_gathered_rows_have_the_values_and_gradients_of_one_process(monkeypatch, n):
    z = torch.randn(n, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def loss(z):
        # Each row is compared with all others, so that the gradient of one depends on all.
        return torch.logsumexp(z @ z.T, dim=1).mean()

    alone = z.clone().requires_grad_()
    loss(alone).backward()
    half = n - n // 2
    for rank, own in enumerate((slice(0, half), slice(half, n))):
        other = z[half:] if rank == 0 else z[:half]
        monkeypatch.setattr(distributed._local, "team", Pretended(rank, other))
        part = z[own].clone().requires_grad_()
        gathered = gather_rows(part, n)
        assert torch.equal(gathered, z)
        # A step weighs the loss by the share of the process, and sums over processes.
        (loss(gathered) * len(part) / n).backward()
        torch.testing.assert_close(part.grad, alone.grad[own])
        mask = torch.arange(n) % 3 == 0
        monkeypatch.setattr(
            distributed._local, "team", Pretended(rank, mask[half:] if rank == 0 else mask[:half])
        )
        assert torch.equal(gather_rows(mask[own], n), mask)


def test_a_gradient_that_one_process_lacks_counts_as_zero(monkeypatch):
    layer = torch.nn.Linear(2, 1)
    layer.weight.grad = torch.tensor([[1.0, 2.0]])
    frozen = torch.nn.Linear(2, 2).requires_grad_(False)
    others = torch.tensor([10.0, 20.0, 30.0])
    monkeypatch.setattr(distributed._local, "team", Pretended(0, others))
    sum_gradients(torch.nn.Sequential(layer, frozen))
    assert layer.weight.grad.tolist() == [[11.0, 22.0]]
    assert layer.bias.grad.tolist() == [30.0]
    assert frozen.weight.grad is None


def test_processes_draw_from_seeds_of_their_own(monkeypatch):
    seeds = []
    for rank in range(4):
        monkeypatch.setattr(distributed._local, "team", SimpleNamespace(rank=rank, size=4))
        seeds.append(own_seed(7))
        assert own_seed(7) == seeds[-1]
    # The first one draws what it draws when it is alone.
    assert seeds[0] == 7 and len(set(seeds)) == 4
