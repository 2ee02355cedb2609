"""Rows of several modalities, put together when they are read."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_simvae.views.lazy import held_between


@dataclass
class Block:
    """The values of a modality in the rows that have it.

    Parameters
    ----------
    values : ndarray, sparse matrix or LazyArray of shape (n_present, ...)
        Values of those rows alone.
    position : ndarray of int of shape (n,)
        For each row its place in `values`, -1 where it has none.
    """

    values: Any
    position: np.ndarray

    def hold_between(self, low: float, high: float) -> None:
        """Have values beyond these bounds refused when they are read."""
        self.values = held_between(self.values, low, high)


class Blocks:
    """Rows of several modalities, put together when they are read.

    Indexed by an array of integers it gives rows of float32, one modality after the other, NaN
    where one is missing: sparse and uint8 values stay what they are until then.

    Parameters
    ----------
    blocks : list of Block
        One for each modality.
    modalities : sequence of Modality
        Modalities, with the places of their values.
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, blocks: list[Block], modalities):
        self.blocks = blocks
        self.modalities = modalities
        self.shape = (len(blocks[0].position), modalities[-1].stop)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows) -> np.ndarray:
        rows = np.arange(len(self))[rows]
        out = np.full((len(rows), self.shape[1]), np.nan, dtype=np.float32)
        for block, modality in zip(self.blocks, self.modalities, strict=True):
            position = block.position[rows]
            present = np.flatnonzero(position >= 0)
            values = block.values[position[present]]
            values = values.toarray() if sparse.issparse(values) else np.asarray(values)
            part = values.reshape(len(present), modality.layout.n_features).astype(np.float32)
            if modality.layout.pixels and values.dtype == np.uint8:
                part /= 255
            out[present, modality.start : modality.stop] = part
        return out

    def present(self) -> np.ndarray:
        """Tell which rows have which modality, as bool of shape (n, n_modalities)."""
        return np.stack([block.position >= 0 for block in self.blocks], axis=1)
