"""A pretrained network as the encoder of an estimator, which trains it or parts of it."""

import os
from typing import Any

from sklearn.base import BaseEstimator
from torch import nn

from sklearn_simvae._html import LinkMixin
from sklearn_simvae._persistence import PickledByValueMixin
from sklearn_simvae._trusted import trust
from sklearn_simvae.pretrained.features import POOLINGS, Features
from sklearn_simvae.pretrained.loading import load_network
from sklearn_simvae.training import own_modes

_KINDS = {1: "vector", 2: "series", 3: "image"}


@trust
class FineTuned(LinkMixin, PickledByValueMixin, BaseEstimator):
    """A pretrained network to be given as `encoder=` of an estimator, which trains it further.

    A linear layer, the head, turns the features of the network into as many outputs as the
    estimator needs. Each fit starts with the weights that were given; the module itself is left as
    it is. The estimator's `encoder_` is a Sequential of the network and the head.

    Parameters
    ----------
    encoder : torch.nn.Module, str or path-like
        The network, or its name in timm or transformers, as :class:`FrozenEncoder` takes it.
    freeze : "trunk", sequence of str or None, default=None
        Parts that are not trained: "trunk" is the whole network, so that only the head learns;
        names, as in `named_modules` or `named_parameters`, are parts of it, such as
        `["conv1", "layer1"]`; None trains all. Frozen parameters get no gradient and no weight
        decay, and frozen parts stay in evaluation mode, so that statistics of batch normalization
        do not move.
    layer, pooling, mean, std, image_size, weights : object
        The same as in :class:`FrozenEncoder`. Means and standard deviations are those of views as
        augmentation gives them: pixels in [0, 1].

    See Also
    --------
    FrozenEncoder : Features of a network that is not trained at all, computed once.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_simvae import FineTuned, SimCLR
    >>> X = load_digits().images[:100] / 16
    >>> network = torch.nn.Sequential(torch.nn.Conv2d(1, 12, 3), torch.nn.ReLU())
    >>> simclr = SimCLR(
    ...     4, encoder=FineTuned(network, freeze="trunk"), input_shape=(8, 8), max_epochs=2
    ... )
    >>> simclr.fit_transform(X).shape
    (100, 4)
    >>> trained = simclr.encoder_[0].network[0].weight.cpu()
    >>> bool((trained == network[0].weight).all())
    True
    """

    def __init__(
        self,
        encoder: nn.Module | str | os.PathLike,
        *,
        freeze: Any = None,
        layer: str | None = None,
        pooling: Any = "auto",
        mean: Any = "auto",
        std: Any = "auto",
        image_size: Any = "auto",
        weights: str | os.PathLike | None = None,
    ):
        self.encoder = encoder
        self.freeze = freeze
        self.layer = layer
        self.pooling = pooling
        self.mean = mean
        self.std = std
        self.image_size = image_size
        self.weights = weights

    @own_modes()
    def __call__(self, input_shape: tuple[int, ...], n_outputs: int) -> nn.Module:
        """Make the encoder that an estimator trains.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of a row, channels first.
        n_outputs : int
            Width of the output.

        Returns
        -------
        encoder : nn.Sequential
            The network, with a new head.

        Raises
        ------
        ValueError
            If a parameter is not valid, or the network does not take such rows.
        """
        names = _frozen_names(self.freeze)
        if not callable(self.pooling) and self.pooling not in POOLINGS:
            raise ValueError(
                f"pooling must be one of {POOLINGS} or a function, got {self.pooling!r}."
            )
        features = Features(
            load_network(self.encoder, self.weights),
            _KINDS[len(input_shape)],
            tuple(input_shape),
            layer=self.layer,
            pooling=self.pooling,
            mean=self.mean,
            std=self.std,
            image_size=self.image_size,
        )
        # A module that is given may be frozen itself.
        features.requires_grad_(True)
        features.freeze(names)
        return nn.Sequential(features, nn.Linear(features.n_outputs, n_outputs)).train()

    def __getstate__(self):
        # For skops, whose files hold no code.
        from sklearn_simvae.persistence.pickles import refuse_modules

        refuse_modules(self)
        return dict(vars(self))


def _frozen_names(freeze: Any) -> tuple[str, ...]:
    if freeze is None:
        return ()
    if isinstance(freeze, str) and freeze == "trunk":
        return ("",)
    if isinstance(freeze, list | tuple | set) and all(isinstance(n, str) and n for n in freeze):
        return tuple(freeze)
    raise ValueError(
        f"freeze must be 'trunk', None or a list of names of parts of the network, got {freeze!r}."
    )
