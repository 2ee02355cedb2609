"""Corruption and masking of vectors, of one-hot columns as a whole."""

import copy

import numpy as np
import pytest
import torch
from augmentations import batch, seeded
from conftest import NoSynchronization, tiny
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.preprocessing import OneHotEncoder

from sklearn_simvae.evaluation.augmented import augmented_rows
from sklearn_simvae.plotting import ViewsDisplay
from sklearn_simvae.views import (
    Batch,
    Compose,
    FeatureCorruption,
    FeatureMasking,
    Layout,
    MultiView,
    Samples,
    as_lazy_array,
    make_views,
)
from sklearn_simvae.views import augmentation as aug
from sklearn_simvae.views.augmentation.vectors import one_hot_blocks
from sklearn_simvae.views.view_maker import one_hot_columns

# Two numbers, a factor of 8 levels beside one of 3, a number, and a factor of 2.
BLOCKS = ((2, 10), (10, 13), (14, 16))
NUMBERS = [0, 1, 13]


def table(n=400, seed=0):
    rng = np.random.default_rng(seed)

    def one_hot(n_levels):
        return np.eye(n_levels)[rng.permutation(np.arange(n) % n_levels)]

    columns = [rng.normal(size=(n, 2)), one_hot(8), one_hot(3), rng.normal(size=(n, 1)), one_hot(2)]
    return np.concatenate(columns, axis=1).astype(np.float32)


def are_categories(views, blocks=BLOCKS):
    """Whether each block of each row is one category."""
    views = np.asarray(views).reshape(-1, np.shape(views)[-1])
    parts = [views[:, start:stop] for start, stop in blocks]
    return all((np.sort(part)[:, :-1] == 0).all() and (part.max(1) == 1).all() for part in parts)


# Where they are.
def test_blocks_are_found_side_by_side_and_between_numbers():
    assert one_hot_blocks(table()) == BLOCKS
    for dtype in (bool, np.uint8, np.int64, np.float16):
        assert one_hot_blocks(table()[:, 2:13].astype(dtype)) == ((0, 8), (8, 11))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (np.array([[0, 1], [1, 0]]), ((0, 2),)),
        # A column that is always 1, or always 0, says nothing.
        (np.ones((9, 3)), ()),
        (np.zeros((9, 3)), ()),
        (np.array([[0, 1, 0], [0, 1, 0]]), ()),
        # A flag before a factor, of which it is no part.
        (np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 1]]), ((1, 4),)),
        # One row of all that is not one-hot.
        (np.eye(3)[[0, 1, 2, 2]] * np.array([[1], [1], [1], [0]]), ()),
        (np.eye(3)[[0, 1, 2, 2]] + np.array([[0], [0], [0], [1]]), ()),
        (np.eye(3) * 2, ()),
        (np.eye(3) / 3, ()),
        # Levels that no row has.
        (np.eye(5)[[0, 3, 3]], ((0, 4),)),
        (np.empty((0, 3)), ()),
        (np.empty((3, 0)), ()),
    ],
)
def test_blocks_are_what_is_one_in_each_row(rows, expected):
    assert one_hot_blocks(np.tile(rows, (16, 1))) == expected


def test_few_rows_tell_no_block():
    # Of independent columns, some are each other's opposite in so few rows.
    rows = np.eye(2)[np.arange(16) % 2]
    assert one_hot_blocks(rows) == ((0, 2),)
    assert one_hot_blocks(rows[:15]) == ()


def test_one_row_among_many_is_seen():
    rows = np.eye(4)[np.arange(100_000) % 4]
    assert one_hot_blocks(rows) == ((0, 4),)
    rows[77_777] = 0
    assert one_hot_blocks(rows) == ()
    # A level that few rows have.
    rows[77_777] = [0, 0, 1, 0]
    rare = np.insert(rows, 2, 0, axis=1)
    rare[77_777] = [0, 0, 1, 0, 0]
    assert one_hot_blocks(rare) == ((0, 5),)


def test_binary_columns_that_are_independent_are_no_block():
    rows = np.random.default_rng(0).integers(0, 2, (200, 300))
    assert one_hot_blocks(rows) == ()
    sparse_rows = (np.random.default_rng(0).random((600, 2000)) < 0.001).astype(np.float32)
    assert one_hot_blocks(sparse_rows) == ()


