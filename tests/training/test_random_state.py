"""Random states of torch, numpy and Python: fixed inside, and untouched outside."""

import random

import numpy as np
import pytest
import torch

from sklearn_simvae.training import isolated_random_state

CPU = torch.device("cpu")
CUDA = torch.device("cuda")


def draws():
    own = [random.random(), random.gauss(0, 1)]
    return torch.rand(3).tolist(), np.random.random(3).tolist(), own  # noqa: NPY002


def states():
    return torch.get_rng_state().tolist(), np.random.get_state(), random.getstate()  # noqa: NPY002


def test_inside_everything_random_is_fixed_by_the_seed():
    results = []
    for seed in (0, 0, 1):
        draws()
        with isolated_random_state(seed, CPU):
            results.append(draws())
    first, again, other = results
    assert first == again
    assert first[0] != other[0]
    assert first[1] != other[1]
    assert first[2] != other[2]


def test_outside_nothing_is_touched():
    before = states()
    with isolated_random_state(0, CPU):
        draws()
    np.testing.assert_equal(states(), before)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_states_are_put_back_after_an_error(error):
    before = states()
    with pytest.raises(error), isolated_random_state(0, CPU):
        draws()
        raise error
    np.testing.assert_equal(states(), before)


def test_nested_use_gives_each_level_its_own_state():
    with isolated_random_state(0, CPU):
        expected = draws(), draws()
    with isolated_random_state(1, CPU):
        inner_alone = draws()
    before = states()
    with isolated_random_state(0, CPU):
        first = draws()
        with isolated_random_state(1, CPU):
            inner = draws()
        second = draws()
    assert (first, second) == expected
    assert inner == inner_alone
    np.testing.assert_equal(states(), before)


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_every_seed_of_32_bits_is_taken(seed):
    with isolated_random_state(seed, CPU):
        draws()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_state_of_the_gpu_is_fixed_inside_and_put_back(name):
    device = torch.device(name)
    before = torch.cuda.get_rng_state(device)
    results = []
    for seed in (0, 0, 1):
        with isolated_random_state(seed, device):
            results.append(torch.rand(3, device=device).tolist())
    assert results[0] == results[1] != results[2]
    assert torch.equal(torch.cuda.get_rng_state(device), before)
