"""Data of each kind, and an assertion that a call refuses what it is given."""

import numpy as np
import pytest
from conftest import Spy

X = np.random.default_rng(0).random((40, 6))
VIEWS = X.reshape(20, 2, 6)
IMAGES = np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)


def refused(estimator, X, match, groups=None, method="fit", errors=ValueError):
    """Assert that a call raises before it trains, and changes nothing of what was fitted."""
    spy = Spy()
    if "callbacks" in estimator.get_params() and estimator.callbacks is None:
        estimator.set_params(callbacks=spy)
    before = dict(vars(estimator))
    arguments = (X,) if groups is None else (X, None, groups)
    with pytest.raises(errors, match=match) as raised:
        getattr(estimator, method)(*arguments)
    assert spy.calls == [], "training had begun"
    assert vars(estimator) == before
    return str(raised.value)


def put(value, dtype=float):
    changed = X.astype(dtype)
    changed[3, 2] = value
    return changed
