"""Where views come from, and how the shape of X is read."""

import tracemalloc

import numpy as np
import pytest
import torch
from conftest import Spy, Views, n_made_views, one_kind
from made_samples import numbered
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_simvae.views import (
    Compose,
    FeatureCorruption,
    RandomJitter,
    RandomResizedCrop,
    RandomScaling,
    RandomSeriesCrop,
    default_augmentation,
)

# ---------------------------------------------------------------- groups


SIZES = np.array([1, 2, 3, 5, 2, 1, 4, 3])


def grouped(label, min_views):
    """Rows of groups of unequal size, in no order; the first value tells the group."""
    sizes = np.maximum(SIZES, min_views)
    which = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    return numbered(len(sizes), 4)[which] + np.eye(4)[1] * np.arange(len(which))[:, None], [
        label(i) for i in which
    ]


@one_kind
def test_rows_of_a_group_are_the_views_of_one_sample(make):
    min_views = make()._needs().views
    X, groups = grouped(int, min_views)
    sizes = np.maximum(SIZES, min_views).clip(max=3)
    spy = Spy()
    make(n_views=3, batch_size=3, max_epochs=20, callbacks=spy).fit(X, groups=groups)
    per_epoch, rows_seen = [], set()
    for batch in spy.batches():
        rows, mask = batch.views, batch.mask
        mask = torch.ones(rows.shape[:2], dtype=bool) if mask is None else mask
        assert (rows[..., 0] == rows[:, :1, 0]).all(), "rows of several groups in one sample"
        for views, given in zip(rows, mask, strict=True):
            group = round(float(views[0, 0]) * len(SIZES))
            own = views[given, 1].tolist()
            assert len(set(own)) == len(own) == sizes[group]
            per_epoch.append(group)
            rows_seen.update(own)
    per_epoch = np.reshape(per_epoch, (20, len(SIZES)))
    assert_array_equal(np.sort(per_epoch), np.tile(np.arange(len(SIZES)), (20, 1)))
    assert len(rows_seen) == len(X), "rows beyond n_views are drawn anew each epoch"


def test_labels_of_groups_may_be_of_any_kind(make_one_of_each_kind):
    make = make_one_of_each_kind
    X, numbers = grouped(int, 2)
    Z = make().fit(X, groups=numbers).transform(X)
    for label in ("group {}".format, lambda i: i - 100, lambda i: i / 3):
        groups = grouped(label, 2)[1]
        assert_array_equal(make().fit(X, groups=groups).transform(X), Z)
    text = list(map("group {}".format, numbers))
    for groups in (np.array(text, dtype=object), pytest.importorskip("pandas").Series(text)):
        assert_array_equal(make().fit(X, groups=groups).transform(X), Z)


@one_kind
def test_groups_make_no_more_of_the_features_than_rows_do(make):
    estimator = make()
    X, groups = grouped(int, estimator._needs().views)
    Z = estimator.fit_transform(X, groups=groups)
    assert Z.shape == (len(X), 3) and estimator.n_features_in_ == 4
    assert_array_equal(Z, make().fit(X, groups=groups).transform(X))
    assert np.abs(Z - make().fit_transform(X)).max() > 1e-4


# ---------------------------------------------------------------- views axis


@one_kind
@pytest.mark.parametrize("shape", [(3, 5), (2, 1, 8, 8), (3, 3, 8, 8)])
def test_views_axis_of_X_is_read_without_being_told(make, shape):
    X = numbered(20, *shape)
    spy = Spy()
    estimator = make(encoder="mlp", callbacks=spy, n_views=7)
    Z = estimator.fit_transform(X)
    assert Z.shape == (20, 3) and estimator.n_features_in_ == np.prod(shape[1:])
    assert {batch.views.shape[1:] for batch in spy.batches()} == {shape}
    views = [estimator.transform(X[:, j]) for j in range(shape[0])]
    assert_allclose(Z, np.mean(views, 0), atol=1e-6)
    assert np.ptp(views, 0).max() > 1e-3


# ---------------------------------------------------------------- augmentation


@one_kind
@pytest.mark.parametrize(
    "row, input_shape, explicit",
    [
        ((6,), None, FeatureCorruption()),
        ((1, 8, 8), None, RandomResizedCrop()),
        ((3, 8, 8), None, default_augmentation("image", 3)),
        ((20, 2), (20, 2), Compose([RandomJitter(), RandomScaling(), RandomSeriesCrop()])),
    ],
)
def test_auto_augmentation_suits_the_kind_of_data(make, row, input_shape, explicit):
    X = numbered(30, *row)
    auto, same, none = (
        make(augmentation=augmentation, input_shape=input_shape, encoder="mlp").fit_transform(X)
        for augmentation in ("auto", explicit, None)
    )
    assert_array_equal(auto, same)
    assert np.abs(auto - none).max() > 1e-5


