"""Colors, blur and noise of images, against the steps one after the other."""

import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from augmentations import batch, seeded
from numpy.testing import assert_allclose

from sklearn_simvae.views import augmentation as aug

LUMINANCE = np.array([0.299, 0.587, 0.114])
TO_YIQ = np.stack(
    [
        LUMINANCE,
        0.74 * ([1, 0, 0] - LUMINANCE) - 0.27 * ([0, 0, 1] - LUMINANCE),
        0.48 * ([1, 0, 0] - LUMINANCE) + 0.41 * ([0, 0, 1] - LUMINANCE),
    ]
)


def jitter_in_steps(image, brightness, contrast, saturation, turns):
    """Apply the documented changes to one (3, H, W) image, one after the other."""
    image = brightness * image
    mean = np.tensordot(LUMINANCE, image, 1).mean()
    image = contrast * image + (1 - contrast) * mean
    image = saturation * image + (1 - saturation) * np.tensordot(LUMINANCE, image, 1)
    y, i, q = np.tensordot(TO_YIQ, image, 1)
    cos, sin = np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)
    rotated = np.stack([y, cos * i - sin * q, sin * i + cos * q])
    return np.tensordot(np.linalg.inv(TO_YIQ), rotated, 1)


def uniform(generator, n, low=0.0, high=1.0):
    draw = torch.rand(n, generator=generator, dtype=torch.float64).numpy()
    return low + (high - low) * draw


def draw_jitter(generator, n):
    changed = uniform(generator, n) < 0.7
    factors = [uniform(generator, n, 0.5, 1.5), uniform(generator, n, 0.0, 2.2)]
    factors += [uniform(generator, n, 0.2, 1.8), uniform(generator, n, -0.3, 0.3)]
    neutral = np.array([1, 1, 1, 0])
    return np.where(changed[:, None], np.stack(factors, 1), neutral)


def test_folded_colors_equal_the_steps_one_after_the_other():
    n = 12
    x = batch(n, 3, 6, 7, dtype=torch.float64)
    jitter = aug.ColorJitter(0.5, 1.2, 0.8, 0.3, p=0.7)
    out = aug.Compose([jitter, aug.RandomGrayscale(p=0.5), jitter])(x, seeded())
    replay = seeded()
    first, gray, second = draw_jitter(replay, n), uniform(replay, n) < 0.5, draw_jitter(replay, n)
    assert 0 < gray.sum() < n
    for k, image in enumerate(x.numpy()):
        image = jitter_in_steps(image, *first[k])
        if gray[k]:
            image = np.broadcast_to(np.tensordot(LUMINANCE, image, 1), image.shape)
        image = jitter_in_steps(image, *second[k])
        np.testing.assert_allclose(out[k], image.clip(0, 1), atol=1e-12)


def test_color_factors_of_zero_width_leave_the_image():
    x = batch(5, 3, 4, 4)
    torch.testing.assert_close(aug.ColorJitter(0, 0, 0, 0)(x, seeded()), x)
    torch.testing.assert_close(aug.ColorJitter(p=0.0)(x, seeded()), x)


def test_hue_and_saturation_keep_the_luminance_and_leave_gray():
    x = 0.45 + 0.1 * batch(16, 3, 5, 5, dtype=torch.float64)
    out = aug.ColorJitter(0, 0, 0.9, 0.5)(x, seeded())
    weights = torch.from_numpy(LUMINANCE)[:, None, None]
    torch.testing.assert_close((out * weights).sum(1), (x * weights).sum(1))
    assert (out - x).abs().mean() > 0.01
    gray = x[:, :1].expand(-1, 3, -1, -1)
    torch.testing.assert_close(aug.ColorJitter(0, 0, 0.9, 0.5)(gray, seeded()), gray)


def test_contrast_keeps_the_mean_luminance():
    x = 0.4 + 0.2 * batch(8, 1, 6, 6, dtype=torch.float64)
    out = aug.ColorJitter(0, 0.9, 0, 0)(x, seeded())
    torch.testing.assert_close(out.mean((1, 2, 3)), x.mean((1, 2, 3)))
    assert out.var((1, 2, 3)).div(x.var((1, 2, 3))).std() > 0.1


