"""MultimodalSimVAE: its bound, the content behind modalities, and one made from another."""

import numpy as np
import pytest
import torch
from conftest import TINY
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import gammaln
from scipy.stats import multivariate_normal, norm
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from sklearn_simvae.generative.autoencoder import fixed_noise
from sklearn_simvae.multimodal import MultimodalSimVAE

STYLE, PRIOR = 0.2, 0.9
LONGER = {"max_epochs": 30, "lr": 2e-2, "batch_size": 40, "hidden_layer_sizes": (32,)}
# What log p(x | z) is of, for each modality of `make_mixed`.
LIKELIHOODS = {"real": "gaussian", "binary": "bernoulli", "counts": "multinomial"}


def make_vae(**params):
    return MultimodalSimVAE(**{**TINY, "style_variance": STYLE, "prior_variance": PRIOR, **params})


def make_data(n, seed=0):
    """Two linear pictures of one factor of three dimensions, with a little noise."""
    rng, weights = np.random.default_rng(seed), np.random.default_rng(99)
    factor = rng.standard_normal((n, 3))

    def picture(d):
        return factor @ weights.standard_normal((3, d)) + 0.2 * rng.standard_normal((n, d))

    return {"image": picture(6).astype(np.float32), "sound": picture(5).astype(np.float32)}


def make_mixed(n, seed=0):
    """Real numbers, binary ones and counts that tell of one factor."""
    rng, weights = np.random.default_rng(seed), np.random.default_rng(99)
    factor = rng.standard_normal((n, 2))
    logits = factor @ weights.standard_normal((2, 7))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return {
        "real": factor @ weights.standard_normal((2, 5)) + 0.1 * rng.standard_normal((n, 5)),
        "binary": (factor @ weights.standard_normal((2, 4)) > 0).astype(float),
        "counts": rng.multinomial(rng.integers(1, 30, n), shares).astype(float),
    }


def without(X, **rows):
    """Some rows of some modalities missing."""
    X = {name: values.copy() for name, values in X.items()}
    for name, which in rows.items():
        X[name][which] = np.nan
    return X


def there(X):
    return np.stack([~np.isnan(values).any(1) for values in X.values()], axis=1)


@pytest.fixture(scope="module")
def trained():
    return make_vae(**LONGER).fit(make_data(400))


@pytest.fixture(scope="module")
def mixed():
    X = without(make_mixed(80), real=slice(0, 20), binary=slice(10, 40), counts=slice(40, 50))
    return make_vae(likelihood=LIKELIHOODS, max_epochs=5).fit(X)


# ---------------------------------------------------------------- the bound


def log_likelihood_by_hand(name, x, decoded, noise_variance):
    if name == "real":
        return norm.logpdf(x, decoded, np.sqrt(noise_variance[name])).sum(-1)
    if name == "binary":
        return (x * np.log(decoded) + (1 - x) * np.log(1 - decoded)).sum(-1)
    orders = gammaln(1 + x.sum(-1)) - gammaln(1 + x).sum(-1)
    return orders + (x * np.log(decoded)).sum(-1)


def bound_by_hand(vae, X):
    """A row at a time: the prior of what a row has is a Gaussian, written out as such."""
    mean, variance = (part.astype(float) for part in vae.encode(X))
    present, n_components = there(X), mean.shape[2]
    noise = fixed_noise(8, len(X), n_components, antithetic=True).numpy()
    bounds = np.zeros(len(mean))
    for j, (name, values) in enumerate(X.items()):
        for i in np.flatnonzero(present[:, j]):
            draws = mean[i, j] + np.sqrt(variance[i, j]) * noise[:, j]
            decoded = vae.inverse_transform(draws)[name].astype(float)
            values_i = values[i].astype(float)
            bounds[i] += log_likelihood_by_hand(name, values_i, decoded, vae.noise_variance_).mean()
    for i, has in enumerate(present):
        J = has.sum()
        covariance = PRIOR * np.ones((J, J)) + STYLE * np.eye(J)
        prior = multivariate_normal(np.zeros(J), covariance)
        precision = np.linalg.inv(covariance)
        for d in range(n_components):
            v = variance[i, has, d]
            # E log p is log p at the mean, less half the trace of precision times variance.
            bounds[i] += prior.logpdf(mean[i, has, d]) - 0.5 * np.diag(precision) @ v
            bounds[i] += 0.5 * np.log(2 * np.pi * np.e * v).sum()
    return bounds


