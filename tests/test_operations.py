"""The operations of a step, as torch's dispatcher counts them: what a step costs on small data."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import sklearn_simvae

N_SAMPLES, BATCH_SIZE = 256, 16
# Operations that only look at memory in another way, and take no time on a device.
VIEWS = {"alias", "as_strided", "detach", "diagonal", "expand", "permute", "select", "slice"}
VIEWS |= {"split", "squeeze", "t", "transpose", "unbind", "unsqueeze", "view", "_unsafe_view"}

# Operations of a step, its part of the views and of an epoch among them, as they are: each takes
# some 5 microseconds of a processor, or of the start of a GPU.
MOST = {
    ("SimVAE", "vectors"): 100,
    ("ContentStyleVAE", "vectors"): 214,
    ("SimCLR", "vectors"): 90,
    ("VICReg", "vectors"): 109,
    ("SimVAE", "images"): 104,
    ("SimCLR", "images"): 92,
}


class Count(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.n += func.__name__.split(".")[0] not in VIEWS
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("method", "data"), list(MOST))
def test_a_step_takes_no_more_operations_than_it_did(method, data):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, 13)).astype(np.float32)
    params = {}
    if data == "images":
        X, params = rng.random((N_SAMPLES, 64), np.float32), {"input_shape": (8, 8)}
    counts = []
    for max_epochs in (2, 4):
        estimator = getattr(sklearn_simvae, method)(
            2,
            hidden_layer_sizes=(8,),
            max_epochs=max_epochs,
            batch_size=BATCH_SIZE,
            precision="float32",
            random_state=0,
            **params,
        )
        with torch.random.fork_rng(devices=[]), Count() as count:
            estimator.fit(X)
        counts.append(count.n)
    a_step = (counts[1] - counts[0]) / (2 * N_SAMPLES / BATCH_SIZE)
    assert a_step <= MOST[method, data], f"{a_step:.1f} operations a step"
