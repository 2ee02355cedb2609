"""Views that are not made alike."""

import numpy as np
import pytest
import torch
from augmentations import seeded
from conftest import Views, one_kind
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.base import clone

from sklearn_simvae import SimCLR
from sklearn_simvae.views import (
    Batch,
    Compose,
    FeatureCorruption,
    GaussianNoise,
    MultiView,
    RandomResizedCrop,
)
from sklearn_simvae.views import augmentation as aug


def batch(n_samples, n_views, *shape):
    """Different values everywhere, so that no view can be taken for another."""
    return torch.rand(n_samples * n_views, *shape, generator=seeded(1))


class Add:
    """A user's step, that works in place and keeps what it was given."""

    def __init__(self, value):
        self.value = value
        self.calls = []

    def __call__(self, x):
        self.calls.append(x.clone())
        return x.add_(self.value)


@settings(deadline=None, max_examples=30)
@given(n_samples=st.integers(1, 4), n_views=st.integers(1, 7), n_steps=st.integers(1, 4))
def test_each_view_is_made_by_its_own_step_and_the_last_makes_all_further_ones(
    n_samples, n_views, n_steps
):
    x = batch(n_samples, n_views, 3)
    steps = [Add(10.0 * (place + 1)) for place in range(n_steps)]
    out = MultiView(steps).augment_views(x, n_views)
    expected = x.unflatten(0, (n_samples, n_views)).clone()
    for view in range(n_views):
        expected[:, view] += 10.0 * (min(view, n_steps - 1) + 1)
    assert torch.equal(out, expected.flatten(0, 1))


@pytest.mark.parametrize("shape", [(5,), (2, 9), (3, 8, 8)])
@pytest.mark.parametrize("skip", [None, "passthrough"])
def test_a_view_without_a_step_stays_exactly_as_it_is(skip, shape):
    x = batch(6, 3, *shape)
    out = MultiView([skip, GaussianNoise(), skip]).augment_views(x, 3, seeded())
    before, after = x.unflatten(0, (6, 3)), out.unflatten(0, (6, 3))
    assert torch.equal(after[:, [0, 2]], before[:, [0, 2]])
    assert (after[:, 1] != before[:, 1]).flatten(1).any(1).all()


def test_views_that_are_made_alike_are_made_in_one_call():
    first, rest = Add(0.0), Add(0.0)
    x = batch(4, 5, 3)
    MultiView([first, None, rest]).augment_views(x, 5)
    (alone,), (together,) = first.calls, rest.calls
    views = x.unflatten(0, (4, 5))
    assert torch.equal(alone, views[:, 0])
    assert torch.equal(together, views[:, 2:].flatten(0, 1))


def test_steps_beyond_the_number_of_views_are_not_run():
    unused = Add(1.0)
    x = batch(4, 2, 3)
    assert torch.equal(MultiView([None, None, unused]).augment_views(x, 2), x)
    assert unused.calls == []


