"""Files of images, as an array that is read when its rows are asked for."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.parallel import Parallel, delayed
from torch.utils.data import Dataset

from sklearn_simvae._pictures import to_mode

# Other formats of Pillow are no photos, or start other programs.
_FORMATS = (
    *("JPEG", "MPO", "PNG", "GIF", "WEBP", "AVIF", "BMP", "DIB", "TIFF", "TGA", "PPM"),
    *("JPEG2000", "HEIF"),
)


class ImageFiles(Dataset):
    """Files of images that are read when one of them, or an array of them, is asked for.

    Parameters
    ----------
    paths : sequence of path-like
        Files to read.
    size : (int, int)
        Height and width of the images in pixels.
    mode : {"L", "RGB"}
        Mode of the images: gray or colors.
    n_jobs : int, default=None
        Number of threads that read files.

    Examples
    --------
    >>> from sklearn_simvae.datasets._image_folder import ImageFiles
    >>> ImageFiles(["a.jpg", "b.jpg", "c.jpg"], (8, 8), "RGB")[1:].shape
    (2, 3, 8, 8)
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self,
        paths: Sequence[str | os.PathLike],
        size: tuple[int, int],
        mode: str,
        n_jobs: int | None = None,
    ):
        self.paths = np.array([str(path) for path in paths], dtype=object)
        self.size = size
        self.mode = mode
        self.n_jobs = n_jobs

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the array of all images."""
        return len(self.paths), 3 if self.mode == "RGB" else 1, *self.size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, rows) -> Any:
        """Read one image, or choose some that are to be read later."""
        # scikit-learn takes rows of arrays by `X[rows, ...]`.
        if isinstance(rows, tuple) and rows[1:] == (Ellipsis,):
            rows = rows[0]
        chosen = None if isinstance(rows, tuple) else self.paths[rows]
        if isinstance(chosen, str):
            return read_image(chosen, self.size, self.mode)
        if chosen is None or chosen.ndim != 1:
            raise IndexError(
                "Images in files are indexed by their rows alone. Read them first, by "
                "numpy.asarray(X), or numpy.asarray(X[rows]) for some."
            )
        return ImageFiles(chosen, self.size, self.mode, self.n_jobs)

    def __getitems__(self, rows: Sequence[int]) -> list[np.ndarray]:
        """Read several images, by `n_jobs` threads."""
        reader = Parallel(n_jobs=self.n_jobs, require="sharedmem")
        return reader(
            delayed(read_image)(path, self.size, self.mode) for path in self.paths[list(rows)]
        )

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        if copy is False:
            raise ValueError("Images in files have to be read: copy=False is not possible.")
        images = self.__getitems__(range(len(self)))
        array = np.stack(images) if images else np.empty(self.shape, self.dtype)
        return array if dtype is None else array.astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"ImageFiles(shape={self.shape}, dtype={self.dtype})"


def read_image(path: str, size: tuple[int, int], mode: str) -> np.ndarray:
    """Read a file, upright, cropped and resized, as uint8 of shape (n_channels, *size).

    Raises
    ------
    ValueError
        If the file cannot be read.
    """
    from PIL import Image, ImageOps

    height, width = size
    Image.init()
    try:
        with Image.open(path, formats=[name for name in _FORMATS if name in Image.OPEN]) as file:
            # JPEGs are decoded at a fraction of their size, and half of it is left to resizing.
            file.draft(None, (2 * max(size), 2 * max(size)))
            upright = ImageOps.exif_transpose(file)
            upright.format = file.format
        picture = to_mode(upright, mode)
        scale = min(picture.width / width, picture.height / height)
        left, upper = (picture.width - scale * width) / 2, (picture.height - scale * height) / 2
        left, upper = max(0, left), max(0, upper)
        box = (left, upper, picture.width - left, picture.height - upper)
        resized = picture.resize((width, height), Image.Resampling.BILINEAR, box=box)
    # Damaged files raise errors of many types in Pillow.
    except Exception as error:
        raise ValueError(f"{path} cannot be read as an image: {_reason(path, error)}") from error
    pixels = np.asarray(resized)
    return pixels[None] if mode == "L" else pixels.transpose(2, 0, 1)


def _reason(path: str, error: Exception) -> str:
    from PIL import Image

    if not isinstance(error, Image.UnidentifiedImageError):
        return str(error) or type(error).__name__
    if Path(path).suffix.lower() in (".heic", ".heif") and "HEIF" not in Image.OPEN:
        return (
            "HEIC needs a plugin, pip install pillow-heif, and "
            "pillow_heif.register_heif_opener() before this"
        )
    return "it is empty" if not os.path.getsize(path) else "it is damaged, or no photo"
