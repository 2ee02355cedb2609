"""Augmentations one after the other; files of skops hold the name of this module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from sklearn_simvae._nested import check_nested

from .abstract import Augmentation, FoldableAugmentation
from .data import as_batch_like


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

    @property
    def takes_several(self) -> bool:  # type: ignore[override]
        """Whether a fit may join small batches: a user's function is given each by itself."""
        steps = [step for _, step in self._named_steps() if not is_skipped(step)]
        return all(getattr(step, "takes_several", False) for step in steps)

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


def _family_of(step: Any) -> type | None:
    return step._family() if isinstance(step, FoldableAugmentation) else None


def _is_named(step: Any) -> bool:
    return isinstance(step, (tuple, list)) and len(step) == 2 and isinstance(step[0], str)


def is_skipped(step: Any) -> bool:
    return step is None or (isinstance(step, str) and step == "passthrough")
