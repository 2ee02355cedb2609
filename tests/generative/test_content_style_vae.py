"""What ContentStyleVAE adds: dimensions of two kinds, a contrast of one, and uses of both."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from vaes import csvae

from sklearn_simvae import VAE, ContentStyleVAE, SimVAE
from sklearn_simvae.datasets import make_sprites

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def trained(X):
    return csvae(input_shape=(8, 8)).fit(X)


# ---------------------------------------------------------------- the models that it becomes


@pytest.mark.parametrize("source", ["rows", "views", "groups"])
@pytest.mark.parametrize("rho", [0.0, 0.87])
def test_without_contrast_one_correlation_is_simvae_and_none_is_the_vae(X, views, source, rho):
    params = {"batch_size": 30, "max_epochs": 2 if source == "views" else 1}
    data, groups = {
        "rows": (X, None),
        "views": (views, None),
        "groups": (X, RNG.integers(0, 300, 300)),
    }[source]
    own = csvae(contrast_weight=0, content_correlation=rho, style_correlation=rho, **params).fit(
        data, groups=groups
    )
    if rho:
        other = SimVAE(style_variance=1 - rho, prior_variance=rho, **own_params(own))
    else:
        other = VAE(**own_params(own))
    other.fit(data, groups=groups)
    assert min(state["step"] for state in own.net_.optimizer_.state.values()) >= 5
    assert_allclose(own.transform(data), other.transform(data), atol=1e-4)
    assert_allclose(own.score(data, groups=groups), other.score(data, groups=groups), rtol=1e-5)


def own_params(estimator):
    """The parameters that the VAE has too."""
    return {name: estimator.get_params()[name] for name in VAE().get_params() if name != "beta"}


def test_score_is_the_bound_whatever_the_contrast_weighs(X):
    one = csvae(contrast_weight=3.0).fit(X)
    score = one.score(X)
    assert one.set_params(contrast_weight=0.0).score(X) == score


# ---------------------------------------------------------------- the objective


@pytest.mark.parametrize(
    "params",
    [
        {"contrast_weight": 2.0},
        {"contrast_weight": 2.0, "n_views": 4},
        {"contrast_weight": 2.0, "early_stopping": True},
        {"contrast_weight": 2.0, "projection_layer_sizes": ()},
        {"contrast_weight": 0.0},
    ],
)
def test_loss_is_the_weighted_sum_of_its_terms(X, params):
    estimator = csvae(**params).fit(X)
    for row in estimator.history_:
        for part in ("", "valid_") if "early_stopping" in params else ("",):
            terms = [row[part + name] for name in ("reconstruction", "entropy", "prior")]
            expected = params["contrast_weight"] * row[part + "contrast"] - np.sum(terms)
            assert_allclose(row[part + "loss"], expected, rtol=1e-5)


def test_contrast_of_a_batch_is_that_of_its_projected_content(X):
    estimator = csvae(max_epochs=1, lr=1e-12, batch_size=300, augmentation=None).fit(X)
    module = estimator.module_
    with torch.no_grad():
        content = torch.from_numpy(estimator.transform(X))[:, :2]
        p = torch.nn.functional.normalize(module.head(content), dim=1).numpy()
    # Without augmentation both views are the row: the positive is the row itself.
    similarity = np.exp(p @ p.T / 0.2)
    partition = 2 * similarity.sum(1) - np.exp(1 / 0.2)
    assert_allclose(estimator.history_[0]["contrast"], np.log(partition).mean() - 5, rtol=1e-4)


def test_samples_of_one_view_are_learned_from_without_a_contrast(X):
    alone = csvae(max_epochs=3).fit(X, groups=np.arange(300))
    assert [row["contrast"] for row in alone.history_] == [0.0] * 3
    assert_array_equal(
        alone.transform(X), csvae(n_views=1, max_epochs=3, augmentation=None).fit_transform(X)
    )
    some = csvae(max_epochs=3).fit(X, groups=np.r_[np.arange(200), np.arange(100)])
    assert all(row["contrast"] > 0 for row in some.history_)


def test_contrast_tells_content_apart_and_style_stays():
    """Shape is what the views of a sprite share; place and shade are of each view."""
    bunch = make_sprites(3000, n_views=2, random_state=0)
    test = make_sprites(1000, random_state=1)
    estimator = ContentStyleVAE(
        hidden_layer_sizes=(256, 128), input_shape=(28, 28), max_epochs=30, lr=3e-3, random_state=0
    ).fit(bunch.data)
    Z = estimator.transform(test.data)
    assert estimator.n_content_components_ < 10
    n_content = estimator.n_content_components_
    place = test.factors[:, list(test.factor_names).index("x")]

    def accuracy(Z):
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        return probe.fit(Z[:500], test.target[:500]).score(Z[500:], test.target[500:])

    def explained(Z):
        Z = np.c_[Z, np.ones(len(Z))]
        fitted = Z @ np.linalg.lstsq(Z[:500], place[:500], rcond=None)[0]
        return 1 - ((fitted - place)[500:] ** 2).mean() / place[500:].var()

    content, style = Z[:, :n_content], Z[:, n_content:]
    # A shape in seven is right by chance.
    assert accuracy(content) > accuracy(style) + 0.2
    assert explained(style) > explained(content) + 0.3


# ---------------------------------------------------------------- the weight


def weights(X, noise_variance=0.01, **params):
    """The weight of the contrast in each epoch of a fit that learns nothing."""
    params = {"likelihood": "gaussian", "augmentation": None, "lr": 1e-12, **params}
    estimator = csvae(noise_variance=noise_variance, max_epochs=1, **params).fit(X)
    return np.array([row["contrast_weight"] for row in estimator.history_])


def test_auto_weight_follows_scale_noise_and_number_of_values(X):
    found = weights(X)
    assert found > 0
    # The first weights of a decoder are of one size, and nearer to nothing beside larger data.
    assert_allclose(weights(10 * X, noise_variance=1.0), found, rtol=0.06)
    assert_allclose(weights(X, noise_variance=0.02), found / 2, rtol=1e-3)
    assert_allclose(weights(np.hstack([X, X])), 2 * found, rtol=0.06)
    assert_allclose(weights(X, n_views=4), 2 * found, rtol=0.06)
    assert weights(X, contrast_weight=7.0) == 7.0


def test_auto_weight_begins_at_half_of_what_there_is_to_explain(X):
    information = 2 * 0.5 * X.var(0).sum() / 0.01
    # Before the first step nothing is explained, as the decoder gives the mean picture.
    assert_allclose(weights(X, batch_size=300), 0.5 * information, rtol=0.1)


def test_auto_weight_falls_as_views_are_explained_and_samples_told_apart(X):
    estimator = csvae(max_epochs=40, lr=5e-3, hidden_layer_sizes=(64,)).fit(X)
    found = [row["contrast_weight"] for row in estimator.history_]
    assert found[-1] < 0.6 * found[0]
    # It does not depend on how far a fit is.
    estimator.partial_fit(X)
    assert estimator.history_[-1]["contrast_weight"] < 1.2 * found[-1]


def test_loss_with_the_auto_weight_is_the_sum_of_its_terms_on_either_part(X):
    estimator = csvae(early_stopping=True, max_epochs=2, batch_size=300).fit(X)
    for row in estimator.history_:
        for part in ("", "valid_"):
            terms = [row[part + name] for name in ("reconstruction", "entropy", "prior")]
            contrast = row[part + "contrast_weight"] * row[part + "contrast"]
            assert_allclose(row[part + "loss"], contrast - np.sum(terms), rtol=1e-4)


def test_auto_weight_follows_a_noise_variance_that_is_learned(X):
    learned = csvae(noise_variance="learned", max_epochs=1, lr=1e-12, augmentation=None).fit(X)
    fixed = weights(X, learned.noise_variance_, likelihood="auto")
    assert_allclose(learned.history_[0]["contrast_weight"], fixed[0], rtol=1e-4)


def test_constant_data_have_no_contrast_to_weigh():
    assert weights(np.full((40, 8), 0.5)) == 0


# ---------------------------------------------------------------- columns


def test_columns_are_content_then_style_by_name(X):
    estimator = csvae(n_content_components=3).fit(X)
    prefix = "contentstylevae_"
    content, style = (
        [f"{prefix}content{i}" for i in range(3)],
        [f"{prefix}style{i}" for i in range(2)],
    )
    assert estimator.n_content_components_ == 3
    assert list(estimator.get_feature_names_out()) == content + style
    whole = estimator.transform(X)
    for name, names, part in (("content", content, slice(3)), ("style", style, slice(3, 5))):
        estimator.set_params(representation=name)
        assert_array_equal(estimator.transform(X), whole[:, part])
        assert list(estimator.get_feature_names_out()) == names
    estimator.set_params(representation="hidden")
    assert list(estimator.get_feature_names_out()) == [f"contentstylevae{i}" for i in range(16)]


def test_a_column_transformer_picks_a_part_by_name(X):
    pytest.importorskip("pandas")
    estimator = csvae(n_content_components=2).set_output(transform="pandas").fit(X)
    picked = ColumnTransformer([("content", "passthrough", make_column_selector("_content"))])
    Z = estimator.transform(X)
    assert_array_equal(picked.fit_transform(Z), Z.to_numpy()[:, :2])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_content_components": 6}, "n_content_components=6 is more than n_components=5"),
        ({"n_content_components": 5, "representation": "style"}, "has no dimension"),
        ({"n_components": 1, "representation": "style"}, "has no dimension"),
        ({"content_correlation": 1.0}, "content_correlation"),
        ({"style_correlation": -0.1}, "style_correlation"),
        ({"contrast_weight": -1.0}, "contrast_weight"),
    ],
)
def test_what_makes_no_model_is_refused_before_any_work(X, params, message):
    with pytest.raises(ValueError, match=message):
        csvae(**params).fit(X)


def test_all_dimensions_may_be_content_and_one_is_always(X):
    assert csvae(n_content_components=5).fit(X).n_content_components_ == 5
    assert csvae(n_components=1).fit(X).n_content_components_ == 1


def test_training_goes_on_with_the_parts_that_there_are(X):
    estimator = csvae(n_content_components=2).fit(X)
    with pytest.raises(ValueError, match="n_content_components changed"):
        estimator.set_params(n_content_components=3).partial_fit(X)
    # What was fitted has its own parts still.
    assert estimator.n_content_components_ == 2
    assert_allclose(estimator.style(X)[:, 2:], estimator.transform(X)[:, 2:], atol=0.1)


# ---------------------------------------------------------------- recombination and samples


def test_recombined_rows_are_decoded_from_the_parts_of_two(trained, X):
    a, b = X[:20], X[20:40]
    Z = trained.transform(a)
    Z[:, trained.n_content_components_ :] = trained.transform(b)[:, trained.n_content_components_ :]
    made = trained.recombine(a, b)
    assert made.shape == a.shape and made.dtype == np.float32
    assert_allclose(made, trained.inverse_transform(Z), atol=1e-6)
    assert_allclose(
        trained.recombine(a, a), trained.inverse_transform(trained.transform(a)), atol=1e-6
    )


def test_recombination_takes_samples_of_views(views):
    estimator = csvae().fit(views)
    Z = estimator.transform(views[:9])
    assert_allclose(
        estimator.recombine(views[:9], views[:9]), estimator.inverse_transform(Z), atol=1e-6
    )


def test_rows_to_recombine_are_as_many(trained, X):
    with pytest.raises(ValueError, match="row by row, but have 3 and 2 rows"):
        trained.recombine(X[:3], X[:2])


def test_new_views_keep_content_and_not_style(trained, X):
    content, std = trained.content(X[:2], return_std=True)
    n_content = trained.n_content_components_
    assert (std[:, :n_content] < 0.5).all() and (std[:, n_content:] < 0.2).all()
    assert_allclose(content[:, n_content:], 0, atol=0.1)


def test_new_views_are_of_one_content_already(trained, X):
    with pytest.raises(ValueError, match="Leave n_views out"):
        trained.sample(2, n_views=2, content_of=X[:2])
    with pytest.raises(ValueError, match="n_samples"):
        trained.sample(0, content_of=X[:2])


def test_samples_of_the_prior_have_the_correlations_of_the_model(X):
    estimator = csvae(
        content_correlation=0.8, style_correlation=0.3, n_components=4, max_epochs=1
    ).fit(X)
    z = estimator._draw_latents(50_000, 2, 0).numpy()
    assert_allclose(z.var((0, 1)), 1, atol=0.03)
    n_content = estimator.n_content_components_
    found = [np.corrcoef(z[:, 0, d], z[:, 1, d])[0, 1] for d in range(4)]
    assert_allclose(found, [0.8] * n_content + [0.3] * (4 - n_content), atol=0.02)