# ---------------------------------------------------------------- shapes and types


@pytest.mark.parametrize("views", [(), (2,)])
@pytest.mark.parametrize(
    "input_shape", [(8, 8), (1, 8, 8), (8, 8, 1), (3, 4, 8), (8, 5, 3), (32, 2), (64,)]
)
def test_flat_and_shaped_rows_are_the_same_data(make_one_of_each_kind, views, input_shape):
    make = make_one_of_each_kind
    size = int(np.prod(input_shape))
    flat = numbered(30, *views, size)
    shaped = flat.reshape(30, *views, *input_shape)
    first, second = (make(encoder="mlp", input_shape=input_shape).fit(X) for X in (flat, shaped))
    Z = first.transform(flat)
    for estimator, X in ((first, shaped), (second, flat), (second, shaped)):
        assert_array_equal(estimator.transform(X), Z)
    assert first.n_features_in_ == second.n_features_in_ == size
    if not views:
        pair = np.stack([flat, flat], 1)
        assert_allclose(first.transform(pair), Z, atol=1e-6)


@one_kind
@pytest.mark.parametrize("encoder", ["mlp", "conv"])
def test_channels_may_come_last(make, sprites, encoder):
    params = {"encoder": encoder, "max_epochs": 1}
    first = make(**params).fit_transform(sprites)
    last = make(input_shape=(8, 8, 3), **params).fit_transform(np.moveaxis(sprites, 2, -1))
    assert_array_equal(first, last)


@one_kind
def test_channels_of_a_series_come_last(make):
    X = numbered(30, 20, 2)
    augmentation = Views()
    estimator = make(input_shape=(20, 2), augmentation=augmentation, n_views=3).fit(X)
    rows = torch.cat(augmentation.batches[: len(augmentation.batches) // 2])
    rows = rows[:: n_made_views(estimator)]
    rows = rows[rows[:, 0, 0].argsort()]
    order = X[:, 0, 0].argsort()
    assert_array_equal(rows, X[order].transpose(0, 2, 1))
    assert estimator.transform(X).shape == (30, 3)


@one_kind
def test_uint8_pixels_are_the_same_as_floats_over_255(make, sprites):
    floats = sprites / np.float32(255)
    first, second = make(encoder="mlp").fit(sprites), make(encoder="mlp").fit(floats)
    Z = first.transform(sprites)
    assert_array_equal(second.transform(floats), Z)
    assert_array_equal(first.transform(floats), Z)


@pytest.mark.parametrize("kind", ["f8", "f2", ">f4", ">f8", "i8", "u2", "?", "list", "strided"])
def test_numbers_of_any_type_will_do(make_one_of_each_kind, digits, kind):
    make = make_one_of_each_kind
    X = (digits[0] > 0.5).astype(np.float32)
    if kind == "list":
        other = X.tolist()
    else:
        other = np.repeat(X, 2, 1)[:, ::2] if kind == "strided" else X.astype(kind)
    assert_array_equal(make().fit_transform(other), make().fit_transform(X))


def test_images_stay_uint8_in_memory(make_one_of_each_kind, tmp_path):
    # So many that what a clustering keeps of each sample is little beside its pixels.
    images = np.random.default_rng(0).integers(0, 256, (6000, 1, 24, 24), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    X = np.load(tmp_path / "images.npy", mmap_mode="r")
    augmentation = Views()
    estimator = make_one_of_each_kind(augmentation=augmentation, max_epochs=1)
    tracemalloc.start()
    estimator.fit(X).transform(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < images.nbytes / 2
    assert max(x.numel() for x in augmentation.batches) < images.size / 2


class Items(torch.utils.data.Dataset):
    """Rows of a tensor, one at a time."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.rows[i]


@pytest.mark.parametrize("make", ["SimVAE"], indirect=True)
def test_items_of_a_dataset_may_be_any_tensors(make):
    rows = torch.arange(60.0).reshape(20, 3)
    expected = make().fit(rows.numpy()).transform(rows.numpy())
    for items in (rows.bfloat16(), rows.clone().requires_grad_(), rows.double()):
        assert_array_equal(make().fit(Items(items)).transform(rows.numpy()), expected)


def test_columns_of_bool_that_hold_a_null_are_told(make_one_of_each_kind):
    pa = pytest.importorskip("pyarrow")
    values = [True, False] * 600
    table = pa.table({"a": pa.array([True, None, *values[2:]]), "b": pa.array(values)})
    if "modalities" not in make_one_of_each_kind().get_params():
        with pytest.raises(ValueError, match="row 1"):
            make_one_of_each_kind().fit(table)
