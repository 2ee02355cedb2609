"""What `augment_with_factors` says was drawn, checked on the views themselves."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone

from sklearn_simvae.views import augmentation as aug

NAMES = {
    "crop": (aug.RandomResizedCrop(), ["x", "y", "width", "height"]),
    "hflip": (aug.RandomHorizontalFlip(), ["flipped_horizontally"]),
    "vflip": (aug.RandomVerticalFlip(), ["flipped_vertically"]),
    "rotation": (aug.RandomRotation(), ["angle"]),
    "translation": (aug.RandomTranslation(), ["shift_x", "shift_y"]),
    "colors": (aug.ColorJitter(p=0.5), ["brightness", "contrast", "saturation", "hue"]),
    "grayscale": (aug.RandomGrayscale(), ["grey"]),
    "blur": (aug.GaussianBlur(), ["blur"]),
    "noise": (aug.GaussianNoise(), []),
    "default": (
        aug.default_augmentation("image", 3),
        ["brightness", "contrast", "saturation", "hue", "x", "y", "width", "height"],
    ),
    "per view": (aug.PerView([aug.RandomRotation(), aug.GaussianBlur()]), ["angle"]),
    "corruption": (aug.FeatureCorruption(), ["share"]),
    "masking": (aug.FeatureMasking(), ["share"]),
    "series jitter": (aug.Jitter(), []),
    "scaling": (aug.Scaling(), ["scale"]),
    "series crop": (aug.SeriesCrop(), ["start", "length"]),
    "series default": (aug.default_augmentation("series"), ["scale", "start", "length"]),
}
every = pytest.mark.parametrize("name", NAMES)
YES_OR_NO = {"flipped_horizontally", "flipped_vertically", "grey"}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def batch_for(augment, n=50, dtype=torch.float32):
    ndims = getattr(augment, "_ndims", None)
    if ndims is None:
        series = isinstance(augment, aug.Compose) and isinstance(augment.steps[0], aug.Jitter)
        ndims = (3,) if series else (4,)
    shape = {2: (40,), 3: (2, 30), 4: (3, 12, 9)}[ndims[-1]]
    return torch.rand((n, *shape), generator=seeded(1), dtype=dtype)


def ramps(n, height, width):
    """Images whose two channels are x and y, from -1 to 1 between the edges, in float64."""
    x = (2 * torch.arange(width, dtype=torch.float64) + 1) / width - 1
    y = (2 * torch.arange(height, dtype=torch.float64) + 1) / height - 1
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)]).expand(
        n, 2, height, width
    )


def middle(views):
    """Value at the centre, and change per image side along x and along y, of the ramps."""
    _, _, height, width = views.shape
    i, j = height // 2, width // 2
    center = views[:, :, i - 1 : i + 1, j - 1 : j + 1].mean((2, 3))
    along_x = (views[:, :, i, j] - views[:, :, i, j - 1]) * width / 2
    along_y = (views[:, :, i, j] - views[:, :, i - 1, j]) * height / 2
    return center, along_x, along_y


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_views_are_bit_for_bit_those_of_an_ordinary_call(name, dtype):
    augment, _ = NAMES[name]
    x = batch_for(augment, dtype=dtype)
    kept, ordinary, recording = x.clone(), seeded(), seeded()
    views, _ = augment.augment_with_factors(x, recording)
    assert torch.equal(views, augment.augment_views(x, 1, ordinary))
    assert torch.equal(ordinary.get_state(), recording.get_state())
    assert views.dtype == dtype
    assert torch.equal(x, kept)


@every
def test_factors_have_the_names_listed_and_one_value_for_each_row(name):
    augment, names = NAMES[name]
    _, factors = augment.augment_with_factors(batch_for(augment, dtype=torch.float64), seeded())
    assert list(factors) == names
    for factor, drawn in factors.items():
        assert drawn.shape == (50,)
        assert drawn.dtype == (torch.bool if factor in YES_OR_NO else torch.float32)
        # Every row has a draw of its own.
        assert len(drawn.unique()) > 1


@every
def test_factors_come_from_the_generator_alone(name):
    augment, _ = NAMES[name]
    x = batch_for(augment)
    state = torch.get_rng_state()
    _, first = augment.augment_with_factors(x, seeded())
    _, again = augment.augment_with_factors(x, seeded())
    _, other = augment.augment_with_factors(x, seeded(5))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[factor], again[factor]) for factor in first)
    assert not any(torch.equal(first[factor], other[factor]) for factor in first)


@every
def test_the_augmentation_is_left_as_it_was(name):
    augment = clone(NAMES[name][0])
    state = pickle.dumps(augment)
    params = augment.get_params()
    augment.augment_with_factors(batch_for(augment), seeded())
    assert pickle.dumps(augment) == state
    assert augment.get_params() == params
    if isinstance(augment, aug.Compose):
        assert not any("_factors" in vars(step) for step in augment.steps)


@every
def test_factors_of_one_call_do_not_change_with_the_next(name):
    augment, _ = NAMES[name]
    x = batch_for(augment)
    _, factors = augment.augment_with_factors(x, seeded())
    kept = {factor: drawn.clone() for factor, drawn in factors.items()}
    augment.augment_with_factors(x, seeded(3))
    augment(x, seeded(4))
    assert factors.keys() == kept.keys()
    assert all(torch.equal(factors[factor], kept[factor]) for factor in kept)


@every
def test_an_empty_batch_has_no_factors(name):
    augment, _ = NAMES[name]
    x = batch_for(augment, n=0)
    views, factors = augment.augment_with_factors(x, seeded())
    assert views.shape == x.shape
    assert factors == {}


@pytest.mark.parametrize("size", [(20, 20), (16, 30)])
def test_crop_is_where_the_ramps_say(size):
    augment = aug.RandomResizedCrop((0.3, 0.7), (0.5, 2.0))
    views, factors = augment.augment_with_factors(ramps(200, *size), seeded())
    center, along_x, along_y = middle(views)
    assert_allclose(factors["x"], center[:, 0], atol=1e-6)
    assert_allclose(factors["y"], center[:, 1], atol=1e-6)
    assert_allclose(factors["width"], along_x[:, 0], atol=1e-6)
    assert_allclose(factors["height"], along_y[:, 1], atol=1e-6)
    assert ((factors["x"].abs() + factors["width"]) <= 1 + 1e-6).all()


@pytest.mark.parametrize(
    "augment, factor, axis",
    [
        (aug.RandomHorizontalFlip(), "flipped_horizontally", 3),
        (aug.RandomVerticalFlip(), "flipped_vertically", 2),
        # Folded with another step, a flip is a map and no longer a mirrored copy.
        (
            aug.Compose([aug.RandomHorizontalFlip(), aug.RandomVerticalFlip(0.0)]),
            "flipped_horizontally",
            3,
        ),
    ],
)
def test_flipped_rows_are_the_mirrored_ones(augment, factor, axis):
    x = ramps(40, 6, 8)
    views, factors = augment.augment_with_factors(x, seeded())
    flipped = factors[factor]
    assert flipped.any() and not flipped.all()
    torch.testing.assert_close(views[flipped], x[flipped].flip(axis))
    torch.testing.assert_close(views[~flipped], x[~flipped])


@pytest.mark.parametrize("size", [(40, 40), (40, 60)])
def test_angle_turns_the_ramps_counter_clockwise(size):
    height, width = size
    views, factors = aug.RandomRotation((-40, 70)).augment_with_factors(ramps(60, *size), seeded())
    assert factors["angle"].min() < -20 and factors["angle"].max() > 50
    _, along_x, _ = middle(views)
    # The x axis of the picture, in pixels with y pointing down, seen along the view's.
    across, down = along_x[:, 0] * width, along_x[:, 1] * height
    assert_allclose(factors["angle"], torch.rad2deg(torch.atan2(down, across)), atol=1e-4)


def test_a_dot_right_of_the_center_goes_up_by_a_positive_angle():
    x = torch.zeros(1, 1, 21, 21)
    x[..., 10, 18] = 1
    views, factors = aug.RandomRotation((90, 90)).augment_with_factors(x, seeded())
    assert factors["angle"].item() == 90
    assert divmod(views.argmax().item(), 21) == (2, 10)


def test_shift_is_right_and_down_in_fractions_of_the_image():
    height, width = 20, 40
    augment = aug.RandomTranslation(0.3)
    views, factors = augment.augment_with_factors(ramps(100, height, width), seeded())
    center, _, _ = middle(views)
    # What is seen in the middle came from where the picture was before it moved.
    assert_allclose(factors["shift_x"], -center[:, 0] / 2, atol=1e-6)
    assert_allclose(factors["shift_y"], -center[:, 1] / 2, atol=1e-6)
    assert factors["shift_x"].abs().max() > 0.2


def test_brightness_and_contrast_are_the_factors_of_mean_and_spread():
    x = 0.4 + 0.2 * torch.rand(60, 1, 6, 6, generator=seeded(1))
    augment = aug.ColorJitter(brightness=0.2, contrast=0.5, p=0.7)
    views, factors = augment.augment_with_factors(x, seeded())
    assert list(factors) == ["brightness", "contrast"]
    gain = views.mean((1, 2, 3)) / x.mean((1, 2, 3))
    spread = views.std((1, 2, 3)) / x.std((1, 2, 3))
    assert_allclose(factors["brightness"], gain, rtol=1e-4)
    assert_allclose(factors["contrast"], spread / gain, rtol=1e-3)
    same = (views - x).abs().amax((1, 2, 3)) < 1e-6
    assert 0 < same.sum() < 60
    assert (factors["brightness"][same] == 1).all() and (factors["contrast"][same] == 1).all()


@pytest.mark.parametrize("n_channels", [3, 4])
def test_saturation_and_hue_scale_and_turn_the_chroma(n_channels):
    x = 0.4 + 0.2 * torch.rand(60, n_channels, 4, 4, generator=seeded(1), dtype=torch.float64)
    augment = aug.ColorJitter(0, 0, saturation=0.3, hue=0.2)
    views, factors = augment.augment_with_factors(x, seeded())
    assert (factors["brightness"] == 1).all() and (factors["contrast"] == 1).all()

    def chroma(images):
        red, green, blue = images[:, :3, 0, 0].T
        y = 0.299 * red + 0.587 * green + 0.114 * blue
        i, q = 0.74 * (red - y) - 0.27 * (blue - y), 0.48 * (red - y) + 0.41 * (blue - y)
        return torch.complex(i, q)

    ratio = chroma(views) / chroma(x)
    assert_allclose(factors["saturation"], ratio.abs(), rtol=1e-5)
    assert_allclose(factors["hue"], ratio.angle() / (2 * np.pi), atol=1e-6)
    assert factors["hue"].abs().max() > 0.15


def test_gray_rows_have_equal_channels():
    x = torch.rand(40, 3, 4, 4, generator=seeded(1))
    views, factors = aug.RandomGrayscale(0.5).augment_with_factors(x, seeded())
    gray = (views.amax(1) - views.amin(1)).amax((1, 2)) < 1e-6
    assert 0 < gray.sum() < 40
    assert torch.equal(factors["grey"], gray)


def test_images_of_one_channel_have_no_factors_of_color():
    x = torch.rand(5, 1, 4, 4)
    _, factors = aug.Compose([aug.ColorJitter(), aug.RandomGrayscale()]).augment_with_factors(x)
    assert list(factors) == ["brightness", "contrast"]


def test_blur_is_the_width_of_a_blurred_dot_and_zero_where_there_is_none():
    x = torch.zeros(40, 1, 31, 31, dtype=torch.float64)
    x[:, :, 15, 15] = 1
    views, factors = aug.GaussianBlur((1.0, 2.0), p=0.5).augment_with_factors(x, seeded())
    profile = views[:, 0].sum(1)
    variance = (profile * torch.arange(-15.0, 16.0).double() ** 2).sum(1)
    blurred = variance > 0.5
    assert 0 < blurred.sum() < 40
    assert (factors["blur"][~blurred] == 0).all()
    # The kernel is cut off at three times the largest sigma.
    assert_allclose(factors["blur"][blurred], variance[blurred].sqrt(), rtol=0.02)


def test_scale_is_the_mean_of_the_factors_of_the_channels():
    x = torch.ones(30, 4, 5)
    views, factors = aug.Scaling(0.3).augment_with_factors(x, seeded())
    assert_allclose(factors["scale"], views.mean((1, 2)), rtol=1e-5)


@pytest.mark.parametrize("length", [11, 1])
def test_start_and_length_are_those_of_the_window_of_a_ramp(length):
    x = torch.arange(float(length)).expand(50, 2, length)
    views, factors = aug.SeriesCrop((0.3, 0.9)).augment_with_factors(x, seeded())
    last = length - 1
    assert_allclose(factors["start"] * last, views[:, 0, 0], atol=1e-5)
    assert_allclose((factors["start"] + factors["length"]) * last, views[:, 0, -1], atol=1e-5)


@pytest.mark.parametrize("augment", [aug.FeatureCorruption(0.4), aug.FeatureMasking(0.4, -1.0)])
def test_share_is_that_of_the_features_that_changed(augment):
    x = torch.rand(30, 50, generator=seeded(1))
    views, factors = augment.augment_with_factors(x, seeded())
    assert_allclose(factors["share"], (views != x).float().mean(1))
    assert 0.2 < factors["share"].min() < factors["share"].max() < 0.6


def test_a_row_without_another_to_take_from_has_no_share_of_changes():
    _, factors = aug.FeatureCorruption(1.0).augment_with_factors(torch.ones(1, 3))
    assert factors["share"].tolist() == [0]


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


def test_per_view_steps_have_the_factors_of_the_first_alone():
    augment = aug.PerView([aug.RandomRotation((30, 30)), aug.RandomRotation((-5, 5))])
    x = torch.rand(4, 1, 8, 8)
    _, factors = augment.augment_with_factors(x, seeded())
    assert_allclose(factors["angle"], [30.0] * 4)
    nested = aug.Compose([aug.GaussianBlur(), augment])
    assert list(nested.augment_with_factors(x, seeded())[1]) == ["blur", "angle"]


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


def test_an_augmentation_of_the_user_may_note_what_it_draws():
    class Shift(aug.Augmentation):
        def _transform(self, x, generator):
            shift = torch.rand((len(x), 1), generator=generator)
            self._note(shift=shift)
            return x + shift

    views, factors = aug.Compose([Shift()]).augment_with_factors(torch.zeros(5, 3), seeded())
    assert_allclose(factors["shift"], views[:, 0])


@pytest.mark.parametrize(
    "augment, x, error, match",
    [
        (aug.RandomRotation(-1.0), torch.rand(2, 1, 4, 4), ValueError, "degrees=-1.0"),
        (aug.Compose("rotation"), torch.rand(2, 1, 4, 4), ValueError, "a list of augmentations"),
        (aug.Compose([3]), torch.rand(2, 1, 4, 4), ValueError, "a callable"),
        (aug.RandomRotation(), torch.rand(2, 4), ValueError, r"given shape \(2, 4\)"),
        (aug.RandomRotation(), np.ones((2, 1, 4, 4)), TypeError, "ndarray"),
    ],
)
def test_what_a_call_refuses_is_refused(augment, x, error, match):
    with pytest.raises(error, match=match):
        augment.augment_with_factors(x)
