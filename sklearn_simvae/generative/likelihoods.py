"""Likelihoods p(x | z) of flat rows, by the outputs of a decoder or by their means."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sklearn_simvae.losses import (
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    multinomial_log_likelihood,
    poisson_log_likelihood,
)
from sklearn_simvae.losses.likelihood import sum_known

# Least mean of a probability that a decoder starts with, and of a rate or share.
_SMALLEST_MEAN, _SMALLEST_RATE = 0.02, 1e-12


def _log_of_rates(mean: Tensor) -> Tensor:
    """Compute the logarithm of the means of counts, of which none is far below their mean."""
    return mean.clamp(min=max(_SMALLEST_MEAN * float(mean.mean()), _SMALLEST_RATE)).log()


class Gaussian:
    """Independent Gaussians of one variance.

    Parameters
    ----------
    squash : bool, default=False
        Whether outputs are the log-odds of the means, which then lie in [0, 1].
    """

    name = "gaussian"

    def __init__(self, squash: bool = False):
        self.squash = squash

    def log_prob(self, x, output, noise_variance, observed=None) -> Tensor:
        """Compute log p(x | z) of rows, given the outputs of a decoder."""
        return gaussian_log_likelihood(x, self.mean(output), noise_variance, observed)

    def log_prob_at(self, x, mean, noise_variance, observed=None) -> Tensor:
        """Compute log p(x | z) of rows, given the means."""
        return gaussian_log_likelihood(x, mean, noise_variance, observed)

    def mean(self, output: Tensor) -> Tensor:
        """Compute E[x | z] from outputs."""
        return output.sigmoid() if self.squash else output

    def output_of(self, mean: Tensor) -> Tensor:
        """Compute outputs from the means of the data, for first weights."""
        return mean.clamp(_SMALLEST_MEAN, 1 - _SMALLEST_MEAN).logit() if self.squash else mean

    def target(self, x: Tensor) -> Tensor:
        """Compute the values of rows whose means are modeled."""
        return x

    def fill(self, x: Tensor, mean: Tensor, usual: Tensor) -> Tensor:
        """Compute what is missing (NaN) in rows, given E[x | z] and the means of the features."""
        return mean


class Bernoulli(Gaussian):
    """Independent Bernoulli variables, of values between 0 and 1."""

    name = "bernoulli"

    def __init__(self):
        super().__init__(squash=True)

    def log_prob(self, x, output, noise_variance, observed=None):
        return bernoulli_log_likelihood(x, output, observed)

    def log_prob_at(self, x, mean, noise_variance, observed=None):
        value = torch.xlogy(x, mean) + torch.xlogy(1 - x, 1 - mean)
        return sum_known(value, observed)


class Multinomial(Gaussian):
    """Counts given their sum."""

    name = "multinomial"

    def log_prob(self, x, output, noise_variance, observed=None):
        return multinomial_log_likelihood(x, output, observed)

    def log_prob_at(self, x, mean, noise_variance, observed=None):
        mean = mean if observed is None else mean * observed
        shares = mean / mean.sum(-1, keepdim=True).clamp(min=1e-12)
        orders = torch.lgamma(1 + x.sum(-1)) - torch.lgamma(1 + x).sum(-1)
        return orders + torch.xlogy(x, shares).sum(-1)

    def mean(self, output):
        return output.softmax(-1)

    def output_of(self, mean):
        return _log_of_rates(mean)

    def target(self, x):
        return x / x.nansum(1, keepdim=True).clamp(min=1e-12)

    def fill(self, x, mean, usual):
        # The expected sum of a row, given its known counts, if sums are exponentially distributed.
        known = (mean * ~x.isnan()).sum(-1, keepdim=True)
        return mean * (1 + x.nansum(-1, keepdim=True)) / (1 / usual.sum() + known)


class Categorical(Multinomial):
    """A category, in columns of which one is 1 and the others are 0."""

    name = "categorical"

    def fill(self, x, mean, usual):
        unknown = (mean * x.isnan()).sum(-1, keepdim=True).clamp(min=_SMALLEST_RATE)
        return mean * (1 - x.nansum(-1, keepdim=True)) / unknown


class Poisson(Gaussian):
    """Independent counts."""

    name = "poisson"

    def log_prob(self, x, output, noise_variance, observed=None):
        return poisson_log_likelihood(x, output, observed)

    def log_prob_at(self, x, mean, noise_variance, observed=None):
        value = torch.xlogy(x, mean) - mean - torch.lgamma(1 + x)
        return sum_known(value, observed)

    def mean(self, output):
        return output.exp()

    def output_of(self, mean):
        return _log_of_rates(mean)


class ByColumn(nn.Module, Gaussian):
    """A likelihood for each of some blocks of columns, whose numbers move with the network.

    Parameters
    ----------
    blocks : sequence of (str, sequence of int)
        Name of a likelihood, and the columns it is of. Each column is in one block.
    """

    name = "by_column"

    def __init__(self, blocks: Sequence[tuple[str, Sequence[int]]]):
        super().__init__()
        self.squash = False
        self._likelihoods = [LIKELIHOODS[name]() for name, _ in blocks]
        self._sizes = [len(columns) for _, columns in blocks]
        # They are in the layout, and not among the weights.
        columns = torch.tensor([column for _, block in blocks for column in block])
        self.register_buffer("columns", columns, persistent=False)
        self.register_buffer("places", columns.argsort(), persistent=False)

    def log_prob(self, x, output, noise_variance, observed=None):
        return self._sum("log_prob", x, output, noise_variance, observed)

    def log_prob_at(self, x, mean, noise_variance, observed=None):
        return self._sum("log_prob_at", x, mean, noise_variance, observed)

    def mean(self, output):
        return self._each("mean", output)

    def output_of(self, mean):
        return self._each("output_of", mean)

    def target(self, x):
        return self._each("target", x)

    def fill(self, x, mean, usual):
        return self._each("fill", x, mean, usual)

    def _sum(self, method: str, x, given, noise_variance, observed) -> Tensor:
        seen = [None] * len(self._sizes) if observed is None else self._blocks(observed)
        blocks = zip(self._likelihoods, self._blocks(x), self._blocks(given), seen, strict=True)
        return sum(getattr(of, method)(*block, noise_variance, o) for of, *block, o in blocks)

    def _each(self, method: str, *values: Tensor) -> Tensor:
        blocks = zip(self._likelihoods, *map(self._blocks, values), strict=True)
        made = [getattr(likelihood, method)(*block) for likelihood, *block in blocks]
        return torch.cat(made, -1)[..., self.places]

    def _blocks(self, values: Tensor) -> tuple[Tensor, ...]:
        return values[..., self.columns].split(self._sizes, -1)


LIKELIHOODS = {
    "gaussian": Gaussian,
    "bernoulli": Bernoulli,
    "categorical": Categorical,
    "multinomial": Multinomial,
    "poisson": Poisson,
}
