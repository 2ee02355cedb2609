"""Augmentations of pixel values: color, blur and noise."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cache
from math import ceil, pi

import torch
import torch.nn.functional as F
from torch import Tensor

from .abstract import Augmentation, FoldableAugmentation
from .draws import rand, randn

__all__ = ["ColorAugmentation", "ColorJitter", "GaussianBlur", "GaussianNoise", "RandomGrayscale"]

# Luminance of R, G and B, from Rec. ITU-R BT.601-7, section 2.5.1.
_LUMINANCE = (0.299, 0.587, 0.114)
# Numbers of channels whose first three are taken for colors.
COLORED = (3, 4)


class ColorAugmentation(FoldableAugmentation):
    """Base class of the augmentations that map the colors of images (N, C, H, W) in [0, 1].

    A subclass returns from `_maps` one affine map of colors per image. The first three channels
    of images with 3 or 4 channels are R, G and B; a fourth channel (alpha) is left as it is. The
    color of a grayscale image, with 1 channel, has one component.
    """

    _ndims = (4,)
    takes_several = True

    @abstractmethod
    def _maps(self, mean: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Return matrices (N, K, K) and offsets (N, 1), given the mean colors (N, K)."""

    def _check_batch(self, x: Tensor) -> None:
        super()._check_batch(x)
        if x.shape[1] not in (1, *COLORED):
            raise ValueError(
                f"{type(self).__name__} takes images of 1, 3 or 4 channels but was given shape "
                f"{tuple(x.shape)}; the channels are the second axis (N, C, H, W): permute them "
                "there, or leave the color augmentations out."
            )

    @classmethod
    def _apply_steps(
        cls,
        steps: Sequence[ColorAugmentation],
        x: Tensor,
        generator: torch.Generator | None,
    ) -> Tensor:
        colors = x[:, : min(x.shape[1], 3)]
        first = mean = colors.mean((2, 3))
        matrix = None
        for step in steps:
            step_matrix, step_offset = step._maps(mean, generator)
            # Contrast needs the mean of the image that the earlier steps made.
            mean = _apply_matrix(step_matrix, mean) + step_offset
            matrix = step_matrix if matrix is None else torch.bmm(step_matrix, matrix)
        # All maps together add the same offset to the mean color as to every pixel.
        offset = mean - _apply_matrix(matrix, first)
        out = _map_colors(colors, matrix, offset).clamp_(0, 1)
        return out if x.shape[1] <= 3 else torch.cat([out, x[:, 3:]], 1)


