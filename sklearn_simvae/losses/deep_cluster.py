"""The objective of DeepCluster: each view is classified into the cluster of its sample."""

import torch
from torch import Tensor
from torch.nn import functional as F

from sklearn_simvae._batch import Terms
from sklearn_simvae.losses.reduction import check_batch, softmax_terms


def deep_cluster(
    z: Tensor,
    prototypes: Tensor,
    labels: Tensor,
    cluster_sizes: Tensor,
    temperature: float = 0.1,
    mask: Tensor | None = None,
    return_terms: bool = False,
) -> Tensor | Terms:
    r"""Compute the cross-entropy of classifying views into their clusters, balanced by cluster.

    With :math:`s_{ik}` the cosine similarity of a view of sample :math:`i` and the prototype of
    cluster :math:`k`, over the temperature, :math:`c_i` the cluster of the sample, :math:`n_k` the
    number of samples in a cluster, :math:`n` their sum and :math:`K` the number of clusters that
    are not empty, the loss is the mean over views of

    .. math:: \frac{n}{K n_{c_i}} \left( \log \sum_k \exp s_{ik} - s_{i c_i} \right)

    so that all clusters have the same weight, as if samples were drawn evenly over clusters. The
    logit :math:`s_{i c_i}` pulls the views of a sample, and its neighbors, to one prototype.
    Collapse is prevented because clusters have the same weight and none of them is empty.

    Parameters
    ----------
    z : Tensor of shape (batch, n_views, d)
        Projections, which need not be normalized.
    prototypes : Tensor of shape (n_clusters, d)
        Prototype of each cluster.
    labels : Tensor of int of shape (batch,)
        Index of the cluster of each sample.
    cluster_sizes : Tensor of shape (n_clusters,)
        Number of samples in each cluster, over the whole data set.
    temperature : float, default=0.1
        Divisor of the similarities; a smaller one makes the predictions more certain.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False for each view that a sample lacks. None means that all views are present.
    return_terms : bool, default=False
        Whether to return the parts of the loss as well.

    Returns
    -------
    loss : scalar Tensor or Terms
        The loss; with `return_terms`, its "loss" and its parts "alignment" and "log_partition".

    References
    ----------
    Caron et al., "Deep Clustering for Unsupervised Learning of Visual Features", ECCV 2018.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import deep_cluster
    >>> z, sizes = torch.eye(2).unsqueeze(1), torch.tensor([5, 5])
    >>> deep_cluster(z, torch.eye(2), torch.arange(2), sizes, temperature=1.0)
    tensor(0.3133)
    """
    check_batch(mask, z=z)
    scores = F.normalize(z, dim=-1) @ F.normalize(prototypes, dim=-1).T / temperature
    own = scores.gather(-1, labels[:, None, None].expand(-1, z.shape[1], 1)).squeeze(-1)
    sizes = cluster_sizes.to(z.dtype)
    weight = sizes.sum() / ((sizes > 0).sum() * sizes[labels].clamp(min=1)).unsqueeze(1)
    terms = softmax_terms(weight * own, weight * torch.logsumexp(scores, dim=-1), mask)
    return terms if return_terms else terms.loss
