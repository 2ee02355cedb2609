"""DeepCluster: the clusters of an epoch, what is learned from them, and how new rows are told."""

import copy
import importlib
import warnings

import numpy as np
import pytest
import torch
from conftest import TINY
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from sklearn.datasets import load_wine, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import normalized_mutual_info_score
from skorch.callbacks import Callback

from sklearn_simvae import DeepCluster

source = importlib.import_module("sklearn_simvae.discriminative.deep_cluster")

SMALL = {**TINY, "lr": 1e-3, "projection_layer_sizes": (16, 8), "n_clusters": 10}


class Steps(Callback):
    """Keeps the network and the optimizer as they were before each step, and the batch."""

    def __init__(self):
        self.steps = []

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            moments = {
                name: net.optimizer_.state.get(parameter, {}).get("exp_avg")
                for name, parameter in net.module_.named_parameters()
            }
            moments = {k: None if m is None else m.clone() for k, m in moments.items()}
            self.steps.append((copy.deepcopy(net.module_).eval(), moments, batch[0]))


@pytest.fixture
def pairs(digits):
    """Two given views of each of 80 samples, (n, 2, d)."""
    X, _ = digits
    return X.reshape(80, 2, 64)


@pytest.fixture
def told(monkeypatch):
    """The labels that each step learns from."""
    seen, terms = [], source.deep_cluster

    def spy(z, prototypes, labels, *args, **kwargs):
        seen.append(labels)
        return terms(z, prototypes, labels, *args, **kwargs)

    monkeypatch.setattr(source, "deep_cluster", spy)
    return seen


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def numbers(module, *names):
    return [getattr(module, name).detach().numpy().astype(float) for name in names]


def nearest_centers(module, Z):
    """The clusters of representations."""
    mean, whitening, centers = numbers(module.clusters, "mean", "whitening", "centers")
    features = unit((Z - mean) @ whitening)
    return np.linalg.norm(features[:, None] - centers, axis=2).argmin(1)


# ---------------------------------------------------------------- empty clusters


@st.composite
def clusterings(draw):
    """Rows, more than there are centers, that are assigned anyhow."""
    n = draw(st.integers(1, 12))
    n_clusters = draw(st.integers(1, n))
    d = draw(st.integers(1, 3))
    # Whole numbers: many ties and many rows that are the same.
    numbers = st.integers(-2, 2).map(float)
    features = draw(arrays(float, (n, d), elements=numbers))
    labels = draw(arrays(np.int64, n, elements=st.integers(0, n_clusters - 1)))
    if draw(st.booleans()):  # as k-means has it, or as anything might
        centers = [
            features[labels == k].mean(0) if k in labels else np.ones(d) for k in range(n_clusters)
        ]
        centers = np.array(centers)
    else:
        centers = draw(arrays(float, (n_clusters, d), elements=numbers))
    return features, centers, labels


@settings(deadline=None, max_examples=100)
@given(clusterings())
def test_reseeding_leaves_no_cluster_empty(clustering):
    features, centers, labels = clustering
    before = [part.copy() for part in clustering]
    new_centers, new_labels = source.reseed_empty_clusters(features, centers, labels)
    # What was given stays as it was.
    for part, expected in zip(clustering, before, strict=True):
        assert_array_equal(part, expected)
    assert new_labels.shape == labels.shape and new_centers.shape == centers.shape
    assert set(new_labels) == set(range(len(centers)))
    # Clusters that were there keep their centers, and only lose rows to new ones.
    there = np.isin(np.arange(len(centers)), labels)
    assert_array_equal(new_centers[there], centers[there])
    moved = new_labels != labels
    assert not there[new_labels[moved]].any()
    for new in np.flatnonzero(~there):
        assert (features == new_centers[new]).all(1).any()
        assert len(set(labels[new_labels == new])) == 1


def test_clusters_that_are_all_there_are_left_alone():
    rng = np.random.default_rng(0)
    features, centers, labels = rng.random((20, 2)), rng.random((4, 2)), np.arange(20) % 4
    new_centers, new_labels = source.reseed_empty_clusters(features, centers, labels)
    assert_array_equal(new_centers, centers)
    assert_array_equal(new_labels, labels)


def test_the_largest_cluster_is_split_at_its_farthest_row():
    features = np.array([[0.0], [1.0], [9.0], [10.0], [50.0], [51.0]])
    centers, labels = np.array([[4.0], [99.0], [50.5]]), np.array([0, 0, 0, 0, 2, 2])
    centers, labels = source.reseed_empty_clusters(features, centers, labels)
    assert_array_equal(centers, [[4.0], [10.0], [50.5]])
    assert_array_equal(labels, [0, 0, 1, 1, 2, 2])


