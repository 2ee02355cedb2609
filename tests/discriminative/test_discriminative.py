"""What the discriminative methods share: head, score, collapse, and that they learn content."""

import warnings

import numpy as np
import pytest
from conftest import TINY
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KNeighborsClassifier

from sklearn_simvae import SimCLR, VICReg
from sklearn_simvae.datasets import make_sprites

METHODS = [SimCLR, VICReg]
every_method = pytest.mark.parametrize("method", METHODS)


@every_method
def test_projection_goes_through_the_head_and_representation_does_not(method, digits):
    X, _ = digits
    fitted = method(**TINY, projection_sizes=(8, 5)).fit(X)
    Z, P = fitted.transform(X), fitted.project(X)
    assert Z.shape == (len(X), 3) and P.shape == (len(X), 5) and P.dtype == np.float32
    first, second = (layer for layer in fitted.module_.head if hasattr(layer, "weight"))
    hidden = np.maximum(0, Z @ first.weight.detach().numpy().T + first.bias.detach().numpy())
    assert_allclose(
        P, hidden @ second.weight.detach().numpy().T + second.bias.detach().numpy(), atol=1e-5
    )


@every_method
def test_without_a_head_the_projection_is_the_representation(method, digits):
    fitted = method(**TINY, projection_sizes=()).fit(digits[0])
    assert_allclose(fitted.project(digits[0]), fitted.transform(digits[0]))


@every_method
def test_methods_of_the_generative_ones_are_absent(method):
    for name in ("inverse_transform", "sample", "score_samples", "encode"):
        assert not hasattr(method(), name)


@every_method
def test_score_is_the_negative_loss_deterministic_and_better_after_training(method, digits):
    X, _ = digits
    short, long = (method(**{**TINY, "max_epochs": n, "lr": 5e-3}).fit(X) for n in (1, 30))
    assert isinstance(long.score(X), float) and long.score(X) == long.score(X)
    assert long.score(X) > short.score(X)
    assert long.score(X) == pytest.approx(-long.history_[-1]["loss"], rel=0.3)


@every_method
def test_a_sample_of_a_single_view_is_refused(method, digits):
    X, _ = digits
    for params, groups in (({"n_views": 1}, None), ({}, [0, *np.repeat(np.arange(1, 80), 2), 1])):
        with pytest.raises(ValueError, match="at least 2 views"):
            method(**TINY, **params).fit(X, groups=groups)


@every_method
def test_groups_of_unequal_size_are_learnt_from(method, digits):
    X, _ = digits
    groups = np.repeat(np.arange(64), [2, 3] * 32)
    fitted = method(**TINY, n_views=3).fit(X, groups=groups)
    assert np.isfinite(fitted.transform(X)).all() and np.isfinite(fitted.score(X, groups=groups))


@every_method
def test_content_is_learnt_from_views_that_share_it(method):
    train, test = (
        make_sprites(n, image_size=16, n_views=2, random_state=seed)
        for n, seed in ((1000, 0), (500, 1))
    )
    fitted = method(
        10, input_shape=(16, 16), hidden_layer_sizes=(256, 64), max_epochs=40, random_state=0
    ).fit(train.images)
    Z, Z_test = (fitted.transform(part.images[:, 0]) for part in (train, test))
    accuracy = KNeighborsClassifier(15).fit(Z, train.target).score(Z_test, test.target)
    assert accuracy > 0.4  # chance is 0.14


@every_method
def test_collapse_is_never_silent(method, digits):
    X, _ = digits
    with pytest.warns(ConvergenceWarning, match=r"collapsed.*Try"):
        # Rows that are all the same cannot be told apart by anything.
        method(**TINY).fit(np.ones_like(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        method(**{**TINY, "max_epochs": 20}).fit(X)


def test_variance_term_is_what_keeps_vicreg_from_collapse(digits):
    X, _ = digits
    params = {**TINY, "max_epochs": 200, "lr": 5e-3, "projection_sizes": ()}
    kept = VICReg(**params).fit(X).transform(X).std(0)
    lost = VICReg(**params, variance_weight=0.0).fit(X).transform(X).std(0)
    assert kept.min() > 5 * lost.max()