@pytest.mark.parametrize(
    "missing",
    [
        {},
        {"real": slice(0, 5)},
        {"binary": slice(3, 9), "counts": slice(6, 12)},
        {"real": slice(0, 12), "binary": slice(0, 12)},
    ],
)
def test_score_is_the_bound_of_what_a_row_has(mixed, missing):
    X = without(make_mixed(12, seed=1), **missing)
    expected = bound_by_hand(mixed, X)
    assert_allclose(mixed.score_samples(X), expected, rtol=1e-4)
    assert_allclose(mixed.score(X), expected.mean(), rtol=1e-4)


def test_training_maximizes_the_bound_that_is_scored():
    X = without(make_data(200), image=slice(0, 60), sound=slice(60, 90))
    vae = make_vae(max_epochs=1, lr=1e-12, noise_variance=0.5).fit(X)
    row = vae.history_[0]
    assert_allclose(row["loss"], -vae.score(X), rtol=0.02)
    terms = [row[name] for name in ("reconstruction", "entropy", "prior")]
    assert_allclose(row["loss"], -np.sum(terms), rtol=1e-5)


def linear_evidence(vae, X):
    """log p(x) of a model whose decoders are linear: all is one Gaussian."""
    d, names = vae.n_components, list(X)
    offset = vae.inverse_transform(np.zeros((1, d)))
    axes = vae.inverse_transform(np.eye(d))
    b = np.concatenate([offset[name][0] for name in names])
    # x = W z + b with W of blocks, and z of the latents of all modalities in turn.
    blocks = [(axes[name] - offset[name]).T for name in names]
    W = np.zeros((len(b), d * len(names)))
    row = 0
    for j, block in enumerate(blocks):
        W[row : row + len(block), j * d : (j + 1) * d] = block
        row += len(block)
    J = len(names)
    prior = np.kron(PRIOR * np.ones((J, J)) + STYLE * np.eye(J), np.eye(d))
    noise = [np.full(X[name].shape[1], vae.noise_variance_[name]) for name in names]
    covariance = W @ prior @ W.T + np.diag(np.concatenate(noise))
    x = np.hstack([X[name] for name in names])
    scores = np.empty(len(x))
    for i, values in enumerate(x):
        has = ~np.isnan(values)
        gaussian = multivariate_normal(b[has], covariance[np.ix_(has, has)])
        scores[i] = gaussian.logpdf(values[has])
    return scores


def test_importance_weighted_bound_of_a_linear_model_is_its_evidence():
    X = make_data(400)
    vae = make_vae(hidden_layer_sizes=(), max_epochs=30, lr=2e-2, likelihood="gaussian").fit(X)
    X = without(make_data(60, seed=1), image=slice(0, 15), sound=slice(15, 30))
    evidence = linear_evidence(vae, X)
    tight = vae.score_samples(X, n_importance_samples=2000)
    for rows in (slice(0, 15), slice(15, 30), slice(30, 60)):
        assert tight[rows].mean() == pytest.approx(evidence[rows].mean(), abs=0.1)
    assert_allclose(tight, evidence, atol=0.5)
    # Of few draws the error is common to all rows, and does not average out.
    assert vae.score(X) == pytest.approx(evidence.mean(), abs=0.5)


