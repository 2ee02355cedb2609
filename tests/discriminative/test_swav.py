"""SwAV: the queue, crops of several sizes, and prototypes that are learned."""

import importlib
import sys

import numpy as np
import pytest
import torch
from conftest import TINY, Spy
from torch.nn import functional as F

from sklearn_simvae import SwAV
from sklearn_simvae.views import MultiView, RandomResizedCrop

losses = importlib.import_module("sklearn_simvae.losses.swav")
source = sys.modules["sklearn_simvae.discriminative.swav"]

SMALL = {**TINY, "lr": 1e-3, "projection_layer_sizes": (16, 8), "n_prototypes": 10}
# Weights stand still, and a head without hidden layers gives a row the same in any batch.
STILL = {**SMALL, "lr": 1e-12, "projection_layer_sizes": (5,)}


@pytest.fixture
def pairs(digits):
    """Two given views of each of 80 samples, (n, 2, d)."""
    X, _ = digits
    return X.reshape(80, 2, 64)


@pytest.fixture
def queued(monkeypatch):
    """Shapes of the scores of earlier projections that each step is given, or None."""
    seen, terms = [], source.swav

    def spy(*args, **kwargs):
        seen.append(None if args[-1] is None else tuple(args[-1].shape))
        return terms(*args, **kwargs)

    monkeypatch.setattr(source, "swav", spy)
    return seen


@pytest.fixture
def balanced(monkeypatch):
    """The scores that are shared out over clusters."""
    seen, sinkhorn = [], losses.sinkhorn

    def spy(scores, *args):
        seen.append(scores.detach().clone())
        return sinkhorn(scores, *args)

    monkeypatch.setattr(losses, "sinkhorn", spy)
    return seen


class First(Spy):
    """Keeps the queue as it was before the first step."""

    def on_batch_begin(self, net, **kwargs):
        if "batch_begin" not in self.hooks():
            self.queue = net.module_.queue.projections.clone()
        super().on_batch_begin(net, **kwargs)


class Batch:
    """As much of a batch as the loss looks at."""

    mask = None


def queue_of(fitted):
    return fitted.module_.queue.projections.clone()


def projected(fitted, batch):
    """Normalized projections by view, (n_views, batch, d)."""
    views = torch.as_tensor(batch).transpose(0, 1)
    P = [torch.from_numpy(fitted.project(view.numpy())) for view in views]
    return F.normalize(torch.stack(P), dim=-1)


# ---------------------------------------------------------------- queue


@pytest.mark.parametrize(
    ("params", "size"),
    [
        # Four samples a prototype, of which the batch has 16.
        ({}, 24),
        ({"batch_size": 30}, 10),
        ({"batch_size": 40}, 0),
        ({"n_prototypes": 4}, 0),
        # No more than there are samples.
        ({"n_prototypes": 100}, 160),
        ({"queue_size": 500}, 160),
        ({"queue_size": 7}, 7),
        ({"queue_size": 0}, 0),
        ({"n_global_views": 1}, 24),
    ],
)
def test_queue_is_as_long_as_batches_are_short(digits, queued, params, size):
    X, _ = digits
    fitted = SwAV(**{**SMALL, **params}).fit(X)
    n_views, n_prototypes = fitted.n_global_views, fitted.n_prototypes
    assert queue_of(fitted).shape == (n_views, size, 8)
    assert set(queued) == {(n_views, size, n_prototypes) if size else None}


@pytest.mark.parametrize("early_stopping", [False, True])
def test_queue_holds_the_last_projections_newest_first(pairs, early_stopping):
    """Whatever is validated after the epoch."""
    spy = Spy()
    fitted = SwAV(
        **{**STILL, "max_epochs": 1}, callbacks=spy, early_stopping=early_stopping, queue_size=40
    ).fit(pairs)
    batches = [
        kwargs["batch"][0].views
        for hook, kwargs in spy.calls
        if hook == "batch_begin" and kwargs["training"]
    ]
    expected = projected(fitted, torch.cat(batches[::-1])[:40])
    torch.testing.assert_close(queue_of(fitted), expected, atol=1e-5, rtol=1e-4)
    # Views are kept apart.
    assert not torch.allclose(expected[0], expected[1], atol=1e-2)


