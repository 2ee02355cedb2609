"""Accuracy of probes that predict style, all that is not content, from a representation."""

from collections.abc import Iterable, Mapping

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import r2_score
from sklearn.utils.parallel import Parallel, delayed

from sklearn_simvae.evaluation.augmented import augmented_rows
from sklearn_simvae.evaluation.factors import check_factors, check_test_factors, is_numeric
from sklearn_simvae.evaluation.probe_models import fit_probe
from sklearn_simvae.evaluation.probes import class_scores, features
from sklearn_simvae.evaluation.representations import check_arguments
from sklearn_simvae.evaluation.splits import (
    Split,
    check_parts_differ,
    check_probes,
    check_seeds,
    check_sizes,
    check_train_classes,
    make_splits,
)
from sklearn_simvae.evaluation.table import ResultTable
from sklearn_simvae.views.augmentation import Augmentation

PROBES = ("linear", "mlp", "knn")


def style_probe(
    estimator,
    X,
    factors=None,
    *,
    augmentation=None,
    input_shape: tuple[int, ...] | None = None,
    kind: str = "auto",
    X_test=None,
    factors_test=None,
    groups=None,
    probes: str | Iterable[str] | Mapping[str, object] = ("linear", "mlp"),
    test_size: float = 0.2,
    validation_size: float = 0.2,
    n_repeats: int = 3,
    random_state=None,
    n_jobs: int | None = None,
) -> ResultTable:
    r"""Measure how well factors of style are predicted from representations.

    The factors are known properties of each row, such as position, size and color. Or each row is
    augmented, and the factors are what the augmentation drew, e.g. where it cropped. A
    representation that is trained to ignore the augmentation should know nothing of this style.

    Rows are split, settings chosen and probes scored as in :func:`probe`. A factor of floats is
    predicted by regression, whose metric on the test rows is

    .. math:: R^2 = 1 - \frac{\sum_i (s_i - \hat s_i)^2}{\sum_i (s_i - \bar s)^2}

    It is 1 for a factor that is predicted without error, and about 0 or below for a factor that the
    representation does not hold. All such factors are predicted at once, with the one setting that
    is best on the average of their :math:`R^2`. A factor of strings, booleans, integers or
    categories is predicted by classification.

    Parameters
    ----------
    estimator : fitted transformer, None or "passthrough"
        Any transformer with `transform`; it is not fitted again. None and "passthrough" take X as
        representations.
    X : array-like of shape (n, ...)
        Rows that `estimator` transforms; without a views axis if they are augmented.
    factors : dict of str to array-like of shape (n,), DataFrame, or array-like, default=None
        The factors by name; or one factor of shape (n,), named "style"; or factors in the columns
        of an array of shape (n, n_factors), named "0", "1", and so on. None takes the factors of an
        augmentation.
    augmentation : augmentation of the package or "auto", default=None
        Augmentation that makes one augmented copy of each row and tells the factors that it drew.
        None is "auto", the augmentation of the estimators, if there are no factors.
    input_shape : tuple of int, default=None
        The shape of one row, where the augmentation needs to know it and `estimator` does not tell.
    kind : {"auto", "vector", "image", "series"}, default="auto"
        Kind of a row, where neither its shape nor `estimator` tells it.
    X_test : array-like of shape (n_test, ...), default=None
        Test rows for all repeats. None splits them off X.
    factors_test : as `factors`, default=None
        Factors of the test rows, in the same form.
    groups : array-like of shape (n,), default=None
        The group of each row. Rows of one group stay in one part of each split.
    probes : sequence of str, or dict of str to str or estimator, default=("linear", "mlp")
        Some of "linear" (ridge or logistic regression), "mlp" and "knn". In a dict, each value is
        one of those names or an estimator of your own: a classifier for classes, a regressor for
        numbers. Clones of it are fitted, with its settings, on the train and validation rows
        together.
    test_size : float, default=0.2
        Share of the rows, or of the groups, to test on.
    validation_size : float, default=0.2
        Share of the other rows, or groups, to choose settings on.
    n_repeats : int, default=3
        Number of splits.
    random_state : int, RandomState or None, default=None
        Seed of the augmentation, the splits and the probes.
    n_jobs : int, default=None
        Number of probes to fit at a time, as in scikit-learn. Results do not depend on it.

    Returns
    -------
    table : ResultTable
        Rows with the columns "factor", "probe", "metric", "seed" (of the repeat), "value" and
        "setting" (the one that was chosen). The metric of regressions is "r2", and a factor "mean"
        has its mean over all factors. The metrics of classifications are "accuracy",
        "balanced_accuracy" and "chance_accuracy", which is the accuracy of always guessing the
        class that is most frequent in training.

    Raises
    ------
    ValueError
        If lengths or names of factors differ, if an augmentation does not tell what it drew, if a
        factor is predicted by no probe or has no variance in a part of a split, if there are too
        few rows, or if a parameter is out of range.

    Warns
    -----
    UserWarning
        If a factor is left out because it is the same for all rows of X.

    See Also
    --------
    probe : Measures how well classes are predicted.

    References
    ----------
    Bizeul, Schölkopf and Allen, "A probabilistic model behind self-supervised learning", TMLR
    2024, which defines content and style in this way.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.evaluation import style_probe
    >>> rng = np.random.default_rng(0)
    >>> angle, weight = rng.uniform(size=(2, 200))
    >>> Z = np.column_stack([np.cos(angle), np.sin(angle)])
    >>> factors = {"angle": angle, "weight": weight}
    >>> table = style_probe(None, Z, factors, probes=["linear"], random_state=0)
    >>> bool(table.mean(factor="angle") > 0.9), bool(table.mean(factor="weight") < 0.1)
    (True, True)
    """
    check_arguments(estimator, X)
    named = check_probes(probes, PROBES, lambda model: is_classifier(model) or is_regressor(model))
    check_sizes(test_size=test_size, validation_size=validation_size)
    seeds = check_seeds(n_repeats, random_state)
    if factors is None:
        _check_augmentation(augmentation, factors_test)
        how = ("auto" if augmentation is None else augmentation, input_shape, kind)
        X, factors = augmented_rows(X, *how, [seeds[0], 0], estimator)
        if X_test is not None:
            X_test, factors_test = augmented_rows(X_test, *how, [seeds[0], 1], estimator)
    else:
        _check_given(augmentation, X_test, factors_test)
    factors = check_factors(factors, X)
    tested = None if X_test is None else check_test_factors(factors_test, X_test, factors)
    n = len(next(iter(factors.values())))
    splits = make_splits(
        n,
        seeds,
        test_size=test_size,
        validation_size=validation_size,
        groups=groups,
        n_test=0 if tested is None else len(next(iter(tested.values()))),
    )
    if tested is not None:
        factors = {name: np.concatenate([values, tested[name]]) for name, values in factors.items()}
    _check_varied(factors, splits)
    targets = _targets(factors)
    _check_read(targets, named)
    jobs = [
        (names, y, name, value, seed, split)
        for seed, split in splits
        for names, y in targets
        for name, value in named.items()
        if _reads(value, y)
    ]
    Z = features(estimator, X, X_test)
    results = Parallel(n_jobs=n_jobs)(
        delayed(_read)(value, Z, names, y, split, seed) for names, y, _, value, seed, split in jobs
    )
    return _table(jobs, results)