def test_score_is_deterministic_and_a_row_scores_the_same_among_others(trained):
    X = without(make_data(50, seed=1), image=slice(0, 10))
    state = torch.get_rng_state()
    scores = trained.score_samples(X)
    torch.manual_seed(7)
    assert_array_equal(trained.score_samples(X), scores)
    torch.set_rng_state(state)
    assert scores.shape == (50,) and scores.dtype == np.float32
    assert trained.score(X) == pytest.approx(scores.mean(dtype=float))
    part = {name: values[5:15] for name, values in X.items()}
    assert_allclose(trained.score_samples(part), scores[5:15], rtol=1e-4)


def test_modalities_of_one_row_score_higher_than_those_of_different_rows(trained):
    X = make_data(200, seed=1)
    mismatched = {**X, "sound": np.roll(X["sound"], 1, axis=0)}
    real, wrong = trained.score_samples(X), trained.score_samples(mismatched)
    assert roc_auc_score([1] * 200 + [0] * 200, np.r_[real, wrong]) > 0.8
    # Together they are likelier than by themselves.
    alone = trained.score({**X, "sound": None}) + trained.score({**X, "image": None})
    assert trained.score(X) > alone > trained.score(mismatched)


# ---------------------------------------------------------------- content


def content_by_hand(vae, X):
    """Gaussian conditioning of psi on the latents, averaged over q."""
    mean, variance = (part.astype(float) for part in vae.encode(X))
    found = np.empty((2, len(mean), mean.shape[2]))
    for i, has in enumerate(there(X)):
        J = has.sum()
        covariance = PRIOR * np.ones((J, J)) + STYLE * np.eye(J)
        gain = np.linalg.solve(covariance, np.full(J, PRIOR))
        left = PRIOR - gain @ np.full(J, PRIOR)
        found[0, i] = gain @ mean[i, has]
        found[1, i] = left + gain**2 @ variance[i, has]
    return found


def test_content_is_the_gaussian_posterior_given_what_a_row_has(mixed):
    X = without(make_mixed(12, seed=1), real=slice(0, 4), binary=slice(2, 8), counts=slice(7, 12))
    content, std = mixed.content(X, return_std=True)
    assert content.dtype == std.dtype == np.float32
    assert_allclose([content, std**2], content_by_hand(mixed, X), rtol=1e-4, atol=1e-5)
    assert_array_equal(mixed.content(X), content)


def test_style_is_what_sets_each_modality_apart_from_the_content(mixed):
    X = without(make_mixed(12, seed=1), real=slice(0, 4), binary=slice(2, 8), counts=slice(7, 12))
    mean, _ = mixed.encode(X)
    style = mixed.style(X)
    assert style.dtype == np.float32
    assert_allclose(style, mean - mixed.content(X)[:, None], atol=1e-6)
    assert_array_equal(np.isnan(style[:, :, 0]), ~there(X))


def test_content_is_the_published_formula():
    X = make_data(30)
    for prior in (PRIOR, None):
        vae = make_vae(prior_variance=prior).fit(X)
        mean, std = vae.content(X, return_std=True)
        mu, v = vae.encode(X)
        ratio = 0 if prior is None else STYLE / (2 * prior)
        assert_allclose(mean, mu.mean(1) / (1 + ratio), rtol=1e-4, atol=1e-6)
        precision = 2 / STYLE + (0 if prior is None else 1 / prior)
        expected = 1 / precision + (v.sum(1) / 4) / (1 + ratio) ** 2
        assert_allclose(std**2, expected, rtol=1e-4)


def test_content_of_one_modality_is_that_of_rows_that_have_no_other(trained):
    X = make_data(20, seed=1)
    expected = trained.content({**X, "image": None})
    assert_allclose(trained.content(X, "sound"), expected, atol=1e-6)
    assert_allclose(trained.content(X["sound"], "sound"), expected, atol=1e-6)
    # Less is known by one than by both.
    std_of_both, std_of_one = (
        trained.content(X, modality, return_std=True)[1] for modality in (None, "sound")
    )
    assert (std_of_both.mean(0) < std_of_one.mean(0)).all()


