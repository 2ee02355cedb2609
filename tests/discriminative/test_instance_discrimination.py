"""Instance discrimination: a prototype for each sample, as weights or as a memory."""

import copy
import importlib
import pickle

import numpy as np
import pytest
import torch
from conftest import TINY, RaiseAt, Spy
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from skorch.callbacks import Callback
from torch.nn import functional as F

from sklearn_simvae import InstanceDiscrimination

source = importlib.import_module("sklearn_simvae.discriminative.instance_discrimination")

SMALL = {**TINY, "lr": 1e-3, "projection_layer_sizes": (16, 8)}
# Weights stand still, and a head without hidden layers gives a row the same in any batch.
STILL = {**TINY, "lr": 1e-12, "projection_layer_sizes": (5,)}


class Before(Callback):
    """Keeps the network as it was before each step, and the batch."""

    def __init__(self):
        self.steps = []

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            self.steps.append((copy.deepcopy(net.module_), batch[0]))


@pytest.fixture
def pairs(digits):
    """Two given views of each of 80 samples, (n, 2, d)."""
    X, _ = digits
    return X.reshape(80, 2, 64)


@pytest.fixture
def negatives(monkeypatch):
    """The negatives that each step compares with."""
    seen, terms = [], source.instance_discrimination

    def spy(z, prototypes, indices, temperature, mask=None, negatives=None, **kwargs):
        seen.append(negatives)
        return terms(z, prototypes, indices, temperature, mask, negatives, **kwargs)

    monkeypatch.setattr(source, "instance_discrimination", spy)
    return seen


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def directions(fitted, X):
    """Normalized projections of given views, (n, n_views, d)."""
    return unit(np.stack([fitted.project(X[:, view]) for view in range(X.shape[1])], axis=1))


def prototypes(fitted):
    return fitted.module_.prototypes.values.detach().numpy()


# ---------------------------------------------------------------- weights


def test_prototypes_are_one_trained_weight_for_each_sample(digits):
    X, _ = digits
    spy = Spy()
    fitted = InstanceDiscrimination(**SMALL, callbacks=spy).fit(X)
    first, second = (weights["prototypes.values"] for weights in spy.seen("epoch_end", "weights"))
    assert first.shape == (len(X), 8)
    # Each sample is seen once an epoch, and each is pushed by all others.
    assert ((first - second).abs().amax(1) > 1e-4).all()
    assert fitted.module_.prototypes.values in fitted.net_.optimizer_.state


@pytest.mark.parametrize("memory_bank", [False, True])
def test_prototypes_begin_as_the_projections_of_their_samples(pairs, memory_bank):
    spy = Before()
    InstanceDiscrimination(**SMALL, memory_bank=memory_bank, callbacks=spy).fit(pairs)
    module, _ = spy.steps[0]
    with torch.no_grad():
        latents = module.eval().encoder(torch.tensor(pairs).flatten(0, 1)).unflatten(0, (80, 2))
        expected = F.normalize(module.head(latents.mean(1)), dim=1)
    torch.testing.assert_close(module.prototypes.values.detach(), expected)


def test_loss_is_the_softmax_over_all_samples(pairs):
    fitted = InstanceDiscrimination(**{**STILL, "max_epochs": 1}, temperature=0.3).fit(pairs)
    # Shuffled batches: this comes out where each view is told as its own sample alone.
    logits = directions(fitted, pairs) @ prototypes(fitted).T / 0.3
    own = np.take_along_axis(logits, np.arange(80)[:, None, None], axis=2)[..., 0]
    assert fitted.history_[0]["alignment"] == pytest.approx(-own.mean(), rel=1e-4)
    loss = (logsumexp(logits, axis=2) - own).mean()
    assert fitted.history_[0]["loss"] == pytest.approx(loss, rel=1e-4)


# ---------------------------------------------------------------- memory


@pytest.mark.parametrize("momentum", [0.0, 0.3, 1.0])
def test_memory_is_the_momentum_average_of_projections(pairs, momentum):
    spy = Before()
    params = {**SMALL, "max_epochs": 1, "batch_size": 20, "memory_bank": True}
    fitted = InstanceDiscrimination(**params, memory_momentum=momentum, callbacks=spy).fit(pairs)
    # Every sample is met once, by the weights of its step and in the company of its batch.
    assert len(spy.steps) == 4
    for module, batch in spy.steps:
        with torch.no_grad():
            new = F.normalize(module.train()(batch.views), dim=-1).mean(1)
        old = module.prototypes.values.detach()[batch.indices]
        expected = F.normalize(momentum * old + (1 - momentum) * new, dim=1)
        torch.testing.assert_close(
            fitted.module_.prototypes.values.detach()[batch.indices], expected, atol=1e-5, rtol=1e-4
        )


