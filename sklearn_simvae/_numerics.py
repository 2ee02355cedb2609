"""Numbers that several parts of the package need."""

import numpy as np


def smooth_rank(Z: np.ndarray) -> float:
    """Compute the number of directions in which rows differ, as a smooth rank.

    Parameters
    ----------
    Z : ndarray of float64 of shape (n, d)
        Finite rows.

    Returns
    -------
    rank : float
        See :func:`~sklearn_simvae.evaluation.effective_rank`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae._numerics import smooth_rank
    >>> round(smooth_rank(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])), 3)
    2.0
    """
    # Its scale does not matter, and its squares must not overflow.
    size = np.abs(Z).max(initial=0)
    Z = Z / size if size > 0 else Z
    Z = Z - Z.mean(0)
    # The eigenvalues of a small matrix rather than the singular values of a long one.
    gram = Z.T @ Z if Z.shape[0] >= Z.shape[1] else Z @ Z.T
    singular = np.sqrt(np.clip(np.linalg.eigvalsh(gram), 0, None))
    # Equal rows differ by rounding, which is no spread.
    if singular.max(initial=0) <= 1e-12 * np.sqrt(Z.size):
        return 0.0
    p = singular[singular > 0] / singular.sum()
    return float(np.exp(-(p * np.log(p)).sum()))
