"""Networks of the generative methods: what their outputs are, by data and likelihood."""

import numpy as np
import pytest
from conftest import TINY
from vaes import simvae

from sklearn_simvae import CRVAE, VAE, SimVAE


def test_unbounded_data_are_decoded_without_a_sigmoid(digits):
    X = digits[0] * 10 - 5
    estimator = simvae(max_epochs=30, lr=1e-2).fit(X)
    decoded = estimator.inverse_transform(estimator.transform(X))
    assert decoded.min() < -3 and decoded.max() > 1.5
    inside = simvae(likelihood="gaussian", max_epochs=30, lr=1e-2).fit(digits[0])
    assert inside.inverse_transform(20 * np.eye(3)).min() < 0


@pytest.mark.parametrize("method", [VAE, SimVAE, CRVAE])
def test_decoded_pixels_stay_pixels_whatever_the_likelihood(method):
    images = np.random.default_rng(0).choice([0, 255], (60, 8, 8)).astype(np.uint8)
    params = TINY | {"input_shape": (8, 8), "likelihood": "gaussian", "max_epochs": 20}
    estimator = method(**params).fit(images)
    decoded = estimator.inverse_transform(5 * estimator.transform(images))
    assert decoded.min() == 0 and decoded.max() == 1
    assert np.isfinite(estimator.transform(decoded)).all()
