"""Signs of collapse: the number of directions that a representation uses, and how evenly."""

from collections.abc import Callable, Mapping

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.preprocessing import normalize
from sklearn.utils import Bunch, gen_batches
from sklearn.utils.validation import _num_samples, check_array

from sklearn_simvae._checks import seed_of
from sklearn_simvae._numerics import smooth_rank
from sklearn_simvae.evaluation.augmented import view_representations
from sklearn_simvae.evaluation.representations import (
    as_rows,
    check_arguments,
    first_part,
    has_views,
    representations,
    takes_any_length,
    without_groups,
)
from sklearn_simvae.views.rows import check_holds_rows, stack_cells

_BLOCK = 512
_MAX_UNIFORMITY = 5000
_DEAD = 1e-4


def effective_rank(Z) -> float:
    r"""Number of directions that a representation uses, as a smooth rank.

    With :math:`p_i` the singular values of the centered `Z` over their sum,

    .. math:: \exp \left( - \sum_i p_i \log p_i \right)

    Parameters
    ----------
    Z : array-like of shape (n, n_components)
        Representations.

    Returns
    -------
    rank : float
        A number between 1 (all rows lie on a line) and `n_components` (the spread is the same in
        every direction); 0 where all rows are the same.

    Raises
    ------
    ValueError
        If Z is not a finite 2-D array.

    References
    ----------
    Roy and Vetterli, "The effective rank: A measure of effective dimensionality", EUSIPCO 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.evaluation import effective_rank
    >>> round(effective_rank([[1, 0], [-1, 0], [0, 1], [0, -1]]), 3)
    2.0
    """
    return smooth_rank(check_array(_as_numbers(Z), dtype=np.float64, input_name="Z"))


def alignment(Z) -> float:
    r"""Mean squared distance of the views of a sample, each representation of unit length.

    With :math:`u_j` the representation of view j over its length, averaged over samples and over
    pairs of views,

    .. math:: E \, \lVert u_i - u_j \rVert^2

    Parameters
    ----------
    Z : array-like of shape (n, n_views, n_components)
        Representations of at least two views of each sample. Those of length 0 stay as they are.

    Returns
    -------
    alignment : float
        A number between 0 (all views have one direction) and 4 (views are opposite); 2 is the value
        of random directions.

    Raises
    ------
    ValueError
        If Z is not finite, or has no axis of at least two views.

    See Also
    --------
    uniformity : Its counterpart: how evenly the samples are spread.

    References
    ----------
    Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and
    Uniformity on the Hypersphere", ICML 2020.

    Examples
    --------
    >>> from sklearn_simvae.evaluation import alignment
    >>> alignment([[[1, 0], [2, 0]], [[1, 0], [0, 1]]])  # one direction, and a right angle
    1.0
    """
    Z = check_array(_as_numbers(Z), dtype=np.float64, allow_nd=True, input_name="Z")
    if Z.ndim != 3 or Z.shape[1] < 2:
        raise ValueError(
            f"Z has the shape {Z.shape}; expected (n, n_views, n_components), with at least two "
            "views. Give representations of several views of each sample."
        )
    U = _unit_length(Z)
    # The mean over pairs is twice the variance.
    return float(2 * U.var(1, ddof=1).sum(-1).mean())


def uniformity(Z) -> float:
    r"""Uniformity of representations of unit length on the sphere; lower is more even.

    With :math:`u` and :math:`v` the representations of two samples, each over its length, over all
    pairs of different rows,

    .. math:: \log E \exp \left( -2 \lVert u - v \rVert^2 \right)

    Parameters
    ----------
    Z : array-like of shape (n, n_components)
        Representations of at least two samples. Those of length 0 stay as they are. All pairs
        count: 10,000 rows take seconds, and the time grows with the square of their number.

    Returns
    -------
    uniformity : float
        0 where all rows have one direction, about -4 for random directions in many dimensions, and
        never below -8, the value of two opposite rows.

    Raises
    ------
    ValueError
        If Z is not a finite 2-D array of at least two rows.

    See Also
    --------
    alignment : Its counterpart: how near the views of a sample are.

    References
    ----------
    Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and
    Uniformity on the Hypersphere", ICML 2020.

    Examples
    --------
    >>> from sklearn_simvae.evaluation import uniformity
    >>> round(uniformity([[1, 0], [-3, 0]]), 3)
    -8.0
    """
    Z = check_array(_as_numbers(Z), dtype=np.float64, ensure_min_samples=2, input_name="Z")
    U = _unit_length(Z)
    n = len(U)
    total = 0.0
    for rows in gen_batches(n, _BLOCK):
        total += np.exp(-2 * euclidean_distances(U[rows], U, squared=True)).sum()
    # Each row is at no distance from itself.
    return float(np.log((total - n) / (n * (n - 1))))