def test_blocks_are_those_of_scikit_learns_encoder():
    rng = np.random.default_rng(0)
    X = np.stack([rng.integers(0, n, 500) for n in (5, 2, 9)], axis=1)
    dense = OneHotEncoder(sparse_output=False).fit_transform(X)
    assert one_hot_blocks(dense) == ((0, 5), (5, 7), (7, 16))


def memmap(X, path):
    np.save(path / "X.npy", X)
    return as_lazy_array(np.load(path / "X.npy", mmap_mode="r"))


KEPT = {
    "array": lambda X, path: X,
    "columns": lambda X, path: np.asfortranarray(X),
    "memmap": memmap,
    "dataset": lambda X, path: as_lazy_array(torch.utils.data.TensorDataset(torch.from_numpy(X))),
    "sparse": lambda X, path: sparse.csr_array(X),
    "sparse columns": lambda X, path: sparse.csc_matrix(X),
    "views": lambda X, path: X.reshape(-1, 2, X.shape[1]),
}


@pytest.mark.parametrize("keep", KEPT.values(), ids=KEPT)
def test_blocks_are_found_wherever_the_data_are(keep, tmp_path):
    layout = Layout("vector", (16,), (16,))
    assert one_hot_columns(keep(table(3000), tmp_path), layout) == BLOCKS


def test_images_and_series_have_no_columns():
    assert one_hot_columns(np.eye(8)[None], Layout("image", (8, 8), (8, 8))) is None
    assert one_hot_columns(np.eye(8)[None], Layout("series", (8, 8), (8, 8))) is None


# What becomes of them.
@pytest.mark.parametrize("p", [0.3, 0.7, 1.0])
@pytest.mark.parametrize("n_views", [1, 2, 5])
def test_a_category_is_replaced_by_another_one(p, n_views):
    x = torch.from_numpy(table()).repeat_interleave(n_views, 0)
    out = FeatureCorruption(p).augment_views(x, n_views, seeded())
    assert are_categories(out)
    assert not are_categories(FeatureCorruption(p, None).augment_views(x, n_views, seeded()))
    # As often as a number is.
    changed = (out != x)[:, 2:10].any(1).float().mean()
    assert changed == pytest.approx(p * 7 / 8, abs=0.08)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_category_is_masked_as_a_whole(value):
    x = torch.from_numpy(table())
    out = FeatureMasking(0.3, value)(x, seeded())
    for start, stop in BLOCKS:
        same = (out[:, start:stop] == x[:, start:stop]).all(1)
        masked = (out[:, start:stop] == value).all(1)
        assert (same ^ masked).all()
        assert masked.float().mean() == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize("kind", [FeatureCorruption, FeatureMasking])
def test_other_columns_are_as_without_blocks_to_the_bit(kind):
    x = torch.from_numpy(table())
    out, without = kind()(x, seeded()), kind(blocks=None)(x, seeded())
    assert torch.equal(out[:, NUMBERS], without[:, NUMBERS])
    numbers = torch.randn(60, 9, generator=seeded(1))
    assert torch.equal(kind()(numbers, seeded()), kind(blocks=None)(numbers, seeded()))
    flags = (numbers > 0).float()
    assert torch.equal(kind()(flags, seeded()), kind(blocks=None)(flags, seeded()))


@pytest.mark.parametrize("kind", [FeatureCorruption, FeatureMasking])
@pytest.mark.parametrize(
    "blocks",
    [
        [slice(2, 10), slice(10, 13), slice(14, 16)],
        [range(2, 10), [10, 11, 12], (-2, -1)],
        ([*range(9, 1, -1)], np.array([12, 10, 11]), slice(-2, None)),
    ],
)
def test_blocks_may_be_given(kind, blocks):
    x = torch.from_numpy(table())
    assert torch.equal(kind(blocks=blocks)(x, seeded()), kind()(x, seeded()))


@pytest.mark.parametrize("kind", [FeatureCorruption, FeatureMasking])
def test_given_blocks_may_hold_anything_and_lie_apart(kind):
    x = torch.randn(200, 6, generator=seeded(1))
    changed = kind(0.5, blocks=[[0, 4], slice(1, 3)])(x, seeded()) != x
    assert torch.equal(changed[:, 0], changed[:, 4]) and torch.equal(changed[:, 1], changed[:, 2])
    assert not torch.equal(changed[:, 0], changed[:, 1])
    assert not torch.equal(changed[:, 3], changed[:, 5])


