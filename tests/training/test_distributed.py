"""Processes that train together, on the CPU: two of half the batch equal one."""

import pickle
import subprocess
import sys
from types import SimpleNamespace

import distributed_worker as worker
import numpy as np
import pytest
import torch

from sklearn_simvae.training import distributed, resolve_device

INTERRUPTED = ["interrupted", "interrupted in the other"]
CASES = [*worker.cases(), "partial_fit"]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What each of two processes has after the same script."""
    folder = tmp_path_factory.mktemp("together")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launch, worker.__file__, "all", folder],
        env=worker.ENVIRONMENT,
        timeout=300,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return [pickle.loads((folder / f"{rank}.pickle").read_bytes()) for rank in (0, 1)]


@pytest.fixture(scope="module")
def one():
    """The same fits in this process."""
    return worker.fit_all()


def distance(a, b):
    """The largest difference between the weights of two fits."""
    assert a["state"].keys() == b["state"].keys()
    pairs = [(a["state"][name].astype(float), b["state"][name]) for name in a["state"]]
    return max(np.abs(x - y).max() for x, y in pairs if x.size)


# ---------------------------------------------------------------- two equal one


@pytest.mark.parametrize("name", CASES)
def test_two_processes_equal_one_of_twice_the_batch(one, two, name):
    assert distance(one[name], two[0][name]) < 1e-5
    assert one[name]["n_iter"] == two[0][name]["n_iter"]
    for alone, together in zip(one[name]["history"], two[0][name]["history"], strict=True):
        assert alone.keys() == together.keys()
        for term in alone.keys() - {"dur"}:
            assert together[term] == pytest.approx(alone[term], rel=1e-4, abs=1e-4)


def test_without_gathering_they_would_differ(one, two):
    assert distance(one["SimCLR"], two[0]["SimCLR, not gathered"]) > 1e-3


@pytest.mark.parametrize("name", [*CASES, "no seed", "batch norm", "stopped", *INTERRUPTED])
def test_all_processes_have_the_same_fit(two, name):
    first, second = two[0][name], two[1][name]
    assert distance(first, second) == 0
    assert first["history"] == second["history"]
    assert first["n_iter"] == second["n_iter"]


def test_scores_are_those_of_one_process(two):
    estimator = worker.make("SimCLR").fit(worker.VIEWS)
    assert two[0]["score"] == two[1]["score"]
    assert two[0]["score"] == pytest.approx(estimator.score(worker.VIEWS), rel=1e-5)


# ---------------------------------------------------------------- who writes, and how it ends


def test_callbacks_and_warnings_are_those_of_the_first_process(two):
    assert [results["epochs counted"] for results in two] == [5, 0]
    assert [results["collapses warned of"] for results in two] == [1, 0]


def test_a_callback_of_the_first_process_stops_all(two):
    assert [results["stopped"]["n_iter"] for results in two] == [2, 2]


def test_interrupting_one_leaves_all_at_the_last_whole_epoch(one, two):
    assert [results["interrupted"]["n_iter"] for results in two] == [3, 3]
    assert [results["interrupted in the other"]["n_iter"] for results in two] == [1, 1]
    losses = [row["loss"] for row in two[1]["interrupted"]["history"]]
    assert losses == pytest.approx([row["loss"] for row in one["SimCLR"]["history"][:3]], rel=1e-5)


def test_the_failure_of_one_is_raised_in_all(two):
    assert two[0]["failed"] == ("OSError", "the disk is full")
    kind, text = two[1]["failed"]
    assert kind == "ProcessLostError"
    assert "Process 0 of 2" in text and "the disk is full" in text


def test_divergence_is_raised_in_all(two):
    assert [results["diverged"][0] for results in two] == ["DivergenceError"] * 2


def test_other_data_in_one_process_are_refused_by_all(two):
    for results in two:
        kind, text = results["other data"]
        assert kind == "ValueError" and "same data" in text and "checksum" in text


def test_batches_of_fewer_samples_than_processes_are_refused(two):
    for results in two:
        kind, text = results["too small"]
        assert kind == "ValueError" and "Raise batch_size" in text


def test_after_failures_they_train_on(one, two):
    assert distance(one["SimCLR"], two[0]["after all that"]) < 1e-5


def test_a_fit_inside_of_a_fit_trains_alone(one, two):
    assert distance(one["SimCLR"], two[0]["inside"]) < 1e-6
    assert distance(one["SimCLR"], two[0]["with a fit inside"]) < 1e-5


def test_a_thread_trains_alone(one, two):
    assert distance(one["SimCLR"], two[0]["in a thread"]) < 1e-6


# ---------------------------------------------------------------- who takes part


@pytest.fixture
def variables(monkeypatch):
    """Those of a launcher."""
    for name, value in {"WORLD_SIZE": "4", "RANK": "2", "LOCAL_RANK": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", "1")


def test_a_launcher_is_known_by_its_variables(variables, monkeypatch):
    assert distributed._launched()
    monkeypatch.delenv("MASTER_ADDR")
    assert not distributed._launched()
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not distributed._launched()


def test_workers_of_a_search_do_not_take_part(variables, monkeypatch):
    monkeypatch.setattr(distributed.multiprocessing, "parent_process", object)
    assert not distributed._launched()


def test_each_process_of_a_machine_has_a_device_of_its_own(variables, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    assert resolve_device("auto") == torch.device("cuda")
    monkeypatch.setattr(distributed._local, "team", SimpleNamespace(rank=2, size=4))
    assert resolve_device("auto") == torch.device("cuda:2")
