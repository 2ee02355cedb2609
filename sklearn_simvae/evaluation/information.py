"""Mutual information between the representations of two views of a sample."""

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral

import numpy as np
import torch
from scipy.spatial import cKDTree
from scipy.special import digamma
from sklearn.utils import Bunch, _safe_indexing
from sklearn.utils._param_validation import Interval, validate_params
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_simvae._checks import seed_of
from sklearn_simvae.evaluation.augmented import view_representations
from sklearn_simvae.evaluation.representations import (
    as_array,
    as_rows,
    check_arguments,
    check_one_length,
    has_views,
    standard_scaler,
    without_groups,
)
from sklearn_simvae.networks.mlp import dense_layers
from sklearn_simvae.training import isolated_random_state, own_modes
from sklearn_simvae.views import LazyArray, as_lazy_array

_MIN_SAMPLES = 32
_K = 3
_JITTER = 1e-10
# The bound needs large batches; the critic learns as much from smaller ones, in half the time.
_BATCH, _TRAIN_BATCH = 512, 256
_HIDDEN, _FEATURES = 128, 32
_MAX_STEPS, _CHECK_EVERY, _PATIENCE = 1000, 25, 8


@validate_params(
    {"n_samples": [Interval(Integral, _MIN_SAMPLES, None, closed="left")]},
    prefer_skip_nested_validation=False,
)
def mutual_information(
    estimator,
    X,
    *,
    augmentation: str | Callable | None = None,
    input_shape: tuple[int, ...] | None = None,
    kind: str = "auto",
    methods: Sequence[str] = ("infonce", "knn"),
    n_samples: int = 10_000,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    r"""Estimate the mutual information between the representations of two views, in nats.

    Objectives that pull views together are often said to maximize

    .. math:: I(z; z') = E \left[ \log \frac{p(z, z')}{p(z) \, p(z')} \right]

    "infonce" is a lower bound. A critic :math:`f`, the inner product of two small networks, is
    trained on half of the samples, a fifth of which decides when to stop. The bound is computed on
    the other half, in batches of :math:`K = 512` samples (or all, if there are fewer), and averaged
    over both directions:

    .. math:: \log K + E \left[ \log
        \frac{\exp f(z_i, z'_i)}{\sum_{j=1}^K \exp f(z_i, z'_j)} \right]

    It is never above :math:`\log K`. It is low if the critic learned little, as from few samples or
    if the views share only few dimensions of many. It is never below 0; for independent views it
    is at most some hundredths above 0, or some tenths with fewer than 100 samples.

    "knn" is the first estimator of Kraskov et al. It takes the :math:`k = 3` nearest neighbors of
    each pair in the maximum norm, and counts the samples that are nearer than the last of these in
    each view alone, :math:`n_z` and :math:`n_{z'}`:

    .. math:: \psi(k) + \psi(n) - E \left[ \psi(n_z + 1) + \psi(n_{z'} + 1) \right]

    It is never above :math:`\psi(n) - \psi(k + 1)`, about :math:`\log n - 1.3`, and much too low
    for strong dependence in more than a few dimensions. With few samples it is noisy, and may be
    below 0.

    Both methods standardize the representations. An estimate near its ceiling cannot be compared
    with an estimate from another number of samples.

    Parameters
    ----------
    estimator : fitted transformer, None or "passthrough"
        Makes the representations. None takes X as representations, of shape (n, n_views, d).
    X : array-like of shape (n, n_views, ...) or (n, ...)
        Samples of at least two views, of which the first two are used. If `augmentation` is given,
        rows, of which two views are made.
    augmentation : callable, "auto" or None, default=None
        Function that makes the views, as in the estimators. None takes the views from the second
        axis of X.
    input_shape : tuple of int, default=None
        The shape of one row, where `augmentation` needs to know it and `estimator` does not tell.
    kind : {"auto", "vector", "image", "series"}, default="auto"
        Kind of a row, where neither its shape nor `estimator` tells it.
    methods : sequence of {"infonce", "knn"}, default=("infonce", "knn")
        Estimates to compute. Each takes seconds for 10,000 samples of 10 dimensions. In the
        hundreds of dimensions of a hidden layer, "knn" takes minutes and is best left out.
    n_samples : int, default=10_000
        Greatest number of samples to use, at least 32. If there are more, they are drawn at random.
    random_state : int, RandomState or None, default=None
        Seed of the choice of samples, the augmentation, the split and the critic.

    Returns
    -------
    information : Bunch
        The estimates in nats, as floats named "infonce" and "knn", and the greatest values that
        they can have, named "infonce_ceiling" and "knn_ceiling".

    Raises
    ------
    ValueError
        If a method is not known, if there are fewer than 32 samples, if X has no views and none are
        made, or if representations are not finite.

    See Also
    --------
    sklearn.feature_selection.mutual_info_regression : Looks at single features and a target.

    References
    ----------
    van den Oord, Li and Vinyals, "Representation Learning with Contrastive Predictive Coding",
    2018, arXiv 1807.03748.

    Poole et al., "On Variational Bounds of Mutual Information", ICML 2019.

    Kraskov, Stögbauer and Grassberger, "Estimating mutual information", Physical Review E 69, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.evaluation import mutual_information
    >>> Z = np.random.default_rng(0).multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], size=1000)
    >>> found = mutual_information(None, Z[:, :, None], methods=["knn"], random_state=0)
    >>> print(f"{found.knn:.1f} of {-np.log(1 - 0.9**2) / 2:.1f}, at most {found.knn_ceiling:.1f}")
    0.9 of 0.8, at most 5.7
    """
    check_arguments(estimator, X)
    several = isinstance(methods, Iterable) and not isinstance(methods, str)
    methods = list(methods) if several else [methods]
    # A list rather than a set, since the values given may have no hash.
    unknown = [method for method in methods if method not in list(_METHODS)]
    if unknown or not methods:
        raise ValueError(f"methods must be some of {sorted(_METHODS)}; got {methods}.")
    check_one_length(estimator, "mutual_information")
    X = without_groups(estimator, as_rows(X))
    if X.shape[0] < _MIN_SAMPLES:
        raise ValueError(
            f"X has {X.shape[0]} samples, too few to tell dependence from chance: give at least "
            f"{_MIN_SAMPLES}, better thousands."
        )
    seed = seed_of(random_state)
    rows = np.random.default_rng(seed).permutation(X.shape[0])[:n_samples]
    X = _take(X, rows)
    if augmentation is None and has_views(estimator, X.shape):
        X = as_array(X)[:, :2]
    Z = view_representations(estimator, X, augmentation, input_shape, kind, random_state=seed)
    Z = Z.astype(np.float64)
    found = Bunch()
    for method in methods:
        found[method], found[f"{method}_ceiling"] = _METHODS[method](Z[:, 0], Z[:, 1], seed)
    return found


def _take(X, rows: np.ndarray):
    """Take rows in any order from any container."""
    if not hasattr(X, "column_names") and isinstance(source := as_lazy_array(X), LazyArray):
        return source[rows]
    return _safe_indexing(X.tocsr() if hasattr(X, "tocsr") else X, rows)


def _knn(a: np.ndarray, b: np.ndarray, seed: int) -> tuple[float, float]:
    """Return the estimate of Kraskov et al. from the neighbors of each row, and its ceiling."""
    rng = np.random.default_rng(seed)
    # Equal rows, at distance 0, have no density; noise this small adds no information.
    a, b = (
        standard_scaler().fit_transform(z) + _JITTER * rng.standard_normal(z.shape) for z in (a, b)
    )
    both = np.hstack([a, b])
    # One neighbor more, since the first is the row itself.
    radius = cKDTree(both).query(both, k=[_K + 1], p=np.inf)[0][:, 0]
    nearer = np.nextafter(radius, 0)
    # The counts are n + 1, since they include the row itself.
    counts = [cKDTree(z).query_ball_point(z, nearer, p=np.inf, return_length=True) for z in (a, b)]
    found = digamma(_K) + digamma(len(a)) - np.mean(digamma(counts[0]) + digamma(counts[1]))
    # k + 1 rather than k, since the last neighbor is nearer in one of the views.
    return float(found), float(digamma(len(a)) - digamma(_K + 1))


def _infonce(a: np.ndarray, b: np.ndarray, seed: int) -> tuple[float, float]:
    """Return the bound on rows that the critic has not seen, and its ceiling."""
    n = len(a) // 2
    n_fit = n - n // 5
    # The first half is a random half, since rows come in random order.
    a, b = (
        torch.from_numpy(standard_scaler().fit(z[:n]).transform(z)).float().clamp(-10, 10)
        for z in (a, b)
    )
    size = min(_BATCH, len(a) - n)
    with own_modes():
        critic = _train_critic(a[:n_fit], b[:n_fit], a[n_fit:n], b[n_fit:n], seed)
        # 0 is the bound of a critic that gives all pairs the same score, so it is valid too.
        bound = 0.0 if critic is None else max(_bound(critic, a[n:], b[n:], size), 0.0)
    return bound, math.log(size)


def _train_critic(
    a: Tensor, b: Tensor, a_valid: Tensor, b_valid: Tensor, seed: int
) -> nn.ModuleList | None:
    """Return the networks that were best on the validation rows; None if no better than chance."""
    with isolated_random_state(seed, torch.device("cpu")):
        sizes = (a.shape[1], _HIDDEN, _HIDDEN, _FEATURES)
        critic = nn.ModuleList(nn.Sequential(*dense_layers(sizes)) for _ in range(2))
    # It starts with the same score for all pairs, a bound of 0, and must get better than that.
    nn.init.zeros_(critic[1][-1].weight)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(critic.parameters(), lr=1e-3, weight_decay=1.0, fused=True)
    size = min(_TRAIN_BATCH, len(a))
    best, best_bound, best_step = None, 0.0, 0
    for step in range(1, _MAX_STEPS + 1):
        rows = torch.randint(len(a), (size,), generator=generator)
        optimizer.zero_grad()
        _loss(critic, a[rows], b[rows]).backward()
        optimizer.step()
        if step % _CHECK_EVERY == 0:
            bound = _bound(critic, a_valid, b_valid, min(_BATCH, len(a_valid)))
            if bound > best_bound:
                best, best_bound, best_step = copy.deepcopy(critic), bound, step
            elif step - best_step >= _PATIENCE * _CHECK_EVERY:
                break
    return best


def _loss(critic: nn.ModuleList, a: Tensor, b: Tensor) -> Tensor:
    """Compute the cross-entropy of finding the other view of each row, in both directions."""
    scores = critic[0](a) @ critic[1](b).T / math.sqrt(_FEATURES)
    own = torch.arange(len(a))
    return (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2


@torch.no_grad()
def _bound(critic: nn.ModuleList, a: Tensor, b: Tensor, size: int) -> float:
    """Compute the mean bound over batches; the last batch reaches back to be full."""
    starts = [min(start, len(a) - size) for start in range(0, len(a), size)]
    losses = [_loss(critic, a[i : i + size], b[i : i + size]).item() for i in starts]
    return math.log(size) - float(np.mean(losses))


_METHODS = {"infonce": _infonce, "knn": _knn}
