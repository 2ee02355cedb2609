"""Sums over views and means over samples, which all objectives share."""

import torch
from torch import Tensor

from sklearn_simvae._batch import Terms


def check_batch(mask: Tensor | None = None, min_views: int = 1, **tensors: Tensor) -> None:
    """Raise an error that names the argument if a tensor is not a batch of views.

    Parameters
    ----------
    mask : Tensor of bool of shape (batch, n_views), default=None
        False where a view is missing.
    min_views : int, default=1
        Smallest number of views that the objective can compare.
    **tensors : Tensor of shape (batch, n_views, d)
        Tensors that must all have the same shape; their names appear in the message.

    Raises
    ------
    TypeError
        If an argument is not a tensor, or the mask does not hold bool.
    ValueError
        If the shape of an argument is not as expected.

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
    """Replace padding by zeros, so that it contributes neither to sums nor to gradients.

    Parameters
    ----------
    values : Tensor of shape (..., n_views, d)
        Values, which may be anything in the padding, even NaN or infinity.
    mask : Tensor of bool of shape (..., n_views) or None
        False where there is padding. None means that there is none.

    Returns
    -------
    values : Tensor of shape (..., n_views, d)
        The values, with 0 where there was padding.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses.reduction import without_padding
    >>> without_padding(torch.tensor([[1.0], [torch.inf]]), torch.tensor([True, False]))
    tensor([[1.],
            [0.]])
    """
    # Filled, not multiplied: NaN and infinity times 0 are NaN.
    return values if mask is None else values.masked_fill(~mask.unsqueeze(-1), 0.0)


def sum_over_views(values: Tensor, mask: Tensor | None) -> Tensor:
    """Sum values of shape (..., n_views) over the views that are present.

    Parameters
    ----------
    values : Tensor of shape (..., n_views)
        A value for each view.
    mask : Tensor of bool of shape (..., n_views) or None
        False where a view is missing; its value is ignored.

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
    """Average vectors over the views that are present.

    Parameters
    ----------
    z : Tensor of shape (batch, n_views, d)
        A vector for each view.
    mask : Tensor of bool of shape (batch, n_views) or None
        False where a view is missing.

    Returns
    -------
    mean : Tensor of shape (batch, d)
        The means; 0 for a sample without views.

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
    """Average all values that are not masked.

    Parameters
    ----------
    values : Tensor
        Values of any shape.
    mask : Tensor of bool of the same shape, or None
        False where a value is ignored.

    Returns
    -------
    mean : scalar Tensor
        The mean; 0 if all values are ignored.

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
    """Find the pairs of different views of each sample.

    Parameters
    ----------
    z : Tensor of shape (batch, n_views, d)
        Representations of the views, of which only the shape is used.
    mask : Tensor of bool of shape (batch, n_views) or None
        False where a view is missing.

    Returns
    -------
    pairs : Tensor of bool of shape (batch, n_views, n_views)
        True where the two views are different ones and both are present.

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


def softmax_terms(own: Tensor, log_partition: Tensor, mask: Tensor | None = None) -> Terms:
    """Compute a softmax cross-entropy and its two parts.

    The logit of the right class pulls views together; the log-sum-exp over all classes prevents
    collapse.

    Parameters
    ----------
    own : Tensor
        Logit of the right class of each view.
    log_partition : Tensor of the same shape
        Log-sum-exp of the logits of all classes of each view.
    mask : Tensor of bool of the same shape, default=None
        False where a value is ignored.

    Returns
    -------
    terms : Terms
        The cross-entropy, and its parts "alignment" (the negative of `own`) and "log_partition",
        whose sum it is.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses.reduction import softmax_terms
    >>> softmax_terms(torch.tensor([2.0]), torch.tensor([3.0])).loss
    tensor(1.)
    """
    parts = {
        "alignment": -masked_mean(own, mask),
        "log_partition": masked_mean(log_partition, mask),
    }
    return Terms(masked_mean(log_partition - own, mask), parts)


def mean_terms(all_terms: list[Terms], weights: Tensor) -> Terms:
    """Average terms that have the same parts.

    Parameters
    ----------
    all_terms : list of Terms
        Terms to average.
    weights : Tensor of shape (n,)
        Weight of each of them in the mean.

    Returns
    -------
    terms : Terms
        Weighted sums of the losses and of the parts.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import Terms
    >>> from sklearn_simvae.losses.reduction import mean_terms
    >>> both = [Terms(torch.tensor(1.0)), Terms(torch.tensor(3.0))]
    >>> mean_terms(both, torch.tensor([0.5, 0.5])).loss
    tensor(2.)
    """
    loss = weights @ torch.stack([terms.loss for terms in all_terms])
    parts = {
        name: weights @ torch.stack([terms.parts[name] for terms in all_terms])
        for name in all_terms[0].parts
    }
    return Terms(loss, parts)


def reduce_terms(terms: dict[str, Tensor], reduction: str) -> dict[str, Tensor]:
    """Average the terms of an objective over samples, or return them as they are.

    Parameters
    ----------
    terms : dict of Tensor of shape (batch,)
        Terms by name.
    reduction : {"mean", "none"}
        Whether to average over samples or to return one value for each sample.

    Returns
    -------
    terms : dict of Tensor
        Scalars, or the terms as given.

    Raises
    ------
    ValueError
        If `reduction` is neither "mean" nor "none".

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
