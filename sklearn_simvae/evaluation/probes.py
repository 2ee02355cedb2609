"""Accuracy of probes, which predict content (the class labels) from a representation."""

from collections.abc import Iterable, Mapping

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import (
    accuracy_score,
    adjusted_rand_score,
    normalized_mutual_info_score,
    recall_score,
)
from sklearn.metrics.cluster import contingency_matrix
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_array, check_consistent_length

from sklearn_simvae.evaluation.probe_models import fit_probe
from sklearn_simvae.evaluation.representations import (
    check_arguments,
    first_part,
    representations,
    standard_scaler,
)
from sklearn_simvae.evaluation.splits import (
    Split,
    check_classes,
    check_labels,
    check_probes,
    check_seeds,
    check_sizes,
    check_test_classes,
    check_train_classes,
    make_splits,
)
from sklearn_simvae.evaluation.table import ResultTable

PROBES = ("linear", "mlp", "knn", "gmm")

# Rows for the fit of the mixture, and the widest representation with full covariances.
_GMM_ROWS = 20_000
_GMM_FULL = 32


def probe(
    estimator,
    X,
    y,
    *,
    X_test=None,
    y_test=None,
    groups=None,
    probes: str | Iterable[str] | Mapping[str, object] = PROBES,
    test_size: float = 0.2,
    validation_size: float = 0.2,
    n_repeats: int = 3,
    random_state=None,
    n_jobs: int | None = None,
) -> ResultTable:
    """Measure how well class labels are predicted from representations.

    A fitted transformer transforms the rows once. Each repeat splits them anew into train,
    validation and test rows. The probe is fitted on the train rows with each of its settings, and
    the setting that is most accurate on the validation rows is chosen. The probe is then fitted on
    both parts and scored on the test rows, which have no other use.

    "linear" is a logistic regression, "mlp" is a network with one hidden layer of 128 units, and
    "knn" is the vote of the nearest neighbors, all on standardized representations. "gmm" sees no
    labels: it is a Gaussian mixture with as many components as there are classes, and its clusters
    of the test rows are compared with the classes.

    Parameters
    ----------
    estimator : fitted transformer, None or "passthrough"
        Any transformer with `transform`; it is not fitted again. None and "passthrough" take X as
        representations.
    X : array-like of shape (n, ...)
        Rows that `estimator` transforms.
    y : array-like of shape (n,)
        The class of each row.
    X_test : array-like of shape (n_test, ...), default=None
        Test rows for all repeats. None splits them off X.
    y_test : array-like of shape (n_test,), default=None
        The class of each test row.
    groups : array-like of shape (n,), default=None
        The group of each row. Rows of one group, e.g. the letters of a typeface, stay in one part
        of each split. Splits are stratified by class only if no groups are given.
    probes : sequence of str, or dict of str to str or classifier, default=("linear", "mlp", \
"knn", "gmm")
        Names of the probes. In a dict, each value is one of those names or a classifier of your
        own. A clone of it is fitted, with its settings, on the train and validation rows together.
    test_size : float, default=0.2
        Share of the rows, or of the groups, to test on.
    validation_size : float, default=0.2
        Share of the other rows, or groups, to choose settings on.
    n_repeats : int, default=3
        Number of splits.
    random_state : int, RandomState or None, default=None
        Seed of the splits and the probes.
    n_jobs : int, default=None
        Number of probes to fit at a time, as in scikit-learn. Results do not depend on it.

    Returns
    -------
    table : ResultTable
        Rows with the columns "probe", "metric", "seed" (of the repeat), "value" and "setting" (the
        one that was chosen). The metrics of classifiers are "accuracy" and "balanced_accuracy". The
        metrics of "gmm" are "accuracy" with the best matching of clusters and classes, "nmi" and
        "ari". All are at most 1; higher is better.

    Raises
    ------
    ValueError
        If lengths differ, if `y` is continuous or has one class, if `y_test` has classes that `y`
        does not have, if a class has too few rows to be in every part, or if a parameter is out of
        range.

    See Also
    --------
    style_probe : Measures how well style is predicted.

    References
    ----------
    Bizeul, Schölkopf and Allen, "A probabilistic model behind self-supervised learning", TMLR
    2024, which measures content by such probes.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_simvae.evaluation import probe
    >>> X, y = load_iris(return_X_y=True)
    >>> table = probe(PCA(2).fit(X), X, y, probes=["linear", "knn"], random_state=0)
    >>> bool(table.mean(probe="linear", metric="accuracy") > 0.9)
    True
    """
    check_arguments(estimator, X)
    named = check_probes(probes, PROBES)
    check_sizes(test_size=test_size, validation_size=validation_size)
    if (X_test is None) != (y_test is None):
        raise ValueError("X_test and y_test must be given together, or neither; got one of them.")
    y = check_classes(y, "y")
    check_consistent_length(first_part(X), y)
    n = len(y)
    if y_test is not None:
        y_test = check_test_classes(y_test, y, "y")
        check_consistent_length(first_part(X_test), y_test)
    splits = make_splits(
        n,
        check_seeds(n_repeats, random_state),
        test_size=test_size,
        validation_size=validation_size,
        classes=y,
        groups=groups,
        n_test=0 if y_test is None else len(y_test),
    )
    check_train_classes(y, splits, "y")

    Z = features(estimator, X, X_test)
    y = y if y_test is None else np.concatenate([y, y_test])
    jobs = [(name, value, seed, split) for seed, split in splits for name, value in named.items()]
    results = Parallel(n_jobs=n_jobs)(
        delayed(_read)(value, Z, y, split, seed) for _, value, seed, split in jobs
    )
    return ResultTable(
        {"probe": name, "metric": metric, "seed": seed, "value": value, "setting": setting}
        for (name, _, seed, _), (values, setting) in zip(jobs, results, strict=True)
        for metric, value in values.items()
    )


