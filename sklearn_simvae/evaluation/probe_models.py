"""Models of the probes, fitted with the setting that is best on validation rows."""

import math
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from sklearn_simvae.evaluation.representations import standard_scaler
from sklearn_simvae.evaluation.splits import Split

_N_NEIGHBORS = (1, 5, 15, 50)
_MLP_STEPS = 2000


def fit_probe(probe, Z: np.ndarray, y: np.ndarray, split: Split, seed: int) -> tuple[object, str]:
    """Choose the setting of a probe on the validation rows, and fit it on those and the train rows.

    Parameters
    ----------
    probe : {"linear", "mlp", "knn"}, classifier or regressor
        Name of a built-in probe, or an estimator of the user, which is cloned and fitted as it is.
    Z : ndarray of shape (n, n_features)
        Representations.
    y : ndarray of shape (n,) or (n, n_targets)
        Classes of shape (n,), or numbers of shape (n, n_targets), predicted by regression.
    split : tuple of three ndarrays of int
        Train, validation and test rows. The test rows are not used.
    seed : int
        Seed of the probe.

    Returns
    -------
    model : estimator
        The fitted probe; its predictions have the shape of `y`, or (n,) for a single target.
    setting : str
        The setting that was chosen, e.g. "n_neighbors=15"; empty for an estimator of the user.
    """
    train, validation, _ = split
    rows = np.concatenate([train, validation])
    regression = y.ndim == 2
    # scikit-learn wants a single target as an array of one dimension.
    y = y[:, 0] if regression and y.shape[1] == 1 else y
    if not isinstance(probe, str):
        model = _seeded(clone(probe), seed)
        takes = get_tags(model).target_tags
        if y.ndim == 2 and not takes.multi_output:
            model = MultiOutputRegressor(model)
        if regression and not takes.single_output:
            y = y.reshape(len(y), -1)
        return model.fit(Z[rows], y[rows]), ""

    model, grid = _built_in(probe, len(train), seed, regression)
    prefix = "probe"
    if regression:
        model = TransformedTargetRegressor(model, transformer=standard_scaler())
        prefix = "probe__regressor"
    search = GridSearchCV(
        Pipeline([("scale", standard_scaler()), ("probe", model)]),
        {f"{prefix}__{name}": values for name, values in grid.items()},
        scoring="r2" if regression else "accuracy",
        cv=PredefinedSplit(np.repeat([-1, 0], [len(train), len(validation)])),
        error_score="raise",
    )
    with warnings.catch_warnings():
        if probe == "mlp":
            # The number of steps is limited on purpose.
            warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(Z[rows], y[rows])
    chosen = search.best_params_.items()
    return search, ", ".join(f"{name.rpartition('__')[2]}={value:g}" for name, value in chosen)


def _built_in(name: str, n_train: int, seed: int, regression: bool) -> tuple[object, dict]:
    """Return a probe, and the settings to choose from."""
    if name == "linear":
        if regression:
            # This solver copes with features that nearly depend on each other.
            return Ridge(solver="svd"), {"alpha": (1e-2, 1, 100)}
        return LogisticRegression(max_iter=1000), {"C": (1e-2, 1, 100)}
    if name == "knn":
        knn = KNeighborsRegressor() if regression else KNeighborsClassifier()
        return knn, {"n_neighbors": [k for k in _N_NEIGHBORS if k <= n_train]}
    batch_size = min(500, n_train)
    mlp = (MLPRegressor if regression else MLPClassifier)(
        hidden_layer_sizes=(128,),
        batch_size=batch_size,
        learning_rate_init=2e-3,
        max_iter=max(30 if regression else 20, math.ceil(_MLP_STEPS * batch_size / n_train)),
        random_state=seed,
    )
    return mlp, {"alpha": (1e-4, 1e-2)}


def _seeded(model, seed: int):
    """Set a seed in a clone wherever it would draw one."""
    params = model.get_params()
    for value in params.values():
        # The splitter of a search has no `set_params`.
        if hasattr(value, "split") and getattr(value, "random_state", seed) is None:
            value.random_state = seed
    unset = [
        name
        for name, value in params.items()
        if value is None and (name == "random_state" or name.endswith("__random_state"))
    ]
    return model.set_params(**dict.fromkeys(unset, seed))
