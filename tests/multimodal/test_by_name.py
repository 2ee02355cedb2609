"""Parameters by modality."""

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_simvae.multimodal.by_name import by_name, check_likelihoods
from sklearn_simvae.multimodal.reader import ModalityReader
from sklearn_simvae.views import LazyArray

RNG = np.random.default_rng(0)
X = {"image": RNG.standard_normal((40, 6)), "sound": RNG.standard_normal((40, 5))}
UNIT = {name: RNG.random(v.shape) for name, v in X.items()}


def make_vae(**params):
    return tiny("MultimodalSimVAE", **params)


def test_noise_variance_may_be_given_by_name():
    noise = make_vae(noise_variance={"sound": 0.3}).fit(X).noise_variance_
    assert noise["sound"] == 0.3 and noise["image"] != 0.3
    assert make_vae(noise_variance=0.2).fit(X).noise_variance_ == {"image": 0.2, "sound": 0.2}


def test_values_that_a_likelihood_is_not_of_are_refused_later():
    vae = make_vae(likelihood={"sound": "bernoulli"}).fit(UNIT)
    for method in ("transform", "encode", "score", "score_samples", "content", "partial_fit"):
        with pytest.raises(ValueError, match=r"bernoulli.*'sound'"):
            getattr(vae, method)({**UNIT, "sound": 2 * UNIT["sound"]})
    for method in ("transform", "content", "generate"):
        with pytest.raises(ValueError, match=r"bernoulli.*'sound'"):
            getattr(vae, method)(-UNIT["sound"], "sound")
    # Of the other anything may come.
    assert np.isfinite(vae.score({**UNIT, "image": 2 * UNIT["image"]}))


@pytest.mark.parametrize(
    "params, message",
    [
        ({"likelihood": {"smell": "gaussian"}}, r"likelihood names \['smell'\].*image.*sound"),
        ({"likelihood": {"image": "poisson"}}, r"likelihood\['image'\] must be one of.*poisson"),
        ({"likelihood": {"image": None}}, r"likelihood\['image'\]"),
        ({"noise_variance": {"smell": 1.0}}, r"noise_variance names \['smell'\]"),
        *(
            (
                {"noise_variance": {"image": value}},
                r"noise_variance\['image'\] must be a positive",
            )
            for value in (0, -1.0, np.nan, np.inf, "auto", None)
        ),
        ({"likelihood": "bernoulli"}, r"'bernoulli' of the modality 'image' needs.*\[0, 1\]"),
        ({"likelihood": {"sound": "bernoulli"}}, "'bernoulli' of the modality 'sound'"),
        ({"likelihood": {"sound": "multinomial"}}, "'multinomial' of .*'sound'.*at least 0"),
    ],
)
def test_values_by_name_that_do_not_fit_are_refused(params, message):
    vae = make_vae(**params)
    with pytest.raises(ValueError, match=message):
        vae.fit(X)
    assert not hasattr(vae, "net_")


@pytest.mark.parametrize(
    "value, expected",
    [
        ("bernoulli", ["bernoulli", "bernoulli", "bernoulli"]),
        ({}, ["auto", "auto", "auto"]),
        ({"c": "gaussian", "a": "multinomial"}, ["multinomial", "auto", "gaussian"]),
    ],
)
def test_a_value_for_all_or_by_name_is_given_in_the_order_of_the_modalities(value, expected):
    found = by_name(value, ["a", "b", "c"], "likelihood", "auto")
    assert list(found.items()) == list(zip("abc", expected, strict=True))


def samples_of(values):
    return ModalityReader("MultimodalSimVAE").fit({"a": values, "b": np.ones((values.shape[0], 2))})


@pytest.mark.parametrize("value", [0.5, -1e-6, 0.0, 1.0, 1.001, 5.0])
@pytest.mark.parametrize("make_X", [np.asarray, sparse.csr_array])
def test_values_are_fit_for_a_likelihood_up_to_its_bounds(make_X, value):
    values = np.full((6, 3), 0.5)
    values[4, 1] = value
    samples = samples_of(make_X(values))
    fit_for = {"gaussian": True, "bernoulli": 0 <= value <= 1, "multinomial": value >= 0}
    for likelihood, fits in fit_for.items():
        if fits:
            check_likelihoods([likelihood, "gaussian"], samples)
        else:
            with pytest.raises(ValueError, match=f"'{likelihood}' of the modality 'a'"):
                check_likelihoods([likelihood, "gaussian"], samples)


def test_pixels_are_fit_for_a_bernoulli_likelihood_as_they_are_scaled_to_it():
    images = RNG.integers(0, 256, (6, 1, 8, 8), dtype=np.uint8)
    samples = samples_of(images)
    assert samples.parts[0].layout.pixels
    check_likelihoods(["bernoulli", "gaussian"], samples)
    assert_array_equal(samples.read(np.array([2]))[0], images[[2]])


def test_values_of_a_source_that_were_not_looked_at_are_refused_when_read():
    rows = np.ones((5000, 4), dtype=np.float32)
    rows[4321] = 7
    samples = samples_of(LazyArray(rows.__getitem__, rows.shape, rows.dtype))
    check_likelihoods(["bernoulli", "gaussian"], samples)
    assert samples.read(np.array([1, 2]))[0].shape == (2, 4)
    with pytest.raises(ValueError, match="between 0 and 1"):
        samples.read(np.array([4321]))
