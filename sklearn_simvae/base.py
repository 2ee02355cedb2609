"""The way of data through every estimator: check, views, net, representation."""

import contextlib
import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from numbers import Real
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_feature_names, _get_feature_names, check_is_fitted
from torch import Tensor, nn

from sklearn_simvae._batch import Batch, Terms
from sklearn_simvae._checks import check_finite
from sklearn_simvae._fitting import (
    batch_size,
    check_same_in_processes,
    make_options,
    make_plan,
    make_view_maker,
    new_net,
)
from sklearn_simvae._html import HTMLMixin
from sklearn_simvae._needs import Needs
from sklearn_simvae._nested import check_nested
from sklearn_simvae._parameters import (
    COUNT,
    NOT_NEGATIVE,
    POSITIVE,
    constraints_of,
    share_parameters,
    store_shared,
    structure_of,
)
from sklearn_simvae._plain import described, one_or_many
from sklearn_simvae._shared_parameters import SHARED, Sizes
from sklearn_simvae._trusted import trust
from sklearn_simvae.networks import hidden_features
from sklearn_simvae.persistence import PersistenceMixin
from sklearn_simvae.training import (
    DivergenceError,
    FitResult,
    Run,
    SSLNet,
    inference,
    own_modes,
    random_turn,
    reads,
    resolve_device,
    turns_of,
)
from sklearn_simvae.training.checks import check_batch_norm, check_batches, check_samples, split
from sklearn_simvae.training.distributed import rank, train_together
from sklearn_simvae.training.memory import split_on_oom
from sklearn_simvae.views import Layout, Samples, default_augmentation
from sklearn_simvae.views.hints import warn_of_groups, warn_of_range
from sklearn_simvae.views.lazy import by_chunk, is_dask_array, named
from sklearn_simvae.views.reader import ArrayReader

__all__ = ["COUNT", "NOT_NEGATIVE", "POSITIVE", "BaseSSL", "Needs"]

# Samples by which a fit is looked at: its first weights, the spread of its latents, its collapse.
PROBE_ROWS = 512


