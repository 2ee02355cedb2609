"""First weights, noise variance and collapse of the module of the generative methods."""

import math
import pickle
import warnings

import numpy as np
import pytest
import torch
from conftest import TINY, tiny
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning
from torch import nn
from vaes import csvae

from sklearn_simvae import VAE, SimVAE
from sklearn_simvae.generative.autoencoder import AutoEncoder
from sklearn_simvae.generative.likelihoods import LIKELIHOODS, Gaussian
from sklearn_simvae.losses import gaussian_log_likelihood
from sklearn_simvae.networks.padded import ZeroPadding


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


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_learned_noise_starts_below_what_the_mean_leaves_on_any_scale(scale):
    X = np.random.default_rng(0).standard_normal((200, 5)) * scale
    estimator = VAE(**TINY | {"max_epochs": 1, "noise_variance": "learned"}).fit(X)
    assert 0.01 < estimator.noise_variance_ / X.var() < 1


@pytest.mark.parametrize("scale", [1e-3, 1e-5, 1e-7])
def test_small_numbers_do_not_throw_the_latents_about(scale):
    X = np.random.default_rng(0).standard_normal((40, 3)) * scale
    estimator = SimVAE(**TINY | {"max_epochs": 3}).fit(X)
    assert max(abs(row["loss"]) for row in estimator.history_) < 1e3


def test_constant_data_have_no_variance_to_explain():
    X = np.full((50, 4), 3.0)
    estimator = VAE(**TINY).fit(X)
    assert np.isnan(estimator.module_.explained_variance(torch.from_numpy(X).float()))


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli", "multinomial"])
def test_what_there_is_to_explain_is_a_difference_of_log_likelihoods(X, likelihood):
    data = X if likelihood != "multinomial" else np.round(16 * X)
    module = csvae(likelihood=likelihood, noise_variance=0.5, max_epochs=1).fit(data).module_
    x = torch.from_numpy(data).double()
    mean, nothing = x.mean(0).expand_as(x), 1e-300
    if likelihood == "gaussian":
        best, worst = gaussian_log_likelihood(x, x, 0.5), gaussian_log_likelihood(x, mean, 0.5)
    elif likelihood == "bernoulli":
        best, worst = (
            (x * (p + nothing).log() + (1 - x) * (1 - p + nothing).log()).sum(1) for p in (x, mean)
        )
    else:
        orders = torch.lgamma(1 + x.sum(1)) - torch.lgamma(1 + x).sum(1)
        best, worst = (
            orders + (x * (p / p.sum(1, keepdim=True) + nothing).log()).sum(1) for p in (x, mean)
        )
    assert_allclose(module.information(x), (best - worst).mean(), rtol=1e-6)
    views = x.unsqueeze(1)
    assert_allclose(module.best_log_likelihood(views)[:, 0], best, rtol=1e-6)
    # Nothing that is decoded is above it.
    with torch.no_grad():
        z = module.encode(views.float())[0]
        assert (module.log_likelihood(views.float(), z) < module.best_log_likelihood(views)).all()


# ---------------------------------------------------------------- missing values

NAN = torch.nan


def made(likelihood="gaussian", noise_variance=0.1, squash=False, missing=True):
    torch.manual_seed(0)
    encoder = nn.Sequential(ZeroPadding(), nn.Flatten(), nn.Linear(12, 6))
    decoder = nn.Sequential(nn.Linear(3, 12), nn.Unflatten(1, (2, 6)))
    likelihood = Gaussian(squash=True) if squash else LIKELIHOODS[likelihood]()
    return AutoEncoder(encoder, decoder, 3, likelihood, noise_variance, missing)


KINDS = [
    ("gaussian", 0.1, False),
    ("gaussian", "learned", False),
    ("gaussian", 0.1, True),
    ("bernoulli", 0.1, False),
    ("multinomial", 0.1, False),
]


@pytest.fixture
def views():
    return torch.rand(4, 2, 2, 6, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
def test_without_padding_it_is_the_autoencoder(kind, views):
    plain, padded, z = made(*kind, missing=False), made(*kind), torch.randn(4, 2, 3)
    x = views.flatten(0, 1)
    for name, given in (
        ("log_likelihood", (views, z)),
        ("best_log_likelihood", (views,)),
        ("information", (x,)),
    ):
        found, expected = (getattr(module, name)(*given) for module in (padded, plain))
        torch.testing.assert_close(found, expected)
    assert padded.explained_variance(x) == pytest.approx(plain.explained_variance(x), rel=1e-4)
    for module in (plain, padded):
        module.prepare(x, True, True)
    for one, other in zip(plain.parameters(), padded.parameters(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_has_no_part_in_the_likelihood_or_its_gradient(kind, views):
    module, z = made(*kind), torch.randn(4, 2, 3)
    short = views.clone()
    short[..., 4:] = NAN
    value = module.log_likelihood(short, z)
    # A decoder that says other things about the padding.
    with torch.no_grad():
        module.decoder[0].bias.view(2, 6)[:, 4:] += 3
    torch.testing.assert_close(module.log_likelihood(short, z), value)
    module.log_likelihood(short, z).sum().backward()
    grad = module.decoder[0].bias.grad.view(2, 6)
    assert grad.isfinite().all() and (grad[:, 4:] == 0).all() and (grad[:, :4] != 0).any()


def test_gaussian_likelihood_is_that_of_the_values_there_are(views):
    module, z = made(), torch.randn(4, 2, 3)
    short = views.clone()
    short[..., 4:] = NAN
    mean = module.decoder(z.flatten(0, 1)).reshape(views.shape)
    expected = torch.distributions.Normal(mean, 0.1**0.5).log_prob(views)[..., :4].sum((2, 3))
    torch.testing.assert_close(module.log_likelihood(short, z), expected)
    best = torch.distributions.Normal(views, 0.1**0.5).log_prob(views)[..., :4].sum((2, 3))
    torch.testing.assert_close(module.best_log_likelihood(short), best)


@pytest.mark.parametrize("kind", KINDS)
def test_first_weights_and_measures_are_finite(kind, views):
    module, x = made(*kind), views.flatten(0, 1).clone()
    x[:, :, 5] = NAN
    x[:3, :, 3:] = NAN
    module.prepare(x, True, True)
    assert all(p.isfinite().all() for p in module.parameters())
    assert module.information(x).isfinite()
    assert module.explained_variance(x) <= 1
