"""Numerical functions that several parts of the package use."""

import numpy as np
from scipy.sparse import issparse


def smooth_rank(Z: np.ndarray) -> float:
    """Compute the effective rank of the centered rows, a smooth number of directions.

    Parameters
    ----------
    Z : ndarray of float64 of shape (n, d)
        Rows of finite values.

    Returns
    -------
    rank : float
        Exponential of the entropy of the normalized singular values; 0 if all rows are equal. See
        :func:`~sklearn_simvae.evaluation.effective_rank`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae._numerics import smooth_rank
    >>> round(smooth_rank(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])), 3)
    2.0
    """
    # The rank does not depend on the scale, and the squares must not overflow.
    size = np.abs(Z).max(initial=0)
    Z = Z / size if size > 0 else Z
    Z = Z - Z.mean(0)
    # Eigenvalues of the smaller Gram matrix are faster than singular values of a long matrix.
    gram = Z.T @ Z if Z.shape[0] >= Z.shape[1] else Z @ Z.T
    singular = np.sqrt(np.clip(np.linalg.eigvalsh(gram), 0, None))
    # Rounding makes equal rows differ a little, which must count as 0.
    if singular.max(initial=0) <= 1e-12 * np.sqrt(Z.size):
        return 0.0
    p = singular[singular > 0] / singular.sum()
    return float(np.exp(-(p * np.log(p)).sum()))


def value_range(X: np.ndarray, axis: int | tuple[int, ...] | None = None) -> tuple:
    """Find the least and the greatest value of an array, apart from NaN.

    Parameters
    ----------
    X : ndarray or sparse matrix
        Values, at least one.
    axis : int or tuple of int, default=None
        Axes over which they are found. None means all.

    Returns
    -------
    low, high : float or ndarray
        The range; NaN if there are no others.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae._numerics import value_range
    >>> value_range(np.array([2.0, np.nan, 1.0]))
    (1.0, 2.0)
    """
    if X.dtype.kind != "f" or issparse(X):
        low, high = X.min(axis), X.max(axis)
    else:
        low, high = np.fmin.reduce(X, axis=axis), np.fmax.reduce(X, axis=axis)
    return (float(low), float(high)) if axis is None else (low, high)


def known_means(X: np.ndarray) -> np.ndarray:
    """Compute the means of the columns of an array, apart from NaN.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
        Rows of numbers.

    Returns
    -------
    means : ndarray of float64 of shape (n_features,)
        Means of the values that there are; 0 for a column without any.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae._numerics import known_means
    >>> known_means(np.array([[1.0, np.nan], [3.0, np.nan]]))
    array([2., 0.])
    """
    n_known = np.count_nonzero(~np.isnan(X), axis=0)
    return np.nansum(X, axis=0, dtype=np.float64) / n_known.clip(min=1)
