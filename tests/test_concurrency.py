"""Threads on one estimator, forks after a fit, and memory that does not grow."""

import gc
import multiprocessing
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import threads_of_one, tiny
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback

linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")


def resident_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.fixture(scope="module", params=["SimVAE", "SimCLR", "CLIP"])
def fitted(request, digits):
    return tiny(request.param).fit(digits[0])


def test_sixteen_threads_get_each_their_own_result(fitted, digits):
    X, _ = digits
    parts = [X[i : i + 1 + i % 40] for i in range(64)]
    expected = [fitted.transform(part) for part in parts]
    with threads_of_one(16) as threads:
        for part, Z in zip(expected, threads.map(fitted.transform, parts), strict=True):
            assert_array_equal(Z, part)


def test_scores_of_threads_are_those_of_one(fitted, digits):
    X, _ = digits
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    with threads_of_one(16) as threads:
        scores = list(threads.map(fitted.score, [X] * 16))
    assert scores == [fitted.score(X)] * 16
    assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_fits_of_threads_are_those_of_one(digits):
    X = digits[0][:40]
    with threads_of_one(4) as threads:
        fits = list(threads.map(lambda seed: tiny("SimCLR", random_state=seed).fit(X), range(4)))
    for seed, fit in enumerate(fits):
        alone = tiny("SimCLR", random_state=seed).fit(X)
        assert_array_equal(fit.transform(X), alone.transform(X))


def test_threads_that_fit_one_estimator_get_each_their_own_result(make, digits):
    parts = [digits[0][start : start + 30] for start in (0, 30, 60)]
    expected = [make(max_epochs=1).fit_transform(part) for part in parts]
    shared = make(max_epochs=1)
    with threads_of_one(3) as threads:
        for Z, part in zip(threads.map(shared.fit_transform, parts), expected, strict=True):
            assert_array_equal(Z, part)


def test_the_former_fit_can_be_read_while_a_new_one_trains(digits):
    X = digits[0][:40]
    Z = []

    class Read(Callback):
        def on_epoch_end(self, net, **kwargs):
            # Another thread reads, and is waited for.
            thread = threading.Thread(target=lambda: Z.append(estimator.transform(X)))
            thread.start()
            thread.join(10)

    estimator = tiny("SimVAE", random_state=0).fit(X)
    before = estimator.transform(X)
    estimator.set_params(callbacks=[Read()], random_state=1).fit(X)
    assert len(Z) == 2
    for made in Z:
        assert_array_equal(made, before)
    assert not np.array_equal(estimator.transform(X), before)


def use(estimator, X, results):
    """Transform, go on and fit anew, in a process that was forked."""
    Z = estimator.transform(X)
    anew = type(estimator)(**estimator.get_params()).fit(X)
    results.put((Z, estimator.partial_fit(X).n_iter_, anew.transform(X)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_after_fit_transforms_and_fits(fitted, digits):
    X, _ = digits
    expected = fitted.transform(X)
    fork = multiprocessing.get_context("fork")
    results = fork.SimpleQueue()
    process = fork.Process(target=use, args=(fitted, X, results))
    process.start()
    process.join(60)
    process.kill()
    assert process.exitcode == 0
    Z, n_iter, anew = results.get()
    assert_array_equal(Z, expected)
    assert_array_equal(anew, expected)
    assert n_iter == 3
    # It was the child's copy that went on.
    assert fitted.n_iter_ == 2
    assert_array_equal(fitted.transform(X), expected)


@linux
def test_memory_of_many_small_transforms_is_flat(fitted, digits):
    X = digits[0][:4]
    for _ in range(50):
        fitted.transform(X)
    before = resident_mb()
    for _ in range(300):
        fitted.transform(X)
    assert resident_mb() < 1.05 * before


def transform(estimator, X, results):
    results.put(float(estimator.transform(X).sum()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_does_not_wait_for_threads_that_its_parent_has(digits):
    X = np.tile(digits[0], (4, 1))
    estimator = tiny("SimVAE", max_epochs=1, hidden_layer_sizes=(256,)).fit(digits[0])
    torch.set_num_threads(2)
    try:
        expected = float(estimator.transform(X).sum())
        fork = multiprocessing.get_context("fork")
        results = fork.SimpleQueue()
        process = fork.Process(target=transform, args=(estimator, X, results))
        process.start()
        process.join(20)
    finally:
        torch.set_num_threads(1)
        process.kill()
    assert process.exitcode == 0
    assert results.get() == pytest.approx(expected, rel=1e-5)


def n_tensors():
    gc.collect()
    return sum(issubclass(type(one), torch.Tensor) for one in gc.get_objects())


def test_a_fit_that_is_let_go_leaves_no_tensor(make_one_of_each_kind, digits):
    X = digits[0][:20]
    make_one_of_each_kind(max_epochs=1).fit(X)
    before = n_tensors()
    make_one_of_each_kind(max_epochs=1).fit(X)
    assert n_tensors() == before
