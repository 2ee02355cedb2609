"""The hidden layers before an encoder's head, and projection heads to put after an encoder."""

from collections.abc import Sequence

from torch import Tensor, nn

from sklearn_simvae._checks import check_positive_int, check_sizes

from .missing import FillMissing
from .mlp import dense_layers
from .padded import ZeroPadding


class _Hidden(nn.Module):
    """The ``hidden`` method of an encoder as a module, with the encoder's weights."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder.hidden(x)


def hidden_features(encoder: nn.Module) -> nn.Module:
    """Return the part of an encoder that computes its last hidden layer.

    Parameters
    ----------
    encoder : nn.Module
        An ``nn.Sequential`` whose last element is an ``nn.Linear``, the head, as all built-in
        encoders are; or a module with a method ``hidden`` that maps the input of the encoder,
        ``(N, ...)``, to the hidden layer, ``(N, n_hidden)``.

    Returns
    -------
    nn.Module
        Module from ``(N, ...)`` to ``(N, n_hidden)``, which shares its weights with the encoder.

    Raises
    ------
    ValueError
        If the encoder has neither of these forms.

    Examples
    --------
    >>> from sklearn_simvae.networks import make_encoder
    >>> encoder = make_encoder("mlp", kind="vector", input_shape=(4,), n_outputs=2,
    ...                        hidden_layer_sizes=(8,))
    >>> hidden_features(encoder)
    Sequential(
      (0): Flatten(start_dim=1, end_dim=-1)
      (1): Linear(in_features=4, out_features=8, bias=True)
      (2): ReLU()
    )
    """
    hidden: nn.Module
    if _is_without_nan(encoder):
        hidden = nn.Sequential(encoder[0], hidden_features(encoder[1]))
    elif _ends_in_head(encoder):
        # encoder[:-1] would call the __init__ of a subclass with a dict.
        hidden = nn.Sequential(*list(encoder)[:-1])
    elif callable(getattr(encoder, "hidden", None)):
        hidden = _Hidden(encoder)
    else:
        raise ValueError(
            f"Cannot find the hidden layer of a {type(encoder).__name__}: make the encoder an "
            "nn.Sequential that ends in its head, an nn.Linear, or give it a method `hidden` that "
            "maps the input (N, ...) to the last hidden layer (N, n_hidden)."
        )
    hidden.training = encoder.training
    return hidden


def _is_without_nan(encoder: nn.Module) -> bool:
    """Return whether an encoder is a module of the user's own, given rows without NaN."""
    pair = type(encoder) is nn.Sequential and len(encoder) == 2
    return pair and isinstance(encoder[0], FillMissing | ZeroPadding)


def _ends_in_head(encoder: nn.Module) -> bool:
    # A subclass with its own forward may not run its elements one after another.
    in_turn = isinstance(encoder, nn.Sequential) and type(encoder).forward is nn.Sequential.forward
    return in_turn and len(encoder) > 0 and isinstance(encoder[-1], nn.Linear)


def projection_head(
    n_inputs: int, sizes: Sequence[int] | int, batch_norm: bool = False
) -> nn.Module:
    """Make a multilayer perceptron to put on top of a representation.

    Parameters
    ----------
    n_inputs : int
        Width of the representation.
    sizes : int or sequence of int
        Widths of the layers, of which the last is the output; ``()`` makes the identity.
    batch_norm : bool, default=False
        Whether to normalize the hidden layers over the batch, before their ReLU.

    Returns
    -------
    nn.Module
        Module from ``(N, n_inputs)`` to ``(N, sizes[-1])``: linear layers, with ReLU between them
        but not at the end.

    Raises
    ------
    ValueError
        If a width is not a positive integer.

    Examples
    --------
    >>> projection_head(8, (4, 2))
    Sequential(
      (0): Linear(in_features=8, out_features=4, bias=True)
      (1): ReLU()
      (2): Linear(in_features=4, out_features=2, bias=True)
    )
    >>> projection_head(8, ())
    Identity()
    """
    sizes = (check_positive_int(n_inputs, "n_inputs"), *check_sizes(sizes, "sizes"))
    return nn.Sequential(*dense_layers(sizes, batch_norm)) if len(sizes) > 1 else nn.Identity()
