"""Batches of an epoch."""

import numpy as np
import pytest
import torch

from sklearn_simvae.training import BatchLoader, auto_batch_size, auto_max_epochs, batching
from sklearn_simvae.training.batching import with_views
from sklearn_simvae.training.history import SeenRange
from sklearn_simvae.views import (
    Augmentation,
    Batch,
    Compose,
    FeatureMasking,
    Groups,
    Layout,
    Samples,
    ViewMaker,
)

LAYOUT = Layout("vector", (1,), (1,))


def loader(n_samples, batch_size, shuffle=True, seed=0):
    """Over rows whose only value is their index."""
    X = np.arange(n_samples, dtype=np.float32)[:, None]
    loader = BatchLoader(Samples(X, LAYOUT, False), batch_size, shuffle=shuffle)
    loader.seed = seed
    return loader


def grouped(sizes, n_views, seed=0):
    """Over groups of rows; all groups in one batch."""
    X = np.arange(sum(sizes), dtype=np.float32)[:, None]
    groups = Groups(np.repeat(np.arange(len(sizes)), sizes))
    samples = Samples(X, LAYOUT, False, groups, n_views=n_views)
    loader = BatchLoader(samples, len(sizes), shuffle=True)
    loader.seed = seed
    return loader


def order(loader):
    return np.concatenate([batch.views[:, 0].numpy() for batch in loader]).astype(int)


