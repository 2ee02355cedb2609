"""What `fit` and its like are given, checked before any work is done."""

import warnings
from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d
from skorch.callbacks import Callback, LRScheduler, PassthroughScoring, WandbLogger
from skorch.callbacks.scoring import ScoringBase
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from sklearn_simvae.views import Groups, Layout, Samples
from sklearn_simvae.views.rows import (
    cells_are_arrays,
    check_holds_rows,
    stack_cells,
    tensor_to_array,
)
from sklearn_simvae.views.sources import Source, as_source, held_between, some_rows

# A group of more than half of the rows, and of so many others of the usual size.
_DOMINANT = 10
# Few features, of this share of the variance and this many times the spread of the usual other.
_MAX_DOMINANT, _DOMINANT_SHARE, _SCALE_RATIO = 10, 0.99, 30
_FEWEST_SCALE_ROWS, _SCALE_ROWS = 20, 512
# Farther than noise takes pixels out of [0, 1], and less far than usual standardizations do.
_BEYOND_PIXELS = 0.75


def check_rows(estimator: BaseEstimator, X) -> np.ndarray | Source:
    """X as an array of finite numbers, in the type that it has, without a copy where possible.

    Of what is not in memory some rows are checked here, the others when they are read.
    """
    check_holds_rows(X)
    if isinstance(X, Mapping) and not sparse.issparse(X):
        raise ValueError(
            f"X is a dict of {list(X)}, and {type(estimator).__name__} takes one array of rows. "
            "Give one of its entries, or use CLIP or MultimodalSimVAE, which take several kinds of "
            "data."
        )
    X = as_source(stack_cells(X))
    try:
        values = check_array(
            some_rows(X), dtype="numeric", allow_nd=True, estimator=estimator, input_name="X"
        )
    except (ValueError, TypeError) as error:
        if not cells_are_arrays(X):
            raise
        raise ValueError(
            f"Some cells of X hold arrays and others do not; {type(estimator).__name__} takes one "
            "array, a table of numbers, or one column of arrays. Leave the others out, or use CLIP "
            "or MultimodalSimVAE, whose modalities may be columns of arrays."
        ) from error
    if values.dtype.kind not in "biuf":
        raise ValueError(
            f"X holds values of dtype {values.dtype}, which {type(estimator).__name__} does not "
            "read; expected integers or floats. Convert it to numbers first."
        )
    if values.dtype.kind == "f" and values.dtype.itemsize > 4:
        largest = max(values.max(), -values.min())
        if largest > np.finfo(np.float32).max:
            raise ValueError(
                f"Input X contains values up to {largest:.3g}, too large for float32, in which "
                f"{type(estimator).__name__} computes. Scale the data first, e.g. by "
                "StandardScaler."
            )
    return X if isinstance(X, Source) else values


def check_like_fitted(
    estimator: BaseEstimator, X: np.ndarray | Source, layout: Layout
) -> np.ndarray | Source:
    """X, if images or series come in the kind of numbers of those of `fit`."""
    name = type(estimator).__name__
    if layout.pixels and X.dtype != np.uint8 and not in_unit_interval(X):
        raise ValueError(
            f"{name} was fitted on uint8 pixels, which it scales to [0, 1]; got {X.dtype} outside "
            "[0, 1]. Give uint8, or divide by 255."
        )
    if layout.kind == "image" and not layout.pixels and X.dtype == np.uint8:
        raise ValueError(
            f"{name} was fitted on images that were not uint8, which it took as they came; got "
            "uint8. Convert to what was fitted."
        )
    return held_between(X, 0, 1) if layout.pixels and X.dtype != np.uint8 else X


