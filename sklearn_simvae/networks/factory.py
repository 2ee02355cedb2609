"""Make encoders and decoders from the parameters of an estimator."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from sklearn_simvae._checks import check_positive_int, check_sizes

from .checks import check_module, check_no_torchscript, check_sample_shape
from .conv import conv_decoder, conv_encoder
from .copies import as_float32, copy_module
from .missing import FillMissing
from .mlp import mlp_decoder, mlp_encoder
from .padded import ZeroPadding, padded_encoder
from .resnet import resnet18_decoder, resnet18_encoder

EncoderOption = str | nn.Module | Callable[[tuple[int, ...], int], nn.Module]
DecoderOption = str | nn.Module | Callable[[int, tuple[int, ...]], nn.Module]

_KINDS_OF = {
    "mlp": ("vector", "image", "series"),
    "conv": ("image",),
    "resnet18": ("image",),
    "conv1d": ("series",),
}
_ENCODERS = {"conv": conv_encoder, "conv1d": conv_encoder, "resnet18": resnet18_encoder}
_DECODERS = {"conv": conv_decoder, "conv1d": conv_decoder, "resnet18": resnet18_decoder}
_LARGEST_MLP_IMAGE, _LONGEST_MLP_SERIES = 32, 512
# Mean share of values that an encoder of rows with missing values hides in training.
_HIDDEN = 0.3


def make_encoder(
    encoder: EncoderOption,
    *,
    kind: str,
    input_shape: Sequence[int],
    n_outputs: int,
    hidden_layer_sizes: Sequence[int] | int,
    fill_missing: str | None = None,
    padded: bool = False,
) -> nn.Module:
    """Make the network that encodes a sample.

    Parameters
    ----------
    encoder : str, nn.Module or callable
        - ``"auto"``: ``"mlp"`` for vectors, for gray images up to 32 pixels on both sides and for
          series of one channel up to 512 steps, ``"conv"`` for other images, ``"conv1d"`` for
          other series and for those of unequal length;
        - ``"mlp"``: multilayer perceptron, for all kinds;
        - ``"conv"``: small residual network, for images;
        - ``"resnet18"``: ResNet-18, with the standard stem from 64 pixels on, for images;
        - ``"conv1d"``: residual convolutions over time, for series;
        - a module, of which a copy in float32 is returned: the module itself is never trained. It
          may have lazy layers, but no TorchScript;
        - a factory, called with ``(input_shape, n_outputs)``, that returns a module.
    kind : {"vector", "image", "series"}
        Kind of the samples.
    input_shape : sequence of int
        Shape of one sample: ``(d,)``, ``(C, H, W)`` or ``(channels, length)``.
    n_outputs : int
        Width of the output.
    hidden_layer_sizes : int or sequence of int
        Widths of the hidden layers of an ``"mlp"``, ``()`` for a linear map. The other encoders
        do not use it.
    fill_missing : {None, "mean", "indicator"}, default=None
        How vectors with missing values (NaN) are encoded. ``"mean"`` fills in the mean of the
        feature. ``"indicator"`` also tells a built-in encoder which values are missing, and hides
        others in training, so that a decoder learns to fill them in; a network of the user's own,
        whose inputs may be of one number only, gets the means alone.
    padded : bool, default=False
        Whether samples are series that end in NaN where they are shorter than others. A module
        of the user's own is given zeros there.

    Returns
    -------
    nn.Module
        Encoder from ``(N,) + input_shape`` to ``(N, n_outputs)``. A built-in encoder is an
        ``nn.Sequential`` whose last element is an ``nn.Linear``, the head.

    Raises
    ------
    ValueError
        If an argument is not valid, if a name does not fit the kind, or if the module that was
        given or made does not map the input shape to the output shape.

    Examples
    --------
    >>> make_encoder("auto", kind="vector", input_shape=(4,), n_outputs=2, hidden_layer_sizes=8)
    Sequential(
      (0): Flatten(start_dim=1, end_dim=-1)
      (1): Linear(in_features=4, out_features=8, bias=True)
      (2): ReLU()
      (3): Linear(in_features=8, out_features=2, bias=True)
    )
    """
    shape = check_sample_shape(input_shape, kind, "input_shape")
    n_outputs = check_positive_int(n_outputs, "n_outputs")
    hidden = check_sizes(hidden_layer_sizes, "hidden_layer_sizes")
    if fill_missing is not None:
        indicator = fill_missing == "indicator" and isinstance(encoder, str)
        filled = make_encoder(
            encoder,
            kind=kind,
            input_shape=(shape[0] * (1 + indicator),),
            n_outputs=n_outputs,
            hidden_layer_sizes=hidden,
        )
        layers = list(filled) if isinstance(encoder, str) else [filled]
        hide = _HIDDEN if fill_missing == "indicator" else 0.0
        return nn.Sequential(FillMissing(shape[0], indicator, hide), *layers)
    if not isinstance(encoder, str):
        module = _own_module(encoder, (shape, n_outputs), "encoder")
        module = check_module(module, shape, (n_outputs,), "encoder")
        return nn.Sequential(ZeroPadding(), module) if padded else module
    name = _resolve(encoder, kind, shape, "encoder", padded)
    if padded:
        return padded_encoder(name, shape, n_outputs, hidden)
    if name == "mlp":
        return mlp_encoder(shape, n_outputs, hidden)
    return _ENCODERS[name](shape, n_outputs)


def make_decoder(
    decoder: DecoderOption,
    *,
    encoder: EncoderOption,
    kind: str,
    n_components: int,
    output_shape: Sequence[int],
    hidden_layer_sizes: Sequence[int] | int,
    padded: bool = False,
) -> nn.Module:
    """Make the network that decodes a sample, without a nonlinearity at its end.

    Parameters
    ----------
    decoder : str, nn.Module or callable
        - ``"auto"``: the mirror of the encoder if that is given by name, else the mirror of the
          encoder that ``encoder="auto"`` stands for;
        - ``"mlp"``, ``"conv"``, ``"resnet18"`` or ``"conv1d"``: the mirror of the encoder of that
          name, for the same kinds;
        - a module, of which a copy in float32 is returned: the module itself is never trained. It
          may have lazy layers, but no TorchScript;
        - a factory, called with ``(n_components, output_shape)``, that returns a module.
    encoder : str, nn.Module or callable
        Encoder, as given to :func:`make_encoder`.
    kind : {"vector", "image", "series"}
        Kind of the samples.
    n_components : int
        Width of the input.
    output_shape : sequence of int
        Shape of one sample: ``(d,)``, ``(C, H, W)`` or ``(channels, length)``.
    hidden_layer_sizes : int or sequence of int
        Widths of the hidden layers of the encoder, which an ``"mlp"`` uses in reverse. The other
        decoders do not use it.
    padded : bool, default=False
        Whether the encoder is given series that end in NaN, see :func:`make_encoder`.

    Returns
    -------
    nn.Module
        Decoder from ``(N, n_components)`` to ``(N,) + output_shape``.

    Raises
    ------
    ValueError
        If an argument is not valid, if a name does not fit the kind, or if the module that was
        given or made does not map the input shape to the output shape.

    Examples
    --------
    >>> make_decoder("auto", encoder="auto", kind="vector", n_components=2, output_shape=(4,),
    ...              hidden_layer_sizes=())
    Sequential(
      (0): Linear(in_features=2, out_features=4, bias=True)
      (1): Unflatten(dim=1, unflattened_size=(4,))
    )
    """
    shape = check_sample_shape(output_shape, kind, "output_shape")
    n_components = check_positive_int(n_components, "n_components")
    hidden = check_sizes(hidden_layer_sizes, "hidden_layer_sizes")
    if not isinstance(decoder, str):
        module = _own_module(decoder, (n_components, shape), "decoder")
        return check_module(module, (n_components,), shape, "decoder")
    if decoder == "auto":
        mirrored = encoder if isinstance(encoder, str) else "auto"
        name = _resolve(mirrored, kind, shape, "encoder", padded)
    else:
        name = _resolve(decoder, kind, shape, "decoder", padded)
    if name == "mlp":
        return mlp_decoder(n_components, shape, hidden)
    return _DECODERS[name](n_components, shape)


def _own_module(option: Any, arguments: tuple[Any, Any], what: str) -> Any:
    # Modules come first, since they are callable like factories.
    if isinstance(option, nn.Module):
        check_no_torchscript(option, what)
        return as_float32(copy_module(option))
    if not callable(option):
        raise ValueError(f"{what} must be a name, an nn.Module or a factory, got {option!r}.")
    # A class of the user's own may be a factory; one of torch's layers is not.
    if isinstance(option, type) and option.__module__.startswith("torch."):
        raise ValueError(
            f"{what} must be a name, an nn.Module or a factory, got the class {option.__name__}. "
            "Give an instance of it, or a function that makes one from the shapes."
        )
    made = option(*arguments)
    if isinstance(made, nn.Module):
        check_no_torchscript(made, what)
        as_float32(made)
    return made


def _resolve(name: str, kind: str, shape: tuple[int, ...], what: str, padded: bool) -> str:
    """Return the name of the architecture; ``"auto"`` is replaced by the one it stands for."""
    if name == "auto":
        return _auto(kind, shape, padded)
    if name not in _KINDS_OF:
        names = ", ".join(map(repr, ["auto", *_KINDS_OF]))
        raise ValueError(f"{what} must be one of {names}, an nn.Module or a factory, got {name!r}.")
    if kind not in _KINDS_OF[name]:
        fitting = [fit for fit, kinds in _KINDS_OF.items() if kind in kinds]
        raise ValueError(
            f"{what}={name!r} does not fit samples of kind {kind!r}; use one of "
            f"{', '.join(map(repr, ['auto', *fitting]))}."
        )
    return name


def _auto(kind: str, shape: tuple[int, ...], padded: bool) -> str:
    if kind == "series":
        # Series of one channel often show the same thing at the same place.
        is_short = shape[0] == 1 and shape[1] <= _LONGEST_MLP_SERIES and not padded
        return "mlp" if is_short else "conv1d"
    if kind == "image" and (shape[0] > 1 or max(shape[1:]) > _LARGEST_MLP_IMAGE):
        return "conv"
    return "mlp"
