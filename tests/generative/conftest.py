"""Data, and a model of them, that the tests of the generative methods share."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from vaes import simvae


@pytest.fixture(scope="session")
def images():
    """Digits of shape (8, 8) in [0, 1]."""
    return (load_digits().images / 16).astype(np.float32)


@pytest.fixture(scope="session")
def trained(images):
    return simvae(
        n_components=6, hidden_layer_sizes=(64,), input_shape=(8, 8), max_epochs=60, lr=5e-3
    ).fit(images[:800])


@pytest.fixture(scope="session")
def X():
    return (load_digits().data[:300] / 16).astype(np.float32)


@pytest.fixture(scope="session")
def views(X):
    """Two views of each row, of shape (150, 2, 64)."""
    return X.reshape(150, 2, 64)