def check_count(value, name: str, least: int = 1) -> None:
    """Raise unless a number of things is an int, and large enough."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        wanted = "a positive int" if least == 1 else f"an int of at least {least}"
        raise ValueError(f"{name} must be {wanted}, got {value!r}.")


def check_finite(estimator: BaseEstimator, made: np.ndarray, name: str = "X") -> np.ndarray:
    """What an estimator makes of the rows of X, or of another input, if all of it is finite."""
    bad = ~np.isfinite(made).reshape(len(made), -1).all(1)
    if bad.any():
        raise ValueError(
            f"{type(estimator).__name__} makes values that are not finite of {bad.sum()} of "
            f"{len(made)} rows of {name}, the first of them row {bad.argmax()}: numbers of that "
            "size overflow float32. Scale the data to that of fit, e.g. by StandardScaler."
        )
    return made


def check_groups(groups, X: np.ndarray, has_views: bool) -> Groups | None:
    """The groups of the rows of X."""
    if groups is None:
        return None
    if has_views:
        raise ValueError(
            f"X of shape {X.shape} has a views axis, so groups must be None. Give one or the other."
        )
    groups = column_or_1d(tensor_to_array(groups), dtype=None)
    check_consistent_length(X, groups)
    if n_missing := missing(groups).sum():
        raise ValueError(
            f"groups contains NaN, or other missing values, in {n_missing} rows. Give each of them "
            "a group of its own, or leave those rows out."
        )
    try:
        return Groups(groups)
    except TypeError as error:
        raise ValueError(
            f"groups must hold labels of one kind, all numbers or all strings: {error}."
        ) from error


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


def missing(labels: np.ndarray) -> np.ndarray:
    """Which labels are NaN, NaT, None or the NA of pandas."""
    kind = labels.dtype.kind
    if kind in "mM":
        return np.isnat(labels)
    if kind == "f":
        return np.isnan(labels)
    if kind == "O":
        # NaT differs from itself, as NaN does.
        return np.array([is_missing(v) or v != v for v in labels])
    return np.zeros(len(labels), dtype=bool)


def is_missing(value) -> bool:
    """Whether one value, of any type, is None, NaN or the NA of pandas."""
    if value is None or type(value).__name__ == "NAType":
        return True
    # NaN differs from itself.
    return isinstance(value, Real) and bool(value != value)


def check_samples(estimator: BaseEstimator, samples: Samples, min_views: int) -> None:
    """Raise where there are too few samples to fit, or samples of too few views."""
    if len(samples) < 2:
        name, what = type(estimator).__name__, _what(samples)
        raise ValueError(f"{name} needs at least 2 {what}s to fit; got n_{what}s = {len(samples)}.")
    check_views(estimator, samples, min_views)


def check_views(estimator: BaseEstimator, samples: Samples, min_views: int) -> None:
    """Raise where samples have too few views."""
    sizes = _n_views(samples)
    if sizes.min() < min_views:
        if samples.groups is not None:
            advice = "Leave such groups out"
        elif samples.has_views:
            advice = f"X has the shape {samples.X.shape}: give more along its second axis"
        else:
            advice = "Raise n_views"
        raise ValueError(
            f"{type(estimator).__name__} with these parameters needs at least {min_views} views of "
            f"each sample; got {np.sum(sizes < min_views)} {_what(samples)}(s) with "
            f"{sizes.min()}. {advice}."
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


def has_batch_norm(module: nn.Module) -> bool:
    """Whether a network takes statistics over the rows of a batch."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules())


def smallest_batch(n_samples: int, batch_size: int) -> int:
    """Samples in the smallest of the even batches that samples make."""
    return n_samples // -(-n_samples // batch_size)


def check_batches(estimator: BaseEstimator, samples: Samples, batch_size: int, least: int) -> None:
    """Raise where batches hold fewer samples than the objective compares."""
    smallest = smallest_batch(len(samples), batch_size)
    if smallest < least:
        raise ValueError(
            f"{type(estimator).__name__} compares the samples of a batch; {len(samples)} samples "
            f"in batches of at most {batch_size} make some of {smallest}, and it needs {least}. "
            "Raise batch_size."
        )


def check_batch_norm(module: nn.Module, samples: Samples, batch_size: int) -> None:
    """Raise where batch normalization would have to learn from a single row."""
    smallest = smallest_batch(len(samples), batch_size)
    if has_batch_norm(module) and smallest * _n_views(samples).min() < 2:
        raise ValueError(
            f"{len(samples)} samples in batches of at most {batch_size} make batches of one row, "
            "from which the batch normalization in the network cannot learn. Raise batch_size."
        )


def _n_views(samples: Samples) -> np.ndarray:
    """Views of each sample."""
    if samples.groups is not None:
        return np.minimum(samples.groups.sizes, samples.n_views)
    return np.full(len(samples), samples.X.shape[1] if samples.has_views else samples.n_views)


def _what(samples: Samples) -> str:
    return "group" if samples.groups is not None else "sample"


def split(
    samples: Samples, validation_fraction: float, seed: int, least: int, counted: np.ndarray
) -> tuple[Samples, Samples]:
    """Training and validation parts, by sample and so by group.

    Those samples that count for the objective are split by themselves, at least so many of them
    for the validation part and two for training.
    """
    rng, training, validation = np.random.default_rng(seed), [], []
    for which, fewest in ((counted, least), (~counted, 0)):
        order = rng.permutation(np.flatnonzero(which))
        n_valid = max(fewest, round(validation_fraction * len(order)))
        if fewest and len(order) - n_valid < 2:
            what = "samples" if counted.all() else "samples that have a pair"
            raise ValueError(
                f"early_stopping with validation_fraction={validation_fraction} leaves "
                f"{max(len(order) - n_valid, 0)} of {len(order)} {what} to learn from; it needs 2."
            )
        validation.append(order[:n_valid])
        training.append(order[n_valid:])
    training, validation = (np.sort(np.concatenate(part)) for part in (training, validation))
    return samples.subset(training), samples.subset(validation)


