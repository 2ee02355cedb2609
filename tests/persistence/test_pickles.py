"""Estimators and modules through pickle, and as joblib tells them."""

import copy
import pickle

import joblib
import pytest
import torch
from conftest import tiny
from numpy.testing import assert_array_equal
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn


@pytest.mark.parametrize("callbacks", [None, [Callback()]], ids=["epochs", "batches"])
def test_history_and_what_goes_on_come_back_from_pickle(make, X, callbacks):
    estimator = make(callbacks=callbacks).fit(X).partial_fit(X)
    loaded = pickle.loads(pickle.dumps(estimator))
    assert loaded.history_ == estimator.history_
    assert loaded.net_.history == estimator.net_.history
    assert type(loaded.net_.history) is type(estimator.net_.history)
    assert bool(loaded.net_.history[-1]["batches"]) == bool(callbacks)
    a, b = (e.partial_fit(X).transform(X) for e in (estimator, loaded))
    assert_array_equal(a, b)
    assert len(loaded.history_) == len(estimator.history_) == 4
    net = pickle.loads(pickle.dumps(estimator.net_))
    assert net.history == estimator.net_.history


def test_a_call_of_partial_fit_adds_little_to_a_pickle(X):
    estimator = tiny("SimVAE")
    sizes = []
    for _ in range(3):
        for _ in range(20):
            estimator.partial_fit(X)
        sizes.append(len(pickle.dumps(estimator)))
    # Eight numbers of float64 and some small ones; 311 bytes as rows.
    assert (sizes[2] - sizes[1]) / 20 < 90


def modules():
    shared = nn.Linear(64, 64)
    lazy = nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.Linear(16, 3))
    deep = nn.Sequential(nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    deep[3].weight.requires_grad_(False)
    short = nn.Linear(64, 3).bfloat16()
    tied = nn.Sequential(shared, nn.ReLU(), shared, nn.Linear(64, 3))
    return {"deep": deep, "tied": tied, "bfloat16": short, "lazy": lazy}


@pytest.mark.parametrize("name", modules())
def test_modules_come_back_from_pickle_as_they_were(name):
    module = modules()[name]
    loaded = pickle.loads(pickle.dumps(tiny("SimCLR", encoder=module))).encoder
    assert type(loaded) is type(module)
    state = loaded.state_dict(keep_vars=True)
    for key, tensor in module.state_dict(keep_vars=True).items():
        assert type(state[key]) is type(tensor)
        if name != "lazy":
            assert state[key].dtype == tensor.dtype
            assert state[key].requires_grad == tensor.requires_grad
            assert torch.equal(state[key], tensor)
    if name == "tied":
        assert loaded[0] is loaded[2]


def test_modules_of_classes_that_others_cannot_import_are_pickled_by_value(X):
    cloudpickle = pytest.importorskip("joblib.externals.cloudpickle")

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(64, 3)

        def forward(self, x):
            return self.layer(x)

    estimator = tiny("SimCLR", encoder=Own())
    loaded = pickle.loads(cloudpickle.dumps(estimator))
    assert_array_equal(loaded.fit_transform(X), estimator.fit_transform(X))


@pytest.mark.parametrize("name", ["deep", "tied", "bfloat16"])
@pytest.mark.parametrize("parameter", ["encoder", "augmentation", "modalities"])
def test_joblib_tells_modules_by_their_weights(name, parameter):
    def holding(module):
        if parameter == "modalities":
            items = [("a", module, slice(0, 3)), ("b", "mlp", slice(3, 6))]
            return tiny("CLIP", modalities=items)
        return tiny("SimCLR", **{parameter: module})

    module = modules()[name]
    estimator = holding(module)
    digest = joblib.hash(estimator)
    for copied in (clone, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))):
        assert joblib.hash(copied(estimator)) == digest
    changed = copy.deepcopy(module)
    with torch.no_grad():
        # Both halves of a number count.
        next(iter(changed.parameters())).view(-1)[-1] *= 1.01
    assert joblib.hash(holding(changed)) != digest
    frozen = copy.deepcopy(module)
    next(iter(frozen.parameters())).requires_grad_(False)
    assert joblib.hash(holding(frozen)) != digest
    assert joblib.hash(holding(nn.Sequential(module))) != digest
