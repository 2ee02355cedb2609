"""The objective of instance discrimination: each sample is a class of its own."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from sklearn_simvae.losses.reduction import check_batch, loss_alone, softmax_terms


def instance_discrimination_terms(
    z: Tensor,
    prototypes: Tensor,
    indices: Tensor,
    temperature: float = 0.1,
    mask: Tensor | None = None,
    negatives: Tensor | None = None,
) -> dict[str, Tensor]:
    r"""Cross-entropy of telling each view's own index, and its two sides.

    With :math:`s_{ik}` the cosine similarity of a view of sample :math:`i` and the prototype of
    sample :math:`k`, over the temperature, the loss is :math:`\log \sum_k \exp s_{ik} - s_{ii}`.
    The own logit pulls all views of a sample to its prototype, the softmax over indices stands
    against collapse. With `negatives`, the sum over the :math:`n - 1` others is estimated from
    those :math:`m` that are not the sample itself:

    .. math:: \log \left( \exp s_{ii} + \frac{n - 1}{m} \sum_{k \neq i} \exp s_{ik} \right)

    Parameters
    ----------
    z : Tensor of shape (batch, n_views, d)
        Projections; they need not be normalised.
    prototypes : Tensor of shape (n, d)
        One for each sample: weights that are learnt, or a memory of earlier projections.
    indices : Tensor of int of shape (batch,)
        Which sample is which.
    temperature : float, default=0.1
        Smaller weighs near samples more.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False where a sample has fewer views than others.
    negatives : Tensor of int of shape (m,), default=None
        The samples to take the sum over, drawn uniformly. None: all of them.

    Returns
    -------
    terms : dict of scalar Tensor
        "loss" and its parts "alignment" and "log_partition".

    References
    ----------
    Dosovitskiy et al., "Discriminative Unsupervised Feature Learning with Convolutional Neural
    Networks", NeurIPS 2014 (the softmax); Wu et al., "Unsupervised Feature Learning via
    Non-Parametric Instance Discrimination", CVPR 2018 (the memory).

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import instance_discrimination_terms
    >>> z = torch.eye(3).unsqueeze(1)
    >>> instance_discrimination_terms(z, torch.eye(3), torch.arange(3), temperature=1.0)
    {'loss': tensor(0.5514), 'alignment': tensor(-1.), 'log_partition': tensor(1.5514)}
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
    return softmax_terms(own, log_partition, mask)


instance_discrimination = loss_alone(instance_discrimination_terms)
