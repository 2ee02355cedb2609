"""A transformer that computes features by a pretrained network, which it does not train."""

import copy
import functools
import os
from typing import Any

import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import _check_feature_names, _get_feature_names, check_is_fitted
from torch import Tensor, nn

from sklearn_simvae._batch import Batch
from sklearn_simvae._checks import check_finite
from sklearn_simvae._html import LinkMixin
from sklearn_simvae._parameters import COUNT
from sklearn_simvae._persistence import PickledByValueMixin
from sklearn_simvae._trusted import trust
from sklearn_simvae.losses.reduction import mean_over_views
from sklearn_simvae.networks.copies import copy_module
from sklearn_simvae.pretrained.features import POOLINGS, Features
from sklearn_simvae.pretrained.loading import load_network
from sklearn_simvae.training import inference, own_modes, resolve_device, resolve_precision
from sklearn_simvae.training.memory import split_on_oom
from sklearn_simvae.training.modes import bf16_autocast
from sklearn_simvae.views import Layout
from sklearn_simvae.views.layout import KINDS
from sklearn_simvae.views.lazy import by_chunk, is_dask_array, named
from sklearn_simvae.views.reader import ArrayReader

# Views of a batch on a GPU; on a CPU fewer, by what fits into its cache.
_GPU_BATCH = 256


