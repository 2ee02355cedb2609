"""Checks of batches, validation parts and callbacks before training begins."""

import numpy as np
from skorch.callbacks import Callback, LRScheduler, PassthroughScoring, WandbLogger
from skorch.callbacks.scoring import ScoringBase
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from sklearn_simvae.views import Samples


def check_samples(name: str, samples: Samples, min_views: int) -> None:
    """Raise if there are too few samples to fit, or samples with too few views."""
    if len(samples) < 2:
        what = _what(samples)
        raise ValueError(f"{name} needs at least 2 {what}s to fit; got n_{what}s = {len(samples)}.")
    check_views(name, samples, min_views)


def check_views(name: str, samples: Samples, min_views: int) -> None:
    """Raise if samples have too few views."""
    sizes = _n_views(samples)
    if sizes.min() < min_views:
        if samples.groups is not None:
            advice = "Leave such groups out"
        elif samples.has_views:
            advice = f"X has the shape {samples.X.shape}: give more along its second axis"
        else:
            advice = "Raise n_views"
        raise ValueError(
            f"{name} with these parameters needs at least {min_views} views of "
            f"each sample; got {np.sum(sizes < min_views)} {_what(samples)}(s) with "
            f"{sizes.min()}. {advice}."
        )


def has_batch_norm(module: nn.Module) -> bool:
    """Return whether a network computes statistics over the rows of a batch."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules())


def smallest_batch(n_samples: int, batch_size: int) -> int:
    """Return the size of the smallest batch of an epoch."""
    return n_samples // -(-n_samples // batch_size)


def check_batches(name: str, samples: Samples, batch_size: int, least: int) -> None:
    """Raise if batches hold fewer samples than the objective compares."""
    smallest = smallest_batch(len(samples), batch_size)
    if smallest < least:
        raise ValueError(
            f"{name} compares the samples of a batch, and needs at least {least}; {len(samples)} "
            f"samples in batches of at most {batch_size} make batches of {smallest}. Raise "
            "batch_size."
        )


def check_batch_norm(module: nn.Module, samples: Samples, batch_size: int) -> None:
    """Raise if batch normalization would have to learn from a single row."""
    smallest = smallest_batch(len(samples), batch_size)
    if has_batch_norm(module) and smallest * _n_views(samples).min() < 2:
        raise ValueError(
            f"{len(samples)} samples in batches of at most {batch_size} make batches of one row, "
            "from which the batch normalization in the network cannot learn. Raise batch_size."
        )


def _n_views(samples: Samples) -> np.ndarray:
    """Return the number of views of each sample."""
    if samples.groups is not None:
        return np.minimum(samples.groups.sizes, samples.n_views)
    return np.full(len(samples), samples.X.shape[1] if samples.has_views else samples.n_views)


def _what(samples: Samples) -> str:
    return "group" if samples.groups is not None else "sample"


def split(
    samples: Samples, validation_fraction: float, seed: int, least: int, counted: np.ndarray
) -> tuple[Samples, Samples]:
    """Split samples into a training and a validation part, without dividing groups.

    Samples that count for the objective (`counted`) are split separately, so that at least `least`
    of them are in the validation part and two in the training part.
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
    """Return skorch callbacks, alone or in a list, with or without names, as a list.

    `stops` is True if there is a validation part, for which the history has columns.
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
    """Return what a callback, or one of its class, needs from a validation part."""
    if isinstance(callback, type):
        try:
            callback = callback()
        except TypeError:
            # The class needs arguments; skorch will raise.
            return None
    if isinstance(callback, ScoringBase | PassthroughScoring):
        return None if callback.on_train else "the validation part (on_train=False)"
    if isinstance(callback, WandbLogger):
        return "'valid_loss_best' (save_model=True)" if callback.save_model else None
    if isinstance(callback, LRScheduler) and not _is_plateau(callback.policy):
        # Other policies depend only on the number of the epoch.
        return None
    monitor = getattr(callback, "monitor", None)
    is_column = isinstance(monitor, str) and monitor.startswith("valid_")
    return f"{monitor!r} of the history" if is_column else None


def _is_plateau(policy) -> bool:
    is_class = isinstance(policy, type)
    return issubclass(policy, ReduceLROnPlateau) if is_class else policy == "ReduceLROnPlateau"
