"""How good reconstructions and generated data are."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.neural_network import MLPClassifier
from sklearn.utils._param_validation import StrOptions, validate_params
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from sklearn_simvae.evaluation.representations import (
    as_array,
    as_rows,
    check_size,
    steps_of,
    without_groups,
)
from sklearn_simvae.views.rows import tensor_to_array

# A probability of exactly 0 has no logarithm.
_MIN_PROBABILITY = 1e-7

_ACTIVATIONS = {
    "identity": lambda a: a,
    "logistic": expit,
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
}


@validate_params(
    {"multioutput": [StrOptions({"uniform_average", "raw_values", "samples"})]},
    prefer_skip_nested_validation=False,
)
def reconstruction_error(
    estimator, X, *, multioutput: str = "uniform_average"
) -> float | np.ndarray:
    """Mean squared error of rows that are represented and decoded again.

    Parameters
    ----------
    estimator : fitted transformer
        With `transform` and `inverse_transform`: PCA, SimVAE, a Pipeline of such.
    X : array-like of shape (n, ...)
        Rows, without a views axis.
    multioutput : {"uniform_average", "raw_values", "samples"}, default="uniform_average"
        The mean of all, one error for each feature, or one for each row.

    Returns
    -------
    error : float or ndarray of shape (n_features,) or (n,)
        In squared units of X. uint8 pixels count from 0 to 1 where the estimator was fitted on
        such; images have as many features as a flattened one. Shares, which a multinomial
        likelihood decodes to, stand for as many counts as there are in the row.

    Raises
    ------
    ValueError
        If `estimator` has no `inverse_transform`, or gives back rows of another size.

    See Also
    --------
    frechet_distance : For generated data, that belong to no row.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_simvae.evaluation import reconstruction_error
    >>> X = [[1.0, 0.0], [-1.0, 0.0], [0.0, 0.5], [0.0, -0.5]]
    >>> reconstruction_error(PCA(1).fit(X), X, multioutput="raw_values").round(3)
    array([0.   , 0.125])
    """
    X = without_groups(estimator, as_rows(X))
    for method in ("transform", "inverse_transform"):
        if not hasattr(estimator, method):
            raise ValueError(
                f"estimator must have transform and inverse_transform, in a Pipeline each of its "
                f"steps; got {type(estimator).__name__} without {method}."
            )
    if any(getattr(step, "representation", None) == "hidden" for step in steps_of(estimator)):
        raise ValueError(
            "estimator has representation='hidden', whose activations are nothing to decode. Set "
            "representation='latent'."
        )
    decoded = _decode(estimator, X)
    X, decoded = (np.asarray(z.toarray() if hasattr(z, "toarray") else z) for z in (X, decoded))
    if X.size != decoded.size:
        raise ValueError(
            f"X has the shape {X.shape}, and {type(estimator).__name__} gives back "
            f"{decoded.shape}. Give rows without a views axis, one view of each sample."
        )
    X = X.reshape(len(X), -1).astype(np.float64) / _scale(estimator, X)
    decoded = decoded.reshape(len(X), -1).astype(np.float64)
    squared = np.square(X - decoded)
    if not np.isfinite(squared).all():
        raise ValueError(
            "Squared errors are not finite: X holds NaN, or numbers whose squares overflow. Impute "
            "or scale the data first."
        )
    if multioutput == "uniform_average":
        return float(squared.mean())
    return squared.mean(0 if multioutput == "raw_values" else 1)


def frechet_distance(X, X_generated, classifier: Callable | BaseEstimator) -> float:
    r"""Fréchet distance of real and generated data, in the features of a classifier.

    With :math:`m` and :math:`S` mean and covariance of the features of either,

    .. math:: \lVert m_1 - m_2 \rVert^2
        + \mathrm{tr} \left( S_1 + S_2 - 2 (S_1 S_2)^{1/2} \right)

    With the features of an Inception network this is known as FID. Values compare only with the
    same classifier and the same numbers of rows: covariances of few rows make it too large.

    Parameters
    ----------
    X : array-like of shape (n, ...)
        Real data.
    X_generated : array-like of shape (m, ...)
        Generated data, on the scale of X.
    classifier : callable or fitted estimator
        Gives features of shape (n, n_features): a callable from data to features; the last hidden
        layer of an MLPClassifier or of a Pipeline that ends in one; `transform`,
        `decision_function` or the logarithm of `predict_proba` of any other, the first that it
        has. Images are flattened for an estimator that was fitted on as many features.

    Returns
    -------
    distance : float
        From 0, the same mean and covariance, in squared units of the features.

    Raises
    ------
    ValueError
        If there are less than two rows of either, features are not finite, or `classifier` gives
        none.

    References
    ----------
    Dowson and Landau, "The Fréchet distance between multivariate normal distributions", Journal of
    Multivariate Analysis 12, 1982.

    Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
    Equilibrium", NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_simvae.evaluation import frechet_distance
    >>> X = np.random.default_rng(0).normal(size=(1000, 3))
    >>> round(frechet_distance(X, X + [2, 0, 0], lambda X: X), 3)
    4.0
    """
    X, X_generated = as_rows(X), as_rows(X_generated, "X_generated")
    _check_scale(X, X_generated, classifier)
    real = _features(classifier, X, "X")
    generated = _features(classifier, X_generated, "X_generated")
    if real.shape[1] != generated.shape[1]:
        raise ValueError(
            f"classifier gives {real.shape[1]} features of X, and {generated.shape[1]} of "
            "X_generated. Give data of one shape."
        )
    (mean_1, root_1), (mean_2, root_2) = _moments(real), _moments(generated)
    # The eigenvalues of S1 S2 are the squares of these singular values, without ever squaring.
    overlap = np.linalg.norm(root_1 @ root_2.T, ord="nuc")
    spread = np.square(root_1).sum() + np.square(root_2).sum() - 2 * overlap
    return float(np.square(mean_1 - mean_2).sum() + max(spread, 0.0))


def _moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean, and a root R of the covariance, which is R' R."""
    mean = features.mean(0)
    return mean, np.linalg.qr((features - mean) / np.sqrt(len(features) - 1), mode="r")


