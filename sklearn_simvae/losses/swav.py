"""The objective of SwAV: each view is told as the cluster that balance gives another view."""

import torch
from torch import Tensor

from sklearn_simvae.losses.reduction import check_batch, loss_alone, softmax_terms


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float = 0.05, n_iter: int = 3) -> Tensor:
    r"""Soft assignments that share out samples evenly over clusters, by Sinkhorn and Knopp.

    The assignment :math:`Q` maximises :math:`\mathrm{tr}(Q^T S) + \epsilon H(Q)` among those that
    give each sample the same weight and each cluster the same weight. Rows and columns are scaled
    in turn, as logarithms: no score overflows.

    Parameters
    ----------
    scores : Tensor of shape (n, n_clusters)
        Similarities of samples and prototypes.
    epsilon : float, default=0.05
        Smaller makes the assignments harder.
    n_iter : int, default=3
        Rounds.

    Returns
    -------
    assignments : Tensor of shape (n, n_clusters)
        Rows sum to 1; columns to n / n_clusters, in the limit of many rounds. There is no
        gradient.

    References
    ----------
    Cuturi, "Sinkhorn Distances: Lightspeed Computation of Optimal Transport", NeurIPS 2013.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import sinkhorn
    >>> sinkhorn(torch.eye(2))
    tensor([[1.0000e+00, 2.0612e-09],
            [2.0612e-09, 1.0000e+00]])
    """
    log_q = scores / epsilon
    for _ in range(n_iter):
        log_q = log_q - torch.logsumexp(log_q, dim=0, keepdim=True)
        log_q = log_q - torch.logsumexp(log_q, dim=1, keepdim=True)
    return log_q.exp()


def swav_terms(
    scores: Tensor,
    n_global_views: int = 2,
    temperature: float = 0.1,
    epsilon: float = 0.05,
    n_iter: int = 3,
    mask: Tensor | None = None,
    queue_scores: Tensor | None = None,
) -> dict[str, Tensor]:
    r"""Swapped prediction of balanced assignments, and its two sides.

    The first `n_global_views` views of a sample are assigned to clusters by :func:`sinkhorn`, each
    view's batch by itself; every other view of the sample is to predict that assignment :math:`q`:

    .. math:: \mathrm{mean}_{j < G,\, k \neq j} \; \log \sum_c \exp s_{kc} - \sum_c q_{jc} s_{kc}

    with :math:`s` the scores over the temperature. The cluster logit pulls views together; that
    assignments are balanced stands against collapse.

    Parameters
    ----------
    scores : Tensor of shape (batch, n_views, n_prototypes)
        Cosine similarities of projections and prototypes, n_views >= 2.
    n_global_views : int, default=2
        Views that are assigned to clusters; the others only predict.
    temperature : float, default=0.1
        Of the predictions.
    epsilon, n_iter : float, int, default=0.05, 3
        As in :func:`sinkhorn`.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False where a sample has fewer views than others; global views must all be there.
    queue_scores : Tensor of shape (n_global_views, n_queue, n_prototypes), default=None
        Scores of earlier projections, among which those of the batch are balanced where the batch
        is small.

    Returns
    -------
    terms : dict of scalar Tensor
        "loss" and its parts "alignment" and "log_partition".

    References
    ----------
    Caron et al., "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments",
    NeurIPS 2020.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import swav_terms
    >>> scores = torch.eye(2).unsqueeze(1).expand(2, 2, 2)
    >>> swav_terms(scores, temperature=1.0)
    {'loss': tensor(0.3133), 'alignment': tensor(-1.), 'log_partition': tensor(1.3133)}
    """
    check_batch(mask, 2, scores=scores)
    batch, n_views, _ = scores.shape
    if not 1 <= n_global_views <= n_views:
        raise ValueError(
            f"n_global_views must be at least 1 and at most the number of views, {n_views}; got "
            f"{n_global_views}."
        )
    logits = scores / temperature
    log_partition = torch.logsumexp(logits, dim=-1)
    owns, partitions, masks = [], [], []
    for j in range(n_global_views):
        to_balance = scores[:, j]
        if queue_scores is not None:
            to_balance = torch.cat([to_balance, queue_scores[j]])
        q = sinkhorn(to_balance, epsilon, n_iter)[:batch]
        others = [k for k in range(n_views) if k != j]
        owns.append((logits[:, others] * q.unsqueeze(1)).sum(-1))
        partitions.append(log_partition[:, others])
        masks.append(None if mask is None else mask[:, others])
    mask = None if mask is None else torch.cat(masks, dim=1)
    return softmax_terms(torch.cat(owns, dim=1), torch.cat(partitions, dim=1), mask)


swav = loss_alone(swav_terms)