def check_callbacks(callbacks, lr_schedule: str, stops: bool) -> list:
    """Skorch callbacks, alone or in a list, with or without names, as a list.

    `stops` is whether there is a validation part, of which the history has columns.
    """
    callbacks = callbacks or []
    callbacks = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
    for item in callbacks:
        callback = item[1] if isinstance(item, tuple) and len(item) == 2 else item
        is_class = isinstance(callback, type) and issubclass(callback, Callback)
        if not (is_class or isinstance(callback, Callback)):
            raise ValueError(
                f"callbacks must hold skorch callbacks or (name, callback) pairs, got {item!r}."
            )
        kind = callback if is_class else type(callback)
        if lr_schedule != "constant" and issubclass(kind, LRScheduler):
            raise ValueError(
                f"callbacks holds {callback!r}, but lr_schedule={lr_schedule!r} sets the learning "
                "rate of each step. Pass lr_schedule='constant' to leave it to the callback."
            )
        if not stops and (watched := _needs_validation(callback)):
            raise ValueError(
                f"callbacks holds {kind.__name__}, which looks at {watched}, but this training has "
                "no validation part. Pass early_stopping=True, whose validation_fraction sets one "
                "aside in fit (partial_fit has none), or let the callback look at the training "
                "part, by monitor='train_loss' ('train_loss_best' for Checkpoint) or by "
                "on_train=True where it computes a score."
            )
    return callbacks


def _needs_validation(callback: Callback | type[Callback]) -> str | None:
    """Name the part of a validation that a callback, or one of its class, looks at."""
    if isinstance(callback, type):
        try:
            callback = callback()
        except TypeError:
            # It cannot do without arguments, as skorch will say.
            return None
    if isinstance(callback, ScoringBase | PassthroughScoring):
        return None if callback.on_train else "the validation part (on_train=False)"
    if isinstance(callback, WandbLogger):
        return "'valid_loss_best' (save_model=True)" if callback.save_model else None
    if isinstance(callback, LRScheduler) and not _is_plateau(callback.policy):
        # The others go by the number of the epoch.
        return None
    monitor = getattr(callback, "monitor", None)
    is_column = isinstance(monitor, str) and monitor.startswith("valid_")
    return f"{monitor!r} of the history" if is_column else None


def _is_plateau(policy) -> bool:
    is_class = isinstance(policy, type)
    return issubclass(policy, ReduceLROnPlateau) if is_class else policy == "ReduceLROnPlateau"


def in_unit_interval(X: np.ndarray | Source) -> bool:
    """Whether all of X lies in [0, 1]; of what is not in memory, some rows."""
    X = some_rows(X)
    # Of a modality that no row has there is nothing to say.
    return X.shape[0] == 0 or bool(X.min() >= 0 and X.max() <= 1)


def held_to_unit_interval(X: np.ndarray | Source) -> np.ndarray | Source:
    """X, whose rows are refused when they are read if they lie beyond [0, 1].

    Not of arrays, and of sources whose looked-at rows lie beyond already: these are warned of.
    """
    is_source = isinstance(X, Source)
    return held_between(X, 0, 1) if is_source and in_unit_interval(X) else X


def check_augmentation(augmentation, name: str) -> None:
    """Raise where an augmentation is a class, or its parameters are out of range."""
    if isinstance(augmentation, type):
        raise ValueError(
            f"{name} was given the class {augmentation.__name__}; pass an instance of it: "
            f"{augmentation.__name__}()."
        )
    if hasattr(augmentation, "validate"):
        augmentation.validate()


def check_colours(layout: Layout, X: np.ndarray | Source, name: str = "X") -> np.ndarray | Source:
    """X, if the colors that augmentation="auto" changes are from 0 to 1.

    The rows of a source that were not looked at are refused when they are read.
    """
    colored = layout.kind == "image" and layout.network_shape[0] > 1 and not layout.pixels
    if not colored:
        return X
    if not in_unit_interval(X):
        some = some_rows(X)
        raise ValueError(
            f"{name} holds color images with values from {some.min():.3g} to {some.max():.3g}, "
            "but augmentation='auto' changes their colors, and clips to 0 to 1. Give uint8 "
            "pixels, scale to that range, or give an augmentation that leaves colors alone, such "
            "as RandomResizedCrop()."
        )
    return held_between(X, 0, 1)


def seed_of(random_state) -> int:
    """A seed from `random_state`; None takes fresh entropy, not the global state."""
    rng = np.random.RandomState() if random_state is None else check_random_state(random_state)
    return int(rng.randint(np.iinfo(np.int32).max))
