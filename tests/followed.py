"""A part that is told the course of a fit, and estimators that have it."""

import numpy as np
import torch
from skorch.callbacks import Callback

from sklearn_simvae import SimCLR
from sklearn_simvae.networks import LivingPart

X = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)
LONG = {"max_epochs": 3, "batch_size": 20}


class Diary(LivingPart):
    """Notes what it is told, and draws from the global states of torch, numpy and Python."""

    def __init__(self):
        super().__init__()
        self.events = []

    def _note(self, event, run):
        drawn = float(torch.rand(())), float(np.random.random())  # noqa: NPY002
        self.events.append((event, run.epochs_done, run.step, run.progress, drawn))

    def on_fit_begin(self, run):
        self._note("fit", run)
        self.latents = run.latents()
        self.n_components = run.parameters["n_components"]

    def on_epoch_begin(self, run):
        self._note("epoch", run)

    def on_step_end(self, run):
        self.events.append(("step", run.epochs_done, run.step, run.progress, None))


class WithDiary(SimCLR):
    """SimCLR with a part that is told the course of a fit."""

    def __init__(self, n_components=10, **shared):
        super().__init__(n_components, **shared)

    def _add_parts(self, module, n_features):
        module.diary = Diary()


def fitted(**params):
    small = {"hidden_layer_sizes": (8,), "projection_layer_sizes": (8, 4), "random_state": 0}
    return WithDiary(3, **{**small, **LONG, **params}).fit(X)


def events_of(estimator):
    return estimator.module_.diary.events


class AtEpochEnd(Callback):
    """Keeps what a callback sees of the run."""

    reads_batches = False

    def on_epoch_end(self, net, **kwargs):
        self.run = net.run
        self.seen = [*getattr(self, "seen", []), (net.run.epochs_done, net.run.options.n_epochs)]
