"""The base of the generative estimators: scores, codes, decoding and samples."""

import pickle

import numpy as np
import pytest
import torch
from conftest import Spy
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn
from vaes import simvae

from sklearn_simvae.datasets import make_sprites

# ---------------------------------------------------------------- scores


def test_score_is_deterministic_and_the_mean_over_samples(trained, images):
    X = images[800:]
    state = torch.get_rng_state()
    torch.manual_seed(1)
    score = trained.score(X)
    torch.set_rng_state(state)
    assert isinstance(score, float) and score == trained.score(X)
    samples = trained.score_samples(X)
    assert samples.shape == (len(X),) and samples.dtype == np.float32
    assert_allclose(score, samples.astype(float).mean(), rtol=1e-6)


@pytest.mark.parametrize("n_importance_samples", [1, 5])
def test_scores_do_not_depend_on_other_rows(trained, images, n_importance_samples):
    X = images[:1500]
    scores = trained.score_samples(X, n_importance_samples=n_importance_samples)
    order = np.random.default_rng(0).permutation(len(X))
    for rows in (order, np.arange(3), order[:1]):
        part = trained.score_samples(X[rows], n_importance_samples=n_importance_samples)
        assert_allclose(part, scores[rows], atol=0.01)


@pytest.mark.parametrize("n_importance_samples", [1, 5])
def test_groups_and_views_axis_score_the_same(trained, images, n_importance_samples):
    views = np.stack([images, np.roll(images, 1, -1), images[::-1]], 1)[:200]
    k = {"n_importance_samples": n_importance_samples}
    by_axis = trained.score_samples(views, **k)
    assert by_axis.shape == (200,)
    rows = views.reshape(600, 8, 8)
    groups = np.repeat(np.arange(200), 3)
    by_group = trained.score_samples(rows, groups=groups, **k)
    assert_allclose(by_group, np.repeat(by_axis / 3, 3), rtol=1e-3, atol=0.01)
    assert_allclose(trained.score(views), trained.score_samples(views).mean(), rtol=1e-5)
    assert_allclose(trained.score(rows, groups=groups), trained.score(views), rtol=1e-5)
    single = trained.score_samples(views[:, :1], **k)
    assert_allclose(single, trained.score_samples(views[:, 0], **k), atol=0.01)
    own = trained.score_samples(rows, groups=np.arange(600), **k)
    assert_allclose(own, trained.score_samples(rows, **k), atol=0.01)


def test_groups_of_unequal_size_score_as_each_alone(trained, images):
    sizes = [1, 4, 2, 3, 1, 2, 7]
    labels = np.random.default_rng(0).permutation(np.repeat(list("gbadcfe"), sizes))
    X = images[: len(labels)]
    scores = trained.score_samples(X, groups=labels)
    for label in set(labels):
        own = X[labels == label]
        assert_allclose(scores[labels == label].sum(), trained.score_samples(own[None]), rtol=1e-4)
    assert_allclose(trained.score(X, groups=labels), scores.sum() / 7, rtol=1e-5)


# ---------------------------------------------------------------- encode


def test_encode_gives_mean_and_variance_of_each_row_or_view(trained, images):
    X = images[:100]
    mean, variance = trained.encode(X)
    assert mean.shape == variance.shape == (100, 6)
    assert mean.dtype == variance.dtype == np.float32
    assert (variance > 0).all() and np.isfinite(variance).all()
    assert_allclose(mean, trained.transform(X), atol=1e-6)
    views = X.reshape(50, 2, 8, 8)
    means, variances = trained.encode(views)
    assert_allclose(means.reshape(100, 6), mean, atol=1e-6)
    assert_allclose(variances.reshape(100, 6), variance, rtol=1e-4)
    assert_allclose(trained.transform(views), means.mean(1), atol=1e-6)


# ---------------------------------------------------------------- decode and sample


LAYOUTS = {
    "vectors": ((12,), None, {}),
    "flat": ((64,), (8, 8), {}),
    "gray": ((8, 8), (8, 8), {}),
    "channels first": ((3, 8, 8), None, {}),
    "channels last": ((8, 8, 3), (8, 8, 3), {}),
    "channels last, flat": ((192,), (8, 8, 3), {}),
    "series": ((20, 2), (20, 2), {}),
    "convolutional": ((3, 8, 8), None, {"encoder": "conv"}),
}


@pytest.mark.parametrize("row, input_shape, params", LAYOUTS.values(), ids=LAYOUTS)
def test_decoding_gives_back_the_layout_of_fit(row, input_shape, params):
    X = np.random.default_rng(0).random((30, *row), dtype=np.float32)
    params = {"encoder": "mlp", "input_shape": input_shape, "max_epochs": 1, **params}
    for data in (X, np.stack([X, X], 1)):
        estimator = simvae(**params).fit(data)
        decoded = estimator.inverse_transform(estimator.transform(X))
        assert decoded.shape == X.shape and decoded.dtype == np.float32
        assert decoded.min() >= 0 and decoded.max() <= 1
        assert estimator.sample(4).shape == (4, *row)
        assert estimator.sample(4, n_views=3).shape == (4, 3, *row)


