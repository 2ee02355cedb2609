"""Widths of networks that fit the size of the data."""

from collections.abc import Sequence

from sklearn_simvae._checks import check_sizes

# The hidden layers that the number of values of the data, rows times features, calls for: below
# each bound the widths beside it, and the paper's where there are more.
_WIDTHS = ((50_000, (256, 128)), (10_000_000, (512, 256)))
_WIDEST = (2000, 500, 500)


def hidden_sizes(
    sizes: Sequence[int] | int | str, n_features: int, n_samples: int, n_components: int = 1
) -> tuple[int, ...]:
    """Choose the widths of the hidden layers of a multilayer perceptron.

    Parameters
    ----------
    sizes : int, sequence of int or "auto"
        Widths, which are returned as they are, or "auto" to choose them.
    n_features : int
        Number of values in a row.
    n_samples : int
        Number of rows.
    n_components : int, default=1
        Width of the representation, which no hidden layer is narrower than if they are chosen.

    Returns
    -------
    sizes : tuple of int
        Widths of the hidden layers of the encoder.

    Raises
    ------
    ValueError
        If a width is not a positive integer.

    Examples
    --------
    >>> from sklearn_simvae.networks import hidden_sizes
    >>> hidden_sizes("auto", n_features=13, n_samples=178)
    (256, 128)
    >>> hidden_sizes("auto", n_features=784, n_samples=60_000)
    (2000, 500, 500)
    """
    if not (isinstance(sizes, str) and sizes == "auto"):
        return check_sizes(sizes, "hidden_layer_sizes")
    n_values = n_features * n_samples
    widths = next((widths for bound, widths in _WIDTHS if n_values < bound), _WIDEST)
    return tuple(max(width, n_components) for width in widths)
