"""The contrastive objective of SimCLR: positives among the views, negatives in the batch."""

import torch
from torch import Tensor
from torch.nn import functional as F


def nt_xent(z: Tensor, temperature: float = 0.5, mask: Tensor | None = None) -> Tensor:
    r"""Normalised, temperature-scaled cross-entropy over any number of views.

    With :math:`s` the cosine similarity over the temperature, :math:`P(i)` the other views of the
    sample of view :math:`i`, and :math:`a` over all views of the batch but :math:`i`,

    .. math:: \mathrm{mean}_i \; \frac{-1}{|P(i)|} \sum_{p \in P(i)}
        \log \frac{\exp s_{ip}}{\sum_{a \neq i} \exp s_{ia}}

    The numerator pulls the views of a sample together, the log-sum-exp over all others is what
    stands against collapse. At two views this is NT-Xent as its authors define it.

    Parameters
    ----------
    z : Tensor of shape (batch, n_views, d)
        Projections, n_views >= 2; they need not be normalised.
    temperature : float, default=0.5
        Smaller weighs near negatives more.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False where a sample has fewer views than others. None: all are there.

    Returns
    -------
    loss : scalar Tensor
        To be minimised.

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
    """
    batch, n_views = z.shape[:2]
    there = z.new_ones(batch, n_views, dtype=torch.bool) if mask is None else mask
    z = F.normalize(z.masked_fill(~there.unsqueeze(-1), 0.0), dim=-1).flatten(0, 1)
    there = there.flatten()
    sample = torch.arange(batch, device=z.device).repeat_interleave(n_views)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)

    similarity = (z @ z.T / temperature).masked_fill(itself | ~there, -torch.inf)
    # A view alone in its batch is compared with nothing, and costs nothing.
    log_probability = similarity - torch.logsumexp(similarity, dim=1, keepdim=True)
    positive = (sample[:, None] == sample) & ~itself & there & there[:, None]
    n_positives = positive.sum(1)
    total = -torch.where(positive, log_probability, 0.0).sum(1)
    anchors = (n_positives > 0).sum().clamp(min=1)
    return (total / n_positives.clamp(min=1)).sum() / anchors
