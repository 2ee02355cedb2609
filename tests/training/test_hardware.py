"""Devices, precision, layout of weights and threads, as this machine has them."""

import pytest
import torch

from sklearn_simvae.training import resolve_device, resolve_precision
from sklearn_simvae.training.hardware import lay_out, one_thread_if_small

CPU, CUDA, MPS = map(torch.device, ("cpu", "cuda", "mps"))


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
