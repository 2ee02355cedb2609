"""Fits that are compared, and calls that train."""

import pickle

import torch
from conftest import as_they_are
from numpy.testing import assert_array_equal


def without_time(estimator):
    return [{k: v for k, v in row.items() if k != "dur"} for row in estimator.history_]


def assert_same_fit(first, second, X):
    """Equal to the bit, and so is what was trained but does not show in transform."""
    assert_array_equal(first.transform(X), second.transform(X))
    assert without_time(first) == without_time(second)
    assert first.n_iter_ == second.n_iter_
    weights = second.module_.state_dict()
    assert all(torch.equal(w, weights[name]) for name, w in first.module_.state_dict().items())


def go(estimator, how, X):
    estimator.set_params(warm_start=how == "warm fit")
    return getattr(estimator, how.removeprefix("warm "))(X)


def assert_unchanged(estimator, before, X):
    assert_same_fit(estimator, before, X)
    estimator.set_params(callbacks=None, **as_they_are(lambda: estimator))
    before.set_params(**estimator.get_params(deep=False))
    restored = pickle.loads(pickle.dumps(estimator))
    assert restored.partial_fit(X).n_iter_ == before.n_iter_ + 1
    # The optimizer's state is as it was, too.
    assert_array_equal(restored.transform(X), before.partial_fit(X).transform(X))
