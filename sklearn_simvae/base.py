"""The way of data through every estimator: check, views, net, representation."""

import contextlib
import copy
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import _check_feature_names, check_is_fitted
from torch import Tensor, nn

from sklearn_simvae._batch import Batch, Terms
from sklearn_simvae._checks import check_finite
from sklearn_simvae._fitting import new_net, train
from sklearn_simvae._html import HTMLMixin
from sklearn_simvae._needs import Needs
from sklearn_simvae._nested import check_nested
from sklearn_simvae._parameter_types import SharedAttributes
from sklearn_simvae._parameters import (
    COUNT,
    NOT_NEGATIVE,
    POSITIVE,
    constraints_of,
    share_parameters,
    store_shared,
    structure_of,
)
from sklearn_simvae._persistence import PersistenceMixin
from sklearn_simvae._shared_parameters import SHARED
from sklearn_simvae._structure import StructureMixin
from sklearn_simvae._trusted import trust
from sklearn_simvae.losses.reduction import mean_over_views
from sklearn_simvae.networks import hidden_features
from sklearn_simvae.training import (
    SSLNet,
    inference,
    own_modes,
    random_turn,
    reads,
    turns_of,
)
from sklearn_simvae.training.distributed import train_together
from sklearn_simvae.training.history import public_rows
from sklearn_simvae.training.memory import split_on_oom
from sklearn_simvae.views import Layout, Samples, default_augmentation
from sklearn_simvae.views.lazy import by_chunk, is_dask_array, named
from sklearn_simvae.views.reader import ArrayReader

__all__ = ["COUNT", "NOT_NEGATIVE", "POSITIVE", "BaseSSL", "Needs"]


class BaseSSL(
    SharedAttributes,
    StructureMixin,
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
        X : array-like of shape (n, n_features), (n, n_views, n_features) or of images or series
            Rows, or samples of views. See `kind` and `input_shape`. Series of unequal length are a
            list of arrays. What is not in memory is read by batch: see
            :func:`~sklearn_simvae.views.as_lazy_array`.
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
                train(self, X, groups, partial, reset=not goes_on)
        return self

    def _keep(self, net, layout, feature_names, batch_size):
        """Set all that a fit sets, at once."""
        with turns_of(self).changing():
            self.net_ = net
            self.layout_ = layout
            self.hidden_layer_sizes_ = net.hidden_layer_sizes
            self.n_features_in_ = layout.n_columns
            self.__dict__.pop("feature_names_in_", None)
            if feature_names is not None:
                self.feature_names_in_ = feature_names
            self._fitted_structure = self._current_structure()
            self._fitted_batch_size = batch_size
            self.n_iter_ = len(net.history)

    def _as_fitted(self, layout, net):
        """A copy of this estimator as if the fit of a net had ended now."""
        estimator = copy.copy(self)
        estimator.net_, estimator.layout_ = net, layout
        return estimator

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
        return self._apply(self._represent, self._read(X))

    def _apply(self, function: Callable[[Batch], Tensor], samples: Samples) -> np.ndarray:
        """Apply a function to samples as they are, which makes a row of finite values of each."""
        with inference(self.module_):
            made = samples.map(functools.partial(split_on_oom, function), self.net_.device)
        return check_finite(type(self).__name__, made)

    def _represent(self, batch: Batch) -> Tensor:
        """Compute what `transform` returns, for a batch."""
        if self.representation == "hidden":
            return mean_over_views(batch.apply(hidden_features(self.encoder_)), batch.mask)
        return self._latent(self.module_, batch)

    def _latent(self, module: nn.Module, batch: Batch) -> Tensor:
        """Represent samples, each by the mean over its views."""
        return mean_over_views(batch.apply(module.encoder), batch.mask)

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
            return self._represent(self.layout_.zeros(self.net_.device)).shape[1]

    @property
    def module_(self) -> nn.Module:
        """The module that was trained."""
        return self._fitted("net_").module_

    @property
    def history_(self) -> list[dict]:
        """A row for each epoch, from the history of the net."""
        with turns_of(self).reading():
            return public_rows(self._fitted("net_").history)

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
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    # ---------------------------------------------------------------- what a method adds

    @abstractmethod
    def _build_module(self, layout: Layout, unit_interval: bool, sizes: Sequence) -> nn.Module:
        """The module to train, with an attribute `encoder`."""

    @abstractmethod
    def _objective(self, module: nn.Module, batch: Batch, generator: torch.Generator) -> Terms:
        """The terms of the objective on views of shape (batch, n_views, ...)."""

    def _needs(self) -> Needs:
        """Return the requirements of the method, given its parameters."""
        return Needs()

    def _initialize(self, module: nn.Module, samples: Samples) -> None:
        """Fit the first weights to the data."""

    def _suit(self, module: nn.Module, samples: Samples, goes_on: bool) -> None:
        """Hold samples to the values that a network can give back, which may go on with others."""

    def _default_augmentation(self, layout: Layout):
        """Return the augmentation that "auto" stands for where views are to be made."""
        return default_augmentation(layout.kind, layout.network_shape[0], windows=layout.ragged)

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
            n_views=self.n_views,
            augmentation=self.augmentation,
            default_augmentation=self._default_augmentation,
            first_view_is_row=self._needs().first_view_is_row,
        )

    def _read(self, X, groups=None, n_views=1) -> Samples:
        """The samples of an X that is like what was fitted."""
        reader = self._reader()
        # Groups that count were taken before.
        X, _ = reader.split_groups(X)
        _check_feature_names(self, named(X), reset=False)
        return reader.read(X, groups, n_views)

    # ---------------------------------------------------------------- net

    def _new_net(self, layout: Layout, unit_interval: bool, sizes: Sequence, seed: int) -> SSLNet:
        """Make a net for rows of this layout, with first weights that know nothing of the data."""
        return new_net(self, layout, unit_interval, sizes, seed)


share_parameters(BaseSSL)