@pytest.mark.parametrize(
    "blocks",
    [
        "one_hot",
        3,
        [0, 1],
        [[0.5]],
        ["ab"],
        [[0, 1], [1, 2]],
        [[0, 0]],
        [[9]],
        [[[0, 1]]],
        [[True]],
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [FeatureCorruption, FeatureMasking])
def test_blocks_that_are_none_are_told(kind, blocks):
    with pytest.raises(ValueError, match=rf"{kind.__name__} was given blocks=.* but expects .*; "):
        kind(blocks=blocks)(torch.zeros(4, 5))


# In training, and wherever else views are made.
def test_a_fit_looks_for_blocks_in_all_rows_once():
    # Half of the rows have both flags, or neither, but not in the first batches.
    X = np.eye(2, dtype=np.float32)[np.arange(800) % 2]
    X[400:] = X[400:, :1]
    X = np.concatenate([X, table(800)[:, 2:10]], axis=1)
    samples = Samples(X, Layout("vector", (10,), (10,)), False)
    maker = tiny("SimVAE")._reader(anew=True).view_maker(samples)
    assert maker.one_hot == ((2, 10),)
    views = maker(Batch(torch.from_numpy(X[:300])), generator=seeded()).views
    assert are_categories(views, [(2, 10)])
    # The flags of these rows are a block by chance: they are replaced one by one.
    assert not are_categories(views, [(0, 2)])


@pytest.mark.parametrize(
    "wrap",
    [
        lambda augment: augment,
        lambda augment: Compose([augment, None]),
        lambda augment: MultiView([None, Compose([augment])]),
        lambda augment: lambda x: augment(x),
    ],
    ids=["alone", "composed", "per view", "in a callable"],
)
def test_blocks_of_the_data_hold_where_a_batch_does_not_show_them(wrap):
    layout = Layout("vector", (16,), (16,))
    # All of one level, so that the columns of this batch are constant.
    x = torch.from_numpy(table()[:50])
    x[:, 2:10] = torch.eye(8)[0]
    x[::2, 2:10] = torch.eye(8)[5]
    views = make_views(x, layout, 2, wrap(FeatureCorruption(0.5)), seeded(), BLOCKS)
    assert are_categories(views)


def test_a_row_that_is_not_one_hot_keeps_what_it_has_and_gives_it_to_no_other():
    # Rows of a source are not all looked at: here a level that the others have not.
    x = torch.from_numpy(table(200))
    x[7, 2:10] = 0
    layout = Layout("vector", (16,), (16,))
    views = make_views(x, layout, 2, FeatureCorruption(1.0), seeded(), BLOCKS)
    assert (views[7, :, 2:10] == 0).all()
    assert are_categories(np.delete(views.numpy(), 7, axis=0))


def test_levels_that_the_rows_looked_at_do_not_have_stay_categories(tmp_path):
    X = np.concatenate([np.eye(4)[np.arange(6000) % 3], table(6000)[:, 2:]], axis=1)
    X[1234, :4] = [0, 0, 0, 1]
    samples = Samples(memmap(X, tmp_path), Layout("vector", (18,), (18,)), False)
    maker = tiny("SimVAE")._reader(anew=True).view_maker(samples)
    rows = torch.from_numpy(X[1000:1400].astype(np.float32))
    views = maker(Batch(rows), generator=seeded()).views
    assert are_categories(views, [(0, 4), (4, 12), (12, 15), (16, 18)])


def test_no_view_of_a_fit_is_a_row_that_cannot_be(make_one_of_each_kind, tmp_path):
    seen = []

    def watch(x):
        seen.append(x.numpy().copy())
        return x

    X = table(60)
    augmentation = Compose([FeatureCorruption(0.5), watch])
    for given in (X, memmap(X, tmp_path)):
        estimator = make_one_of_each_kind(augmentation=augmentation).fit(given)
        if hasattr(estimator, "project"):
            estimator.score(given)
    assert are_categories(np.concatenate(seen))


def test_views_that_are_shown_or_evaluated_have_whole_categories(make_one_of_each_kind):
    X = table(60)
    views = ViewsDisplay.from_estimator(make_one_of_each_kind(), X, 20, 2, random_state=0).views
    assert are_categories(views)
    assert are_categories(augmented_rows(X)[0])
    assert are_categories(augmented_rows(X, lambda x: FeatureCorruption(0.5)(x))[0])


def test_categories_of_a_modality_stay_whole(make_multimodal):
    seen = []

    def watch(x):
        seen.append(x.numpy().copy())
        return x

    X = {"table": table(60), "numbers": table(60)[:, :2]}
    for values in (X["table"], sparse.csr_array(X["table"])):
        make_multimodal(
            modalities=[("table", "mlp"), ("numbers", "mlp")],
            augmentations={"table": Compose([FeatureCorruption(0.5), watch])},
        ).fit({**X, "table": values})
    assert are_categories(np.concatenate(seen))


def test_nothing_is_read_back_from_the_device_for_blocks_of_the_data():
    x, layout = torch.from_numpy(table()), Layout("vector", (16,), (16,))
    with NoSynchronization():
        for augment in (FeatureCorruption(), FeatureMasking(), FeatureCorruption(blocks=[[0, 1]])):
            make_views(x, layout, 2, augment, seeded(), BLOCKS)


def test_columns_of_a_part_are_looked_for_in_the_part():
    def on_a_part(x):
        return torch.cat([x[:, :5], FeatureCorruption(0.5)(x[:, 10:]), x[:, 5:10]], dim=1)

    x, layout = torch.from_numpy(table()), Layout("vector", (16,), (16,))
    views = make_views(x, layout, 2, on_a_part, seeded(), BLOCKS)
    assert are_categories(views[..., 5:11], [(0, 3), (4, 6)])


def test_objects_of_before_there_were_blocks_replace_each_column():
    x = torch.from_numpy(table())
    for kind in (FeatureCorruption, FeatureMasking):
        old = copy.copy(kind())
        del old.__dict__["blocks"]
        assert_array_equal(old(x, seeded()), kind(blocks=None)(x, seeded()))


def test_corruption_takes_the_same_feature_of_another_row():
    n, d = 50, 40
    x = torch.arange(n * d, dtype=torch.float32).reshape(n, d)
    out = aug.FeatureCorruption(p=0.3)(x, seeded())
    assert torch.equal(out % d, x % d)
    assert (out != x).float().mean() == pytest.approx(0.3, abs=0.04)
    everything = aug.FeatureCorruption(p=1.0)(x, seeded()) // d
    assert (everything != x // d).all()
    # Each feature has a source of its own, and all other rows serve.
    assert all(len(row.unique()) > 15 for row in everything)
    assert len(everything.unique()) == n


def test_masking_sets_a_share_p_to_the_value():
    x = 1 + batch(60, 50)
    out = aug.FeatureMasking(p=0.2, value=-3.0)(x, seeded())
    masked = out == -3
    assert masked.float().mean() == pytest.approx(0.2, abs=0.03)
    assert torch.equal(out[~masked], x[~masked])


@pytest.mark.parametrize("n_samples, n_views", [(2, 8), (3, 2), (16, 4)])
def test_corruption_takes_features_of_other_samples_alone(n_samples, n_views):
    samples = torch.arange(float(n_samples)).repeat_interleave(n_views)[:, None].expand(-1, 50)
    out = aug.FeatureCorruption(p=1.0).augment_views(samples, n_views, seeded())
    assert (out != samples).all()
    # Of all others, and equally often.
    shares = torch.bincount(out.long().flatten(), minlength=n_samples) / out.numel()
    assert (shares - 1 / n_samples).abs().max() < 0.1
    alone = torch.rand(4, 3)
    assert torch.equal(aug.FeatureCorruption(p=1.0).augment_views(alone, 4, seeded()), alone)


@pytest.mark.parametrize("augment", [aug.FeatureCorruption(0.4), aug.FeatureMasking(0.4, -1.0)])
def test_share_is_that_of_the_features_that_changed(augment):
    x = torch.rand(30, 50, generator=seeded(1))
    views, factors = augment.augment_with_factors(x, seeded())
    assert_allclose(factors["share"], (views != x).float().mean(1))
    assert 0.2 < factors["share"].min() < factors["share"].max() < 0.6


def test_a_row_without_another_to_take_from_has_no_share_of_changes():
    _, factors = aug.FeatureCorruption(1.0).augment_with_factors(torch.ones(1, 3))
    assert factors["share"].tolist() == [0]
