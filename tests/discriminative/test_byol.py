"""BYOL: a teacher that follows, and a target without gradient."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from predictions import SMALL, Batch, Before
from torch import nn
from torch.nn import functional as F

from sklearn_simvae import BYOL, SimSiam
from sklearn_simvae.networks import Teacher


def followed(module):
    """The weights that a teacher follows, by name."""
    return {
        name: weight
        for name, weight in module.named_parameters()
        if name.startswith(("encoder.", "head."))
    }


@pytest.fixture
def decays(monkeypatch):
    """How much of itself the teacher keeps at each step."""
    seen, follow = [], Teacher.follow

    def spy(self, student, decay):
        seen.append(decay)
        return follow(self, student, decay)

    monkeypatch.setattr(Teacher, "follow", spy)
    return seen


def test_teacher_begins_as_the_network(digits):
    X, _ = digits
    spy = Before()
    BYOL(**SMALL, callbacks=spy).fit(X)
    own = dict(spy.modules[0].teacher.module.named_parameters())
    theirs = followed(spy.modules[0])
    # Encoder and head: it has nothing to predict.
    assert own.keys() == theirs.keys()
    assert all(torch.equal(own[name], theirs[name]) for name in own)


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.99, 1.0])
def test_teacher_is_the_moving_average_of_encoder_and_head(digits, decay):
    X, _ = digits
    spy = Before()
    params = {**SMALL, "lr": 1e-2, "batch_size": 40, "lr_schedule": "constant"}
    fitted = BYOL(**{**params, "max_epochs": 1}, target_momentum=decay, callbacks=spy).fit(X)
    modules = [*spy.modules, fitted.module_]
    assert len(modules) == 5
    for before, after in pairwise(modules):
        old, students = dict(before.teacher.module.named_parameters()), followed(after)
        for name, new in after.teacher.module.named_parameters():
            expected = decay * old[name] + (1 - decay) * students[name]
            torch.testing.assert_close(new, expected, atol=1e-6, rtol=1e-5)
    # The network itself has moved.
    first, last = followed(modules[0]), followed(modules[-1])
    assert all((first[name] - last[name]).abs().max() > 1e-4 for name in first)


def test_ends_of_the_decay_are_exact(digits):
    X, _ = digits
    for decay in (0.0, 1.0):
        spy = Before()
        params = {**SMALL, "lr_schedule": "constant", "target_momentum": decay, "callbacks": spy}
        module = BYOL(**params).fit(X).module_
        expected = followed(module if decay == 0 else spy.modules[0])
        own = dict(module.teacher.module.named_parameters())
        assert all(torch.equal(own[name], expected[name]) for name in expected)


@pytest.mark.parametrize("lr_schedule", ["one_cycle", "cosine"])
def test_decay_rises_to_one_over_the_fit(digits, decays, lr_schedule):
    X, _ = digits
    BYOL(**SMALL, target_momentum=0.9, lr_schedule=lr_schedule).fit(X)
    assert len(decays) == 20
    assert (np.diff(decays) > 0).all()
    assert decays[0] == pytest.approx(0.9, abs=0.002) and decays[-1] == pytest.approx(1.0)
    # Half a cosine, by the fraction of the steps that are done.
    expected = [1 - 0.1 * (1 + math.cos(math.pi * step / 20)) / 2 for step in range(1, 21)]
    assert decays == pytest.approx(expected)


def test_decay_is_constant_where_the_learning_rate_is(digits, decays):
    X, _ = digits
    fitted = BYOL(**SMALL, target_momentum=0.9, lr_schedule="constant").fit(X)
    assert decays == [0.9] * 20
    decays.clear()
    fitted.set_params(lr_schedule="one_cycle").partial_fit(X)
    assert decays == [0.9] * 10


def test_teacher_is_not_trained(digits):
    X, _ = digits
    spy = Before()
    fitted = BYOL(**SMALL, weight_decay=0.1, callbacks=spy).fit(X)
    module, optimizer = fitted.module_, fitted.net_.optimizer_
    for weight in module.teacher.parameters():
        assert not weight.requires_grad and weight.grad is None
        assert weight not in optimizer.state
    # Its output neither: all gradient is that of the views' own predictions.
    own, target = fitted._project(module, SimpleViews(torch.rand(4, 2, 64)))
    assert own.requires_grad and not target.requires_grad


class SimpleViews(Batch):
    def __init__(self, views):
        self.views = views


def test_score_compares_with_the_teacher_and_representations_do_not(digits):
    X, _ = digits
    fitted = BYOL(**SMALL).fit(X)
    Z, P, score = fitted.transform(X), fitted.project(X), fitted.score(X)
    for weight in fitted.module_.teacher.parameters():
        nn.init.normal_(weight)
    np.testing.assert_array_equal(fitted.transform(X), Z)
    np.testing.assert_array_equal(fitted.project(X), P)
    assert fitted.score(X) != pytest.approx(score, abs=1e-3)


def test_teacher_normalizes_by_what_it_sees_itself(digits):
    X, _ = digits
    params = {**SMALL, "lr_schedule": "constant", "lr": 1e-2, "max_epochs": 5}
    module = BYOL(**params, target_momentum=1.0).fit(X).module_
    own, student = module.teacher.module.head[1], module.head[1]
    assert own.num_batches_tracked == student.num_batches_tracked == 50
    assert not torch.allclose(own.running_mean, student.running_mean, atol=1e-2)
    # After so many batches, its average is that of the weights it began with.
    fresh = BYOL(**{**params, "lr": 1e-12}).fit(X).module_.head[1]
    torch.testing.assert_close(own.running_mean, fresh.running_mean, atol=1e-4, rtol=1e-3)


def test_byol_scores_by_hand(digits):
    X, _ = digits
    fitted = BYOL(**SMALL, augmentation=None).fit(X)
    module, views = fitted.module_, np.stack([X[:40], X[40:80], X[80:120]], axis=1)
    with torch.no_grad():
        rows = torch.from_numpy(views)
        z = [module.head(module.encoder(rows[:, view])) for view in range(3)]
        p = [module.predictor(part) for part in z]
        teacher = module.teacher.module
        t = [teacher.head(teacher.encoder(rows[:, view])) for view in range(3)]
        distances = [
            (F.normalize(p[j], dim=1) - F.normalize(t[k], dim=1)).square().sum(1).mean()
            for j in range(3)
            for k in range(3)
            if j != k
        ]
    expected = -float(torch.stack(distances).mean())
    assert fitted.score(views) == pytest.approx(expected, rel=1e-4)
    # Toward itself, SimSiam has cosines.
    fitted = SimSiam(**SMALL, augmentation=None).fit(X)
    module = fitted.module_
    with torch.no_grad():
        z = [module.head(module.encoder(rows[:, view])) for view in range(3)]
        p = [module.predictor(part) for part in z]
        cosines = [
            F.cosine_similarity(p[j], z[k], dim=1).mean()
            for j in range(3)
            for k in range(3)
            if j != k
        ]
    assert fitted.score(views) == pytest.approx(float(torch.stack(cosines).mean()), rel=1e-4)