def places(loader):
    return np.concatenate([batch.indices.numpy() for batch in loader])


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(
    ("n_samples", "batch_size"), [(1, 1), (1, 64), (10, 5), (11, 5), (100, 99), (257, 256), (7, 1)]
)
def test_epoch_covers_each_sample_once_in_even_batches(n_samples, batch_size, shuffle):
    batches = loader(n_samples, batch_size, shuffle)
    assert sorted(order(batches)) == list(range(n_samples))
    sizes = [len(batch.views) for batch in batches]
    assert len(batches) == len(sizes) == -(-n_samples // batch_size)
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1


def test_order_is_fixed_by_the_seed_of_the_epoch():
    first, again, other = (order(loader(100, 16, seed=seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first != np.arange(100)).any()
    batches = loader(100, 16)
    np.testing.assert_array_equal(order(batches), order(batches))


def test_samples_come_in_order_unless_shuffled():
    np.testing.assert_array_equal(order(loader(100, 16, shuffle=False)), np.arange(100))


def test_shuffling_leaves_the_global_random_state_alone():
    state = np.random.get_state()  # noqa: NPY002
    order(loader(100, 16))
    np.testing.assert_equal(np.random.get_state(), state)  # noqa: NPY002


def test_subset_is_covered_and_nothing_else():
    samples = loader(100, 16).samples.subset(np.arange(0, 100, 3))
    assert sorted(order(BatchLoader(samples, 8, shuffle=True))) == list(range(0, 100, 3))


@pytest.mark.parametrize("shuffle", [False, True])
def test_indices_are_the_places_of_the_samples(shuffle):
    batches = loader(100, 16, shuffle)
    np.testing.assert_array_equal(places(batches), order(batches))


@pytest.mark.parametrize("shuffle", [False, True])
def test_indices_count_within_a_subset(shuffle):
    """Prototypes are as many as there are samples to learn from, not as X has rows."""
    which = np.array([90, 3, 17, 44, 5, 61, 8])
    batches = BatchLoader(loader(100, 16).samples.subset(which), 3, shuffle=shuffle)
    assert sorted(places(batches)) == list(range(7))
    np.testing.assert_array_equal(which[places(batches)], order(batches))


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("which", [np.arange(20), np.array([7, 2, 19, 11])])
def test_indices_count_groups_rather_than_rows(which, shuffle):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(20), 3))
    X = labels[:, None].astype(np.float32)
    samples = Samples(X, LAYOUT, False, Groups(labels), n_views=2).subset(which)
    for batch in BatchLoader(samples, 3, shuffle=shuffle):
        own = torch.from_numpy(which)[batch.indices]
        assert (batch.views[..., 0] == own[:, None]).all()


def test_views_of_large_groups_change_from_epoch_to_epoch():
    batches, seen = grouped([50, 50], n_views=2), set()
    for seed in range(10):
        batches.seed = seed
        (batch,) = batches
        assert batch.views.shape == (2, 2, 1)
        assert batch.mask is None
        seen |= set(batch.views.flatten().int().tolist())
    assert len(seen) > 20
    assert torch.equal(next(iter(batches)).views, next(iter(batches)).views)


def test_mask_of_small_groups_comes_as_a_tensor():
    (batch,) = grouped([1, 4, 2], n_views=3)
    assert batch.views.shape == (3, 3, 1)
    assert batch.mask.dtype == torch.bool
    assert sorted(batch.mask.sum(1).tolist()) == [1, 2, 3]


@pytest.mark.parametrize("make", [lambda: loader(100, 16), lambda: grouped([1, 4, 2], n_views=3)])
def test_rows_that_stay_on_the_device_make_the_same_batches(make, monkeypatch):
    read = list(make())
    monkeypatch.setattr(batching, "fits_on_device", lambda X, device: True)
    batches = make()
    # Nothing is read once it is there.
    batches.samples.X = None
    for batch, expected in zip(batches, read, strict=True):
        for values, wanted in zip(vars(batch).values(), vars(expected).values(), strict=True):
            assert (values is wanted is None) or torch.equal(values, wanted)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_batches_are_tensors_on_the_device(dtype):
    X = np.arange(5, dtype=dtype)[:, None]
    for batch in BatchLoader(Samples(X, LAYOUT, False), 2, "cpu"):
        assert batch.views.device == batch.indices.device == torch.device("cpu")
        assert batch.views.dtype == (torch.uint8 if dtype == np.uint8 else torch.float32)
        assert batch.indices.dtype == torch.int64
        assert batch.mask is None


def test_auto_batch_size_leaves_steps_on_small_sets_and_is_256_on_large_ones():
    sizes = [auto_batch_size(n) for n in range(1, 20_000)]
    assert all(isinstance(size, int) for size in sizes)
    assert (np.diff(sizes) >= 0).all()
    assert (sizes[0], sizes[-1]) == (16, 256)
    for n, size in enumerate(sizes, start=1):
        assert size == 16 or n / size >= 20
    assert auto_batch_size(10**8) == 256


@pytest.mark.parametrize("n_samples", [1, 2, 20, 178, 569, 1797, 20_000, 60_000, 10**6, 10**7])
def test_auto_max_epochs_are_some_forty_steps_per_root_of_the_samples(n_samples):
    n_epochs = auto_max_epochs(n_samples)
    assert 1 <= n_epochs <= 100
    n_steps = n_epochs * -(-n_samples // auto_batch_size(n_samples))
    if n_epochs < 100:
        assert n_steps == pytest.approx(max(400, 40 * n_samples**0.5), rel=0.2)


@pytest.mark.parametrize("sizes", [[16] * 5, [300, 16, 16, 240], [16, 16, 1]])
def test_views_of_small_batches_are_made_at_once_and_kept_apart(sizes):
    starts = np.cumsum([0, *sizes[:-1]])
    rows = [torch.arange(a, a + n).float()[:, None] for a, n in zip(starts, sizes, strict=True)]
    batches = [Batch(x, None, torch.arange(len(x))) for x in rows]
    calls = []

    class Shift(Augmentation):
        takes_several = True

        def _transform(self, x, generator):
            calls.append(len(x))
            return x + 0.5

    maker = ViewMaker(LAYOUT, n_views=2, augmentation=Shift())
    seen = SeenRange()
    made = list(with_views(batches, maker, seen=seen))
    for batch, x, own in zip(made, rows, batches, strict=True):
        torch.testing.assert_close(batch.views, (x + 0.5).unsqueeze(1).expand(-1, 2, 1))
        assert batch.indices is own.indices
    assert seen.read() == (0.5, sum(sizes) - 0.5)
    # No call has more rows than a large batch.
    assert sum(calls) == 2 * sum(sizes) and max(calls) <= 2 * max(256, *sizes)
    assert len(calls) < len(sizes)


def test_a_function_of_the_user_is_given_each_batch_by_itself():
    lengths = []

    def note(x):
        lengths.append(len(x))
        return x

    batches = [Batch(torch.zeros(n, 1), None, torch.arange(n)) for n in (4, 3)]
    list(with_views(batches, ViewMaker(LAYOUT, n_views=2, augmentation=note)))
    assert lengths == [8, 6]


def test_batches_of_large_rows_are_augmented_one_by_one():
    layout = Layout("vector", (2**17,), (2**17,))
    batches = [Batch(torch.zeros(4, 2**17), None, torch.arange(4)) for _ in range(3)]
    lengths = []

    class Note(Augmentation):
        takes_several = True

        def _transform(self, x, generator):
            lengths.append(len(x))
            return x

    list(with_views(batches, ViewMaker(layout, n_views=1, augmentation=Note())))
    assert lengths == [8, 4]


def test_batches_are_joined_for_the_augmentations_of_this_package_alone():
    class Own(Augmentation):
        def _transform(self, x, generator):
            return x

    joined = FeatureMasking(), Compose([FeatureMasking(), "passthrough", None])
    apart = Own(), Compose([FeatureMasking(), Own()]), Compose([FeatureMasking(), torch.abs]), abs
    assert all(ViewMaker(LAYOUT, 2, augmentation).takes_several for augmentation in joined)
    assert not any(ViewMaker(LAYOUT, 2, augmentation).takes_several for augmentation in apart)
