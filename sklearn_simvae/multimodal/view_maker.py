"""Views of rows of modalities, made in the way that one fit makes them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sklearn_simvae.multimodal.layout import ModalLayout
from sklearn_simvae.views import ViewMaker, make_views
from sklearn_simvae.views.hints import not_finite


@dataclass(frozen=True)
class ModalViewMaker:
    """Make views of rows, with some modalities of those that have them augmented.

    Parameters
    ----------
    make : ViewMaker
        Reads rows.
    layout : ModalLayout
        Places of the modalities.
    augmentations : dict of str to (callable, blocks)
        Augmentation of a modality, and its blocks of one-hot encoded columns.
    """

    make: ViewMaker
    layout: ModalLayout
    augmentations: dict
    # Augmented values are looked at here, by modality.
    augments = False

    def __call__(self, rows: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Make views.

        Parameters
        ----------
        rows : Tensor of shape (batch, n_values)
            A batch as it is read.
        generator : torch.Generator, default=None
            Randomness of the package's own augmentations.

        Returns
        -------
        views : Tensor of float32 of shape (batch, 1, n_values)
            Rows as networks take them.
        """
        x = self.make(rows, generator=generator)[:, 0].clone()
        for name, (augmentation, one_hot) in self.augmentations.items():
            modality = self.layout.modalities[self.layout.index(name)]
            there = ~x[:, modality.start].isnan()
            # Rows of one modality are rows of its own layout, of which one view is made.
            own = modality.layout
            part = x[there, modality.start : modality.stop].unflatten(1, own.input_shape)
            if not len(part):
                continue
            made = make_views(part, own, 1, augmentation, generator, one_hot)[:, 0]
            if not made.isfinite().all():
                raise ValueError(not_finite(f"augmentations[{name!r}]"))
            x[there, modality.start : modality.stop] = own.from_network(made).flatten(1)
        return x.unsqueeze(1)
