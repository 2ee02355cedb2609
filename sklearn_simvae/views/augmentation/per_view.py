"""Views of a sample that are not made alike: multi-crop, weak beside strong, a row as it is."""

from __future__ import annotations

from itertools import groupby

import torch
from torch import Tensor

from .base import Compose, apply_one, is_skipped

__all__ = ["PerView"]


class PerView(Compose):
    """An augmentation for each view.

    Parameters
    ----------
    steps : list of augmentations, of (name, augmentation) pairs, or of both
        The first makes the first view of each sample, the second the second, and the last all
        further ones. None and "passthrough" leave a view as it is. Names are as in
        :class:`Compose`.

    Examples
    --------
    Multi-crop: two views of much of the picture, all further ones of little of it.

    >>> import torch
    >>> from sklearn_simvae.views import PerView, RandomResizedCrop
    >>> crop = RandomResizedCrop((0.4, 1.0))
    >>> augment = PerView([crop, crop, RandomResizedCrop((0.1, 0.4))])
    >>> augment.augment_views(torch.rand(6 * 8, 1, 28, 28), n_views=6).shape
    torch.Size([48, 1, 28, 28])
    """

    def augment_views(
        self, x: Tensor, n_views: int, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return a randomly changed copy of a batch of views.

        Parameters
        ----------
        x : Tensor of floats, shape (batch * n_views, ...)
            The views of the first sample, then those of the second, and so on.
        n_views : int
            Views of each sample.
        generator : torch.Generator on the device of `x`, default=None
            The only source of randomness; None means the global generator of torch.

        Returns
        -------
        Tensor, same shape, dtype and device as `x`
        """
        self.validate()
        steps = [step for _, step in self._named_steps()]
        out = x.clone().unflatten(0, (-1, n_views))
        # Views that are made alike are made at once.
        step_of = [min(view, len(steps) - 1) for view in range(n_views)]
        for place, views in groupby(range(n_views), step_of.__getitem__):
            if not is_skipped(steps[place]):
                which = list(views)
                part = out[:, which]
                made = apply_one(steps[place], part.flatten(0, 1), generator)
                out[:, which] = made.unflatten(0, part.shape[:2])
        return out.flatten(0, 1)

    def validate(self) -> None:
        """Check the names and the parameters of all steps.

        Raises
        ------
        ValueError
            If `steps` is empty, or as :class:`Compose` raises.
        """
        super().validate()
        if not self.steps:
            self._fail("steps", "at least one augmentation", "give one for each view")

    def _transform(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return self.augment_views(x, 1, generator)
