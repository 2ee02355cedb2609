"""Augmentations one after the other: their names, parameters and factors."""

import pytest
import torch
from augmentations import batch, ramps, seeded

from sklearn_simvae.views import augmentation as aug


def test_compose_names_its_steps_as_make_pipeline_does():
    flip, crop = aug.RandomHorizontalFlip, aug.RandomResizedCrop
    params = aug.Compose([flip(), crop(), flip(), ("mine", crop())]).get_params()
    assert {"randomhorizontalflip-1", "randomhorizontalflip-2", "randomresizedcrop"} < set(params)
    assert params["mine__scale"] == (0.4, 1.0)
    assert set(aug.Compose([flip()]).get_params(deep=False)) == {"steps"}


def test_parameters_of_steps_are_set_through_compose():
    compose = aug.Compose([aug.ColorJitter(), ("cut", aug.RandomResizedCrop())])
    assert compose.set_params(colorjitter__hue=0.1, cut__scale=(0.9, 1.0)) is compose
    assert compose.get_params()["colorjitter__hue"] == 0.1
    assert compose.steps[1][1].scale == (0.9, 1.0)
    compose.set_params(colorjitter=aug.RandomGrayscale(), colorjitter__p=1.0)
    assert compose.get_params()["colorjitter__p"] == 1.0
    compose.set_params(colorjitter="passthrough", cut=None)
    x = batch(3, 3, 5, 5)
    assert torch.equal(compose(x), x) and compose(x) is not x
    with pytest.raises(ValueError, match="Invalid parameter"):
        compose.set_params(nothing__p=1.0)


def test_steps_fold_only_with_their_neighbors():
    crop, jitter = aug.RandomResizedCrop(), aug.ColorJitter()
    x = batch(4, 3, 9, 9)
    out = aug.Compose([crop, jitter, crop])(x, seeded())
    generator = seeded()
    for step in (crop, jitter, crop):
        x = step(x, generator)
    assert torch.equal(out, x)


def test_nested_compositions_fold_with_their_neighbors():
    crop, turn = aug.RandomResizedCrop(), aug.RandomRotation()
    x = batch(4, 3, 9, 9)
    nested = aug.Compose([crop, ("inner", aug.Compose([turn, turn]))])
    assert torch.equal(nested(x, seeded()), aug.Compose([crop, turn, turn])(x, seeded()))


def test_a_foreign_callable_is_a_step_and_cannot_change_the_batch():
    x = batch(4, 3, 5, 5)
    kept = x.clone()
    out = aug.Compose([lambda b: b.mul_(0.5), torch.nn.Identity()])(x)
    assert torch.equal(out, kept / 2) and torch.equal(x, kept)
    with pytest.raises(ValueError, match="same shape"):
        aug.Compose([lambda b: b[:1]])(x)


@pytest.mark.parametrize(
    "steps",
    [
        aug.RandomRotation(),
        [3],
        [aug.RandomRotation],
        [("a__b", aug.RandomRotation())],
        [("steps", aug.RandomRotation())],
        [("a", aug.RandomRotation()), ("a", aug.RandomRotation())],
    ],
    ids=str,
)
def test_steps_that_cannot_be_run_or_named_are_refused(steps):
    with pytest.raises(ValueError, match=r"Compose was given .* but expects .*; "):
        aug.Compose(steps).validate()


def test_defaults_suit_the_kind_of_data():
    crop, jitter = aug.RandomResizedCrop, aug.ColorJitter
    assert isinstance(aug.default_augmentation("image", 1), crop)
    for channels in (3, 4):
        steps = aug.default_augmentation("image", channels).steps
        assert [type(step) for step in steps] == [jitter, crop] and steps[1].scale == (0.6, 1.0)
    assert aug.default_augmentation("image", 1).scale == (0.4, 1.0)
    for channels in (1, 3):
        small = aug.default_augmentation("image", channels, scale=(0.1, 0.4))
        assert (small.steps[1] if channels == 3 else small).scale == (0.1, 0.4)
    assert isinstance(aug.default_augmentation("vector", 1), aug.FeatureCorruption)
    windows = aug.default_augmentation("series", 2, windows=True).steps
    assert [type(step) for step in windows] == [aug.RandomJitter, aug.RandomScaling]
    steps = aug.default_augmentation("series", 2).steps
    assert [type(step) for step in steps] == [
        aug.RandomJitter,
        aug.RandomScaling,
        aug.RandomSeriesCrop,
    ]
    with pytest.raises(ValueError, match="kind='sound'"):
        aug.default_augmentation("sound", 1)


def test_only_factors_that_two_steps_share_get_the_name_of_the_step():
    crop = aug.RandomResizedCrop()
    augment = aug.Compose([("wide", crop), aug.RandomRotation(), ("narrow", crop)])
    x = ramps(10, 20, 20)
    views, factors = augment.augment_with_factors(x, seeded())
    sides = ["x", "y", "width", "height"]
    assert list(factors) == [
        *(f"wide__{side}" for side in sides),
        "angle",
        *(f"narrow__{side}" for side in sides),
    ]
    # One object as two steps, and the draws of each are its own.
    assert not torch.equal(factors["wide__x"], factors["narrow__x"])
    assert torch.equal(views, augment(x, seeded()))


