"""Small images of simple shapes, drawn from known factors."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Integral, Real

import numpy as np
from sklearn.utils import Bunch, check_random_state

# Ranges of a sprite's radius and brightness, as fractions of the image's side and of full white.
_SIZES = (0.18, 0.30)
_SHADES = (0.4, 1.0)
_SATURATION = 0.8

# Pixels between shape and border, for the soft edge and an empty row beyond it.
_MARGIN = 1.5

# So few that the work arrays of a chunk stay in the processor's cache.
_PIXELS_PER_CHUNK = 2**17

_MIN_IMAGE_SIZE = 8

_DESCR = """\
Sprites
-------

Made-up images of simple shapes: the shape is the content, and position, size, rotation, shade and
hue are the style. See `make_sprites` for the units of the factors.
"""

_Outline = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Each function maps coordinates (v points up), in units of the sprite's radius, to the distance
# from the outline, negative inside. Every shape just fits the unit disk and has its centroid in 0.


def _square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(u), np.abs(v)) - math.sqrt(0.5)


def _ellipse(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    # The distance is approximated by the implicit function over the length of its gradient.
    ratio = 2.0
    level = np.sqrt(u**2 + (ratio * v) ** 2)
    slope = np.sqrt(u**2 + (ratio**2 * v) ** 2)
    # Both are 0 in the center, where the ratio must stay finite.
    tiny = 1e-6
    return np.maximum(level, tiny) * (level - 1) / np.maximum(slope, tiny)


def _triangle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(math.sqrt(0.75) * np.abs(u) + 0.5 * v, -v) - 0.5


def _star(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    # By symmetry one of ten equal sectors is enough, in which the outline is a straight line.
    sector = math.pi / 5
    angle = np.arctan2(np.abs(u), v)
    angle = np.abs(angle - 2 * sector * np.round(angle / (2 * sector)))
    inner = 0.45
    normal = math.atan2(1 - inner * math.cos(sector), inner * math.sin(sector))
    radius = np.sqrt(u**2 + v**2)
    line = radius * np.cos(angle - normal) - math.cos(normal)
    # Beyond its tips the line is no part of the star, so the tips end at the circle.
    return np.maximum(line, radius - 1)


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    u, v = np.abs(u), np.abs(v)
    half_width = 0.3
    half_length = math.sqrt(1 - half_width**2)
    return np.maximum(np.maximum(u, v) - half_length, np.minimum(u, v) - half_width)


def _ring(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.abs(np.sqrt(u**2 + v**2) - 0.75) - 0.25


def _heart(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    # A square with diagonal 1 that stands on its tip, and a disk on each of its upper sides.
    tip_to_centroid = (28 + 9 * math.pi) / (48 + 12 * math.pi)
    x = tip_to_centroid * np.abs(u)
    y = tip_to_centroid * (v + 1)
    square = (x + np.abs(y - 0.5) - 0.5) * math.sqrt(0.5)
    disk = np.sqrt((x - 0.25) ** 2 + (y - 0.75) ** 2) - math.sqrt(0.125)
    return np.minimum(square, disk) / tip_to_centroid


_OUTLINES: dict[str, _Outline] = {
    "square": _square,
    "ellipse": _ellipse,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "ring": _ring,
    "heart": _heart,
}


def make_sprites(
    n_samples: int = 1000,
    *,
    image_size: int = 28,
    n_channels: int = 1,
    n_views: int = 1,
    shapes: Sequence[str] = ("square", "ellipse", "triangle", "star", "cross", "ring", "heart"),
    noise: float = 0.0,
    return_X_y: bool = False,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Draw images of simple shapes from known content and style.

    The content of a sample is the shape. Its style is position, size, rotation and shade, and for
    color images also the hue. With `n_views` > 1 the views of a sample share the content and each
    has its own style, as self-supervised learning assumes [1]_. All factors are independent of
    each other. Shapes are bright on black with a soft edge, and lie wholly inside the image.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of samples.

    image_size : int, default=28
        Height and width in pixels, at least 8.

    n_channels : {1, 3}, default=1
        Number of channels: 1 for grayscale images, 3 for color images (red, green, blue).

    n_views : int, default=1
        Number of images of each sample. With 1 the returned arrays have no axis for views.

    shapes : sequence of str, default=all seven
        Shapes to draw, each with the same probability. They are the classes.

    noise : float, default=0.0
        Standard deviation of the Gaussian noise on each pixel, as a fraction of full white. Pixels
        are clipped to [0, 255].

    return_X_y : bool, default=False
        Whether to return `(data, target)` instead of a Bunch.

    random_state : int, RandomState instance or None, default=None
        Source of randomness. Pass an int to get the same images in each call.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        data : ndarray of shape (n_samples, n_features) or (n_samples, n_views, n_features)
            The flattened images, sharing memory with `images`.
        images : ndarray of shape (n_samples, [n_views,] [3,] image_size, image_size), dtype uint8
            The images; the axes in brackets exist if `n_views` > 1 and if `n_channels` is 3.
        target : ndarray of shape (n_samples,), dtype int64
            The shape of each sample, an index into `target_names`.
        target_names : ndarray of shape (n_shapes,)
            The names of the shapes, as in `shapes`.
        factors : ndarray of shape (n_samples, [n_views,] n_factors), dtype float64
            The style of each image.
        factor_names : list of str
            The names of the columns of `factors`:

            - "x", "y": position of the centroid, from the left and from the top, as a fraction of
              the side;
            - "size": radius of the circle around the shape as a fraction of the side, 0.18 to 0.3;
            - "rotation": angle, counterclockwise, in radians, 0 to 2 pi;
            - "shade": the largest value of a channel in a pixel wholly inside the shape, as a
              fraction of full white, 0.4 to 1 (in images below 14 pixels, some shapes cover no
              pixel wholly);
            - "hue" (color images only): 0 to 1, a circle; 0 is red, 1/3 green, 2/3 blue.
        DESCR : str
            A description of the data set.

    (data, target) : tuple if `return_X_y` is True
        Two of the arrays above.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    See Also
    --------
    fetch_glyphs : Real images with known content and style.

    Notes
    -----
    Not all rotations can be distinguished. The smallest rotation after which a shape looks the
    same is 2 pi for the heart, 2 pi / 2 for the ellipse, 2 pi / 3 for the triangle, 2 pi / 4 for
    the square and the cross, and 2 pi / 5 for the star. The ring looks the same at every rotation.

    References
    ----------
    .. [1] A. Bizeul, B. Schölkopf, C. Allen (2024). A probabilistic model behind self-supervised
       learning. Transactions on Machine Learning Research. arXiv:2402.01399.

    Examples
    --------
    >>> from sklearn_simvae.datasets import make_sprites
    >>> sprites = make_sprites(100, random_state=0)
    >>> sprites.images.shape, sprites.data.shape
    ((100, 28, 28), (100, 784))
    >>> sprites.factor_names
    ['x', 'y', 'size', 'rotation', 'shade']
    >>> pairs = make_sprites(100, n_views=2, n_channels=3, random_state=0)
    >>> pairs.images.shape, pairs.factors.shape, pairs.target.shape
    ((100, 2, 3, 28, 28), (100, 2, 6), (100,))
    """
    _check_parameters(n_samples, image_size, n_channels, n_views, noise)
    # Products below would overflow numpy integers of few bits.
    n_samples, image_size, n_channels, n_views = map(
        int, (n_samples, image_size, n_channels, n_views)
    )
    shapes = _check_shapes(shapes)
    rng = check_random_state(random_state)
    target = rng.randint(len(shapes), size=n_samples).astype(np.int64)
    ranges = _factor_ranges(image_size, n_channels)
    low, high = np.array(list(ranges.values())).T
    factors = rng.uniform(low, high, size=(n_samples, n_views, len(ranges)))

    images = _draw(
        np.repeat(target, n_views),
        factors.reshape(n_samples * n_views, -1),
        shapes,
        image_size,
        n_channels,
    )
    if noise > 0:
        _add_noise(images, noise, rng)

    views = () if n_views == 1 else (n_views,)
    color = () if n_channels == 1 else (n_channels,)
    images = images.reshape(n_samples, *views, *color, image_size, image_size)
    data = images.reshape(n_samples, *views, n_channels * image_size**2)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        images=images,
        target=target,
        target_names=np.array(shapes),
        factors=factors.reshape(n_samples, *views, len(ranges)),
        factor_names=list(ranges),
        DESCR=_DESCR,
    )


