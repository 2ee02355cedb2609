"""Augmentations of each kind, and batches for them."""

import math

import pytest
import torch

from sklearn_simvae.views import augmentation as aug

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
    "series jitter": aug.RandomJitter(),
    "scaling": aug.RandomScaling(),
    "series crop": aug.RandomSeriesCrop(),
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


INF, NAN = math.inf, math.nan

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
    "per view": (aug.MultiView([aug.RandomRotation(), aug.GaussianBlur()]), ["angle"]),
    "corruption": (aug.FeatureCorruption(), ["share"]),
    "masking": (aug.FeatureMasking(), ["share"]),
    "series jitter": (aug.RandomJitter(), []),
    "scaling": (aug.RandomScaling(), ["scale"]),
    "series crop": (aug.RandomSeriesCrop(), ["start", "length"]),
    "series default": (aug.default_augmentation("series"), ["scale", "start", "length"]),
}
every_with_factors = pytest.mark.parametrize("name", NAMES)
YES_OR_NO = {"flipped_horizontally", "flipped_vertically", "grey"}


def batch_of(augment, n=50, dtype=torch.float32):
    ndims = getattr(augment, "_ndims", None)
    if ndims is None:
        series = isinstance(augment, aug.Compose) and isinstance(augment.steps[0], aug.RandomJitter)
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


# A batch for each kind of augmentation, float64 so that few values are lost by rounding.
SMALL_SHAPES = {2: (9,), 3: (2, 9), 4: (3, 8, 6)}


def small_batch(augment, n=6):
    shape = (n, *SMALL_SHAPES[augment._ndims[-1]])
    return torch.rand(shape, generator=seeded(1), dtype=torch.float64)


def share_of_rows(out, x):
    return (out != x).flatten(1).any(1).double().mean().item()


WITH_P = [
    *[aug.ColorJitter, aug.RandomGrayscale, aug.RandomHorizontalFlip, aug.RandomVerticalFlip],
    *[aug.GaussianBlur, aug.FeatureCorruption, aug.FeatureMasking],
]
