"""What SimVAE adds: the bound and its terms, scores, decoding and sampling."""

import math
import pickle
import warnings

import numpy as np
import pytest
import torch
from conftest import TINY, Spy, tiny
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from skorch.callbacks import Callback
from torch import nn

from sklearn_simvae import SimVAE
from sklearn_simvae.datasets import make_sprites


def simvae(**params):
    return SimVAE(**{**TINY, **params})


@pytest.fixture(scope="module")
def images():
    """Digits of shape (8, 8) in [0, 1]."""
    return (load_digits().images / 16).astype(np.float32)


@pytest.fixture(scope="module")
def trained(images):
    return simvae(
        n_components=6, hidden_layer_sizes=(64,), input_shape=(8, 8), max_epochs=60, lr=5e-3
    ).fit(images[:800])


@pytest.fixture(scope="module")
def linear(images):
    """A model whose bound is known in closed form, and its data."""
    X = images[:400].reshape(400, 64)[:, 18:30]
    X = X - X.mean(0)
    return simvae(
        hidden_layer_sizes=(),
        likelihood="gaussian",
        noise_variance=0.05,
        style_variance=0.3,
        prior_variance=0.9,
        augmentation=None,
        max_epochs=30,
        lr=0.02,
    ).fit(X), X


# ---------------------------------------------------------------- the objective


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"prior_variance": None},
        {"n_views": 1},
        {"n_views": 4, "style_variance": 0.03},
        {"likelihood": "bernoulli"},
        {"early_stopping": True},
    ],
)
def test_loss_is_the_negative_sum_of_its_terms(digits, params):
    estimator = simvae(**params).fit(digits[0])
    for row in estimator.history_:
        for part in ("", "valid_") if "early_stopping" in params else ("",):
            terms = [row[part + name] for name in ("reconstruction", "entropy", "prior")]
            assert np.isfinite(terms).all()
            assert_allclose(row[part + "loss"], -np.sum(terms), rtol=1e-5)


def test_loss_is_a_mean_over_samples_whatever_the_batch(digits):
    losses = [
        simvae(batch_size=b, max_epochs=1, lr=1e-12, augmentation=None).fit(digits[0]).history_
        for b in (10, 160)
    ]
    assert_allclose(losses[0][0]["loss"], losses[1][0]["loss"], rtol=0.02)


def test_groups_of_unequal_size_count_with_the_views_that_they_have(digits):
    groups = np.r_[np.repeat(np.arange(40), 2), np.arange(100, 180)]
    estimator = simvae(batch_size=120, max_epochs=1, lr=1e-12).fit(digits[0], groups=groups)
    loss, score = estimator.history_[0]["loss"], estimator.score(digits[0], groups=groups)
    assert_allclose(loss, -score, rtol=0.05)


class Drift(Callback):
    """Spoils the weights a little each epoch."""

    def on_epoch_begin(self, net, **kwargs):
        with torch.no_grad():
            net.module_.decoder[0].bias += 1e-4


def test_early_stopping_heeds_small_changes_of_a_negative_loss(digits):
    X, spy = digits[0] / 10, Spy()
    params = {"hidden_layer_sizes": (), "likelihood": "gaussian", "warm_start": True}
    estimator = simvae(max_epochs=40, lr=1e-2, **params).fit(X)
    estimator.set_params(early_stopping=True, n_iter_no_change=3, max_epochs=40)
    estimator.set_params(lr=1e-12, lr_schedule="constant", callbacks=[Drift(), spy]).fit(X)
    losses = [row["valid_loss"] for row in estimator.history_[40:]]
    best = np.argmin(losses)
    assert max(losses) < 0 and max(np.abs(np.diff(losses[:8]))) < 1e-4 * abs(losses[0])
    assert len(losses) == best + 1 + 3 < 40
    weights = spy.seen("epoch_end", "weights")[best]
    assert all(torch.equal(w, weights[name]) for name, w in estimator.module_.state_dict().items())


