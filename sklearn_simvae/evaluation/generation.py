"""Quality of reconstructions and of generated data."""

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
    check_one_length,
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
    """Mean squared error between rows and their reconstructions.

    Parameters
    ----------
    estimator : fitted transformer
        Transformer with `transform` and `inverse_transform`, such as PCA, SimVAE, or a Pipeline of
        such transformers.
    X : array-like of shape (n, ...)
        Rows, without a views axis.
    multioutput : {"uniform_average", "raw_values", "samples"}, default="uniform_average"
        Errors to return: the mean over all values, one for each feature, or one for each row.

    Returns
    -------
    error : float or ndarray of shape (n_features,) or (n,)
        Error in squared units of X. Pixels of uint8 count as values from 0 to 1 if the estimator
        was fitted on such pixels. An image has as many features as it has values. A multinomial
        likelihood decodes to shares, which are multiplied by the sum of the counts in the row.

    Raises
    ------
    ValueError
        If `estimator` has no `inverse_transform`, or its reconstructions differ in size from X.

    See Also
    --------
    frechet_distance : Measures generated data, which belong to no row of X.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_simvae.evaluation import reconstruction_error
    >>> X = [[1.0, 0.0], [-1.0, 0.0], [0.0, 0.5], [0.0, -0.5]]
    >>> reconstruction_error(PCA(1).fit(X), X, multioutput="raw_values").round(3)
    array([0.   , 0.125])
    """
    check_one_length(estimator, "reconstruction_error")
    X = without_groups(estimator, as_rows(X))
    for method in ("transform", "inverse_transform"):
        if not hasattr(estimator, method):
            raise ValueError(
                f"estimator must have transform and inverse_transform, in a Pipeline each of its "
                f"steps; got {type(estimator).__name__} without {method}."
            )
    if any(getattr(step, "representation", None) == "hidden" for step in steps_of(estimator)):
        raise ValueError(
            "estimator has representation='hidden', whose activations cannot be decoded. Set "
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
    r"""Fréchet distance between real and generated data, in the features of a classifier.

    With :math:`m` the mean and :math:`S` the covariance of the features of each of the two,

    .. math:: \lVert m_1 - m_2 \rVert^2
        + \mathrm{tr} \left( S_1 + S_2 - 2 (S_1 S_2)^{1/2} \right)

    With the features of an Inception network this is known as FID. Compare only values that were
    computed with the same classifier and the same numbers of rows: with few rows, the estimates of
    the covariances make the distance too large.

    Parameters
    ----------
    X : array-like of shape (n, ...)
        Real data.
    X_generated : array-like of shape (m, ...)
        Generated data, on the scale of X.
    classifier : callable or fitted estimator
        Source of the features, of shape (n, n_features). A callable maps data to features. An
        MLPClassifier, or a Pipeline that ends in one, gives its last hidden layer. Any other
        estimator gives `transform`, `decision_function` or the logarithm of `predict_proba`, the
        first of these that it has. Images are flattened for an estimator that was fitted on rows of
        as many features.

    Returns
    -------
    distance : float
        Distance in squared units of the features; 0 if the means and covariances are the same.

    Raises
    ------
    ValueError
        If either has less than two rows, if features are not finite, or if `classifier` gives none.

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
    # The eigenvalues of S1 S2 are the squares of these singular values, which lose no digits.
    overlap = np.linalg.norm(root_1 @ root_2.T, ord="nuc")
    spread = np.square(root_1).sum() + np.square(root_2).sum() - 2 * overlap
    return float(np.square(mean_1 - mean_2).sum() + max(spread, 0.0))


def _moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean, and a root R of the covariance, which is R' R."""
    mean = features.mean(0)
    return mean, np.linalg.qr((features - mean) / np.sqrt(len(features) - 1), mode="r")


def _features(classifier, X, name: str) -> np.ndarray:
    """Return the features of X in the classifier, as float64 of shape (n, n_features)."""
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
        # For two classes, `decision_function` returns one dimension.
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
    """Return the activations, of shape (n, hidden_layer_sizes[-1])."""
    check_is_fitted(mlp)
    features = validate_data(mlp, X, reset=False, accept_sparse="csr")
    for weights, bias in zip(mlp.coefs_[:-1], mlp.intercepts_[:-1], strict=True):
        features = _ACTIVATIONS[mlp.activation](features @ weights + bias)
    return features


def _reads_pixels(estimator) -> bool:
    """Tell whether it was fitted on uint8 pixels, which it takes for values from 0 to 1."""
    layouts = (step.layout_ for step in steps_of(estimator) if hasattr(step, "layout_"))
    return any(layout.pixels for layout in layouts)


def _scale(estimator, X: np.ndarray) -> float:
    """Return the value that the estimator reads as 1: 255 for pixels, which it scales to [0, 1]."""
    return 255.0 if X.dtype == np.uint8 and _reads_pixels(estimator) else 1.0


def _decode(estimator, X) -> ArrayLike:
    """Reconstruct rows; shares, which sum to 1 in a row, become counts with the sum of that row."""
    steps = steps_of(estimator)
    likelihoods = [getattr(getattr(s, "module_", None), "likelihood", None) for s in steps]
    likelihoods = [getattr(likelihood, "name", None) for likelihood in likelihoods]
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
    """Raise where one holds pixels from 0 to 255 and the other values from 0 to 1, as decoded."""
    pixels = [getattr(x, "dtype", None) == np.uint8 for x in (X, X_generated)]
    if pixels[0] == pixels[1] or not hasattr(classifier, "predict") or _reads_pixels(classifier):
        return
    bytes_, others = (X, X_generated) if pixels[0] else (X_generated, X)
    if np.max(bytes_) > 1 and np.max(others) <= 1:
        names = ("X", "X_generated") if pixels[0] else ("X_generated", "X")
        raise ValueError(
            f"{names[0]} is uint8 up to {np.max(bytes_)}, {names[1]} is at most 1: they differ in "
            f"scale. Divide {names[0]} by 255 if classifier was fitted on values from 0 to 1."
        )