def _check_parameters(
    n_samples: int,
    image_size: int,
    n_channels: int,
    n_views: int,
    noise: float,
) -> None:
    integers = {
        "n_samples": (n_samples, 1),
        "image_size": (image_size, _MIN_IMAGE_SIZE),
        "n_views": (n_views, 1),
    }
    for name, (value, least) in integers.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}.")
    if not isinstance(n_channels, Integral) or n_channels not in (1, 3) or n_channels is True:
        raise ValueError(f"n_channels must be 1 (grayscale) or 3 (color), got {n_channels!r}.")
    if not isinstance(noise, Real) or isinstance(noise, bool) or not 0 <= noise < math.inf:
        raise ValueError(f"noise must be a finite number of at least 0, got {noise!r}.")


def _check_shapes(shapes: Sequence[str]) -> list[str]:
    names = list(shapes) if isinstance(shapes, Iterable) and not isinstance(shapes, str) else []
    known = all(isinstance(name, str) and name in _OUTLINES for name in names)
    if not names or not known or len(set(names)) < len(names):
        raise ValueError(
            f"shapes must be a sequence of different names among {list(_OUTLINES)}, got {shapes!r}."
        )
    return names


def _factor_ranges(image_size: int, n_channels: int) -> dict[str, tuple[float, float]]:
    # Enough room for the largest sprite, so that position does not depend on size.
    border = _SIZES[1] + _MARGIN / image_size
    ranges = {
        "x": (border, 1 - border),
        "y": (border, 1 - border),
        "size": _SIZES,
        "rotation": (0.0, 2 * math.pi),
        "shade": _SHADES,
    }
    return ranges if n_channels == 1 else {**ranges, "hue": (0.0, 1.0)}


