"""Optimizers by name and by class, with the options that they are given."""

import functools

import numpy as np
import pytest
import torch
from conftest import as_they_are, tiny
from skorch.callbacks import Freezer, Unfreezer

# ---------------------------------------------------------------- optimizers, schedules, precision


@pytest.mark.parametrize(
    "optimizer, expected",
    [
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("sgd", torch.optim.SGD),
        (torch.optim.RMSprop, torch.optim.RMSprop),
    ],
)
def test_optimizer_by_name_or_class(make, digits, optimizer, expected):
    X, _ = digits
    # Without the noise of augmentation and with equal steps, every loss falls.
    params = {**as_they_are(make), "lr_schedule": "constant", "max_epochs": 5}
    estimator = make(optimizer=optimizer, weight_decay=1e-3, **params).fit(X)
    assert type(estimator.net_.optimizer_) is expected
    assert estimator.net_.optimizer_.param_groups[0]["weight_decay"] == 1e-3
    assert estimator.history_[-1]["loss"] < estimator.history_[0]["loss"]


# ---------------------------------------------------------------- optimizers


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", torch.optim.AdamW, torch.optim.SGD])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_weight_decay_is_what_is_given_and_not_the_optimizers_own(optimizer, weight_decay, digits):
    vae = tiny("VAE", optimizer=optimizer, weight_decay=weight_decay).fit(digits[0][:40])
    assert vae.net_.optimizer_.param_groups[0]["weight_decay"] == weight_decay


def test_an_optimizer_made_by_a_function_keeps_its_own_weight_decay(digits):
    made = functools.partial(torch.optim.AdamW, weight_decay=0.3)
    vae = tiny("VAE", optimizer=made).fit(digits[0][:40])
    assert vae.net_.optimizer_.param_groups[0]["weight_decay"] == 0.3


def test_an_optimizer_that_calls_for_the_loss_is_refused(digits):
    with pytest.raises(ValueError, match=r"LBFGS.*evaluates the loss several times per step"):
        tiny("VAE", optimizer=torch.optim.LBFGS).fit(digits[0][:40])


@pytest.mark.parametrize("name", ["DeepCluster", "InstanceDiscrimination", "SwAV"])
@pytest.mark.parametrize("optimizer", [torch.optim.Adafactor, torch.optim.Adam, torch.optim.ASGD])
def test_prototypes_are_made_anew_under_any_optimizer(name, optimizer, digits):
    estimator = tiny(name, optimizer=optimizer, max_epochs=3).fit(digits[0][:60])
    estimator.partial_fit(digits[0][:70])
    assert np.isfinite(estimator.transform(digits[0])).all()


# ---------------------------------------------------------------- validation parts


class Wrapped(torch.optim.AdamW):
    """Hands on what it is given."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


def test_weight_decay_reaches_a_class_that_hands_it_on(digits):
    vae = tiny("VAE", optimizer=Wrapped).fit(digits[0][:40])
    assert vae.net_.optimizer_.param_groups[0]["weight_decay"] == 0


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_parameters_may_get_their_first_gradient_late(optimizer):
    X = np.random.default_rng(0).standard_normal((60, 3)).astype(np.float32)
    freeze = [Freezer("encoder.*"), Unfreezer("encoder.*", at=3)]
    estimator = tiny("SimVAE", optimizer=optimizer, callbacks=freeze, max_epochs=4).fit(X)
    assert np.isfinite(estimator.transform(X)).all()


def test_prototypes_follow_a_memory_bank_under_sgd():
    X = np.random.default_rng(0).standard_normal((300, 3)).astype(np.float32)
    params = {"optimizer": "sgd", "memory_bank": True, "warm_start": True, "n_negatives": 16}
    estimator = tiny("InstanceDiscrimination", **params).fit(X)
    estimator.set_params(memory_bank=False).fit(X[:50])
    assert np.isfinite(estimator.transform(X)).all()
