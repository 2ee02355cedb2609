"""Parts that losses share: means over views that are there, pairs of views, and terms."""

import numpy as np
import pytest
import torch
from by_hand import draws

from sklearn_simvae import losses
from sklearn_simvae.losses import Terms
from sklearn_simvae.losses.reduction import (
    masked_mean,
    mean_over_views,
    mean_terms,
    softmax_terms,
    sum_over_views,
    view_pairs,
)

SOFTMAX = ["deep_cluster", "instance_discrimination", "nt_xent", "swav"]
OTHERS = ["barlow_twins", "vicreg"]
ARGS = {
    "deep_cluster": (draws(4, 3), torch.tensor([1, 0, 3, 3, 1]), torch.tensor([3, 5, 0, 2])),
    "instance_discrimination": (draws(9, 3), torch.tensor([1, 8, 3, 5, 2])),
}
MASK = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 1], [1, 1, 0], [1, 1, 1]]).bool()

softmax_losses = pytest.mark.parametrize("name", SOFTMAX)
all_losses = pytest.mark.parametrize("name", SOFTMAX + OTHERS)
masks = pytest.mark.parametrize("mask", [None, MASK], ids=["full", "masked"])


def loss_and_terms(name, mask):
    args, loss = (draws(5, 3, 3, seed=1), *ARGS.get(name, ())), getattr(losses, name)
    return loss(*args, mask=mask), loss(*args, mask=mask, return_terms=True)


@all_losses
@masks
def test_loss_is_the_one_among_its_terms(name, mask):
    loss, terms = loss_and_terms(name, mask)
    assert loss.ndim == 0
    assert loss == terms.loss
    # The loss is a mean over all samples of the batch.
    assert terms.weight is None


@softmax_losses
@masks
def test_loss_is_the_sum_of_alignment_and_partition(name, mask):
    _, (loss, parts, _) = loss_and_terms(name, mask)
    assert set(parts) == {"alignment", "log_partition"}
    torch.testing.assert_close(loss, parts["alignment"] + parts["log_partition"])
    assert all(term.ndim == 0 for term in parts.values())


def test_mean_of_terms_weighs_the_loss_and_each_part():
    both = [Terms(torch.tensor(1.0), {"kl": torch.tensor(2.0)})]
    both += [Terms(torch.tensor(3.0), {"kl": torch.tensor(6.0)})]
    loss, parts, weight = mean_terms(both, torch.tensor([0.25, 0.75]))
    assert (loss, parts, weight) == (2.5, {"kl": 5.0}, None)


@pytest.mark.parametrize("junk", [torch.nan, torch.inf, 7.0])
def test_sums_and_means_over_views_are_those_of_the_views_that_are_there(junk):
    z, mask = draws(5, 4, 3), draws(5, 4, seed=1) > 0
    mask[2] = False
    assert 0 < mask.sum(1).max() < 4
    padded = z.masked_fill(~mask.unsqueeze(-1), junk)
    total = np.stack([view[there].sum(0) for view, there in zip(z, mask, strict=True)])
    n_there = mask.sum(1, keepdim=True).clamp(min=1)
    torch.testing.assert_close(mean_over_views(padded, mask), torch.from_numpy(total) / n_there)
    torch.testing.assert_close(
        sum_over_views(padded[..., 0], mask), torch.from_numpy(total[:, 0].copy())
    )
    torch.testing.assert_close(mean_over_views(z, None), z.sum(1) / 4)
    torch.testing.assert_close(sum_over_views(z[..., 0], None), z[..., 0].sum(1))


@pytest.mark.parametrize("shape", [(6,), (3, 2), (3, 2, 2)])
def test_masked_mean_is_the_mean_of_what_is_there(shape):
    values, mask = draws(*shape), draws(*shape, seed=1) > 0
    assert 0 < mask.sum() < mask.numel()
    torch.testing.assert_close(masked_mean(values, mask), values[mask].mean())
    torch.testing.assert_close(masked_mean(values, None), values.mean())


@pytest.mark.parametrize("junk", [torch.nan, torch.inf, 1e300])
def test_masked_mean_reads_nothing_else(junk):
    mask = torch.tensor([True, False, True])
    values = draws(3).masked_fill(~mask, junk).requires_grad_()
    mean = masked_mean(values, mask)
    mean.backward()
    torch.testing.assert_close(mean, values[mask].mean())
    assert values.grad.tolist() == [0.5, 0.0, 0.5]


def test_masked_mean_of_nothing_is_zero_with_no_gradient():
    values = torch.full((3,), torch.nan, requires_grad=True)
    mean = masked_mean(values, torch.zeros(3, dtype=torch.bool))
    mean.backward()
    assert mean == 0
    assert not values.grad.any()


@pytest.mark.parametrize("n_views", [1, 2, 4])
@masks
def test_view_pairs_are_of_different_views_that_are_there(n_views, mask):
    mask = mask if mask is None else draws(5, n_views, seed=1) > 0
    pairs = view_pairs(torch.zeros(5, n_views, 2), mask)
    there = [[True] * n_views] * 5 if mask is None else mask.tolist()
    assert pairs.tolist() == [
        [[j != k and row[j] and row[k] for k in range(n_views)] for j in range(n_views)]
        for row in there
    ]


@pytest.mark.parametrize("shape", [(5,), (5, 4)])
def test_softmax_terms_are_means_over_what_is_there(shape):
    own, log_partition, mask = draws(*shape), draws(*shape, seed=1), draws(*shape, seed=2) > 0
    assert 0 < mask.sum() < mask.numel()
    for m in (None, mask):
        there = torch.ones_like(mask) if m is None else m
        terms = softmax_terms(own, log_partition, m)
        torch.testing.assert_close(terms.loss, (log_partition[there] - own[there]).mean())
        expected = {"alignment": -own[there].mean(), "log_partition": log_partition[there].mean()}
        torch.testing.assert_close(terms.parts, expected)
