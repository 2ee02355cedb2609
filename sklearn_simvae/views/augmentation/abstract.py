"""Abstract base classes of the augmentations."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from copy import copy
from math import inf, isfinite
from numbers import Real
from typing import Any

import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from sklearn_simvae._trusted import trust

from .data import as_batch_like
from .draws import one_per_row

_LAYOUTS = {
    2: "vectors of shape (N, d)",
    3: "series of shape (N, channels, length)",
    4: "images of shape (N, C, H, W)",
}


class Augmentation(BaseEstimator, metaclass=ABCMeta):
    """Base class of the random, batched augmentations.

    An augmentation is called on a batch and returns a new batch of the same shape, dtype and
    device; each row is changed by its own random draw. It has the parameters of a scikit-learn
    estimator: `get_params`, `set_params` and :func:`sklearn.base.clone` work on it.

    A subclass stores its parameters in `__init__`, names the numbers of dimensions it takes in
    `_ndims` (None for any), raises ValueError for a bad parameter in `validate`, and computes in
    `_transform`, which is given a non-empty float32 or float64 batch that it must not modify.
    It passes what it draws to `_note`, so that `augment_with_factors` can return it.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views import Augmentation
    >>> class SignFlip(Augmentation):
    ...     def _transform(self, x, generator):
    ...         return x * torch.randn(len(x), 1, generator=generator).sign()
    >>> SignFlip()(torch.ones(3, 1), torch.Generator().manual_seed(0)).shape
    torch.Size([3, 1])
    """

    _ndims: tuple[int, ...] | None = None
    # Whether a fit may join small batches and augment them at once, for speed.
    takes_several: bool = False
    # The draws by name; None unless this is the copy that `augment_with_factors` calls.
    _factors: dict[str, Tensor] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        trust(cls)

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return a randomly changed copy of a batch.

        Parameters
        ----------
        x : Tensor of floats, shape (N, ...)
            The batch. It is not modified.
        generator : torch.Generator on the device of `x`, default=None
            Source of all randomness; None means the global generator of torch.

        Returns
        -------
        views : Tensor of the shape, dtype and device of `x`
            Changed rows, of which some may be equal to those of `x`.

        Raises
        ------
        ValueError
            If a parameter is out of range, or `x` has the wrong layout or is not floating point.
        TypeError
            If `x` is not a tensor.
        """
        return self.augment_views(x, 1, generator)

    def augment_views(
        self, x: Tensor, n_views: int, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return a randomly changed copy of a batch of views.

        Parameters
        ----------
        x : Tensor of floats, shape (batch * n_views, ...)
            The views of the first sample, then those of the second, and so on.
        n_views : int
            Number of views of each sample.
        generator : torch.Generator on the device of `x`, default=None
            Source of all randomness; None means the global generator of torch.

        Returns
        -------
        views : Tensor of the shape, dtype and device of `x`
            Changed rows, of which some may be equal to those of `x`.

        Raises
        ------
        ValueError
            If a parameter is out of range, if `x` has the wrong layout or is not floating point, or
            if its length is not a multiple of `n_views`.
        TypeError
            If `x` is not a tensor.
        """
        self.validate()
        self._check_batch(x)
        if len(x) % n_views:
            raise ValueError(
                f"{type(self).__name__} was given {len(x)} views, which are no whole number of "
                f"samples of {n_views} views each."
            )
        if x.numel() == 0:
            return x.clone()
        work = torch.promote_types(x.dtype, torch.float32)
        # Under autocast, the matrix products of resampling would be in half precision.
        with torch.autocast(x.device.type, enabled=False):
            made = self._transform_views(x.to(work), n_views, generator)
        return as_batch_like(made, x, type(self).__name__)

    def augment_with_factors(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return a randomly changed copy of a batch, and the random factors that changed it.

        The factors are the style that the augmentation gives each view. With them you can measure
        how much of this style a representation holds.

        Parameters
        ----------
        x : Tensor of floats, shape (N, ...)
            The batch. It is not modified.
        generator : torch.Generator on the device of `x`, default=None
            Source of all randomness; None means the global generator of torch.

        Returns
        -------
        views : Tensor, same shape, dtype and device as `x`
            Changed rows, equal bit for bit to those of a call with the same state of the
            generator.
        factors : dict of str to Tensor of shape (N,), float32 or bool
            Random factors of each row, by the names in the Notes of each class. If there is a draw
            for each channel or feature, their mean is returned. A factor that several steps of a
            :class:`Compose` have, and only such a factor, is named `step__factor`. Steps that are
            not from this package, and an empty batch, have no factors.

        Raises
        ------
        ValueError
            If a parameter is out of range, or `x` has the wrong layout or is not floating point.
        TypeError
            If `x` is not a tensor.

        Examples
        --------
        >>> import torch
        >>> from sklearn_simvae.views.augmentation import Compose, RandomResizedCrop, RandomRotation
        >>> augment = Compose([RandomResizedCrop(), RandomRotation(degrees=10)])
        >>> views, factors = augment.augment_with_factors(torch.rand(8, 3, 32, 32))
        >>> list(factors)
        ['x', 'y', 'width', 'height', 'angle']
        >>> factors["angle"].shape
        torch.Size([8])
        """
        self.validate()
        recording = self._recording()
        views = recording.augment_views(x, 1, generator)
        return views, recording._recorded()

    def _recording(self) -> Augmentation:
        """Return a copy that records its draws, since other threads may use this object."""
        recording = copy(self)
        recording._factors = {}
        return recording

    def _recorded(self) -> dict[str, Tensor]:
        """Return the draws that this recording copy has recorded."""
        return self._factors

    def _note(self, **factors: Tensor) -> None:
        """Record the draws of each row, tensors of shape (N, ...), if this is a recording copy."""
        if self._factors is not None:
            self._factors |= {name: one_per_row(drawn) for name, drawn in factors.items()}

    def _transform_views(
        self, x: Tensor, n_views: int, generator: torch.Generator | None
    ) -> Tensor:
        """Return the augmented views, all made in the same way unless a subclass overrides this."""
        return self._transform(x, generator)

    def validate(self) -> None:
        """Check the parameters.

        Raises
        ------
        ValueError
            If a parameter is out of range.
        """

    @abstractmethod
    def _transform(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Return the augmented batch; `x` is float32 or float64, checked and not empty."""

    def _check_batch(self, x: Tensor) -> None:
        name = type(self).__name__
        if not isinstance(x, Tensor):
            raise TypeError(
                f"{name} takes a torch tensor but was given {type(x).__name__}; "
                "convert the batch with torch.as_tensor."
            )
        if not x.is_floating_point():
            raise ValueError(
                f"{name} takes a batch of floats but was given {x.dtype}; "
                "convert it first (uint8 images: x.float() / 255)."
            )
        if not x.ndim:
            raise ValueError(f"{name} takes a batch but was given a single number.")
        if self._ndims is not None and x.ndim not in self._ndims:
            expected = " or ".join(_LAYOUTS[n] for n in self._ndims)
            raise ValueError(
                f"{name} takes {expected} but was given shape {tuple(x.shape)}; reshape the "
                "batch (a single sample needs a leading axis of length 1) or choose an "
                f"augmentation for {x.ndim}-dimensional batches."
            )

    def _fail(self, name: str, expected: str, advice: str) -> None:
        """Raise the ValueError about the parameter called `name`."""
        value = getattr(self, name)
        raise ValueError(
            f"{type(self).__name__} was given {name}={value!r} but expects {expected}; {advice}."
        )

    def _check_real(self, *names: str, low: float = 0.0, high: float = inf) -> None:
        """Check that parameters are finite numbers in [low, high]."""
        for name in names:
            value = getattr(self, name)
            if not (_is_finite(value) and low <= value <= high):
                bounds = "a finite number" if low == -inf else f"a finite number >= {low:g}"
                expected = bounds if high == inf else f"a number in [{low:g}, {high:g}]"
                self._fail(name, expected, "set it within that range")

    def _check_pair(
        self, name: str, low: float = 0.0, high: float = inf, *, above: bool = False
    ) -> None:
        """Check that a parameter is a pair low <= a <= b <= high (low < a if `above`)."""
        value = getattr(self, name)
        pair = as_pair(value)
        if pair is None or not low <= pair[0] <= pair[1] <= high or (above and pair[0] == low):
            left = "" if low == -inf else f"{low:g} {'<' if above else '<='} "
            right = "" if high == inf else f" <= {high:g}"
            self._fail(
                name,
                f"a pair (a, b) of finite numbers with {left}a <= b{right}",
                "write the smaller end first and keep both within that range",
            )


class FoldableAugmentation(Augmentation):
    """Base class of augmentations whose consecutive steps fold into a single operation.

    A family of augmentations (geometric, color) implements `_apply_steps`, which draws the
    parameters of one step after the other, composes them and changes the batch once.
    """

    @classmethod
    @abstractmethod
    def _apply_steps(
        cls, steps: Sequence[Any], x: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        """Return the batch after all `steps`, which are of one family."""

    @classmethod
    def _family(cls) -> type | None:
        """Return the class that implements `_apply_steps` for `cls`."""
        return next(c for c in cls.__mro__ if "_apply_steps" in vars(c))

    def _transform(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return self._apply_steps([self], x, generator)


def _is_finite(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def as_pair(value: Any) -> tuple[float, float] | None:
    """Return a parameter as a pair of floats, or None if it is not a pair of finite numbers."""
    try:
        low, high = value
    except (TypeError, ValueError):
        return None
    return (float(low), float(high)) if _is_finite(low) and _is_finite(high) else None