@trust
class FrozenEncoder(
    LinkMixin,
    PickledByValueMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Features of a pretrained network, for the estimators that follow in a Pipeline.

    The network is not trained. `fit` copies or loads it, and learns the shape of a row. It computes
    in evaluation mode, without gradients: neither its weights nor statistics of batch normalization
    change, and dropout is off. A module that is given is left as it is.

    Parameters
    ----------
    encoder : torch.nn.Module, str or path-like
        The network: a module from `(N, ...)` to features, maps or tokens, of which `fit` takes a
        copy in float32; or a name. Names without a slash are those of timm ("resnet18",
        "vit_small_patch14_dinov2"), which gives its pooled features, and names with one are those
        of transformers ("facebook/dinov2-small"). A folder that either of them saved may be given
        by its path. Both are extras: `pip install 'sklearn-simvae[timm]'` or
        `'sklearn-simvae[transformers]'`. They look for weights in their cache, and then download
        them.
    layer : str, default=None
        Name of a part of the network, as in `named_modules`, whose output is taken, e.g. "layer3".
        None is the output of the whole network.
    pooling : {"auto", "mean", "max", "token", "flatten"} or callable, default="auto"
        How a row is made of what has more axes. "auto" and "mean" average over the positions of
        maps `(N, channels, height, width)`, tokens `(N, tokens, width)` and, where rows are series,
        `(N, channels, length)`; "max" takes the maximum; "token" the first token, which classifies
        in many transformers; "flatten" keeps all. A function gets the output, and returns
        `(N, n_features)`.
    mean, std : "auto", None, float or sequence of float, default="auto"
        Mean and standard deviation of the channels by which pixels in [0, 1] are normalized.
        "auto" takes what the model of timm, or the preprocessor that transformers has for a name,
        says; other modules get rows as they are. None normalizes nothing.
    image_size : "auto", int, tuple of int or None, default="auto"
        Height and width to which images are resized, by bilinear interpolation. "auto" takes the
        size that the model of timm or transformers was trained with; other modules get images as
        they are. None resizes nothing.
    weights : str or path-like, default=None
        File with the weights of a model that is given by its name in timm.
    kind : {"auto", "vector", "image", "series"}, default="auto"
        The kind of a row, as in all estimators of this package.
    channels : {"auto", "first", "last"}, default="auto"
        The end where rows have their channels, as in all estimators.
    input_shape : tuple of int, default=None
        Shape of one row, if X alone does not tell, as in all estimators.
    batch_size : int or "auto", default="auto"
        Rows that the network computes at once. "auto" is 256 on a GPU, and on a CPU at most 1024,
        less for large rows.
    device : str, default="auto"
        Device to compute on: "auto" (CUDA, else MPS, else CPU) or a name that torch knows.
    precision : {"float32", "bf16", "auto"}, default="float32"
        Precision of the network. "bf16" is faster where the processor has units for it, and
        changes the features in the third digit; "auto" takes it there for large networks.

    Attributes
    ----------
    module_ : torch.nn.Module
        The network, with what is done to its input and output.
    layout_ : Layout
        How a row of X is read.
    n_features_in_ : int
        Values in a row, the product of its shape.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where X in `fit` had string names.

    See Also
    --------
    FineTuned : A pretrained network as the encoder of an estimator, which trains it.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_simvae import FrozenEncoder
    >>> X = load_digits().images / 16
    >>> network = torch.nn.Sequential(torch.nn.Conv2d(1, 12, 3), torch.nn.ReLU())
    >>> FrozenEncoder(network, input_shape=(8, 8)).fit_transform(X).shape
    (1797, 12)
    """

    _parameter_constraints = {
        "encoder": "no_validation",
        "layer": [str, None],
        "pooling": [StrOptions(set(POOLINGS)), callable],
        "mean": "no_validation",
        "std": "no_validation",
        "image_size": "no_validation",
        "weights": [str, os.PathLike, None],
        "kind": [StrOptions({"auto", *KINDS})],
        "channels": [StrOptions({"auto", "first", "last"})],
        "input_shape": [tuple, list, None],
        "batch_size": [StrOptions({"auto"}), COUNT],
        "device": [str, torch.device],
        "precision": [StrOptions({"auto", "float32", "bf16"})],
    }

    def __init__(
        self,
        encoder: nn.Module | str | os.PathLike,
        *,
        layer: str | None = None,
        pooling: Any = "auto",
        mean: Any = "auto",
        std: Any = "auto",
        image_size: Any = "auto",
        weights: str | os.PathLike | None = None,
        kind: str = "auto",
        channels: str = "auto",
        input_shape: Any = None,
        batch_size: int | str = "auto",
        device: str = "auto",
        precision: str = "float32",
    ):
        self.encoder = encoder
        self.layer = layer
        self.pooling = pooling
        self.mean = mean
        self.std = std
        self.image_size = image_size
        self.weights = weights
        self.kind = kind
        self.channels = channels
        self.input_shape = input_shape
        self.batch_size = batch_size
        self.device = device
        self.precision = precision

    def fit(self, X, y=None):
        """Load the network and learn the shape of a row, without training.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Rows, or samples of views, in any form that the estimators of this package take.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If a parameter or X is not valid, or the network does not take such rows.
        ImportError
            If the library that has the model is not installed.
        OSError
            If the weights of a name are neither in the cache nor can be downloaded.
        """
        self._validate_params()
        device = resolve_device(self.device)
        names = _get_feature_names(named(X))
        with own_modes():
            network = load_network(self.encoder, self.weights)
            reader = self._reader(None, network.mean)
            reader.fit(X, hints=False)
            module = self._make_module(network, reader.layout).to(device)
        self.module_, self.layout_ = module, reader.layout
        self.n_features_in_ = reader.layout.n_columns
        vars(self).pop("feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = names
        return self

    def transform(self, X):
        """Compute the features of each row of X.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Rows, or samples of views, whose features are then averaged. What is not in memory is
            read by batch, and a Dask array is transformed by chunk when the result is asked for.

        Returns
        -------
        Z : ndarray or dask.array.Array of float32 of shape (n, n_features)
            One row for each row of X.

        Raises
        ------
        ValueError
            If X is not like what was fitted.
        """
        check_is_fitted(self, "module_")
        reader = self._reader(self.layout_, self.module_.mean)
        if is_dask_array(X):
            reader.check_shape(X)
            return by_chunk(self.transform, X, (self._n_features_out,))
        _check_feature_names(self, named(X), reset=False)
        samples, device = reader.read(X), resolve_device(self.device)
        represent = functools.partial(split_on_oom, self._represent)
        with inference(self.module_.to(device)), bf16_autocast(device, self._in_bf16(device)):
            made = samples.map(represent, device, self._n_rows(device))
        return check_finite(type(self).__name__, made)

    def _represent(self, batch: Batch) -> Tensor:
        return mean_over_views(batch.apply(self.module_), batch.mask)

    def _in_bf16(self, device: torch.device) -> bool:
        n_weights = sum(weight.numel() for weight in self.module_.parameters())
        # By the network alone: a row must not depend on how many others there are.
        return resolve_precision(self.precision, device, n_weights, n_views=_GPU_BATCH)

    def _n_rows(self, device: torch.device) -> int | None:
        if self.batch_size != "auto":
            return self.batch_size
        return None if device.type == "cpu" else _GPU_BATCH

    def _make_module(self, network, layout: Layout) -> nn.Module:
        return Features(
            network,
            layout.kind,
            layout.network_shape,
            layer=self.layer,
            pooling=self.pooling,
            mean=self.mean,
            std=self.std,
            image_size=self.image_size,
            padded=layout.ragged,
        ).requires_grad_(False)

    def _reader(self, layout: Layout | None, known_mean) -> ArrayReader:
        """The reader of X, which refuses images that are not in the scale of a normalization."""
        of_images = known_mean is not None
        reader = ArrayReader(
            type(self).__name__,
            layout,
            kind=self.kind,
            channels=self.channels,
            # A name that tells that rows are images.
            encoder="conv" if of_images else "auto",
            input_shape=self.input_shape,
            allow_nan=False,
        )
        if of_images and isinstance(self.mean, str):
            reader.require(0, 1, _not_pixels)
        return reader

    @property
    def _n_features_out(self) -> int:
        return self.module_.n_outputs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def __reduce_ex__(self, protocol):
        estimator = self
        if "module_" in vars(self):
            # It is loaded on machines without this device, too.
            estimator = copy.copy(self)
            estimator.module_ = copy_module(self.module_).cpu()
        return super(FrozenEncoder, estimator).__reduce_ex__(protocol)

    def __getstate__(self):
        # For skops, whose files hold no code: the network is loaded by its name again.
        from sklearn_simvae.persistence.pickles import refuse_modules

        refuse_modules(self)
        state = {name: value for name, value in vars(self).items() if name != "module_"}
        if "layout_" in state:
            state["layout_"] = self.layout_.to_dict()
        return state

    @own_modes()
    def __setstate__(self, state):
        super().__setstate__(state)
        if isinstance(state.get("layout_"), dict):
            self.layout_ = Layout.from_dict(state["layout_"])
            network = load_network(self.encoder, self.weights)
            self.module_ = self._make_module(network, self.layout_)


def _not_pixels(low: float, high: float) -> str:
    return (
        f"X holds values from {low:.3g} to {high:.3g}, but the network was trained on pixels "
        "from 0 to 1, which are then normalized. Give uint8 images or scale to that range; or set "
        "mean=None and std=None if X is normalized already."
    )
