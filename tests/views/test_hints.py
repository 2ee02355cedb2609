"""Data that are valid, but are probably not what was meant: what is warned of and what is not."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import one_kind, tiny
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_linnerud,
    load_wine,
)
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, StandardScaler

# ---------------------------------------------------------------- what is on another scale


PIXELS = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
ANOTHER_SCALE = {
    "0 to 255": lambda x: x * 255,
    "-1 to 1": lambda x: 2 * x - 1,
    "standardized": lambda x: (x - 0.13) / 0.3,
}


@one_kind
@pytest.mark.parametrize("augmentation", ANOTHER_SCALE.values(), ids=ANOTHER_SCALE)
def test_views_of_pixels_on_another_scale_are_warned_of(make, augmentation):
    with pytest.warns(UserWarning, match=r"gives values from .* for pixels, which are scaled"):
        make(augmentation=augmentation, max_epochs=1).fit(PIXELS)


@one_kind
def test_views_of_pixels_on_their_scale_are_not_warned_of(make):
    def noise(x):
        return x + 0.1 * torch.randn(x.shape)

    for augmentation in ("auto", None, noise, lambda x: x.flip(-1)):
        assert warned(lambda: make(augmentation=augmentation, max_epochs=1).fit(PIXELS)) == []  # noqa: B023
    # Data that are no pixels may be changed to any scale.
    rows = PIXELS.astype(np.float32) / 100
    assert warned(lambda: make(augmentation=lambda x: 9 * x, max_epochs=1).fit(rows)) == []


def test_counts_are_not_told_to_be_scaled():
    counts = np.random.default_rng(0).poisson([1, 1, 1, 1, 1, 5000], (60, 6))
    assert warned(lambda: tiny("SimVAE", likelihood="multinomial").fit(counts)) == []
    assert "StandardScaler" in warned(lambda: tiny("SimVAE").fit(counts))[0]
    # So few rows do not tell a scale.
    assert warned(lambda: tiny("SimVAE").partial_fit(counts[:6])) == []


# ---------------------------------------------------------------- groups and scales to warn of


def warned(function):
    """The warnings of a call that are not of a fit that is too short."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    texts = [str(w.message) for w in caught if w.category is UserWarning]
    return [text for text in texts if "collapsed" not in text]


