"""What is refused, before anything is trained, and what the message says to do about it."""

import inspect
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from conftest import Spy, n_outputs, one_kind, tiny, with_variants
from numpy.testing import assert_array_equal
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_linnerud,
    load_wine,
)
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler
from torch import nn

from sklearn_simvae import CLIP
from sklearn_simvae.views import (
    Compose,
    FeatureCorruption,
    RandomHorizontalFlip,
    RandomResizedCrop,
    as_lazy_array,
)

X = np.random.default_rng(0).random((40, 6))
VIEWS = X.reshape(20, 2, 6)
IMAGES = np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
LAST = IMAGES[:, 0, :, :, None].repeat(3, -1)


def put(value, dtype=float):
    changed = X.astype(dtype)
    changed[3, 2] = value
    return changed


# What to fit, on what, and what the message must say.
DATA = {
    "NaN": ({}, put(np.nan), "NaN"),
    "infinity": ({}, put(np.inf), "infinity"),
    "NaN in views": ({}, put(np.nan).reshape(VIEWS.shape), "NaN"),
    "too large for float32": ({}, put(1e39), "float32.*[Ss]cale"),
    "too large integers": ({}, put(10**39, object), "float32.*[Ss]cale"),
    "sparse": ({}, scipy.sparse.csr_array(X), "[Ss]parse.*dense"),
    "complex": ({}, put(1j, complex), "[Cc]omplex"),
    "strings": ({}, put("a", str), "string"),
    "strings among objects": ({}, put("a", object), "could not convert string to float"),
    "no rows": ({}, X[:0], "0 sample"),
    "no features": ({}, X[:, :0], "0 feature"),
    "one dimension": ({}, X[0], "Reshape your data"),
    "one sample": ({}, X[:1], "at least 2 samples"),
    "one sample of views": ({}, VIEWS[:1], "at least 2 samples"),
    "uint8 of three axes": ({}, IMAGES[:, 0], "input_shape"),
    "square floats of three axes": ({}, IMAGES[:, 0] / 255, "input_shape"),
    "flat uint8": ({}, IMAGES.reshape(20, 64), "input_shape"),
    "channels last": ({}, LAST, "input_shape"),
    "channels last, with views": ({}, LAST[:, None].repeat(2, 1), "input_shape"),
    "six axes": ({}, IMAGES[:, None, None], "input_shape"),
    "unfit input_shape": ({"input_shape": (2, 2)}, X, r"does not fit input_shape=\(2, 2\)"),
    "input_shape of 4 axes": ({"input_shape": (2, 1, 3, 1)}, X, "input_shape"),
    "input_shape of nothing": ({"input_shape": ()}, X, "input_shape"),
    "input_shape with zero": ({"input_shape": (0, 6)}, X, "input_shape"),
    "input_shape with a fraction": ({"input_shape": (2.5, 3)}, X, "input_shape"),
    "nothing left to learn from": (
        {"early_stopping": True, "validation_fraction": 0.99},
        X,
        "validation_fraction",
    ),
}

PARAMETERS = {
    "n_components": [0, -1, 2.5, np.nan, "2", None],
    "hidden_layer_sizes": [(0,), (-4, 3), (2.5,), ("a",), 0, None],
    "representation": ["columns", None],
    "n_views": [0, -1, 1.5, np.nan, None],
    "augmentation": ["strong", 3],
    "input_shape": [6, "auto"],
    "max_epochs": [0, -1, 1.5, np.nan],
    "batch_size": [0, -5, 2.5, np.nan, "all"],
    "lr": [0, -1e-3, np.nan, np.inf, "high"],
    "weight_decay": [-1, np.nan],
    "optimizer": ["adamm", None],
    "lr_schedule": ["step", None],
    "early_stopping": ["yes", None],
    "validation_fraction": [0, 1, -0.1, 1.5, np.nan],
    "n_iter_no_change": [0, -1, np.nan],
    "warm_start": ["yes"],
    "device": ["tpu", "cpu:what", 3],
    "precision": ["float64", "bfloat16", None],
    "compile": ["yes"],
    "callbacks": [5, "timer", ["timer"], [("timer", 5)]],
    "random_state": ["a", -1, 1.5],
    "encoder": ["mpl", "resnet18", "conv", "conv1d", 3],
    "modalities": ["halves", 3, [], [3, 4], ["ab", "cd"]],
    "preprocessing": [None, 3, "first", [3], [("first", 3)], [("third", MaxAbsScaler())]],
    "input_shapes": [3, [(3,)]],
}

