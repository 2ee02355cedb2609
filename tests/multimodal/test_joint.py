"""Autoencoders of modalities that meet in the prior of their latents."""

import numpy as np
import pytest
import torch
from conftest import TINY
from numpy.testing import assert_allclose
from scipy.stats import norm
from sklearn.metrics import r2_score
from torch import nn

from sklearn_simvae.generative.autoencoder import AutoEncoder
from sklearn_simvae.generative.likelihoods import LIKELIHOODS
from sklearn_simvae.multimodal import MultimodalSimVAE
from sklearn_simvae.multimodal.joint import JointAutoEncoder


def test_decoders_learn_their_batch_statistics_from_rows_that_have_the_modality():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((200, 4)).astype(np.float32)
    b = np.where(np.arange(200)[:, None] < 40, a + 1, np.nan).astype(np.float32)

    def decoder(n_components, output_shape):
        norm = nn.BatchNorm1d(n_components, momentum=1.0)
        return nn.Sequential(norm, nn.Linear(n_components, *output_shape))

    params = TINY | {"n_components": 2, "decoder": decoder}
    estimator = MultimodalSimVAE(**params).fit({"a": a, "b": b})
    module, some = estimator.module_.train(), estimator._read({"a": a, "b": b}).some(200)
    z = torch.randn(200, 2, 2, generator=torch.Generator().manual_seed(0))
    z[40:, 1] = 1e6
    module.log_likelihood(some.views, z, some.mask)
    learned = module.parts[1].decoder[0].running_mean
    assert_allclose(learned, z[:40, 1].mean(0), atol=1e-5)


RNG = np.random.default_rng(0)
WIDTHS = (4, 3)
MASK = np.array([[True, True], [True, False], [False, True], [True, True], [False, True]])
X = tuple(RNG.standard_normal((5, d)).astype(np.float32) for d in WIDTHS)


def views(arrays=X):
    return tuple(map(torch.from_numpy, arrays))


@pytest.fixture
def joint():
    """Linear autoencoders, Gaussian and Bernoulli, of two latent dimensions."""
    torch.manual_seed(0)
    likelihoods = [("gaussian", 0.3), ("bernoulli", "learned")]
    return JointAutoEncoder(
        [
            AutoEncoder(nn.Linear(d, 4), nn.Linear(2, d), 2, LIKELIHOODS[name](), noise)
            for d, (name, noise) in zip(WIDTHS, likelihoods, strict=True)
        ]
    )


def linear(layer, x):
    weight, bias = (p.detach().numpy().astype(float) for p in (layer.weight, layer.bias))
    return x.astype(float) @ weight.T + bias


def test_posteriors_are_those_of_the_encoders_of_the_modalities(joint):
    mean, log_variance = joint.encode(views(), torch.from_numpy(MASK))
    assert mean.shape == log_variance.shape == (5, 2, 2)
    for j, (part, x) in enumerate(zip(joint.parts, X, strict=True)):
        there, output = MASK[:, j], linear(part.encoder, x)
        for found, expected in ((mean, output[:, :2]), (log_variance, output[:, 2:])):
            assert_allclose(found.detach()[there, j], expected[there], rtol=1e-5, atol=1e-6)
        alone = joint.latents_of(j, torch.from_numpy(x))
        assert_allclose(alone.detach(), output[:, :2], rtol=1e-5, atol=1e-6)


def test_log_likelihoods_are_those_of_the_densities_of_the_modalities(joint):
    bits = (X[1] > 0).astype(np.float32)
    z = RNG.standard_normal((5, 2, 2)).astype(np.float32)
    found = joint.log_likelihood(views((X[0], bits)), torch.from_numpy(z), torch.from_numpy(MASK))
    assert found.shape == (5, 2)
    means = linear(joint.parts[0].decoder, z[:, 0])
    p = 1 / (1 + np.exp(-linear(joint.parts[1].decoder, z[:, 1])))
    expected = np.stack(
        [
            norm.logpdf(X[0], means, np.sqrt(0.3)).sum(1),
            np.log(np.where(bits == 1, p, 1 - p)).sum(1),
        ],
        axis=1,
    )
    assert_allclose(found.detach()[MASK], expected[MASK], rtol=1e-5)


def test_gradients_of_a_missing_modality_are_none(joint):
    mask = torch.tensor([[True, False]] * 5)
    mean, _ = joint.encode(views(), mask)
    value = joint.log_likelihood(views(), mean, mask)
    value[mask].sum().backward()
    gradients = [p.grad for p in joint.parts[1].parameters()]
    assert all(g is None or not g.any() for g in gradients)
    assert joint.parts[0].encoder.weight.grad.any()


def explained_by_hand(joint, arrays):
    scores = []
    for part, x in zip(joint.parts, arrays, strict=True):
        made = linear(part.decoder, linear(part.encoder, x)[:, :2])
        made = 1 / (1 + np.exp(-made)) if part.squash else made
        scores.append(r2_score(x, made, multioutput="variance_weighted"))
    return scores


def test_explained_variance_is_the_largest_of_modalities_that_have_rows(joint):
    bits = (RNG.random((50, 3)) < 0.5).astype(np.float32)
    arrays = RNG.standard_normal((50, 4)).astype(np.float32), bits
    by_hand = explained_by_hand(joint, arrays)
    assert joint.explained_variance(views(arrays)) == pytest.approx(max(by_hand), rel=1e-3)
    for j, score in enumerate(by_hand):
        alone = [x if i == j else x[:0] for i, x in enumerate(arrays)]
        assert joint.explained_variance(views(alone)) == pytest.approx(score, rel=1e-3)


@pytest.mark.parametrize("constant", [0, 1])
def test_a_constant_modality_does_not_hide_what_the_other_explains(joint, constant):
    arrays = [RNG.random((50, d)).astype(np.float32) for d in WIDTHS]
    expected = explained_by_hand(joint, arrays)[1 - constant]
    arrays[constant] = np.ones_like(arrays[constant])
    assert joint.explained_variance(views(arrays)) == pytest.approx(expected, rel=1e-3)
