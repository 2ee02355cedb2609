"""Multilayer perceptrons."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import nn


def dense_layers(sizes: Sequence[int], batch_norm: bool = False) -> list[nn.Module]:
    """Make linear layers from each size to the next, with ReLU between them but not at the end.

    Weights are initialized by the method of He et al. (2015) and biases with zero, so that signals
    keep their size through any number of layers. With torch's default initialization signals
    shrink by a factor of 2.4 in each layer, so that at first the output of an autoencoder hardly
    depends on its input.

    Parameters
    ----------
    sizes : sequence of int
        Widths, from that of the input to that of the output.
    batch_norm : bool, default=False
        Whether to normalize over the batch before each ReLU.

    Returns
    -------
    list of nn.Module
        List of ``len(sizes) - 1`` linear layers and the layers between them.

    Examples
    --------
    >>> dense_layers([4, 3, 2])
    [Linear(in_features=4, out_features=3, bias=True), ReLU(),
     Linear(in_features=3, out_features=2, bias=True)]
    """
    layers: list[nn.Module] = []
    for place, (n_inputs, n_outputs) in enumerate(pairwise(sizes), start=2):
        last = place == len(sizes)
        # Batch normalization subtracts the mean, and any bias with it.
        linear = nn.Linear(n_inputs, n_outputs, bias=last or not batch_norm)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        if linear.bias is not None:
            nn.init.zeros_(linear.bias)
        layers.append(linear)
        if not last:
            layers += [nn.BatchNorm1d(n_outputs), nn.ReLU()] if batch_norm else [nn.ReLU()]
    return layers


def mlp_encoder(
    input_shape: tuple[int, ...], n_outputs: int, hidden_layer_sizes: tuple[int, ...]
) -> nn.Sequential:
    """Make an encoder that flattens its input, followed by a multilayer perceptron.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample.
    n_outputs : int
        Width of the output.
    hidden_layer_sizes : tuple of int
        Widths of the hidden layers; ``()`` gives a linear map.

    Returns
    -------
    nn.Sequential
        Encoder from ``(N,) + input_shape`` to ``(N, n_outputs)``; its last element is the linear
        head.

    Examples
    --------
    >>> len(mlp_encoder((1, 8, 8), 2, (32, 16)))
    6
    """
    sizes = (prod(input_shape), *hidden_layer_sizes, n_outputs)
    return nn.Sequential(nn.Flatten(), *dense_layers(sizes))


def mlp_decoder(
    n_components: int, output_shape: tuple[int, ...], hidden_layer_sizes: tuple[int, ...]
) -> nn.Sequential:
    """Make the decoder that mirrors :func:`mlp_encoder`.

    Parameters
    ----------
    n_components : int
        Width of the input.
    output_shape : tuple of int
        Shape of one decoded sample.
    hidden_layer_sizes : tuple of int
        Widths of the encoder's hidden layers, used here in reverse.

    Returns
    -------
    nn.Sequential
        Decoder from ``(N, n_components)`` to ``(N,) + output_shape``.

    Examples
    --------
    >>> mlp_decoder(2, (1, 8, 8), (32, 16))[0]
    Linear(in_features=2, out_features=16, bias=True)
    """
    sizes = (n_components, *reversed(hidden_layer_sizes), prod(output_shape))
    return nn.Sequential(*dense_layers(sizes), nn.Unflatten(1, output_shape))
