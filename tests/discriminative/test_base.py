"""What the discriminative methods share: head, score, collapse, and that they learn content."""

import random
import warnings

import numpy as np
import pytest
import torch
from conftest import tiny
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from sklearn_simvae import (
    BYOL,
    BarlowTwins,
    DeepCluster,
    InstanceDiscrimination,
    SimCLR,
    SimSiam,
    SwAV,
    VICReg,
)
from sklearn_simvae._fitting import batch_size
from sklearn_simvae.datasets import make_sprites

# A net that gives the same for all rows has the best score of these: they only pull together.
BLIND = [SimSiam, BYOL]
SEEING = [SimCLR, VICReg, BarlowTwins, InstanceDiscrimination, DeepCluster, SwAV]
every_method = pytest.mark.parametrize("method", [*SEEING, *BLIND])
every_seeing_method = pytest.mark.parametrize("method", SEEING)
every_blind_method = pytest.mark.parametrize("method", BLIND)


class OnALine(nn.Module):
    """An encoder that gives one number, several times."""

    def __init__(self):
        super().__init__()
        self.one = nn.Linear(64, 1)

    def forward(self, x):
        return self.one(x).expand(-1, 3)


# ---------------------------------------------------------------- head


@every_method
def test_projection_goes_through_the_head_and_representation_does_not(method, digits):
    X, _ = digits
    fitted = tiny(method.__name__, projection_layer_sizes=(8, 5)).fit(X)
    Z, P = fitted.transform(X), fitted.project(X)
    assert Z.shape == (len(X), 3) and P.shape == (len(X), 5) and P.dtype == np.float32
    kinds = [type(layer) for layer in fitted.module_.head]
    last = [nn.BatchNorm1d] if method in BLIND else []
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear, *last]
    assert_allclose(P, by_hand(fitted.module_.head, Z), atol=1e-5)


def by_hand(head, hidden):
    """What a head makes of representations, with what training has seen of their statistics."""
    for layer in head:
        weights = {name: value.numpy() for name, value in layer.state_dict().items()}
        if isinstance(layer, nn.Linear):
            hidden = hidden @ weights["weight"].T + weights.get("bias", 0)
        elif isinstance(layer, nn.BatchNorm1d):
            assert np.abs(weights["running_mean"]).max() > 0.01  # else it says nothing
            hidden = (hidden - weights["running_mean"]) / np.sqrt(weights["running_var"] + 1e-5)
            hidden = hidden * weights.get("weight", 1) + weights.get("bias", 0)
        else:
            hidden = np.maximum(0, hidden)
    return hidden


@every_method
def test_without_a_head_the_projection_is_the_representation(method, digits):
    X, _ = digits
    fitted = tiny(method.__name__, projection_layer_sizes=()).fit(X)
    Z, P = fitted.transform(X), fitted.project(X)
    if method in BLIND:  # up to a scale that is not theirs to choose
        Z = by_hand(fitted.module_.head, Z)
    assert_allclose(P, Z, atol=1e-5)


@every_method
def test_projection_of_a_row_does_not_depend_on_the_rows_beside_it(method, digits):
    X, _ = digits
    fitted = tiny(method.__name__).fit(X)
    assert_allclose(fitted.project(X)[:3], fitted.project(X[:3]), atol=1e-5)


@every_method
def test_projection_of_views_is_their_mean(method, digits):
    X, _ = digits
    fitted = tiny(method.__name__).fit(X)
    views = np.stack([X[:20], X[20:40]], axis=1)
    by_hand = (fitted.project(X[:20]) + fitted.project(X[20:40])) / 2
    assert_allclose(fitted.project(views), by_hand, atol=1e-5)


@every_method
def test_head_cannot_change_while_training_goes_on(method, digits):
    X, _ = digits
    fitted = tiny(method.__name__).fit(X).set_params(projection_layer_sizes=(7,))
    with pytest.raises(ValueError, match="projection_layer_sizes changed since"):
        fitted.partial_fit(X)


@every_method
def test_methods_of_the_generative_ones_are_absent(method):
    for name in ("inverse_transform", "sample", "score_samples", "encode"):
        assert not hasattr(method(), name)


# ---------------------------------------------------------------- score


@every_seeing_method
def test_score_is_better_after_training(method, digits):
    X, _ = digits
    short, long = (tiny(method.__name__, max_epochs=n, lr=5e-3).fit(X) for n in (1, 30))
    assert long.score(X) > short.score(X)


@pytest.mark.parametrize("method", [m for m in SEEING if m is not InstanceDiscrimination])
def test_score_is_the_negative_loss(method, digits):
    X, _ = digits
    fitted = tiny(method.__name__, max_epochs=30, lr=5e-3).fit(X)
    # Up to other draws, and to statistics of batch normalization that run behind the weights.
    assert fitted.score(X) == pytest.approx(-fitted.history_[-1]["loss"], rel=0.5)


@every_blind_method
def test_score_of_a_collapsed_net_is_the_best_of_all(method, digits):
    """As their documentation warns."""
    X, _ = digits
    # A teacher that keeps nothing of itself is the network.
    params = {"lr_schedule": "constant", **({"target_momentum": 0.0} if method is BYOL else {})}
    fitted = tiny(method.__name__, **params).fit(X)
    fitted.module_.predictor = nn.Identity()
    sound = fitted.score(X)
    for encoder in [fitted.encoder_, *(m.encoder for m in teachers(fitted.module_))]:
        nn.init.zeros_(encoder[-1].weight)
    best = 1.0 if method is SimSiam else 0.0  # cosines of 1, on whatever scale
    assert sound < best - 0.1
    assert fitted.score(X) == pytest.approx(best, abs=1e-5)


