"""Samples whose views are modalities, and the making of these views."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import torch
from scipy import sparse

from sklearn_simvae.multimodal.layout import Modality, ModalLayout
from sklearn_simvae.views import Batch, Layout, Samples, ViewMaker
from sklearn_simvae.views.hints import not_finite


class ModalityRows(Samples):
    """The rows of one modality, of which some samples have none.

    Parameters
    ----------
    X : ndarray, sparse matrix or LazyArray of shape (n_present, ...)
        Rows of the samples that have the modality.
    position : ndarray of int of shape (n,)
        Place of each sample in X, -1 if it has none.
    modality : Modality
        Name and layout of the modality.
    """

    layout: Layout

    def __init__(self, X: Any, position: np.ndarray, modality: Modality):
        super().__init__(X, modality.layout, False, indices=np.arange(len(position)))
        self.position = position
        self.name = modality.name
        self.what = f"The modality {modality.name!r}"

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Read rows; only those of a batch become dense.

        Parameters
        ----------
        indices : ndarray of int
            Indices of the samples.

        Returns
        -------
        rows : ndarray of shape (len(indices), ...)
            Rows as uint8 or float32, 0 where the modality is missing.
        """
        position = self.position[indices]
        present = position >= 0
        values = self.X[position[present]]
        values = values.toarray() if sparse.issparse(values) else np.asarray(values)
        dtype = np.uint8 if values.dtype == np.uint8 else np.float32
        rows = np.zeros((len(position), *values.shape[1:]), dtype)
        rows[present] = values
        return rows


class ModalSamples(Samples):
    """Samples of several modalities.

    Parameters
    ----------
    parts : list of ModalityRows
        Rows of each modality.
    layout : ModalLayout
        Layout of the modalities.
    indices : ndarray of int, default=None
        Indices of the samples to use; None means all.
    """

    layout: ModalLayout

    def __init__(self, parts: Iterable[ModalityRows], layout: ModalLayout, indices=None):
        self._parts = list(parts)
        self._mask = np.stack([part.position >= 0 for part in self._parts], axis=1)
        indices = np.arange(len(self._mask)) if indices is None else indices
        super().__init__(self._parts, layout, False, indices=indices)

    @property
    def parts(self) -> list[ModalityRows]:
        """Rows of each modality."""
        return self._parts

    def of_parts(self, function: Callable[[Samples], Any]) -> list[Any]:
        """Apply a function to the rows of each modality.

        Parameters
        ----------
        function : callable
            Function of rows of one kind.

        Returns
        -------
        values : list of object
            A value for each modality.
        """
        return [function(part) for part in self._parts]

    @property
    def mask(self) -> np.ndarray:
        """Mask of bool of shape (n_samples, n_modalities), False where a modality is missing."""
        return self._mask[self.indices]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of all samples, and number of values in all modalities."""
        return len(self._mask), self.layout.n_features

    @property
    def unit_interval(self) -> list[bool]:
        """Whether all of a modality lies in [0, 1], for each of them."""
        return self.of_parts(lambda part: part.unit_interval)

    def subset(self, which: np.ndarray) -> "ModalSamples":
        """Return some of the samples, sharing their rows.

        Parameters
        ----------
        which : ndarray of int
            Positions among these samples.

        Returns
        -------
        samples : ModalSamples
            The samples at these positions.
        """
        return ModalSamples(self._parts, self.layout, self.indices[which])

    def draw(self, which, rng=None, part=None) -> tuple[np.ndarray, np.ndarray]:
        """Choose a batch of samples.

        Parameters
        ----------
        which : ndarray of int of shape (batch,)
            Positions among these samples.
        rng : None
            Not used.
        part : slice, default=None
            Samples of the batch to choose, when other processes take the rest. None means all.

        Returns
        -------
        indices : ndarray of int of shape (batch,)
            Indices of the samples.
        mask : ndarray of bool of shape (batch, n_modalities)
            False where a modality is missing.
        """
        indices, _ = super().draw(which, rng, part)
        return indices, self._mask[indices]

    def read(self, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        """Read samples.

        Parameters
        ----------
        indices : ndarray of int
            Indices of the samples.

        Returns
        -------
        rows : tuple of ndarray of shape (len(indices), ...)
            Rows of each modality, 0 where it is missing.
        """
        return tuple(part.read(indices) for part in self._parts)

    def as_they_are(self, which: np.ndarray, device: torch.device | str) -> Batch:
        """Read a batch of samples without augmentation.

        Parameters
        ----------
        which : ndarray of int of shape (batch,)
            Positions among these samples.
        device : torch.device or str
            Device of the views.

        Returns
        -------
        batch : Batch
            The modalities of the samples, without indices.
        """
        rows, mask = self.take(which)
        views = tuple(torch.from_numpy(x).to(device) for x in rows)
        batch = Batch(views, torch.from_numpy(mask).to(device))
        return ModalViewMaker(self.layout)(batch)

    def some_views(self, n_samples: int, device: torch.device | str = "cpu") -> list[torch.Tensor]:
        """Return rows of each modality, of samples that have it.

        Parameters
        ----------
        n_samples : int
            Largest number of samples to take, see :meth:`some`.
        device : torch.device or str, default="cpu"
            Device to put the views on.

        Returns
        -------
        x : list of Tensor of float32 of shape (at most n_samples, *shape)
            Rows as the networks take them.
        """
        batch = self.some(n_samples, device)
        return [x[present] for x, present in zip(batch.views, batch.mask.T, strict=True)]

    @property
    def n_pairs(self) -> int:
        """Number of samples that have both of those two modalities that most samples have."""
        return max(int((a & b).sum()) for a, b in combinations(self.mask.T, 2))

    def has_pairs(self) -> np.ndarray:
        """Tell which samples have at least two of their modalities.

        Returns
        -------
        paired : ndarray of bool of shape (n_samples,)
            One value for each sample.
        """
        return self.mask.sum(1) > 1


@dataclass(frozen=True)
class ModalViewMaker:
    """Make the views of a batch, which are its modalities, some of them augmented.

    Parameters
    ----------
    layout : ModalLayout
        Layout of the modalities.
    makers : dict of str to ViewMaker, default={}
        Makers of a view of those modalities that are augmented.
    """

    layout: ModalLayout
    makers: dict[str, ViewMaker] | None = None
    # Augmented values are checked here, by modality, and rows may lack one.
    augments = takes_several = False

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """Make views.

        Parameters
        ----------
        batch : Batch
            A batch as it is read.
        generator : torch.Generator, default=None
            Randomness of the package's own augmentations.

        Returns
        -------
        batch : Batch
            The same with modalities as their networks take them, of float32.
        """
        both = zip(self.layout.modalities, batch.views, strict=True)
        views = [m.layout.to_network(x) for m, x in both]
        for name, maker in (self.makers or {}).items():
            j = self.layout.index(name)
            present = batch.mask[:, j]
            rows = Batch(batch.views[j][present])
            if not len(rows):
                continue
            made = maker(rows, generator).views[:, 0]
            if not made.isfinite().all():
                raise ValueError(not_finite(f"augmentations[{name!r}]"))
            views[j] = views[j].index_put((present,), made)
        return replace(batch, views=tuple(views))
