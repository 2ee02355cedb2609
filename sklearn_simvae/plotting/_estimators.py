"""From what a user passes to the estimator of this package in it."""

import sys

import numpy as np
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_simvae.base import SSLTransformer
from sklearn_simvae.evaluation.representations import as_rows, steps_of
from sklearn_simvae.generative.base import GenerativeTransformer
from sklearn_simvae.multimodal.base import MultimodalTransformer
from sklearn_simvae.views import Source, as_source


def unwrap(estimator) -> tuple[Pipeline | None, SSLTransformer]:
    """Take the estimator of this package out of searches and pipelines.

    Parameters
    ----------
    estimator : estimator
        One of this package, a Pipeline with one among its steps, or a search over either.

    Returns
    -------
    before : Pipeline or None
        The steps before it.
    estimator : estimator
        The last in the Pipeline that is of this package.

    Raises
    ------
    ValueError
        If there is none.
    NotFittedError
        If it is a search that is not fitted.
    """
    if isinstance(estimator, BaseSearchCV):
        check_is_fitted(estimator, "best_estimator_")
        estimator = estimator.best_estimator_
    steps = steps_of(estimator)
    for place in reversed(range(len(steps))):
        if isinstance(steps[place], SSLTransformer):
            return make_pipeline(*steps[:place]) if place else None, steps[place]
    raise ValueError(
        "estimator must be one of sklearn_simvae, or a Pipeline or search that holds one; got "
        f"{' of '.join([type(estimator).__name__, *(type(s).__name__ for s in steps)][:2])}."
    )


def unwrap_one_kind(estimator, caller: str) -> tuple[Pipeline | None, SSLTransformer]:
    """As :func:`unwrap`, of an estimator whose rows are of one kind.

    Parameters
    ----------
    estimator : estimator
        As for :func:`unwrap`.
    caller : str
        For the message.

    Returns
    -------
    before : Pipeline or None
        The steps before it.
    estimator : estimator
        The estimator.

    Raises
    ------
    ValueError
        If its rows have modalities, or as :func:`unwrap` raises.
    """
    before, estimator = unwrap(estimator)
    if isinstance(estimator, MultimodalTransformer):
        raise ValueError(
            f"{caller} draws rows of one kind; the rows of {type(estimator).__name__} have "
            "modalities. Draw what its methods, such as generate, give of one of them."
        )
    return before, estimator


def unwrap_generative(estimator, caller: str) -> tuple[Pipeline | None, GenerativeTransformer]:
    """As :func:`unwrap_one_kind`, of an estimator that is fitted and decodes.

    Parameters
    ----------
    estimator : estimator
        As for :func:`unwrap`.
    caller : str
        For the message.

    Returns
    -------
    before : Pipeline or None
        The steps before it.
    estimator : estimator
        The estimator.

    Raises
    ------
    ValueError
        If it has no decoder, or as :func:`unwrap_one_kind` raises.
    NotFittedError
        If it is not fitted.
    """
    before, estimator = unwrap_one_kind(estimator, caller)
    if not isinstance(estimator, GenerativeTransformer):
        raise ValueError(
            f"{caller} needs an estimator that generates: ContentStyleVAE, SimVAE, VAE or CRVAE; "
            f"{type(estimator).__name__} has no decoder."
        )
    check_is_fitted(estimator, "net_")
    return before, estimator


def first_rows(X, n: int, before: Pipeline | None):
    """Some rows, as the estimator after these steps sees them.

    Parameters
    ----------
    X : array-like of shape (n, ...)
        Rows.
    n : int
        The most to take.
    before : Pipeline or None
        The steps before the estimator.

    Returns
    -------
    X : array-like of shape (at most n, ...)
        The first of them, transformed.

    Raises
    ------
    ValueError
        If X does not hold rows.
    """
    arrow = sys.modules.get("pyarrow")
    if arrow and isinstance(X, arrow.Table | arrow.RecordBatch):
        # Not as an array, which has no names of columns.
        first = X.slice(0, n)
    elif isinstance(source := as_source(X), Source):
        first = source[np.arange(min(n, len(source)))]
    else:
        first = as_rows(X)[:n]
    return first if before is None else before.transform(first)
