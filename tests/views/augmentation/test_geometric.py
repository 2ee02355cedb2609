"""Crops, flips and turns of images, against resampling by other means."""

import numpy as np
import pytest
import scipy.ndimage
import torch
from augmentations import batch, middle, ramps, seeded
from numpy.testing import assert_allclose
from scipy import stats

from sklearn_simvae.views import augmentation as aug
from sklearn_simvae.views.augmentation import geometric


def homogeneous(maps):
    last = np.broadcast_to([[[0.0, 0.0, 1.0]]], (len(maps), 1, 3))
    return np.concatenate([maps.double().numpy(), last], 1)


def sample_bilinear(images, maps, border):
    """Sample each image at map @ (x, y, 1), pixel by pixel and in float64."""
    n, _, height, width = images.shape
    out = np.zeros_like(images)
    for b, i, j in np.ndindex(n, height, width):
        x, y, _ = maps[b] @ [(2 * j + 1) / width - 1, (2 * i + 1) / height - 1, 1]
        x, y = ((x + 1) * width - 1) / 2, ((y + 1) * height - 1) / 2
        if border:
            x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
        for k in (int(np.floor(y)), int(np.floor(y)) + 1):
            for m in (int(np.floor(x)), int(np.floor(x)) + 1):
                if 0 <= k < height and 0 <= m < width:
                    weight = (1 - abs(y - k)) * (1 - abs(x - m))
                    out[b, :, i, j] += weight * images[b, :, k, m]
    return out


GEOMETRIC = {
    "crop and flips": (
        [aug.RandomResizedCrop(), aug.RandomHorizontalFlip(), aug.RandomVerticalFlip()],
        True,
    ),
    "crop and translation": ([aug.RandomResizedCrop(), aug.RandomTranslation(0.3)], False),
    "rotation between": (
        [aug.RandomTranslation(0.2), aug.RandomRotation(80), aug.RandomResizedCrop()],
        False,
    ),
}


@pytest.mark.parametrize("name", GEOMETRIC)
@pytest.mark.parametrize("size", [(7, 11), (9, 5)])
def test_folded_geometry_is_one_bilinear_resampling_of_the_product_map(name, size):
    steps, border = GEOMETRIC[name]
    x = batch(5, 2, *size, dtype=torch.float64)
    replay = seeded()
    product = np.eye(3)
    for step in steps:
        product = product @ homogeneous(step._maps(x, replay))
    expected = sample_bilinear(x.numpy(), product, border)
    np.testing.assert_allclose(aug.Compose(steps)(x, seeded()), expected, atol=1e-12)


@pytest.mark.parametrize("name", ["crop and flips", "crop and translation"])
@pytest.mark.parametrize("shape", [(6, 1, 28, 28), (6, 3, 20, 33), (1, 4, 1, 5)])
def test_separable_path_equals_grid_sample(name, shape, monkeypatch):
    x = batch(*shape)
    compose = aug.Compose(GEOMETRIC[name][0])
    separable = compose(x, seeded())
    monkeypatch.setattr(geometric, "resample_axes", None)
    monkeypatch.setattr(geometric, "_SEPARABLE_SIDE", 0)
    np.testing.assert_allclose(separable, compose(x, seeded()), atol=1e-5)


