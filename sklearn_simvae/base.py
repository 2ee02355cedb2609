"""The way of data through every estimator: check, views, net, representation."""

import contextlib
import functools
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_feature_names, _get_feature_names, check_is_fitted
from torch import Tensor, nn

from sklearn_simvae._html import HTMLMixin
from sklearn_simvae._nested import check_nested
from sklearn_simvae._numerics import smooth_rank
from sklearn_simvae._parameters import constraints_of, share_parameters, store_shared, structure_of
from sklearn_simvae._plain import described, one_or_many
from sklearn_simvae._shared_parameters import NOT_DESCRIBED, SHARED, Sizes
from sklearn_simvae._trusted import trust
from sklearn_simvae._validation import (
    check_augmentation,
    check_batch_norm,
    check_batches,
    check_callbacks,
    check_colours,
    check_finite,
    check_groups,
    check_like_fitted,
    check_rows,
    check_samples,
    in_unit_interval,
    seed_of,
    smallest_batch,
    split,
    warn_of_channels,
    warn_of_groups,
    warn_of_range,
    warn_of_scales,
)
from sklearn_simvae.networks import hidden_features
from sklearn_simvae.persistence import PersistenceMixin
from sklearn_simvae.training import (
    Checkpoint,
    DivergenceError,
    FitProgress,
    KNNScore,
    SSLNet,
    StopEarly,
    auto_batch_size,
    inference,
    optimizer_parameters,
    own_modes,
    random_turn,
    reads,
    resolve_device,
    resolve_precision,
    turns_of,
)
from sklearn_simvae.training.callbacks import callback_type, callbacks_of_process, want_batches
from sklearn_simvae.training.checkpoint import (
    Saved,
    check_same_fit,
    epochs_before,
    find_checkpoint,
)
from sklearn_simvae.training.distributed import (
    check_same,
    fingerprint,
    n_processes,
    rank,
    train_together,
)
from sklearn_simvae.training.exchange import from_first
from sklearn_simvae.training.memory import in_halves
from sklearn_simvae.views import (
    Batch,
    Layout,
    PerView,
    Samples,
    default_augmentation,
    make_views,
)
from sklearn_simvae.views.columns import take_column
from sklearn_simvae.views.layout import kind_of_rows
from sklearn_simvae.views.samples import one_hot_columns
from sklearn_simvae.views.sources import Source, by_chunk, is_dask_array, named

# Samples by which a fit is looked at: its first weights, the spread of its latents, its collapse.
PROBE_ROWS = 512
# Of a batch in transform: enough rows to keep the processor busy, few enough to stay in its cache.
_MAX_ROWS, _MAX_VALUES = 1024, 1_000_000