def test_unnamed_steps_give_factors_the_names_that_their_parameters_have():
    augment = aug.Compose([aug.RandomRotation(), aug.RandomRotation()])
    _, factors = augment.augment_with_factors(torch.rand(4, 1, 8, 8))
    assert list(factors) == ["randomrotation-1__angle", "randomrotation-2__angle"]
    # The parameters of the steps are named alike.
    assert "randomrotation-1__degrees" in augment.get_params()


def test_nested_compositions_keep_short_names_where_they_can():
    inner = aug.Compose([aug.RandomHorizontalFlip(), aug.ColorJitter()])
    augment = aug.Compose([aug.RandomResizedCrop(), ("inner", inner), aug.RandomGrayscale()])
    x = torch.rand(20, 3, 9, 9, generator=seeded(1))
    views, factors = augment.augment_with_factors(x, seeded())
    assert list(factors) == [
        *("x", "y", "width", "height", "flipped_horizontally"),
        *("brightness", "contrast", "saturation", "hue", "grey"),
    ]
    assert torch.equal(views, augment(x, seeded()))


def test_names_from_different_depths_are_never_confused():
    turn = aug.RandomRotation()
    inner = aug.Compose([("a", turn), ("b", turn)])
    augment = aug.Compose([("a", turn), ("b", turn), ("inner", inner)])
    _, factors = augment.augment_with_factors(torch.rand(4, 1, 8, 8), seeded())
    assert list(factors) == ["a__angle", "b__angle", "inner__a__angle", "inner__b__angle"]
    assert len({tuple(angle.tolist()) for angle in factors.values()}) == 4


def test_steps_of_others_are_called_themselves_and_have_no_factors():
    calls = []

    def halve(x):
        calls.append(x.shape)
        return x.mul_(0.5)

    augment = aug.Compose([halve, "passthrough", aug.RandomHorizontalFlip(), None])
    x = torch.ones(6, 1, 4, 4)
    views, factors = augment.augment_with_factors(x, seeded())
    assert calls == [x.shape]
    assert list(factors) == ["flipped_horizontally"]
    assert (views == 0.5).all() and (x == 1).all()


def test_messages_about_steps_say_which_and_what_they_returned():
    def halve(x):
        return x[:2]

    def to_numpy(x):
        return x.numpy()

    x = torch.zeros(4, 1, 5, 5)
    with pytest.raises(ValueError, match=r"halve.* returned \(2, 1, 5, 5\) .*shape \(4, 1, 5, 5\)"):
        aug.Compose([halve])(x)
    with pytest.raises(ValueError, match=r"to_numpy.* returned ndarray for"):
        aug.Compose([to_numpy])(x)
    with pytest.raises(ValueError, match=r"MultiView was given 3 as step 'mine'"):
        aug.MultiView([("mine", 3)]).validate()


def test_default_augmentations_have_the_documented_parameters():
    jitter, crop = aug.default_augmentation("image", 4).steps
    widths = dict.fromkeys(("brightness", "contrast", "saturation"), 0.8)
    assert jitter.get_params() == {**widths, "hue": 0.2, "p": 1.0}
    assert crop.scale == (0.6, 1.0)
    assert aug.default_augmentation("image").scale == (0.4, 1.0)
    assert aug.default_augmentation("image", 2).scale == (0.4, 1.0)
    series = aug.default_augmentation("series").steps
    assert str(series) == str([aug.RandomJitter(), aug.RandomScaling(), aug.RandomSeriesCrop()])


def test_steps_and_their_parameters_may_be_set_in_one_call():
    compose = aug.Compose([aug.ColorJitter()])
    compose.set_params(steps=[aug.RandomRotation(), aug.GaussianBlur()], randomrotation__degrees=5)
    assert [type(step) for step in compose.steps] == [aug.RandomRotation, aug.GaussianBlur]
    assert compose.steps[0].degrees == 5
    compose.set_params(steps=[("turn", aug.RandomRotation())], turn="passthrough")
    assert compose.steps == [("turn", "passthrough")]


@pytest.mark.parametrize("kind", [aug.Compose, aug.MultiView])
def test_steps_of_one_kind_keep_their_names_when_one_is_replaced(kind):
    steps = kind([aug.RandomRotation(degrees) for degrees in (1.0, 2.0, 3.0)])
    names = [name for name, _ in steps._named_steps()]
    steps.set_params(**{names[0]: None, f"{names[2]}__degrees": 9.0})
    steps.set_params(**{f"{names[1]}__degrees": 5.0, names[0]: aug.RandomHorizontalFlip()})
    steps.validate()
    assert [name for name, _ in steps._named_steps()] == names
    assert [steps.get_params()[f"{name}__degrees"] for name in names[1:]] == [5.0, 9.0]
