"""The contrastive objective of CLIP: find a sample's other modality among those of the batch."""

import torch
from torch import Tensor
from torch.nn import functional as F

from sklearn_simvae._batch import Terms
from sklearn_simvae.losses.reduction import softmax_terms


def clip(
    za: Tensor,
    zb: Tensor,
    logit_scale: float | Tensor,
    mask: Tensor | None = None,
    return_terms: bool = False,
) -> Tensor | Terms:
    r"""Compute the symmetric cross-entropy of finding each sample's other modality.

    With :math:`s_{ij}` the cosine similarity of `za[i]` and `zb[j]` times the logit scale,

    .. math:: \mathrm{mean}_i \; -s_{ii} + \tfrac{1}{2} \left[
        \log \sum_j \exp s_{ij} + \log \sum_j \exp s_{ji} \right]

    The first term pulls the modalities of a sample together, the other two prevent collapse.

    Parameters
    ----------
    za, zb : Tensor of shape (batch, d)
        Projections of the two modalities, which need not be normalized.
    logit_scale : float or scalar Tensor
        Inverse of the temperature.
    mask : Tensor of bool of shape (batch,), default=None
        False for a sample that lacks one of the two modalities. Such a sample is no negative for
        others either, and its values are ignored. None means that all samples have both.
    return_terms : bool, default=False
        Whether to return the parts of the loss as well.

    Returns
    -------
    loss : scalar Tensor or Terms
        The loss; with `return_terms`, its "loss" and its parts "alignment" and "log_partition".

    References
    ----------
    Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML
    2021.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import clip
    >>> clip(torch.eye(2), torch.eye(2), logit_scale=1.0)
    tensor(0.3133)
    >>> clip(torch.eye(2), torch.eye(2), logit_scale=1.0, return_terms=True).parts
    {'alignment': tensor(-1.), 'log_partition': tensor(1.3133)}
    """
    if za.ndim != 2 or not len(za) or za.shape != zb.shape:
        raise ValueError(
            "za and zb must have one shape (batch, d), of at least 1 sample; got "
            f"{tuple(za.shape)} and {tuple(zb.shape)}."
        )
    if mask is not None:
        za, zb = (z.masked_fill(~mask.unsqueeze(1), 0.0) for z in (za, zb))
    logits = logit_scale * (F.normalize(za, dim=-1) @ F.normalize(zb, dim=-1).T)
    by_row, by_column = logits, logits.T
    if mask is not None:
        # Each sample keeps its own logit, so that no sum is empty.
        absent = ~mask & ~torch.eye(len(logits), dtype=torch.bool, device=logits.device)
        by_row, by_column = (side.masked_fill(absent, -torch.inf) for side in (by_row, by_column))
    log_partition = (by_row.logsumexp(1) + by_column.logsumexp(1)) / 2
    terms = softmax_terms(logits.diagonal(), log_partition, mask)
    return terms if return_terms else terms.loss
