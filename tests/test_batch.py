"""Batches of views, whether they are in one tensor or in one for each modality."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import nn

from sklearn_simvae._batch import Batch, Terms

MASK = torch.tensor([[True, True], [True, False], [True, True], [True, False], [True, True]])
INDICES = torch.tensor([7, 3, 11, 5, 2])


def numbered(*shape):
    """Values that tell the sample: its index, in the first place of each view."""
    x = torch.arange(5.0 * np.prod(shape)).reshape(5, *shape)
    x[..., 0] = INDICES.reshape(5, *[1] * (len(shape) - 1))
    return x


BATCHES = {
    "one tensor": Batch(numbered(2, 3), MASK, INDICES),
    "a tensor for each modality": Batch((numbered(3), numbered(4, 2)), MASK, INDICES),
}


@pytest.mark.parametrize("rows", [slice(3), slice(1, 4), slice(None, None, 2), slice(4, 9)])
@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_slices_keep_views_mask_and_indices_of_a_sample_together(batch, rows):
    which = list(range(5))[rows]
    part = batch[rows]
    assert len(batch) == 5 and len(part) == len(which)
    assert_array_equal(part.indices, INDICES[which])
    assert_array_equal(part.mask, MASK[which])
    assert isinstance(part.views, tuple) == isinstance(batch.views, tuple)
    pairs = [(part.views, batch.views)]
    if isinstance(batch.views, tuple):
        pairs = list(zip(part.views, batch.views, strict=True))
    for some, views in pairs:
        assert_array_equal(some, torch.stack([views[i] for i in which]))
        first = some[..., 0].reshape(len(which), -1)
        assert (first == part.indices[:, None]).all()


def test_slices_share_memory_with_the_batch():
    for batch in BATCHES.values():
        views, some = (b.views for b in (batch, batch[1:3]))
        pairs = zip(views, some, strict=True) if isinstance(views, tuple) else [(views, some)]
        assert all(part[0].data_ptr() == x[1].data_ptr() for x, part in pairs)


def test_slices_of_a_batch_without_mask_or_indices_have_none():
    part = Batch(numbered(2, 3))[:2]
    assert part.mask is None and part.indices is None and part.views.shape == (2, 2, 3)


class Spread(nn.Module):
    """Rows of numbers to matrices in double precision, of which each row makes its own."""

    def forward(self, x):
        assert x.ndim == 2
        return torch.einsum("ni,nj->nij", x.double(), x.double()[:, :2])


def test_apply_gives_each_view_what_the_network_makes_of_it_alone():
    batch = BATCHES["one tensor"]
    made = batch.apply(Spread())
    assert made.shape == (5, 2, 3, 2) and made.dtype == torch.float32
    x = batch.views.numpy()
    for i, j in np.ndindex(5, 2):
        assert_array_equal(made[i, j], np.outer(x[i, j], x[i, j, :2]))


def test_apply_runs_the_network_once_on_all_views_and_passes_gradients():
    seen = []
    x = numbered(2, 3).requires_grad_()

    def network(rows):
        seen.append(rows.shape)
        return 3 * rows

    Batch(x, MASK, INDICES).apply(network)[:, 1].sum().backward()
    assert seen == [(10, 3)]
    expected = np.zeros((5, 2, 3))
    expected[:, 1] = 3
    assert_array_equal(x.grad, expected)


def test_terms_are_a_loss_alone_where_no_more_is_told():
    terms = Terms(torch.tensor(3.0))
    assert terms.loss == 3 and dict(terms.parts) == {} and terms.weight is None
