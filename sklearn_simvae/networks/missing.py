"""Missing values (NaN) of vectors, as encoders take them."""

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_simvae._numerics import known_means


class FillMissing(nn.Module):
    """Fill missing values by the means of their features, and say which they are.

    Parameters
    ----------
    n_features : int
        Number of features.
    indicator : bool, default=True
        Whether to append a column for each feature that is 1 where its value is missing.
    hide : float, default=0.0
        In training, mean share of values that are hidden as if they were missing, at random as in
        dropout, so that a decoder learns to fill them in. The share of a row is drawn uniformly
        from 0 to twice the mean.

    Attributes
    ----------
    means : Tensor of float32 of shape (n_features,)
        Values to fill in; 0 before :meth:`fit`.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.networks.missing import FillMissing
    >>> FillMissing(2)(torch.tensor([[1.0, float("nan")]]))
    tensor([[1., 0., 0., 1.]])
    """

    def __init__(self, n_features: int, indicator: bool = True, hide: float = 0.0):
        super().__init__()
        self.hide = hide
        self.indicator = indicator
        self.register_buffer("means", torch.zeros(n_features, dtype=torch.float32))

    def fit(self, X: np.ndarray) -> None:
        """Take the means of the features of rows, 0 for a feature that none of them has.

        Parameters
        ----------
        X : ndarray of shape (n, n_features)
            Rows, with NaN where a value is missing.
        """
        self.means.copy_(torch.from_numpy(known_means(X)))

    def forward(self, x: Tensor) -> Tensor:
        """Fill rows.

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
            Rows, with NaN where a value is missing.

        Returns
        -------
        filled : Tensor of shape (n, n_features) or (n, 2 * n_features)
            Rows without NaN, and the columns of the indicator.
        """
        absent = x.isnan()
        if self.training and self.hide:
            share = torch.rand(len(x), 1, device=x.device) * (2 * self.hide)
            absent = absent | (torch.rand(x.shape, device=x.device) < share)
        filled = torch.where(absent, self.means, x)
        return torch.cat([filled, absent.to(x.dtype)], 1) if self.indicator else filled


def fill_layers(module: nn.Module) -> list[FillMissing]:
    """List the layers of a network that fill missing values.

    Parameters
    ----------
    module : Module
        A network.

    Returns
    -------
    layers : list of FillMissing
        Empty if the network takes no missing values.
    """
    return [layer for layer in module.modules() if isinstance(layer, FillMissing)]
