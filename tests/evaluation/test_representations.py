"""What the evaluation makes of transformers, data and augmentations."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import tiny
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.preprocessing import OneHotEncoder

from sklearn_simvae.evaluation.representations import (
    augmented_rows,
    representations,
    view_representations,
)
from sklearn_simvae.views import RandomResizedCrop


def test_representations_are_what_transform_gives(digits):
    X, _ = digits
    for estimator in (PCA(3).fit(X), tiny("SimVAE").fit(X)):
        assert_array_equal(representations(estimator, X), estimator.transform(X))
    assert_array_equal(representations("passthrough", X), X)


def test_sparse_representations_become_dense():
    encoder = OneHotEncoder().fit([["a"], ["b"]])
    assert sparse.issparse(encoder.transform([["a"]]))
    assert_array_equal(representations(encoder, [["a"]]), [[1, 0]])


@pytest.mark.parametrize(
    ("estimator", "X", "match"),
    [
        (object(), [[1.0]], "no transform"),
        (None, [[np.nan]], "NaN"),
        (None, [1.0, 2.0], "2D"),
        (None, np.empty((0, 3)), "0 sample"),
    ],
)
def test_what_cannot_be_read_is_refused(estimator, X, match):
    with pytest.raises(ValueError, match=match):
        representations(estimator, X)


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
        return x + torch.randn(x.shape)

    state = torch.get_rng_state()
    first, factors = augmented_rows(digits[0], noise, random_state=3)
    assert_array_equal(first, augmented_rows(digits[0], noise, random_state=3)[0])
    assert not np.array_equal(first, augmented_rows(digits[0], noise, random_state=4)[0])
    assert torch.equal(state, torch.get_rng_state())
    assert factors == {}


def test_rows_with_views_are_refused(sprites):
    with pytest.raises(ValueError, match="views axis already"):
        augmented_rows(sprites)
