"""Signs of collapse: how many directions a representation really uses."""

import numpy as np


def effective_rank(Z) -> float:
    r"""Number of directions that a representation uses, as a smooth rank.

    With :math:`p_i` the singular values of the centred `Z` over their sum,

    .. math:: \exp \left( - \sum_i p_i \log p_i \right)

    Parameters
    ----------
    Z : array-like of shape (n, n_components)
        Representations.

    Returns
    -------
    rank : float
        From 1, all rows on a line, to `n_components`, as much spread in every direction; 0 where
        all rows are the same.

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
    Z = np.asarray(Z, dtype=np.float64)
    size = np.abs(Z).max(initial=0)
    Z = Z - Z.mean(0)
    # The eigenvalues of a small matrix rather than the singular values of a long one.
    gram = Z.T @ Z if Z.shape[0] >= Z.shape[1] else Z @ Z.T
    singular = np.sqrt(np.clip(np.linalg.eigvalsh(gram), 0, None))
    # What is left of equal rows by rounding is no spread.
    if singular.max(initial=0) <= 1e-12 * size * np.sqrt(Z.size):
        return 0.0
    p = singular[singular > 0] / singular.sum()
    return float(np.exp(-(p * np.log(p)).sum()))
