"""Behavior of the batched augmentations."""

import numpy as np
import pytest
import scipy.ndimage
import torch
from conftest import NoSynchronization
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from sklearn_simvae.views import augmentation as aug
from sklearn_simvae.views.augmentation import geometric

IMAGE = {
    "crop": aug.RandomResizedCrop(),
    "hflip": aug.RandomHorizontalFlip(),
    "vflip": aug.RandomVerticalFlip(),
    "rotation": aug.RandomRotation(),
    "translation": aug.RandomTranslation(),
    "jitter": aug.ColorJitter(),
    "blur": aug.GaussianBlur(),
    "noise": aug.GaussianNoise(clip=(0, 1)),
    "geometry": aug.Compose([aug.RandomResizedCrop(), aug.RandomRotation()]),
    "default": aug.default_augmentation("image", 3),
    "nested": aug.Compose([aug.Compose([aug.ColorJitter()]), aug.RandomGrayscale()]),
}
VECTOR = {"corruption": aug.FeatureCorruption(), "masking": aug.FeatureMasking()}
SERIES = {
    "series jitter": aug.Jitter(),
    "scaling": aug.Scaling(),
    "series crop": aug.SeriesCrop(),
    "series default": aug.default_augmentation("series", 2),
}
SHAPES = {**dict.fromkeys(IMAGE, (3, 9, 12)), **dict.fromkeys(VECTOR, (40,))}
SHAPES |= dict.fromkeys(SERIES, (2, 30))
EVERY = IMAGE | VECTOR | SERIES
every = pytest.mark.parametrize("name", EVERY)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(*shape, seed=1, dtype=torch.float32):
    return torch.rand(shape, generator=seeded(seed), dtype=dtype)


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


def test_series_scaling_is_one_factor_per_series_and_channel():
    x = 1 + batch(500, 2, 6)
    factor = aug.Scaling(scale=0.2)(x, seeded()) / x
    torch.testing.assert_close(factor, factor[:, :, :1].expand_as(factor))
    assert factor.mean() == pytest.approx(1, abs=0.03)
    assert factor[:, :, 0].std() == pytest.approx(0.2, rel=0.1)
    assert abs(np.corrcoef(factor[:, :, 0].T)[0, 1]) < 0.2


def test_series_jitter_has_its_scale():
    x = batch(50, 2, 60)
    assert (aug.Jitter(scale=0.3)(x, seeded()) - x).std() == pytest.approx(0.3, rel=0.05)


def test_series_crop_is_a_stretched_window_shared_by_the_channels():
    length, n = 41, 300
    x = batch(n, 1, length, dtype=torch.float64)
    ramp = torch.arange(length, dtype=torch.float64).expand(n, 1, length)
    out = aug.SeriesCrop((0.25, 0.75))(torch.cat([ramp, x], 1), seeded()).numpy()
    start, stop = out[:, 0, 0], out[:, 0, -1]
    width = (stop - start) / (length - 1)
    assert start.min() >= 0 and stop.max() <= length - 1
    assert 0.25 <= width.min() < 0.3 and 0.7 < width.max() <= 0.75 + 1e-12
    for k in range(n):
        position = np.linspace(start[k], stop[k], length)
        np.testing.assert_allclose(out[k, 0], position, atol=1e-9)
        expected = np.interp(position, np.arange(length), x[k, 0])
        np.testing.assert_allclose(out[k, 1], expected, atol=1e-9)


@every
def test_rows_get_draws_of_their_own(name):
    x = batch(1, *SHAPES[name]).expand(30, *SHAPES[name])
    if name == "corruption":
        x = x + torch.arange(30.0)[:, None]
        out = EVERY[name](x, seeded()) - x
    else:
        out = EVERY[name](x, seeded())
    assert len(out.flatten(1).unique(dim=0)) > (1 if "flip" in name else 10)


@every
def test_a_generator_reproduces_bit_for_bit_and_global_randomness_is_left(name):
    x = batch(8, *SHAPES[name])
    before = torch.get_rng_state()
    first = EVERY[name](x, seeded(3))
    assert torch.equal(first, EVERY[name](x, seeded(3)))
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first, EVERY[name](x, seeded(4)))


@every
def test_without_a_generator_the_global_one_draws(name):
    x = batch(8, *SHAPES[name])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        assert torch.equal(EVERY[name](x), EVERY[name](x, seeded(3)))


@every
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_a_new_batch_of_the_same_shape_and_dtype_is_returned(name, dtype):
    x = batch(5, *SHAPES[name]).to(dtype)
    for given_ in (x, x[:1], x[:0]):
        kept = given_.clone()
        out = EVERY[name](given_, seeded())
        assert out.shape == given_.shape and out.dtype == dtype
        assert torch.equal(given_, kept)
        if len(given_):
            assert out.data_ptr() != given_.data_ptr()
        if dtype.itemsize == 2:
            # Coordinates in half precision would miss by whole pixels.
            assert torch.equal(out, EVERY[name](given_.float(), seeded()).to(dtype))


