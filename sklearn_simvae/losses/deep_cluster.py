"""The objective of DeepCluster: each view is told as the cluster that its sample was put in."""

import torch
from torch import Tensor
from torch.nn import functional as F

from sklearn_simvae.losses.reduction import check_batch, loss_alone, softmax_terms


def deep_cluster_terms(
    z: Tensor,
    prototypes: Tensor,
    labels: Tensor,
    cluster_sizes: Tensor,
    temperature: float = 0.1,
    mask: Tensor | None = None,
) -> dict[str, Tensor]:
    r"""Cross-entropy of telling each view's cluster, balanced by cluster, and its two sides.

    With :math:`s_{ik}` the cosine similarity of a view of sample :math:`i` and the prototype of
    cluster :math:`k`, over the temperature, :math:`c_i` the cluster of the sample, :math:`n_k` the
    number of samples in a cluster, :math:`n` their sum and :math:`K` the number of clusters that
    are not empty, the loss is the mean over views of

    .. math:: \frac{n}{K n_{c_i}} \left( \log \sum_k \exp s_{ik} - s_{i c_i} \right)

    so that each cluster counts as much as any other, which is as if samples were drawn evenly over
    clusters. The own logit pulls the views of a sample, and its neighbours, to one prototype; that
    clusters weigh the same, and that none is empty, stands against collapse.

    Parameters
    ----------
    z : Tensor of shape (batch, n_views, d)
        Projections; they need not be normalised.
    prototypes : Tensor of shape (n_clusters, d)
        One for each cluster.
    labels : Tensor of int of shape (batch,)
        The clusters of the samples.
    cluster_sizes : Tensor of shape (n_clusters,)
        How many samples of the whole set are in each cluster.
    temperature : float, default=0.1
        Smaller makes the classes sharper.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False where a sample has fewer views than others.

    Returns
    -------
    terms : dict of scalar Tensor
        "loss" and its parts "alignment" and "log_partition".

    References
    ----------
    Caron et al., "Deep Clustering for Unsupervised Learning of Visual Features", ECCV 2018.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import deep_cluster_terms
    >>> z, sizes = torch.eye(2).unsqueeze(1), torch.tensor([5, 5])
    >>> deep_cluster_terms(z, torch.eye(2), torch.arange(2), sizes, temperature=1.0)
    {'loss': tensor(0.3133), 'alignment': tensor(-1.), 'log_partition': tensor(1.3133)}
    """
    check_batch(mask, z=z)
    scores = F.normalize(z, dim=-1) @ F.normalize(prototypes, dim=-1).T / temperature
    own = scores.gather(-1, labels[:, None, None].expand(-1, z.shape[1], 1)).squeeze(-1)
    sizes = cluster_sizes.to(z.dtype)
    weight = sizes.sum() / ((sizes > 0).sum() * sizes[labels].clamp(min=1)).unsqueeze(1)
    return softmax_terms(weight * own, weight * torch.logsumexp(scores, dim=-1), mask)


deep_cluster = loss_alone(deep_cluster_terms)
