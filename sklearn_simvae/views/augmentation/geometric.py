"""Geometric augmentations of images: one affine map and one resampling per image."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import log, pi
from numbers import Real

import torch
import torch.nn.functional as F
from torch import Tensor

from .abstract import FoldableAugmentation, as_pair
from .draws import rand

__all__ = [
    "GeometricAugmentation",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomTranslation",
    "RandomVerticalFlip",
]

# For larger sides, the H + W products per pixel of `resample_axes` take longer than `resample`.
_SEPARABLE_SIDE = 96


class GeometricAugmentation(FoldableAugmentation):
    """Base class of the augmentations that move the pixels of images (N, C, H, W).

    A subclass returns from `_maps` one 2x3 affine matrix per image, from output to input
    coordinates (x, y), which run from -1 to 1 between the outer edges of the image, as in
    :func:`torch.nn.functional.affine_grid` with `align_corners=False`. `_axis_aligned` is True if
    x and y do not mix, and `_stays_inside` is True if no output pixel lies outside of the input.

    Sampling is bilinear. Outside of the image there are zeros, unless all the steps that fold
    together stay inside: then the border is repeated in the outermost half pixel, so that the edges
    of a crop do not become darker.
    """

    _ndims = (4,)
    takes_several = True
    _axis_aligned = True
    _stays_inside = True

    @abstractmethod
    def _maps(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Return the affine matrices of the images `x`, shape (N, 2, 3)."""

    @classmethod
    def _apply_steps(
        cls,
        steps: Sequence[GeometricAugmentation],
        x: Tensor,
        generator: torch.Generator | None,
    ) -> Tensor:
        maps = steps[0]._maps(x, generator)
        for step in steps[1:]:
            maps = _compose_maps(maps, step._maps(x, generator))
        border = all(step._stays_inside for step in steps)
        # On a GPU grid_sample is fast, and matrix products may have the low precision of TF32.
        separable = x.device.type == "cpu" and max(x.shape[2:]) <= _SEPARABLE_SIDE
        if separable and all(step._axis_aligned for step in steps):
            return resample_axes(x, maps, border=border)
        return resample(x, maps, border=border)


