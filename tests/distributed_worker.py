"""What each process of a launch runs, see test_distributed.py: fits, and what came of them."""

import contextlib
import functools
import os
import pickle
import sys
import threading
import warnings
from unittest import mock

import numpy as np
import torch
from skorch.callbacks import Callback, LRScheduler
from torch import nn

import sklearn_simvae
from sklearn_simvae import BYOL, SimSiam
from sklearn_simvae.training import run
from sklearn_simvae.training.team import ProcessLostError

# Interrupted fits come soon after each other here.
run._MEANT_FOR_ALL = -1.0

# The processes that are launched use these.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
SIZE = int(os.environ.get("WORLD_SIZE", 1))
RANK = int(os.environ.get("RANK", 0))
# 61 samples make batches of 15 and 16, of which two processes take 8 and 7 or 8.
N, BATCH = 61, 16

# Estimators that train something of their own.
METHODS = [n for n in sklearn_simvae.__all__ if hasattr(getattr(sklearn_simvae, n), "partial_fit")]

rng = np.random.default_rng(0)
VIEWS = rng.normal(size=(N, 2, 6)).astype(np.float32)
ROWS = VIEWS[:, 0]
GROUPS = np.repeat(np.arange(N), rng.integers(2, 5, N))
GROUPED = (ROWS[GROUPS] + 0.1 * rng.normal(size=(len(GROUPS), 6))).astype(np.float32)
# Of some rows the first half is missing, of others the second.
PARTLY = ROWS.copy()
PARTLY[::4, :3] = np.nan
PARTLY[1::4, 3:] = np.nan


@contextlib.contextmanager
def no_batch_norm():
    """On the CPU, each process takes the statistics of its own part of a batch."""

    def add_parts(self, module, n_features, original):
        original(self, module, n_features)
        for part in module.modules():
            for name, child in part.named_children():
                if isinstance(child, nn.BatchNorm1d):
                    setattr(part, name, nn.Identity())

    with contextlib.ExitStack() as stack:
        for method in (SimSiam, BYOL):
            changed = functools.partialmethod(add_parts, original=method._add_parts)
            stack.enter_context(mock.patch.object(method, "_add_parts", changed))
        yield


