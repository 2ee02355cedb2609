"""The contrastive objective of SimCLR: a sample's views against all other views of the batch."""

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from sklearn_simvae._batch import Terms
from sklearn_simvae.losses.reduction import (
    check_batch,
    softmax_terms,
)

# Similarities in memory at a time: all those of up to 2,896 views. Larger blocks (over 32 MiB) are
# given back to the system when they are freed, and take time to allocate again.
_MAX_VALUES = 2**23


def nt_xent(
    z: Tensor, temperature: float = 0.5, mask: Tensor | None = None, return_terms: bool = False
) -> Tensor | Terms:
    r"""Compute the normalized, temperature-scaled cross-entropy over any number of views.

    With :math:`s` the cosine similarity over the temperature, :math:`P(i)` the other views of the
    sample of view :math:`i`, and :math:`a` over all views of the batch but :math:`i`,

    .. math:: \mathrm{mean}_i \; \frac{-1}{|P(i)|} \sum_{p \in P(i)}
        \log \frac{\exp s_{ip}}{\sum_{a \neq i} \exp s_{ia}}

    The numerator pulls the views of a sample together, and the log-sum-exp over all other views
    prevents collapse. With two views this is NT-Xent as its authors define it. Memory grows with
    the size of the batch, not with its square: for a large batch, the matrix of similarities is
    computed in parts, and computed again for the gradient.

    Parameters
    ----------
    z : Tensor of shape (batch, n_views, d)
        Projections, n_views >= 2, which need not be normalized.
    temperature : float, default=0.5
        Divisor of the similarities; a smaller one gives similar negatives more weight.
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
    Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", ICML
    2020; for more than two views Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import nt_xent
    >>> z = torch.eye(2).unsqueeze(1).expand(2, 2, 2)  # aligned views, orthogonal samples
    >>> nt_xent(z, temperature=1.0)
    tensor(0.5514)
    >>> nt_xent(z, temperature=1.0, return_terms=True).parts
    {'alignment': tensor(-1.), 'log_partition': tensor(1.5514)}
    """
    check_batch(mask, 2, z=z)
    if mask is not None:
        z = z.masked_fill(~mask.unsqueeze(-1), 0.0)
    z = F.normalize(z, dim=-1)
    # The sum of the similarities to the other views: missing ones are zero.
    own = (z * (z.sum(1, keepdim=True) - z)).sum(-1)
    if mask is None:
        n_positives = z.shape[1] - 1
        own = own / (temperature * n_positives)
    else:
        n_positives = (mask.sum(1, keepdim=True) - 1) * mask
        own = own / temperature / n_positives.clamp(min=1)

    z = z.flatten(0, 1)
    missing = None if mask is None else ~mask.flatten()
    n_rows = _rows_at_once(len(z))
    if len(z) <= n_rows:
        log_partition = _log_partition(z, missing, temperature, 0, len(z))
    else:
        parts = [
            checkpoint(
                _log_partition, z, missing, temperature, start, start + n_rows, use_reentrant=False
            )
            for start in range(0, len(z), n_rows)
        ]
        log_partition = torch.cat(parts)
    # A view without a positive has no loss.
    anchors = None if mask is None else (n_positives > 0).flatten()
    terms = softmax_terms(own.flatten(), log_partition, anchors)
    return terms if return_terms else terms.loss


def _rows_at_once(n: int) -> int:
    """Return the number of views whose similarities to all n views are computed at a time."""
    return max(1, _MAX_VALUES // n)


def _log_partition(
    z: Tensor, missing: Tensor | None, temperature: float, start: int, stop: int
) -> Tensor:
    """Compute the log-sum-exp of the similarities of some views to all others."""
    # In place where possible: this matrix takes the most memory of a training step.
    similarity = (z[start:stop] / temperature) @ z.T
    if missing is not None:
        similarity.masked_fill_(missing, -torch.inf)
    similarity.diagonal(start).fill_(-torch.inf)
    return torch.logsumexp(similarity, dim=1)
