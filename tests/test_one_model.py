"""The paper's mapping: every method pulls views together, and what that leaves of style."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

import sklearn_simvae
from sklearn_simvae.datasets import make_sprites

GENERATIVE = ["VAE", "CRVAE", "SimVAE"]
DISCRIMINATIVE = [name for name in sklearn_simvae.__all__ if name not in GENERATIVE]
STYLE = ["x", "y", "size", "shade"]


def within_over_between(Z):
    """Variance of representations (n, n_views, d) within samples over that between them."""
    return Z.var(axis=1).sum() / Z.mean(axis=1).var(0).sum() / len(Z)


def style_r2(Z, factors, Z_test, factors_test):
    scaler = StandardScaler().fit(Z)
    probe = KNeighborsRegressor(10).fit(scaler.transform(Z), factors)
    return probe.score(scaler.transform(Z_test), factors_test)


@pytest.fixture(scope="module")
def seen():
    """For each method: within / between and style before the head, and style after it."""
    train, test = (
        make_sprites(n, image_size=12, n_views=2, random_state=seed)
        for n, seed in ((1500, 0), (500, 1))
    )
    columns = [train.factor_names.index(name) for name in STYLE]
    styles = [part.factors[:, 0, columns] for part in (train, test)]
    found = {}
    for name in sklearn_simvae.__all__:
        fitted = getattr(sklearn_simvae, name)(
            8,
            input_shape=(12, 12),
            hidden_layer_sizes=(128, 64),
            max_epochs=30,
            random_state=0,
        ).fit(train.images)
        views = [fitted.transform(test.images[:, view]) for view in range(2)]
        found[name] = {
            "within / between": within_over_between(np.stack(views, axis=1)),
            "style": style_r2(fitted.transform(train.images[:, 0]), styles[0], views[0], styles[1]),
        }
        if name in DISCRIMINATIVE:
            P, P_test = (fitted.project(part.images[:, 0]) for part in (train, test))
            found[name]["style after head"] = style_r2(P, styles[0], P_test, styles[1])
    return found


@pytest.mark.parametrize("name", [name for name in sklearn_simvae.__all__ if name != "VAE"])
def test_views_of_a_sample_lie_closer_together_than_where_nothing_ties_them(seen, name):
    assert seen[name]["within / between"] < 0.98 * seen["VAE"]["within / between"]


@pytest.mark.parametrize("name", DISCRIMINATIVE)
def test_reconstruction_keeps_style_that_discriminative_methods_lose(seen, name):
    assert seen["SimVAE"]["style"] > seen[name]["style"] + 0.1


def test_contrast_pulls_tighter_than_the_prior_of_simvae_does(seen):
    assert seen["SimCLR"]["within / between"] < seen["SimVAE"]["within / between"]


def test_head_of_contrastive_learning_takes_more_style_away(seen):
    assert seen["SimCLR"]["style after head"] < seen["SimCLR"]["style"]