class BaseSSL(
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
            see :func:`~sklearn_simvae.views.as_lazy_array`.
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
            Same as in :meth:`fit`.
        y : None
            Ignored.
        groups : array-like of shape (n,), default=None
            Same as in :meth:`fit`.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            Same as in :meth:`fit`.
        """
        return self._fit(X, groups, partial=True)

    def fit_transform(self, X, y=None, groups=None):
        """Fit to X, then transform it.

        Parameters
        ----------
        X : array-like
            Same as in :meth:`fit`.
        y : None
            Ignored.
        groups : array-like of shape (n,), default=None
            Same as in :meth:`fit`.

        Returns
        -------
        Z : ndarray of float32 of shape (n, n_components)
            Representations, as :meth:`transform` returns them.
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
        samples, feature_names = self._read_to_fit(X, groups, reset)
        plan = make_plan(self, partial)
        # It looks at all rows, those of the validation part among them.
        view_maker = self._view_maker(samples)
        train, valid = samples, None
        if plan.stops_early:
            train, valid = self._split(samples, plan.seed)
        net = self._make_net(train, plan.seed) if reset else self._continue_net(train)
        self._check_batches(net, train, valid)
        watched = train.some_views(PROBE_ROWS, net.device)
        check_same_in_processes(self, net, train, watched)
        options = make_options(self, plan, net, view_maker, train, watched, feature_names)
        run = Run(net, options, train, valid, watched)
        try:
            result = run.fit()
        except BaseException as error:
            # The net is at its last whole epoch. Where it went on or a user stopped it, that is the
            # fit that there is now; of a first fit that diverged, it is better than nothing.
            first = isinstance(error, DivergenceError) and not hasattr(self, "net_")
            if run.epochs_done and (first or not reset or isinstance(error, KeyboardInterrupt)):
                self._keep(net, samples.layout, feature_names, options.batch_size)
            raise
        self._keep(net, samples.layout, feature_names, options.batch_size)
        # The first process warns for all.
        if rank() == 0:
            if plan.checkpoint and not result.interrupted:
                plan.checkpoint.remove()
            self._warn(result, train, partial)
        return self

    def _read_to_fit(self, X, groups, reset: bool) -> tuple[Samples, np.ndarray | None]:
        """The samples of X, and the names of its columns."""
        reader = self._reader(anew=reset)
        X, groups = reader.split_groups(X, groups, needed=True)
        feature_names = _get_feature_names(named(X))
        if reset:
            samples = reader.fit(X, groups, self.n_views, hints=rank() == 0)
        else:
            _check_feature_names(self, named(X), reset=False)
            feature_names = getattr(self, "feature_names_in_", None)
            self._check_structure()
            samples = reader.read(X, groups, self.n_views)
        check_samples(type(self).__name__, samples, self._needs().views)
        if samples.groups is not None and rank() == 0:
            warn_of_groups(samples.groups)
        if reset:
            # Later ones may come in parts, of which some hold none.
            self._check_contributing(samples)
        return samples, feature_names

    def _split(self, samples: Samples, seed: int) -> tuple[Samples, Samples]:
        """A part to train on, and one to validate on."""
        fewest, contributing = self._needs().scored_samples, self._contributing(samples)
        return split(samples, self.validation_fraction, seed, fewest, contributing)

    def _check_batches(self, net: SSLNet, train: Samples, valid: Samples | None) -> None:
        """Raise where batches are too small, and have the network's bounds kept to."""
        size = batch_size(self, train)
        for part in (train,) if valid is None else (train, valid):
            check_batches(type(self).__name__, part, size, self._needs().scored_samples)
            self._hold(net.module_, part)
        check_batch_norm(net.module_, train, size)

    def _warn(self, result: FitResult, samples: Samples, partial: bool) -> None:
        """Warn of a fit that is not what was asked for."""
        if result.interrupted:
            warnings.warn(
                f"Training interrupted by user after {self.n_iter_} whole epochs, which are kept. "
                "What this fit is part of, such as a search, goes on: interrupt again within two "
                "seconds to stop that, too.",
                ConvergenceWarning,
            )
        if self.augmentation is not None:
            warn_of_range(samples.layout, result.views_range)
        if not partial:
            self._diagnose(samples)

    def _keep(self, net, layout, feature_names, batch_size):
        """Set all that a fit sets, at once."""
        with turns_of(self).changing():
            self.net_ = net
            self.layout_ = layout
            self.n_features_in_ = layout.n_features
            self.__dict__.pop("feature_names_in_", None)
            if feature_names is not None:
                self.feature_names_in_ = feature_names
            self._fitted_structure = self._current_structure()
            self._fitted_batch_size = batch_size
            self.n_iter_ = len(net.history)
            self._fitted_width = self.representation, self._count_outputs()

    def _as_fitted(self, layout, net):
        """A copy of this estimator as if the fit of a net had ended now."""
        estimator = copy.copy(self)
        estimator.net_, estimator.layout_ = net, layout
        estimator.__dict__.pop("_fitted_width", None)
        return estimator

    def _current_structure(self) -> dict:
        sizes = {name: one_or_many(name, getattr(self, name)) for name in self._structure}
        return described(sizes, weights=False)

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
            X, _ = self._reader().split_groups(X)
            self._reader().check_shape(X)
            return by_chunk(self.transform, X, (self._n_features_out,))
        samples = self._read(X)
        Z = np.empty((len(samples), self._n_features_out), dtype=np.float32)
        with inference(self.module_):
            for part, views, _ in samples.batches(self.net_.device):
                z = split_on_oom(self._represent, views.flatten(0, 1)).float()
                Z[part] = z.unflatten(0, views.shape[:2]).mean(1).cpu().numpy()
        return check_finite(type(self).__name__, Z)

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
        representation, width = self.__dict__.get("_fitted_width", (None, 0))
        # Another may have been set since the fit.
        return width if representation == self.representation else self._count_outputs()

    def _count_outputs(self) -> int:
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
    def _objective(self, module: nn.Module, batch: Batch, generator: torch.Generator) -> Terms:
        """The terms of the objective on views of shape (batch, n_views, ...)."""

    def _needs(self) -> Needs:
        """What the method asks of data and training, given its parameters."""
        return Needs()

    def _initialize(self, module: nn.Module, samples: Samples) -> None:
        """Fit the first weights to the data."""

    def _contributing(self, samples: Samples) -> np.ndarray:
        """Of which samples the objective says something."""
        return np.ones(len(samples), dtype=bool)

    def _check_contributing(self, samples: Samples) -> None:
        """Raise where they are too few to learn from."""

    def _hold(self, module: nn.Module, samples: Samples) -> None:
        """Have rows that the network could not give back refused when they are read."""

    def _check_goes_on(self, samples: Samples) -> None:
        """Warn where training goes on with data that do not suit the network that there is."""

    def _default_augmentation(self, layout: Layout):
        """What augmentation="auto" stands for where views are to be made."""
        return default_augmentation(layout.kind, layout.network_shape[0])

    def _diagnose(self, samples: Samples) -> None:
        """Warn if the representation says nothing about the sample."""

    # ---------------------------------------------------------------- data

    def _reader(self, anew: bool = False) -> ArrayReader:
        """The reader of X: of X like what was fitted, or anew."""
        if not anew:
            check_is_fitted(self, "net_")
        return ArrayReader(
            type(self).__name__,
            None if anew else self.layout_,
            kind=self.kind,
            channels=self.channels,
            encoder=self.encoder,
            input_shape=self.input_shape,
            group_column=self.group_column,
        )

    def _read(self, X, groups=None, n_views=1) -> Samples:
        """The samples of an X that is like what was fitted."""
        reader = self._reader()
        # Where groups count, they were taken before.
        X, _ = reader.split_groups(X)
        _check_feature_names(self, named(X), reset=False)
        return reader.read(X, groups, n_views)

    # ---------------------------------------------------------------- net

    def _make_net(self, samples: Samples, seed: int) -> SSLNet:
        """A new net, its first weights fitted to the data."""
        unit_interval = self._reader(anew=True).unit_interval(samples)
        net = self._new_net(samples.layout, unit_interval, seed)
        self._initialize(net.module_, samples)
        return net

    def _new_net(self, layout: Layout, unit_interval: bool, seed: int) -> SSLNet:
        """A net for rows of this layout, with first weights that know nothing of the data."""
        return new_net(self, layout, unit_interval, seed)

    def _continue_net(self, samples: Samples) -> SSLNet:
        """The net that there is, on the device that may have been set since."""
        self._check_goes_on(samples)
        return self.net_.move_to(resolve_device(self.device))

    def _view_maker(self, samples: Samples) -> Callable[..., Tensor]:
        """From a batch as read to views, on the device."""
        return make_view_maker(self, samples)


share_parameters(BaseSSL)


def _public_row(row: dict) -> dict:
    """A row of skorch's history as the estimator shows it."""
    return {
        name.removeprefix("train_"): value
        for name, value in row.items()
        if isinstance(value, Real)
        and not name.endswith(("batch_count", "_best"))
        and name not in ("train_batch_size", "valid_batch_size")
    }
