"""The module of the generative methods for series that end in NaN where they are short."""

import math

import torch
from torch import Tensor

from sklearn_simvae.generative.autoencoder import AutoEncoder
from sklearn_simvae.losses import (
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    multinomial_log_likelihood,
)


class PaddedAutoEncoder(AutoEncoder):
    """An autoencoder of windows whose padding with NaN is left out of the likelihood.

    The parameters are those of :class:`AutoEncoder`.
    """

    def log_likelihood(self, views: Tensor, z: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute log p(x | z) of the steps that there are, in nats.

        Parameters
        ----------
        views : Tensor of shape (batch, n_views, *shape)
            Views to explain.
        z : Tensor of shape (batch, n_views, n_components)
            Latents.
        mask : Tensor or None, default=None
            Not used.

        Returns
        -------
        log_likelihood : Tensor of float32 of shape (batch, n_views)
            Log-likelihood, summed over the values of each view.
        """
        output = self.decoder(z.flatten(0, 1)).float()
        x = views.flatten(0, 1)
        missing = x.isnan()
        if self.likelihood == "multinomial":
            # Shares are of the steps that there are.
            output = output.masked_fill(missing, -1e9)
        elif self.likelihood == "bernoulli":
            output = output.masked_fill(missing, 0.0)
        elif self.squash:
            output = output.sigmoid()
        nothing = output.detach() if self.likelihood == "gaussian" else torch.zeros_like(x)
        x, output = torch.where(missing, nothing, x).flatten(1), output.flatten(1)
        if self.likelihood == "bernoulli":
            value = bernoulli_log_likelihood(x, output)
        elif self.likelihood == "multinomial":
            value = multinomial_log_likelihood(x, output)
        else:
            value = gaussian_log_likelihood(x, output, self.noise_variance)
        padding = missing.flatten(1).sum(1) * self._at_padding()
        return (value - padding).reshape(views.shape[:2])

    def _at_padding(self) -> float | Tensor:
        """Compute what a padded value adds to a log-likelihood, which is then subtracted."""
        if self.likelihood == "gaussian":
            nothing = next(self.parameters()).new_zeros(1)
            return gaussian_log_likelihood(nothing, nothing, self.noise_variance)
        return -math.log(2) if self.likelihood == "bernoulli" else 0.0

    @torch.no_grad()
    def best_log_likelihood(self, views: Tensor) -> Tensor:
        """Compute log p(x | z) of a perfect reconstruction of the steps that there are.

        Parameters
        ----------
        views : Tensor of shape (batch, n_views, *shape)
            Views to explain.

        Returns
        -------
        log_likelihood : Tensor of float32 of shape (batch, n_views)
            Upper bound over all latents, in nats.
        """
        best = super().best_log_likelihood(torch.where(views.isnan(), 0.0, views))
        if self.likelihood == "gaussian":
            best = best - views.isnan().flatten(2).sum(2) * self._at_padding()
        return best

    def prepare(self, x: Tensor, encoder: bool, decoder: bool) -> None:
        """Initialize weights from the data.

        Parameters
        ----------
        x : Tensor of shape (N, *shape)
            Some of the data, in network layout.
        encoder, decoder : bool
            Whether the weights of the encoder, or the decoder, may be changed.
        """
        if encoder:
            self.spread_latents(x)
        super().prepare(_filled(x), False, decoder)

    def information(self, x: Tensor) -> Tensor:
        """Compute the gain in log-likelihood of a perfect reconstruction over the mean of the data.

        Parameters
        ----------
        x : Tensor of shape (N, *shape)
            Some of the data, in network layout.

        Returns
        -------
        information : scalar Tensor
            Mean over rows of the difference of the log-likelihoods, in nats.
        """
        return super().information(_filled(x))

    @torch.no_grad()
    def explained_variance(self, x: Tensor) -> float:
        """Compute the fraction R2 of the variance of `x` that reconstructions explain.

        Parameters
        ----------
        x : Tensor of shape (N, *shape)
            Data, in network layout.

        Returns
        -------
        r2 : float
            At most 1; 0 for reconstructions by the mean, NaN for constant data.
        """
        mean, filled = self.mean(self.encoder(x)[:, : self.n_components]), _filled(x)
        if self.likelihood == "multinomial":
            total = torch.nan_to_num(x).flatten(1).sum(1).clamp(min=1e-12)
            x = x / total[:, None, None]
            filled = _filled(x)
        residual = (x - mean).square().nanmean()
        variance = (filled - filled.mean(0)).square().mean()
        return float(1 - residual / variance) if variance > 0 else math.nan


def _filled(x: Tensor) -> Tensor:
    """Fill padding with the means of each step over the other series, or of its channel."""
    of_step = x.nanmean(0)
    of_channel = x.transpose(0, 1).flatten(1).nanmean(1)[:, None]
    mean = torch.where(of_step.isnan(), of_channel, of_step)
    return torch.where(x.isnan(), mean, x)
