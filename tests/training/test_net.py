"""The net of every estimator: its steps, its batches, and what it tells callbacks."""

import pickle
import shutil

import numpy as np
import pytest
import torch
from conftest import Spy, few, one_kind, tiny
from skorch.callbacks import EpochTimer

from sklearn_simvae.training import SSLNet

# ---------------------------------------------------------------- optimizers, schedules, precision


def test_batch_size_counts_samples_and_makes_even_batches(make, digits):
    X, _ = digits
    sizes = {}
    for batch_size in ("auto", 50, 10_000):
        spy = Spy()
        make(batch_size=batch_size, max_epochs=1, callbacks=spy).fit(X)
        sizes[batch_size] = [len(batch) for batch in spy.batches()]
    assert sizes == {"auto": [16] * 10, 50: [40] * 4, 10_000: [160]}


@pytest.fixture
def graphs():
    """Counts of what torch compiles."""
    stats = torch._dynamo.utils.counters["stats"]
    stats.clear()
    return stats


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
# The others are like one of these, and InstanceDiscrimination comes below with its memory.
@pytest.mark.parametrize("make", ["SimVAE", "VICReg", "SwAV", "BYOL"], indirect=True)
def test_compiled_training_is_the_same_and_can_be_pickled(make, digits, graphs):
    X, _ = digits
    # An offset that batch normalization undoes has rounding as its gradient, by which Adam steps;
    # and rounding may put a sample into another cluster at the second epoch.
    params = {"optimizer": "sgd", "max_epochs": 1}
    plain, compiled = (make(compile=c, **params).fit(X) for c in (False, True))
    # Module.compile() does nothing, and does not say so, where the module's class is torch's own
    # (pytorch #150915), as nn.Sequential is.
    assert graphs["unique_graphs"] > 0
    Z, start = plain.transform(X), make(lr=1e-30, **params).fit_transform(X)
    np.testing.assert_allclose(compiled.transform(X), Z, atol=0.02 * np.abs(Z - start).max())
    losses = [estimator.history_[0]["loss"] for estimator in (compiled, plain)]
    np.testing.assert_allclose(*losses, rtol=1e-4, atol=1e-4)
    restored = pickle.loads(pickle.dumps(compiled))
    np.testing.assert_allclose(restored.transform(X), compiled.transform(X), atol=1e-5)
    assert restored.partial_fit(X).n_iter_ == 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
def test_a_memory_is_kept_under_compilation(digits, graphs):
    X, _ = digits
    params = {"memory_bank": True, "n_negatives": 200, "optimizer": "sgd"}
    plain, compiled = (
        tiny("InstanceDiscrimination", **params, compile=c).fit(X).module_.prototypes.values
        for c in (False, True)
    )
    assert graphs["unique_graphs"] > 0
    torch.testing.assert_close(compiled, plain, atol=1e-3, rtol=0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
def test_each_fit_is_compiled_however_many_there_were(digits, graphs):
    # torch gives up on code that it had to compile too often, after eight times by default.
    with torch._dynamo.config.patch(recompile_limit=1):
        for _ in range(2):
            graphs.clear()
            tiny("SwAV", compile=True).fit(few(digits))
            assert graphs["unique_graphs"] > 0


# ---------------------------------------------------------------- callbacks


@pytest.mark.parametrize(
    "form", [lambda c: c, lambda c: [c], lambda c: (c, EpochTimer()), lambda c: [("spy", c)]]
)
def test_callbacks_hear_of_all_that_happens(make, digits, form):
    X, _ = digits
    spy = Spy()
    estimator = make(callbacks=form(spy), batch_size=80).fit(X)
    step = ["batch_begin", "grad_computed", "batch_end"]
    epoch = ["epoch_begin", *step * 2, "epoch_end"]
    assert spy.hooks() == ["train_begin", *epoch * 2, "train_end"]
    assert all(torch.is_tensor(loss) for loss in spy.seen("batch_end", "loss"))
    losses = [loss.item() for loss in spy.seen("batch_end", "loss")]
    assert estimator.net_.history[:, "batches", :, "train_loss"] == [losses[:2], losses[2:]]


# ---------------------------------------------------------------- nothing is lost


def test_whether_views_are_finite_is_not_read_in_a_step(digits, no_waiting):
    tiny("SimVAE").fit(few(digits))


# ---------------------------------------------------------------- hardware


@one_kind
def test_a_step_reads_no_value_back(make, digits, no_waiting):
    make().fit(digits[0])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_step_never_waits_for_the_gpu(make, digits, precision, monkeypatch):
    train_step = SSLNet.train_step

    def strict_step(self, batch, **kwargs):
        torch.cuda.set_sync_debug_mode("error")
        try:
            return train_step(self, batch, **kwargs)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(SSLNet, "train_step", strict_step)
    params = {"device": "cuda", "precision": precision}
    if "modalities" in make().get_params() and "projection_layer_sizes" in make().get_params():
        # Batch norm takes the rows that have a modality, whose number is the GPU's to tell.
        params["projection_layer_sizes"] = ()
    make(**params).fit(digits[0])
