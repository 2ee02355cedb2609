"""Values that a likelihood is of, and what a model without a proper prior cannot do."""

import pytest
from vaes import simvae

# ---------------------------------------------------------------- scores


def test_uniform_prior_withholds_what_it_has_not(digits):
    X, _ = digits
    estimator = simvae(prior_variance=None)
    for _ in range(2):
        for name in ("score", "score_samples", "sample"):
            assert not hasattr(estimator, name)
            with pytest.raises(AttributeError):
                getattr(estimator, name)
        estimator.fit(X)
    assert estimator.transform(X).shape == estimator.encode(X)[1].shape == (len(X), 3)
    assert estimator.inverse_transform(estimator.transform(X)).shape == X.shape
    assert hasattr(simvae(), "score")


# ---------------------------------------------------------------- bad input


def test_bernoulli_model_refuses_other_data_later(digits):
    estimator = simvae(likelihood="bernoulli").fit(digits[0])
    for method in ("transform", "score", "score_samples", "encode", "partial_fit"):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            getattr(estimator, method)(digits[0] * 2)
