"""Sums over views and means over samples, as all objectives of views take them."""

from torch import Tensor


def sum_over_views(values: Tensor, mask: Tensor | None) -> Tensor:
    """Sum values of shape (..., n_views) over the views that are there.

    Parameters
    ----------
    values : Tensor of shape (..., n_views)
        A value for each view.
    mask : Tensor of bool of shape (..., n_views) or None
        False where a view is missing; whatever stands there does not count.

    Returns
    -------
    total : Tensor of shape (...,)
        The sums.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses.reduction import sum_over_views
    >>> sum_over_views(torch.tensor([[1.0, torch.nan]]), torch.tensor([[True, False]]))
    tensor([1.])
    """
    return (values if mask is None else values.masked_fill(~mask, 0.0)).sum(-1)


def reduce_terms(terms: dict[str, Tensor], reduction: str) -> dict[str, Tensor]:
    """Average the terms of an objective over samples, or leave a value for each.

    Parameters
    ----------
    terms : dict of Tensor of shape (batch,)
        Terms by name.
    reduction : {"mean", "none"}
        The mean, or no reduction.

    Returns
    -------
    terms : dict of Tensor
        Scalars, or as given.

    Raises
    ------
    ValueError
        If `reduction` is neither.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses.reduction import reduce_terms
    >>> reduce_terms({"kl": torch.tensor([1.0, 3.0])}, "mean")
    {'kl': tensor(2.)}
    """
    if reduction not in ("mean", "none"):
        raise ValueError(f"reduction must be 'mean' or 'none', got {reduction!r}.")
    if reduction == "none":
        return terms
    return {name: value.mean() for name, value in terms.items()}