class ColorJitter(ColorAugmentation):
    """Change brightness, contrast, saturation and hue by random factors, in this order.

    With y = (0.299, 0.587, 0.114) . (R, G, B) the luminance of a color c, and a factor f drawn
    uniformly from [max(0, 1 - v), 1 + v] for the parameter v:

    - brightness: c <- f c;
    - contrast: c <- f c + (1 - f) m, with m the mean luminance of the image at this point;
    - saturation: c <- f c + (1 - f) y;
    - hue: the chroma (I, Q) of c in YIQ is rotated by the angle 2 pi u, u uniform in
      [-hue, hue], with I = 0.74 (R - Y) - 0.27 (B - Y) and Q = 0.48 (R - Y) + 0.41 (B - Y);
      the luminance stays.

    Values are clamped to [0, 1] once, at the end. Images of one channel change in brightness and
    contrast only; a fourth channel (alpha) is left as it is.

    Parameters
    ----------
    brightness, contrast, saturation : float >= 0, default=0.8
        Values of v above; 0 leaves the image as it is.
    hue : float in [0, 0.5], default=0.2
        Largest rotation of the hue either way, in turns.
    p : float in [0, 1], default=1.0
        Probability that an image is changed.

    Notes
    -----
    The factors of `augment_with_factors` are "brightness", "contrast" and "saturation", the
    values of f above, and "hue", the value of u above, in turns. For an image that is not changed
    they are 1, and 0 for the hue. Images of one channel have no "saturation" and no "hue".

    References
    ----------
    Chen et al. (2020), "A simple framework for contrastive learning of visual representations",
    appendix A. The YIQ chroma are those of the US code of federal regulations, 47 CFR 73.682
    (a)(20). Torchvision turns the hue in HSV and draws the order of the four at random.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.augmentation import ColorJitter
    >>> ColorJitter(hue=0.1)(torch.rand(8, 3, 32, 32)).shape
    torch.Size([8, 3, 32, 32])
    """

    def __init__(
        self,
        brightness: float = 0.8,
        contrast: float = 0.8,
        saturation: float = 0.8,
        hue: float = 0.2,
        p: float = 1.0,
    ) -> None:
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue
        self.p = p

    def validate(self) -> None:
        """Check the parameters; raise ValueError if one is out of range."""
        self._check_real("brightness", "contrast", "saturation")
        self._check_real("hue", high=0.5)
        self._check_real("p", high=1.0)

    def _maps(self, mean: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        n, k = mean.shape
        changed = rand((n,), mean, generator) < self.p
        brightness, contrast, saturation = (
            rand((n,), mean, generator, max(0.0, 1.0 - v), 1.0 + v).where(changed, 1.0)
            for v in (self.brightness, self.contrast, self.saturation)
        )
        hue = rand((n,), mean, generator, -self.hue, self.hue).where(changed, 0.0)
        self._note(brightness=brightness, contrast=contrast)
        if k > 1:
            self._note(saturation=saturation, hue=hue)
        luminance, _ = _color_basis(k, mean.device, mean.dtype)
        gain = brightness * contrast
        matrix = gain[:, None, None] * _chroma_matrix(saturation, 2 * pi * hue, k)
        # Saturation and hue do not change the gray that contrast adds.
        offset = (1 - contrast) * brightness * (mean @ luminance[0])
        return matrix, offset[:, None]


class RandomGrayscale(ColorAugmentation):
    """Replace the colors of an image by their luminance with probability p.

    Parameters
    ----------
    p : float in [0, 1], default=0.2
        Probability that an image becomes gray. The number of channels does not change.

    Notes
    -----
    The factor of `augment_with_factors` is "grey", a bool. Images of one channel have no factor.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.augmentation import RandomGrayscale
    >>> gray = RandomGrayscale(p=1.0)(torch.rand(2, 3, 4, 4))
    >>> torch.allclose(gray[:, 0], gray[:, 2])
    True
    """

    def __init__(self, p: float = 0.2) -> None:
        self.p = p

    def validate(self) -> None:
        """Check the parameters; raise ValueError if one is out of range."""
        self._check_real("p", high=1.0)

    def _maps(self, mean: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        n, k = mean.shape
        gray = rand((n,), mean, generator) < self.p
        if k > 1:
            self._note(grey=gray)
        kept = (~gray).to(mean.dtype)
        return _chroma_matrix(kept, torch.zeros_like(kept), k), mean.new_zeros(n, 1)


class GaussianBlur(Augmentation):
    """Blur each image, with probability p, by a Gaussian of random width.

    The Gaussian is sampled at the pixels up to three times the largest sigma (or the side of the
    image) and normalized. The image is reflected at its border.

    Parameters
    ----------
    sigma : (float, float), default=(0.1, 2.0)
        Range of the standard deviation in pixels; uniform.
    p : float in [0, 1], default=0.5
        Probability that an image is blurred.

    Notes
    -----
    The factor of `augment_with_factors` is "blur", the standard deviation in pixels; 0 for an
    image that is not blurred.

    References
    ----------
    Chen et al. (2020), "A simple framework for contrastive learning of visual representations",
    appendix A.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.augmentation import GaussianBlur
    >>> GaussianBlur(sigma=(0.5, 1.0), p=1.0)(torch.rand(8, 3, 32, 32)).shape
    torch.Size([8, 3, 32, 32])
    """

    _ndims = (4,)
    takes_several = True

    def __init__(self, sigma: tuple[float, float] = (0.1, 2.0), p: float = 0.5) -> None:
        self.sigma = sigma
        self.p = p

    def validate(self) -> None:
        """Check the parameters; raise ValueError if one is out of range."""
        self._check_pair("sigma")
        self._check_real("p", high=1.0)

    def _transform(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        n = x.shape[0]
        blurred = rand((n,), x, generator) < self.p
        sigma = rand((n,), x, generator, *map(float, self.sigma)).where(blurred, 0.0)
        self._note(blur=sigma)
        # With this width all weights but the central one underflow to 0, so nothing changes.
        sigma = sigma.clamp_(min=0.01)
        return _blur(x, sigma, ceil(3 * self.sigma[1]))


class GaussianNoise(Augmentation):
    """Add independent Gaussian noise to every value of a batch of any layout.

    Parameters
    ----------
    scale : float >= 0, default=0.1
        Standard deviation of the noise, in the units of the values.
    clip : None or (float, float), default=None
        Range to clamp the result to, such as (0, 1) for images. None means no clamping.

    Notes
    -----
    All rows have the same level of noise, so `augment_with_factors` returns no factors.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.augmentation import GaussianNoise
    >>> noisy = GaussianNoise(scale=0.5, clip=(0, 1))(torch.rand(8, 1, 4, 4))
    >>> bool((noisy >= 0).all() and (noisy <= 1).all())
    True
    """

    _ndims = (2, 3, 4)
    takes_several = True

    def __init__(self, scale: float = 0.1, clip: tuple[float, float] | None = None) -> None:
        self.scale = scale
        self.clip = clip

    def validate(self) -> None:
        """Check the parameters; raise ValueError if one is out of range."""
        self._check_real("scale")
        if self.clip is not None:
            self._check_pair("clip", -float("inf"))

    def _transform(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        noisy = randn(x.shape, x, generator).mul_(self.scale).add_(x)
        return noisy if self.clip is None else noisy.clamp_(*map(float, self.clip))


def _chroma_matrix(saturation: Tensor, angle: Tensor, k: int) -> Tensor:
    """Return matrices (N, k, k) that scale and rotate the chroma and keep the luminance."""
    luminance, turn = _color_basis(k, angle.device, angle.dtype)
    chroma = torch.eye(k, device=angle.device, dtype=angle.dtype) - luminance
    along = (saturation * angle.cos())[:, None, None]
    across = (saturation * angle.sin())[:, None, None]
    return luminance + along * chroma + across * turn


@cache
def _color_basis(k: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the projection on the luminance and the quarter turn of the chroma, both (k, k)."""
    # Cached, because each copy from the host may wait for the device.
    with torch.inference_mode(False):
        if k == 1:
            return torch.ones(1, 1, device=device, dtype=dtype), torch.zeros(
                1, 1, device=device, dtype=dtype
            )
        y = torch.tensor(_LUMINANCE, dtype=torch.float64)
        red, _, blue = torch.eye(3, dtype=torch.float64) - y
        yiq = torch.stack([y, 0.74 * red - 0.27 * blue, 0.48 * red + 0.41 * blue])
        rotated = torch.stack([torch.zeros(3, dtype=torch.float64), -yiq[2], yiq[1]])
        turn = torch.linalg.solve(yiq, rotated)
        return y.expand(3, 3).to(device, dtype), turn.to(device, dtype)


def _apply_matrix(matrix: Tensor, color: Tensor) -> Tensor:
    """Return matrices (N, K, K) times colors (N, K)."""
    return torch.bmm(matrix, color[:, :, None])[:, :, 0]


def _map_colors(colors: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """Return matrix times color plus offset at every pixel of colors (N, K, H, W)."""
    if colors.shape[1] == 1:
        return torch.addcmul(offset[:, :, None, None], matrix[..., None], colors)
    flat = colors.reshape(*colors.shape[:2], -1)
    return torch.baddbmm(offset[:, :, None], matrix, flat).view(colors.shape)


def _gaussian_kernels(sigma: Tensor, radius: int) -> Tensor:
    """Return Gaussians (N, 2 radius + 1) of sum 1."""
    index = torch.arange(-radius, radius + 1, device=sigma.device, dtype=sigma.dtype)
    kernels = torch.exp(index.square() / (-2 * sigma.square()[:, None]))
    return kernels / kernels.sum(1, keepdim=True)


def _blur(x: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """Return images (N, C, H, W), each convolved with a Gaussian of its own sigma (N,)."""
    n, c, height, width = x.shape
    # Reflection needs a pad smaller than the side.
    below, right = min(radius, height - 1), min(radius, width - 1)
    padded = F.pad(x, (right, right, below, below), mode="reflect")
    # Images are the groups of one convolution, so that each has its own kernel.
    out = padded.reshape(1, n * c, height + 2 * below, width + 2 * right)
    rows, columns = (
        _gaussian_kernels(sigma, r).repeat_interleave(c, 0)[:, None] for r in (below, right)
    )
    out = F.conv2d(out, columns[:, :, None, :], groups=n * c)
    return F.conv2d(out, rows[:, :, :, None], groups=n * c).reshape(x.shape)
