"""From arrays of any kind to batches of views."""

import numpy as np
import pytest
import torch
from augmentations import seeded
from made_samples import WHICH, samples_of, values, views_of

from sklearn_simvae.views import (
    Compose,
    FeatureCorruption,
    GaussianNoise,
    Groups,
    Layout,
    RandomResizedCrop,
    Samples,
    make_views,
)
from sklearn_simvae.views.augmentation import Augmentation

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "g"]


class Recorder:
    """An array that is read by integer arrays alone, and tells what was read."""

    def __init__(self, X):
        self.X, self.shape, self.dtype, self.ndim = X, X.shape, X.dtype, X.ndim
        self.read = []

    def __len__(self):
        return len(self.X)

    def __getitem__(self, indices):
        assert isinstance(indices, np.ndarray)
        self.read += indices.ravel().tolist()
        return self.X[indices]


# Arrays.
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize(
    "shape", [(6, 5), (6, 9, 9), (6, 2, 9, 9)], ids=["vector", "gray", "views"]
)
def test_every_dtype_and_byte_order_becomes_float32_views(dtype, order, shape):
    X = values(*shape).astype(np.dtype(dtype).newbyteorder(order))
    input_shape = shape[1:2] if len(shape) == 2 else (9, 9)
    views = views_of(samples_of(X, input_shape), WHICH)
    scale = 255 if dtype == "u1" and len(shape) > 2 else 1
    expected = X[WHICH].astype(np.float32).reshape(views.shape) / np.float32(scale)
    assert views.dtype == torch.float32
    np.testing.assert_array_equal(views, expected)


@pytest.mark.parametrize("dtype", ["u1", "f4", "f8"])
@pytest.mark.parametrize(
    "arrange",
    [
        lambda X: X[::2],
        lambda X: X[::-1],
        lambda X: X[:, ::-1],
        lambda X: X[..., ::-2],
        np.asfortranarray,
        lambda X: np.moveaxis(np.moveaxis(X, -1, 0).copy(), 0, -1),
        lambda X: np.broadcast_to(X[:1], X.shape),
    ],
    ids=["step", "reversed", "views reversed", "columns", "fortran", "moved", "broadcast"],
)
def test_arrays_of_any_memory_layout_are_read(arrange, dtype):
    X = arrange(values(12, 3, 40).astype(dtype))
    views = views_of(samples_of(X, X.shape[2:]), WHICH)
    np.testing.assert_array_equal(views, X[WHICH].astype(np.float32))


@pytest.mark.parametrize("dtype", ["u1", "f4", ">f8"])
@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_memmaps_are_read(tmp_path, mode, dtype):
    X = values(6, 5).astype(dtype)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode=mode)
    rows, _ = samples_of(mapped, (5,)).take(WHICH)
    assert type(rows) is np.ndarray
    np.testing.assert_array_equal(rows, X[WHICH].astype(rows.dtype))


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_batches_of_read_only_arrays_can_be_written_without_a_warning(recwarn, dtype):
    X = values(6, 5).astype(dtype)
    X.flags.writeable = False
    rows, _ = samples_of(X, (5,)).take(WHICH)
    torch.from_numpy(rows).zero_()
    assert not recwarn.list
    np.testing.assert_array_equal(X, values(6, 5))


@pytest.mark.parametrize("dtype", DTYPES)
def test_uint8_stays_uint8_until_it_is_on_the_device(dtype):
    rows, _ = samples_of(values(6, 5).astype(dtype), (5,)).take(WHICH)
    assert rows.dtype == (np.uint8 if dtype == "u1" else np.float32)


@pytest.mark.parametrize("groups", [None, Groups([0, 1, 0, 1, 2, 2])])
def test_only_rows_of_the_batch_are_read(groups):
    X = Recorder(values(6, 5).astype(float))
    samples = Samples(X, Layout("vector", (5,), (5,)), False, groups, n_views=2)
    assert X.read == []
    rows, _ = samples.take(np.array([2, 0]))
    assert X.read == ([2, 0] if groups is None else [4, 5, 0, 2])
    np.testing.assert_array_equal(rows.reshape(-1, 5), X.X[X.read])


