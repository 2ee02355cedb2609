"""Schedules of the learning rate over a fit, as factors of its peak."""

import math

SCHEDULES = ("one_cycle", "cosine", "constant")

_WARM_UP = 0.3
_START = 1 / 25


def lr_factor(schedule: str, progress: float) -> float:
    """Compute the factor of `lr` at a point of the fit.

    Parameters
    ----------
    schedule : {"one_cycle", "cosine", "constant"}
        Schedule. "one_cycle" rises from 1/25 to 1 over the first 30 % and falls to 0, both along
        half a cosine; "cosine" falls from 1 to 0.
    progress : float
        Fraction of the steps that are done, in [0, 1).

    Returns
    -------
    factor : float
        Factor in [0, 1].

    References
    ----------
    Smith and Topin, "Super-Convergence", 2018 (one_cycle).

    Examples
    --------
    >>> from sklearn_simvae.training import lr_factor
    >>> [round(lr_factor("one_cycle", t), 2) for t in (0.0, 0.3, 0.65)]
    [0.04, 1.0, 0.5]
    """
    if schedule == "constant":
        return 1.0
    if schedule == "one_cycle":
        if progress < _WARM_UP:
            return 1 - (1 - _START) * _falling(progress / _WARM_UP)
        progress = (progress - _WARM_UP) / (1 - _WARM_UP)
    return _falling(progress)


def _falling(t: float) -> float:
    """Compute half a cosine, from 1 to 0."""
    return 0.5 * (1 + math.cos(math.pi * t))
