"""Instance discrimination against numpy written out by hand, and where its value is known."""

import itertools
import math

import numpy as np
import pytest
import torch
from by_hand import (
    assert_missing_views_do_not_count,
    assert_terms,
    cosine,
    draws,
    softmax_terms_by_hand,
    some_missing,
    terms_of,
)
from numpy.testing import assert_allclose

from sklearn_simvae.losses import instance_discrimination

N_SAMPLES = 9
views_and_batches = pytest.mark.parametrize(
    ("n_views", "batch"), list(itertools.product((2, 4), (1, 2, 5, 7)))
)


def inputs(batch=5, n_views=2):
    """Projections, prototypes of more samples than those of the batch, and which these are."""
    indices = torch.tensor([4, 0, 8, 3, 5, 1, 6])[:batch]
    return draws(batch, n_views, 3), draws(N_SAMPLES, 3, seed=1), indices


def by_hand(z, prototypes, indices, temperature=0.1, mask=None, negatives=None):
    """One view at a time, the partition as a sum of exponentials."""
    z, prototypes, indices = z.numpy(), prototypes.numpy(), indices.tolist()
    n = len(prototypes)
    candidates = range(n) if negatives is None else negatives.tolist()
    owns, partitions = [], []
    for i, index in enumerate(indices):
        others = [k for k in candidates if k != index]
        for j in range(z.shape[1]):
            if mask is not None and not mask[i, j]:
                continue
            s = [cosine(z[i, j], prototype) / temperature for prototype in prototypes]
            total = np.exp(s[index])
            for k in others:
                total += (n - 1) / len(others) * np.exp(s[k])
            owns.append(s[index])
            partitions.append(np.log(total))
    return softmax_terms_by_hand(owns, partitions)


@views_and_batches
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_terms_are_what_numpy_gives(n_views, batch, temperature):
    args = *inputs(batch, n_views), temperature
    assert_terms(terms_of(instance_discrimination, *args), by_hand(*args))


# Of these the first two are samples of the batch, as drawing uniformly has it, and one comes twice.
@views_and_batches
@pytest.mark.parametrize("negatives", [[4, 0, 7, 7, 2], [7], [5, 1, 6, 3, 8, 2]])
def test_estimates_are_what_numpy_gives(n_views, batch, negatives):
    args, negatives = inputs(batch, n_views), torch.tensor(negatives)
    terms = terms_of(instance_discrimination, *args, temperature=0.5, negatives=negatives)
    assert_terms(terms, by_hand(*args, temperature=0.5, negatives=negatives))


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("n", [2, 5])
@pytest.mark.parametrize("negatives", [None, torch.tensor([1, 0, 1])])
def test_aligned_views_and_orthogonal_prototypes_are_known(n, temperature, negatives):
    prototypes = torch.eye(n, dtype=torch.float64)
    z = 3 * prototypes.unsqueeze(1).expand(-1, 4, -1)
    loss = instance_discrimination(z, prototypes, torch.arange(n), temperature, negatives=negatives)
    assert_allclose(loss, math.log1p((n - 1) * math.exp(-1 / temperature)))


@pytest.mark.parametrize("negatives", [None, torch.tensor([2, 7, 4])])
def test_collapsed_prototypes_are_told_at_random(negatives):
    z, _, indices = inputs()
    prototypes = torch.ones(N_SAMPLES, 3, dtype=torch.float64)
    loss = instance_discrimination(z, prototypes, indices, negatives=negatives)
    assert_allclose(loss, math.log(N_SAMPLES))


@pytest.mark.parametrize("n_views", [2, 4])
def test_with_all_samples_as_negatives_the_estimate_is_the_softmax(n_views):
    z, prototypes, indices = inputs(5, n_views)
    results = []
    for negatives in (None, torch.arange(N_SAMPLES).flip(0)):
        leaves = [z.clone().requires_grad_(), prototypes.clone().requires_grad_()]
        loss = instance_discrimination(*leaves, indices, negatives=negatives)
        results.append((loss, *torch.autograd.grad(loss, leaves)))
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n_negatives", [1, 3])
def test_estimate_of_the_partition_is_unbiased(n_negatives):
    # All draws there are, in place of many: the mean is exact.
    z, prototypes, index = draws(1, 1, 3), draws(5, 3, seed=1), torch.tensor([2])

    def partition(negatives=None):
        terms = terms_of(instance_discrimination, z, prototypes, index, 0.5, negatives=negatives)
        return terms["log_partition"].exp()

    every_draw = torch.cartesian_prod(*[torch.arange(5)] * n_negatives).reshape(-1, n_negatives)
    # Where all are the sample itself, nothing is known of the others.
    estimates = torch.stack([partition(d) for d in every_draw if (d != index).any()])
    assert estimates.std() > 0.1 * partition()
    assert_allclose(estimates.mean(), partition())


