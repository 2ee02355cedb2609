"""Augmentations of vectors (N, d)."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Augmentation, rand

__all__ = ["FeatureCorruption", "FeatureMasking"]


class FeatureCorruption(Augmentation):
    """Replace random features by the same feature of another row of the batch.

    Each feature of each row is replaced with probability p, independently, and each replacement
    comes from a row of its own, drawn uniformly among the others; of a batch of views, among those
    of other samples. A batch of one row or sample is returned as it is.

    Parameters
    ----------
    p : float in [0, 1], default=0.3
        Probability that a feature is replaced.

    Notes
    -----
    The factor of `augment_with_factors` is "share", the fraction of the features of a row that
    are replaced, be it by an equal value.

    References
    ----------
    Bahri et al. (2022), "SCARF: Self-supervised contrastive learning using random feature
    corruption", algorithm 1, with the batch in the place of the training set and independent
    features in the place of a fixed number of them.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.augmentation import FeatureCorruption
    >>> FeatureCorruption(p=1.0)(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.]])
    """

    _ndims = (2,)

    def __init__(self, p: float = 0.3) -> None:
        self.p = p

    def validate(self) -> None:
        """Check the parameters; raise ValueError if one is out of range."""
        self._check_real("p", high=1.0)

    def _transform(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return self._transform_views(x, 1, generator)

    def _transform_views(
        self, x: Tensor, n_views: int, generator: torch.Generator | None
    ) -> Tensor:
        n = x.shape[0]
        if n == n_views:
            self._note(share=torch.zeros_like(x))
            return x.clone()
        # So many steps from the next sample on never come to the views of the own one.
        step = torch.randint(n - n_views, x.shape, generator=generator, device=x.device)
        own = torch.arange(n, device=x.device).div_(n_views, rounding_mode="floor")
        following = (own + 1)[:, None] * n_views
        other = x.gather(0, (following + step).remainder_(n))
        replaced = rand(x.shape, x, generator) < self.p
        self._note(share=replaced)
        return torch.where(replaced, other, x)


class FeatureMasking(Augmentation):
    """Set random features to a constant.

    Parameters
    ----------
    p : float in [0, 1], default=0.2
        Probability that a feature is masked, independently for each feature of each row.
    value : float, default=0.0
        What a masked feature becomes, in the units of the features; for standardised ones, 0 is
        their mean.

    Notes
    -----
    The factor of `augment_with_factors` is "share", the fraction of the features of a row that
    are masked.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.augmentation import FeatureMasking
    >>> FeatureMasking(p=1.0, value=-1.0)(torch.rand(1, 3))
    tensor([[-1., -1., -1.]])
    """

    _ndims = (2,)

    def __init__(self, p: float = 0.2, value: float = 0.0) -> None:
        self.p = p
        self.value = value

    def validate(self) -> None:
        """Check the parameters; raise ValueError if one is out of range."""
        self._check_real("p", high=1.0)
        self._check_real("value", low=-float("inf"))

    def _transform(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        masked = rand(x.shape, x, generator) < self.p
        self._note(share=masked)
        return x.masked_fill(masked, float(self.value))
