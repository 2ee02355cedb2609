"""Sums over views and means over samples, as all objectives of views take them."""

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec

import torch
from torch import Tensor

_P = ParamSpec("_P")


def check_batch(mask: Tensor | None = None, min_views: int = 1, **tensors: Tensor) -> None:
    """Raise where latents are not a batch of views, which torch would say in words of its own.

    Parameters
    ----------
    mask : Tensor of bool of shape (batch, n_views), default=None
        False where a view is missing.
    min_views : int, default=1
        The fewest views that the objective compares.
    **tensors : Tensor of shape (batch, n_views, d)
        Of one shape, by the names that the message is to use.

    Raises
    ------
    TypeError
        If one is no tensor, or the mask does not hold bool.
    ValueError
        If one has another shape.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses.reduction import check_batch
    >>> check_batch(z=torch.zeros(4, 2, 3))
    """
    first = None
    for name, z in tensors.items():
        if not isinstance(z, Tensor):
            raise TypeError(
                f"{name} must be a tensor, got {type(z).__name__}. Convert it by torch.as_tensor."
            )
        if z.ndim != 3 or not len(z) or z.shape[1] < min_views:
            raise ValueError(
                f"{name} must have the shape (batch, n_views, d), of at least 1 sample and "
                f"{min_views} view(s); got {tuple(z.shape)}."
            )
        first = z.shape if first is None else first
        if z.shape != first:
            raise ValueError(
                f"{' and '.join(tensors)} must have one shape; got {tuple(first)} and "
                f"{tuple(z.shape)}."
            )
    if mask is None:
        return
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        raise TypeError(
            f"mask must be a tensor of bool, got {getattr(mask, 'dtype', type(mask).__name__)}."
        )
    if mask.shape != first[:2]:
        raise ValueError(
            f"mask must have the shape (batch, n_views) = {tuple(first[:2])}; got "
            f"{tuple(mask.shape)}."
        )


def without_padding(values: Tensor, mask: Tensor | None) -> Tensor:
    """Zeros in the place of padding, which then has no say, nor a gradient.

    Parameters
    ----------
    values : Tensor of shape (..., n_views, d)
        Whatever stands in the padding.
    mask : Tensor of bool of shape (..., n_views) or None
        False where there is padding. None: there is none.

    Returns
    -------
    values : Tensor of shape (..., n_views, d)
        Filled, not multiplied: of what is not finite no product is 0.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses.reduction import without_padding
    >>> without_padding(torch.tensor([[1.0], [torch.inf]]), torch.tensor([True, False]))
    tensor([[1.],
            [0.]])
    """
    return values if mask is None else values.masked_fill(~mask.unsqueeze(-1), 0.0)


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


def mean_over_views(z: Tensor, mask: Tensor | None) -> Tensor:
    """Average vectors over the views that are there.

    Parameters
    ----------
    z : Tensor of shape (batch, n_views, d)
        A vector for each view.
    mask : Tensor of bool of shape (batch, n_views) or None
        False where a view is missing.

    Returns
    -------
    mean : Tensor of shape (batch, d)
        The means; 0 where no view is there.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses.reduction import mean_over_views
    >>> mean_over_views(torch.tensor([[[1.0], [5.0]]]), torch.tensor([[True, False]]))
    tensor([[1.]])
    """
    if mask is None:
        return z.mean(1)
    return z.masked_fill(~mask.unsqueeze(-1), 0.0).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)


def masked_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Average all the values that are there.

    Parameters
    ----------
    values : Tensor
        Values.
    mask : Tensor of bool of the same shape, or None
        False where a value does not count, whatever it is.

    Returns
    -------
    mean : scalar Tensor
        The mean; 0 where nothing counts.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses.reduction import masked_mean
    >>> masked_mean(torch.tensor([1.0, 3.0, torch.nan]), torch.tensor([True, True, False]))
    tensor(2.)
    """
    if mask is None:
        return values.mean()
    return values.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def view_pairs(z: Tensor, mask: Tensor | None) -> Tensor:
    """Tell the pairs of different views of a sample.

    Parameters
    ----------
    z : Tensor of shape (batch, n_views, d)
        Views.
    mask : Tensor of bool of shape (batch, n_views) or None
        False where a view is missing.

    Returns
    -------
    pairs : Tensor of bool of shape (batch, n_views, n_views)
        True where the two views differ and both are there.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses.reduction import view_pairs
    >>> view_pairs(torch.zeros(1, 2, 3), None)
    tensor([[[False,  True],
             [ True, False]]])
    """
    batch, n_views, _ = z.shape
    different = ~torch.eye(n_views, dtype=torch.bool, device=z.device)
    if mask is None:
        return different.expand(batch, -1, -1)
    return different & mask.unsqueeze(1) & mask.unsqueeze(2)


def softmax_terms(
    own: Tensor, log_partition: Tensor, mask: Tensor | None = None
) -> dict[str, Tensor]:
    """The two sides of a softmax objective: what pulls together, and what stands against collapse.

    Parameters
    ----------
    own : Tensor
        Logit of what each view is to be told as.
    log_partition : Tensor of the same shape
        Log-sum-exp over all that it could be told as.
    mask : Tensor of bool of the same shape, default=None
        False where a value does not count.

    Returns
    -------
    terms : dict of scalar Tensor
        "loss", the cross-entropy, and its parts "alignment" (the negative of `own`) and
        "log_partition", whose sum it is.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses.reduction import softmax_terms
    >>> softmax_terms(torch.tensor([2.0]), torch.tensor([3.0]))
    {'loss': tensor(1.), 'alignment': tensor(-2.), 'log_partition': tensor(3.)}
    """
    return {
        "loss": masked_mean(log_partition - own, mask),
        "alignment": -masked_mean(own, mask),
        "log_partition": masked_mean(log_partition, mask),
    }


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


def loss_alone(terms_of: Callable[_P, dict[str, Tensor]]) -> Callable[_P, Tensor]:
    """Make the function that gives the "loss" among terms, named without the ending `_terms`.

    Parameters
    ----------
    terms_of : callable
        Gives terms of which one is the "loss".

    Returns
    -------
    loss : callable
        Takes the same and gives that one.

    Examples
    --------
    >>> from sklearn_simvae.losses import vicreg_terms
    >>> from sklearn_simvae.losses.reduction import loss_alone
    >>> loss_alone(vicreg_terms).__name__
    'vicreg'
    """

    @functools.wraps(terms_of)
    def loss(*args: _P.args, **kwargs: _P.kwargs) -> Tensor:
        return terms_of(*args, **kwargs)["loss"]

    loss.__name__ = loss.__qualname__ = terms_of.__name__.removesuffix("_terms")
    loss.__signature__ = inspect.signature(terms_of).replace(return_annotation=Tensor)
    # It is of the same kind but for what it returns; an example would be the same again.
    head, _, _ = (inspect.getdoc(terms_of) or "").partition("\nReturns\n")
    _, _, body = head.partition("\n")
    loss.__doc__ = (
        f"The loss of :func:`{terms_of.__name__}` alone.\n{body}\n"
        "Returns\n-------\nloss : scalar Tensor\n    To be minimised.\n"
    )
    return loss