class RandomResizedCrop(GeometricAugmentation):
    """Crop a random rectangle and stretch it back to the size of the image.

    Parameters
    ----------
    scale : (float, float), default=(0.4, 1.0)
        Range of the area of the crop, as a fraction of the area of the image; uniform.
    ratio : (float, float), default=(0.75, 1.3333)
        Range of the aspect ratio width / height of the crop in pixels; log-uniform.

    Notes
    -----
    If the crop would not fit into the image, its ratio is replaced by the nearest one with which it
    does, so the area is always as drawn. The new ratio can be outside of its range, for an
    elongated image or if the range does not hold 1. The crop is not rounded to whole pixels.

    The factors of `augment_with_factors` are "x" and "y", the center of the crop, where -1 and 1
    are the edges of the image (y points down), and "width" and "height", its sides as fractions
    of those of the image.

    References
    ----------
    Szegedy et al. (2015), "Going deeper with convolutions", section 6; the distribution is that
    of `torchvision.transforms.RandomResizedCrop`, which rejects draws where this clamps.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.augmentation import RandomResizedCrop
    >>> RandomResizedCrop(scale=(0.5, 1.0))(torch.rand(8, 1, 28, 28)).shape
    torch.Size([8, 1, 28, 28])
    """

    def __init__(
        self,
        scale: tuple[float, float] = (0.4, 1.0),
        ratio: tuple[float, float] = (0.75, 1.3333),
    ) -> None:
        self.scale = scale
        self.ratio = ratio

    def validate(self) -> None:
        """Check the parameters; raise ValueError if one is out of range."""
        self._check_pair("scale", 0.0, 1.0, above=True)
        self._check_pair("ratio", 0.0, above=True)

    def _maps(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        n, _, height, width = x.shape
        area = rand((n,), x, generator, *map(float, self.scale))
        ratio = rand((n,), x, generator, *map(log, self.ratio)).exp_()
        # Relative to the image, both sides fit exactly when area <= ratio <= 1 / area.
        ratio = torch.clamp(ratio.mul_(height / width), area, 1 / area)
        sides = torch.stack([area * ratio, area / ratio], 1).sqrt_().clamp_(max=1.0)
        center = rand((n, 2), x, generator, -1.0, 1.0).mul_(1 - sides)
        (center_x, center_y), (width, height) = center.unbind(1), sides.unbind(1)
        self._note(x=center_x, y=center_y, width=width, height=height)
        return _axis_maps(sides, center)


class _RandomFlip(GeometricAugmentation):
    """Mirror each image along `_axis` (0: x, 1: y) with probability p."""

    _axis: int
    _factor: str

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def validate(self) -> None:
        """Check the parameters; raise ValueError if one is out of range."""
        self._check_real("p", high=1.0)

    def _flipped(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        flipped = rand((x.shape[0],), x, generator) < self.p
        self._note(**{self._factor: flipped})
        return flipped

    def _maps(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        scale = x.new_ones(x.shape[0], 2)
        scale[:, self._axis] -= 2 * self._flipped(x, generator).to(x.dtype)
        return _axis_maps(scale, torch.zeros_like(scale))

    def _transform(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        # A flip that is not folded with other steps needs no interpolation.
        flipped = self._flipped(x, generator)[:, None, None, None]
        return torch.where(flipped, x.flip(3 - self._axis), x)


class RandomHorizontalFlip(_RandomFlip):
    """Mirror each image left to right with probability p.

    Parameters
    ----------
    p : float in [0, 1], default=0.5
        Probability of a flip.

    Notes
    -----
    The factor of `augment_with_factors` is "flipped_horizontally", a bool.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.augmentation import RandomHorizontalFlip
    >>> RandomHorizontalFlip(p=1.0)(torch.tensor([[[[0.0, 0.5, 1.0]]]]))
    tensor([[[[1.0000, 0.5000, 0.0000]]]])
    """

    _axis = 0
    _factor = "flipped_horizontally"


class RandomVerticalFlip(_RandomFlip):
    """Mirror each image top to bottom with probability p.

    Parameters
    ----------
    p : float in [0, 1], default=0.5
        Probability of a flip.

    Notes
    -----
    The factor of `augment_with_factors` is "flipped_vertically", a bool.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.augmentation import RandomVerticalFlip
    >>> RandomVerticalFlip(p=1.0)(torch.tensor([[[[0.0], [1.0]]]])).flatten()
    tensor([1., 0.])
    """

    _axis = 1
    _factor = "flipped_vertically"


class RandomRotation(GeometricAugmentation):
    """Rotate each image about its center by a random angle.

    Parameters
    ----------
    degrees : float or (float, float), default=15.0
        Range of the angle in degrees, counterclockwise, drawn uniformly. A number d means (-d, d).

    Notes
    -----
    The factor of `augment_with_factors` is "angle", in degrees, counterclockwise.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.augmentation import RandomRotation
    >>> RandomRotation(degrees=30)(torch.rand(4, 3, 24, 32)).shape
    torch.Size([4, 3, 24, 32])
    """

    _axis_aligned = False
    _stays_inside = False

    def __init__(self, degrees: float | tuple[float, float] = 15.0) -> None:
        self.degrees = degrees

    def validate(self) -> None:
        """Check the parameters; raise ValueError if one is out of range."""
        if isinstance(self.degrees, Real):
            self._check_real("degrees")
        else:
            self._check_pair("degrees", -float("inf"))

    def _maps(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        n, _, height, width = x.shape
        low, high = as_pair(self.degrees) or (-float(self.degrees), float(self.degrees))
        angle = rand((n,), x, generator, low, high)
        self._note(angle=angle)
        angle.mul_(pi / 180)
        cos, sin = angle.cos(), angle.sin()
        maps = x.new_zeros(n, 2, 3)
        maps[:, 0, 0] = cos
        maps[:, 1, 1] = cos
        # Both coordinates run from -1 to 1, but the sides of the image may differ in length.
        maps[:, 0, 1] = sin * (-height / width)
        maps[:, 1, 0] = sin * (width / height)
        return maps


class RandomTranslation(GeometricAugmentation):
    """Shift each image by a random fraction of its width and of its height.

    Parameters
    ----------
    fraction : float in [0, 1], default=0.1
        Largest shift in either direction, as a fraction of the width (of the height); the shift is
        drawn uniformly.

    Notes
    -----
    The factors of `augment_with_factors` are "shift_x" and "shift_y", the shifts of the picture to
    the right and down, as fractions of the width and of the height.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.augmentation import RandomTranslation
    >>> RandomTranslation(fraction=0.25)(torch.rand(4, 1, 8, 8)).shape
    torch.Size([4, 1, 8, 8])
    """

    _stays_inside = False

    def __init__(self, fraction: float = 0.1) -> None:
        self.fraction = fraction

    def validate(self) -> None:
        """Check the parameters; raise ValueError if one is out of range."""
        self._check_real("fraction", high=1.0)

    def _maps(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        # The image is 2 long in these coordinates.
        shift = rand((x.shape[0], 2), x, generator, -2.0, 2.0).mul_(self.fraction)
        # The map leads from output to input, so the picture moves the other way.
        right, down = (shift / -2).unbind(1)
        self._note(shift_x=right, shift_y=down)
        return _axis_maps(torch.ones_like(shift), shift)


def resample(x: Tensor, maps: Tensor, *, border: bool) -> Tensor:
    """Return images sampled bilinearly through affine maps.

    Parameters
    ----------
    x : Tensor of shape (N, C, H, W)
        The images.
    maps : Tensor of shape (N, 2, 3)
        Affine maps from output to input coordinates (x, y), which run from -1 to 1 between the
        outer edges of the image.
    border : bool
        True to repeat the border outside of the image, False to have zeros there.

    Returns
    -------
    Tensor of shape (N, C, H, W)
        The sampled images.
    """
    grid = F.affine_grid(maps, list(x.shape), align_corners=False)
    padding = "border" if border else "zeros"
    return F.grid_sample(x, grid, mode="bilinear", padding_mode=padding, align_corners=False)


def resample_axes(x: Tensor, maps: Tensor, *, border: bool) -> Tensor:
    """Return the same as `resample`, for maps whose 2x2 part is diagonal.

    Bilinear sampling is then one linear interpolation per axis, computed as a matrix product.
    Parameters and result are those of `resample`.
    """
    rows = _linear_weights(maps[:, 1, 1], maps[:, 1, 2], x.shape[2], border)
    columns = _linear_weights(maps[:, 0, 0], maps[:, 0, 2], x.shape[3], border)
    n, c, height, width = x.shape
    out = torch.matmul(rows[:, None], x).reshape(n, c * height, width)
    return torch.bmm(out, columns.transpose(1, 2)).view(n, c, height, width)


def _linear_weights(scale: Tensor, shift: Tensor, length: int, border: bool) -> Tensor:
    """Return interpolation matrices (N, length, length), indexed (image, output, input)."""
    index = torch.arange(length, device=scale.device, dtype=scale.dtype)
    middle = (length - 1) / 2
    offset = shift * (length / 2) + middle
    position = torch.addcmul(offset[:, None], scale[:, None], index - middle)
    if border:
        position = position.clamp_(0, length - 1)
    return position[:, :, None].sub(index).abs_().neg_().add_(1).relu_()


def _axis_maps(scale: Tensor, shift: Tensor) -> Tensor:
    """Return the maps (N, 2, 3) that scale and then shift x and y, each of shape (N, 2)."""
    return torch.cat([torch.diag_embed(scale), shift[:, :, None]], 2)


def _compose_maps(earlier: Tensor, later: Tensor) -> Tensor:
    """Return the maps of both steps; they lead from output to input, so the later comes first."""
    maps = torch.bmm(earlier[:, :, :2], later)
    maps[:, :, 2] += earlier[:, :, 2]
    return maps