def test_training_lowers_the_bound_and_keeps_content(trained, images):
    X, y = images[800:], load_digits().target[800:]
    start = simvae(
        n_components=6, hidden_layer_sizes=(64,), input_shape=(8, 8), max_epochs=1, lr=1e-12
    ).fit(images[:800])
    assert trained.score(X) > start.score(X) + 50
    Z = trained.transform(X)
    distance = np.linalg.norm(Z[:, None] - Z[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    # A class in ten is right by chance.
    assert np.mean(y[distance.argmin(1)] == y) > 0.8


def test_small_style_variance_pulls_views_together(images):
    def spread(style_variance):
        views = np.stack([images, np.roll(images, 1, -1)], 1)[:400]
        mean, _ = (
            simvae(style_variance=style_variance, input_shape=(8, 8), max_epochs=20, lr=1e-2)
            .fit(views)
            .encode(views)
        )
        return mean.var(1).mean() / mean.mean(1).var(0).mean()

    assert spread(0.01) < 0.5 * spread(0.5)


# ---------------------------------------------------------------- scores


def linear_parts(estimator, X):
    """Mean and variance of q, and the decoder z -> W z + b, from public methods alone."""
    mean, variance = estimator.encode(X)
    b = estimator.inverse_transform(np.zeros((1, 3)))[0].astype(float)
    W = (estimator.inverse_transform(np.eye(3)) - b).T
    return mean.astype(float), variance.astype(float), W, b


def test_score_of_single_views_is_the_closed_form(linear):
    estimator, X = linear
    mean, variance, W, b = linear_parts(estimator, X)
    squares = ((X - b - mean @ W.T) ** 2).sum(1) + variance @ (W**2).sum(0)
    reconstruction = -0.5 * (squares / 0.05 + X.shape[1] * np.log(2 * np.pi * 0.05))
    entropy = 0.5 * np.log(2 * np.pi * np.e * variance).sum(1)
    prior = -0.5 * ((mean**2 + variance) / 1.2 + np.log(2 * np.pi * 1.2)).sum(1)
    bound = reconstruction + entropy + prior
    scores = estimator.score_samples(X)
    # The trace of W diag(v) W' is estimated by a few draws, common to all rows.
    assert abs(np.mean(scores - bound)) < 1
    assert np.std(scores - bound) < 0.1 * np.std(bound)
    assert_allclose(estimator.score_samples(X, n_importance_samples=1), scores)


def test_importance_weighted_bound_lies_between_bound_and_evidence(linear):
    estimator, X = linear
    _, _, W, b = linear_parts(estimator, X)
    evidence = multivariate_normal(b, 1.2 * W @ W.T + 0.05 * np.eye(X.shape[1])).logpdf(X)
    elbo = estimator.score_samples(X).mean()
    tight = estimator.score_samples(X, n_importance_samples=64).mean()
    tighter = estimator.score_samples(X, n_importance_samples=512).mean()
    # The draws are common to all rows, so that their error does not average out.
    assert elbo < tight < evidence.mean() + 0.3
    assert abs(tighter - evidence.mean()) < 0.3


def test_importance_weighted_bound_is_tighter(trained, images):
    X = images[800:1000]
    elbo = trained.score_samples(X)
    tight = trained.score_samples(X, n_importance_samples=64)
    assert tight.shape == elbo.shape and tight.mean() > elbo.mean() + 0.1


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


def test_views_of_one_sample_score_higher_than_strangers(trained, images):
    together = np.stack([images[:200], images[:200]], 1)
    apart = np.stack([images[:200], images[200:400]], 1)
    alone = trained.score_samples(images[:400])
    gain = trained.score(together) - 2 * alone[:200].mean()
    loss = trained.score(apart) - alone.reshape(2, 200).sum(0).mean()
    assert gain > 0 > loss


def test_noise_scores_lower_than_data(trained, images):
    rng = np.random.default_rng(0)
    X = images[800:1000]
    for odd in (rng.random(X.shape), rng.permuted(X.reshape(200, 64), axis=1), 1 - X):
        scores = trained.score_samples(np.concatenate([X, odd.reshape(X.shape)]))
        assert roc_auc_score([1] * 200 + [0] * 200, scores) > 0.95


def test_uniform_prior_withholds_what_it_has_not(digits):
    X, _ = digits
    estimator = simvae(prior_variance=None)
    for _ in range(2):
        for name in ("score", "score_samples", "sample"):
            assert not hasattr(estimator, name)
            with pytest.raises(AttributeError):
                getattr(estimator, name)
        estimator.fit(X)
    assert estimator.transform(X).shape == estimator.encode(X)[1].shape == (len(X), 3)
    assert estimator.inverse_transform(estimator.transform(X)).shape == X.shape
    assert hasattr(simvae(), "score")


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


def test_unbounded_data_are_decoded_without_a_sigmoid(digits):
    X = digits[0] * 10 - 5
    estimator = simvae(max_epochs=30, lr=1e-2).fit(X)
    decoded = estimator.inverse_transform(estimator.transform(X))
    assert decoded.min() < -3 and decoded.max() > 1.5
    inside = simvae(likelihood="gaussian", max_epochs=30, lr=1e-2).fit(digits[0])
    assert inside.inverse_transform(20 * np.eye(3)).min() < 0


@pytest.mark.parametrize("width", [2, 4, 16])
def test_decoding_needs_latents_of_the_right_width(digits, width):
    estimator = simvae(representation="hidden").fit(digits[0])
    with pytest.raises(ValueError, match=f"{width} columns.*n_components = 3"):
        estimator.inverse_transform(np.zeros((2, width)))


def test_samples_share_content_among_their_views(images):
    estimator = simvae(
        style_variance=0.05, input_shape=(8, 8), max_epochs=20, lr=1e-2, hidden_layer_sizes=(64,)
    ).fit(images[:400])
    views = estimator.sample(100, n_views=2, random_state=0)
    within = np.linalg.norm(views[:, 0] - views[:, 1], axis=(1, 2)).mean()
    between = np.linalg.norm(views[:, 0] - np.roll(views[:, 1], 1, 0), axis=(1, 2)).mean()
    assert 0 < within < 0.6 * between


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
        ({"likelihood": "poisson"}, X, None, "likelihood"),
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


def test_bernoulli_model_refuses_other_data_later(digits):
    estimator = simvae(likelihood="bernoulli").fit(digits[0])
    for method in ("transform", "score", "score_samples", "encode", "partial_fit"):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            getattr(estimator, method)(digits[0] * 2)


def test_a_group_of_one_counts_as_a_single_view(digits):
    X = digits[0]
    alone = simvae(augmentation=None, n_views=1).fit(X)
    grouped = simvae(n_views=3).fit(X, groups=np.arange(len(X)))
    assert_array_equal(grouped.transform(X), alone.transform(X))


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


# ---------------------------------------------------------------- collapse


class Blind(nn.Linear):
    """An encoder that gives the same latents for everything."""

    def forward(self, x):
        return super().forward(0 * x.flatten(1))


def blind(input_shape, n_outputs):
    return Blind(math.prod(input_shape), n_outputs)


def test_a_fit_that_ends_collapsed_says_so_and_what_to_try(images):
    X = images[:100]
    with pytest.warns(ConvergenceWarning, match=r"collapsed.*variance of the data.*Try more"):
        SimVAE(encoder=blind, input_shape=(8, 8), max_epochs=20, random_state=0).fit(X)


def test_a_fit_that_learns_does_not_warn(images):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SimVAE(3, input_shape=(8, 8), hidden_layer_sizes=(64,), max_epochs=20, random_state=0).fit(
            images
        )


def test_latents_tell_samples_apart_from_the_first_step(images):
    """At torch's own initialization they do not, and the decoder learns to ignore them."""
    start = SimVAE(4, input_shape=(8, 8), lr=1e-30, max_epochs=1, random_state=0).fit(images)
    mean, variance = start.encode(images)
    assert_allclose(mean.std(0), 1, atol=0.1)
    assert variance.max() < 0.1
    # The decoder gives the mean image, so that no step is spent on learning it.
    decoded = start.inverse_transform(np.zeros((1, 4)))[0]
    average = images.reshape(len(images), -1).mean(0).clip(0.02, 0.98)
    assert_allclose(decoded.ravel(), average, atol=0.05)


def test_weights_that_a_user_gives_are_started_from_as_they_are(images):
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 8))
    start = SimVAE(4, encoder=encoder, input_shape=(8, 8), lr=1e-30, max_epochs=1).fit(images)
    for given, kept in zip(encoder.parameters(), start.encoder_.parameters(), strict=True):
        assert_allclose(kept.detach(), given.detach(), atol=1e-12)


@pytest.mark.parametrize("name", ["SimVAE", "VAE"])
def test_learned_noise_variance_is_what_reconstructions_leave_of_the_data(name):
    rng = np.random.default_rng(0)
    latent, weights = rng.normal(size=(2000, 2)), rng.normal(size=(2, 12))
    X = (latent @ weights + 0.3 * rng.normal(size=(2000, 12))).astype(np.float32)
    fitted = tiny(
        name,
        noise_variance="learned",
        augmentation=None,
        max_epochs=60,
        hidden_layer_sizes=(32,),
        lr=5e-3,
    ).fit(X)
    residual = np.mean((fitted.inverse_transform(fitted.transform(X)) - X) ** 2)
    assert residual < 0.12
    # The draws of q add a little to what the means leave.
    assert residual * 0.9 < fitted.noise_variance_ < 1.6 * residual
    assert pickle.loads(pickle.dumps(fitted)).score(X) == fitted.score(X)


def test_fixed_noise_variance_is_kept(digits):
    X, _ = digits
    assert tiny("VAE", noise_variance=0.05).fit(X).noise_variance_ == 0.05
