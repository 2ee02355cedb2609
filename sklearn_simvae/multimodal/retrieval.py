"""Nearest neighbours across modalities, a block of similarities at a time."""

import numpy as np
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_array

# Similarities that are held at once: 64 MiB of float32.
_MAX_VALUES = 2**24


def retrieve(queries, targets, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """The targets that are most similar to each query, by cosine.

    The matrix of similarities is never held whole: memory beyond the embeddings and the result is
    some 200 MiB, however many there are.

    Parameters
    ----------
    queries : array-like of shape (n_queries, d)
        Embeddings, e.g. what `transform` gives of one modality.
    targets : array-like of shape (n_targets, d)
        Embeddings of another.
    k : int, default=10
        How many to find for each query.

    Returns
    -------
    indices : ndarray of int of shape (n_queries, k)
        Places in `targets`, the most similar first.
    similarities : ndarray of float32 of shape (n_queries, k)
        Their cosines.

    Raises
    ------
    ValueError
        If widths differ, or there are fewer than `k` targets.

    Examples
    --------
    >>> from sklearn_simvae.multimodal import retrieve
    >>> indices, similarities = retrieve([[1.0, 0.1]], [[0, 1], [1, 0], [-1, 0]], k=2)
    >>> indices
    array([[1, 0]])
    """
    queries, targets = _embeddings(queries, targets)
    if not 1 <= k <= len(targets):
        raise ValueError(f"k must be from 1 to the number of targets, {len(targets)}; got {k!r}.")
    indices = np.empty((len(queries), k), dtype=np.intp)
    similarities = np.empty((len(queries), k), dtype=np.float32)
    for part in _parts(len(queries), len(targets)):
        block = queries[part] @ targets.T
        best = np.argpartition(block, -k, axis=1)[:, -k:] if k < block.shape[1] else None
        best = np.tile(np.arange(k), (len(block), 1)) if best is None else best
        values = np.take_along_axis(block, best, axis=1)
        # Equal ones in the order of the targets.
        order = np.lexsort((best, -values), axis=1)
        indices[part] = np.take_along_axis(best, order, axis=1)
        similarities[part] = np.take_along_axis(values, order, axis=1)
    return indices, similarities


def recall_at_k(queries, targets, k=(1, 5, 10)) -> dict[int, float]:
    r"""Share of the queries whose own target is among the k most similar.

    .. math:: \frac{1}{n} \sum_i 1\left[ |\{ j : s_{ij} > s_{ii} \}|
        + \tfrac{1}{2} |\{ j \neq i : s_{ij} = s_{ii} \}| < k \right]

    A tie counts half, so that embeddings which are all the same do no better than chance.

    Parameters
    ----------
    queries, targets : array-like of shape (n, d)
        Embeddings of two modalities of the same samples, row by row.
    k : int or sequence of int, default=(1, 5, 10)
        How many count as found.

    Returns
    -------
    recall : dict of int to float
        For each k. Chance is k / n.

    Raises
    ------
    ValueError
        If shapes differ.

    Examples
    --------
    >>> from sklearn_simvae.multimodal import recall_at_k
    >>> recall_at_k([[1, 0], [0, 1]], [[1, 0.1], [0.2, 1]], k=1)
    {1: 1.0}
    """
    queries, targets = _embeddings(queries, targets)
    if len(queries) != len(targets):
        raise ValueError(
            f"queries and targets are of the same samples, but there are {len(queries)} and "
            f"{len(targets)}."
        )
    ranks = np.empty(len(queries))
    for part in _parts(len(queries), len(targets)):
        block = queries[part] @ targets.T
        own = block[np.arange(len(block)), np.arange(part.start, part.stop)][:, None]
        ranks[part] = (block > own).sum(1) + ((block == own).sum(1) - 1) / 2
    return {int(n): float(np.mean(ranks < n)) for n in np.atleast_1d(k)}


def _embeddings(queries, targets) -> tuple[np.ndarray, np.ndarray]:
    """Both as float32 of unit length."""
    queries, targets = (
        normalize(check_array(z, dtype=np.float32, input_name=name))
        for z, name in ((queries, "queries"), (targets, "targets"))
    )
    if queries.shape[1] != targets.shape[1]:
        raise ValueError(
            f"queries have {queries.shape[1]} dimensions and targets {targets.shape[1]}; both must "
            "come of one fit."
        )
    return queries, targets


def _parts(n_queries: int, n_targets: int):
    size = max(1, _MAX_VALUES // n_targets)
    for start in range(0, n_queries, size):
        yield slice(start, min(start + size, n_queries))