ROWS = np.random.default_rng(0).random((120, 6))
UNLABELED = np.where(np.arange(120) < 9, -1, np.arange(120) // 3)
ONE_HOLDS_MOST = np.where(np.arange(120) < 70, 99, np.arange(120) // 2)
LIKELY_UNKNOWN = {
    "-1": (UNLABELED, "the group -1, .* to 9 of 120 rows"),
    "-1.0": (UNLABELED.astype(float), "the group -1, .* to 9 of 120 rows"),
    "-1 of objects": (UNLABELED.astype(object), "the group -1, .* to 9 of 120 rows"),
    "most": (ONE_HOLDS_MOST, r"the group 99 to 70 \(and others to 2, their median\) of 120 rows"),
    "most, strings": (ONE_HOLDS_MOST.astype(str), "the group '99' to 70"),
    "most, objects": (ONE_HOLDS_MOST.astype(str).astype(object), "the group '99' to 70"),
}


@pytest.mark.parametrize("method", ["fit", "partial_fit", "fit_transform"])
@pytest.mark.parametrize("groups, match", LIKELY_UNKNOWN.values(), ids=LIKELY_UNKNOWN)
def test_groups_that_are_likely_unknown_are_warned_of(make_one_of_each_kind, groups, match, method):
    train = getattr(make_one_of_each_kind(), method)
    (message,) = warned(lambda: train(ROWS, groups=groups))
    assert re.search(match, message)
    assert "give each of them a group of its own" in message


@one_kind
def test_every_method_warns_of_unlabeled_groups(make):
    messages = warned(lambda: make().fit(ROWS, groups=UNLABELED))
    assert sum("the group -1" in text for text in messages) == 1


USUAL_GROUPS = {
    "even": np.arange(120) // 3,
    "two halves": np.arange(120) // 60,
    "unequal": np.repeat([0, 1, 2], [80, 30, 10]),
    "one row of -1": np.where(np.arange(120) < 1, -1, np.arange(120) // 3),
    "around zero": np.arange(120) // 3 - 20,
    "down to -1 as text": (np.arange(120) // 3 - 1).astype(str),
    "dates": np.datetime64("2020-01-01") + np.arange(120) // 3,
}


@pytest.mark.parametrize("groups", USUAL_GROUPS.values(), ids=USUAL_GROUPS)
def test_usual_groups_are_not_warned_of(groups):
    assert warned(lambda: tiny("SimVAE").fit(ROWS, groups=groups)) == []


def test_groups_are_not_warned_of_where_they_are_only_scored():
    estimator = tiny("SimVAE").fit(ROWS)
    assert warned(lambda: estimator.score(ROWS, groups=UNLABELED)) == []


def frame(bunch):
    return pd.DataFrame(bunch.data, columns=bunch.feature_names)


def with_outlying_column(X, scale, j=3):
    X = np.array(X, dtype=float)
    X[:, j] *= scale
    return X


# Share of the variance that the largest tenth of the features (ten at most) carries, and how many
# times the standard deviation of the least of those that make 99 % is that of the median other:
# wine 0.998 and 413, breast cancer 0.996 and 5575.
UNSCALED = {
    "wine": (load_wine().data, "feature 12 of X carries 99.8%"),
    "wine, named": (frame(load_wine()), "feature 'proline' of X carries 99.8%.*StandardScaler"),
    "breast cancer": (load_breast_cancer().data, "features 23, 3 of X carry"),
    "breast cancer, named": (frame(load_breast_cancer()), "'worst area', 'mean area' of X"),
    "one of two": (ROWS[:, :2] * [1, 500], "feature 1 of X"),
    "views": (with_outlying_column(ROWS, 500).reshape(60, 2, 6), "feature 3 of X"),
    "source": (
        torch.utils.data.TensorDataset(torch.tensor(with_outlying_column(ROWS, 500))),
        "feature 3 of X",
    ),
}


@pytest.mark.parametrize("X, match", UNSCALED.values(), ids=UNSCALED)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_scale_that_drowns_the_other_features_is_warned_of(X, match, method):
    estimator = tiny("SimVAE", n_components=2, max_epochs=1)
    (message,) = warned(lambda: getattr(estimator, method)(X))
    assert re.search(match, message)


@one_kind
def test_every_method_warns_of_such_a_scale_when_it_begins(make):
    X, estimator = with_outlying_column(ROWS, 500), make(max_epochs=1)
    assert sum("feature 3 of X" in text for text in warned(lambda: estimator.fit(X))) == 1
    # Of what goes on it was said before.
    assert not any("feature 3" in text for text in warned(lambda: estimator.partial_fit(X)))


@pytest.mark.parametrize("name", ["CLIP", "MultimodalSimVAE"])
@pytest.mark.parametrize("as_table", [False, True])
def test_such_a_scale_in_a_modality_is_warned_of(name, as_table):
    X = with_outlying_column(ROWS, 500)
    halves = [("a", "auto", slice(0, 3)), ("b", "auto", slice(3, 6))]
    if as_table:
        X = pd.DataFrame(X, columns=list("uvwxyz"))
        function = lambda: tiny(name, modalities=halves).fit(X)  # noqa: E731
    else:
        function = lambda: tiny(name).fit({"a": X[:, :3], "b": X[:, 3:]})  # noqa: E731
    expected = "feature 'x' of modality 'b'" if as_table else "feature 0 of modality 'b'"
    assert sum(expected in text for text in warned(function)) == 1


def zipf_counts():
    rng = np.random.default_rng(0)
    shares = 1 / np.arange(1, 1001)
    return rng.poisson(shares / shares.sum() * 200 * rng.gamma(0.5, 2, size=(300, 1000)))


def one_hot():
    rng = np.random.default_rng(0)
    return np.hstack([np.eye(k)[rng.integers(k, size=300)] for k in (2, 3, 8, 40)])


def test_representation_wider_than_a_row_is_warned_of_when_a_fit_begins(make):
    X, estimator = ROWS[:, :4], make(n_components=5, max_epochs=1)
    expected = "n_components=5 is above 4, the number of values in a row"
    assert sum(expected in text for text in warned(lambda: estimator.fit(X))) == 1
    assert not any("is above" in text for text in warned(lambda: estimator.partial_fit(X)))
    assert not any("is above" in text for text in warned(lambda: estimator.transform(X)))


def test_representation_as_wide_as_a_row_is_not_warned_of(make):
    fit = lambda: make(n_components=4, max_epochs=1).fit(ROWS[:, :4])  # noqa: E731
    assert not any("is above" in text for text in warned(fit))


def test_all_values_of_a_row_are_counted():
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
    assert not any(
        "is above" in t for t in warned(lambda: tiny("VAE", n_components=64).fit(images))
    )
    assert any("is above 64" in t for t in warned(lambda: tiny("VAE", n_components=65).fit(images)))


# The same two numbers: iris 0.68 and 1, linnerud 0.60 and 10, digits 0.20 and 7, MNIST 0.04 and 3,
# counts 0.89 and 1, a column of ones beside what rounding leaves of a constant none.
USUAL = {
    "iris": load_iris().data,
    "linnerud": load_linnerud().data,
    "diabetes": load_diabetes(scaled=True).data,
    "digits": load_digits().data,
    "digits in 0 to 1": load_digits().data / 16,
    "wine, scaled": StandardScaler().fit_transform(load_wine().data),
    "wine in 0 to 1": MinMaxScaler().fit_transform(load_wine().data),
    "breast cancer, scaled": StandardScaler().fit_transform(load_breast_cancer().data),
    "principal components": PCA(30).fit_transform(load_digits().data),
    "counts": zipf_counts(),
    "one hot": one_hot(),
    "heavy tails": np.random.default_rng(0).standard_t(3, size=(300, 20)),
    "two features": ROWS[:, :2] * [1, 10],
    "one feature": ROWS[:, :1] * 1000,
    "one that varies": np.hstack([ROWS[:, :1] * 1000, np.full((120, 3), 0.1)]),
    "none that varies": np.full((120, 3), 0.1),
}


@pytest.mark.parametrize("X", USUAL.values(), ids=USUAL)
def test_usual_scales_are_not_warned_of(X):
    assert not any(
        "feature" in m for m in warned(lambda: tiny("SimVAE", max_epochs=1).fit(X[:600]))
    )