def test_queue_begins_with_projections_of_the_samples(pairs):
    spy = First()
    fitted = SwAV(**STILL, queue_size=80, callbacks=spy).fit(pairs)
    Z = torch.from_numpy(fitted.transform(pairs))
    # As whole samples: the head projects the mean of the views.
    expected = F.normalize(fitted.module_.head(Z).detach(), dim=1)
    for queue in spy.queue:
        torch.testing.assert_close(queue, expected, atol=1e-5, rtol=1e-4)


def test_queue_is_normalized_after_training(digits):
    X, _ = digits
    queue = queue_of(SwAV(**{**SMALL, "max_epochs": 5, "lr": 1e-2}).fit(X))
    torch.testing.assert_close(queue.norm(dim=-1), torch.ones(2, 24))
    assert not queue.requires_grad
    assert queue[0].std(0).max() > 0.01


def test_score_has_no_queue_and_leaves_it_alone(digits, queued):
    X, _ = digits
    fitted = SwAV(**SMALL).fit(X)
    before = queue_of(fitted)
    queued.clear()
    score = fitted.score(X[:50])
    fitted.transform(X), fitted.project(X)
    assert set(queued) == {None}
    assert torch.equal(queue_of(fitted), before)
    fitted.module_.queue.projections.normal_()
    assert fitted.score(X[:50]) == score


def test_queue_is_shared_out_along_with_the_batch(pairs, balanced):
    fitted = SwAV(**STILL).fit(pairs)
    balanced.clear()
    queue, module = queue_of(fitted), fitted.module_.train()
    z = torch.randn(6, 2, 5)
    fitted._loss(z, Batch(), module)
    prototypes = F.normalize(module.prototypes.detach(), dim=1)
    for view, scores in enumerate(balanced):
        rows = torch.cat([F.normalize(z[:, view], dim=1), queue[view]])
        torch.testing.assert_close(scores, rows @ prototypes.T)
    assert len(balanced) == 2


# ---------------------------------------------------------------- views


def augmentation_of(fitted, X):
    return fitted._reader().view_maker(fitted._read(X)).augmentation


def test_further_views_of_images_are_small_crops(digits):
    X, _ = digits
    fitted = SwAV(**SMALL, input_shape=(8, 8), n_views=4).fit(X)
    augmentation = augmentation_of(fitted, X)
    assert isinstance(augmentation, MultiView)
    # The last step makes all further views.
    steps = [augmentation.steps[min(view, len(augmentation.steps) - 1)] for view in range(4)]
    assert all(isinstance(step, RandomResizedCrop) for step in steps)
    large, small = (0.4, 1.0), (0.1, 0.4)
    assert [tuple(step.scale) for step in steps] == [large, large, small, small]


def test_small_crops_of_color_images_change_colors_as_large_ones_do(sprites):
    X = sprites[:, 0]
    fitted = SwAV(**SMALL, n_views=4, encoder="mlp").fit(X)
    large, _, small = augmentation_of(fitted, X).steps
    assert [type(step) for step in large.steps] == [type(step) for step in small.steps]
    assert (large.steps[-1].scale, small.steps[-1].scale) == ((0.6, 1.0), (0.1, 0.4))


@pytest.mark.parametrize("params", [{"n_views": 2}, {"n_views": 3, "n_global_views": 3}])
def test_without_further_views_there_are_no_small_crops(digits, params):
    X, _ = digits
    fitted = SwAV(**SMALL, input_shape=(8, 8), **params).fit(X)
    assert isinstance(augmentation_of(fitted, X), RandomResizedCrop)


def test_users_augmentation_makes_all_views(digits):
    X, _ = digits
    crop = RandomResizedCrop((0.5, 1.0))
    fitted = SwAV(**SMALL, input_shape=(8, 8), n_views=4, augmentation=crop).fit(X)
    assert augmentation_of(fitted, X) is crop


@pytest.mark.parametrize("n_global_views", [1, 2, 3])
def test_only_global_views_are_assigned(digits, balanced, n_global_views):
    X, _ = digits
    fitted = SwAV(**STILL, n_views=4, n_global_views=n_global_views, queue_size=0).fit(X)
    assert len(balanced) == 2 * 10 * n_global_views
    balanced.clear()
    z = F.normalize(torch.randn(6, 4, 5), dim=-1)
    fitted._loss(z, Batch(), fitted.module_)
    prototypes = F.normalize(fitted.module_.prototypes.detach(), dim=1)
    assert len(balanced) == n_global_views
    for view, scores in enumerate(balanced):
        torch.testing.assert_close(scores, z[:, view] @ prototypes.T)


