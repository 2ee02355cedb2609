"""Batched random augmentations of torch tensors, on the device of the batch.

Images are (N, C, H, W) floats in [0, 1], vectors (N, d) and series (N, channels, length).
"""

from .abstract import Augmentation
from .base import Compose
from .color import COLORED, ColorJitter, GaussianBlur, GaussianNoise, RandomGrayscale
from .geometric import (
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomTranslation,
    RandomVerticalFlip,
)
from .multi_view import MultiView
from .series import RandomJitter, RandomScaling, RandomSeriesCrop
from .vectors import FeatureCorruption, FeatureMasking

__all__ = [
    "Augmentation",
    "ColorJitter",
    "Compose",
    "FeatureCorruption",
    "FeatureMasking",
    "GaussianBlur",
    "GaussianNoise",
    "MultiView",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomJitter",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomScaling",
    "RandomSeriesCrop",
    "RandomTranslation",
    "RandomVerticalFlip",
    "default_augmentation",
]


def default_augmentation(
    kind: str,
    n_channels: int | None = None,
    scale: tuple[float, float] | None = None,
    windows: bool = False,
) -> Augmentation:
    """Return the augmentation that suits a kind of data when nothing else is known about them.

    Images are cropped but not flipped, since flipped digits and letters have no meaning.

    Parameters
    ----------
    kind : {"image", "vector", "series"}
        Kind of the rows of the batches.
    n_channels : int, default=None
        Number of channels of images; colors are changed if it is 3 or 4. Other kinds ignore it.
    scale : (float, float), default=None
        Range of the area of the crops of images, as a fraction of the area of the image. None
        means (0.6, 1.0) if colors are changed, since that is a strong change by itself, and
        (0.4, 1.0) if not.
    windows : bool, default=False
        Whether views of series are windows drawn at random, which are not cropped further.

    Returns
    -------
    augmentation : Augmentation
        An augmentation with suitable parameters.

    Raises
    ------
    ValueError
        If `kind` is not one of these.

    Examples
    --------
    >>> from sklearn_simvae.views.augmentation import default_augmentation
    >>> default_augmentation("vector")
    FeatureCorruption()
    """
    if kind == "image":
        if n_channels in COLORED:
            jitter = ColorJitter(brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2)
            return Compose([jitter, RandomResizedCrop(scale or (0.6, 1.0))])
        return RandomResizedCrop(scale or (0.4, 1.0))
    if kind == "vector":
        return FeatureCorruption()
    if kind == "series":
        crop = [] if windows else [RandomSeriesCrop()]
        return Compose([RandomJitter(), RandomScaling(), *crop])
    raise ValueError(
        f"default_augmentation was given kind={kind!r} but expects 'image', 'vector' or 'series'; "
        "pass an augmentation of your own for other data."
    )
