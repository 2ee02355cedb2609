"""Augmentations of series (N, channels, length)."""

from __future__ import annotations

import torch
from torch import Tensor

from .abstract import Augmentation
from .data import DATA
from .draws import rand, randn

__all__ = ["RandomJitter", "RandomScaling", "RandomSeriesCrop"]


class _ScaledSeriesAugmentation(Augmentation):
    """Base class of the augmentations of series whose only parameter is a standard deviation."""

    _ndims = (3,)
    takes_several = True

    def validate(self) -> None:
        """Check the parameters; raise ValueError if one is out of range."""
        self._check_real("scale")


class RandomJitter(_ScaledSeriesAugmentation):
    """Add independent Gaussian noise to every value of a series.

    Parameters
    ----------
    scale : float >= 0, default=0.05
        Standard deviation of the noise, in the units of the series.

    Notes
    -----
    All rows have the same level of noise, so `augment_with_factors` returns no factors.

    References
    ----------
    Um et al. (2017), "Data augmentation of wearable sensor data for Parkinson's disease
    monitoring using convolutional neural networks", section 3.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.augmentation import RandomJitter
    >>> RandomJitter(scale=0.1)(torch.rand(8, 2, 50)).shape
    torch.Size([8, 2, 50])
    """

    def __init__(self, scale: float = 0.05) -> None:
        self.scale = scale

    def _transform(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return randn(x.shape, x, generator).mul_(self.scale).add_(x)


class RandomScaling(_ScaledSeriesAugmentation):
    """Multiply each channel of each series by a random factor, drawn from N(1, scale^2).

    Parameters
    ----------
    scale : float >= 0, default=0.1
        Standard deviation of the factor.

    Notes
    -----
    The factor of `augment_with_factors` is "scale", the mean of the random factors of the channels
    of a series.

    References
    ----------
    Um et al. (2017), "Data augmentation of wearable sensor data for Parkinson's disease
    monitoring using convolutional neural networks", section 3.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.augmentation import RandomScaling
    >>> RandomScaling(scale=0.2)(torch.rand(8, 2, 50)).shape
    torch.Size([8, 2, 50])
    """

    def __init__(self, scale: float = 0.1) -> None:
        self.scale = scale

    def _transform(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        factor = randn((*x.shape[:2], 1), x, generator).mul_(self.scale).add_(1)
        self._note(scale=factor)
        return x * factor


class RandomSeriesCrop(Augmentation):
    """Keep a random window of each series, stretched back to the full length.

    All channels of a series share the window. Between time steps the series is interpolated
    linearly; the ends of the window become the first and the last time step. Series that end in
    NaN are stretched back to the length that they have without it.

    Parameters
    ----------
    scale : (float, float), default=(0.5, 1.0)
        Range of the length of the window, as a fraction of the length of the series; the length is
        drawn uniformly.

    Notes
    -----
    The factors of `augment_with_factors` are "start", the position at which the window begins, and
    "length", its length, both as fractions of the length of the series, from its first time step
    to its last.

    References
    ----------
    Le Guennec et al. (2016), "Data augmentation for time series classification using
    convolutional neural networks", window slicing.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.augmentation import RandomSeriesCrop
    >>> RandomSeriesCrop(scale=(0.8, 1.0))(torch.rand(8, 2, 50)).shape
    torch.Size([8, 2, 50])
    """

    _ndims = (3,)
    takes_several = True

    def __init__(self, scale: tuple[float, float] = (0.5, 1.0)) -> None:
        self.scale = scale

    def validate(self) -> None:
        """Check the parameters; raise ValueError if one is out of range."""
        self._check_pair("scale", 0.0, 1.0, above=True)

    def _transform(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        n, channels, length = x.shape
        width = rand((n, 1), x, generator, *map(float, self.scale))
        start = rand((n, 1), x, generator).mul_(1 - width)
        self._note(start=start, length=width)
        data = DATA.get()
        padded = data is None or data.missing
        last = _last_steps(x) if padded else length - 1
        start.mul_(last)
        index = torch.arange(length, device=x.device, dtype=x.dtype)
        position = torch.addcmul(start, width, index).clamp_(max=last)
        left = position.long()
        right = (left + 1).clamp_(max=last)
        fraction = (position - left)[:, None].to(x.dtype)
        shape = (n, channels, length)
        before = x.gather(2, left[:, None].expand(shape))
        after = x.gather(2, right[:, None].expand(shape))
        made = torch.lerp(before, after, fraction)
        return made.masked_fill_((index > last)[:, None], torch.nan) if padded else made


def _last_steps(x: Tensor) -> Tensor:
    """Return the last step of each series that is not padding, of shape (n, 1)."""
    return (x[:, 0].isnan().logical_not().sum(1, keepdim=True) - 1).clamp(min=0)