def _table(jobs: list[tuple], results: list[tuple]) -> ResultTable:
    """Return the values of all jobs, one row for each factor and metric."""
    return ResultTable(
        {
            "factor": factor,
            "probe": name,
            "metric": metric,
            "seed": seed,
            "value": value,
            "setting": setting,
        }
        for (_, _, name, _, seed, _), (values, setting) in zip(jobs, results, strict=True)
        for factor, metric, value in values
    )


def _read(probe, Z, names: list[str], y, split: Split, seed: int) -> tuple[list[tuple], str]:
    """Return factor, metric and value on the test rows for each target, and the setting."""
    model, setting = fit_probe(probe, Z, y, split, seed)
    train, validation, test = split
    predicted = model.predict(Z[test])
    if y.ndim == 2:
        scores = r2_score(y[test], predicted.reshape(len(test), -1), multioutput="raw_values")
        values = [(name, "r2", float(r2)) for name, r2 in zip(names, scores, strict=True)]
        return [*values, ("mean", "r2", float(np.mean(scores)))], setting
    seen, counts = np.unique(y[np.concatenate([train, validation])], return_counts=True)
    scores = class_scores(y[test], predicted)
    scores["chance_accuracy"] = float(np.mean(y[test] == seen[counts.argmax()]))
    return [(names[0], metric, value) for metric, value in scores.items()], setting


def _reads(probe, y: np.ndarray) -> bool:
    """Tell whether a probe is of the kind that a target needs."""
    return isinstance(probe, str) or (is_regressor(probe) if y.ndim == 2 else is_classifier(probe))


def _targets(factors: dict[str, np.ndarray]) -> list[tuple[list[str], np.ndarray]]:
    """Return all numeric factors as columns of one array, and each of the others by itself."""
    numeric = [name for name, values in factors.items() if is_numeric(values)]
    targets = [([name], values) for name, values in factors.items() if name not in numeric]
    if numeric:
        targets.insert(0, (numeric, np.column_stack([factors[name] for name in numeric])))
    return targets


def _check_varied(factors: dict[str, np.ndarray], splits) -> None:
    """Raise if a factor is the same in all rows of a part of a split where it must differ."""
    for name, values in factors.items():
        check = check_parts_differ if is_numeric(values) else check_train_classes
        check(values, splits, f"the factor {name!r}")


def _check_read(targets: list[tuple[list[str], np.ndarray]], probes: dict[str, object]) -> None:
    """Raise if a target has no probe of its kind."""
    unread = [names for names, y in targets if not any(_reads(v, y) for v in probes.values())]
    if unread:
        raise ValueError(
            f"No probe predicts the factors {unread[0]}. Numbers need a regressor and classes a "
            f"classifier among probes, or one of {list(PROBES)}, which do both."
        )


def _check_augmentation(augmentation, factors_test) -> None:
    """Raise if an augmentation does not tell what it draws."""
    if factors_test is not None:
        raise ValueError("factors_test was given without factors. Give both, or neither.")
    automatic = isinstance(augmentation, str) and augmentation == "auto"
    if not (augmentation is None or automatic or isinstance(augmentation, Augmentation)):
        raise ValueError(
            f"augmentation must be 'auto' or one of sklearn_simvae.views.augmentation, which tell "
            f"what they drew; got {augmentation!r}. Augment the rows yourself, and give what was "
            "done to them as factors."
        )


def _check_given(augmentation, X_test, factors_test) -> None:
    """Raise if factors come with an augmentation, or with test rows without factors."""
    if augmentation is not None:
        raise ValueError(
            "factors and augmentation were both given, but the factors of augmented rows are what "
            "the augmentation drew. Give one of them."
        )
    if (X_test is None) != (factors_test is None):
        raise ValueError(
            "X_test and factors_test must be given together, or neither; got one of them."
        )
