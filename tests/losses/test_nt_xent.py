"""NT-Xent, against numpy written out by hand and where its values are known."""

import math
import sys

import numpy as np
import pytest
import torch
from by_hand import assert_terms, cosine, draws, softmax_terms_by_hand, some_missing, terms_of
from numpy.testing import assert_allclose
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_simvae.losses import nt_xent


@pytest.fixture
def set_max_rows(monkeypatch):
    """Sets how many rows of the similarities NT-Xent holds at once."""
    # The package's attribute of this name is the function.
    module = sys.modules["sklearn_simvae.losses.nt_xent"]
    return lambda rows: monkeypatch.setattr(module, "_rows_at_once", lambda n: rows)


def nt_xent_by_hand(z, temperature, mask=None):
    """One anchor, one positive at a time."""
    batch, n_views, _ = z.shape
    views = [(i, j) for i in range(batch) for j in range(n_views) if mask is None or mask[i, j]]
    owns, partitions = [], []
    for anchor in views:
        others = [v for v in views if v != anchor]
        s = {v: cosine(z[anchor], z[v]) / temperature for v in others}
        positives = [v for v in others if v[0] == anchor[0]]
        if positives:
            owns.append(np.mean([s[v] for v in positives]))
            partitions.append(np.log(sum(np.exp(s[v]) for v in others)))
    return softmax_terms_by_hand(owns, partitions)


@pytest.mark.parametrize("n_views", [2, 4])
@pytest.mark.parametrize("batch", [2, 7])
@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_nt_xent_is_what_numpy_gives(batch, n_views, temperature):
    z = draws(batch, n_views, 3)
    assert_terms(terms_of(nt_xent, z, temperature), nt_xent_by_hand(z.numpy(), temperature))


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("batch", [2, 5])
def test_nt_xent_of_aligned_orthogonal_samples_is_known(batch, temperature):
    z = torch.eye(batch, dtype=torch.float64).unsqueeze(1).expand(-1, 2, -1)
    negatives = (2 * batch - 2) * math.exp(-1 / temperature)
    assert_allclose(nt_xent(z, temperature), math.log1p(negatives))


def test_nt_xent_of_collapsed_projections_is_the_log_of_the_others():
    assert_allclose(nt_xent(torch.ones(6, 2, 3, dtype=torch.float64), 0.5), math.log(11))


def test_nt_xent_leaves_missing_views_out():
    z, mask = draws(5, 3, 4), torch.ones(5, 3, dtype=torch.bool)
    mask[1, 2] = mask[3, 1] = mask[3, 2] = False
    expected = nt_xent_by_hand(z.numpy(), 0.5, mask.numpy())["loss"]
    z[~mask] = torch.nan
    z.requires_grad_()
    loss = nt_xent(z, 0.5, mask)
    assert_allclose(loss.detach(), expected)
    loss.backward()
    assert not z.grad[~mask].any() and z.grad.isfinite().all()


def test_nt_xent_of_a_single_sample_is_finite():
    assert_allclose(nt_xent(draws(1, 2, 3), 0.5), 0, atol=1e-12)


@pytest.mark.parametrize("n_views", [2, 4])
def test_nt_xent_does_not_depend_on_lengths(n_views):
    z = draws(5, n_views, 3)
    assert_allclose(nt_xent(z * draws(5, n_views, 1, seed=1).exp()), nt_xent(z))


# NT-Xent of a large batch, in blocks of rows. They divide the views of some batches, not of all.
blocks = pytest.mark.parametrize("max_rows", [1, 3, 7, 13])


def nt_xent_and_gradients(z, mask=None):
    z = z.clone().requires_grad_()
    terms = terms_of(nt_xent, z, 0.3, mask)
    return terms, [torch.autograd.grad(term, z, retain_graph=True)[0] for term in terms.values()]


