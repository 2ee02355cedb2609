"""Missing values, filled in by a model of the data."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_simvae._checks import check_finite
from sklearn_simvae.networks.missing import fill_layers
from sklearn_simvae.training import inference, reads
from sklearn_simvae.training.memory import split_on_oom
from sklearn_simvae.views import Layout, Samples


def _takes_vectors(estimator) -> bool:
    """Raise if no single value of a row may be missing."""
    if not estimator.__sklearn_tags__().input_tags.allow_nan:
        raise AttributeError(
            f"A modality is missing as a whole in {type(estimator).__name__}; generate it from "
            "another one."
        )
    layout = getattr(estimator, "layout_", None)
    if layout is not None and layout.kind != "vector":
        raise AttributeError(
            f"Values may be missing in vectors only; {type(estimator).__name__} was fitted on rows "
            f"of the kind {layout.kind!r}."
        )
    return True


class ImputeMixin:
    """Give an estimator with a decoder the method `impute`."""

    _read: Callable[..., Samples]
    layout_: Layout
    module_: Any
    net_: Any

    @available_if(_takes_vectors)
    @reads
    def impute(self, X) -> np.ndarray:
        r"""Fill in the missing values of rows, and leave all others as they are.

        A value is filled in by its mean given the latent, :math:`E[x | z]`, at the mean of the
        posterior :math:`q(z | x)` of what the row has. Counts of a multinomial likelihood, of which
        it gives shares, are scaled by the counts that the row has.

        Parameters
        ----------
        X : array-like of shape (n, n_features) or (n, n_views, n_features)
            Rows, with NaN where a value is missing. A row without any value gets the mean of the
            rows that the model takes for the most usual.

        Returns
        -------
        X : ndarray of float of shape (n, n_features) or (n, n_views, n_features)
            Rows without NaN, in the units of X.

        Raises
        ------
        ValueError
            If values are missing, but were not in the rows that were fitted.
        """
        check_is_fitted(self, "net_")
        samples = self._read(X)
        filled = np.array(samples.X[np.arange(len(samples.X))])
        if not self.layout_.missing:
            return filled

        usual = fill_layers(self.module_)[0].means

        def decode(batch):
            latent = self.module_.encode(batch.views)[0]
            mean = split_on_oom(self.module_.mean, latent.flatten(0, 1))
            x = self.module_.likelihood.fill(batch.views.flatten(0, 1), mean, usual)
            return x.reshape(*batch.views.shape)

        with inference(self.module_):
            made = samples.map(decode, torch.device(self.net_.device))
        made = check_finite(type(self).__name__, made).reshape(filled.shape)
        return np.where(np.isnan(filled), made, filled)
