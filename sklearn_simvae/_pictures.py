"""Images of Pillow as arrays, which is not imported before there is one."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

# Pillow scales the levels of these formats to 0 to 65535; the range of others is not known.
_SCALED = ("PNG", "PPM")


def is_picture(value) -> bool:
    """Return whether a value is an image of Pillow, without importing Pillow.

    Parameters
    ----------
    value : object
        Any object.

    Returns
    -------
    is_picture : bool
        True for an image of Pillow, of any mode.

    Examples
    --------
    >>> from sklearn_simvae._pictures import is_picture
    >>> is_picture([[0, 255]])
    False
    """
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)


def to_mode(picture, mode: str) -> Any:
    """Convert an image of Pillow of any mode to 8 bits for each value.

    Parameters
    ----------
    picture : PIL.Image.Image
        Image of any mode. Levels of 16 bits are scaled to 8, and what is transparent becomes white.
    mode : {"L", "RGB"}
        Mode of the result: gray or colors.

    Returns
    -------
    picture : PIL.Image.Image
        Image of that mode.

    Raises
    ------
    ValueError
        If the values have no known range, or Pillow does not convert them.

    Examples
    --------
    >>> from PIL import Image
    >>> from sklearn_simvae._pictures import to_mode
    >>> to_mode(Image.new("RGBA", (2, 2)), "RGB").getpixel((0, 0))
    (255, 255, 255)
    """
    from PIL import Image

    if picture.mode == mode and not picture.has_transparency_data:
        return picture
    is_long = picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format in _SCALED)
    if is_long:
        levels = np.rint(np.asarray(picture) / 257).astype(np.uint8)
        return Image.fromarray(levels).convert(mode)
    if picture.mode in ("I", "F"):
        kind = "integers of 32 bits" if picture.mode == "I" else "floating-point numbers"
        raise ValueError(f"its pixels are {kind}, whose range is not known")
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    return picture.convert(mode)


def stack_pictures(pictures: Sequence, name: str = "X") -> np.ndarray:
    """Stack images of Pillow of one size, with their channels last.

    Parameters
    ----------
    pictures : sequence of PIL.Image.Image
        Images, at least one. Gray ones, or ones with transparency (RGBA), keep their channels if
        all are of that mode; else all are converted to colors.
    name : str, default="X"
        Name of the whole in the message.

    Returns
    -------
    images : ndarray of uint8 of shape (n, H, W, C)
        The pixels, with C of 1, 3 or 4.

    Raises
    ------
    ValueError
        If one of them is not an image of Pillow, or they differ in size.

    Examples
    --------
    >>> from PIL import Image
    >>> from sklearn_simvae._pictures import stack_pictures
    >>> stack_pictures([Image.new("L", (9, 8)), Image.new("L", (9, 8))]).shape
    (2, 8, 9, 1)
    """
    for i, picture in enumerate(pictures):
        if not is_picture(picture):
            raise ValueError(
                f"Row {i} of {name} is of type {type(picture).__name__}, where others are images "
                "of Pillow. Leave that row out, or convert it to an image."
            )
        if picture.size != pictures[0].size:
            first, other = (f"{w} x {h} pixels" for w, h in (pictures[0].size, picture.size))
            raise ValueError(
                f"The images of {name} differ in size: image 0 has {first} and image {i} has "
                f"{other}. Crop and resize them to one size, e.g. [PIL.ImageOps.fit(image, "
                f"(64, 64)) for image in {name}], or read their files by "
                "sklearn_simvae.datasets.load_image_folder(path, size=64), which does."
            )
    modes = {picture.mode for picture in pictures}
    if modes == {"RGBA"}:
        return np.stack([np.asarray(picture) for picture in pictures])
    mode = "L" if all(m in ("1", "L") or m.startswith("I;16") for m in modes) else "RGB"
    images = np.stack([np.asarray(to_mode(picture, mode)) for picture in pictures])
    return images[..., None] if mode == "L" else images
