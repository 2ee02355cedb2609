"""Access to the estimator of this package in a search or a pipeline that the user passes."""

import sys

import numpy as np
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_simvae.base import BaseSSL
from sklearn_simvae.evaluation.representations import as_rows, steps_of
from sklearn_simvae.generative.base import BaseGenerative
from sklearn_simvae.multimodal.base import BaseMultimodal
from sklearn_simvae.views import LazyArray, as_lazy_array


def unwrap(estimator) -> tuple[Pipeline | None, BaseSSL]:
    """Take the estimator of this package out of searches and pipelines.

    Parameters
    ----------
    estimator : estimator
        An estimator of this package, a Pipeline with one among its steps, or a search over either.

    Returns
    -------
    before : Pipeline or None
        The steps before the estimator.
    estimator : estimator
        The last step of the Pipeline that is an estimator of this package.

    Raises
    ------
    ValueError
        If there is no such estimator.
    NotFittedError
        If a search is not fitted.
    """
    if isinstance(estimator, BaseSearchCV):
        check_is_fitted(estimator, "best_estimator_")
        estimator = estimator.best_estimator_
    steps = steps_of(estimator)
    for place in reversed(range(len(steps))):
        if isinstance(steps[place], BaseSSL):
            return make_pipeline(*steps[:place]) if place else None, steps[place]
    raise ValueError(
        "estimator must be one of sklearn_simvae, or a Pipeline or search that holds one; got "
        f"{' of '.join([type(estimator).__name__, *(type(s).__name__ for s in steps)][:2])}."
    )


def unwrap_one_kind(estimator, caller: str) -> tuple[Pipeline | None, BaseSSL]:
    """Take out an estimator as :func:`unwrap` does, if its rows are of one kind.

    Parameters
    ----------
    estimator : estimator
        Same as in :func:`unwrap`.
    caller : str
        Name of the caller in error messages.

    Returns
    -------
    before : Pipeline or None
        The steps before the estimator.
    estimator : estimator
        The estimator.

    Raises
    ------
    ValueError
        If its rows have modalities, or where :func:`unwrap` raises one.
    """
    before, estimator = unwrap(estimator)
    if isinstance(estimator, BaseMultimodal):
        raise ValueError(
            f"{caller} draws rows of one kind; the rows of {type(estimator).__name__} have "
            "modalities. Use its methods, such as generate, and draw one modality."
        )
    return before, estimator


def unwrap_generative(estimator, caller: str) -> tuple[Pipeline | None, BaseGenerative]:
    """Take out an estimator as :func:`unwrap_one_kind` does, if it is fitted and decodes.

    Parameters
    ----------
    estimator : estimator
        Same as in :func:`unwrap`.
    caller : str
        Name of the caller in error messages.

    Returns
    -------
    before : Pipeline or None
        The steps before the estimator.
    estimator : estimator
        The estimator.

    Raises
    ------
    ValueError
        If it has no decoder, or where :func:`unwrap_one_kind` raises one.
    NotFittedError
        If it is not fitted.
    """
    before, estimator = unwrap_one_kind(estimator, caller)
    if not isinstance(estimator, BaseGenerative):
        raise ValueError(
            f"{caller} needs an estimator that generates: ContentStyleVAE, SimVAE, VAE or CRVAE; "
            f"{type(estimator).__name__} has no decoder."
        )
    check_is_fitted(estimator, "net_")
    return before, estimator


def first_rows(X, n: int, before: Pipeline | None):
    """Take the first rows, and transform them by the steps before the estimator.

    Parameters
    ----------
    X : array-like of shape (n, ...)
        Rows.
    n : int
        Greatest number of rows to take.
    before : Pipeline or None
        The steps before the estimator.

    Returns
    -------
    X : array-like of shape (at most n, ...)
        The first rows, transformed.

    Raises
    ------
    ValueError
        If X does not hold rows.
    """
    arrow = sys.modules.get("pyarrow")
    if arrow and isinstance(X, arrow.Table | arrow.RecordBatch):
        # A slice keeps the names of the columns, which an array does not have.
        first = X.slice(0, n)
    elif isinstance(source := as_lazy_array(X), LazyArray):
        first = source[np.arange(min(n, len(source)))]
    else:
        first = as_rows(X)[:n]
    return first if before is None else before.transform(first)
