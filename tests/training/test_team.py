"""The processes of one fit: errors and ends of one of them."""

import socket
import subprocess
import sys
import time

import distributed_worker as worker
import pytest
import torch

from sklearn_simvae.training.distributed import train_together
from sklearn_simvae.training.team import Alone, ProcessLostError, answering, backend

# ---------------------------------------------------------------- who writes, and how it ends


def test_a_process_that_is_gone_ends_the_others_by_an_error(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    # The variables that accelerate sets as well, and no agent that would end the others.
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    command = [sys.executable, worker.__file__, "lose", tmp_path]
    processes = [
        subprocess.Popen(
            command,
            env={**worker.ENVIRONMENT, **shared, "RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    try:
        processes[0].communicate(timeout=120)
        start = time.monotonic()
        _, told = processes[1].communicate(timeout=60)
        assert time.monotonic() - start < 30
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [3, 1]
    assert "told: Another of the processes" in told


# ---------------------------------------------------------------- who takes part


def test_an_error_passes_unchanged_where_a_process_is_alone():
    with pytest.raises(KeyError, match="mine"), train_together():
        raise KeyError("mine")


def test_a_process_that_is_alone_hears_itself():
    alone, values = Alone(), torch.tensor([1.0, 2.0])
    assert alone.alone and (alone.rank, alone.size) == (0, 1)
    assert alone.all_objects("seed") == ["seed"] and alone.first_object("seed") == "seed"
    for given in (alone.sum(values), alone.first_tensor(values), *alone.all_tensors(values)):
        assert given is values
    error = KeyError("mine")
    assert alone.settle(error) is error and alone.settle(None) is None


@pytest.mark.parametrize(
    ("n_devices", "n_processes", "expected"),
    [
        (0, 2, "gloo"),
        (1, 1, "cpu:gloo,cuda:nccl"),
        (4, 4, "cpu:gloo,cuda:nccl"),
        # NCCL would wait for ever where two processes have one device.
        (1, 2, "cpu:gloo,cuda:gloo"),
    ],
)
def test_processes_talk_by_nccl_where_each_has_a_device(
    monkeypatch, n_devices, n_processes, expected
):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_devices)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(n_processes))
    assert backend() == expected


def test_only_errors_of_the_connection_tell_of_other_processes():
    reset = RuntimeError("Connection reset by peer")
    with pytest.raises(ProcessLostError, match="failed or is gone") as lost, answering():
        raise reset
    assert lost.value.__cause__ is reset
    with pytest.raises(KeyError, match="mine"), answering():
        raise KeyError("mine")
