"""Loaders of image sets and of folders of photos, and a generator of images with known factors."""

from ._celeba import fetch_celeba
from ._cifar10 import fetch_cifar10
from ._emoji import fetch_emoji
from ._glyphs import fetch_glyphs
from ._image_folder import load_image_folder
from ._mnist import fetch_fashion_mnist, fetch_mnist
from ._sprites import make_sprites

__all__ = [
    "fetch_celeba",
    "fetch_cifar10",
    "fetch_emoji",
    "fetch_fashion_mnist",
    "fetch_glyphs",
    "fetch_mnist",
    "load_image_folder",
    "make_sprites",
]
