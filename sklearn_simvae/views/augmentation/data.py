"""Facts about the data of a batch, and the scale of the values that augmentations return."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
from torch import Tensor


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
    missing : bool, default=False
        Whether values of vectors may be missing (NaN), or the ends of series.
    """

    pixels: bool
    n_features: int
    one_hot: tuple[tuple[int, int], ...] | None
    missing: bool = False


# A context variable, since threads may use one augmentation for different data at the same time.
DATA: ContextVar[Data | None] = ContextVar("DATA", default=None)


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