def test_transform_is_the_mean_of_the_latents_that_a_row_has(mixed):
    X = without(make_mixed(12, seed=1), real=slice(0, 4), counts=slice(2, 8))
    mean, _ = mixed.encode(X)
    assert_allclose(mixed.transform(X), np.nanmean(mean, axis=1), atol=1e-5)
    own = {**X, "real": None, "counts": None}
    assert_allclose(mixed.transform(X, "binary"), mixed.encode(own)[0][:, 1], atol=1e-5)


def test_encode_is_nan_where_a_modality_is_missing_alone(mixed):
    X = without(make_mixed(12, seed=1), real=slice(0, 4), counts=slice(2, 8))
    mean, variance = mixed.encode(X)
    assert mean.shape == variance.shape == (12, 3, 3)
    for part in (mean, variance):
        assert_array_equal(np.isnan(part), np.repeat(~there(X)[:, :, None], 3, axis=2))
    assert np.nanmin(variance) > 0


# ---------------------------------------------------------------- missing modalities


@pytest.mark.parametrize(
    "method", ["transform", "encode", "content", "score_samples", "score", "generate"]
)
def test_a_modality_that_is_nan_or_none_or_no_entry_is_the_same(trained, method):
    X = make_data(20, seed=1)

    def result(**sound):
        found = getattr(trained, method)({"image": X["image"], **sound})
        return list(found.values()) if isinstance(found, dict) else [found]

    expected = result()
    for other in (result(sound=None), result(sound=np.full_like(X["sound"], np.nan))):
        for a, b in zip(expected, other, strict=True):
            assert_array_equal(a, b)


def test_rows_without_a_modality_teach_the_others():
    X = without(make_data(300), sound=slice(0, 200))
    few = {name: values[200:] for name, values in X.items()}
    test = {**make_data(100, seed=1), "sound": None}
    many, fewer = (make_vae(**{**LONGER, "max_epochs": 10}).fit(data) for data in (X, few))
    assert many.score(test) > fewer.score(test) + 1


def test_training_on_rows_that_lack_modalities_learns_to_make_them():
    gone = np.random.default_rng(0).integers(3, size=500)
    X = without(make_data(500), image=gone == 0, sound=gone == 1)
    vae = make_vae(**LONGER).fit(X)
    test = make_data(100, seed=1)
    assert r2_score(test["sound"], vae.generate(test["image"], "image", "sound")) > 0.5


# ---------------------------------------------------------------- one modality from another


def test_generated_predicts_the_target(trained):
    X = make_data(200, seed=1)
    for source, target in (("image", "sound"), ("sound", "image")):
        made = trained.generate(X, source, target)
        assert made.dtype == np.float32 and made.shape == X[target].shape
        assert r2_score(X[target], made) > 0.5
        assert_allclose(trained.generate(X[source], source, target), made, atol=1e-5)
        shuffled = np.roll(X[target], 1, axis=0)
        assert r2_score(shuffled, made) < 0


def test_generated_does_not_look_at_the_target(trained):
    X = make_data(20, seed=1)
    other = {**X, "sound": X["sound"] + 5}
    assert_array_equal(
        trained.generate(other, "image", "sound"), trained.generate(X, "image")["sound"]
    )


def test_generated_is_decoded_from_the_mean_of_the_content(trained):
    X = without(make_data(20, seed=1), sound=slice(0, 5))
    made = trained.generate(X)
    assert list(made) == ["image", "sound"]
    decoded = trained.inverse_transform(trained.content(X))
    for name, values in made.items():
        assert_allclose(values, decoded[name], atol=1e-5)
    assert_array_equal(trained.generate(X, target="sound"), made["sound"])


def test_generated_counts_are_shares_and_binary_ones_probabilities(mixed):
    made = mixed.generate(make_mixed(20, seed=1), source="real")
    assert_allclose(made["counts"].sum(1), 1, rtol=1e-5)
    assert made["counts"].min() >= 0
    assert made["binary"].min() >= 0 and made["binary"].max() <= 1
    assert made["real"].min() < 0


ANIMALS = np.array(["cat", "dog", "owl"])


