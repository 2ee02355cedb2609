"""Different augmentations for the views of a sample, such as multi-crop or weak and strong ones."""

from __future__ import annotations

from itertools import groupby

import torch
from torch import Tensor

from .base import Compose, apply_one, is_skipped

__all__ = ["PerView"]


class PerView(Compose):
    """A different augmentation for each view.

    Parameters
    ----------
    steps : list of augmentations, of (name, augmentation) pairs, or of both
        Augmentations of the views. The first makes the first view of each sample, the second makes
        the second, and the last makes all further views. None and "passthrough" leave a view as
        it is. Names are as in :class:`Compose`. A plain call and `augment_with_factors` make the
        first view.

    Examples
    --------
    Multi-crop: two views show most of the picture, and all further views show a small part of it.

    >>> import torch
    >>> from sklearn_simvae.views import PerView, RandomResizedCrop
    >>> crop = RandomResizedCrop((0.4, 1.0))
    >>> augment = PerView([crop, crop, RandomResizedCrop((0.1, 0.4))])
    >>> augment.augment_views(torch.rand(6 * 8, 1, 28, 28), n_views=6).shape
    torch.Size([48, 1, 28, 28])
    """

    _in_turn = False

    def validate(self) -> None:
        """Check the names and the parameters of all steps.

        Raises
        ------
        ValueError
            If `steps` is empty or is not a list of augmentations, if a name is taken twice or not
            allowed, or if a parameter of a step is out of range.
        """
        super().validate()
        if not self.steps:
            self._fail("steps", "at least one augmentation", "give one for each view")

    def _transform_views(
        self, x: Tensor, n_views: int, generator: torch.Generator | None
    ) -> Tensor:
        steps = [step for _, step in self._named_steps()]
        out = x.clone().unflatten(0, (-1, n_views))
        # Views with the same augmentation are made together.
        step_of = [min(view, len(steps) - 1) for view in range(n_views)]
        for place, views in groupby(range(n_views), step_of.__getitem__):
            if not is_skipped(steps[place]):
                which = list(views)
                part = out[:, which]
                made = apply_one(steps[place], part.flatten(0, 1), len(which), generator)
                out[:, which] = made.unflatten(0, part.shape[:2])
        return out.flatten(0, 1)
