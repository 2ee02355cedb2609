"""Augmentations of vectors (N, d)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .abstract import Augmentation
from .data import DATA
from .draws import rand

__all__ = ["FeatureCorruption", "FeatureMasking"]

# In fewer rows, independent columns look like a one-hot encoded block too often.
_LEAST_ROWS = 16
# Rows that rule out most columns that are not one-hot encoded, and values inspected at a time.
_SOME_ROWS, _SOME_VALUES = 512, 4_000_000


class _ByBlock(Augmentation):
    """Base class of the augmentations that change blocks of columns together."""

    _ndims = (2,)
    takes_several = True
    # Objects that were pickled by older versions lack this attribute.
    blocks: Any = None

    def validate(self) -> None:
        """Check the parameters; raise ValueError if one is out of range."""
        self._check_real("p", high=1.0)
        blocks = self.blocks
        if blocks is None or (isinstance(blocks, str) and blocks == "auto"):
            return
        if not (isinstance(blocks, (list, tuple)) and all(map(_is_block, blocks))):
            self._fail(
                "blocks",
                "'auto', None or a list of blocks, each a slice or a list of columns by number",
                "write [[0, 1, 2]] or [slice(0, 3)] for one block of three columns",
            )

    def _first_columns(self, x: Tensor) -> Tensor | None:
        """Return for each column the first of its block, or None where there are no blocks."""
        d = x.shape[1]
        if self.blocks is None:
            return None
        if isinstance(self.blocks, str):
            data = DATA.get()
            known = data is not None and data.one_hot is not None and data.n_features == d
            ends = data.one_hot if known else one_hot_blocks(x.detach().cpu().numpy())
            first = _first_of(ends, d) if ends else None
        else:
            first = self._first_of_given(d)
        return None if first is None else _to_device(first, x.device)

    def _first_of_given(self, d: int) -> np.ndarray:
        columns, first, taken = np.arange(d), np.arange(d), np.zeros(d, dtype=int)
        for block in self.blocks:
            try:
                own = columns[block if isinstance(block, slice) else np.asarray(block, dtype=int)]
            except IndexError:
                self._fail("blocks", f"columns from 0 to {d - 1}", "leave out those beyond")
            taken[own] += 1
            first[own] = own.min(initial=d)
            if len(np.unique(own)) < len(own) or (taken > 1).any():
                self._fail("blocks", "each column in one block at most", "name it once")
        return first


class FeatureCorruption(_ByBlock):
    """Replace random features by the same feature of another row of the batch.

    Each feature of each row is replaced with probability p, independently of the others. The row
    that each replacement comes from is drawn uniformly among the other rows of the batch, or among
    the rows of other samples if the batch holds views. A block of columns is replaced as one
    feature, so that a one-hot encoded category stays a category. A batch of one row or sample is
    returned as it is.

    Parameters
    ----------
    p : float in [0, 1], default=0.3
        Probability that a feature is replaced.
    blocks : "auto", None or list of (slice or list of int), default="auto"
        Columns that are replaced together. "auto" finds the columns that are one-hot encoded:
        adjacent columns of which one is 1 and the others are 0 in each row. It looks at the data
        that an estimator is fitted on or scores (at some rows if they are not in memory), or at
        the batch in a plain call. If a row does not have that form, its block is neither replaced
        nor used as a replacement. Blocks are not found in fewer than 16 rows, in scaled columns,
        or in an encoding that drops a level or leaves out unknown ones; give the blocks in these
        cases. None replaces each column by itself.
    replace_missing : bool, default=False
        Whether missing values (NaN) are always replaced, by values of other rows that may be
        missing, too. False keeps what is missing, and replaces no other value by a missing one.

    Notes
    -----
    The factor of `augment_with_factors` is "share", the fraction of the features of a row that
    are replaced, even if by an equal value.

    References
    ----------
    Bahri et al. (2022), "SCARF: Self-supervised contrastive learning using random feature
    corruption", algorithm 1. Replacements come from the batch instead of the training set, and
    features are replaced independently instead of in a fixed number.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.views.augmentation import FeatureCorruption
    >>> FeatureCorruption(p=1.0)(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.]])
    """

    # Objects that were pickled by older versions lack this attribute.
    replace_missing: bool = False

    def __init__(self, p: float = 0.3, blocks: Any = "auto", replace_missing: bool = False) -> None:
        self.p = p
        self.blocks = blocks
        self.replace_missing = replace_missing

    def _transform(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return self._transform_views(x, 1, generator)

    def _transform_views(
        self, x: Tensor, n_views: int, generator: torch.Generator | None
    ) -> Tensor:
        n = x.shape[0]
        if n == n_views:
            self._note(share=torch.zeros_like(x))
            return x.clone()
        # Fewer than n - n_views steps from the next sample on never reach a row's own sample.
        step = torch.randint(n - n_views, x.shape, generator=generator, device=x.device)
        following = torch.arange(n_views, n + 1, n_views, device=x.device)
        source = step.view(len(following), n_views, -1).add_(following.view(-1, 1, 1))
        source = source.remainder_(n).view(step.shape)
        replaced = rand(x.shape, x, generator) < self.p
        first = self._first_columns(x)
        if first is not None:
            source, replaced = source.index_select(1, first), replaced.index_select(1, first)
            if isinstance(self.blocks, str):
                whole = _is_whole(x, first)
                replaced &= whole & whole.gather(0, source)
        other = x.gather(0, source)
        data = DATA.get()
        if data is None or data.missing:
            if self.replace_missing:
                replaced = replaced | x.isnan()
            else:
                replaced = replaced & ~x.isnan() & ~other.isnan()
        self._note(share=replaced)
        return torch.where(replaced, other, x)


class FeatureMasking(_ByBlock):
    """Set random features to a constant.

    A block of columns is masked as one feature, so that a one-hot encoded category is masked as a
    whole (with the value 0 it becomes all zeros, as if it were missing).

    Parameters
    ----------
    p : float in [0, 1], default=0.2
        Probability that a feature is masked, independently for each feature of each row.
    value : float, default=0.0
        Value of masked features, in the units of the features, and of all columns of masked
        blocks. For standardized features, 0 is their mean.
    blocks : "auto", None or list of (slice or list of int), default="auto"
        Columns that are masked together. "auto" finds the columns that are one-hot encoded, as in
        :class:`FeatureCorruption`. None masks each column by itself.

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

    def __init__(self, p: float = 0.2, value: float = 0.0, blocks: Any = "auto") -> None:
        self.p = p
        self.value = value
        self.blocks = blocks

    def validate(self) -> None:
        """Check the parameters; raise ValueError if one is out of range."""
        super().validate()
        self._check_real("value", low=-float("inf"))

    def _transform(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        masked = rand(x.shape, x, generator) < self.p
        first = self._first_columns(x)
        masked = masked if first is None else masked.index_select(1, first)
        self._note(share=masked)
        return x.masked_fill(masked, float(self.value))


def one_hot_blocks(rows: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Find blocks of adjacent columns of which, in each row, one is 1 and the others are 0.

    No blocks are found in fewer than 16 rows. If blocks overlap, the one that begins first is
    taken, and it ends with the first column that completes it. A column that is 1 in all rows, with
    or without columns of zeros beside it, is not a block.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        Rows of numbers.

    Returns
    -------
    blocks : tuple of (int, int)
        First column, and the one after the last, of each block.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.views.augmentation.vectors import one_hot_blocks
    >>> rows = np.array([[0.5, 1, 0, 0, 1, 0], [2.0, 0, 1, 1, 0, 0], [1, 0, 1, 0, 0, 1]])
    >>> one_hot_blocks(np.tile(rows, (6, 1)))
    ((1, 3), (3, 6))
    """
    n, d = rows.shape
    if n < _LEAST_ROWS:
        return ()
    some = rows[np.linspace(0, n - 1, min(n, _SOME_ROWS)).astype(int)]
    binary = ((some == 0) | (some == 1)).all(0)
    columns = np.flatnonzero(binary)
    if len(columns) < 2:
        return ()
    counts = np.zeros(d, dtype=np.int64)
    step = max(1, _SOME_VALUES // len(columns))
    for start in range(0, n, step):
        part = rows[start : start + step, columns]
        counts[columns] += np.count_nonzero(part, axis=0)
        binary[columns] &= ((part == 0) | (part == 1)).all(0)
    # Ones before each column: a block ends only where there are as many more as there are rows.
    total = np.concatenate([[0], np.cumsum(np.where(binary, counts, 0))])
    stops = np.searchsorted(total, total[:-1] + n)
    blocks, start = [], 0
    while start < d:
        stop = int(stops[start])
        block = slice(start, stop)
        if (
            stop <= d
            and total[stop] - total[start] == n
            and binary[block].all()
            and all((np.count_nonzero(X[:, block], axis=1) == 1).all() for X in (some, rows))
        ):
            if np.count_nonzero(counts[block]) > 1:
                blocks.append((start, stop))
            start = stop
        else:
            start += 1
    return tuple(blocks)


@lru_cache(maxsize=64)
def _first_of(blocks: tuple[tuple[int, int], ...], d: int) -> np.ndarray:
    """Return for each of d columns the first of its block."""
    first = np.arange(d)
    for start, stop in blocks:
        first[start:stop] = start
    return first


def _to_device(array: np.ndarray, device: torch.device) -> Tensor:
    """Return an array as a tensor, on a GPU without waiting for it."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":  # pragma: no cover
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def _is_whole(x: Tensor, first: Tensor) -> Tensor:
    """Return for each value whether its block is one-hot in its row; True if it has no block."""
    ones = torch.zeros_like(x).index_add_(1, first, torch.where((x == 0) | (x == 1), x, torch.nan))
    size = torch.zeros_like(first).index_add_(0, first, torch.ones_like(first))
    return ((ones == 1) | (size == 1)).index_select(1, first)


def _is_block(block: Any) -> bool:
    if isinstance(block, slice):
        return True
    if isinstance(block, str):
        return False
    try:
        columns = np.asarray(block)
    except ValueError:
        return False
    return columns.ndim == 1 and (columns.dtype.kind in "iu" or not len(columns))
