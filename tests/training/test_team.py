"""The processes of one fit: errors and ends of one of them."""

import socket
import subprocess
import sys
import time

import distributed_worker as worker
import pytest

from sklearn_simvae.training.distributed import train_together

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
