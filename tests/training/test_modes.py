"""Modes of torch that a fit sets for itself, and leaves to others as they are."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from conftest import few, one_kind, threads_of_one, tiny
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback
from torch import nn


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


def bf16_on_the_cpu():
    return torch.autocast("cpu", torch.bfloat16)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, bf16_on_the_cpu])
def test_a_callers_modes_change_nothing(make, digits, mode):
    X = few(digits)
    expected = make().fit(X)
    with mode():
        inside = make().fit(X)
        assert_array_equal(inside.transform(X), expected.transform(X))
        if hasattr(inside, "score"):
            assert inside.score(X) == expected.score(X)


def test_a_callers_default_device_changes_nothing(make, digits):
    X = few(digits)
    expected = make().fit(X)
    # Nothing can be computed there.
    with torch.device("meta"):
        inside = make().fit(X)
        assert_array_equal(inside.transform(X), expected.transform(X))
        if hasattr(inside, "score"):
            assert inside.score(X) == expected.score(X)
        if hasattr(inside, "sample"):
            assert_array_equal(inside.sample(3, random_state=0), expected.sample(3, random_state=0))


@one_kind
def test_an_encoder_that_is_being_trained_represents_as_ever(make, digits):
    X = few(digits)

    def with_norm(input_shape, n_outputs):
        return nn.Sequential(
            nn.Linear(64, 16), nn.BatchNorm1d(16), nn.Dropout(), nn.Linear(16, n_outputs)
        )

    estimator = make(encoder=with_norm).fit(X)
    Z = estimator.transform(X)
    score = estimator.score(X) if hasattr(estimator, "score") else None
    encoder = estimator.encoder_.train()
    for _ in range(2):
        assert_array_equal(estimator.transform(X), Z)
        assert score is None or estimator.score(X) == score
    assert estimator.get_feature_names_out().shape == (3,)
    assert all(part.training for part in encoder.modules())
