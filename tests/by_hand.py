"""Shared by the tests of losses: draws, views that are missing, and pieces of references."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose


def draws(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cosine(a, b):
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def softmax_terms_by_hand(owns, partitions):
    """Means of lists with a number for each thing that is told."""
    owns, partitions = np.array(owns), np.array(partitions)
    return {
        "loss": np.mean(partitions - owns),
        "alignment": np.mean(-owns),
        "log_partition": np.mean(partitions),
    }


def terms_of(loss, *args, **kwargs):
    """A loss and its parts by name."""
    terms = loss(*args, **kwargs, return_terms=True)
    return {"loss": terms.loss, **terms.parts}


def assert_terms(terms, expected, **tolerance):
    assert set(terms) == set(expected)
    for name, value in expected.items():
        assert_allclose(terms[name].detach(), value, err_msg=name, **tolerance)


def some_missing(batch, n_views, n_first=1):
    """Where views are there: the first ones of each sample, and not all of the others."""
    i, j = torch.arange(batch).unsqueeze(1), torch.arange(n_views)
    return (j < n_first) | ((i + 2 * j) % 3 != 0)


def paddings(z, mask):
    """What may stand at a missing view: the first one of its sample again, or anything."""
    for padding in (z[:, :1], torch.full_like(z[:, :1], 7.0)):
        yield torch.where(mask.unsqueeze(-1), z, padding).requires_grad_()


def assert_missing_views_do_not_count(loss, z, mask, expected, **tolerance):
    """Whatever stands there changes no value, and gets no gradient."""
    assert not mask.all()
    for padded in paddings(z, mask):
        value = loss(padded)
        assert_allclose(value.detach(), expected, **tolerance)
        (gradient,) = torch.autograd.grad(value, padded)
        assert gradient.isfinite().all() and not gradient[~mask].any()


n_views_of_all = pytest.mark.parametrize("n_views", [2, 4])
batches = pytest.mark.parametrize("batch", [1, 2, 5, 7])


# SimSiam and BYOL.
def predictions(batch=5, n_views=2):
    return draws(batch, n_views, 3), draws(batch, n_views, 3, seed=1)


def kl_by_hand(mean, log_variance, other_mean=0.0, other_log_variance=0.0):
    """KL of diagonal Gaussians in numpy."""
    v, s = np.exp(log_variance), np.exp(other_log_variance)
    distance = (mean - other_mean) ** 2
    return 0.5 * np.sum(np.log(s / v) + (v + distance) / s - 1, axis=-1)