NETWORKS = {
    "factory of a wrong width": (lambda shape, n: nn.Linear(6, n + 1), "encoder must map"),
    "factory for other data": (lambda shape, n: nn.Linear(7, n), "encoder fails on an input"),
    "factory of no module": (lambda shape, n: None, "factory must return an nn.Module"),
    "module of a wrong width": (nn.Linear(6, 5), "encoder must map"),
    "module for other data": (nn.Linear(7, 3), "encoder fails on an input"),
}

AUGMENTATIONS = {
    "p": FeatureCorruption(p=1.5),
    "NaN": FeatureCorruption(p=np.nan),
    "scale": RandomResizedCrop(scale=(0.9, 0.1)),
    "inner": Compose([FeatureCorruption(), FeatureCorruption(p=-1)]),
    "steps": Compose([3]),
}

GROUPS = {
    "too few": (X, np.arange(39), "inconsistent|length"),
    "too many": (X, np.arange(41), "inconsistent|length"),
    "two columns": (X, np.zeros((40, 2)), "1d|column|shape"),
    "with a views axis": (VIEWS, np.arange(20), "views axis.*groups"),
    "one group": (X, np.zeros(40), "at least 2 groups"),
    "numbers and strings": (X, np.array([1, "a"] * 20, dtype=object), "groups"),
    "one for all": (X, 3, "1d|shape"),
}


def refused(estimator, X, match, groups=None, method="fit", errors=ValueError):
    """Assert that a call raises before it trains, and changes nothing of what was fitted."""
    spy = Spy()
    if "callbacks" in estimator.get_params() and estimator.callbacks is None:
        estimator.set_params(callbacks=spy)
    before = dict(vars(estimator))
    arguments = (X,) if groups is None else (X, None, groups)
    with pytest.raises(errors, match=match) as raised:
        getattr(estimator, method)(*arguments)
    assert spy.calls == [], "training had begun"
    assert vars(estimator) == before
    return str(raised.value)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "fit_transform"])
@pytest.mark.parametrize("params, X, match", DATA.values(), ids=DATA)
def test_data_that_cannot_be_learned_from(make_one_of_each_kind, params, X, match, method):
    # Sparse input is a TypeError throughout scikit-learn.
    errors = (ValueError, TypeError) if scipy.sparse.issparse(X) else ValueError
    if method == "partial_fit" and "early_stopping" in params:
        pytest.skip("a partial fit has no validation part")
    refused(make_one_of_each_kind(**params), X, match, method=method, errors=errors)


@with_variants({f"{n}={v!r}": {n: v} for n, values in PARAMETERS.items() for v in values})
def test_parameters_out_of_range(make, params):
    refused(make(**params), X, *params)


@pytest.mark.parametrize("device", ["cuda", "cuda:99", "mps"])
def test_device_that_is_not_there(make_one_of_each_kind, device):
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if there.get(device):
        pytest.skip("the device is there")
    message = refused(
        make_one_of_each_kind(device=device), X, "(?s)device.*not available.*device='auto'"
    )
    assert len(message) < 700, "nobody reads that to the end"


@one_kind
@pytest.mark.parametrize("encoder, match", NETWORKS.values(), ids=NETWORKS)
def test_networks_that_do_not_fit(make, encoder, match):
    refused(make(encoder=encoder), X, match)


@one_kind
def test_encoder_without_a_hidden_layer(make):
    class Opaque(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, n_outputs(make()))

        def forward(self, x):
            return self.layer(x)

    refused(make(encoder=Opaque(), representation="hidden"), X, "hidden")


@one_kind
@pytest.mark.parametrize("augmentation", AUGMENTATIONS.values(), ids=AUGMENTATIONS)
def test_augmentations_with_parameters_out_of_range(make, augmentation):
    refused(make(augmentation=augmentation), X, "(FeatureCorruption|Crop|Compose) was given")