class SSLTransformer(
    HTMLMixin,
    PersistenceMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
    ABC,
):
    """Base of all estimators. A method adds `_build_module` and `_objective`.

    Subclasses name their own parameters in `__init__` and pass the shared ones on as `**shared`.
    """

    # Parameters that a class adds, by their place in the documentation of its subclasses.
    _tables = {"shared_parameters": SHARED}
    _parameter_constraints = constraints_of(SHARED)
    # Parameters that are built into a net once, and cannot change while training goes on.
    _structure = structure_of(SHARED)
    # Shared parameters that a method does not have, and what they are in it.
    _not_shared: dict[str, Any] = {}
    # Other defaults of shared parameters, of a class that has an `__init__`. They stand here, since
    # none of the parameters that `__init__` names may be among those of its `**shared` (PEP 692).
    _own_defaults: dict[str, Any] = {}
    # A sample of a single view has a term in the generative objectives alone.
    _min_views = 1
    # The fewest samples of which the objective says something, on a validation part as in `score`.
    _min_scored = 1
    # What batch_size="auto" is on a large set.
    _largest_auto_batch = 256
    # Whether the first view that is made of a row is the row itself.
    _first_view_is_row = False
    # What `__init__` sets, for editors and type checkers.
    n_components: int
    hidden_layer_sizes: Sizes
    encoder: str | Callable[..., nn.Module]
    representation: str
    n_views: int
    augmentation: str | Callable[..., Tensor] | None
    input_shape: tuple[int, ...] | list[int] | None
    max_epochs: int
    batch_size: int | Literal["auto"]
    lr: float
    weight_decay: float
    optimizer: str | Callable[..., torch.optim.Optimizer]
    lr_schedule: str
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    warm_start: bool
    device: str | torch.device
    precision: str
    compile: bool
    callbacks: Any
    verbose: int
    random_state: int | np.random.RandomState | None
    # With the values of estimators that were pickled before there were any.
    group_column: str | int | None = None
    kind: str = "auto"
    channels: str = "auto"

    def __init_subclass__(cls, **kwargs):
        share_parameters(cls)
        trust(cls)
        super().__init_subclass__(**kwargs)

    def __init__(self, n_components: int = 10, **parameters: Any):
        store_shared(self, {"n_components": n_components, **parameters})

    def set_params(self, **params):
        """Set parameters, or those of a parameter as `name__parameter`.

        Parameters
        ----------
        **params : object
            By name.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If there is no such parameter, or it holds what has no parameters.
        """
        check_nested(self, params)
        return super().set_params(**params)

    # ---------------------------------------------------------------- fit

    def fit(self, X, y=None, groups=None):
        """Learn the representation.

        Parameters
        ----------
        X : array-like of shape (n, n_features), (n, n_views, n_features) or of images
            Rows, or samples of views. See `input_shape`. What is not in memory is read by batch:
            see :func:`~sklearn_simvae.views.as_source`.
        y : None
            Ignored.
        groups : array-like of shape (n,), default=None
            Rows with an equal group are the views of one sample.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid, or if training diverges.
        MemoryError
            If a step does not fit in memory.
        """
        return self._fit(X, groups)

    def partial_fit(self, X, y=None, groups=None):
        """Go once through X, from the weights that there are, at a constant learning rate.

        It learns from all of X, `early_stopping` or not: there is no validation part for callbacks
        to look at.

        Parameters
        ----------
        X : array-like
            As for :meth:`fit`.
        y : None
            Ignored.
        groups : array-like of shape (n,), default=None
            As for :meth:`fit`.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            As :meth:`fit`.
        """
        return self._fit(X, groups, partial=True)

    def fit_transform(self, X, y=None, groups=None):
        """Fit to X, then transform it.

        Parameters
        ----------
        X : array-like
            As for :meth:`fit`.
        y : None
            Ignored.
        groups : array-like of shape (n,), default=None
            As for :meth:`fit`.

        Returns
        -------
        Z : ndarray of float32 of shape (n, n_components)
            As :meth:`transform` gives.
        """
        with turns_of(self).training:
            return self.fit(X, groups=groups).transform(X)

    def _fit(self, X, groups, partial=False):
        """Train in the turn of this thread: in place, or beside the fit that there is."""
        turns = turns_of(self)
        with turns.training:
            goes_on = (partial or self.warm_start) and hasattr(self, "net_")
            with contextlib.ExitStack() as stack:
                if goes_on:
                    # In this order, as in an augmentation of a fit that reads another estimator.
                    stack.enter_context(random_turn())
                    stack.enter_context(turns.changing())
                stack.enter_context(own_modes())
                stack.enter_context(train_together())
                return self._train(X, groups, partial, reset=not goes_on)

    def _train(self, X, groups, partial, reset):
        """Everything is checked, then trained, and only then kept."""
        self._validate_params()
        X, groups = self._take_groups(X, groups, needed=True, anew=reset)
        feature_names = _get_feature_names(named(X))
        if not reset:
            _check_feature_names(self, named(X), reset=False)
            feature_names = getattr(self, "feature_names_in_", None)
            self._check_structure()
        lr_schedule = "constant" if partial else self.lr_schedule
        stops = self.early_stopping and not partial
        given_callbacks = check_callbacks(self.callbacks, lr_schedule, stops)
        checkpoint = find_checkpoint(given_callbacks)
        X, layout, has_views = self._check_X(X, reset)
        groups = check_groups(groups, X, has_views)
        samples = Samples(X, layout, has_views, groups, self.n_views)
        check_samples(self, samples, self._min_views)
        if groups is not None and rank() == 0:
            warn_of_groups(groups)
        if reset:
            # Later ones may come in parts, of which some hold none.
            self._check_counted(samples)
        # Of all rows, those of the validation part among them.
        view_maker = self._view_maker(samples)
        train, valid = samples, None
        saved = from_first(checkpoint.read() if checkpoint and rank() == 0 else None)
        seed = self._seed_of_fit(saved)
        if stops:
            train, valid = split(
                samples, self.validation_fraction, seed, self._min_scored, self._counted(samples)
            )
        callbacks = self._make_callbacks(given_callbacks, stops)
        make_net = self._make_net if reset else self._net_that_goes_on
        net = make_net(train, view_maker, callbacks, seed)
        for part in (train, valid) if stops else (train,):
            check_batches(self, part, net.batch_size, self._min_scored)
            self._hold(net.module_, part)
        check_batch_norm(net.module_, train, net.batch_size)
        watched = train.some_views(PROBE_ROWS, net.device)
        self._check_same(net, train, watched)
        if checkpoint:
            n_before = epochs_before(net, saved)
            net.fit_description = self._describe_fit(n_before, train, watched, seed, partial)
            if saved:
                check_same_fit(saved, net.fit_description)
                del net.history[n_before:]
        net.feature_names = feature_names
        net.monitor = functools.partial(self._watch_spread, watched)
        net.record_batches = want_batches(given_callbacks)
        net.lr_schedule = lr_schedule
        net.saved = saved
        try:
            n_epochs = 1 if partial else self.max_epochs
            net.train_epochs(train, valid, n_epochs, self._begin_fit)
        except BaseException as error:
            # The net is at its last whole epoch. Where it went on or a user stopped it, that is the
            # fit that there is now; of a first fit that diverged, it is better than nothing.
            first = isinstance(error, DivergenceError) and not hasattr(self, "net_")
            if net.epochs_done() and (first or not reset or isinstance(error, KeyboardInterrupt)):
                self._keep(net, layout, feature_names)
            raise
        finally:
            net.monitor = None
        self._keep(net, layout, feature_names)
        if rank() > 0:
            # The first process warns for all.
            return self
        if checkpoint and not net.interrupted_:
            checkpoint.remove()
        if net.interrupted_:
            warnings.warn(
                f"Training interrupted by user after {self.n_iter_} whole epochs, which are kept. "
                "What this fit is part of, such as a search, goes on: interrupt again within two "
                "seconds to stop that, too.",
                ConvergenceWarning,
            )
        if self.augmentation is not None:
            warn_of_range(layout, net.views_range)
        if not partial:
            self._warn_if_collapsed(train)
        return self

    def _keep(self, net, layout, feature_names):
        """Set all that a fit sets, at once."""
        with turns_of(self).changing():
            self.net_ = net
            self.layout_ = layout
            self.n_features_in_ = layout.n_features
            self.__dict__.pop("feature_names_in_", None)
            if feature_names is not None:
                self.feature_names_in_ = feature_names
            self._fitted_structure = self._current_structure()
            self._fitted_batch_size = net.batch_size
            self.n_iter_ = len(net.history)

    def _current_structure(self) -> dict:
        return {name: described(one_or_many(name, getattr(self, name))) for name in self._structure}

    def _check_structure(self, what: str = "partial_fit and warm_start go on with") -> None:
        """Raise where the parameters no longer describe the network that training goes on in."""
        now = self._current_structure()
        changed = [name for name, value in self._fitted_structure.items() if value != now[name]]
        if changed:
            raise ValueError(
                f"{what} the network that was fitted, but {', '.join(changed)} changed since. Set "
                f"{'it' if len(changed) == 1 else 'them'} back, or fit anew with warm_start=False."
            )

    # ---------------------------------------------------------------- representation

    @reads
    def transform(self, X):
        """Represent each row of X.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Rows, or samples of views, whose representations are then averaged. A Dask array is
            transformed by chunk, when the result is asked for.

        Returns
        -------
        Z : ndarray or dask.array.Array of float32 of shape (n, n_components)
            One row for each row of X. With `representation="hidden"`, as wide as the encoder's
            last hidden layer.

        Raises
        ------
        ValueError
            If X is not like what was fitted.
        """
        if is_dask_array(X):
            X, _ = self._take_groups(X)
            self._check_shape(X)
            return by_chunk(self.transform, X, (self._n_features_out,))
        samples = self._read(X)
        Z = np.empty((len(samples), self._n_features_out), dtype=np.float32)
        with inference(self.module_):
            for part, views, _ in self._batches(samples, self.net_.device):
                z = in_halves(self._represent, views.flatten(0, 1)).float()
                Z[part] = z.unflatten(0, views.shape[:2]).mean(1).cpu().numpy()
        return check_finite(self, Z)

    def _represent(self, x: Tensor) -> Tensor:
        """The representation of a batch in network layout."""
        if self.representation == "hidden":
            return hidden_features(self.encoder_)(x)
        return self._latent(self.module_, x)

    def _latent(self, module: nn.Module, x: Tensor) -> Tensor:
        return module.encoder(x)

    @reads
    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Names of the columns that `transform` gives.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str
            The class in lower case and a number, e.g. "simvae0".
        """
        return super().get_feature_names_out(input_features)

    @property
    def _n_features_out(self) -> int:
        with inference(self.module_):
            shape = (1, *self.layout_.network_shape)
            x = torch.zeros(shape, dtype=torch.float32, device=self.net_.device)
            return self._represent(x).shape[1]

    @property
    def module_(self) -> nn.Module:
        """The module that was trained."""
        return self._fitted("net_").module_

    @property
    def history_(self) -> list[dict]:
        """A row for each epoch, from the history of the net."""
        with turns_of(self).reading():
            return [_public_row(row) for row in self._fitted("net_").history]

    @property
    def encoder_(self) -> nn.Module:
        """The encoder in it, to be taken out and trained further."""
        return self.module_.encoder

    def _fitted(self, name: str):
        """An attribute that only `fit` sets, absent before in the way that hasattr expects."""
        if name not in self.__dict__:
            raise AttributeError(f"This {type(self).__name__} has no {name} before fit.")
        return self.__dict__[name]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    # ---------------------------------------------------------------- what a method adds

    @abstractmethod
    def _build_module(self, layout: Layout, unit_interval: bool) -> nn.Module:
        """The module to train, with an attribute `encoder`."""

    @abstractmethod
    def _objective(
        self, module: nn.Module, batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The "loss" and its terms on views of shape (batch, n_views, ...), means over samples."""

    def _prepare(self, module: nn.Module, samples: Samples) -> None:
        """Fit the first weights to the data."""

    def _counted(self, samples: Samples) -> np.ndarray:
        """Of which samples the objective says something."""
        return np.ones(len(samples), dtype=bool)

    def _check_counted(self, samples: Samples) -> None:
        """Raise where they are too few to learn from."""

    def _weigh(self, module: nn.Module, batch: Batch) -> int | Tensor:
        """How many of them there are in a batch."""
        return len(batch.views)

    def _hold(self, module: nn.Module, samples: Samples) -> None:
        """Have rows that the network could not give back refused when they are read."""

    def _check_goes_on(self, samples: Samples) -> None:
        """Warn where training goes on with data that do not suit the network that there is."""

    def _begin_fit(self, net: SSLNet, samples: Samples) -> None:
        """Get ready to train on these samples, from new weights or from those that there are."""

    # Called as SSLNet describes; None where there is nothing to do.
    _begin_epoch = _after_step = None

    # Parts of the module that learn at another rate than `lr`: a multiple by pattern of names.
    _lr_multiples = {}

    def _default_augmentation(self, layout: Layout):
        """What augmentation="auto" stands for where views are to be made."""
        return default_augmentation(layout.kind, layout.network_shape[0])

    def _warn_if_collapsed(self, samples: Samples) -> None:
        """Warn if the representation says nothing about the sample."""

    # ---------------------------------------------------------------- data

    def _take_groups(self, X, groups=None, needed=False, anew=False) -> tuple:
        """X without the column of groups, where `group_column` names one, and the groups.

        It may be absent where it is not needed. `anew` is for a fit to other columns than before.
        """
        if self.group_column is None:
            return X, groups
        if groups is not None:
            raise ValueError(
                f"groups are given twice, as an argument and by group_column={self.group_column!r}."
                " Leave out the argument, or set group_column=None."
            )
        if not anew:
            check_is_fitted(self, "net_")
        n_features = None if anew else self.layout_.n_features
        return take_column(X, self.group_column, n_features, needed)

    def _check_shape(self, X) -> None:
        """Raise if rows, whatever they hold, are not of the size of those of `fit`."""
        check_is_fitted(self, "net_")
        self.layout_.has_views(X.shape, type(self).__name__)

    def _check_X(self, X, reset: bool) -> tuple[np.ndarray | Source, Layout, bool]:
        """X as an array that torch can read by batch, its layout, and whether it has views."""
        names = _get_feature_names(named(X)) if reset else None
        X = check_rows(self, X)
        if reset:
            has_shape = X.ndim > 2 or np.size(self.input_shape) > 1
            kind = kind_of_rows(self.kind, self.encoder, has_shape)
            layout, has_views = Layout.infer(X, self.input_shape, kind, self.channels)
            warn_of_channels(layout, X, has_views)
            # Counts and probabilities have the scale that they have.
            if rank() == 0 and getattr(self, "likelihood", "auto") in ("auto", "gaussian"):
                warn_of_scales(layout, X, names)
            return X, layout, has_views
        has_views = self.layout_.has_views(X.shape, type(self).__name__)
        return check_like_fitted(self, X, self.layout_), self.layout_, has_views

    def _read(self, X, groups=None) -> Samples:
        """The samples of an X that is like what was fitted."""
        check_is_fitted(self, "net_")
        # Where groups count, they were taken before.
        X, _ = self._take_groups(X)
        _check_feature_names(self, named(X), reset=False)
        X, layout, has_views = self._check_X(X, reset=False)
        return Samples(X, layout, has_views, check_groups(groups, X, has_views))

    def _batches(
        self, samples: Samples, device: torch.device | str
    ) -> Iterator[tuple[slice, Tensor, Tensor | None]]:
        """Samples in order and as they are: which, their views in network layout, and the mask."""
        n_views = samples.n_given_views
        n_values = samples.layout.n_features * n_views
        step = max(1, min(_MAX_ROWS // n_views, _MAX_VALUES // n_values))
        for start in range(0, len(samples), step):
            part = slice(start, min(start + step, len(samples)))
            rows, mask = samples.take(np.arange(part.start, part.stop))
            rows = torch.from_numpy(rows).to(device)
            mask = None if mask is None else torch.from_numpy(mask).to(device)
            views = make_views(rows, samples.layout, None if samples.views_given else 1)
            # Before the next are read.
            del rows
            yield part, views, mask

    def _watch_spread(self, x: Tensor, module: nn.Module) -> dict[str, float]:
        """How much the latents of some rows differ, for the history."""
        with inference(module):
            z = self._check_latents(self._latent(module, x)).cpu().double()
        return {
            "effective_rank": smooth_rank(z.numpy()),
            "representation_variance": float(z.var(0, correction=0).mean()),
        }

    def _check_latents(self, z: Tensor) -> Tensor:
        """Latents, if training has left them finite."""
        if not z.isfinite().all():
            raise DivergenceError(
                f"{type(self).__name__} makes latents of the data that are not finite: training "
                "diverged, or the data are too large for float32. The last good weights are kept. "
                "Lower lr, or scale the data, e.g. by StandardScaler."
            )
        return z

    def _unit_interval(self, samples: Samples) -> bool:
        """Whether all of X lies in [0, 1], once pixels are scaled."""
        return samples.layout.pixels or in_unit_interval(samples.X)

    # ---------------------------------------------------------------- net

    def _make_net(self, samples: Samples, view_maker, callbacks: list, seed: int) -> SSLNet:
        net = self._new_net(
            samples.layout,
            self._unit_interval(samples),
            make_views=view_maker,
            seed=seed,
            batch_size=self._batch_size(samples),
            callbacks=callbacks,
        )
        self._prepare(net.module_, samples)
        return net

    def _net_that_goes_on(self, samples: Samples, view_maker, callbacks: list, seed: int) -> SSLNet:
        """The net that there is, with what may have been set since; its seed stays its own."""
        self._check_goes_on(samples)
        net, device = self.net_, resolve_device(self.device)
        net.set_params(lr=self.lr, batch_size=self._batch_size(samples))
        net.make_views = view_maker
        net.move_to(device)
        net.bf16 = self._runs_in_bf16(net.module_, device)
        net.callbacks = callbacks
        net._initialize_callbacks()
        return net

    def _new_net(self, layout: Layout, unit_interval: bool, make_views=None, **options) -> SSLNet:
        """A net of this layout, with first weights that know nothing of the data."""
        device = resolve_device(self.device)
        net = SSLNet(
            functools.partial(self._build_module, layout, unit_interval),
            make_views=make_views,
            objective=self._objective,
            begin_epoch=self._begin_epoch,
            after_step=self._after_step,
            weigh=self._weigh,
            lr=self.lr,
            device=str(device),
            compile=self.compile,
            verbose=0,
            **options,
            **optimizer_parameters(self.optimizer, self.weight_decay, self._lr_multiples),
        )
        net.initialize()
        net.bf16 = self._runs_in_bf16(net.module_, device)
        if self.representation == "hidden":
            hidden_features(net.module_.encoder)
        return net

    def _runs_in_bf16(self, module: nn.Module, device: torch.device) -> bool:
        n_weights = sum(p.numel() for p in module.parameters())
        return resolve_precision(self.precision, device, n_weights)

    def _view_maker(self, samples: Samples) -> Callable[..., Tensor]:
        """From a batch as read to views, on the device."""
        layout, augmentation = samples.layout, self.augmentation
        if isinstance(augmentation, str):
            augmentation = None
            if not samples.views_given:
                samples.X = check_colours(layout, samples.X)
                augmentation = self._default_augmentation(layout)
        check_augmentation(augmentation, "augmentation")
        if self._first_view_is_row and not samples.views_given:
            augmentation = PerView([None, augmentation])
        return functools.partial(
            make_views,
            layout=layout,
            n_views=None if samples.views_given else self.n_views,
            augmentation=augmentation,
            one_hot=None if augmentation is None else one_hot_columns(samples.X, layout),
        )

    def _batch_size(self, samples: Samples) -> int:
        """Samples of a step, of all processes together."""
        n, processes = len(samples), n_processes()
        if self.batch_size == "auto":
            size = auto_batch_size(n, self._largest_auto_batch * processes)
            size = max(size, 2 * processes)
        else:
            size = min(self.batch_size * processes, n)
        smallest = smallest_batch(n, size)
        if smallest < processes:
            raise ValueError(
                f"{n} samples in batches of at most {size} make batches of {smallest}, of which "
                f"{processes} processes cannot each take a part. Raise batch_size, or train with "
                "fewer processes."
            )
        return size

    def _seed(self) -> int:
        return from_first(seed_of(self.random_state))

    def _seed_of_fit(self, saved: Saved | None) -> int:
        """That of a fit that goes on, where no number was given."""
        known = isinstance(self.random_state, Integral)
        return self._seed() if saved is None or known else saved.metadata["fit"]["seed"]

    def _describe_fit(self, n_before: int, samples, some_views, seed: int, partial: bool) -> dict:
        """What a fit is known by, for its checkpoint."""
        parameters = described(self.get_params(deep=False))
        return {
            "estimator": type(self).__name__,
            **{name: value for name, value in parameters.items() if name not in NOT_DESCRIBED},
            "seed": seed,
            "partial_fit": partial,
            "first epoch": n_before + 1,
            "n_samples": len(samples),
            "shape of X": list(samples.X.shape),
            "X (checksum)": fingerprint(some_views),
        }

    def _check_same(self, net: SSLNet, samples: Samples, some_views: Tensor) -> None:
        """Raise where processes that train together are given different things."""
        if n_processes() > 1:
            check_same(
                {
                    "estimator": type(self).__name__,
                    "n_samples": len(samples),
                    "X (checksum)": fingerprint(some_views),
                    "batch_size": net.batch_size,
                    "max_epochs": self.max_epochs,
                    "number of weights": sum(p.numel() for p in net.module_.parameters()),
                }
            )

    def _make_callbacks(self, given: list, stops: bool) -> list:
        callbacks = callbacks_of_process(given)
        if stops:
            callbacks.append(("early_stopping", StopEarly(self.n_iter_no_change)))

        # Scores of the weights that there are, before others choose some; the checkpoint last,
        # when all have seen the epoch.
        def place(item):
            kind = callback_type(item)
            return issubclass(kind, Checkpoint) - issubclass(kind, KNNScore)

        callbacks.sort(key=place)
        if self.verbose and rank() == 0:
            callbacks.append(("progress", FitProgress(type(self).__name__)))
        return callbacks


share_parameters(SSLTransformer)


def _public_row(row: dict) -> dict:
    """A row of skorch's history as the estimator shows it."""
    return {
        name.removeprefix("train_"): value
        for name, value in row.items()
        if isinstance(value, Real)
        and not name.endswith(("batch_count", "_best"))
        and name not in ("train_batch_size", "valid_batch_size")
    }
