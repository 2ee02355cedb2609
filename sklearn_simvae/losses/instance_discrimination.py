"""The objective of instance discrimination: each sample is a class of its own."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from sklearn_simvae._batch import Terms
from sklearn_simvae.losses.reduction import check_batch, softmax_terms


def instance_discrimination(
    z: Tensor,
    prototypes: Tensor,
    indices: Tensor,
    temperature: float = 0.1,
    mask: Tensor | None = None,
    negatives: Tensor | None = None,
    return_terms: bool = False,
) -> Tensor | Terms:
    r"""Compute the cross-entropy of classifying each view as its own sample.

    With :math:`s_{ik}` the cosine similarity of a view of sample :math:`i` and the prototype of
    sample :math:`k`, over the temperature, the loss is :math:`\log \sum_k \exp s_{ik} - s_{ii}`.
    The logit :math:`s_{ii}` pulls all views of a sample to its prototype, and the softmax over
    samples prevents collapse. With `negatives`, the sum over the :math:`n - 1` other samples is
    estimated from the :math:`m` negatives that are not the sample itself:

    .. math:: \log \left( \exp s_{ii} + \frac{n - 1}{m} \sum_{k \neq i} \exp s_{ik} \right)

    Parameters
    ----------
    z : Tensor of shape (batch, n_views, d)
        Projections, which need not be normalized.
    prototypes : Tensor of shape (n, d)
        Prototype of each sample: learned weights, or a memory of earlier projections.
    indices : Tensor of int of shape (batch,)
        Index of each sample of the batch among the prototypes.
    temperature : float, default=0.1
        Divisor of the similarities; a smaller one gives similar samples more weight.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False for each view that a sample lacks. None means that all views are present.
    negatives : Tensor of int of shape (m,), default=None
        Samples to take the sum over, drawn uniformly. None means all samples.
    return_terms : bool, default=False
        Whether to return the parts of the loss as well.

    Returns
    -------
    loss : scalar Tensor or Terms
        The loss; with `return_terms`, its "loss" and its parts "alignment" and "log_partition".

    References
    ----------
    Dosovitskiy et al., "Discriminative Unsupervised Feature Learning with Convolutional Neural
    Networks", NeurIPS 2014 (the softmax); Wu et al., "Unsupervised Feature Learning via
    Non-Parametric Instance Discrimination", CVPR 2018 (the memory).

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import instance_discrimination
    >>> z = torch.eye(3).unsqueeze(1)
    >>> instance_discrimination(z, torch.eye(3), torch.arange(3), temperature=1.0)
    tensor(0.5514)
    """
    check_batch(mask, z=z)
    z = F.normalize(z, dim=-1)
    own = (z @ F.normalize(prototypes[indices], dim=-1).unsqueeze(-1)).squeeze(-1) / temperature
    if negatives is None:
        log_partition = torch.logsumexp(z @ F.normalize(prototypes, dim=-1).T / temperature, dim=-1)
    else:
        others = z @ F.normalize(prototypes[negatives], dim=-1).T / temperature
        hits = indices.unsqueeze(1) == negatives
        others = others.masked_fill(hits.unsqueeze(1), -torch.inf)
        n_others = (~hits).sum(1).clamp(min=1)
        weight = math.log(max(len(prototypes) - 1, 1)) - torch.log(n_others.to(z.dtype))
        others = others + weight[:, None, None]
        log_partition = torch.logsumexp(torch.cat([own.unsqueeze(-1), others], dim=-1), dim=-1)
    terms = softmax_terms(own, log_partition, mask)
    return terms if return_terms else terms.loss
