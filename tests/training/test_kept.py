"""The last good state of a net, to which a fit that fails goes back."""

import copy

import pytest
import torch
from conftest import Views, few, gives_nan, one_kind, with_variants
from fits import assert_same_fit, assert_unchanged, go

from sklearn_simvae.training.kept import weights_finite


@one_kind
def test_first_fit_that_diverges_keeps_the_last_good_weights(make, digits):
    X, _ = digits
    params = {"batch_size": 40, "max_epochs": 5, "lr_schedule": "constant"}
    estimator = make(augmentation=Views(gives_nan, after=8), **params)
    with pytest.raises(ValueError, match=r"diverged in epoch 3\b"):
        estimator.fit(X)
    whole = make(augmentation=None, **{**params, "max_epochs": 2}).fit(X)
    assert_same_fit(estimator, whole, X)


@one_kind
def test_first_fit_that_diverges_at_once_stays_unfitted(make, digits):
    X, _ = digits
    estimator = make(augmentation=Views(gives_nan))
    with pytest.raises(ValueError, match=r"diverged in epoch 1\b"):
        estimator.fit(X)
    assert not hasattr(estimator, "net_") and not hasattr(estimator, "n_features_in_")


@pytest.mark.parametrize("how", ["fit", "warm fit", "partial_fit"])
@with_variants({"lr": {"lr": 1e20}, "augmentation": {"augmentation": Views(gives_nan)}})
def test_fitted_estimator_survives_divergence(make, digits, how, params):
    X = few(digits)
    estimator = make().fit(X)
    before = copy.deepcopy(estimator)
    epoch = 1 if how == "fit" else 3
    why = (
        "The augmentation returned values that are NaN" if "augmentation" in params else "Lower lr"
    )
    with pytest.raises(ValueError, match=rf"diverged in epoch {epoch}\b.*{why}"):
        go(estimator.set_params(**params), how, X)
    assert_unchanged(estimator.set_params(lr=1e-3), before, X)


def test_weights_whose_sum_overflows_are_finite():
    module = torch.nn.Linear(3, 1)
    torch.nn.init.constant_(module.weight, 3e38)
    assert weights_finite(module)
    torch.nn.init.constant_(module.bias, torch.nan)
    assert not weights_finite(module)