def test_memory_is_not_touched_by_the_optimizer(digits):
    X, _ = digits
    # A momentum of 1 leaves the memory as it is, where nothing else moves it; decay would.
    spy = Spy()
    fitted = InstanceDiscrimination(
        **SMALL, memory_bank=True, memory_momentum=1.0, weight_decay=0.1, callbacks=spy
    ).fit(X)
    first, second = (weights["prototypes.values"] for weights in spy.seen("epoch_end", "weights"))
    torch.testing.assert_close(first, second)
    assert fitted.module_.prototypes.values not in fitted.net_.optimizer_.state
    assert fitted.module_.prototypes.values.grad is None


def test_each_place_in_memory_is_that_of_its_sample(pairs):
    """Rows are known by their values, whatever order they are learned in."""
    fitted = InstanceDiscrimination(**STILL, memory_bank=True, memory_momentum=0.0).fit(pairs)
    expected = unit(directions(fitted, pairs).mean(1))
    assert_allclose(prototypes(fitted), expected, atol=1e-5)
    # No two of them are the same, so that no other order would do.
    gaps = np.linalg.norm(expected[:, None] - expected, axis=2)
    assert np.sort(gaps, axis=1)[:, 1].min() > 1e-4


def test_each_place_in_memory_is_that_of_its_group(digits):
    X, _ = digits
    order = np.random.default_rng(0).permutation(len(X))
    groups = np.repeat(np.arange(64), [2, 3] * 32)
    fitted = InstanceDiscrimination(**STILL, memory_bank=True, memory_momentum=0.0, n_views=3).fit(
        X[order], groups=groups[order]
    )
    P = unit(fitted.project(X))
    expected = unit(np.stack([P[groups == group].mean(0) for group in range(64)]))
    assert_allclose(prototypes(fitted), expected, atol=1e-5)


def test_memory_is_taken_for_large_sets_alone(digits, monkeypatch):
    X, _ = digits
    assert source._LARGEST_SOFTMAX == 10_000
    monkeypatch.setattr(source, "_LARGEST_SOFTMAX", 100)
    for n, trained in ((100, True), (101, False)):
        fitted = InstanceDiscrimination(**SMALL).fit(X[:n])
        assert fitted.module_.prototypes.values.requires_grad is trained
    # What is asked for is what is done.
    for memory_bank in (True, False):
        fitted = InstanceDiscrimination(**SMALL, memory_bank=memory_bank).fit(X)
        assert fitted.module_.prototypes.values.requires_grad is not memory_bank


