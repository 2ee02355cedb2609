"""Rows that stay on a GPU, and steps that memory does not hold at once."""

import copy

import numpy as np
import pytest
import torch
from conftest import tiny
from faults import At, assert_survived
from numpy.testing import assert_allclose

from sklearn_simvae.training.memory import fits_on_device

CPU = torch.device("cpu")
CUDA = torch.device("cuda")


@pytest.mark.parametrize(("free", "fits"), [(16_000, True), (15_999, False)])
def test_rows_stay_on_a_gpu_that_has_four_times_the_room(free, fits, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 2 * free))
    X = np.zeros((1000, 4), np.uint8)
    assert fits_on_device(X, CUDA) is fits
    assert not fits_on_device(X, CPU)


@pytest.fixture(scope="module")
def X(digits):
    return digits[0][:80]


def too_large(*args):
    """Ask for more memory than there can be."""
    torch.empty(2**60)


def of_a_gpu():
    raise torch.OutOfMemoryError("CUDA out of memory.")


def hungry(module, limit):
    """Let a module need more memory than there is for a batch of more than `limit` rows."""

    def hook(module, args):
        if len(args[0]) > limit:
            too_large()

    module.register_forward_pre_hook(hook)


@pytest.mark.parametrize("where", ["in a step", "on a GPU", "at once"])
@pytest.mark.parametrize("how", ["fit", "partial_fit"])
def test_a_step_too_large_for_memory_says_what_to_lower(make_one_of_each_kind, X, where, how):
    estimator = make_one_of_each_kind().fit(X)
    before = copy.deepcopy(estimator)
    epoch = 1 if how == "fit" else 3

    hook, act = {
        "in a step": ("grad_computed", too_large),
        "on a GPU": ("grad_computed", of_a_gpu),
        "at once": ("batch_begin", too_large),
    }[where]
    estimator.set_params(callbacks=At(hook, epoch, act), batch_size=20)
    with pytest.raises(MemoryError, match=r"steps of 20 samples.* batch_size, chunk_size"):
        getattr(estimator, how)(X)
    assert_survived(estimator.set_params(batch_size="auto"), before, X)


def encoders(estimator):
    """Of each modality, or the one that there is."""
    found = getattr(estimator, "encoders_", {"": estimator.module_}).values()
    return [getattr(encoder, "encoder", encoder) for encoder in found]


def test_what_memory_cannot_encode_at_once_is_encoded_in_halves(make, X):
    estimator = make(max_epochs=1).fit(X)
    Z = estimator.transform(X)
    for encoder in encoders(estimator):
        hungry(encoder, 7)
    assert_allclose(estimator.transform(X), Z, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["SimVAE", "SimCLR", "CLIP", "MultimodalSimVAE"])
def test_what_else_memory_cannot_hold_is_done_in_halves(name, X):
    estimator = tiny(name).fit(X)
    Z = estimator.transform(X)
    use = {
        "project": lambda: estimator.project(X),
        "encode": lambda: estimator.encode(X),
        "score_samples": lambda: estimator.score_samples(X),
        "inverse_transform": lambda: estimator.inverse_transform(Z),
    }
    use = {what: call for what, call in use.items() if hasattr(estimator, what)}
    expected = {what: call() for what, call in use.items()}
    decoder = getattr(estimator.module_, "decoder", None)
    for part in [*encoders(estimator), *([decoder] if decoder else [])]:
        hungry(part, 7)
    for what, call in use.items():
        assert_allclose(call(), expected[what], rtol=1e-5, atol=1e-5)


def test_a_row_too_large_for_memory_is_an_error(X):
    estimator = tiny("SimVAE").fit(X)
    hungry(estimator.encoder_, 0)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        estimator.transform(X)