def teachers(module):
    return [module.teacher.module] if hasattr(module, "teacher") else []


def test_score_is_deterministic_under_an_augmentation_by_python(digits):
    X, _ = digits
    scored = tiny("SimCLR", augmentation=lambda x: x * (0.5 + random.random())).fit(X)
    state = random.getstate()
    first = scored.score(X)
    assert random.getstate() == state
    random.random()
    assert scored.score(X) == first


@every_method
def test_score_is_deterministic_and_changes_nothing(method, digits):
    X, _ = digits
    fitted = tiny(method.__name__).fit(X)
    before = {name: value.clone() for name, value in fitted.module_.state_dict().items()}
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    first = fitted.score(X)
    drawn = torch.rand(1), np.random.rand()  # noqa: NPY002
    assert isinstance(first, float) and np.isfinite(first)
    assert fitted.score(X) == first
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    assert (torch.rand(1), np.random.rand()) == drawn  # noqa: NPY002
    assert not fitted.module_.training
    for name, value in fitted.module_.state_dict().items():
        assert torch.equal(value, before[name]), name


# ---------------------------------------------------------------- views


@every_method
def test_a_sample_of_a_single_view_is_refused(method, digits):
    X, _ = digits
    for params, groups in (({"n_views": 1}, None), ({}, [0, *np.repeat(np.arange(1, 80), 2), 1])):
        with pytest.raises(ValueError, match="at least 2 views"):
            tiny(method.__name__, **params).fit(X, groups=groups)


@every_method
def test_groups_of_unequal_size_are_learned_from(method, digits):
    X, _ = digits
    groups = np.repeat(np.arange(64), [2, 3] * 32)
    fitted = tiny(method.__name__, n_views=3).fit(X, groups=groups)
    assert np.isfinite(fitted.transform(X)).all() and np.isfinite(fitted.score(X, groups=groups))


@every_method
def test_padding_of_small_groups_does_not_count(method, digits):
    X, _ = digits
    groups = np.repeat(np.arange(64), [2, 3] * 32)
    fitted = tiny(method.__name__, n_views=3, batch_size=64).fit(X, groups=groups)
    score = fitted.score(X, groups=groups)
    # Were the padding seen, what stands in the first row of a small group would count twice.
    first = np.flatnonzero(np.diff(groups, prepend=-1))[::2]
    doubled = np.insert(X, first, X[first], axis=0)
    assert score != pytest.approx(
        fitted.score(doubled, groups=np.insert(groups, first, groups[first])), rel=1e-4
    )


@every_method
def test_content_is_learned_from_views_that_share_it(method):
    train, test = (
        make_sprites(
            n, image_size=12, n_views=2, shapes=("square", "cross", "ring"), random_state=seed
        )
        for n, seed in ((1000, 0), (300, 1))
    )

    def accuracy(**params):
        fitted = method(
            5,
            input_shape=(12, 12),
            hidden_layer_sizes=(256, 64),
            projection_layer_sizes=(64, 64),
            random_state=0,
            **({"redundancy_weight": 5e-3} if method is BarlowTwins else {}),
            **params,
        ).fit(train.images)
        Z, Z_test = (fitted.transform(part.images[:, 0]) for part in (train, test))
        return KNeighborsClassifier(15).fit(Z, train.target).score(Z_test, test.target)

    learned = accuracy(max_epochs=15, lr=3e-3)
    assert learned > 0.65  # chance is 0.36
    assert learned > 0.05 + accuracy(max_epochs=1, lr=1e-9)


# ---------------------------------------------------------------- collapse


@every_method
def test_full_collapse_is_never_silent(method, digits):
    X, _ = digits
    # Rows that are all the same cannot be told apart by anything.
    with pytest.warns(ConvergenceWarning, match=r"differ by .*% of their size.*Try") as record:
        tiny(method.__name__).fit(np.ones_like(X))
    assert any(method.__name__ in str(warning.message) for warning in record)


@every_method
def test_collapse_onto_a_line_is_never_silent(method, digits):
    X, _ = digits
    seen = r"lie on a line, with an effective rank of 1\.00 in 3 dimensions.*Try"
    with pytest.warns(ConvergenceWarning, match=seen) as record:
        tiny(method.__name__, encoder=OnALine()).fit(X)
    assert any(method.__name__ in str(warning.message) for warning in record)


@every_method
def test_a_sound_fit_does_not_warn(method, digits):
    X, _ = digits
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny(method.__name__, max_epochs=20).fit(X)


@every_method
def test_a_single_component_is_no_collapse(method, digits):
    X, _ = digits
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny(method.__name__, n_components=1, max_epochs=20).fit(X)


@every_method
def test_batches_of_large_sets_are_those_of_the_documentation(method):
    # SimCLR's negatives come of the batch.
    largest = 512 if method is SimCLR else 256
    assert batch_size(method(), method()._needs(), 100_000) == largest
    assert batch_size(method(), method()._needs(), 1_000) == 50
    assert batch_size(method(batch_size=7), method()._needs(), 100_000) == 7


@pytest.mark.parametrize("name", ["SimCLR", "VICReg", "BarlowTwins", "InstanceDiscrimination"])
def test_batches_of_one_are_refused_by_score_and_validation_as_by_fit(name, digits):
    X = digits[0]
    estimator = tiny(name, batch_size=2, projection_layer_sizes=()).fit(X[:20])
    assert np.isfinite(estimator.score(X[:4]))
    with pytest.raises(ValueError, match=r"needs at least 2; .* make batches of 1"):
        estimator.score(X[:3])
    estimator.set_params(early_stopping=True, validation_fraction=3 / 23)
    with pytest.raises(ValueError, match=r"needs at least 2; .* make batches of 1"):
        estimator.fit(X[:23])
