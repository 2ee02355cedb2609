"""Turns of threads that use one estimator."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import threads_of_one, tiny
from numpy.testing import assert_array_equal

from sklearn_simvae.training import turns_of

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


def test_a_reader_whose_workers_read_does_not_wait_for_ever(digits):
    """A score of a Dask array holds a turn, and so does each chunk, while a training waits."""
    X = digits[0][:40]
    turns, order = turns_of(estimator := tiny("SimVAE").fit(X)), []
    with ThreadPoolExecutor(2) as threads, turns.reading():
        training = threads.submit(lambda: (estimator.partial_fit(X), order.append("trained")))
        threads.submit(lambda: (estimator.transform(X), order.append("read"))).result(20)
    training.result(20)
    assert order[0] == "read"
