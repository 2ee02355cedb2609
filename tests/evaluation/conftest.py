"""Shared by the tests of evaluation: random numbers, and networks that are trained shortly."""

import numpy as np
import pytest
from known_content import SpyClassifier

from sklearn_simvae.evaluation import probe_models


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def spied():
    SpyClassifier.calls.clear()
    yield SpyClassifier.calls
    SpyClassifier.calls.clear()


@pytest.fixture
def short(monkeypatch):
    """Networks that are cut short, for what does not depend on how well they do."""
    monkeypatch.setattr(probe_models, "_MLP_STEPS", 20)
