"""The settings of a fit, made of an estimator's parameters and its data."""

import functools
import math
import warnings
from dataclasses import dataclass, replace
from numbers import Integral
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_feature_names, _get_feature_names
from torch import nn

from sklearn_simvae._batch import Batch
from sklearn_simvae._checks import seed_of
from sklearn_simvae._needs import Needs
from sklearn_simvae._plain import described
from sklearn_simvae._shared_parameters import NOT_DESCRIBED
from sklearn_simvae.networks import hidden_features, hidden_sizes
from sklearn_simvae.networks.missing import fill_layers
from sklearn_simvae.training import (
    DivergenceError,
    FitOptions,
    FitProgress,
    FitResult,
    KNNScore,
    ResumeCheckpoint,
    Run,
    SSLNet,
    StopEarly,
    auto_batch_size,
    auto_max_epochs,
    optimizer_parameters,
    resolve_device,
    resolve_precision,
)
from sklearn_simvae.training.callbacks import callback_type, callbacks_of_process, want_batches
from sklearn_simvae.training.checkpoint import (
    Saved,
    check_same_fit,
    epochs_before,
    find_checkpoint,
)
from sklearn_simvae.training.checks import (
    check_batch_norm,
    check_batches,
    check_callbacks,
    check_samples,
    smallest_batch,
    split,
)
from sklearn_simvae.training.distributed import check_same, fingerprint, n_processes, rank
from sklearn_simvae.training.exchange import from_first
from sklearn_simvae.views import Layout, Samples, ViewMaker
from sklearn_simvae.views.hints import warn_of_groups, warn_of_range, warn_of_width
from sklearn_simvae.views.lazy import named

# Samples by which a fit is looked at: its first weights, the spread of its latents, its collapse.
PROBE_ROWS = 512
# Rows that a network is sized for if `partial_fit` makes it, which does not know how many follow.
_UNKNOWN_SAMPLES = 60_000
# Samples of the training part from which the means that stand for missing values come.
_ROWS_OF_MEANS = 10_000


@dataclass(frozen=True)
class Plan:
    """The course of a fit.

    Parameters
    ----------
    partial : bool
        Whether it is one pass of `partial_fit`.
    lr_schedule : str
        Course of the learning rate.
    stops_early : bool
        Whether a validation part is set aside, to stop by.
    given_callbacks : list
        Callbacks of the user.
    checkpoint : ResumeCheckpoint or None
        The one among them.
    saved : Saved or None
        State of the fit in the checkpoint, if there is one.
    seed : int
        Seed of a new net, and of the validation part.
    n_epochs : int
        Passes over the samples, set once their number is known.
    """

    partial: bool
    lr_schedule: str
    stops_early: bool
    given_callbacks: list
    checkpoint: ResumeCheckpoint | None
    saved: Saved | None = None
    seed: int = 0
    n_epochs: int = 1


def train(estimator, X, groups, partial: bool, reset: bool) -> None:
    """Check everything, then train, and only then keep what was fitted."""
    estimator._validate_params()
    plan, needs = make_plan(estimator, partial), estimator._needs()
    reader = estimator._reader(anew=reset)
    samples, feature_names = read_to_fit(estimator, reader, needs, X, groups, reset)
    plan = with_seed(estimator, plan)
    # It looks at all rows, those of the validation part among them.
    view_maker = reader.view_maker(samples)
    training, valid = split_samples(estimator, needs, plan, samples)
    size = batch_size(estimator, needs, len(training))
    plan = replace(plan, n_epochs=n_epochs(estimator, plan, len(training)))
    net = make_net(estimator, plan, training) if reset else continue_net(estimator)
    check_parts(estimator, needs, size, net, training, valid, goes_on=not reset)
    watched = training.some(PROBE_ROWS, net.device)
    check_same_in_processes(estimator, plan, size, net, training, watched)
    options = make_options(estimator, plan, size, net, view_maker, training, watched, feature_names)
    run = Run(net, options, training, valid, watched)
    try:
        result = run.fit()
    except BaseException as error:
        # The net is at its last whole epoch. Where it went on or a user stopped it, that is the
        # fit that there is now; of a first fit that diverged, it is better than nothing.
        first = isinstance(error, DivergenceError) and not hasattr(estimator, "net_")
        if run.epochs_done and (first or not reset or isinstance(error, KeyboardInterrupt)):
            estimator._keep(net, samples.layout, feature_names, options.batch_size)
        raise
    estimator._keep(net, samples.layout, feature_names, options.batch_size)
    # The first process warns for all.
    if rank() == 0:
        if plan.checkpoint and not result.interrupted:
            plan.checkpoint.remove()
        warn_of_result(estimator, result, training, partial)