# Samples.
def test_samples_of_groups_are_groups():
    labels = np.array(["b", "a", "b", "c", "b"])
    X = values(5, 3).astype(float)
    samples = Samples(X, Layout("vector", (3,), (3,)), False, Groups(labels), n_views=2)
    rows, mask = samples.take(np.array([0, 1, 2]))
    assert len(samples) == 3
    assert samples.views_given
    np.testing.assert_array_equal(rows, X[[[1, 1], [0, 2], [3, 3]]])
    np.testing.assert_array_equal(mask, [[True, False], [True, True], [True, False]])


@pytest.mark.parametrize("n_views", [1, 3])
def test_rows_of_large_groups_follow_the_generator(n_views):
    X = values(40, 1).astype(float)
    samples = Samples(X, Layout("vector", (1,), (1,)), False, Groups(np.arange(40) % 2), n_views)
    first, again, other = (
        samples.take(np.array([0, 1]), np.random.default_rng(seed))[0] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_axis_of_X_holds_views():
    X = values(6, 2, 3).astype(np.float32)
    samples = samples_of(X)
    rows, mask = samples.take(WHICH)
    assert samples.views_given
    assert len(samples) == 6
    assert mask is None
    np.testing.assert_array_equal(rows, X[WHICH])


@pytest.mark.parametrize("groups", [None, Groups(np.arange(12) // 2)])
def test_subset_of_a_subset_reads_the_right_samples_of_the_same_array(groups):
    X = values(12, 3).astype(np.float32)
    samples = Samples(X, Layout("vector", (3,), (3,)), False, groups, n_views=2)
    part = samples.subset(np.array([1, 3, 5])).subset(np.array([2, 0]))
    assert part.X is X
    assert len(part) == 2
    rows, _ = part.take(np.array([0, 1]))
    np.testing.assert_array_equal(rows, samples.take(np.array([5, 1]))[0])
    assert len(samples) == (12 if groups is None else 6)


# Views.
class Shift(Augmentation):
    """Add a draw in [0, 1) to each row."""

    def _transform(self, x, generator):
        return x + torch.rand(len(x), *[1] * (x.ndim - 1), generator=generator)


@pytest.mark.parametrize("input_shape", [(3,), (9, 9), (1, 6, 5), (6, 5, 3), (20, 2)])
@pytest.mark.parametrize("n_views", [1, 2, 3])
def test_each_view_of_a_row_is_augmented_by_itself(input_shape, n_views):
    X = np.broadcast_to(10.0 * np.arange(6).reshape(6, *[1] * len(input_shape)), (6, *input_shape))
    samples = samples_of(X, input_shape)
    views = views_of(samples, WHICH, n_views, Shift(), seeded())
    assert views.shape == (3, n_views, *samples.layout.network_shape)
    first = views.flatten(2)[..., 0]
    # The tens tell the row, the rest the draw.
    np.testing.assert_array_equal((first // 10).int(), np.repeat(WHICH[:, None], n_views, 1))
    assert len(first.remainder(10).unique()) == first.numel()


def test_views_without_augmentation_are_the_row():
    X = values(6, 5).astype(np.float32)
    views = views_of(samples_of(X), WHICH, 3)
    np.testing.assert_array_equal(views, np.repeat(X[WHICH][:, None], 3, 1))


@pytest.mark.parametrize("given", ["axis", "groups"])
def test_given_views_keep_their_places_under_augmentation(given):
    X = 10 * np.arange(12, dtype=np.float32)
    if given == "axis":
        samples = samples_of(X.reshape(6, 2, 1))
    else:
        layout = Layout("vector", (1,), (1,))
        samples = Samples(X[:, None], layout, False, Groups(np.arange(12) // 2), n_views=2)
    views = views_of(samples, WHICH, augmentation=Shift(), generator=seeded())
    expected = np.stack([2 * WHICH, 2 * WHICH + 1], 1)
    np.testing.assert_array_equal((views[..., 0] // 10).int(), expected)
    assert len(views.remainder(10).unique()) == views.numel()


@pytest.mark.parametrize(
    ("augmentation", "input_shape"),
    [
        (FeatureCorruption(), (5,)),
        (RandomResizedCrop(), (1, 8, 8)),
        (Compose([RandomResizedCrop(), GaussianNoise()]), (3, 8, 8)),
    ],
    ids=["vectors", "images", "composed"],
)
def test_own_augmentations_draw_from_the_generator_alone(augmentation, input_shape):
    samples = samples_of(np.random.default_rng(0).random((6, *input_shape)))
    state = torch.get_rng_state()
    first, again, other = (
        views_of(samples, np.arange(6), 2, augmentation, seeded(seed)) for seed in (0, 0, 1)
    )
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert (first != other).any()
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("n_views", [1, 2])
def test_foreign_callables_are_given_the_whole_batch_and_nothing_else(n_views):
    calls = []

    def augmentation(*args, **kwargs):
        calls.append((args, kwargs))
        return args[0] + 1

    samples = samples_of(values(6, 9, 9).astype(np.uint8), (9, 9))
    views = views_of(samples, WHICH, n_views, augmentation, seeded())
    (((x,), kwargs),) = calls
    assert kwargs == {}
    assert x.shape == (3 * n_views, 1, 9, 9)
    assert x.dtype == torch.float32
    torch.testing.assert_close(views.flatten(0, 1), x + 1)


def test_modules_and_other_dtypes_are_taken_from_foreign_callables():
    samples = samples_of(values(6, 5).astype(np.float32))
    for augmentation in (torch.nn.Identity(), torch.Tensor.double, torch.Tensor.half):
        views = views_of(samples, WHICH, 2, augmentation)
        assert views.dtype == torch.float32
        np.testing.assert_array_equal(views[:, 0], samples.X[WHICH])


@pytest.mark.parametrize(
    "augmentation",
    [
        lambda x: x[:, :-1],
        lambda x: x[:-1],
        lambda x: x[None],
        lambda x: x.flatten(),
        lambda x: x.numpy(),
        lambda x: None,
        lambda x: (x, x),
    ],
    ids=["features", "rows", "axis", "flat", "numpy", "none", "pair"],
)
@pytest.mark.parametrize("n_views", [1, 2])
def test_augmentation_that_changes_the_shape_is_refused(augmentation, n_views):
    samples = samples_of(values(6, 5).astype(np.float32))
    with pytest.raises(ValueError, match=r"augmentation returned .* of the same shape"):
        views_of(samples, WHICH, n_views, augmentation)


@pytest.mark.parametrize("dtype", ["u1", "f4", "f8"])
@pytest.mark.parametrize("n_views", [1, 2, None])
@pytest.mark.parametrize(
    "augmentation",
    [None, torch.Tensor.zero_, Shift()],
    ids=["no augmentation", "in place", "own"],
)
def test_neither_the_array_nor_the_batch_is_modified(augmentation, n_views, dtype):
    shape = (6, 9, 9) if n_views else (6, 2, 9, 9)
    X = values(*shape).astype(dtype)
    samples = samples_of(X, (9, 9))
    rows = torch.from_numpy(samples.take(np.arange(6))[0])
    make_views(rows, samples.layout, n_views, augmentation, seeded())
    np.testing.assert_array_equal(X, values(*shape))
    np.testing.assert_array_equal(rows, values(*shape))


# Parts of batches, and looks at the data.
@pytest.mark.parametrize("groups", [None, Groups([0, 0, 1, 2, 2, 2, 3, 3])], ids=["rows", "groups"])
@pytest.mark.parametrize("part", [slice(1, 3), slice(0, 0), slice(None)])
def test_a_part_of_a_batch_is_cut_out_of_the_same_draw(groups, part):
    samples = samples_of(values(8, 5), groups=groups, n_views=2)
    which = np.array([3, 0, 2, 1])
    indices, mask = samples.draw(which, np.random.default_rng(0))
    part_indices, part_mask = samples.draw(which, np.random.default_rng(0), part)
    assert part_indices.tolist() == indices[part].tolist()
    if groups is None:
        assert mask is None and part_mask is None
    else:
        assert not mask.all() and part_mask.tolist() == mask[part].tolist()


@pytest.mark.parametrize("dtype", ["f4", "u1"])
def test_what_is_read_in_the_right_type_is_not_copied(dtype):
    rows = np.zeros((3, 5), dtype)

    class Reader:
        shape, ndim, dtype = (9, 5), 2, rows.dtype

        def __len__(self):
            return 9

        def __getitem__(self, indices):
            return rows

    assert Samples(Reader(), Layout("vector", (5,), (5,)), False).read(np.arange(3)) is rows


@pytest.mark.parametrize("dtype", ["f8", "i2", ">f4"])
def test_what_is_read_in_another_type_becomes_float32(dtype):
    rows = samples_of(values(6, 5).astype(dtype)).read(np.array([1, 4]))
    assert rows.dtype == np.float32 and rows.tolist() == values(6, 5)[[1, 4]].tolist()


@pytest.mark.parametrize(
    ("n_samples", "expected"), [(1, [0]), (2, [0, 6]), (3, [0, 3, 6]), (7, range(7)), (9, range(7))]
)
def test_some_views_are_spread_evenly_and_are_the_first_of_their_samples(n_samples, expected):
    X = np.arange(7 * 2 * 5, dtype=np.float32).reshape(7, 2, 5)
    first = X[list(expected), 0].tolist()
    assert samples_of(X).some_views(n_samples).tolist() == first
    assert samples_of(X[:, 0]).some_views(n_samples).tolist() == first
    groups = Groups(np.repeat(np.arange(7), 2))
    of_groups = samples_of(X.reshape(14, 5), groups=groups, n_views=2).some_views(n_samples)
    assert of_groups.tolist() == first and of_groups.dtype == torch.float32


def test_some_views_of_pixels_are_as_the_networks_take_them():
    X = np.full((4, 9, 9), 51, np.uint8)
    x = samples_of(X, (9, 9)).some_views(2)
    torch.testing.assert_close(x, torch.full((2, 1, 9, 9), 0.2))


@pytest.mark.parametrize("n_views", [1, 3])
@pytest.mark.parametrize(
    ("augmentation", "got"),
    [
        (lambda x: x[:, :2], r"\({n}, 2\)"),
        (lambda x: x.numpy(), "ndarray"),
        (lambda x: None, "NoneType"),
    ],
)
def test_what_an_augmentation_gives_wrongly_is_said_beside_what_is_expected(
    augmentation, got, n_views
):
    layout, n = Layout("vector", (3,), (3,)), 4 * n_views
    match = rf"returned {got.format(n=n)} for a batch of shape \({n}, 3\); it must return"
    with pytest.raises(ValueError, match=match):
        make_views(torch.zeros(4, 3), layout, n_views, augmentation)


def test_samples_are_by_default_single_rows_and_views_are_made_without_augmentation():
    samples = Samples(values(6, 5), Layout("vector", (5,), (5,)), False)
    assert (samples.n_views, samples.n_given_views, len(samples)) == (1, 1, 6)
    assert samples.indices.tolist() == list(range(6)) and not samples.views_given


def test_batches_have_the_size_asked_for():
    X = np.arange(10, dtype=np.float32).reshape(10, 1)
    samples = Samples(X, *Layout.infer(X))
    assert [len(batch) for batch in samples.batches("cpu", 4)] == [4, 4, 2]
    assert len(list(samples.batches("cpu"))) == 1
    rows = samples.map(lambda batch: batch.views[:, 0], "cpu", 3)
    np.testing.assert_array_equal(rows, X)