def make(name, **params):
    """A method whose steps show any difference between gradients."""
    method = getattr(sklearn_simvae, name)
    small = {"n_components": 3, "hidden_layer_sizes": (8,), "max_epochs": 5, "random_state": 0}
    exact = {"optimizer": "sgd", "precision": "float32", "device": "cpu", "lr": 3e-3}
    if hasattr(method(), "projection_layer_sizes"):
        exact["projection_layer_sizes"] = (8,)
    if hasattr(method(), "noise_variance"):
        exact |= {"lr": 3e-4, "noise_variance": 1.0}
    return method(**{**small, **exact, "batch_size": BATCH // SIZE, **params})


def cases():
    """Estimators by name, with what they are fitted to: given views, without augmentation."""
    found = {}
    for name in METHODS:
        # Clusters that are far apart: the last digit of a float does not change them.
        few = {"n_clusters": 3} if name == "DeepCluster" else {}
        modal = "modalities" in make(name).get_params()
        found[name] = make(name, **few), (ROWS if modal else VIEWS), None
        if modal:
            found[f"{name}, some missing"] = make(name), PARTLY, None
        else:
            found[f"{name}, groups"] = make(name, n_views=3, **few), GROUPED, GROUPS
    for label, estimator in {
        "a memory of samples": make(
            "InstanceDiscrimination", memory_bank=True, n_negatives=5, max_epochs=3
        ),
        "a learned noise variance": make("SimVAE", noise_variance="learned", lr=1e-4),
        "chunks": make("SimCLR", chunk_size=5),
        "early stopping": make("VICReg", early_stopping=True, n_iter_no_change=1, max_epochs=20),
        "Adam": make("VAE", optimizer="adam"),
        "a callback that changes the learning rate": make(
            "VAE", callbacks=[LRScheduler("StepLR", step_size=1)], lr_schedule="constant"
        ),
    }.items():
        found[label] = estimator, VIEWS, None
    return found


def result(estimator):
    """All that a fit leaves behind."""
    state = {name: w.numpy().copy() for name, w in estimator.module_.state_dict().items()}
    return {"state": state, "history": estimator.history_, "n_iter": estimator.n_iter_}


def fit_all():
    """Fit all cases."""
    results = {}
    with no_batch_norm():
        for name, (estimator, X, groups) in cases().items():
            results[name] = result(estimator.fit(X, groups=groups))
    results["partial_fit"] = result(make("SimVAE").fit(VIEWS).partial_fit(VIEWS))
    return results


class At(Callback):
    """Count epochs, and do something at a step of one."""

    def __init__(self, epoch, action):
        self.epoch, self.action, self.n_epochs = epoch, action, 0

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs += 1

    def on_batch_end(self, net, training=False, **kwargs):
        if training and len(net.history) == self.epoch and len(net.history[-1, "batches"]) == 2:
            self.action()


class StopAfter(Callback):
    """Stop as skorch's own callbacks do."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


def interrupt():
    raise KeyboardInterrupt


def fail():
    raise OSError("the disk is full")


def raised(estimator, X):
    """The name and the text of what a fit raises."""
    try:
        estimator.fit(X)
    except Exception as error:
        return type(error).__name__, str(error)
    return None


def together():
    """What only several processes show."""
    results = fit_all()
    # torch's own seeds differ too: nothing but the agreement makes these the same.
    torch.manual_seed(RANK)
    results["no seed"] = result(
        make("SimVAE", random_state=None, early_stopping=True, batch_size="auto").fit(ROWS)
    )
    results["batch norm"] = result(make("SimCLR", projection_layer_sizes=(8, 8)).fit(VIEWS))
    with mock.patch("sklearn_simvae.discriminative.base.gather_batch", lambda z, batch: (z, batch)):
        results["SimCLR, not gathered"] = result(make("SimCLR").fit(VIEWS))
    inner = make("SimCLR", batch_size=BATCH)
    fit = functools.partial(inner.fit, VIEWS)
    results["with a fit inside"] = result(make("SimCLR", callbacks=[At(2, fit)]).fit(VIEWS))
    results["inside"] = result(inner) if RANK == 0 else None
    counter = At(-1, fail)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make("CRVAE", callbacks=[counter]).fit(VIEWS)
    results["epochs counted"] = counter.n_epochs
    results["collapses warned of"] = sum("collapsed" in str(w.message) for w in caught)
    results["stopped"] = result(make("SimVAE", callbacks=[StopAfter()]).fit(VIEWS))
    results["interrupted"] = result(make("SimCLR", callbacks=[At(4, interrupt)]).fit(VIEWS))
    # In the midst of an operation, whose frame holds the group.
    sums = [torch.distributed.all_reduce] * 8 + [lambda values, group: interrupt()]
    with (
        mock.patch.object(
            torch.distributed, "all_reduce", lambda values, group: sums.pop(0)(values, group=group)
        )
        if RANK == 1
        else contextlib.nullcontext()
    ):
        results["interrupted in the other"] = result(make("SimVAE").fit(VIEWS))
    results["failed"] = raised(make("SimCLR", callbacks=[At(2, fail)]), VIEWS)
    results["diverged"] = raised(make("SimVAE", lr=1e6), VIEWS)
    results["other data"] = raised(make("SimCLR"), VIEWS + RANK)
    results["too small"] = raised(
        make("SimCLR", batch_size=1, projection_layer_sizes=()), VIEWS[:3]
    )
    results["after all that"] = result(make("SimCLR").fit(VIEWS))
    if RANK == 0:
        alone = make("SimCLR", batch_size=BATCH)
        thread = threading.Thread(target=alone.fit, args=(VIEWS,))
        thread.start()
        thread.join(60)
        results["in a thread"] = result(alone)
    results["score"] = make("SimCLR").fit(VIEWS).score(VIEWS)
    return results


def lose_one():
    """The first process is gone in the midst of a fit."""
    try:
        make("SimVAE", callbacks=[At(2, functools.partial(os._exit, 3))]).fit(VIEWS)
    except ProcessLostError as error:
        sys.exit(f"told: {error}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", ".* has collapsed")
    task, folder = sys.argv[1:]
    if task == "lose":
        lose_one()
    with open(f"{folder}/{RANK}.pickle", "wb") as file:
        pickle.dump(together(), file)