def test_rows_that_are_all_the_same_are_shared_out_too():
    features, labels = np.ones((6, 2)), np.zeros(6, dtype=np.int64)
    _, labels = source.reseed_empty_clusters(features, np.ones((6, 2)), labels)
    assert_array_equal(np.sort(labels), np.arange(6))


# ---------------------------------------------------------------- clusters


def test_labels_of_a_step_are_the_clusters_of_its_own_samples(pairs, told):
    """Weights stand still, so that the clusters of the epoch can be told from the rows alone."""
    spy = Steps()
    DeepCluster(**{**SMALL, "lr": 1e-12, "max_epochs": 3}, callbacks=spy).fit(pairs)
    assert len(told) == len(spy.steps) == 15
    for labels, (module, _, batch) in zip(told, spy.steps, strict=True):
        with torch.no_grad():
            Z = module.encoder(batch.views.flatten(0, 1)).unflatten(0, (-1, 2)).mean(1).numpy()
        assert_array_equal(labels, nearest_centers(module, Z))
    assert len(torch.cat(told[:5]).unique()) == 10
    # The clusters of each epoch are its own.
    by_epoch = [spy.steps[step][0].clusters.centers for step in (0, 5, 10)]
    assert not torch.allclose(by_epoch[0], by_epoch[1])
    assert not torch.allclose(by_epoch[1], by_epoch[2])


def test_clusters_of_groups_are_those_of_their_own_rows(digits):
    X, _ = digits
    order = np.random.default_rng(0).permutation(len(X))
    groups = np.repeat(np.arange(64), [2, 3] * 32)
    fitted = DeepCluster(**{**SMALL, "lr": 1e-12, "max_epochs": 1}, n_views=3)
    fitted.fit(X[order], groups=groups[order])
    Z = fitted.transform(X)
    Z = np.stack([Z[groups == group].mean(0) for group in range(64)])
    assert_array_equal(fitted.module_.clusters.labels, nearest_centers(fitted.module_, Z))
    assert len(fitted.module_.clusters.labels.unique()) == 10


def test_whitening_makes_representations_uncorrelated_and_of_one_size(pairs):
    fitted = DeepCluster(**{**SMALL, "lr": 1e-12}).fit(pairs)
    mean, whitening = numbers(fitted.module_.clusters, "mean", "whitening")
    features = (fitted.transform(pairs) - mean) @ whitening
    assert_allclose(features.mean(0), 0, atol=1e-4)
    assert_allclose(np.cov(features.T), np.eye(3), atol=1e-3)


def test_prototypes_begin_each_epoch_as_the_means_of_their_clusters(pairs):
    spy = Steps()
    fitted = DeepCluster(**{**SMALL, "max_epochs": 3, "lr": 1e-2}, callbacks=spy).fit(pairs)
    for step in (0, 5, 10):
        module, moments, _ = spy.steps[step]
        with torch.no_grad():
            latents = module.encoder(torch.tensor(pairs).flatten(0, 1)).unflatten(0, (-1, 2))
            P = unit(module.head(latents.mean(1)).numpy())
        expected = unit(np.stack([P[module.clusters.labels == k].mean(0) for k in range(10)]))
        assert_allclose(module.clusters.prototypes.detach(), expected, atol=1e-4)
        # Nothing is known of the moments of prototypes that were never trained; all others go on.
        assert moments["clusters.prototypes"] is None or not moments["clusters.prototypes"].any()
        if step:
            assert moments["encoder.1.weight"].any()
    # Between them, prototypes are trained.
    assert spy.steps[4][1]["clusters.prototypes"].any()
    assert not torch.allclose(
        spy.steps[4][0].clusters.prototypes, spy.steps[0][0].clusters.prototypes
    )
    assert not torch.allclose(
        fitted.module_.clusters.prototypes, spy.steps[10][0].clusters.prototypes
    )


@pytest.mark.parametrize(("n_rows", "n_clusters"), [(160, 10), (21, 10), (20, 10), (7, 3), (2, 1)])
def test_clusters_are_at_most_half_as_many_as_samples(digits, n_rows, n_clusters):
    X, _ = digits
    fitted = DeepCluster(**SMALL).fit(X[:n_rows])
    module = fitted.module_
    assert module.clusters.prototypes.shape == (n_clusters, 8)
    assert_array_equal(module.clusters.sizes, np.bincount(module.clusters.labels))
    assert len(module.clusters.labels) == n_rows and module.clusters.sizes.min() > 0
    assert len(module.clusters.sizes) == len(module.clusters.centers) == n_clusters


