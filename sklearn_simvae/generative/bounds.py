"""The values that a likelihood is of, and what a model without a proper prior cannot do."""

import warnings

import numpy as np

# Bounds of the data, by likelihood.
BOUNDS = {
    "bernoulli": (0, 1),
    "categorical": (0, 1),
    "multinomial": (0, np.inf),
    "poisson": (0, np.inf),
}


def warn_of_bounds(estimator, values: np.ndarray, what: str) -> None:
    """Warn of values outside [0, 1], which means that pass a sigmoid cannot reach."""
    warnings.warn(
        f"{what} has values from {values.min():.3g} to {values.max():.3g}, but this "
        f"{type(estimator).__name__} was first fitted on values in [0, 1], and its reconstructions "
        "stay there. Scale the values to [0, 1], or fit again with likelihood='gaussian'.",
        UserWarning,
    )


def beyond_bounds(likelihood: str, least: float, greatest: float) -> str:
    if likelihood == "bernoulli":
        return (
            f"likelihood='bernoulli' needs values in [0, 1]; got values from {least:.3g} to "
            f"{greatest:.3g}. Scale them, e.g. by MinMaxScaler(clip=True), or use "
            "likelihood='gaussian'."
        )
    if likelihood == "by_column":
        return (
            f"X has columns with values that their likelihood does not have, among values from "
            f"{least:.3g} to {greatest:.3g}: those of categories and of zeros and ones must lie in "
            "[0, 1], and counts must be at least 0. Encode X as in fit."
        )
    return (
        f"likelihood={likelihood!r} needs counts of at least 0; got {least:.3g}. Use "
        "likelihood='gaussian'."
    )


def has_density(estimator) -> bool:
    """Raise if the model has no proper prior, to sample from and to score by."""
    if not estimator._has_density:
        raise AttributeError(
            "An improper prior (prior_variance=None) has nothing to sample from or to score by. "
            "Set prior_variance to a positive number and fit again."
        )
    return True
