"""SimSiam: a predictor on one side, as BYOL has it, a target without gradient on the other."""

import numpy as np
import pytest
import torch
from conftest import tiny
from predictions import SMALL, Batch, Before
from torch import nn
from torch.nn import functional as F

from sklearn_simvae import BYOL, SimSiam

both = pytest.mark.parametrize("method", [SimSiam, BYOL])


# ---------------------------------------------------------------- predictor


@both
@pytest.mark.parametrize("sizes", [(), (6,), 6, (7, 5)])
def test_predictor_maps_projections_to_projections(method, digits, sizes):
    X, _ = digits
    fitted = method(**{**SMALL, "predictor_layer_sizes": sizes}).fit(X)
    layers = [layer for layer in fitted.module_.predictor if isinstance(layer, nn.Linear)]
    hidden = [sizes] if isinstance(sizes, int) else list(sizes)
    assert [layer.out_features for layer in layers] == [*hidden, 8]
    assert layers[0].in_features == 8


@both
def test_projection_does_not_pass_through_the_predictor(method, digits):
    X, _ = digits
    fitted = method(**SMALL).fit(X)
    Z, P, score = fitted.transform(X), fitted.project(X), fitted.score(X)
    with torch.no_grad():
        by_hand = fitted.module_.head(torch.from_numpy(Z)).numpy()
    np.testing.assert_allclose(P, by_hand, atol=1e-5)
    # The objective does.
    nn.init.normal_(fitted.module_.predictor[-1].weight)
    np.testing.assert_array_equal(fitted.project(X), P)
    np.testing.assert_array_equal(fitted.transform(X), Z)
    assert fitted.score(X) != score


@both
def test_predictor_is_trained(method, digits):
    X, _ = digits
    spy = Before()
    fitted = method(**SMALL, callbacks=spy).fit(X)
    before = dict(spy.modules[0].predictor.named_parameters())
    for name, weight in fitted.module_.predictor.named_parameters():
        assert not torch.allclose(weight, before[name], atol=1e-6), name


@both
def test_predictor_cannot_change_while_training_goes_on(method, digits):
    X, _ = digits
    fitted = method(**SMALL).fit(X).set_params(predictor_layer_sizes=(5,))
    with pytest.raises(ValueError, match="predictor_layer_sizes changed since"):
        fitted.partial_fit(X)


# ---------------------------------------------------------------- SimSiam's target


def test_no_gradient_passes_through_the_target_of_simsiam(digits):
    X, _ = digits
    fitted = SimSiam(**SMALL).fit(X)
    module = fitted.module_.eval()
    z = torch.randn(12, 3, 8)

    def gradient(loss_of):
        leaf = z.clone().requires_grad_()
        (grad,) = torch.autograd.grad(loss_of(leaf), leaf)
        return grad

    def by_hand(leaf, target):
        p = torch.stack([module.predictor(leaf[:, view]) for view in range(3)], dim=1)
        pairs = [(j, k) for j in range(3) for k in range(3) if j != k]
        cosines = [F.cosine_similarity(p[:, j], target[:, k], dim=1).mean() for j, k in pairs]
        return -torch.stack(cosines).mean()

    got = gradient(lambda leaf: fitted._loss(leaf, Batch(), module).loss)
    torch.testing.assert_close(got, gradient(lambda leaf: by_hand(leaf, leaf.detach())))
    # Through the target there would have been one.
    assert not torch.allclose(got, gradient(lambda leaf: by_hand(leaf, leaf)), atol=1e-3)


# ---------------------------------------------------------------- BYOL's teacher


@both
def test_views_that_are_missing_do_not_count(method, digits):
    X, _ = digits
    groups = np.repeat(np.arange(64), [2, 3] * 32)
    fitted = method(**SMALL, n_views=3, batch_size=64).fit(X, groups=groups)
    # The mean over pairs of views: two in a small group, six in a large one.
    small = np.isin(groups, np.arange(0, 64, 2))
    parts = [fitted.score(X[which], groups=groups[which]) for which in (small, ~small)]
    expected = np.average(parts, weights=[2 * 32, 6 * 32])
    assert fitted.score(X, groups=groups) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("multiple", [10.0, 0.5])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("name", ["SimSiam", "BYOL"])
def test_the_predictor_learns_at_a_multiple_of_the_rate(digits, name, optimizer, multiple):
    fitted = tiny(
        name, predictor_lr_multiplier=multiple, optimizer=optimizer, lr_schedule="constant"
    ).fit(digits[0])
    predictor, others = fitted.net_.optimizer_.param_groups
    assert set(predictor["params"]) == set(fitted.module_.predictor.parameters())
    assert not set(others["params"]) & set(predictor["params"])
    assert set(fitted.encoder_.parameters()) <= set(others["params"])
    assert predictor["lr"] == multiple * others["lr"] == multiple * 1e-3
    assert fitted.history_[-1]["lr"] == 1e-3
