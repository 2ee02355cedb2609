"""Base classes of the augmentations, and their composition."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from copy import copy
from itertools import groupby
from math import inf, isfinite
from numbers import Real
from typing import Any, NamedTuple

import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from sklearn_simvae._nested import check_nested
from sklearn_simvae._trusted import trust

__all__ = ["Augmentation", "Compose", "FoldableAugmentation"]

_LAYOUTS = {
    2: "vectors of shape (N, d)",
    3: "series of shape (N, channels, length)",
    4: "images of shape (N, C, H, W)",
}


class Data(NamedTuple):
    """Facts about the data from which a batch comes.

    Parameters
    ----------
    pixels : bool
        True if the data are uint8 pixels, which batches hold scaled to [0, 1].
    n_features : int
        Number of values in a row.
    one_hot : tuple of (int, int) or None
        First column, and the one after the last, of each block of one-hot encoded columns, of
        which one is 1 and the others are 0 in each row. None if they were not searched for.
    """

    pixels: bool
    n_features: int
    one_hot: tuple[tuple[int, int], ...] | None


# A context variable, since threads may use one augmentation for different data at the same time.
DATA: ContextVar[Data | None] = ContextVar("DATA", default=None)


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
            self._factors |= {name: _one_per_row(drawn) for name, drawn in factors.items()}

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


class Compose(Augmentation):
    """Augmentations applied one after the other, folded into one operation if possible.

    Consecutive geometric steps become one affine map and one resampling per image. Interpolation
    then blurs the image only once, and parts that an earlier step moved out of the image can come
    back in a later step. Consecutive color steps become one affine map of the colors, clamped to
    [0, 1] once at the end. Steps of a nested `Compose` fold with the steps around it.

    Parameters
    ----------
    steps : list of augmentations, of (name, augmentation) pairs, or of both
        Steps in the order in which they are applied. Any callable that maps a batch to a batch of
        the same shape, such as those of kornia and torchvision, can be a step; it is not given the
        generator. None and "passthrough" are skipped. A step without a name is named after its
        class in lower case, with "-1", "-2", ... for repeats, as in
        :func:`sklearn.pipeline.make_pipeline`.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.augmentation import Compose, RandomResizedCrop, RandomRotation
    >>> augment = Compose([RandomResizedCrop(), RandomRotation()])
    >>> augment.set_params(randomrotation__degrees=5.0).get_params()["randomrotation__degrees"]
    5.0
    >>> augment(torch.rand(8, 3, 32, 32)).shape
    torch.Size([8, 3, 32, 32])
    """

    # True if steps are applied one after the other, and may fold with those of an outer Compose.
    _in_turn = True

    def __init__(self, steps: Sequence[Any]) -> None:
        self.steps = steps

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, and with `deep=True` also the steps by name and their parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the steps and their parameters.

        Returns
        -------
        params : dict of str to object
            Values by name.
        """
        params = super().get_params(deep=False)
        if not deep:
            return params
        for name, step in self._named_steps():
            params[name] = step
            if hasattr(step, "get_params"):
                params |= {f"{name}__{key}": v for key, v in step.get_params(deep=True).items()}
        return params

    def set_params(self, **params: Any) -> Compose:
        """Set the steps, a step by its name, or a parameter of a step as `name__parameter`.

        Parameters
        ----------
        **params : object
            The new values.

        Returns
        -------
        Compose
            This object.

        Raises
        ------
        ValueError
            If there is no such parameter, or if the step has no parameters.
        """
        if "steps" in params:
            self.steps = params.pop("steps")
        named = self._named_steps()
        replaced = {name: params.pop(name) for name, _ in named if name in params}
        if replaced:
            # Steps keep the names that they had, so that the same names can be set again.
            self.steps = [(name, replaced.get(name, step)) for name, step in named]
        check_nested(self, params)
        super().set_params(**params)
        return self

    def validate(self) -> None:
        """Check the names and the parameters of all steps.

        Raises
        ------
        ValueError
            If `steps` is not a list of augmentations, a name is taken twice or not allowed, or a
            parameter of a step is out of range.
        """
        if not isinstance(self.steps, (list, tuple)):
            self._fail(
                "steps", "a list of augmentations", f"write {type(self).__name__}([first, second])"
            )
        named = self._named_steps()
        for name, count in Counter(name for name, _ in named).items():
            if count > 1 or "__" in name or name == "steps":
                raise ValueError(
                    f"{type(self).__name__} was given the step name {name!r} {count} time(s) but "
                    "expects distinct names without '__', other than 'steps'; rename the step."
                )
        for name, step in named:
            if isinstance(step, Augmentation):
                step.validate()
            elif isinstance(step, type) or not (is_skipped(step) or callable(step)):
                raise ValueError(
                    f"{type(self).__name__} was given {step!r} as step {name!r} but expects an "
                    "augmentation or a callable from batch to batch; pass an instance of one."
                )

    def _recording(self) -> Compose:
        recording = copy(self)
        recording.steps = [
            (name, step._recording() if isinstance(step, Augmentation) else step)
            for name, step in self._named_steps()
        ]
        return recording

    def _recorded(self) -> dict[str, Tensor]:
        recorded = [
            (name, factor, drawn)
            for name, step in self._named_steps()
            if isinstance(step, Augmentation)
            for factor, drawn in step._recorded().items()
        ]
        repeats = Counter(factor for _, factor, _ in recorded)
        return {
            # A factor that a nested Compose gave a longer name gets that Compose's name in front.
            f"{name}__{factor}" if repeats[factor] > 1 or "__" in factor else factor: drawn
            for name, factor, drawn in recorded
        }

    def _named_steps(self) -> list[tuple[str, Any]]:
        """Return the (name, step) pairs, with names for the steps that have none."""
        bare = [type(step).__name__.lower() for step in self.steps if not _is_named(step)]
        repeats, seen, named = Counter(bare), Counter(), []
        for step in self.steps:
            if _is_named(step):
                named.append(tuple(step))
                continue
            name = type(step).__name__.lower()
            seen[name] += 1
            named.append((f"{name}-{seen[name]}" if repeats[name] > 1 else name, step))
        return named

    def _leaves(self) -> Iterator[Any]:
        """Yield the steps in order, with the steps of a nested Compose in its place."""
        for _, step in self._named_steps():
            if isinstance(step, Compose) and step._in_turn:
                yield from step._leaves()
            elif not is_skipped(step):
                yield step

    def _transform(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return self._transform_views(x, 1, generator)

    def _transform_views(
        self, x: Tensor, n_views: int, generator: torch.Generator | None
    ) -> Tensor:
        out = x
        for family, group in groupby(self._leaves(), _family_of):
            steps = list(group)
            if family is not None and len(steps) > 1:
                steps[0]._check_batch(out)
                out = family._apply_steps(steps, out, generator)
                continue
            for step in steps:
                out = apply_one(step, out, n_views, generator)
        return x.clone() if out is x else out


def apply_one(
    step: Callable[..., Tensor], x: Tensor, n_views: int, generator: torch.Generator | None
) -> Tensor:
    """Return a batch of views after one step that does not fold."""
    if isinstance(step, Augmentation):
        return step.augment_views(x, n_views, generator)
    # The user's function may change its input in place, and the batch must not change.
    return as_batch_like(step(x.clone()), x, f"The step {step!r}")


def as_batch_like(made: Any, x: Tensor, who: str) -> Tensor:
    """Convert the result of an augmentation to floats of the scale, dtype and device of its input.

    Parameters
    ----------
    made : object
        Result of the augmentation, which must be a tensor of the shape of `x`. uint8 values are
        scaled from 0 to 255 to [0, 1] if the data are pixels, or if nothing is known about the
        data but `x` holds images. True becomes 1; all other numbers stay as they are.
    x : Tensor of floats, shape (N, ...)
        Input of the augmentation.
    who : str
        Name of the augmentation, for the message.

    Returns
    -------
    batch : Tensor of the shape, dtype and device of `x`
        The converted values.

    Raises
    ------
    ValueError
        If `made` is not a tensor of that shape, or the scale of its type of numbers is not clear.
    """
    if not isinstance(made, Tensor) or made.shape != x.shape:
        got = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
        raise ValueError(
            f"{who} returned {got} for a batch of shape {tuple(x.shape)}; it must return a tensor "
            "of the same shape."
        )
    if made.is_floating_point() or made.dtype == torch.bool:
        return made.to(x)
    data = DATA.get()
    pixels = x.ndim == 4 if data is None else data.pixels
    if made.dtype == torch.uint8 and pixels:
        return made.to(x).div_(255)
    if made.is_complex() or made.dtype == torch.uint8 or pixels:
        scale = "[0, 1]" if pixels else "the scale of the data, which are no uint8 pixels"
        raise ValueError(
            f"{who} was given {x.dtype} and returned {made.dtype}, whose scale is not clear: "
            f"expected floats on {scale}{', or uint8 pixels' if pixels else ''}. Convert what it "
            f"returns, e.g. by .float(){' / 255' if pixels else ''}."
        )
    return made.to(x)


def _family_of(step: Any) -> type | None:
    return step._family() if isinstance(step, FoldableAugmentation) else None


def _is_named(step: Any) -> bool:
    return isinstance(step, (tuple, list)) and len(step) == 2 and isinstance(step[0], str)


def is_skipped(step: Any) -> bool:
    return step is None or (isinstance(step, str) and step == "passthrough")


def _is_finite(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def as_pair(value: Any) -> tuple[float, float] | None:
    """Return a parameter as a pair of floats, or None if it is not a pair of finite numbers."""
    try:
        low, high = value
    except (TypeError, ValueError):
        return None
    return (float(low), float(high)) if _is_finite(low) and _is_finite(high) else None


def _one_per_row(drawn: Tensor) -> Tensor:
    """Return draws (N, ...) as a copy of shape (N,), of bool if they are bool, else of float32."""
    if drawn.ndim > 1:
        return drawn.flatten(1).to(torch.float32).mean(1)
    return drawn.to(torch.float32 if drawn.is_floating_point() else drawn.dtype, copy=True)


def rand(
    shape: Sequence[int],
    like: Tensor,
    generator: torch.Generator | None,
    low: float = 0.0,
    high: float = 1.0,
) -> Tensor:
    """Return uniform draws in [low, high), on the device and with the dtype of `like`."""
    draw = torch.rand(shape, generator=generator, device=like.device, dtype=like.dtype)
    return draw if (low, high) == (0.0, 1.0) else draw.mul_(high - low).add_(low)


def randn(shape: Sequence[int], like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return standard normal draws, on the device and with the dtype of `like`."""
    return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)
