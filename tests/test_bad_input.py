"""What is refused, before anything is trained, and what the message says to do about it."""

import numpy as np
import pytest
import scipy.sparse
import torch
from conftest import n_outputs, one_kind, tiny, with_variants
from refused import IMAGES, VIEWS, X, put, refused
from sklearn.preprocessing import MaxAbsScaler
from torch import nn

from sklearn_simvae import CLIP
from sklearn_simvae.views import Compose, FeatureCorruption, RandomResizedCrop

LAST = IMAGES[:, 0, :, :, None].repeat(3, -1) / 255.0

# What to fit, on what, and what the message must say.
DATA = {
    "a column of NaN": ({}, np.where(np.arange(6) == 2, np.nan, X), r"NaN alone in the columns .2"),
    "NaN in images": (
        {},
        np.where(IMAGES > 250, np.nan, IMAGES),
        "NaN in .* rows of the kind 'image'",
    ),
    "infinity": ({}, put(np.inf), "infinity"),
    "infinity in views": ({}, put(np.inf).reshape(VIEWS.shape), "infinity"),
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
def test_an_axis_of_one_channel_is_not_taken_for_views_in_silence(make):
    estimator = make(input_shape=(8, 8))
    with pytest.warns(UserWarning, match=r"one view each.*input_shape=\(1, 8, 8\)"):
        if estimator._needs().views == 1:
            estimator.fit(IMAGES)
        else:
            message = refused(estimator, IMAGES, "give more along its second axis")
            assert "got 20 sample(s) with 1" in message


def test_pixels_that_are_read_later_must_be_pixels(make_one_of_each_kind, tmp_path):
    on_disk = np.memmap(tmp_path / "rows", np.float32, "w+", shape=(1500, 1, 8, 8))
    on_disk[:] = 0.5
    on_disk[1] = 255
    estimator = make_one_of_each_kind().fit(IMAGES)
    if "modalities" not in estimator.get_params():
        with pytest.raises(ValueError, match="to 255, where all must lie between 0 and 1"):
            estimator.transform(on_disk)


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


@one_kind
@pytest.mark.parametrize("encoder", [nn.Linear, nn.Sequential])
def test_a_class_of_torch_is_no_factory(make, encoder):
    assert "the class" in refused(make(encoder=encoder), X, "encoder must be")


@pytest.mark.parametrize("column", [True, False])
def test_a_group_column_is_no_truth_value(column):
    refused(tiny("SimVAE", group_column=column), X, "neither the name nor the place")