@blocks
@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize("n_views", [2, 4])
@pytest.mark.parametrize("masked", [False, True])
def test_nt_xent_in_blocks_is_nt_xent(set_max_rows, max_rows, batch, n_views, masked):
    z, mask = draws(batch, n_views, 3), some_missing(batch, n_views) if masked else None
    expected = nt_xent_and_gradients(z, mask)
    set_max_rows(max_rows)
    torch.testing.assert_close(nt_xent_and_gradients(z, mask), expected, rtol=1e-10, atol=1e-12)


@blocks
def test_nt_xent_in_blocks_reads_nothing_at_missing_views(set_max_rows, max_rows):
    z, mask = draws(7, 4, 3), some_missing(7, 4)
    expected = nt_xent_and_gradients(z, mask)
    set_max_rows(max_rows)
    z[~mask] = torch.nan
    terms, gradients = nt_xent_and_gradients(z, mask)
    torch.testing.assert_close((terms, gradients), expected, rtol=1e-10, atol=1e-12)
    assert not any(gradient[~mask].any() for gradient in gradients)


@pytest.mark.parametrize("max_rows", [1, 2, 100])
@pytest.mark.parametrize("n_there", [0, 1])
def test_nt_xent_of_a_view_alone_is_zero_with_no_gradient(set_max_rows, max_rows, n_there):
    set_max_rows(max_rows)
    mask = torch.zeros(3, 2, dtype=torch.bool)
    mask[1, :n_there] = True
    terms, gradients = nt_xent_and_gradients(draws(3, 2, 3), mask)
    assert not any(tensor.any() for tensor in [*terms.values(), *gradients])


@pytest.mark.parametrize("masked", [False, True])
def test_nt_xent_in_blocks_has_the_gradients_of_finite_differences(set_max_rows, masked):
    set_max_rows(3)
    mask = some_missing(5, 2) if masked else None
    z = draws(5, 2, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: nt_xent(z, 0.5, mask), (z,))


def test_nt_xent_in_blocks_gives_a_value_where_no_gradient_is_wanted(set_max_rows):
    z = draws(7, 2, 3)
    expected = nt_xent(z)
    set_max_rows(3)
    with torch.no_grad():
        assert_allclose(nt_xent(z), expected)


class Largest(TorchDispatchMode):
    """Keeps the number of elements of the largest tensor that any operation makes."""

    n_elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else [out]:
            if isinstance(tensor, torch.Tensor):
                self.n_elements = max(self.n_elements, tensor.numel())
        return out


def nt_xent_memory(batch, masked):
    """Bytes that are saved for the gradient, and elements of the largest tensor until it is had."""
    saved = {}

    def pack(tensor):
        # Every block saves the projections, but they are the same ones.
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    z, mask = draws(batch, 2, 3).requires_grad_(), some_missing(batch, 2) if masked else None
    with Largest() as largest:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = nt_xent(z, mask=mask)
        loss.backward()
    return np.array([sum(saved.values()), largest.n_elements])


@pytest.mark.parametrize("masked", [False, True])
def test_memory_of_nt_xent_in_blocks_does_not_grow_with_the_square_of_the_batch(
    set_max_rows, masked
):
    # Four times the batch. What is made at once shows that the square would be seen.
    at_once = nt_xent_memory(400, masked) / nt_xent_memory(100, masked)
    assert (at_once > 12).all()
    set_max_rows(32)
    in_blocks = nt_xent_memory(400, masked) / nt_xent_memory(100, masked)
    assert (in_blocks < 5).all()


@pytest.mark.parametrize("loss", [nt_xent])
@pytest.mark.parametrize("n_views", [2, 4])
def test_gradients_are_those_of_finite_differences(loss, n_views):
    z = (0.3 * draws(5, n_views, 3)).requires_grad_()
    assert torch.autograd.gradcheck(loss, (z,))


@pytest.mark.parametrize("loss", [nt_xent])
def test_order_of_samples_and_of_views_does_not_matter(loss):
    z = draws(6, 3, 4)
    assert_allclose(loss(z.flip(0)), loss(z))
    assert_allclose(loss(z.flip(1)), loss(z))