@one_kind
def test_augmentation_for_another_kind_of_data(make):
    with pytest.raises(ValueError, match="RandomResizedCrop takes images"):
        make(augmentation=RandomResizedCrop()).fit(X)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("X, groups, match", GROUPS.values(), ids=GROUPS)
def test_groups_that_do_not_fit(make_one_of_each_kind, X, groups, match, method):
    refused(make_one_of_each_kind(), X, match, groups=groups, method=method)


FITTED = ["transform", "partial_fit", "encode", "score", "score_samples", "project"]


@one_kind
@pytest.mark.parametrize(
    "X, wrong, match",
    [
        (X, X[:, :5], "5 features.*expecting 6 features"),
        (X, VIEWS[..., :5], "10 features.*expecting 6 features"),
        (VIEWS, X[:, :5], "5 features.*expecting 6 features"),
        (X, put(np.nan), "NaN"),
        (X, put(np.inf), "infinity"),
        (X, put(1e39), "float32"),
        (X, scipy.sparse.csr_array(X), "[Ss]parse"),
        (IMAGES, IMAGES[..., :6], "48 features.*expecting 64 features"),
        (IMAGES, IMAGES / 127, r"outside \[0, 1\].*255"),
        (IMAGES, IMAGES / 255 - 0.5, r"outside \[0, 1\].*255"),
        (IMAGES, IMAGES.astype(int), r"outside \[0, 1\].*255"),
        (IMAGES / 255, IMAGES, "uint8"),
    ],
)
def test_data_unlike_that_of_fit(make, X, wrong, match):
    estimator = make().fit(X)
    Z = estimator.transform(X)
    errors = (ValueError, TypeError) if scipy.sparse.issparse(wrong) else ValueError
    for method in FITTED:
        if hasattr(estimator, method):
            refused(estimator, wrong, match, method=method, errors=errors)
    assert_array_equal(estimator.transform(X), Z)


def test_bad_data_leave_a_fitted_estimator_as_it_was(make):
    estimator = make(warm_start=True).fit(X)
    Z, n_iter = estimator.transform(X), estimator.n_iter_
    for bad in (put(np.nan), X[:1], X[:, :5]):
        refused(estimator, bad, None)
    refused(estimator.set_params(warm_start=False), put(np.nan), "NaN")
    refused(estimator.set_params(lr=-1), X, "lr")
    assert_array_equal(estimator.transform(X), Z)
    assert estimator.n_iter_ == n_iter


USES = {
    **dict.fromkeys(("transform", "encode", "score", "score_samples", "project"), (X,)),
    "inverse_transform": (X[:, :3],),
    "sample": (),
    "get_feature_names_out": (),
}


def test_use_before_fit(make):
    estimator = make()
    for method, arguments in USES.items():
        if hasattr(estimator, method):
            with pytest.raises(NotFittedError, match="fit"):
                getattr(estimator, method)(*arguments)


