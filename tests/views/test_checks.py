"""Rows, groups and augmentations that are refused before any work is done."""

import numpy as np
import pytest
from conftest import one_kind, tiny
from refused import VIEWS, X, refused
from torch import nn

from sklearn_simvae import CLIP
from sklearn_simvae.views import RandomHorizontalFlip, RandomResizedCrop, as_lazy_array

GROUPS = {
    "too few": (X, np.arange(39), "inconsistent|length"),
    "too many": (X, np.arange(41), "inconsistent|length"),
    "two columns": (X, np.zeros((40, 2)), "1d|column|shape"),
    "with a views axis": (VIEWS, np.arange(20), "views axis.*groups"),
    "one group": (X, np.zeros(40), "at least 2 groups"),
    "numbers and strings": (X, np.array([1, "a"] * 20, dtype=object), "groups"),
    "one for all": (X, 3, "1d|shape"),
}


@one_kind
def test_augmentation_for_another_kind_of_data(make):
    with pytest.raises(ValueError, match="RandomResizedCrop takes images"):
        make(augmentation=RandomResizedCrop()).fit(X)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("X, groups, match", GROUPS.values(), ids=GROUPS)
def test_groups_that_do_not_fit(make_one_of_each_kind, X, groups, match, method):
    refused(make_one_of_each_kind(), X, match, groups=groups, method=method)


MISSING = {
    "datetime": np.array(["2020-01-01"] * 20 + ["NaT"] * 20, dtype="datetime64[D]"),
    "None": np.array(["a"] * 20 + [None] * 20, dtype=object),
    "NaN among names": np.array(["a"] * 20 + [np.nan] * 20, dtype=object),
}


@pytest.mark.parametrize("groups", MISSING.values(), ids=MISSING)
def test_groups_that_are_missing(make_one_of_each_kind, groups):
    refused(make_one_of_each_kind(), X, "missing values, in 20 rows", groups=groups)


@one_kind
def test_colors_that_the_automatic_augmentation_would_clip(make):
    colors = np.random.default_rng(0).uniform(0, 255, (40, 3, 8, 8))
    refused(make(), colors, "values from .* to 25.*RandomResizedCrop")
    assert make(augmentation=RandomResizedCrop()).fit(colors).n_iter_ == 2
    assert make().fit(colors / 255).n_iter_ == 2


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
