"""Augmented copies of rows, and representations of several views of each sample."""

import random

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import tiny
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_simvae.evaluation import collapse_report, style_probe
from sklearn_simvae.evaluation.augmented import augmented_rows, view_representations
from sklearn_simvae.evaluation.representations import representations
from sklearn_simvae.views import Compose, FeatureMasking, RandomResizedCrop, RandomSeriesCrop


def test_each_view_is_represented_by_itself(sprites):
    estimator = tiny("SimCLR").fit(sprites)
    Z = view_representations(estimator, sprites)
    assert Z.shape == (40, 2, 3)
    assert_array_equal(Z[:, 1], estimator.transform(sprites[:, 1]))


def test_rows_without_views_or_augmentation_are_refused(digits):
    with pytest.raises(ValueError, match="no axis of at least two views"):
        view_representations(None, digits[0])


def test_augmented_rows_keep_shape_dtype_and_scale():
    images = np.random.default_rng(0).integers(0, 256, (50, 12, 12), dtype=np.uint8)
    for X in (images, images.reshape(50, -1)):
        rows, factors = augmented_rows(X, RandomResizedCrop((0.9, 1.0)), (12, 12))
        assert rows.shape == X.shape
        assert rows.dtype == np.uint8
        assert abs(rows.mean() - 127) < 10
        assert factors["width"].shape == (50,)
    as_floats, _ = augmented_rows(images / np.float32(255), RandomResizedCrop((0.9, 1.0)), (12, 12))
    assert np.abs(as_floats * 255 - rows.reshape(images.shape)).max() <= 0.51


def test_augmented_rows_of_a_frame_are_a_frame():
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4, 5, 6]}, index=[7, 8, 9])
    rows, factors = augmented_rows(X)
    assert list(rows.columns) == ["a", "b"]
    assert list(rows.index) == [7, 8, 9]
    assert set(factors) == {"share"}


def test_augmentations_from_elsewhere_are_fixed_and_leave_the_global_state_alone(digits):
    def noise(x):
        return x + random.random() + torch.randn(x.shape)

    state, of_python = torch.get_rng_state(), random.getstate()
    first, factors = augmented_rows(digits[0], noise, random_state=3)
    assert_array_equal(first, augmented_rows(digits[0], noise, random_state=3)[0])
    assert not np.array_equal(first, augmented_rows(digits[0], noise, random_state=4)[0])
    assert torch.equal(state, torch.get_rng_state()) and of_python == random.getstate()
    assert factors == {}


def test_pixels_that_an_augmentation_returns_are_pixels_again(sprites):
    def as_pixels(x):
        return (x * 255).round().to(torch.uint8)

    for augmentation in (as_pixels, Compose([as_pixels])):
        assert_array_equal(augmented_rows(sprites[:, 0], augmentation)[0], sprites[:, 0])


@pytest.mark.parametrize("step", [lambda x: x / 0, lambda x: x.log()])
def test_values_of_an_augmentation_that_are_not_finite_are_told(step, sprites):
    for augmentation in (step, Compose([step])):
        with pytest.raises(ValueError, match="augmentation returned values that are NaN"):
            augmented_rows(sprites[:, 0], augmentation)


def test_rows_with_views_are_refused(sprites):
    with pytest.raises(ValueError, match="views axis already"):
        augmented_rows(sprites)


def test_augmented_rows_of_polars_are_of_polars():
    pl = pytest.importorskip("polars")
    X = pl.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]})
    rows, _ = augmented_rows(X, lambda x: x + 1)
    assert isinstance(rows, pl.DataFrame)
    assert rows.columns == ["a", "b"]
    assert_array_equal(rows.to_numpy(), X.to_numpy() + 1)


@pytest.mark.parametrize("augmentation", ["none", 5, None])
def test_what_is_no_augmentation_is_refused(augmentation):
    with pytest.raises(ValueError, match="must be 'auto' or a callable"):
        augmented_rows([[1.0, 2.0], [3.0, 4.0]], augmentation)