def test_words_are_generated_from_numbers_and_numbers_from_words():
    rng = np.random.default_rng(0)
    which = rng.integers(3, size=300)
    forms = ["the {0} and the {0}", "a {0}", "one {0} more", "{0} {0} {0}"]
    text = [
        forms[i].format(ANIMALS[c]) for i, c in zip(rng.integers(4, size=300), which, strict=True)
    ]
    image = np.eye(4)[which] + 0.1 * rng.standard_normal((300, 4))
    vae = make_vae(
        likelihood={"text": "multinomial"}, preprocessing=[("text", CountVectorizer())], **LONGER
    ).fit({"image": image, "text": text})
    vocabulary = vae.layout_.modalities[1].preprocessor.get_feature_names_out()
    shares = vae.generate(np.eye(4)[:3], "image", "text")
    assert_allclose(shares.sum(1), 1, rtol=1e-5)
    animals = np.searchsorted(vocabulary, ANIMALS)
    assert_array_equal(shares[:, animals].argmax(1), np.arange(3))
    made = vae.generate([f"one {animal}" for animal in ANIMALS], "text", "image")
    assert_array_equal(made[:, :3].argmax(1), np.arange(3))
    assert list(vae.noise_variance_) == ["image"]
    # A text of no word that is known, and many of one.
    odd = {"image": image[:2], "text": ["zebra", "cat " * 500]}
    assert np.isfinite(vae.score_samples(odd)).all() and np.isfinite(vae.transform(odd)).all()


# ---------------------------------------------------------------- sample and decode


def test_samples_vary_together_across_modalities():
    rng = np.random.default_rng(0)
    factor = rng.standard_normal((400, 1))
    X = {
        "up": factor * [1, 2, -1] + 0.1 * rng.standard_normal((400, 3)),
        "down": factor * [-2, 1] + 0.1 * rng.standard_normal((400, 2)),
    }
    vae = make_vae(style_variance=0.05, **LONGER).fit(X)
    made = vae.sample(500, random_state=0)
    assert {name: values.shape for name, values in made.items()} == {
        "up": (500, 3),
        "down": (500, 2),
    }
    data = np.corrcoef(np.hstack(list(X.values())).T)
    found = np.corrcoef(np.hstack(list(made.values())).T)
    assert np.abs(found).min() > 0.5
    assert_array_equal(np.sign(found), np.sign(data))


def test_samples_are_fixed_by_the_random_state(trained):
    first = trained.sample(5, random_state=3)["sound"]
    assert_array_equal(trained.sample(5, random_state=3)["sound"], first)
    assert np.abs(trained.sample(5, random_state=4)["sound"] - first).max() > 0.01
    assert_array_equal(trained.sample(5)["image"], trained.sample(5)["image"])
    assert trained.sample()["image"].shape == (1, 6)


def test_modalities_of_a_sample_share_content_and_differ_by_style():
    vae = make_vae(hidden_layer_sizes=(), likelihood="gaussian", max_epochs=1).fit(make_data(100))
    made = vae.sample(3000, random_state=0)
    # Decoders are linear here: what one tells of the other is what their latents do.
    image = made["image"] - made["image"].mean(0)
    predicted = image @ np.linalg.lstsq(image, made["sound"], rcond=1e-3)[0] + made["sound"].mean(0)
    correlation = PRIOR / (PRIOR + STYLE)
    assert r2_score(made["sound"], predicted) == pytest.approx(correlation**2, abs=0.04)


@pytest.mark.parametrize("n_samples", [0, -1, 2.5])
def test_numbers_of_samples_are_positive(trained, n_samples):
    with pytest.raises(ValueError, match="n_samples must be a positive int"):
        trained.sample(n_samples)


