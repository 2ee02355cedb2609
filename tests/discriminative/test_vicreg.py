"""VICReg: its score, by hand, and what keeps it from collapse."""

import numpy as np
from conftest import TINY, tiny
from numpy.testing import assert_allclose

from sklearn_simvae import VICReg


def test_variance_term_is_what_keeps_vicreg_from_collapse(digits):
    X, _ = digits
    params = {**TINY, "max_epochs": 100, "lr": 5e-3, "projection_layer_sizes": ()}
    kept = VICReg(**params).fit(X).transform(X).std(0)
    lost = VICReg(**params, variance_weight=0.0).fit(X).transform(X).std(0)
    assert kept.min() > 5 * lost.max()


def test_score_of_given_views_is_that_of_the_authors_and_each_weight_weighs_its_term(digits):
    views = digits[0].reshape(80, 2, 64)
    fitted = tiny("VICReg", batch_size=80).fit(views)
    a, b = (fitted.project(views[:, j]).astype(float) for j in (0, 1))
    invariance = np.mean((a - b) ** 2)
    variance, covariance = 0.0, 0.0
    for z in (a, b):
        c = np.cov(z.T)
        variance += np.mean(np.maximum(0, 1 - np.sqrt(np.diag(c) + 1e-4))) / 2
        covariance += (np.sum(c**2) - np.sum(np.diag(c) ** 2)) / len(c)
    terms = {"invariance": invariance, "variance": variance, "covariance": covariance}
    assert_allclose(fitted.score(views), -(25 * invariance + 25 * variance + covariance), rtol=1e-4)
    for name, term in terms.items():
        weights = {f"{other}_weight": 3.0 * (other == name) for other in terms}
        assert_allclose(fitted.set_params(**weights).score(views), -3 * term, rtol=1e-4)