@every
def test_autocast_does_not_round_to_half_precision(name):
    x = batch(5, *SHAPES[name])
    expected = EVERY[name](x, seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(EVERY[name](x, seeded()), expected)


@every
def test_no_value_is_read_back_from_the_device(name):
    x = batch(5, *SHAPES[name])
    with NoSynchronization():
        EVERY[name](x, seeded())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every
def test_a_cuda_batch_is_changed_without_synchronization(name):
    x = batch(5, *SHAPES[name]).cuda()
    generator = torch.Generator("cuda").manual_seed(0)
    EVERY[name](x, generator)
    torch.cuda.set_sync_debug_mode("error")
    try:
        out = EVERY[name](x, generator)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert out.is_cuda and out.isfinite().all()


@pytest.mark.parametrize("name", IMAGE)
@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(1, 4),
    channels=st.sampled_from([1, 3, 4]),
    height=st.integers(1, 14),
    width=st.integers(1, 14),
)
def test_images_of_any_size_stay_images(name, n, channels, height, width):
    x = batch(n, channels, height, width)
    out = IMAGE[name](x.to(memory_format=torch.channels_last), seeded())
    assert out.shape == x.shape and out.dtype == x.dtype
    assert out.min() >= -1e-5 and out.max() <= 1 + 1e-5
    torch.testing.assert_close(out, IMAGE[name](x, seeded()))


@pytest.mark.parametrize("name", [*VECTOR, *SERIES])
@settings(max_examples=15, deadline=None)
@given(n=st.integers(1, 4), channels=st.integers(1, 3), length=st.integers(1, 20))
def test_vectors_and_series_of_any_size_keep_it(name, n, channels, length):
    x = batch(n, channels, length) if name in SERIES else batch(n, length)
    out = EVERY[name](x, seeded())
    assert out.shape == x.shape and out.isfinite().all()


@pytest.mark.parametrize("name", ["default", "geometry", "blur", "noise", "series crop"])
def test_gradients_reach_the_batch(name):
    x = batch(3, *SHAPES[name]).requires_grad_()
    EVERY[name](x, seeded()).sum().backward()
    assert x.grad.isfinite().all() and (x.grad != 0).any()


@every
def test_a_wrong_number_of_dimensions_is_refused(name):
    x = batch(*SHAPES[name])
    if name == "noise":
        x = x[0, 0]
    with pytest.raises(ValueError, match=r"of shape \(N.*given shape"):
        EVERY[name](x, seeded())


def test_batches_that_are_not_float_tensors_are_refused():
    crop = aug.RandomResizedCrop()
    with pytest.raises(ValueError, match="uint8"):
        crop(torch.zeros(2, 1, 4, 4, dtype=torch.uint8))
    with pytest.raises(TypeError, match="ndarray"):
        crop(np.zeros((2, 1, 4, 4)))
    with pytest.raises(ValueError, match="1, 3 or 4 channels"):
        aug.ColorJitter()(batch(2, 5, 4, 4))


NAN = float("nan")
BAD = [
    *[aug.RandomResizedCrop(scale=s) for s in [(1, 0.4), (0, 1), (0.5, 1.5), (NAN, 1), 0.5, "ab"]],
    *[aug.RandomResizedCrop(ratio=r) for r in [(2, 1), (0, 1), (1, NAN), (1, float("inf")), None]],
    *[f(p=p) for f in (aug.RandomHorizontalFlip, aug.RandomVerticalFlip) for p in (-0.1, 1.1, NAN)],
    *[f(p=p) for f in (aug.RandomGrayscale, aug.FeatureCorruption) for p in (-0.1, 2, NAN, None)],
    *[aug.RandomRotation(d) for d in (-1, NAN, (30, 10), (0, NAN), "90")],
    *[aug.RandomTranslation(f) for f in (-0.1, 1.1, NAN)],
    *[aug.ColorJitter(**{k: -1}) for k in ("brightness", "contrast", "saturation", "hue", "p")],
    *[aug.ColorJitter(hue=0.6), aug.ColorJitter(p=1.5), aug.ColorJitter(contrast=NAN)],
    *[aug.GaussianBlur(sigma=s) for s in [(-1, 1), (2, 1), (0, NAN), 1.0]],
    *[aug.GaussianBlur(p=2), aug.GaussianNoise(-1), aug.GaussianNoise(clip=(1, 0))],
    *[aug.FeatureMasking(p=-1), aug.FeatureMasking(value=NAN), aug.FeatureMasking(value="0")],
    *[aug.Jitter(-1), aug.Jitter(NAN), aug.Scaling(-1), aug.SeriesCrop((1, 0.5))],
    *[aug.SeriesCrop((0, 1)), aug.SeriesCrop((0.5, 2))],
]


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_bad_parameters_are_refused_before_and_at_the_call_and_inside_compose(bad):
    shapes = {aug.FeatureCorruption: (4, 5), aug.FeatureMasking: (4, 5)}
    shapes |= dict.fromkeys((aug.Jitter, aug.Scaling, aug.SeriesCrop), (4, 2, 9))
    x = batch(*shapes.get(type(bad), (4, 3, 6, 6)))
    name = type(bad).__name__
    for call in (
        bad.validate,
        lambda: bad(x),
        aug.Compose([("fine", aug.Compose([bad]))]).validate,
        lambda: aug.Compose([bad, bad])(x),
    ):
        with pytest.raises(ValueError, match=f"{name} was given .* but expects .*; "):
            call()


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


@every
def test_clones_are_independent_and_equal(name):
    copy = clone(EVERY[name])
    x = batch(4, *SHAPES[name])
    assert str(copy.get_params()) == str(EVERY[name].get_params())
    assert torch.equal(copy(x, seeded()), EVERY[name](x, seeded()))
    if isinstance(copy, aug.Compose):
        assert copy.steps[0] is not EVERY[name].steps[0]


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
    steps = aug.default_augmentation("series", 2).steps
    assert [type(step) for step in steps] == [aug.Jitter, aug.Scaling, aug.SeriesCrop]
    with pytest.raises(ValueError, match="kind='sound'"):
        aug.default_augmentation("sound", 1)


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