def test_decoding_resembles_the_data_in_place(images):
    """An image is reconstructed where it is, however its axes lie."""
    sprites = make_sprites(300, image_size=8, n_channels=3, random_state=0).images
    params = {"max_epochs": 30, "lr": 1e-2, "hidden_layer_sizes": (64,), "augmentation": None}
    for X, input_shape in ((sprites, None), (np.moveaxis(sprites, 1, -1), (8, 8, 3))):
        estimator = simvae(encoder="mlp", n_components=8, input_shape=input_shape, **params).fit(X)
        X = X / 255
        error = ((estimator.inverse_transform(estimator.transform(X)) - X) ** 2).mean()
        assert error < 0.5 * X.var(0).mean()


@pytest.mark.parametrize("width", [2, 4, 16])
def test_decoding_needs_latents_of_the_right_width(digits, width):
    estimator = simvae(representation="hidden").fit(digits[0])
    with pytest.raises(ValueError, match=f"{width} columns.*n_components = 3"):
        estimator.inverse_transform(np.zeros((2, width)))


def test_samples_are_fixed_by_the_random_state(trained):
    first = trained.sample(5, random_state=3)
    assert_array_equal(trained.sample(5, random_state=3), first)
    assert_array_equal(trained.sample(5, random_state=np.random.RandomState(3)), first)
    assert np.abs(trained.sample(5, random_state=4) - first).max() > 0.01
    assert_array_equal(trained.sample(5), trained.sample(5))
    assert_array_equal(pickle.loads(pickle.dumps(trained)).sample(5), trained.sample(5))


def test_samples_look_like_data(trained, images):
    samples = trained.sample(300)
    assert np.corrcoef(samples.mean(0).ravel(), images.mean(0).ravel())[0, 1] > 0.7
    noise = np.random.default_rng(0).random(samples.shape)
    assert trained.score(samples) > trained.score(noise) + 100


# ---------------------------------------------------------------- bad input


X = np.random.default_rng(0).random((40, 6))
SINGLES = np.r_[np.arange(30).repeat(2)[:39], 99]


@pytest.mark.parametrize(
    "params, X, groups, match",
    [
        *(
            ({name: value}, X, None, name)
            for name in ("style_variance", "prior_variance", "noise_variance")
            for value in (0, -0.1, np.nan, np.inf, "auto")
        ),
        ({"style_variance": None}, X, None, "style_variance"),
        ({"noise_variance": None}, X, None, "noise_variance"),
        ({"likelihood": "gamma"}, X, None, "likelihood"),
        ({"likelihood": "bernoulli"}, X + 0.5, None, r"bernoulli.*\[0, 1\].*MinMaxScaler"),
        ({"likelihood": "bernoulli"}, X - 0.5, None, r"bernoulli.*\[0, 1\].*MinMaxScaler"),
        ({"decoder": "mpl"}, X, None, "decoder must be one of"),
        ({"decoder": "conv"}, X, None, "decoder='conv' does not fit"),
        ({"decoder": lambda n, shape: nn.Linear(n, 5)}, X, None, "decoder must map"),
        ({"decoder": lambda n, shape: nn.Linear(n + 1, 6)}, X, None, "decoder fails on"),
        ({"decoder": nn.Linear(3, 7)}, X, None, "decoder must map"),
        ({"prior_variance": None, "n_views": 1}, X, None, "at least 2 views.*n_views"),
        ({"prior_variance": None, "kind": "vector"}, X[:, None], None, "at least 2 views"),
        ({"prior_variance": None}, X, SINGLES, r"at least 2 views.*group"),
        ({"prior_variance": None, "n_views": 1}, X, SINGLES // 2, "at least 2 views"),
    ],
)
def test_what_cannot_be_fitted_is_refused_before_training(params, X, groups, match):
    spy = Spy()
    estimator = simvae(callbacks=spy, **params)
    with pytest.raises(ValueError, match=match):
        estimator.fit(X, groups=groups)
    assert spy.calls == [] and not hasattr(estimator, "net_")


@pytest.mark.parametrize(
    "method, arguments, match",
    [
        ("sample", {"n_samples": 0}, "n_samples"),
        ("sample", {"n_samples": 2.5}, "n_samples"),
        ("sample", {"n_views": 0}, "n_views"),
        ("score_samples", {"X": X, "n_importance_samples": 0}, "n_importance_samples"),
        ("score_samples", {"X": X, "groups": np.arange(39)}, "inconsistent"),
        ("score", {"X": X, "groups": np.arange(39)}, "inconsistent"),
        ("score", {"X": X.reshape(20, 2, 6), "groups": np.arange(20)}, "views axis"),
        ("inverse_transform", {"Z": np.full((2, 3), np.nan)}, "NaN"),
    ],
)
def test_bad_arguments_of_other_methods(method, arguments, match):
    estimator = simvae(max_epochs=1).fit(X)
    with pytest.raises(ValueError, match=match):
        getattr(estimator, method)(**arguments)