@one_kind
def test_fewer_views_than_the_method_needs(make):
    estimator = make()
    if estimator._needs().views == 1:
        assert estimator.set_params(n_views=1).fit(X).n_iter_ == 2
        assert estimator.fit(X, groups=np.arange(40)).n_iter_ == 2
        return
    singles = np.r_[np.arange(38) // 2, 50, 51]
    for data, n_views, groups in ((X, 1, None), (X[:, None], 2, None), (X, 2, singles)):
        estimator = make(n_views=n_views, kind="vector")
        message = refused(estimator, data, "at least 2 views", groups=groups)
        assert f"{type(estimator).__name__} with" in message
    assert "got 2 group(s) with 1" in message


def test_fitted_attributes_are_absent_before_fit(make):
    estimator = make()
    for name in ("net_", "module_", "encoder_", "history_", "n_iter_", "n_features_in_"):
        assert not hasattr(estimator, name)


# What other libraries, or fingers, make of the name of a parameter.
UNKNOWN = {
    "n_epochs": "max_epochs",
    "max_iter": "max_epochs",
    "learning_rate": "lr",
    "latent_dim": "n_components",
    "seed": "random_state",
    "hidden_dims": "hidden_layer_sizes",
    "gpu": "device",
    "patience": "n_iter_no_change",
    "beta": "noise_variance",
    "tau": "temperature",
    "n_component": "n_components",
    "weight_decy": "weight_decay",
    "noise_varianse": "noise_variance",
    "projection_size": "projection_layer_sizes",
}


def test_unknown_keyword(make):
    own = make().get_params()
    name = type(make()).__name__
    for unknown, meant in UNKNOWN.items():
        if unknown in own or meant not in own:
            continue
        match = f"^{name} has no parameter {unknown!r}. Did you mean {meant!r}"
        with pytest.raises(TypeError, match=match):
            make(**{unknown: 3})
        with pytest.raises(ValueError, match=unknown):
            make().set_params(**{unknown: 3})
    with pytest.raises(
        TypeError, match=r"has no parameter 'qqq'. It has n_components, .*random_state"
    ):
        make(qqq=3)


def test_signatures_name_every_parameter_and_no_others(make):
    parameters = inspect.signature(type(make())).parameters
    assert not [p for p in parameters.values() if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    assert set(make().get_params(deep=False)) == set(parameters)


@one_kind
def test_too_few_samples_to_be_compared(make):
    estimator = make().fit(X)
    if hasattr(estimator, "score"):
        if estimator._needs().scored_samples == 1:
            assert np.isfinite(estimator.score(X[:1]))
        else:
            message = refused(estimator, X[:1], "at least 2; got 1", method="score")
            assert f"{type(estimator).__name__} compares samples" in message
            refused(estimator, X[:4], "at least 2; got 1", method="score", groups=np.zeros(4))


def test_too_few_pairs_to_be_compared():
    estimator = CLIP(3, hidden_layer_sizes=(16,), max_epochs=1, random_state=0)
    data = {"a": X, "b": X}
    estimator.fit(data)
    one_pair = {"a": X[:3], "b": np.where(np.arange(3)[:, None] < 1, X[:3], np.nan)}
    refused(estimator, one_pair, "compares pairs.*got 1", method="score")
    assert np.isfinite(estimator.score(data))


MISSING = {
    "datetime": np.array(["2020-01-01"] * 20 + ["NaT"] * 20, dtype="datetime64[D]"),
    "None": np.array(["a"] * 20 + [None] * 20, dtype=object),
    "NaN among names": np.array(["a"] * 20 + [np.nan] * 20, dtype=object),
}


@pytest.mark.parametrize("groups", MISSING.values(), ids=MISSING)
def test_groups_that_are_missing(make_one_of_each_kind, groups):
    refused(make_one_of_each_kind(), X, "missing values, in 20 rows", groups=groups)


@one_kind
def test_an_axis_of_one_channel_is_not_taken_for_views_in_silence(make):
    estimator = make(input_shape=(8, 8))
    with pytest.warns(UserWarning, match=r"one view each.*input_shape=\(1, 8, 8\)"):
        if estimator._needs().views == 1:
            estimator.fit(IMAGES)
        else:
            message = refused(estimator, IMAGES, "give more along its second axis")
            assert "got 20 sample(s) with 1" in message


@one_kind
def test_colors_that_the_automatic_augmentation_would_clip(make):
    colors = np.random.default_rng(0).uniform(0, 255, (40, 3, 8, 8))
    refused(make(), colors, "values from .* to 25.*RandomResizedCrop")
    assert make(augmentation=RandomResizedCrop()).fit(colors).n_iter_ == 2
    assert make().fit(colors / 255).n_iter_ == 2


@pytest.mark.parametrize("name", ["VAE", "SimVAE", "CRVAE", "ContentStyleVAE"])
def test_values_beyond_those_that_means_can_reach(name, tmp_path):
    inside = np.random.default_rng(0).uniform(size=(2000, 6)).astype(np.float32)
    estimator = tiny(name).partial_fit(inside)
    with pytest.warns(UserWarning, match="first fitted on values in .0, 1.*likelihood='gaussian'"):
        estimator.partial_fit(10 * inside)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny(name, likelihood="gaussian").partial_fit(inside).partial_fit(10 * inside)
    # Of what is on disk some rows are looked at first, and all when they are read.
    on_disk = np.memmap(tmp_path / "rows", np.float32, "w+", shape=inside.shape)
    on_disk[:] = inside
    on_disk[np.setdiff1d(np.arange(2000), np.linspace(0, 1999, 512).astype(int))[:50]] = 9
    for likelihood in ("auto", "bernoulli"):
        estimator = tiny(name, likelihood=likelihood)
        with pytest.raises(ValueError, match="to 9, where all must lie between 0 and 1"):
            estimator.fit(on_disk)
        assert not hasattr(estimator, "net_")
        with pytest.raises(ValueError, match="to 9, where all must lie between 0 and 1"):
            tiny(name, likelihood="bernoulli").fit(inside).score_samples(on_disk)
    assert tiny(name, likelihood="gaussian").fit(on_disk).n_iter_ == 2
    on_disk[on_disk == 9] = -0.5
    with pytest.raises(ValueError, match=r"from -0.5 .*, where all must lie between 0 and inf"):
        tiny(name, likelihood="multinomial").fit(on_disk)


def test_pixels_that_are_read_later_must_be_pixels(make_one_of_each_kind, tmp_path):
    on_disk = np.memmap(tmp_path / "rows", np.float32, "w+", shape=(1500, 1, 8, 8))
    on_disk[:] = 0.5
    on_disk[1] = 255
    estimator = make_one_of_each_kind().fit(IMAGES)
    if "modalities" not in estimator.get_params():
        with pytest.raises(ValueError, match="to 255, where all must lie between 0 and 1"):
            estimator.transform(on_disk)


@one_kind
def test_batches_too_small_to_be_compared(make):
    estimator = make(batch_size=1)
    if estimator._needs().scored_samples > 1:
        refused(estimator, X, "make batches of 1. Raise batch_size")


@pytest.mark.parametrize("augmentation", [RandomHorizontalFlip, nn.Dropout])
def test_an_augmentation_given_as_a_class_is_told(augmentation, digits):
    name = augmentation.__name__
    with pytest.raises(ValueError, match=f"augmentation was given the class {name}; pass an inst"):
        tiny("SimVAE", input_shape=(8, 8), augmentation=augmentation).fit(digits[0])
    halves = {"left": digits[0][:, :32], "right": digits[0][:, 32:]}
    with pytest.raises(ValueError, match=rf"augmentations\['left'\] was given the class {name}"):
        CLIP(augmentations={"left": augmentation}).fit(halves)


@pytest.mark.parametrize("name", ["SimCLR", "SimVAE"])
def test_colors_beyond_the_unit_interval_are_refused_wherever_they_are_read(name, tmp_path):
    places = np.memmap(tmp_path / "places", np.float32, "w+", shape=(1500, 1))
    places[:, 0] = np.arange(1500)
    looked_at = as_lazy_array(places).sample.ravel().astype(int)
    X = np.memmap(tmp_path / "X", np.float32, "w+", shape=(1500, 3, 8, 8))
    X[np.setdiff1d(np.arange(1500), looked_at)] = 255
    with pytest.raises(ValueError, match=r"255"):
        tiny(name, encoder="mlp").fit(X)


def test_colors_of_the_validation_part_are_held_to_the_unit_interval(tmp_path):
    X = np.memmap(tmp_path / "X", np.float32, "w+", shape=(1500, 3, 8, 8))
    X[1] = 255
    for seed in range(3):
        estimator = tiny("SimCLR", encoder="mlp", early_stopping=True, random_state=seed)
        with pytest.raises(ValueError, match="all must lie between 0 and 1"):
            estimator.fit(X)


def test_colors_of_a_modality_are_held_to_the_unit_interval(tmp_path):
    X = np.memmap(tmp_path / "X", np.float32, "w+", shape=(1500, 3, 8, 8))
    X[1] = 255
    other = np.random.default_rng(0).random((1500, 3))
    clip = CLIP(augmentations={"picture": "auto"}, hidden_layer_sizes=(8,), max_epochs=1)
    clip.set_params(modalities=[("picture", "mlp"), ("other", "mlp")])
    with pytest.raises(ValueError, match="all must lie between 0 and 1"):
        clip.fit({"picture": X, "other": other})


@pytest.mark.parametrize("name", ["VAE", "MultimodalSimVAE"])
@pytest.mark.parametrize("goes_on", [False, True])
def test_rows_beyond_what_means_can_reach_are_refused_wherever_they_are_read(
    name, goes_on, tmp_path
):
    places = np.memmap(tmp_path / "places", np.float32, "w+", shape=(1500, 1))
    places[:, 0] = np.arange(1500)
    looked_at = as_lazy_array(places).sample.ravel().astype(int)
    inside = np.random.default_rng(0).random((1500, 6)).astype(np.float32)
    bad = np.memmap(tmp_path / "bad", np.float32, "w+", shape=(1500, 6))
    bad[:] = inside
    bad[np.setdiff1d(np.arange(1500), looked_at)[:2]] = 7

    def rows(first):
        return first if name == "VAE" else {"first": first, "second": inside}

    for seed in range(1 if goes_on else 4):
        estimator = tiny(name, early_stopping=not goes_on, warm_start=goes_on, random_state=seed)
        if goes_on:
            estimator.fit(rows(inside))
        with pytest.raises(ValueError, match="to 7, where all must lie between 0 and 1"):
            estimator.fit(rows(bad))


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


@one_kind
@pytest.mark.parametrize("encoder", [nn.Linear, nn.Sequential])
def test_a_class_of_torch_is_no_factory(make, encoder):
    assert "the class" in refused(make(encoder=encoder), X, "encoder must be")


@pytest.mark.parametrize("column", [True, False])
def test_a_group_column_is_no_truth_value(column):
    refused(tiny("SimVAE", group_column=column), X, "neither the name nor the place")


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
    estimator = tiny("SimVAE", max_epochs=1)
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


@one_kind
def test_parameters_of_an_augmentation_that_is_a_name_are_told(make):
    match = (
        r"(?s)augmentation='auto' has no parameter 'p'.*FeatureCorruption\(\) of vectors.*object"
    )
    with pytest.raises(ValueError, match=match):
        make().set_params(augmentation__p=0.5)
    with pytest.raises(ValueError, match=match):
        make_pipeline(MaxAbsScaler(), make()).set_params(**{f"{step(make)}__augmentation__p": 0.5})
    with pytest.raises(ValueError, match="augmentation=None has no parameter 'scale'"):
        make(augmentation=None).set_params(augmentation__scale=0.5)
    for params in ({"augmentation": "auto"}, {"augmentation": None}):
        with pytest.raises(ValueError, match="has no parameter 'p'"):
            make(augmentation=FeatureCorruption()).set_params(augmentation__p=0.5, **params)


def step(make):
    return type(make()).__name__.lower()


def test_parameters_of_what_has_none_are_told(make):
    for name, value in make().get_params(deep=False).items():
        with pytest.raises(ValueError, match=f"given {name}__x, but {name}=") as error:
            make().set_params(**{f"{name}__x": 1})
        assert f"{value!r} has no parameter 'x'" in str(error.value)
    with pytest.raises(ValueError, match=r"callbacks=\[\('spy', .* has no parameter 'spy__x'"):
        make(callbacks=[("spy", Spy())]).set_params(callbacks__spy__x=1)
    # Names that there are not are told by scikit-learn.
    with pytest.raises(ValueError, match="Invalid parameter 'decorder'"):
        make().set_params(decorder__x=1)


@one_kind
def test_parameters_of_an_augmentation_are_set_with_it_or_after_it(make):
    estimator = make().set_params(augmentation__p=0.5, augmentation=FeatureCorruption())
    assert estimator.augmentation.p == 0.5
    assert estimator.set_params(augmentation__p=0.7, lr=0.5).augmentation.p == 0.7 and estimator.lr
    with pytest.raises(ValueError, match="Invalid parameter 'scale'"):
        estimator.set_params(augmentation__scale=0.5)


def test_parameters_of_a_step_that_has_none_are_told():
    compose = Compose([("mine", np.sin), FeatureCorruption()])
    with pytest.raises(ValueError, match=r"mine=<ufunc 'sin'> has no parameter 'p'"):
        compose.set_params(mine__p=0.5)
    with pytest.raises(ValueError, match="featurecorruption='passthrough' has no parameter 'p'"):
        compose.set_params(featurecorruption="passthrough", featurecorruption__p=0.5)
    assert compose.set_params(mine=FeatureCorruption(), mine__p=0.5).steps[0][1].p == 0.5
