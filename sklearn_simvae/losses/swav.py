"""The objective of SwAV: each view predicts the balanced cluster assignment of another view."""

import torch
from torch import Tensor

from sklearn_simvae._batch import Terms
from sklearn_simvae.losses.reduction import check_batch, softmax_terms


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float = 0.05, n_iter: int = 3) -> Tensor:
    r"""Assign samples softly and evenly to clusters, by the algorithm of Sinkhorn and Knopp.

    The assignment :math:`Q` maximizes :math:`\mathrm{tr}(Q^T S) + \epsilon H(Q)` among the
    assignments that give each sample the same weight and each cluster the same weight. Rows and
    columns are normalized in turn. This is done with logarithms, so that no score overflows.

    Parameters
    ----------
    scores : Tensor of shape (n, n_clusters)
        Similarities of samples and prototypes.
    epsilon : float, default=0.05
        Weight of the entropy; a smaller one makes the assignments harder.
    n_iter : int, default=3
        Number of times that columns and rows are normalized.

    Returns
    -------
    assignments : Tensor of shape (n, n_clusters)
        Weight of each cluster for each sample, without gradient. Rows sum to 1; columns sum to
        n / n_clusters in the limit of many iterations.

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


def swav(
    scores: Tensor,
    n_global_views: int = 2,
    temperature: float = 0.1,
    epsilon: float = 0.05,
    n_iter: int = 3,
    mask: Tensor | None = None,
    queue_scores: Tensor | None = None,
    return_terms: bool = False,
) -> Tensor | Terms:
    r"""Compute the cross-entropy of predicting the balanced assignments of other views.

    The first `n_global_views` views of each sample are assigned to clusters by :func:`sinkhorn`,
    each view apart from the others. Every other view of the sample is to predict that assignment
    :math:`q`:

    .. math:: \mathrm{mean}_{j < G,\, k \neq j} \; \log \sum_c \exp s_{kc} - \sum_c q_{jc} s_{kc}

    with :math:`s` the scores over the temperature. The logit of the assigned cluster pulls views
    together, and the balance of the assignments prevents collapse.

    Parameters
    ----------
    scores : Tensor of shape (batch, n_views, n_prototypes)
        Cosine similarities of projections and prototypes, n_views >= 2.
    n_global_views : int, default=2
        Number of views that are assigned to clusters; the others only predict.
    temperature : float, default=0.1
        Divisor of the scores in the predictions.
    epsilon, n_iter : float, int, default=0.05, 3
        Same as in :func:`sinkhorn`.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False for each view that a sample lacks; none of the global views may be missing. None
        means that all views are present.
    queue_scores : Tensor of shape (n_global_views, n_queue, n_prototypes), default=None
        Scores of earlier projections, which are balanced together with those of the batch, since
        a small batch cannot cover all clusters. None means that the batch is balanced by itself.
    return_terms : bool, default=False
        Whether to return the parts of the loss as well.

    Returns
    -------
    loss : scalar Tensor or Terms
        The loss; with `return_terms`, its "loss" and its parts "alignment" and "log_partition".

    References
    ----------
    Caron et al., "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments",
    NeurIPS 2020.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import swav
    >>> scores = torch.eye(2).unsqueeze(1).expand(2, 2, 2)
    >>> swav(scores, temperature=1.0)
    tensor(0.3133)
    >>> swav(scores, temperature=1.0, return_terms=True).parts
    {'alignment': tensor(-1.), 'log_partition': tensor(1.3133)}
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
    terms = softmax_terms(torch.cat(owns, dim=1), torch.cat(partitions, dim=1), mask)
    return terms if return_terms else terms.loss