def test_one_channel_has_brightness_and_contrast_but_no_hue_or_saturation():
    x = batch(8, 1, 5, 5)
    torch.testing.assert_close(aug.ColorJitter(0, 0, 0.8, 0.5)(x, seeded()), x)
    torch.testing.assert_close(aug.RandomGrayscale(p=1.0)(x, seeded()), x)
    assert not torch.allclose(aug.ColorJitter(0.8, 0, 0, 0)(x, seeded()), x)


def test_alpha_is_left_and_the_colors_change_as_without_it():
    x = batch(6, 4, 5, 5)
    jitter = aug.ColorJitter()
    out = jitter(x, seeded())
    assert torch.equal(out[:, 3], x[:, 3])
    assert torch.equal(out[:, :3], jitter(x[:, :3], seeded()))


def test_grayscale_acts_on_a_share_p_of_the_images():
    x = batch(1000, 3, 2, 2)
    out = aug.RandomGrayscale(p=0.3)(x, seeded())
    gray = (out - out[:, :1]).abs().amax((1, 2, 3)) < 1e-6
    assert gray.float().mean() == pytest.approx(0.3, abs=0.05)
    torch.testing.assert_close(out[~gray], x[~gray])


@pytest.mark.parametrize("size", [(15, 22), (3, 30), (1, 8)])
def test_blur_equals_scipy_with_a_sigma_per_image(size):
    x = batch(6, 2, *size, dtype=torch.float64)
    out = aug.GaussianBlur(sigma=(0.5, 2.0), p=0.6)(x, seeded())
    replay = seeded()
    blurred, sigma = uniform(replay, 6) < 0.6, uniform(replay, 6, 0.5, 2.0)
    assert 0 < blurred.sum() < 6
    for k in range(6):
        expected = x[k].numpy()
        for axis in (1, 2) if blurred[k] else ():
            radius = min(6, expected.shape[axis] - 1)
            expected = scipy.ndimage.gaussian_filter1d(
                expected, sigma[k], axis=axis, mode="mirror", radius=radius
            )
        np.testing.assert_allclose(out[k], expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(50, 40), (20, 4, 25), (5, 4, 10, 10)])
def test_noise_has_its_scale_and_clips_where_asked(shape):
    x = batch(*shape)
    noise = aug.GaussianNoise(scale=0.5)(x, seeded()) - x
    assert noise.std() == pytest.approx(0.5, rel=0.06)
    assert noise.mean() == pytest.approx(0, abs=0.05)
    clipped = aug.GaussianNoise(scale=0.5, clip=(0, 1))(x, seeded())
    torch.testing.assert_close(clipped, (x + noise).clamp(0, 1))


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


def test_factors_of_rows_that_are_not_changed_are_those_of_the_identity():
    images = torch.rand(4, 3, 5, 5)
    _, factors = aug.ColorJitter(p=0.0).augment_with_factors(images, seeded())
    assert {name: set(drawn.tolist()) for name, drawn in factors.items()} == {
        "brightness": {1.0},
        "contrast": {1.0},
        "saturation": {1.0},
        "hue": {0.0},
    }
    _, factors = aug.GaussianBlur(p=0.0).augment_with_factors(images, seeded())
    assert set(factors["blur"].tolist()) == {0.0}


@pytest.mark.parametrize("sigma", [0.4, 1.3])
def test_a_blur_weighs_pixels_by_a_gaussian_up_to_three_sigma(sigma):
    dot = torch.zeros(1, 1, 17, 17, dtype=torch.float64)
    dot[0, 0, 8, 8] = 1.0
    radius = math.ceil(3 * sigma)
    weights = np.exp(-((np.arange(17) - 8.0) ** 2) / (2 * sigma**2))
    weights[np.abs(np.arange(17) - 8) > radius] = 0
    weights /= weights.sum()
    out = aug.GaussianBlur((sigma, sigma), p=1.0)(dot)
    np.testing.assert_allclose(out[0, 0], np.outer(weights, weights), atol=1e-12)