def _features(classifier, X, name: str) -> np.ndarray:
    """What the classifier sees in X, float64 of shape (n, n_features)."""
    classifier = getattr(classifier, "best_estimator_", classifier)
    if len(X.shape) > 2 and getattr(classifier, "n_features_in_", None) == math.prod(X.shape[1:]):
        X = X.reshape(len(X), -1)
    *before, last = steps_of(classifier) or [classifier]
    if isinstance(last, MLPClassifier):
        for step in before:
            X = step.transform(X)
        classifier = last
    if isinstance(classifier, MLPClassifier):
        features = _last_hidden_layer(classifier, X)
    elif hasattr(classifier, "transform"):
        features = classifier.transform(X)
    elif hasattr(classifier, "decision_function"):
        features = classifier.decision_function(X)
        # One column of two classes.
        features = features.reshape(len(features), -1)
    elif hasattr(classifier, "predict_proba"):
        features = np.log(np.clip(classifier.predict_proba(X), _MIN_PROBABILITY, None))
    elif callable(classifier):
        features = classifier(X)
    else:
        raise ValueError(
            "classifier must be a callable from data to features, or a fitted estimator with "
            f"transform, decision_function or predict_proba; got {type(classifier).__name__}."
        )
    if hasattr(features, "toarray"):
        features = features.toarray()
    name = f"Features of {name}"
    features = check_array(
        tensor_to_array(features), dtype=np.float64, ensure_min_samples=2, input_name=name
    )
    return check_size(features, name)


def _last_hidden_layer(mlp: MLPClassifier, X) -> np.ndarray:
    """Activations of shape (n, hidden_layer_sizes[-1])."""
    check_is_fitted(mlp)
    features = validate_data(mlp, X, reset=False, accept_sparse="csr")
    for weights, bias in zip(mlp.coefs_[:-1], mlp.intercepts_[:-1], strict=True):
        features = _ACTIVATIONS[mlp.activation](features @ weights + bias)
    return features


def _reads_pixels(estimator) -> bool:
    """Whether it was fitted on uint8 pixels, which it takes for values from 0 to 1."""
    layouts = (step.layout_ for step in steps_of(estimator) if hasattr(step, "layout_"))
    return any(layout.pixels for layout in layouts)


def _scale(estimator, X: np.ndarray) -> float:
    """What stands for 1 in rows: pixels count from 0 to 1, as the estimator reads them."""
    return 255.0 if X.dtype == np.uint8 and _reads_pixels(estimator) else 1.0


def _decode(estimator, X) -> ArrayLike:
    """The rows as they come back; shares, which sum to 1 in a row, as counts of their own row."""
    steps = steps_of(estimator)
    likelihoods = [getattr(getattr(s, "module_", None), "likelihood", None) for s in steps]
    if "multinomial" not in likelihoods:
        return estimator.inverse_transform(estimator.transform(X))
    first = likelihoods.index("multinomial")
    for step in steps[:first]:
        X = step.transform(X)
    counts = as_array(X)
    counts = counts.reshape(len(counts), -1) / _scale(estimator, counts)
    for step in steps[first:]:
        X = step.transform(X)
    for step in reversed(steps[first:]):
        X = step.inverse_transform(X)
    shares = as_array(X)
    X = (shares.reshape(len(counts), -1) * counts.sum(1, keepdims=True)).reshape(shares.shape)
    for step in reversed(steps[:first]):
        X = step.inverse_transform(X)
    return X


def _check_scale(X, X_generated, classifier) -> None:
    """Raise where one is pixels from 0 to 255 and the other from 0 to 1, as decoders give them."""
    pixels = [getattr(x, "dtype", None) == np.uint8 for x in (X, X_generated)]
    if pixels[0] == pixels[1] or not hasattr(classifier, "predict") or _reads_pixels(classifier):
        return
    bytes_, others = (X, X_generated) if pixels[0] else (X_generated, X)
    if np.max(bytes_) > 1 and np.max(others) <= 1:
        names = ("X", "X_generated") if pixels[0] else ("X_generated", "X")
        raise ValueError(
            f"{names[0]} is uint8 up to {np.max(bytes_)}, {names[1]} is at most 1: they differ in "
            f"scale. Divide {names[0]} by 255, if that is what classifier was fitted on."
        )
