"""Rows and a fitted estimator that the tests of files share."""

import pytest
from conftest import tiny


@pytest.fixture(scope="module")
def X(digits):
    return digits[0][:64]


@pytest.fixture(scope="module")
def fitted(X):
    """A SimVAE, which no test changes."""
    return tiny("SimVAE").fit(X)