@pytest.mark.parametrize("dtype", [float, int])
def test_colors_beyond_the_unit_interval_are_refused_rather_than_clipped(dtype):
    X = np.random.default_rng(0).integers(0, 256, (20, 192)).astype(dtype)
    with pytest.raises(ValueError, match="color images with values from 0 to 255"):
        augmented_rows(X, input_shape=(3, 8, 8))
    assert augmented_rows(X.astype(np.uint8), input_shape=(3, 8, 8))[0].max() > 200
    assert augmented_rows(X, RandomResizedCrop(), (3, 8, 8))[0].max() > 200


def drawn(estimator, X, **params):
    """Check the default augmentation by the factors that style_probe predicts."""
    table = style_probe(estimator, X, probes="linear", n_repeats=1, random_state=0, **params)
    return {row["factor"] for row in table}


def test_series_of_many_channels_are_augmented_as_the_estimator_reads_them(rng):
    X = rng.standard_normal((60, 32, 12)).astype(np.float32)
    simvae = tiny("SimVAE", encoder="conv1d", input_shape=(32, 12)).fit(X)
    of_series = {"scale", "start", "length", "mean"}
    assert drawn(simvae, X) == drawn(simvae, X, input_shape=(32, 12)) == of_series
    collapse_report(simvae, X, augmentation=RandomSeriesCrop())


def test_rows_that_are_scaled_before_the_estimator_are_still_its_images(digits):
    X = digits[0][:100] / 16
    simvae = tiny("SimVAE", input_shape=(8, 8))
    pipeline = make_pipeline(StandardScaler(), simvae).fit(X)
    assert drawn(pipeline, X) == drawn(pipeline, X, input_shape=(8, 8)) != drawn(None, X)


def test_rows_of_another_size_before_the_estimator_are_vectors(digits):
    X = np.hstack([digits[0][:100]] * 2) / 16
    pipeline = make_pipeline(PCA(64), tiny("SimVAE", input_shape=(8, 8))).fit(X)
    assert drawn(pipeline, X) == drawn(None, X)


@pytest.mark.parametrize("value", [-1.0, 0.5])
def test_views_of_whole_numbers_need_not_be_whole(rng, value):
    X = rng.integers(0, 2, size=(40, 12)).astype(np.uint8)
    rows, _ = augmented_rows(X, FeatureMasking(value=value))
    assert value in rows
    assert_array_equal(rows, augmented_rows(X.astype(np.float32), FeatureMasking(value=value))[0])


def test_augmented_rows_of_an_arrow_table_keep_their_names(rng):
    pa = pytest.importorskip("pyarrow")
    X = rng.standard_normal((40, 3))
    table = pa.table(dict(zip("abc", X.T, strict=True)))
    rows, _ = augmented_rows(table)
    assert rows.column_names == ["a", "b", "c"]
    assert_array_equal(np.asarray(rows), augmented_rows(X)[0])


@pytest.mark.parametrize("dtype", [float, int, object, ">f8"])
@pytest.mark.parametrize("form", [np.asarray, np.ndarray.tolist, pd.DataFrame])
def test_numbers_keep_their_digits_in_any_container(form, dtype):
    times = 1_600_000_000 + np.arange(20.0)[:, None]
    assert np.array_equal(representations(None, form(times.astype(dtype))), times)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float16, bool])
def test_short_numbers_take_no_more_than_float32(dtype):
    assert representations(None, np.eye(3, dtype=dtype)).dtype == np.float32


@pytest.mark.parametrize("dtype", [float, int])
def test_rows_that_float32_cannot_tell_apart_are_not_augmented(dtype):
    X = (1.6e9 + np.arange(30.0)[:, None]).astype(dtype)
    with pytest.raises(ValueError, match=r"1 feature\(s\) of X vary by too little"):
        augmented_rows(np.hstack([X, np.arange(30)[:, None]]))
