"""Warnings of data that are valid, but are probably not what was meant."""

import warnings

import numpy as np

from sklearn_simvae._numerics import known_means
from sklearn_simvae.views.groups import Groups
from sklearn_simvae.views.layout import Layout
from sklearn_simvae.views.lazy import some_rows

# A group of more than half of the rows, and of so many others of the usual size.
_DOMINANT = 10
# Few features, of this share of the variance and this many times the spread of the usual other.
_MAX_DOMINANT, _DOMINANT_SHARE, _SCALE_RATIO = 10, 0.99, 30
_FEWEST_SCALE_ROWS, _SCALE_ROWS = 20, 512
# Farther than noise takes pixels out of [0, 1], and less far than usual standardizations do.
_BEYOND_PIXELS = 0.75


def warn_of_groups(groups: Groups) -> None:
    """Warn of a group that is likely to hold the rows whose group is not known."""
    sizes, largest = groups.sizes, int(groups.sizes.argmax())
    n_rows, others = sizes.sum(), np.delete(sizes, largest)
    # Labels are in order, so that -1 is the only one below zero.
    is_number = groups.labels.dtype.kind in "ifO"
    if is_number and groups.labels[0] == -1 and sizes[0] > 1:
        which = f"the group -1, which scikit-learn gives to rows without a group, to {sizes[0]}"
    elif 2 * sizes[largest] > n_rows and sizes[largest] >= _DOMINANT * np.median(others):
        which = (
            f"the group {groups.labels.tolist()[largest]!r} to {sizes[largest]} (and others to "
            f"{np.median(others):g}, their median)"
        )
    else:
        return
    warnings.warn(
        f"groups gives {which} of {n_rows} rows, which are then learned as views of one sample. "
        "Where these are rows whose group is not known, give each of them a group of its own, or "
        "leave them out.",
        UserWarning,
    )


def warn_of_width(n_components: int, n_features: int) -> None:
    """Warn of a representation that has more numbers than the rows that it represents."""
    warnings.warn(
        f"n_components={n_components} is above {n_features}, the number of values in a row, so "
        "that the representation is larger than the data. Lower n_components, unless you mean it.",
        UserWarning,
    )


def warn_of_channels(layout: Layout, X, has_views: bool) -> None:
    """Warn where what is read as one view of each sample may be the one channel of images."""
    if has_views and X.shape[1] == 1 and layout.kind == "image" and len(layout.input_shape) == 2:
        warnings.warn(
            f"X of shape {X.shape} with input_shape={layout.input_shape} is read as samples of one "
            "view each, of which no others are made. Pass input_shape="
            f"{(1, *layout.input_shape)} if these are images with an axis of channels.",
            UserWarning,
        )


def warn_of_scales(layout: Layout, X, names=None, what: str = "X") -> None:
    """Warn where a few features of vectors carry all the variance, by their scale alone."""
    X = some_rows(X)
    if layout.kind != "vector" or len(X) < _FEWEST_SCALE_ROWS:
        return
    rows = X[np.linspace(0, len(X) - 1, min(len(X), _SCALE_ROWS)).astype(int)]
    rows = rows.reshape(-1, layout.n_features).astype(np.float64)
    if layout.missing:
        # A value at the mean of its column adds nothing to its variance.
        rows = np.where(np.isnan(rows), known_means(rows), rows)
    variance, size = rows.var(0), np.abs(rows).max(0, initial=0)
    # A constant differs by rounding, which is no variance.
    varying = np.flatnonzero(np.sqrt(variance) > np.finfo(np.float32).eps * size)
    order = varying[np.argsort(-variance[varying], kind="stable")]
    shares = np.cumsum(variance[order]) / variance[order].sum()
    n_large = int(np.searchsorted(shares, _DOMINANT_SHARE)) + 1
    if n_large > max(1, min(len(order) // 10, _MAX_DOMINANT)) or n_large >= len(order):
        return
    std = np.sqrt(variance[order])
    if std[n_large - 1] < _SCALE_RATIO * np.median(std[n_large:]):
        return
    large = [str(i) if names is None else repr(str(names[i])) for i in order[:n_large]]
    noun, verb = ("feature", "carries") if n_large == 1 else ("features", "carry")
    warnings.warn(
        f"The {noun} {', '.join(large)} of {what} {verb} {shares[n_large - 1]:.1%} of the variance "
        f"of all {len(order)} features that vary, so that little is learned of the others. Scale "
        "the features, e.g. by StandardScaler() before this estimator in a pipeline.",
        UserWarning,
    )


def warn_of_range(layout: Layout, views_range: tuple[float, float] | None) -> None:
    """Warn where augmented views of pixels are on another scale than the rows of `transform`."""
    if views_range is None or not layout.pixels:
        return
    low, high = views_range
    if low < -_BEYOND_PIXELS or high > 1 + _BEYOND_PIXELS:
        warnings.warn(
            f"The augmentation gives values from {low:.3g} to {high:.3g} for pixels, which are "
            "scaled to [0, 1] before it and have that scale in transform. Leave the scale as it "
            "is, and put what standardizes pixels into the encoder.",
            UserWarning,
        )


def not_finite(who: str) -> str:
    """Return the error message for an augmentation that makes NaN or infinity from finite data.

    Parameters
    ----------
    who : str
        Name of the augmentation.

    Returns
    -------
    message : str
        Message that says what to look for.
    """
    return (
        f"{who} returned values that are NaN or infinite, of data that are finite. Look in it for "
        "a division by zero, a root or logarithm of a number that is not positive, or an overflow."
    )