def test_decoded_columns_are_where_they_were():
    X = make_data(400)
    table = np.full((400, 13), 7.0, dtype=np.float32)
    order = np.random.default_rng(0).permutation(13)
    places = {"image": list(order[:6]), "sound": list(order[6:11])}
    for name, columns in places.items():
        table[:, columns] = X[name]
    vae = make_vae(modalities=[(n, "auto", c) for n, c in places.items()], **LONGER).fit(table)
    decoded = vae.inverse_transform(vae.transform(table))
    assert decoded.shape == table.shape and decoded.dtype == np.float32
    used = np.sort(order[:11])
    assert np.isnan(decoded[:, order[11:]]).all()
    assert r2_score(table[:, used], decoded[:, used]) > 0.7
    # In each column, not on the whole.
    assert r2_score(table[:, used], decoded[:, used], multioutput="raw_values").min() > 0.3
    assert vae.sample(4).shape == (4, 13)
    made = vae.generate(table, "image", "sound")
    assert r2_score(X["sound"], made) > 0.5


def test_decoded_entries_of_a_dict_have_the_shapes_that_they_had():
    rng = np.random.default_rng(0)
    X = {
        "picture": rng.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8),
        "flat": rng.random((30, 64)),
        "series": rng.standard_normal((30, 12, 2)),
    }
    shapes = {"picture": (8, 8, 3), "flat": (8, 8), "series": (12, 2)}
    modalities = [("picture", "mlp"), ("flat", "mlp"), ("series", "mlp")]
    vae = make_vae(modalities=modalities, input_shapes=shapes, max_epochs=1).fit(X)
    for made in (vae.inverse_transform(vae.transform(X)), vae.generate(X, "flat")):
        assert {name: values.shape for name, values in made.items()} == {
            name: values.shape for name, values in X.items()
        }
        assert made["picture"].min() >= 0 and made["picture"].max() <= 1


def test_what_was_preprocessed_is_decoded_by_name():
    X = np.hstack(list(make_data(40).values())) * 100
    columns = [("image", "auto", slice(0, 6)), ("sound", "auto", slice(6, 11))]
    vae = make_vae(modalities=columns, preprocessing=[("sound", StandardScaler())]).fit(X)
    decoded = vae.inverse_transform(vae.transform(X))
    assert {name: values.shape for name, values in decoded.items()} == {
        "image": (40, 6),
        "sound": (40, 5),
    }
    assert np.abs(decoded["sound"]).max() < 10 < np.abs(decoded["image"]).max()


def test_latents_of_another_width_are_told(trained):
    with pytest.raises(ValueError, match=r"2 columns.*n_components = 3"):
        trained.inverse_transform(np.zeros((4, 2)))


# ---------------------------------------------------------------- likelihoods


def test_learned_noise_variance_is_by_name_what_reconstructions_leave(trained):
    X = make_data(400)
    assert list(trained.noise_variance_) == ["image", "sound"]
    mean, variance = trained.encode(X)
    z = mean + np.sqrt(variance) * np.random.default_rng(0).standard_normal(mean.shape)
    for j, (name, values) in enumerate(X.items()):
        residual = np.mean((trained.inverse_transform(z[:, j])[name] - values) ** 2)
        assert trained.noise_variance_[name] == pytest.approx(residual, rel=0.5)


def test_learned_noise_variance_tells_a_loud_modality_from_a_quiet_one():
    X = make_data(300)
    X["sound"] = X["sound"] + 2 * np.random.default_rng(0).standard_normal((300, 5))
    noise = make_vae(**LONGER).fit(X).noise_variance_
    assert noise["sound"] > 3 * noise["image"]


def test_noise_variance_is_of_gaussian_likelihoods_alone(mixed):
    assert list(mixed.noise_variance_) == ["real"]


def test_auto_means_pass_a_sigmoid_where_that_modality_lies_in_the_unit_interval():
    X = make_data(200)
    X["image"] = 1 / (1 + np.exp(-X["image"]))
    vae = make_vae(**LONGER).fit(X)
    far = vae.inverse_transform(10 * np.random.default_rng(0).standard_normal((50, 3)))
    assert far["image"].min() >= 0 and far["image"].max() <= 1
    assert far["sound"].min() < 0 and far["sound"].max() > 1
    # Where a likelihood is named, it is taken as it is.
    plain = make_vae(likelihood={"image": "gaussian"}, **LONGER).fit(X)
    assert plain.inverse_transform(10 * np.eye(3))["image"].max() > 1