def test_no_cluster_is_empty_where_rows_are_few_and_the_same(digits):
    X, _ = digits
    spy = Steps()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, that clusters are fewer than asked for
        DeepCluster(**{**SMALL, "max_epochs": 3}, callbacks=spy).fit(np.repeat(X[:3], 10, axis=0))
    assert all(module.clusters.sizes.min() > 0 for module, *_ in spy.steps)
    assert all(len(module.clusters.prototypes) == 10 for module, *_ in spy.steps)


@pytest.mark.parametrize("n_rows", [30, 160])
def test_going_on_clusters_the_rows_that_there_are(digits, n_rows):
    X, _ = digits
    fitted = DeepCluster(**{**SMALL, "lr": 1e-12}).fit(X[:100]).partial_fit(X[::-1][:n_rows])
    labels = nearest_centers(fitted.module_, fitted.transform(X[::-1][:n_rows]))
    assert_array_equal(fitted.module_.clusters.labels, labels)
    assert fitted.module_.clusters.sizes.sum() == n_rows


def test_clusters_of_blobs_are_the_blobs():
    centers, y = make_blobs(200, n_features=8, centers=5, cluster_std=0.5, random_state=1)
    noise = 0.2 * np.random.default_rng(0).standard_normal((2, *centers.shape))
    X, groups = np.concatenate(centers + noise), np.tile(np.arange(200), 2)
    fitted = DeepCluster(
        4, hidden_layer_sizes=(32,), n_clusters=5, max_epochs=10, random_state=0
    ).fit(X.astype(np.float32) / 10, groups=groups)
    assert normalized_mutual_info_score(y, fitted.module_.clusters.labels.numpy()) > 0.9


def test_clusters_are_fixed_by_the_random_state(digits):
    X, _ = digits
    first, again, other = (
        DeepCluster(**{**SMALL, "random_state": seed}).fit(X) for seed in (0, 0, 1)
    )
    assert_array_equal(first.module_.clusters.labels, again.module_.clusters.labels)
    assert_array_equal(first.transform(X), again.transform(X))
    assert not np.array_equal(first.module_.clusters.labels, other.module_.clusters.labels)


# ---------------------------------------------------------------- score


@pytest.mark.parametrize("n_views", [2, 3])
def test_score_tells_the_nearest_cluster_of_unseen_rows(digits, n_views):
    X, _ = digits
    fitted = DeepCluster(**SMALL, temperature=0.2, augmentation=None).fit(X)
    unseen = np.random.default_rng(0).random((50, n_views, 64), dtype=np.float32)
    labels = nearest_centers(fitted.module_, fitted.transform(unseen))
    assert len(set(labels)) > 1
    prototypes, sizes = numbers(fitted.module_.clusters, "prototypes", "sizes")
    P = np.stack([fitted.project(unseen[:, view]) for view in range(n_views)], axis=1)
    logits = unit(P) @ unit(prototypes).T / 0.2
    own = np.take_along_axis(logits, labels[:, None, None], axis=2)[..., 0]
    weight = len(X) / (10 * sizes[labels])[:, None]
    loss = (weight * (logsumexp(logits, axis=2) - own)).mean()
    assert fitted.score(unseen) == pytest.approx(-loss, rel=1e-4)


def test_score_does_not_depend_on_the_rows_beside(pairs):
    """Each row has its cluster, whatever the batch: the score of all is the mean of the parts."""
    fitted = DeepCluster(**SMALL).fit(pairs)
    parts = [fitted.score(pairs[:20]), fitted.score(pairs[20:])]
    assert fitted.score(pairs) == pytest.approx(np.average(parts, weights=[20, 60]), rel=1e-5)


def test_objective_of_the_validation_part_is_the_score(pairs):
    fitted = DeepCluster(
        **{**SMALL, "max_epochs": 1}, early_stopping=True, validation_fraction=0.25
    ).fit(pairs)
    order = np.random.default_rng(np.random.RandomState(0).randint(2**31 - 1)).permutation(80)
    assert fitted.score(pairs[order[:20]]) == pytest.approx(
        -fitted.history_[0]["valid_loss"], rel=1e-5
    )
    assert len(fitted.module_.clusters.labels) == 60


def test_best_weights_come_back_however_many_directions_latents_have():
    X = load_wine().data
    for seed in (0, 4):
        estimator = DeepCluster(
            hidden_layer_sizes=(16,),
            projection_layer_sizes=(8,),
            early_stopping=True,
            max_epochs=12,
            n_iter_no_change=3,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            estimator.fit(X)
        best = min(row["valid_loss"] for row in estimator.history_)
        assert np.isfinite(best) and np.isfinite(estimator.transform(X)).all()