def _draw(
    target: np.ndarray,
    factors: np.ndarray,
    shapes: Sequence[str],
    image_size: int,
    n_channels: int,
) -> np.ndarray:
    """Draw images of shape (n_images, n_channels, image_size, image_size)."""
    images = np.empty((len(target), n_channels, image_size, image_size), dtype=np.uint8)
    factors = factors.astype(np.float32)
    levels = 255 * _colors(factors)
    for index, name in enumerate(shapes):
        rows_of_shape = np.flatnonzero(target == index)
        for chunk in _chunks(len(rows_of_shape), image_size**2):
            rows = rows_of_shape[chunk]
            coverage = _coverage(_OUTLINES[name], factors[rows, :4], image_size)
            # Adding 0.5 makes the cast round to the nearest level.
            images[rows] = coverage[:, np.newaxis] * levels[rows, :, np.newaxis, np.newaxis] + 0.5
    return images


def _chunks(n_rows: int, n_pixels: int) -> Iterator[slice]:
    step = max(1, _PIXELS_PER_CHUNK // n_pixels)
    return (slice(start, start + step) for start in range(0, n_rows, step))


def _coverage(outline: _Outline, pose: np.ndarray, image_size: int) -> np.ndarray:
    """Return the fraction of each pixel inside the outline, (n_images, height, width)."""
    x, y, size, rotation = pose.T[:, :, np.newaxis]
    pixels = (np.arange(image_size, dtype=np.float32) + 0.5) / image_size
    right, up = (pixels - x) / size, (y - pixels) / size
    cos, sin = np.cos(rotation), np.sin(rotation)
    u = (cos * right)[:, np.newaxis, :] + (sin * up)[:, :, np.newaxis]
    v = (cos * up)[:, :, np.newaxis] - (sin * right)[:, np.newaxis, :]
    distance_in_pixels = outline(u, v) * (size * image_size)[:, :, np.newaxis]
    return np.clip(0.5 - distance_in_pixels, 0, 1)


def _colors(factors: np.ndarray) -> np.ndarray:
    """Return the level of each channel in [0, 1], (n_images, n_channels)."""
    shade = factors[:, 4:5]
    if factors.shape[1] == 5:
        return shade
    sector = (np.array([5, 3, 1], dtype=np.float32) + 6 * factors[:, 5:6]) % 6
    return shade * (1 - _SATURATION * np.clip(np.minimum(sector, 4 - sector), 0, 1))


def _add_noise(images: np.ndarray, noise: float, rng: np.random.RandomState) -> None:
    for chunk in _chunks(len(images), images[0].size):
        noisy = images[chunk] + 255 * noise * rng.standard_normal(images[chunk].shape)
        images[chunk] = np.rint(np.clip(noisy, 0, 255))