def test_likelihoods_of_a_fit_stay_when_parameters_change():
    X = make_data(40)
    vae = make_vae().fit(X)
    expected = vae.transform(X)
    vae.set_params(likelihood="bernoulli")
    assert_array_equal(vae.transform(X), expected)


# ---------------------------------------------------------------- a uniform prior


def test_uniform_prior_withholds_what_it_has_not():
    X = make_data(40)
    vae = make_vae(prior_variance=None)
    for _ in range(2):
        for name in ("score", "score_samples", "sample"):
            assert not hasattr(vae, name)
            with pytest.raises(AttributeError):
                getattr(vae, name)
        vae.fit(X)
    assert vae.transform(X).shape == (40, 3)
    assert vae.generate(X, "image", "sound").shape == (40, 5)
    assert np.isfinite(vae.content(X["image"], "image")).all()
    assert hasattr(make_vae(), "score")


# ---------------------------------------------------------------- bad input

X = make_data(40)


@pytest.mark.parametrize(
    "params, X, message",
    [
        ({"likelihood": "poisson"}, X, "likelihood"),
        ({"noise_variance": 0.0}, X, "noise_variance"),
        ({"style_variance": 0.0}, X, "style_variance"),
        ({"prior_variance": -1.0}, X, "prior_variance"),
    ],
)
def test_what_cannot_be_fitted_is_refused(params, X, message):
    vae = make_vae(**params)
    with pytest.raises(ValueError, match=message):
        vae.fit(X)
    assert not hasattr(vae, "net_")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"source": "smell"}, "no modality 'smell'"),
        ({"target": "smell"}, "no modality 'smell'"),
        ({"source": "image", "target": "smell"}, "no modality 'smell'"),
    ],
)
def test_modalities_that_are_not_there_are_told(trained, arguments, message):
    with pytest.raises(ValueError, match=message):
        trained.generate(make_data(5), **arguments)


def test_a_row_that_lacks_the_source_is_told(trained):
    with pytest.raises(ValueError, match="lack the modality 'image'; the first is row 2"):
        trained.generate(without(make_data(5), image=[2]), source="image", target="sound")


@pytest.mark.parametrize("n_importance_samples", [0, 1.5])
def test_numbers_of_draws_are_positive(trained, n_importance_samples):
    with pytest.raises(ValueError, match="n_importance_samples"):
        trained.score_samples(make_data(5), n_importance_samples=n_importance_samples)


@pytest.mark.parametrize("method", ["transform", "encode", "content", "generate", "score"])
def test_nothing_is_told_before_fit(method):
    with pytest.raises(NotFittedError):
        getattr(make_vae(), method)(make_data(5))
    with pytest.raises(NotFittedError):
        make_vae().generate(make_data(5), target="sound")


def test_variances_of_numpy_are_numbers_as_others():
    X, kinds = make_data(40), {"style_variance": np.float64(0.2), "prior_variance": np.float64(1)}
    found = make_vae(**kinds).fit(X)
    expected = make_vae(**{name: float(value) for name, value in kinds.items()}).fit(X)
    for one, other in zip(*(v.content(X, return_std=True) for v in (found, expected)), strict=True):
        assert one.dtype == np.float32
        assert_array_equal(one, other)
    assert_array_equal(found.generate(X, "image", "sound"), expected.generate(X, "image", "sound"))


def test_columns_of_arrays_come_back_by_modality():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"image": list(rng.random((30, 8, 8))), "a": rng.random(30)})
    vae = make_vae(
        modalities=[("image", "auto", "image"), ("a", "mlp", ["a"])],
        input_shapes={"image": (8, 8)},
    ).fit(table)
    for made in (vae.sample(2), vae.inverse_transform(vae.transform(table[:2]))):
        assert {name: values.shape for name, values in made.items()} == {
            "image": (2, 8, 8),
            "a": (2, 1),
        }
