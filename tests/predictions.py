"""Shared by the tests of SimSiam and BYOL: small settings, and networks before each step."""

import copy

from conftest import TINY
from skorch.callbacks import Callback

SMALL = {**TINY, "lr": 1e-3, "projection_layer_sizes": (16, 8), "predictor_layer_sizes": (6,)}


class Before(Callback):
    """Keeps the network as it was before each step."""

    def __init__(self):
        self.modules = []

    def on_batch_begin(self, net, training=False, **kwargs):
        if training:
            self.modules.append(copy.deepcopy(net.module_))


class Batch:
    """As much of a batch as the loss looks at."""

    mask = None
