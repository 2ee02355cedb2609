"""Devices, precision, and random states that are put back."""

import random

import numpy as np
import pytest
import torch

from sklearn_simvae.training import isolated_random_state, resolve_device, resolve_precision
from sklearn_simvae.training.hardware import lay_out, one_thread_if_small
from sklearn_simvae.training.memory import fits_on_device

CPU, CUDA, MPS = map(torch.device, ("cpu", "cuda", "mps"))


def draws():
    own = [random.random(), random.gauss(0, 1)]
    return torch.rand(3).tolist(), np.random.random(3).tolist(), own  # noqa: NPY002


def states():
    return torch.get_rng_state().tolist(), np.random.get_state(), random.getstate()  # noqa: NPY002


@pytest.fixture
def pretend(monkeypatch):
    """Make torch report devices and what they can do."""

    def pretend(cuda=False, mps=False, capability=(8, 0), units=()):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(units, True))

    return pretend


# Devices.


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(False, False, CPU), (False, True, MPS), (True, False, CUDA), (True, True, CUDA)],
)
def test_auto_takes_the_best_device_there_is(pretend, cuda, mps, expected):
    pretend(cuda, mps)
    assert resolve_device("auto") == expected


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")])
def test_device_may_be_a_name_or_a_torch_device(device):
    assert resolve_device(device) == CPU


@pytest.mark.parametrize("device", ["nonsense", "CPU", "", "cpu:x", "gpu", "xla", "hpu", "cuda:99"])
def test_device_that_is_not_there_is_refused_with_a_way_out(device):
    with pytest.raises(ValueError, match="is not available here") as error:
        resolve_device(device)
    assert f"device={device!r}" in str(error.value)
    assert "device='auto'" in str(error.value)
    assert "device='cpu'" in str(error.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", torch.device("cuda")])
def test_cuda_is_refused_where_there_is_none(device):
    with pytest.raises(ValueError, match=r"cuda.* is not available here"):
        resolve_device(device)


# Precision.


@pytest.mark.parametrize("device", [CPU, CUDA, MPS])
@pytest.mark.parametrize("n_weights", [0, 10**9])
def test_named_precision_is_taken_everywhere(pretend, device, n_weights):
    pretend(capability=(7, 0))
    assert resolve_precision("bf16", device, n_weights, 512) is True
    assert resolve_precision("float32", device, n_weights, 512) is False


@pytest.mark.parametrize(
    ("device", "capability", "units", "expected"),
    [
        (CPU, None, ["avx512_bf16"], True),
        (CPU, None, ["amx_bf16"], True),
        (CPU, None, ["avx2", "avx512_f"], False),
        (CPU, None, [], False),
        (CUDA, (9, 0), [], True),
        (CUDA, (8, 0), [], True),
        (CUDA, (7, 5), ["avx512_bf16"], False),
        (MPS, None, ["avx512_bf16"], False),
    ],
)
def test_auto_takes_bf16_where_the_processor_has_units_for_it(
    pretend, device, capability, units, expected
):
    pretend(capability=capability, units=units)
    assert resolve_precision("auto", device, 10**7, 512) is expected


@pytest.mark.parametrize("device", [CPU, CUDA])
def test_auto_leaves_small_networks_in_float32(pretend, device):
    pretend(units=["amx_bf16"])
    assert resolve_precision("auto", device, 1000, 512) is False


# Random states.


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


@pytest.mark.parametrize(("free", "fits"), [(16_000, True), (15_999, False)])
def test_rows_stay_on_a_gpu_that_has_four_times_the_room(free, fits, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 2 * free))
    X = np.zeros((1000, 4), np.uint8)
    assert fits_on_device(X, CUDA) is fits
    assert not fits_on_device(X, CPU)


def test_convolutions_have_their_channels_last_on_a_gpu_alone():
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Conv3d(3, 4, 3))
    weights = [w.clone() for w in module.parameters()]
    lay_out(module, CPU)
    assert module[0].weight.is_contiguous()
    lay_out(module, CUDA)
    assert module[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), weights, strict=True))


@pytest.mark.parametrize(
    ("module", "n_views", "n_threads"),
    [
        (torch.nn.Linear(100, 100), 100, 1),
        (torch.nn.Linear(100, 100), 10_000, 2),
        (torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4)), 100, 1),
        # Whose weights do not tell the work.
        (torch.nn.Conv2d(3, 3, 3), 100, 2),
    ],
)
def test_small_steps_of_dense_layers_take_one_thread(module, n_views, n_threads):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread_if_small(module, n_views):
            assert torch.get_num_threads() == n_threads
        assert torch.get_num_threads() == 2
        with pytest.raises(KeyboardInterrupt), one_thread_if_small(module, n_views):
            raise KeyboardInterrupt
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