def test_accidental_hits_are_left_out():
    z, prototypes, indices = inputs()
    for i in range(len(z)):
        args = z[[i]], prototypes, indices[[i]]
        others = torch.tensor([2, 7])
        hit = torch.cat([others, indices[[i]], indices[[i]]])
        assert_allclose(
            instance_discrimination(*args, negatives=hit),
            instance_discrimination(*args, negatives=others),
        )


def test_nothing_but_hits_is_nothing_to_tell_apart():
    z, prototypes, indices = inputs(1)
    z.requires_grad_()
    prototypes.requires_grad_()
    loss = instance_discrimination(z, prototypes, indices, negatives=indices.repeat(3))
    loss.backward()
    assert_allclose(loss.detach(), 0, atol=1e-12)
    for gradient in (z.grad, prototypes.grad):
        assert_allclose(gradient, 0, atol=1e-12)


@pytest.mark.parametrize("negatives", [None, torch.tensor([0, 0])])
def test_a_set_of_one_sample_is_told_for_certain(negatives):
    z, prototypes, indices = draws(1, 2, 3), draws(1, 3, seed=1), torch.tensor([0])
    loss = instance_discrimination(z, prototypes, indices, negatives=negatives)
    assert_allclose(loss, 0, atol=1e-12)


@pytest.mark.parametrize("n_views", [2, 4])
@pytest.mark.parametrize("batch", [2, 5, 7])
@pytest.mark.parametrize("negatives", [None, torch.tensor([4, 0, 7])])
def test_missing_views_do_not_count(n_views, batch, negatives):
    z, *args = inputs(batch, n_views)
    mask = some_missing(batch, n_views)
    expected = by_hand(z, *args, mask=mask, negatives=negatives)["loss"]

    def loss(z):
        return instance_discrimination(z, *args, mask=mask, negatives=negatives)

    assert_missing_views_do_not_count(loss, z, mask, expected)


@pytest.mark.parametrize("n_views", [2, 4])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("negatives", [None, torch.tensor([4, 0, 7])])
def test_gradients_are_those_of_finite_differences(n_views, masked, negatives):
    z, prototypes, indices = inputs(5, n_views)
    mask = some_missing(5, n_views) if masked else None

    def loss(z, prototypes):
        return instance_discrimination(z, prototypes, indices, 0.5, mask, negatives)

    assert torch.autograd.gradcheck(loss, (z.requires_grad_(), prototypes.requires_grad_()))


@pytest.mark.parametrize("negatives", [None, torch.tensor([4, 0, 7])])
def test_order_of_samples_and_of_views_does_not_matter(negatives):
    z, prototypes, indices = inputs(5, 4)
    expected = instance_discrimination(z, prototypes, indices, negatives=negatives)
    changed = [
        (z.flip(0), prototypes, indices.flip(0), negatives),
        (z.flip(1), prototypes, indices, negatives),
        # The numbers of the samples are but names.
        (
            z,
            prototypes.flip(0),
            N_SAMPLES - 1 - indices,
            None if negatives is None else N_SAMPLES - 1 - negatives,
        ),
    ]
    for *args, others in changed:
        assert_allclose(instance_discrimination(*args, negatives=others), expected)


@pytest.mark.parametrize("negatives", [None, torch.tensor([4, 0, 7])])
def test_lengths_do_not_matter(negatives):
    z, prototypes, indices = inputs(5, 4)
    expected = instance_discrimination(z, prototypes, indices, negatives=negatives)
    z = z * draws(5, 4, 1, seed=2).exp()
    prototypes = prototypes * draws(N_SAMPLES, 1, seed=3).exp()
    value = instance_discrimination(z, prototypes, indices, negatives=negatives)
    assert_allclose(value, expected)