def test_vectors_have_further_views_too(digits):
    X, _ = digits
    fitted = SwAV(**SMALL, n_views=4).fit(X)
    assert np.isfinite(fitted.transform(X)).all() and np.isfinite(fitted.score(X))


@pytest.mark.parametrize("n_global_views", [1, 2, 3])
def test_each_sample_needs_the_global_views_and_one_to_tell(digits, n_global_views):
    X, _ = digits
    needed = max(2, n_global_views)
    method = SwAV(**SMALL, n_global_views=n_global_views, kind="vector")
    groups = np.arange(120) // needed
    lacking = np.where(np.arange(120) == 0, -1, groups)  # a group of one row
    for n_views, given, which in (
        (needed - 1, X, None),
        (4, X[: 40 * (needed - 1)].reshape(40, needed - 1, 64), None),
        (4, X[:120], lacking),
    ):
        with pytest.raises(ValueError, match=f"at least {needed} views"):
            method.set_params(n_views=n_views).fit(given, groups=which)
    for n_views, given, which in (
        (needed, X, None),
        (4, X[: 40 * needed].reshape(40, needed, 64), None),
        (4, X[:120], groups),
    ):
        method.set_params(n_views=n_views).fit(given, groups=which)
        assert np.isfinite(method.score(given, groups=which))


def test_groups_may_have_further_views_or_none(digits):
    X, _ = digits
    groups = np.repeat(np.arange(64), [2, 3] * 32)
    fitted = SwAV(**SMALL, n_views=3).fit(X, groups=groups)
    assert queue_of(fitted).shape == (2, 24, 8)
    assert np.isfinite(fitted.history_[-1]["loss"])


# ---------------------------------------------------------------- prototypes


def test_prototypes_are_learned(digits):
    X, _ = digits
    first, second = (
        SwAV(**{**SMALL, "lr": lr}).fit(X).module_.prototypes.detach() for lr in (1e-12, 1e-2)
    )
    assert first.shape == (10, 8)
    torch.testing.assert_close(first.norm(dim=1), torch.ones(10))
    assert ((first - second).abs().amax(1) > 1e-3).all()


def test_prototypes_are_used_about_evenly_after_training(digits):
    X, _ = digits
    fitted = SwAV(**{**SMALL, "max_epochs": 30, "lr": 5e-3}).fit(X)
    P = F.normalize(torch.from_numpy(fitted.project(X)), dim=1)
    told = (P @ F.normalize(fitted.module_.prototypes.detach(), dim=1).T).argmax(1)
    assert torch.bincount(told, minlength=10).max() < len(X) / 3


@pytest.mark.parametrize("go_on", ["fit", "partial_fit"])
def test_number_of_prototypes_cannot_change_while_training_goes_on(digits, go_on):
    X, _ = digits
    fitted = SwAV(**SMALL, warm_start=True).fit(X)
    before = fitted.transform(X)
    with pytest.raises(ValueError, match="n_prototypes changed since"):
        getattr(fitted.set_params(n_prototypes=11), go_on)(X)
    np.testing.assert_array_equal(fitted.transform(X), before)
    getattr(fitted.set_params(n_prototypes=10), go_on)(X[:50])
    assert len(fitted.module_.prototypes) == 10


def test_queue_goes_on_where_its_shape_does(pairs):
    spy = First()
    fitted = SwAV(**STILL, queue_size=40).fit(pairs)
    before = queue_of(fitted)
    fitted.set_params(callbacks=spy).partial_fit(pairs[:40])
    assert torch.equal(spy.queue, before)
    # It cannot hold more than there is to learn from, nor views that are no longer assigned.
    fitted.set_params(callbacks=None).partial_fit(pairs[:30])
    assert queue_of(fitted).shape == (2, 30, 5)
    fitted.set_params(n_global_views=1).partial_fit(pairs)
    assert queue_of(fitted).shape == (1, 40, 5)
