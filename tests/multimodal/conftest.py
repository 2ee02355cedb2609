"""Data that the tests of modalities share."""

import numpy as np
import pytest
from made_modalities import HALVES, make_frame


@pytest.fixture(params=["pandas", "polars"])
def frame(request):
    """Five columns of numbers and one of text."""
    return make_frame(request.param)


@pytest.fixture
def holes(digits):
    """Digits of which every second lacks a half."""
    X = digits[0].copy()
    X[::4, HALVES["upper"]] = np.nan
    X[2::4, HALVES["lower"]] = np.nan
    return X
