"""The paper's mapping: every method pulls views together, and what that leaves of style."""

import numpy as np
import pytest
from conftest import METHODS, ONE_KIND
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from sklearn_simvae.datasets import make_sprites

GENERATIVE = ["VAE", "CRVAE", "SimVAE", "ContentStyleVAE"]
DISCRIMINATIVE = [name for name in ONE_KIND if name not in GENERATIVE]
STYLE = ["x", "y", "size", "shade"]


def within_over_between(Z):
    """Variance of representations (n, n_views, d) within samples over that between them."""
    return Z.var(axis=1).sum() / Z.mean(axis=1).var(0).sum() / len(Z)


def style_r2(Z, factors, Z_test, factors_test):
    scaler = StandardScaler().fit(Z)
    probe = KNeighborsRegressor(10).fit(scaler.transform(Z), factors)
    return probe.score(scaler.transform(Z_test), factors_test)


def look(represent, train, test):
    """Within / between of what a function gives for views, and the style left in it."""
    columns = [train.factor_names.index(name) for name in STYLE]
    Z = represent(train.images[:, 0])
    views = np.stack([represent(test.images[:, view]) for view in range(2)], axis=1)
    style = style_r2(Z, train.factors[:, 0, columns], views[:, 0], test.factors[:, 0, columns])
    return {"within / between": within_over_between(views), "style": style}


@pytest.fixture(scope="module")
def seen():
    """Of each method, before the head and, where there is one, after it."""
    train, test = (
        make_sprites(n, image_size=12, n_views=2, random_state=seed)
        for n, seed in ((1200, 0), (500, 1))
    )
    found = {}
    for name in ONE_KIND:
        params = {"n_components": 8, "hidden_layer_sizes": (128, 64), "max_epochs": 30}
        if name in DISCRIMINATIVE:
            params |= {"projection_layer_sizes": (64, 64), "lr": 1e-3}
        method = METHODS[name](input_shape=(12, 12), random_state=0, **params)
        method.fit(train.images)
        found[name] = look(method.transform, train, test)
        found[name, "head"] = found[name]
        if name in DISCRIMINATIVE:
            found[name, "head"] = look(method.project, train, test)
        if name == "ContentStyleVAE":
            content = method.set_params(representation="content")
            found[name, "head"] = look(content.transform, train, test)
    return found


@pytest.mark.parametrize("name", [name for name in ONE_KIND if name != "VAE"])
def test_views_lie_closer_together_where_an_objective_ties_them(seen, name):
    # Where it looks: at the projections or the content columns, if there are any.
    assert seen[name, "head"]["within / between"] < 0.98 * seen["VAE"]["within / between"]


@pytest.mark.parametrize("name", DISCRIMINATIVE)
def test_reconstruction_keeps_style_that_is_lost_before_and_after_a_head(seen, name):
    assert seen["SimVAE"]["style"] > seen[name]["style"] + 0.1
    assert seen["SimVAE"]["style"] > seen[name, "head"]["style"] + 0.1


def test_content_and_style_keep_as_much_style_as_reconstruction_alone(seen):
    assert seen["ContentStyleVAE"]["style"] > seen["SimVAE"]["style"] - 0.1
    assert seen["ContentStyleVAE", "head"]["style"] < seen["ContentStyleVAE"]["style"] - 0.2


def test_contrast_pulls_tighter_than_the_prior_of_simvae_does(seen):
    assert seen["SimCLR"]["within / between"] < seen["SimVAE"]["within / between"]
