"""Nearest neighbors across modalities, a block of similarities at a time."""

from numbers import Integral

import numpy as np
import torch
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_array

from sklearn_simvae.views.rows import tensor_to_array

# Similarities in memory at a time: 64 MiB of float32.
_MAX_VALUES = 2**24
# Cosines of float32 vectors that differ by less are equal, up to rounding.
_ROUNDING = 1e-6


def retrieve(queries, targets, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Find the targets that are most similar to each query, by cosine.

    The whole matrix of similarities is never in memory: beyond the embeddings and the result, about
    200 MiB are needed, for any number of queries and targets.

    Parameters
    ----------
    queries : array-like of shape (n_queries, d)
        Embeddings, e.g. the output of `transform` for one modality.
    targets : array-like of shape (n_targets, d)
        Embeddings of another modality.
    k : int, default=10
        Number of targets to find for each query.

    Returns
    -------
    indices : ndarray of int of shape (n_queries, k)
        Positions in `targets`, the most similar first. Targets whose cosines are equal in float32
        keep their order.
    similarities : ndarray of float32 of shape (n_queries, k)
        Cosines of these targets.

    Raises
    ------
    ValueError
        If widths differ, or `k` is not from 1 to the number of targets.

    Examples
    --------
    >>> from sklearn_simvae.multimodal import retrieve
    >>> indices, similarities = retrieve([[1.0, 0.1]], [[0, 1], [1, 0], [-1, 0]], k=2)
    >>> indices
    array([[1, 0]])
    """
    queries, targets = _embeddings(queries, targets)
    if not isinstance(k, Integral) or not 1 <= k <= len(targets):
        raise ValueError(
            f"k must be an int from 1 to the number of targets, {len(targets)}; got {k!r}."
        )
    indices = np.empty((len(queries), k), dtype=np.intp)
    similarities = np.empty((len(queries), k), dtype=np.float32)
    for part in _parts(len(queries), len(targets)):
        block = queries[part] @ targets.T
        # Ten times as fast as a partition by numpy.
        values, best = (top.numpy() for top in torch.topk(torch.from_numpy(block), k))
        # torch chooses arbitrarily among equal cosines at rank k.
        crowded = (block >= values.min(1, keepdims=True)).sum(1) > k
        if crowded.any():
            best[crowded] = np.argsort(-block[crowded], axis=1, kind="stable")[:, :k]
            values = np.take_along_axis(block, best, axis=1)
        order = np.lexsort((best, -values), axis=1)
        indices[part] = np.take_along_axis(best, order, axis=1)
        similarities[part] = np.take_along_axis(values, order, axis=1)
    return indices, similarities


def recall_at_k(queries, targets, k=(1, 5, 10)) -> dict[int, float]:
    r"""Compute the share of queries whose own target is among the k most similar.

    With :math:`g_i` targets more similar to query i than its own and :math:`e_i` others as similar,

    .. math:: \frac{1}{n} \sum_i \min\left(1, \max\left(0, \frac{k - g_i}{1 + e_i}\right)\right)

    Ties count as if they were broken at random, on average: embeddings that are all the same do
    not exceed chance.

    Parameters
    ----------
    queries, targets : array-like of shape (n, d)
        Embeddings of two modalities of the same samples, row by row.
    k : int or sequence of int, default=(1, 5, 10)
        Numbers of targets among which the own target has to be.

    Returns
    -------
    recall : dict of int to float
        Recall for each k. Chance is k / n.

    Raises
    ------
    ValueError
        If shapes differ, or a `k` is not a positive int.

    Examples
    --------
    >>> from sklearn_simvae.multimodal import recall_at_k
    >>> recall_at_k([[1, 0], [0, 1]], [[1, 0.1], [0.2, 1]], k=1)
    {1: 1.0}
    """
    counts = np.atleast_1d(k)
    if counts.dtype.kind not in "iu" or not counts.size or counts.min() < 1:
        raise ValueError(f"k must be a positive int or a sequence of such, got {k!r}.")
    queries, targets = _embeddings(queries, targets)
    if len(queries) != len(targets):
        raise ValueError(
            f"queries and targets are of the same samples, but there are {len(queries)} and "
            f"{len(targets)}."
        )
    better, equal = np.empty(len(queries)), np.empty(len(queries))
    for part in _parts(len(queries), len(targets)):
        block = queries[part] @ targets.T
        own = block[np.arange(len(block)), np.arange(part.start, part.stop)][:, None]
        better[part] = (block > own + _ROUNDING).sum(1)
        equal[part] = (block >= own - _ROUNDING).sum(1) - better[part]
    return {int(n): float(np.mean(np.clip((n - better) / equal, 0, 1))) for n in counts}


def _embeddings(queries, targets) -> tuple[np.ndarray, np.ndarray]:
    """Return both as float32 rows of length 1."""
    queries, targets = (
        normalize(check_array(tensor_to_array(z), dtype=np.float32, input_name=name))
        for z, name in ((queries, "queries"), (targets, "targets"))
    )
    if queries.shape[1] != targets.shape[1]:
        raise ValueError(
            f"queries have {queries.shape[1]} dimensions and targets {targets.shape[1]}; both must "
            "come from one fit."
        )
    return queries, targets


def _parts(n_queries: int, n_targets: int):
    size = max(1, _MAX_VALUES // n_targets)
    for start in range(0, n_queries, size):
        yield slice(start, min(start + size, n_queries))