def _as_numbers(Z):
    if Z is None:
        raise ValueError("Z must hold representations, of shape (n, d); got None.")
    check_holds_rows(Z, "Z")
    return stack_cells(Z, "Z")


def _unit_length(Z: np.ndarray) -> np.ndarray:
    """Divide each representation by its length, whatever axes are before the last."""
    rows = Z.reshape(-1, Z.shape[-1])
    # Divided by the largest value first, since its square could overflow.
    return normalize(normalize(rows, norm="max")).reshape(Z.shape)


def collapse_report(
    estimator,
    X,
    *,
    augmentation: str | Callable | None = None,
    input_shape: tuple[int, ...] | None = None,
    kind: str = "auto",
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Compute all signs of collapse of a transformer, on data of its kind.

    Parameters
    ----------
    estimator : fitted transformer, None or "passthrough"
        Transformer that makes the representations. None takes X as representations.
    X : array-like of shape (n, ...) or (n, n_views, ...)
        At least two rows, or samples of several views. An estimator of this package tells which of
        the two X holds; for other estimators, X of more than two dimensions has a views axis.
    augmentation : callable, "auto" or None, default=None
        Function that makes two views of each row, as in the estimators. None takes the views from
        the second axis of X, if it has a views axis.
    input_shape : tuple of int, default=None
        The shape of one row, where `augmentation` needs to know it and `estimator` does not tell.
    kind : {"auto", "vector", "image", "series"}, default="auto"
        Kind of a row, where neither its shape nor `estimator` tells it.
    random_state : int, RandomState or None, default=None
        Seed of the augmentation, and of the choice of 5,000 samples for `uniformity` where there
        are more.

    Returns
    -------
    report : Bunch
        The following attributes. All but `alignment` and `alignment_of_strangers` look at each
        view by itself.

        effective_rank : float
            Value of :func:`effective_rank`, to be compared with `n_components`.
        n_components : int
            Width of the representation.
        variance : ndarray of shape (n_components,)
            Variance of each dimension.
        n_dead : int
            Number of dimensions with less than 1e-4 of the greatest variance.
        alignment : float
            Value of :func:`alignment` between the views of a sample; NaN where there are no views.
        alignment_of_strangers : float
            Value of :func:`alignment` between different samples. If `alignment` is not far below
            it, the views tell nothing about their sample. If both are near 0, the representations
            of all samples have one direction.
        uniformity : float
            Value of :func:`uniformity` for the first views.

    Raises
    ------
    ValueError
        If there are fewer than two samples, if X has views and an augmentation is given, or if
        representations are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.evaluation import collapse_report
    >>> Z = np.random.default_rng(0).normal(size=(500, 4)) * [1, 1, 1, 0]
    >>> report = collapse_report(None, Z, random_state=0)
    >>> print(f"{report.effective_rank:.1f} of {report.n_components}, {report.n_dead} dead")
    3.0 of 4, 1 dead
    """
    check_arguments(estimator, X)
    seed = seed_of(random_state)
    # Neither a dict of several modalities nor a list of series has a views axis.
    several = isinstance(X, Mapping) or takes_any_length(estimator)
    several = several and augmentation is None
    X = X if several else without_groups(estimator, as_rows(X))
    n = _num_samples(first_part(X))
    if n < 2:
        raise ValueError(f"X has {n} samples; give at least 2, better hundreds.")
    if augmentation is not None or (not several and has_views(estimator, X.shape)):
        Z = view_representations(estimator, X, augmentation, input_shape, kind, random_state=seed)
    else:
        Z = representations(estimator, X)[:, None]
    Z = Z.astype(np.float64)
    rows = Z.reshape(-1, Z.shape[-1])
    # Equal rows have no variance; the variance about their rounded mean could be above 0.
    variance = (rows - rows[0]).var(0)
    some = np.random.default_rng(seed).permutation(len(Z))[:_MAX_UNIFORMITY]
    return Bunch(
        effective_rank=effective_rank(rows),
        n_components=Z.shape[-1],
        variance=variance,
        n_dead=int(np.sum(variance <= _DEAD * variance.max())),
        alignment=alignment(Z) if Z.shape[1] > 1 else float("nan"),
        # Here samples take the place of views.
        alignment_of_strangers=alignment(Z.swapaxes(0, 1)),
        uniformity=uniformity(Z[some, 0]),
    )