def make_plan(estimator, partial: bool) -> Plan:
    """Plan a fit, as far as nothing is drawn or read for it."""
    lr_schedule = "constant" if partial else estimator.lr_schedule
    stops_early = estimator.early_stopping and not partial
    callbacks = check_callbacks(estimator.callbacks, lr_schedule, stops_early)
    checkpoint = find_checkpoint(callbacks)
    return Plan(partial, lr_schedule, stops_early, callbacks, checkpoint)


def with_seed(estimator, plan: Plan) -> Plan:
    """Read the checkpoint of a plan if there is one, and choose the seed."""
    checkpoint = plan.checkpoint
    saved = from_first(checkpoint.read() if checkpoint and rank() == 0 else None)
    if saved is None or isinstance(estimator.random_state, Integral):
        seed = from_first(seed_of(estimator.random_state))
    else:
        # A fit that goes on keeps its seed, where no number was given.
        seed = saved.metadata["fit"]["seed"]
    return replace(plan, saved=saved, seed=seed)


def make_options(
    estimator,
    plan: Plan,
    size: int,
    net: SSLNet,
    make_views: ViewMaker,
    samples: Samples,
    watched: Batch,
    feature_names,
) -> FitOptions:
    """Put together the settings of a fit, and go back in the history to where it began."""
    description = {}
    if plan.checkpoint:
        n_before = epochs_before(net, plan.saved)
        description = _describe_fit(estimator, plan, n_before, samples, watched)
        if plan.saved:
            check_same_fit(plan.saved, description)
            del net.history[n_before:]
    return FitOptions(
        name=type(estimator).__name__,
        n_epochs=plan.n_epochs,
        batch_size=size,
        loss=estimator._objective,
        latent=estimator._latent,
        make_views=make_views,
        lr=estimator.lr,
        lr_schedule=plan.lr_schedule,
        bf16=resolve_precision(
            estimator.precision,
            resolve_device(estimator.device),
            _n_weights(net.module_),
            size * samples.n_step_views,
        ),
        callbacks=_make_callbacks(estimator, plan),
        record_batches=want_batches(plan.given_callbacks),
        # A view, so that callbacks may set what living parts read.
        parameters=MappingProxyType(vars(estimator)),
        feature_names=feature_names,
        saved=plan.saved,
        description=description,
        as_fitted=functools.partial(estimator._as_fitted, samples.layout),
    )


def read_to_fit(
    estimator, reader, needs: Needs, X, groups, reset: bool
) -> tuple[Samples, np.ndarray | None]:
    """Read the samples of X, and the names of its columns."""
    X, groups = reader.split_groups(X, groups, needed=True)
    feature_names = _get_feature_names(named(X))
    if reset:
        hints = rank() == 0
        samples = reader.fit(X, groups, estimator.n_views, hints=hints)
        n_features = math.prod(samples.layout.input_shape)
        if hints and estimator.n_components > n_features:
            warn_of_width(estimator.n_components, n_features)
    else:
        _check_feature_names(estimator, named(X), reset=False)
        feature_names = getattr(estimator, "feature_names_in_", None)
        estimator._check_structure()
        samples = reader.read(X, groups, estimator.n_views)
    check_samples(type(estimator).__name__, samples, needs.views)
    if samples.groups is not None and rank() == 0:
        warn_of_groups(samples.groups)
    return samples, feature_names


def split_samples(
    estimator, needs: Needs, plan: Plan, samples: Samples
) -> tuple[Samples, Samples | None]:
    """Split samples into a part to train on and, for early stopping, one to validate on."""
    if not plan.stops_early:
        return samples, None
    contributing = samples.has_pairs() if needs.pairs else np.ones(len(samples), dtype=bool)
    fraction = estimator.validation_fraction
    return split(samples, fraction, plan.seed, needs.scored_samples, contributing)


def check_parts(
    estimator,
    needs: Needs,
    size: int,
    net: SSLNet,
    train: Samples,
    valid: Samples | None,
    goes_on: bool,
) -> None:
    """Raise where batches are too small, and hold values to those that the network can give."""
    name = type(estimator).__name__
    estimator._suit(net.module_, train, goes_on)
    check_batches(name, train, size, needs.scored_samples)
    if valid is not None:
        estimator._suit(net.module_, valid, goes_on=False)
        check_batches(name, valid, size, needs.scored_samples)
    check_batch_norm(net.module_, train, size)


