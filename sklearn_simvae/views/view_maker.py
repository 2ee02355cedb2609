"""Views of a batch, made in the way that one fit makes them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sklearn_simvae.views.layout import Layout
from sklearn_simvae.views.samples import make_views


@dataclass(frozen=True)
class ViewMaker:
    """Make views of batches as they are read.

    Parameters
    ----------
    layout : Layout
        Layout of a row.
    n_views : int or None
        Views to make of each row; None where a batch has a views axis.
    augmentation : callable, default=None
        Function from a batch of views to a batch of views.
    one_hot : tuple of (int, int), default=None
        Blocks of one-hot encoded columns, see :func:`~sklearn_simvae.views.make_views`.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views import Layout
    >>> from sklearn_simvae.views.view_maker import ViewMaker
    >>> ViewMaker(Layout("vector", (3,), (3,)), n_views=2)(torch.zeros(4, 3)).shape
    torch.Size([4, 2, 3])
    """

    layout: Layout
    n_views: int | None
    augmentation: Callable[[Tensor], Tensor] | None = None
    one_hot: tuple[tuple[int, int], ...] | None = None

    def __call__(self, rows: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Make views.

        Parameters
        ----------
        rows : Tensor of shape (batch, ...) or (batch, n_views, ...)
            A batch as it is read.
        generator : torch.Generator, default=None
            Randomness of the package's own augmentations.

        Returns
        -------
        views : Tensor of float32 of shape (batch, n_views, *layout.network_shape)
            Views as networks take them.
        """
        return make_views(
            rows, self.layout, self.n_views, self.augmentation, generator, self.one_hot
        )

    @property
    def augments(self) -> bool:
        """Whether views may hold values that the data do not."""
        return self.augmentation is not None
