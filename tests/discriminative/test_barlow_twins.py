"""Barlow Twins: its score, by hand, and what makes its dimensions differ."""

import numpy as np
import pytest
from conftest import TINY, tiny
from numpy.testing import assert_allclose

from sklearn_simvae import BarlowTwins


def test_redundancy_term_is_what_makes_dimensions_of_barlow_twins_differ(digits):
    X, _ = digits
    params = {**TINY, "max_epochs": 60, "lr": 5e-3, "projection_layer_sizes": ()}
    kept, lost = (
        BarlowTwins(**params, redundancy_weight=weight).fit(X).history_[-1]["redundancy"]
        for weight in (1.0, 0.0)
    )
    assert kept < lost / 2


@pytest.mark.parametrize("redundancy_weight", [0.0, 5e-3, 2.0])
def test_score_of_given_views_is_read_off_their_cross_correlation(digits, redundancy_weight):
    views = digits[0].reshape(80, 2, 64)
    fitted = tiny("BarlowTwins", redundancy_weight=redundancy_weight, batch_size=80).fit(views)
    P = [fitted.project(views[:, j]).astype(float) for j in (0, 1)]
    d = P[0].shape[1]
    c = np.corrcoef(*P, rowvar=False)[:d, d:]
    off = ~np.eye(d, dtype=bool)
    expected = np.sum((1 - np.diag(c)) ** 2) + redundancy_weight * np.sum(c[off] ** 2)
    # An epsilon in the variances keeps constant dimensions from dividing by zero.
    assert_allclose(fitted.score(views), -expected, rtol=1e-2)
