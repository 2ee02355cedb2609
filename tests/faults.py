"""Callbacks at which fits fail, and what is to be left of them."""

import pickle

from conftest import as_they_are
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback


class At(Callback):
    """Does something in a hook of an epoch, counted from 1 over the net's life."""

    def __init__(self, hook, epoch, act):
        self.hook = hook
        self.epoch = epoch
        self.act = act

    def _notified(self, hook, net):
        if hook == self.hook and len(net.history) == self.epoch:
            self.act()

    def on_train_begin(self, net, **kwargs):
        self._notified("train_begin", net)

    def on_batch_begin(self, net, **kwargs):
        self._notified("batch_begin", net)

    def on_grad_computed(self, net, **kwargs):
        self._notified("grad_computed", net)

    def on_epoch_end(self, net, **kwargs):
        self._notified("epoch_end", net)

    def on_train_end(self, net, **kwargs):
        self._notified("train_end", net)


def assert_survived(estimator, before, X):
    """It gives what it gave before, and can learn on."""
    assert_array_equal(estimator.transform(X), before.transform(X))
    assert estimator.n_iter_ == len(estimator.history_) == before.n_iter_
    estimator.set_params(callbacks=None, **as_they_are(lambda: estimator))
    assert pickle.loads(pickle.dumps(estimator)).partial_fit(X).n_iter_ == before.n_iter_ + 1