def clustering_accuracy(y_true, clusters) -> float:
    r"""Accuracy of clusters, after the best matching of clusters and classes.

    .. math:: \max_\pi \frac{1}{n} \sum_{i=1}^n 1[y_i = \pi(c_i)]

    where :math:`\pi` gives each cluster a class of its own. If there are more clusters than
    classes, the rows of clusters without a class count as errors. If there are more classes than
    clusters, the rows of classes without a cluster do.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Class of each row: a number, boolean or string.
    clusters : array-like of shape (n,)
        Cluster of each row: a number, boolean or string.

    Returns
    -------
    accuracy : float
        A number above 0 and at most 1.

    Raises
    ------
    ValueError
        If lengths differ, there are no rows, or a class or cluster is missing.

    References
    ----------
    Kuhn, "The Hungarian method for the assignment problem", Naval Research Logistics Quarterly,
    1955.

    Examples
    --------
    >>> from sklearn_simvae.evaluation import clustering_accuracy
    >>> clustering_accuracy(["a", "a", "b", "b"], [7, 7, 3, 7])
    0.75
    """
    y_true, clusters = check_labels(y_true, "y_true"), check_labels(clusters, "clusters")
    check_consistent_length(y_true, clusters)
    if len(y_true) == 0:
        raise ValueError("y_true and clusters have no rows; there is nothing to match.")
    counts = contingency_matrix(y_true, clusters)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(y_true))


def _read(probe, Z, y, split: Split, seed: int) -> tuple[dict[str, float], str]:
    """Return the metrics of a probe on the test rows, and its setting."""
    if isinstance(probe, str) and probe == "gmm":
        return _cluster(Z, y, split, seed)
    model, setting = fit_probe(probe, Z, y, split, seed)
    test = split[2]
    return class_scores(y[test], model.predict(Z[test])), setting


def _cluster(Z, y, split: Split, seed: int) -> tuple[dict[str, float], str]:
    """Compare the clusters of a mixture, fitted without labels, with the classes."""
    train, validation, test = split
    rows = np.random.default_rng(seed).permutation(np.concatenate([train, validation]))[:_GMM_ROWS]
    gmm = GaussianMixture(
        min(len(np.unique(y)), len(rows)),
        covariance_type="full" if Z.shape[1] <= _GMM_FULL else "diag",
        # Keeps the covariances of constant and of repeated features from being singular.
        reg_covar=1e-3,
        n_init=10,
        random_state=seed,
    )
    # Covariances of nearly dependent features need double precision.
    model = make_pipeline(standard_scaler(), gmm).fit(Z[rows].astype(np.float64))
    clusters = model.predict(Z[test].astype(np.float64))
    values = {
        "accuracy": clustering_accuracy(y[test], clusters),
        "nmi": float(normalized_mutual_info_score(y[test], clusters)),
        "ari": float(adjusted_rand_score(y[test], clusters)),
    }
    return values, f"covariance_type={gmm.covariance_type}"


def class_scores(y_true: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Compute the accuracy over rows and over classes.

    Parameters
    ----------
    y_true : ndarray of shape (n,)
        Classes.
    predicted : ndarray of shape (n,)
        Predicted classes.

    Returns
    -------
    scores : dict of str to float
        The "accuracy", and the "balanced_accuracy", which is its mean over the classes in `y_true`.
    """
    # balanced_accuracy_score is the same but warns of predictions that are no class of y_true.
    balanced = recall_score(y_true, predicted, labels=np.unique(y_true), average="macro")
    return {
        "accuracy": float(accuracy_score(y_true, predicted)),
        "balanced_accuracy": float(balanced),
    }


def features(estimator, X, X_test=None) -> np.ndarray:
    """Compute the representations of the rows of X, and below them those of X_test.

    Parameters
    ----------
    estimator : fitted transformer, None or "passthrough"
        Same as in :func:`~sklearn_simvae.evaluation.representations.representations`.
    X : array-like of shape (n, ...)
        Rows.
    X_test : array-like of shape (n_test, ...), default=None
        More rows.

    Returns
    -------
    Z : ndarray of shape (n + n_test, n_features)
        The representations, float32 unless that would lose what tells rows apart.

    Raises
    ------
    ValueError
        If a representation is not finite in float32, or if their number is not that of the rows.
    """
    parts = [representations(estimator, rows) for rows in (X, X_test) if rows is not None]
    for rows, Z in zip((X, X_test), parts, strict=False):
        check_consistent_length(first_part(rows), Z)
    if len({Z.shape[1] for Z in parts}) > 1:
        raise ValueError(
            f"X gives representations of {parts[0].shape[1]} features and X_test of "
            f"{parts[1].shape[1]}. Give rows of the same kind."
        )
    Z = np.concatenate(parts)
    if Z.dtype == np.float64 and not _differ_in_float32(Z):
        return Z
    return check_array(Z, dtype=np.float32, input_name="representations")


def _differ_in_float32(Z: np.ndarray) -> bool:
    """Tell whether features vary by far more than the rounding of float32."""
    size, spread = np.abs(Z).max(0), np.ptp(Z, axis=0)
    varies = spread > 10 * np.finfo(np.float64).eps * size
    # Smaller numbers lose digits in float32, or become 0.
    size = np.maximum(size, np.finfo(np.float32).tiny)
    return bool(np.all(spread[varies] > 1e4 * np.finfo(np.float32).eps * size[varies]))
