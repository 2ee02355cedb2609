"""Content and style of samples, by the posterior of all of their views."""

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from vaes import csvae

from sklearn_simvae import ContentStyleVAE, SimVAE

RNG = np.random.default_rng(0)


# ---------------------------------------------------------------- recombination and samples


@pytest.mark.parametrize("method", [ContentStyleVAE, SimVAE])
def test_new_views_are_drawn_around_the_content_of_a_sample(X, method):
    estimator = tiny(method.__name__, n_components=4, likelihood="gaussian", hidden_layer_sizes=())
    # A linear decoder tells the latents that were decoded.
    estimator.set_params(max_epochs=5).fit(X)
    made = estimator.sample(4000, content_of=X[:3], random_state=0)
    assert made.shape == (3, 4000, 64) and made.dtype == np.float32
    content, std = estimator.content(X[:3], return_std=True)
    offset = estimator.inverse_transform(np.zeros((1, 4)))
    W = estimator.inverse_transform(np.eye(4)) - offset
    z = (made - offset) @ np.linalg.pinv(W)
    style_variance, _ = estimator._variances
    expected = np.sqrt(std**2 + style_variance)
    assert_allclose(z.mean(1), content, atol=0.1)
    assert_allclose(z.std(1), expected, rtol=0.1)
    assert_array_equal(made, estimator.sample(4000, content_of=X[:3], random_state=0))


# ---------------------------------------------------------------- content and style


def content_by_hand(estimator, mean, variance):
    """Gaussian conditioning of psi on the latents of one sample, averaged over q."""
    n_views, d = mean.shape
    style, prior = (np.broadcast_to(np.inf if v is None else v, d) for v in estimator._variances)
    expected = np.empty((2, d))
    for k in range(d):
        gamma2 = 1e8 if np.isinf(prior[k]) else prior[k]
        covariance = gamma2 * np.ones((n_views, n_views)) + style[k] * np.eye(n_views)
        gain = np.linalg.solve(covariance, np.full(n_views, gamma2))
        left = gamma2 - gain @ np.full(n_views, gamma2)
        expected[:, k] = gain @ mean[:, k], np.sqrt(left + gain**2 @ variance[:, k])
    return expected


MODELS = {
    "SimVAE": lambda: tiny("SimVAE", style_variance=0.3, prior_variance=0.9),
    "SimVAE, uniform prior": lambda: tiny("SimVAE", prior_variance=None, n_views=8),
    "ContentStyleVAE": lambda: csvae(),
    "ContentStyleVAE, no correlation in style": lambda: csvae(style_correlation=0.0),
}


@pytest.mark.parametrize("name", MODELS)
def test_content_is_the_exact_posterior_given_all_views_of_a_group(X, name):
    groups = RNG.permutation(np.repeat([f"g{i:02}" for i in range(40)], np.arange(40) % 8 + 1))
    rows = X[: len(groups)]
    estimator = MODELS[name]()
    fitted_groups = groups
    if "uniform" in name:
        many = np.isin(groups, [g for g in groups if (groups == g).sum() > 1])
        rows, fitted_groups = rows[many], groups[many]
    estimator.fit(rows, groups=fitted_groups)
    mean, variance = estimator.encode(rows)
    content, std = estimator.content(rows, groups=fitted_groups, return_std=True)
    assert content.dtype == std.dtype == np.float32
    names = np.unique(fitted_groups)
    assert len(content) == len(names)
    for i, group in enumerate(names):
        own = fitted_groups == group
        expected = content_by_hand(estimator, mean[own].astype(float), variance[own].astype(float))
        assert_allclose([content[i], std[i]], expected, rtol=2e-3, atol=1e-5)
    style = estimator.style(rows, groups=fitted_groups)
    place = np.searchsorted(names, fitted_groups)
    assert style.dtype == np.float32
    assert_allclose(style, mean - content[place], atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_content_of_a_views_axis_is_that_of_groups(views, name):
    estimator = MODELS[name]().fit(views)
    rows, groups = views.reshape(-1, 64), np.repeat(np.arange(len(views)), 2)
    content, std = estimator.content(views, return_std=True)
    for one, other in zip(
        (content, std), estimator.content(rows, groups=groups, return_std=True), strict=True
    ):
        assert_allclose(one, other, atol=1e-5)
    assert_allclose(
        estimator.style(views).reshape(-1, content.shape[1]),
        estimator.style(rows, groups=groups),
        atol=1e-5,
    )


def test_a_row_by_itself_is_a_sample_of_one_view(X):
    estimator = tiny("SimVAE", style_variance=0.3, prior_variance=0.9).fit(X)
    Z = estimator.transform(X)
    assert_allclose(estimator.content(X), Z * 0.9 / 1.2, atol=1e-6)
    assert_allclose(estimator.style(X), Z * 0.3 / 1.2, atol=1e-6)


def test_methods_without_one_content_behind_views_have_no_content():
    for name in ("VAE", "CRVAE", "SimCLR"):
        assert not hasattr(tiny(name), "content") and not hasattr(tiny(name), "style")
