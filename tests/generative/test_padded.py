"""The likelihood of windows leaves out their padding."""

import pytest
import torch
from torch import nn

from sklearn_simvae.generative.autoencoder import AutoEncoder
from sklearn_simvae.generative.padded import PaddedAutoEncoder
from sklearn_simvae.networks.padded import ZeroPadding

NAN = torch.nan


def made(likelihood="gaussian", noise_variance=0.1, squash=False, kind=PaddedAutoEncoder):
    torch.manual_seed(0)
    encoder = nn.Sequential(ZeroPadding(), nn.Flatten(), nn.Linear(12, 6))
    decoder = nn.Sequential(nn.Linear(3, 12), nn.Unflatten(1, (2, 6)))
    return kind(encoder, decoder, 3, likelihood, noise_variance, squash)


LIKELIHOODS = [
    ("gaussian", 0.1, False),
    ("gaussian", "learned", False),
    ("gaussian", 0.1, True),
    ("bernoulli", 0.1, False),
    ("multinomial", 0.1, False),
]


@pytest.fixture
def views():
    return torch.rand(4, 2, 2, 6, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", LIKELIHOODS)
def test_without_padding_it_is_the_autoencoder(kind, views):
    plain, padded, z = made(*kind, kind=AutoEncoder), made(*kind), torch.randn(4, 2, 3)
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


@pytest.mark.parametrize("kind", LIKELIHOODS)
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


@pytest.mark.parametrize("kind", LIKELIHOODS)
def test_first_weights_and_measures_are_finite(kind, views):
    module, x = made(*kind), views.flatten(0, 1).clone()
    x[:, :, 5] = NAN
    x[:3, :, 3:] = NAN
    module.prepare(x, True, True)
    assert all(p.isfinite().all() for p in module.parameters())
    assert module.information(x).isfinite()
    assert module.explained_variance(x) <= 1
