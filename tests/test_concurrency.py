"""Threads on one estimator, forks after a fit, and memory that does not grow."""

import gc
import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import one_kind, tiny
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback

from sklearn_simvae.training import turns_of

linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")


def resident_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def threads_of_one(n):
    """Threads in each of which torch uses one, as in the tests themselves: the last bit tells."""
    return ThreadPoolExecutor(n, initializer=torch.set_num_threads, initargs=(1,))


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


READS = [
    *("get_feature_names_out", "transform", "score", "encode", "score_samples", "project"),
    *("content", "sample"),
]


def reads_of(estimator):
    return [name for name in READS if hasattr(estimator, name)]


def read_by(name, estimator, X):
    without = name in ("sample", "get_feature_names_out")
    return np.asarray(getattr(estimator, name)(*([] if without else [X])))


def outcome(estimator, X):
    """What the readers of an estimator get."""
    return [read_by(name, estimator, X) for name in reads_of(estimator)]


def test_readers_and_a_training_in_place_take_turns(make, digits):
    X, n_times = digits[0][:40], 4
    alone = make(max_epochs=1).fit(X)
    expected = [outcome(alone, X)]
    for _ in range(n_times):
        expected.append(outcome(alone.partial_fit(X), X))

    shared, seen, over = make(max_epochs=1).fit(X), [], threading.Event()

    def read():
        while not over.is_set():
            for which, name in enumerate(reads_of(shared)):
                seen.append((which, read_by(name, shared, X)))

    with threads_of_one(3) as threads:
        readers = [threads.submit(read) for _ in range(2)]
        threads.submit(lambda: [shared.partial_fit(X) for _ in range(n_times)]).result()
        over.set()
        for reader in readers:
            reader.result()
    for which, made in seen:
        assert any(np.array_equal(made, of_epoch[which]) for of_epoch in expected)
    for made, last in zip(outcome(shared, X), expected[-1], strict=True):
        assert_array_equal(made, last)
    assert not any(part.training for part in shared.module_.modules())


@pytest.mark.parametrize("name", ["SimVAE", "SimCLR"])
def test_readers_have_their_turn_between_trainings_without_a_pause(name, digits):
    X, over = digits[0][:40], threading.Event()
    estimator = tiny(name).fit(X)

    def train():
        while not over.is_set():
            estimator.partial_fit(X)

    with threads_of_one(2) as threads:
        training = threads.submit(train)
        before = estimator.n_iter_
        for _ in range(20):
            threads.submit(estimator.transform, X).result(20)
            assert len(estimator.history_) >= before
        over.set()
        training.result(20)
    # Each waits for one training or two, not for all of them.
    assert estimator.n_iter_ - before < 200


def test_fits_that_read_an_estimator_and_trainings_of_it_do_not_wait_for_each_other(digits):
    X, over = digits[0][:40], threading.Event()
    read = tiny("SimCLR").fit(X)

    def augment(x):
        read.transform(x.numpy())
        read.score(x.numpy())
        return x + 0.1

    def train():
        while not over.is_set():
            read.partial_fit(X)

    with threads_of_one(2) as threads:
        training = threads.submit(train)
        fit = threads.submit(lambda: tiny("SimVAE", augmentation=augment, max_epochs=5).fit(X))
        assert fit.result(60).n_iter_ == 5
        over.set()
        training.result(20)


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


def with_dropout(input_shape, n_outputs):
    return torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(input_shape[0], n_outputs))


@one_kind
def test_an_encoder_that_a_caller_trains_is_in_evaluation_mode_for_every_reader(make, digits):
    X = digits[0][:40]
    fitted = make(max_epochs=1, encoder=with_dropout).fit(X)
    expected = fitted.transform(X)
    fitted.encoder_.train()
    with threads_of_one(8) as threads:
        for Z in threads.map(fitted.transform, [X] * 64):
            assert_array_equal(Z, expected)
    # As its caller left it.
    assert fitted.encoder_[0].training


def test_fits_of_threads_leave_the_number_of_threads(digits):
    X, seen = digits[0][:40], []
    before = torch.get_num_threads()
    torch.set_num_threads(2)

    class Look(Callback):
        def on_epoch_end(self, net, **kwargs):
            thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
            thread.start()
            thread.join()

    try:
        with ThreadPoolExecutor(3) as threads:
            fit = lambda seed: tiny("SimCLR", random_state=seed, callbacks=[Look()]).fit(X)  # noqa: E731
            list(threads.map(fit, range(6)))
            assert list(threads.map(lambda _: torch.get_num_threads(), range(6))) == [2] * 6
        assert torch.get_num_threads() == 2
        # Nor does a fit that goes on change it for threads to come.
        assert seen == [2] * 12
    finally:
        torch.set_num_threads(before)


def test_fits_of_threads_leave_the_default_type(digits):
    X = digits[0][:40]
    expected = tiny("SimVAE").fit(X).transform(X)
    torch.set_default_dtype(torch.float64)
    try:
        with threads_of_one(3) as threads:
            for fit in threads.map(lambda _: tiny("SimVAE").fit(X), range(6)):
                assert_array_equal(fit.transform(X), expected)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_reader_whose_workers_read_does_not_wait_for_ever(digits):
    """A score of a Dask array holds a turn, and so does each chunk, while a training waits."""
    X = digits[0][:40]
    turns, order = turns_of(estimator := tiny("SimVAE").fit(X)), []
    with ThreadPoolExecutor(2) as threads, turns.reading():
        training = threads.submit(lambda: (estimator.partial_fit(X), order.append("trained")))
        threads.submit(lambda: (estimator.transform(X), order.append("read"))).result(20)
    training.result(20)
    assert order[0] == "read"


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
