"""The module of the generative methods, with q(z | x) and p(x | z)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_simvae.generative.likelihoods import Gaussian
from sklearn_simvae.losses import gaussian_log_likelihood
from sklearn_simvae.training.exchange import own_part

# Never reached in a sound fit; keeps exp and its gradients finite.
_LOG_VARIANCE_BOUND = 20.0
_FIRST_LOG_VARIANCE, _SMALL = -4.0, 0.1
# First value of a learned noise variance, as a share of the data's, and its lower bound.
_FIRST_NOISE, _SMALLEST_NOISE = 0.1, 1e-6
# Smallest standard deviation by which the first latents are divided.
_SMALLEST_SPREAD = 1e-3


class AutoEncoder(nn.Module):
    """An encoder to Gaussian posteriors and a decoder to the means (or log-odds) of views.

    Parameters
    ----------
    encoder : Module
        Network `(N, *shape) -> (N, 2 * n_components)`: means, then log-variances.
    decoder : Module
        Network `(N, n_components) -> (N, *shape)`.
    n_components : int
        Number of latent dimensions.
    likelihood : Gaussian or another likelihood
        Likelihood of the views, whose parameters the decoder returns.
    noise_variance : float or "learned"
        Variance of the Gaussian likelihood; if "learned", it is a parameter of the module.
    missing : bool, default=False
        Whether values may be missing (NaN), which are then left out of the likelihood.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        n_components: int,
        likelihood: Gaussian,
        noise_variance: float | str,
        missing: bool = False,
    ):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.n_components = n_components
        self.likelihood = likelihood
        self.fixed_noise_variance = noise_variance
        if noise_variance == "learned":
            self.log_noise_variance = nn.Parameter(torch.tensor(0.0))
        self.squash = likelihood.squash
        self.missing = missing

    @property
    def noise_variance(self) -> float | Tensor:
        """Variance of the Gaussian likelihood: a number, or a tensor with gradient if learned."""
        learned = self.fixed_noise_variance == "learned"
        return self.log_noise_variance.exp() if learned else self.fixed_noise_variance

    @property
    def parts(self) -> list["AutoEncoder"]:
        """Autoencoders of the kinds of data, which are one."""
        return [self]

    def encode(self, views: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compute the parameters of q(z | x).

        Parameters
        ----------
        views : Tensor of shape (batch, n_views, *shape)
            Batch of views.
        mask : Tensor or None, default=None
            Not used: where a sample lacks a view, there is another one.

        Returns
        -------
        mean, log_variance : Tensor of float32 of shape (batch, n_views, n_components)
            Parameters of the posterior of each view.
        """
        output = self.encoder(views.flatten(0, 1)).float()
        return posterior(output.reshape(*views.shape[:2], -1))

    def log_likelihood(self, views: Tensor, z: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute log p(x | z), in nats.

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
        output = self.decoder(z.flatten(0, 1)).flatten(1).float()
        x, observed = views.flatten(0, 1).flatten(1), None
        if self.missing:
            x, observed = _without_nan(x)
        value = self.likelihood.log_prob(x, output, self.noise_variance, observed)
        return value.reshape(views.shape[:2])

    @torch.no_grad()
    def best_log_likelihood(self, views: Tensor) -> Tensor:
        """Compute log p(x | z) of a perfect reconstruction, in nats.

        Parameters
        ----------
        views : Tensor of shape (batch, n_views, *shape)
            Views to explain.

        Returns
        -------
        log_likelihood : Tensor of float32 of shape (batch, n_views)
            Upper bound over all latents.
        """
        x = views.flatten(2)
        if self.likelihood.name == "gaussian" and not self.missing:
            # It depends only on the number of values.
            nothing = x.new_zeros(1)
            of_each = gaussian_log_likelihood(nothing, nothing, self.noise_variance)
            return (x.shape[-1] * of_each).expand(x.shape[:2])
        x = x.flatten(0, 1)
        return self._log_likelihood_at(x, x).reshape(views.shape[:2])

    @torch.no_grad()
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
        x = x.flatten(1)
        mean = self._mean(x).expand_as(x)
        return (self._log_likelihood_at(x, x) - self._log_likelihood_at(x, mean)).mean()

    def _log_likelihood_at(self, x: Tensor, mean: Tensor) -> Tensor:
        """Compute the log-likelihood of flat rows, given means instead of decoder outputs."""
        observed = None
        if self.missing:
            x, observed = _without_nan(x)
            mean = mean.masked_fill(~observed, 0.0)
        return self.likelihood.log_prob_at(x, mean, self.noise_variance, observed)

    def _mean(self, x: Tensor, dim: int = 0) -> Tensor:
        """Compute the means of values over rows, that of all where no row has a value."""
        if not self.missing:
            return x.mean(dim)
        means = x.nanmean(dim)
        return torch.where(means.isnan(), x.nanmean(), means)

    def mean(self, z: Tensor) -> Tensor:
        """Compute E[x | z]; for counts, their shares.

        Parameters
        ----------
        z : Tensor of shape (N, n_components)
            Latents.

        Returns
        -------
        mean : Tensor of float32 of shape (N, *shape)
            Expected views.
        """
        output = self.decoder(z).float()
        return self.likelihood.mean(output.flatten(1)).view_as(output)

    def prepare(self, x: Tensor, encoder: bool, decoder: bool) -> None:
        """Initialize weights from the data.

        Parameters
        ----------
        x : Tensor of shape (N, *shape)
            Some of the data, in network layout.
        encoder, decoder : bool
            Whether the weights of the encoder, or the decoder, may be changed. Weights of a network
            that the user provided are left as they are.
        """
        if encoder:
            self.spread_latents(x)
        if decoder:
            self.start_from_mean(x)
        if self.fixed_noise_variance == "learned":
            self.start_noise(x)

    @torch.no_grad()
    def spread_latents(self, x: Tensor) -> None:
        """Initialize the encoder so that latents differ: means of unit variance, little noise.

        After torch's default initialization, all means are nearly equal, with noise of unit
        variance. The decoder then learns to ignore its input and to return the mean of the data,
        and it takes hundreds of steps to escape from there.

        Parameters
        ----------
        x : Tensor of shape (N, *shape)
            Some of the data, in network layout.
        """
        head, d = self.encoder[-1], self.n_components
        mean = self.encoder(x)[:, :d]
        scale = mean.std(0)
        scale = torch.where(scale > 1e-6 * mean.abs().amax(0), scale, torch.ones_like(scale))
        # With larger weights in the head, small updates below it would change the latents a lot.
        scale = scale.clamp(min=_SMALLEST_SPREAD)
        head.bias[:d].sub_(mean.mean(0)).div_(scale)
        head.weight[:d].div_(scale[:, None])
        head.weight[d:].mul_(_SMALL)
        head.bias[d:].fill_(_FIRST_LOG_VARIANCE)

    @torch.no_grad()
    def start_from_mean(self, x: Tensor) -> None:
        """Initialize the decoder to return the mean of the data, to save steps.

        Parameters
        ----------
        x : Tensor of shape (N, *shape)
            Some of the data, in network layout.
        """
        layers = (nn.Linear, nn.Conv1d, nn.Conv2d)
        last = [module for module in self.decoder.modules() if isinstance(module, layers)][-1]
        dense = isinstance(last, nn.Linear)
        mean = self._mean(x) if dense else self._mean(x.transpose(0, 1).flatten(1), dim=1)
        last.weight.mul_(_SMALL)
        last.bias.copy_(self.likelihood.output_of(mean.flatten()))

    @torch.no_grad()
    def start_noise(self, x: Tensor) -> None:
        """Initialize a learned noise variance below the variance of the data.

        At the variance of the data itself, the latents would cost more nats than they save at
        first.

        Parameters
        ----------
        x : Tensor of shape (N, *shape)
            Some of the data, in network layout.
        """
        x, residual = x.flatten(), (x - self._mean(x)).square().flatten()
        if self.missing:
            x, residual = x[~x.isnan()], residual[~residual.isnan()]
        variance = residual.mean()
        # For constant data, the variance is only the rounding error of the mean.
        nothing = variance <= torch.finfo(x.dtype).eps ** 2 * x.square().mean()
        noise = torch.where(nothing, _SMALLEST_NOISE, _FIRST_NOISE * variance)
        self.log_noise_variance.copy_(noise.clamp(min=torch.finfo(x.dtype).tiny).log())

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
        z = self.encoder(x)[:, : self.n_components]
        x, made = self.likelihood.target(x.flatten(1)), self.mean(z).flatten(1)
        residual, total = (x - made).square(), (x - self._mean(x)).square()
        residual, total = (of.nanmean() if self.missing else of.mean() for of in (residual, total))
        return float(1 - residual / total) if total > 0 else math.nan


def _without_nan(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return values with 0 in place of NaN, and a mask of those that are there."""
    absent = x.isnan()
    return x.masked_fill(absent, 0.0), ~absent


def posterior(output: Tensor) -> tuple[Tensor, Tensor]:
    """Split the output of an encoder into the parameters of q(z | x).

    Parameters
    ----------
    output : Tensor of shape (..., 2 * n_components)
        Means, then log-variances.

    Returns
    -------
    mean, log_variance : Tensor of shape (..., n_components)
        Means, and log-variances clipped to bounds.
    """
    mean, log_variance = output.chunk(2, dim=-1)
    # A clamp whose gradient is one operation.
    return mean, F.hardtanh(log_variance, -_LOG_VARIANCE_BOUND, _LOG_VARIANCE_BOUND)


def reparameterize(
    mean: Tensor,
    log_variance: Tensor,
    generator: torch.Generator | None,
    n_whole: int | None = None,
) -> Tensor:
    """Draw from N(mean, exp(log_variance)), with gradients for both parameters.

    Parameters
    ----------
    mean, log_variance : Tensor
        Parameters of the Gaussian, of the same shape.
    generator : torch.Generator or None
        Source of randomness.
    n_whole : int, default=None
        Number of rows in all processes, if these are only those of one. The noise is then drawn for
        all of them, so that it does not depend on the number of processes.

    Returns
    -------
    z : Tensor
        Latents.
    """
    n = len(mean) if n_whole is None else n_whole
    noise = mean.new_empty(n, *mean.shape[1:]).normal_(generator=generator)
    if n > len(mean):
        noise = noise[own_part(n)]
    return torch.addcmul(mean, noise, torch.exp(0.5 * log_variance))


def fixed_noise(n_draws: int, n_views: int, n_components: int, antithetic: bool) -> Tensor:
    """Draw noise that is the same for all rows and in all calls, so that scores are comparable.

    Parameters
    ----------
    n_draws, n_views, n_components : int
        Shape of the noise.
    antithetic : bool
        Whether the second half of the draws is the negative of the first. An average over them is
        then exact up to second order.

    Returns
    -------
    noise : Tensor of shape (n_draws, n_views, n_components)
        Draws from the standard normal distribution.
    """
    generator = torch.Generator().manual_seed(0)
    half = math.ceil(n_draws / 2) if antithetic else n_draws
    # View by view, so that the noise of a view does not depend on the number of views.
    shape, kind = (half, n_components), {"generator": generator, "dtype": torch.float32}
    views = [torch.randn(shape, **kind) for _ in range(n_views)]
    noise = torch.stack(views, dim=1)
    return torch.cat([noise, -noise])[:n_draws] if antithetic else noise