@pytest.mark.parametrize("n", [50, 160])
def test_negatives_of_a_step_are_as_many_whatever_the_size_of_the_set(digits, negatives, n):
    X, _ = digits
    InstanceDiscrimination(**SMALL, memory_bank=True, n_negatives=20).fit(X[:n])
    assert [len(drawn) for drawn in negatives] == [20] * (2 * -(-n // 16))
    drawn = torch.cat(negatives)
    # Of all samples, and others each time.
    assert drawn.min() >= 0 and n * 0.8 < drawn.max() < n
    assert not torch.equal(negatives[0], negatives[1])


@pytest.mark.parametrize("n_negatives", [80, 4096])
def test_with_as_many_negatives_as_samples_the_softmax_is_over_all(pairs, negatives, n_negatives):
    params = {**STILL, "max_epochs": 1, "memory_momentum": 1.0}
    full = InstanceDiscrimination(**params).fit(pairs)
    memory = InstanceDiscrimination(**params, memory_bank=True, n_negatives=n_negatives).fit(pairs)
    assert set(negatives) == {None}
    assert memory.history_[0]["loss"] == pytest.approx(full.history_[0]["loss"], rel=1e-5)


def test_some_negatives_estimate_the_softmax_over_all(pairs):
    params = {**STILL, "memory_bank": True, "memory_momentum": 1.0, "max_epochs": 20}
    full = InstanceDiscrimination(**params).fit(pairs)
    some = InstanceDiscrimination(**params, n_negatives=40).fit(pairs)
    losses = [row["loss"] for row in some.history_]
    assert np.mean(losses) == pytest.approx(full.history_[0]["loss"], rel=0.03)
    assert np.std(losses) > 0


# ---------------------------------------------------------------- going on


@pytest.mark.parametrize("memory_bank", [False, True])
@pytest.mark.parametrize("n", [40, 160])
def test_going_on_gives_prototypes_to_the_samples_that_there_are(digits, memory_bank, n):
    X, _ = digits
    params = {**STILL, "memory_bank": memory_bank, "memory_momentum": 1.0, "augmentation": None}
    for method in ("partial_fit", "fit"):
        fitted = InstanceDiscrimination(**params, warm_start=True).fit(X[:100])
        other = X[::-1][:n]
        getattr(fitted, method)(other)
        assert_allclose(prototypes(fitted), unit(fitted.project(other)), atol=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_prototypes_of_new_samples_are_trained(digits, optimizer):
    X, _ = digits
    fitted = InstanceDiscrimination(**SMALL, optimizer=optimizer).fit(X[:100])
    spy = Before()
    fitted.set_params(callbacks=spy).partial_fit(X)
    before = spy.steps[0][0].prototypes.values.detach().numpy()
    assert before.shape == (160, 8)
    assert (np.abs(prototypes(fitted) - before).max(1) > 1e-6).all()


@pytest.mark.parametrize("memory_bank", [False, True])
@pytest.mark.parametrize("hook", ["batch_end", "epoch_end"])
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_failing_second_fit_leaves_the_first(digits, memory_bank, hook, warm_start):
    X, _ = digits
    fitted = InstanceDiscrimination(**SMALL, memory_bank=memory_bank, warm_start=warm_start)
    fitted.fit(X[:100])
    kept = prototypes(fitted).copy(), fitted.transform(X), fitted.score(X)
    fitted.set_params(callbacks=RaiseAt(hook, 3 if warm_start else 1, RuntimeError("enough")))
    with pytest.raises(RuntimeError, match="enough"):
        fitted.fit(X)
    assert prototypes(fitted).shape == (100, 8)
    for value, expected in zip(
        (prototypes(fitted), fitted.transform(X), fitted.score(X)), kept, strict=True
    ):
        assert_allclose(value, expected, rtol=0, atol=0)
    # And it can go on from there.
    fitted.set_params(callbacks=None).fit(X)
    assert prototypes(fitted).shape == (160, 8)


def test_early_stopping_has_prototypes_of_the_training_part(digits):
    X, _ = digits
    fitted = InstanceDiscrimination(**SMALL, early_stopping=True, validation_fraction=0.25).fit(X)
    assert prototypes(fitted).shape == (120, 8)
    assert all(np.isfinite(row["valid_loss"]) for row in fitted.history_)


@pytest.mark.parametrize("memory_bank", [False, True])
def test_pickle_holds_all_of_it(digits, memory_bank):
    X, _ = digits
    fitted = InstanceDiscrimination(**SMALL, memory_bank=memory_bank).fit(X)
    other = pickle.loads(pickle.dumps(fitted))
    assert other.score(X) == fitted.score(X)
    assert_allclose(prototypes(other), prototypes(fitted), rtol=0, atol=0)
    for each in (fitted, other):
        each.partial_fit(X[:90])
    assert_allclose(other.transform(X), fitted.transform(X), rtol=0, atol=0)
    assert_allclose(prototypes(other), prototypes(fitted), rtol=0, atol=0)


# ---------------------------------------------------------------- score


@pytest.mark.parametrize("n_views", [2, 3])
def test_score_tells_each_view_among_the_means_of_the_others(digits, n_views):
    X, _ = digits
    fitted = InstanceDiscrimination(
        **SMALL, temperature=0.2, augmentation=None, n_views=n_views, batch_size=20
    ).fit(X)
    # Of samples that were never seen, in even batches: 50 are 17, 17 and 16.
    unseen = np.random.default_rng(0).random((50, n_views, 64), dtype=np.float32)
    P, losses = directions(fitted, unseen), []
    for part in np.array_split(P, 3):
        for view in range(n_views):
            others = unit(np.delete(part, view, axis=1).mean(1))
            logits = part[:, view] @ others.T / 0.2
            losses.extend(logsumexp(logits, axis=1) - np.diag(logits))
    assert len(losses) == 50 * n_views
    assert fitted.score(unseen) == pytest.approx(-np.mean(losses), rel=1e-4)
    assert fitted.score(unseen) == fitted.score(unseen)


def test_score_does_not_depend_on_prototypes(digits):
    X, _ = digits
    fitted = InstanceDiscrimination(**SMALL).fit(X)
    before = fitted.score(X)
    fitted.module_.prototypes.values.data.normal_()
    assert fitted.score(X) == before


def test_objective_of_the_validation_part_is_the_score(pairs):
    fitted = InstanceDiscrimination(
        **{**SMALL, "max_epochs": 1}, early_stopping=True, validation_fraction=0.25
    ).fit(pairs)
    # With one epoch, the best weights are the last.
    order = np.random.default_rng(np.random.RandomState(0).randint(2**31 - 1)).permutation(80)
    valid = pairs[np.sort(order[:20])]
    assert fitted.score(valid) == pytest.approx(-fitted.history_[0]["valid_loss"], rel=1e-5)


def test_each_view_counts_once_where_few_samples_have_many():
    estimator = InstanceDiscrimination(temperature=1.0)
    z = torch.eye(4)[torch.arange(100) % 4][:, None].repeat(1, 3, 1)
    mask = torch.ones(100, 3, dtype=torch.bool)
    mask[1:, 2] = False
    before = estimator._loss_of_strangers(z, mask).loss
    z[0, 2] *= -1
    # One of 201 views, whose loss is at most 2 larger, and one that shares a mean with it.
    assert abs(estimator._loss_of_strangers(z, mask).loss - before) < 4 / 201