def test_own_steps_draw_from_the_generator_alone_and_differ_between_views():
    crop = RandomResizedCrop()
    augment = MultiView([crop, Compose([crop, GaussianNoise()])])
    x = batch(6, 1, 3, 8, 8).repeat_interleave(4, 0)
    state = torch.get_rng_state()
    first, again, other = (augment.augment_views(x, 4, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
    assert len(first.flatten(1).unique(dim=0)) == 24


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_the_batch_is_not_modified_and_its_type_is_kept(dtype):
    x = batch(4, 3, 6).to(dtype)
    kept = x.clone()
    out = MultiView([Add(1.0), None, FeatureCorruption()]).augment_views(x, 3, seeded())
    assert torch.equal(x, kept)
    assert out.shape == x.shape and out.dtype == dtype
    untouched = MultiView([None]).augment_views(x, 3)
    assert torch.equal(untouched, x) and untouched.data_ptr() != x.data_ptr()


def test_a_plain_call_takes_the_batch_as_single_views():
    augment = MultiView([Add(1.0), Add(2.0)])
    x = batch(5, 1, 3)
    assert torch.equal(augment(x), x + 1)
    assert torch.equal(augment(x), augment.augment_views(x, 1))
    crop = RandomResizedCrop()
    images = batch(5, 1, 3, 8, 8)
    assert torch.equal(MultiView([crop, None])(images, seeded()), crop(images, seeded()))


def test_inside_a_composition_views_are_made_by_their_own_steps():
    both = Compose([MultiView([Add(1.0), Add(2.0)]), Add(4.0)])
    x = torch.zeros(6, 3)
    assert torch.equal(both.augment_views(x, 2)[:, 0], torch.tensor([5.0, 6, 5, 6, 5, 6]))
    assert torch.equal(both.augment_views(x, 3)[:, 0], torch.tensor([5.0, 6, 6, 5, 6, 6]))
    # A plain call takes the batch as single views, inside as outside.
    assert torch.equal(both(x), x + 5)


def test_nested_steps_count_the_views_that_are_left_to_them():
    nested = MultiView([None, MultiView([Add(1.0), Add(2.0)])])
    made = nested.augment_views(torch.zeros(8, 3), 4)
    assert torch.equal(made[:, 0], torch.tensor([0.0, 1, 2, 2, 0, 1, 2, 2]))


def test_steps_have_names_as_those_of_compose_have():
    steps = [RandomResizedCrop(), None, RandomResizedCrop(), ("small", RandomResizedCrop())]
    for kind in (MultiView, Compose):
        names = {name for name in kind(steps).get_params() if "__" not in name}
        assert names == {
            "steps",
            "randomresizedcrop-1",
            "nonetype",
            "randomresizedcrop-2",
            "small",
        }
    augment = MultiView(steps).set_params(small__scale=(0.1, 0.2))
    assert augment.get_params()["small__scale"] == augment.steps[3][1].scale == (0.1, 0.2)
    assert augment.set_params(small=None) is augment
    assert augment.get_params()["small"] is None and augment.get_params()["nonetype"] is None
    assert MultiView(steps).get_params(deep=False) == {"steps": steps}
    with pytest.raises(ValueError, match="Invalid parameter"):
        augment.set_params(large__scale=(0.1, 0.2))


def test_clones_are_independent_and_equal():
    augment = MultiView([None, ("crop", RandomResizedCrop(scale=(0.2, 0.3)))])
    copy = clone(augment)
    x = batch(4, 3, 1, 9, 9)
    assert torch.equal(copy.augment_views(x, 3, seeded()), augment.augment_views(x, 3, seeded()))
    copy.set_params(crop__scale=(0.9, 1.0))
    assert augment.get_params()["crop__scale"] == (0.2, 0.3)


@pytest.mark.parametrize(
    "steps, match",
    [
        ([], "MultiView was given steps=.* at least one augmentation"),
        ((), "MultiView was given steps=.* at least one augmentation"),
        (RandomResizedCrop(), "MultiView was given steps=.*a list of augmentations"),
        ([None, 3], "MultiView was given 3 as step"),
        ([RandomResizedCrop], "MultiView was given .* as step"),
        ([("a__b", None)], "MultiView was given the step name"),
        ([("a", None), ("a", None)], "MultiView was given the step name"),
        ([None, FeatureCorruption(p=2)], "FeatureCorruption was given p=2"),
    ],
    ids=str,
)
def test_steps_that_cannot_be_run_or_named_are_refused(steps, match):
    for call in (
        MultiView(steps).validate,
        lambda: MultiView(steps).augment_views(batch(2, 2, 3), 2),
        lambda: SimCLR(augmentation=MultiView(steps)).fit(np.eye(4)),
    ):
        with pytest.raises(ValueError, match=match):
            call()


def test_a_step_that_changes_the_shape_is_refused():
    with pytest.raises(ValueError, match="same shape"):
        MultiView([None, lambda x: x[:, 1:]]).augment_views(batch(4, 2, 3), 2)


def test_a_wrong_kind_of_data_is_refused():
    with pytest.raises(ValueError, match=r"RandomResizedCrop takes images.*given shape"):
        MultiView([None, RandomResizedCrop()]).augment_views(batch(4, 2, 3), 2)


@one_kind
def test_an_estimator_trains_on_views_that_are_made_differently(make, digits):
    X, _ = digits
    first, second, rest = Views(), Views(lambda x: x + 1), Views(lambda x: x + 2)
    steps = [("as it is", first), ("second", second), ("rest", rest)]
    augment = MultiView(steps)
    estimator = make(augmentation=augment, n_views=4, batch_size=80, max_epochs=1).fit(X)
    rows = torch.from_numpy(X[:5].copy())
    views = estimator._reader().view_maker(estimator._read(X, n_views=4))(Batch(rows)).views
    # CRVAE keeps the row as it is, and each later view is one that the augmentation makes.
    offsets = [0, 0, 1, 2] if estimator._needs().first_view_is_row else [0, 1, 2, 2]
    for view, offset in enumerate(offsets):
        assert torch.equal(views[:, view], rows + offset)
    assert [len(x) for x in second.batches[:2]] == [80, 80]


def test_steps_are_searched_over_as_parameters_of_an_estimator(digits):
    X, _ = digits
    augment = MultiView([None, ("noise", GaussianNoise(scale=0.01))])
    estimator = SimCLR(3, hidden_layer_sizes=(16,), max_epochs=1, random_state=0)
    estimator.set_params(augmentation=augment)
    first = estimator.fit_transform(X)
    np.testing.assert_array_equal(clone(estimator).fit_transform(X), first)
    estimator.set_params(augmentation__noise__scale=0.5)
    assert np.abs(estimator.fit_transform(X) - first).max() > 1e-4


def test_per_view_steps_have_the_factors_of_the_first_alone():
    augment = aug.MultiView([aug.RandomRotation((30, 30)), aug.RandomRotation((-5, 5))])
    x = torch.rand(4, 1, 8, 8)
    _, factors = augment.augment_with_factors(x, seeded())
    assert_allclose(factors["angle"], [30.0] * 4)
    nested = aug.Compose([aug.GaussianBlur(), augment])
    assert list(nested.augment_with_factors(x, seeded())[1]) == ["blur", "angle"]