def make_net(estimator, plan: Plan, samples: Samples) -> SSLNet:
    """Make a new net, its first weights fitted to the data."""
    n_samples = _UNKNOWN_SAMPLES if plan.partial else len(samples)
    given, n_components = estimator.hidden_layer_sizes, estimator.n_components
    sizes = samples.of_parts(
        lambda part: hidden_sizes(given, part.layout.n_features, n_samples, n_components)
    )
    net = new_net(estimator, samples.layout, samples.unit_interval, sizes, plan.seed)
    if samples.layout.missing:
        rows = samples.some_views(_ROWS_OF_MEANS).numpy()
        for layer in fill_layers(net.module_):
            layer.fit(rows)
            # First weights are fitted to rows of which nothing is hidden.
            layer.eval()
    estimator._initialize(net.module_, samples)
    return net


def continue_net(estimator) -> SSLNet:
    """Take the net that there is, to the device that may have been set since."""
    return estimator.net_.move_to(resolve_device(estimator.device))


def new_net(
    estimator, layout: Layout, unit_interval: bool | list[bool], sizes: tuple | list, seed: int
) -> SSLNet:
    """Make a net for rows of this layout, with first weights that know nothing of the data."""
    needs = estimator._needs()
    net = SSLNet(
        functools.partial(estimator._build_module, layout, unit_interval, sizes),
        seed=seed,
        unit_interval=unit_interval,
        hidden_layer_sizes=sizes,
        lr=estimator.lr,
        device=str(resolve_device(estimator.device)),
        compile=estimator.compile,
        **optimizer_parameters(
            estimator.optimizer, estimator.weight_decay, dict(needs.lr_multipliers)
        ),
    )
    net.initialize()
    if estimator.representation == "hidden":
        hidden_features(net.module_.encoder)
    return net


def batch_size(estimator, needs: Needs, n: int) -> int:
    """Choose how many of n samples are in a step, of all processes together."""
    processes = n_processes()
    if estimator.batch_size == "auto":
        size = auto_batch_size(n, needs.batch_size * processes)
        size = max(size, 2 * processes)
    else:
        size = min(estimator.batch_size * processes, n)
    smallest = smallest_batch(n, size)
    if smallest < processes:
        raise ValueError(
            f"{n} samples in batches of at most {size} make batches of {smallest}, of which "
            f"{processes} processes cannot each take a part. Raise batch_size, or train with "
            "fewer processes."
        )
    return size


def n_epochs(estimator, plan: Plan, n: int) -> int:
    """Choose the passes over n samples."""
    if plan.partial:
        return 1
    return auto_max_epochs(n) if estimator.max_epochs == "auto" else estimator.max_epochs


def _describe_fit(
    estimator, plan: Plan, n_before: int, samples: Samples, watched: Batch
) -> dict[str, Any]:
    """Describe a fit, to know it again by its checkpoint."""
    parameters = described(estimator.get_params(deep=False))
    return {
        "estimator": type(estimator).__name__,
        **{name: value for name, value in parameters.items() if name not in NOT_DESCRIBED},
        "seed": plan.seed,
        "partial_fit": plan.partial,
        "first epoch": n_before + 1,
        "n_samples": len(samples),
        "shape of X": list(samples.shape),
        "X (checksum)": fingerprint(watched),
    }


def check_same_in_processes(
    estimator, plan: Plan, size: int, net: SSLNet, samples: Samples, watched: Batch
) -> None:
    """Raise where processes that train together are given different things."""
    if n_processes() > 1:
        check_same(
            {
                "estimator": type(estimator).__name__,
                "n_samples": len(samples),
                "X (checksum)": fingerprint(watched),
                "batch_size": size,
                "max_epochs": plan.n_epochs,
                "number of weights": _n_weights(net.module_),
            }
        )


def _n_weights(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _make_callbacks(estimator, plan: Plan) -> list:
    callbacks = callbacks_of_process(plan.given_callbacks)
    if plan.stops_early:
        callbacks.append(("early_stopping", StopEarly(estimator.n_iter_no_change)))

    # Scores of the weights that there are, before others choose some; the checkpoint last, when all
    # have seen the epoch.
    def place(item):
        kind = callback_type(item)
        return issubclass(kind, ResumeCheckpoint) - issubclass(kind, KNNScore)

    callbacks.sort(key=place)
    if estimator.verbose and rank() == 0:
        callbacks.append(("progress", FitProgress()))
    return callbacks


def warn_of_result(estimator, result: FitResult, samples: Samples, partial: bool) -> None:
    """Warn of a fit that is not what was asked for."""
    if result.interrupted:
        warnings.warn(
            f"Training interrupted by user after {estimator.n_iter_} whole epochs, which are kept. "
            "What this fit is part of, such as a search, goes on: interrupt again within two "
            "seconds to stop that, too.",
            ConvergenceWarning,
        )
    if estimator.augmentation is not None:
        warn_of_range(samples.layout, result.views_range)
    if not partial:
        estimator._diagnose(samples)