@pytest.mark.parametrize("size", [(24, 24), (16, 40)])
def test_crop_has_the_area_and_ratio_asked_for_and_lies_inside(size):
    height, width = size
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    ramps = torch.stack([x, y]).double().expand(2000, 2, height, width)
    out = aug.RandomResizedCrop((0.3, 0.6), (0.5, 2.0))(ramps, seeded())
    # The middle of the ramps is never clamped: read where the samples lie.
    i, j = height // 2, width // 2
    columns = (out[:, 0, i, j + 1] - out[:, 0, i, j]) * width
    rows = (out[:, 1, i + 1, j] - out[:, 1, i, j]) * height
    area, ratio = rows * columns / (height * width), columns / rows
    assert area.min() >= 0.3 - 1e-9 and area.max() <= 0.6 + 1e-9
    assert ratio.min() >= 0.5 - 1e-9 and ratio.max() <= 2.0 + 1e-9
    assert area.mean() == pytest.approx(0.45, abs=0.01)
    assert area.std() == pytest.approx(0.3 / 12**0.5, abs=0.01)
    if height == width:
        assert ratio.log().mean() == pytest.approx(0, abs=0.03)
        assert ratio.max() > 1.8 and ratio.min() < 0.55
    left = out[:, 0, i, j] + 0.5 - (j + 0.5) * columns / width
    assert left.min() >= -1e-9 and (left + columns).max() <= width + 1e-9
    assert left.min() < 0.5 and (left + columns).max() > width - 0.5


def test_crop_of_everything_is_the_identity():
    x = batch(3, 1, 8, 8)
    out = aug.RandomResizedCrop(scale=(1.0, 1.0), ratio=(0.5, 2.0))(x, seeded())
    torch.testing.assert_close(out, x)


def test_crop_of_a_constant_image_is_not_darkened_at_the_border():
    x = torch.ones(20, 1, 10, 10)
    torch.testing.assert_close(aug.RandomResizedCrop()(x, seeded()), x)


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("flip, axis", [(aug.RandomHorizontalFlip, 3), (aug.RandomVerticalFlip, 2)])
def test_flips_are_exact(flip, axis, folded):
    x = batch(4, 3, 6, 9)
    steps = [flip(p=1.0), flip(p=0.0)] if folded else [flip(p=1.0)]
    assert torch.equal(aug.Compose(steps)(x, seeded()), x.flip(axis))
    assert torch.equal(flip(p=0.0)(x, seeded()), x)


def test_a_flip_draws_the_same_images_folded_or_not():
    x = batch(64, 1, 5, 5)
    flip = aug.RandomHorizontalFlip()
    alone, folded = flip(x, seeded()), aug.Compose([flip, aug.RandomVerticalFlip(0.0)])(x, seeded())
    assert torch.equal(alone, folded)
    assert 15 < (alone != x).flatten(1).any(1).sum() < 49


def test_rotation_by_a_right_angle_is_counter_clockwise():
    x = batch(2, 3, 8, 8)
    out = aug.RandomRotation(degrees=(90, 90))(x, seeded())
    np.testing.assert_allclose(out, np.rot90(x.numpy(), axes=(2, 3)), atol=1e-5)


def test_rotation_of_a_long_image_keeps_its_aspect():
    x = batch(1, 1, 12, 20, dtype=torch.float64)
    out = aug.RandomRotation(degrees=(25, 25))(x, seeded())
    expected = scipy.ndimage.rotate(
        x[0, 0].numpy(), 25, reshape=False, order=1, mode="grid-constant"
    )
    np.testing.assert_allclose(out[0, 0], expected, atol=1e-12)


def test_translation_moves_by_at_most_the_fraction_and_leaves_zeros():
    x = torch.ones(200, 1, 10, 20)
    out = aug.RandomTranslation(fraction=0.2)(x, seeded())
    lost = 1 - out[:, 0].mean((1, 2))
    assert lost.min() >= -1e-6 and 0.25 < lost.max() <= 1 - 0.8**2 + 1e-6
    assert (out[:, 0, 5, 4:16] > 1 - 1e-5).all() and (out[:, 0, 2:8, 10] > 1 - 1e-5).all()


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


def test_crops_lie_anywhere_inside():
    augment = aug.RandomResizedCrop((0.25, 0.25), (1.0, 1.0))
    x = torch.rand(2000, 1, 8, 8, dtype=torch.float64)
    _, factors = augment.augment_with_factors(x, seeded())
    for side, center in (("width", "x"), ("height", "y")):
        torch.testing.assert_close(factors[side], torch.full((2000,), 0.5))
        assert stats.kstest(factors[center].double(), "uniform", args=(-0.5, 1)).pvalue > 1e-3
