"""Base of the generative estimators: decode, score and sample."""

import functools
import warnings
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Unpack

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted
from torch import Tensor, nn

from sklearn_simvae._batch import Batch, Terms
from sklearn_simvae._checks import check_count, check_finite, seed_of
from sklearn_simvae._fitting import PROBE_ROWS
from sklearn_simvae._needs import Needs
from sklearn_simvae._parameter_types import GenerativeParameters
from sklearn_simvae._parameters import constraints_of, structure_of
from sklearn_simvae._shared_parameters import GENERATIVE
from sklearn_simvae.base import BaseSSL
from sklearn_simvae.generative.autoencoder import AutoEncoder, fixed_noise, reparameterize
from sklearn_simvae.generative.bounds import has_density, warn_of_bounds
from sklearn_simvae.generative.building import make_autoencoder
from sklearn_simvae.generative.by_column import hold_to_likelihood
from sklearn_simvae.generative.imputation import ImputeMixin
from sklearn_simvae.losses.reduction import mean_over_views
from sklearn_simvae.training import inference, reads
from sklearn_simvae.training.memory import split_on_oom
from sklearn_simvae.views import Layout, Samples
from sklearn_simvae.views.checks import looks_unit_interval
from sklearn_simvae.views.lazy import by_chunk, is_dask_array, some_rows
from sklearn_simvae.views.rows import tensor_to_array

_ELBO_DRAWS = 8
_MAX_ROWS = 1024
_COLLAPSED_R2 = 0.01


class BaseGenerative(ImputeMixin, BaseSSL):
    """Base of the methods that model p(x | z). A method adds `_elbo` and `_log_weights`."""

    _tables = {"generative_parameters": GENERATIVE}
    _own_defaults = {"lr": 2e-3}
    _parameter_constraints = {
        **BaseSSL._parameter_constraints,
        **constraints_of(GENERATIVE),
    }
    _structure = (*BaseSSL._structure, *structure_of(GENERATIVE))

    decoder: str | Callable[..., nn.Module]
    noise_variance: Any
    likelihood: Any

    def __init__(self, n_components: int = 10, **shared: Unpack[GenerativeParameters]):
        super().__init__(n_components, **shared)

    # ---------------------------------------------------------------- what a method adds

    _has_density = True

    @abstractmethod
    def _elbo(
        self, log_likelihood: Tensor, mean: Tensor, log_variance: Tensor, **kwargs
    ) -> dict[str, Tensor]:
        """Compute the "elbo", its terms and, if it is weighted, the "objective" to maximize.

        `mask` and `reduction` are passed by keyword.
        """

    @abstractmethod
    def _log_weights(
        self, log_likelihood: Tensor, z: Tensor, mean: Tensor, log_variance: Tensor, mask=None
    ) -> Tensor:
        """Compute log p(x, z) - log q(z | x) of each sample."""

    @abstractmethod
    def _sample_prior(self, shape: tuple[int, int, int], generator: torch.Generator) -> Tensor:
        """Draw latents of shape (n, n_views, n_components) from the prior."""

    # ---------------------------------------------------------------- training

    def _needs(self):
        # A single number, estimated from all data, can be learned faster than the networks.
        learned = self.noise_variance == "learned"
        return Needs(lr_multipliers={"log_noise_variance": 10.0} if learned else {})

    def _build_module(self, layout: Layout, unit_interval: bool, sizes) -> AutoEncoder:
        return make_autoencoder(
            self, layout, unit_interval, sizes, self.encoder, self.likelihood, self.noise_variance
        )

    def _initialize(self, module, samples):
        x = samples.some_views(PROBE_ROWS, next(module.parameters()).device)
        module.prepare(x, isinstance(self.encoder, str), isinstance(self.decoder, str))

    def _suit(self, module, samples, goes_on):
        for part, rows in zip(module.parts, samples.parts, strict=True):
            if not part.squash:
                continue
            if goes_on and not rows.unit_interval:
                warn_of_bounds(self, some_rows(rows.X), rows.what)
            elif not rows.layout.pixels and looks_unit_interval(rows.X):
                rows.hold_between(0, 1)

    def _diagnose(self, samples):
        r2 = self.module_.explained_variance(samples.some_views(PROBE_ROWS, self.net_.device))
        if r2 < _COLLAPSED_R2:
            warnings.warn(
                f"{type(self).__name__} has collapsed or is not trained yet: after {self.n_iter_} "
                f"epochs its reconstructions explain {max(r2, 0):.1%} of the variance of the data, "
                "no more than their mean does. Try more max_epochs or a smaller batch_size, a "
                "larger lr, a smaller noise_variance, a weaker augmentation, or scale the data, "
                "e.g. by StandardScaler.",
                ConvergenceWarning,
            )

    def _objective(self, module, batch, generator):
        mean, log_variance = module.encode(batch.views, batch.mask)
        z = reparameterize(mean, log_variance, generator, len(batch.indices))
        log_likelihood = module.log_likelihood(batch.views, z, batch.mask)
        terms = self._elbo(log_likelihood, mean, log_variance, mask=batch.mask)
        elbo = terms.pop("elbo")
        return Terms(-terms.pop("objective", elbo), terms)

    def _reader(self, anew=False):
        reader = super()._reader(anew)
        hold_to_likelihood(reader, self.likelihood if anew else self.module_.likelihood.name)
        return reader

    def _default_augmentation(self, layout):
        # The encoder hides values in training if some are missing, which makes views differ.
        return None if layout.missing else super()._default_augmentation(layout)

    # ---------------------------------------------------------------- latents

    def _latent(self, module, batch):
        return mean_over_views(module.encode(batch.views, batch.mask)[0], batch.mask)

    @property
    def n_components_(self) -> int:
        """Number of latent dimensions."""
        return self.module_.n_components

    @property
    def noise_variance_(self) -> float:
        """Noise variance of the Gaussian likelihood, as given or as learned."""
        check_is_fitted(self, "net_")
        with torch.no_grad():
            return float(self.module_.noise_variance)

    @reads
    def encode(self, X) -> tuple[np.ndarray, np.ndarray]:
        """Compute the posterior q(z | x) of each row, or of each view.

        Parameters
        ----------
        X : array-like of shape (n, ...) or (n, n_views, ...)
            Same as in :meth:`transform`.

        Returns
        -------
        mean, variance : ndarray of float32 of shape (n, n_components)
            Parameters of the posteriors, of shape (n, n_views, n_components) if X has a views axis.
        """
        return self._encode(self._read(X))

    def _encode(self, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
        """Compute the posterior of each row, whether rows have groups or not, or of each view."""
        mean, variance = self._posteriors(samples.ungrouped())
        return (mean, variance) if samples.has_views else (mean[:, 0], variance[:, 0])

    def _posteriors(self, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
        """Compute the means and variances of samples, of shape (n, n_views, n_components)."""

        def encode(batch):
            mean, log_variance = self.module_.encode(batch.views, batch.mask)
            both = (mean, log_variance.exp())
            return torch.stack([samples.of_rows(values, batch.mask) for values in both], 1)

        both = self._apply(encode, samples)
        return both[:, 0].copy(), both[:, 1].copy()

    @reads
    def inverse_transform(self, Z) -> np.ndarray:
        """Decode representations to E[x | z].

        Parameters
        ----------
        Z : array-like of shape (n, n_components)
            Latents.

        Returns
        -------
        X : ndarray of float32 of shape (n, ...)
            Rows in the layout of the data of `fit`; pixels in [0, 1].

        Raises
        ------
        ValueError
            If Z has another width than `n_components`.
        """
        check_is_fitted(self, "net_")
        Z = check_array(tensor_to_array(Z), dtype=np.float32, estimator=self, input_name="Z")
        if Z.shape[1] != self.n_components_:
            raise ValueError(
                f"Z has {Z.shape[1]} columns, but {type(self).__name__} has n_components = "
                f"{self.n_components_}. Give latents, as transform returns them "
                "with representation='latent'."
            )
        return self._decode(torch.from_numpy(np.array(Z)))

    def _decode(self, z: Tensor) -> np.ndarray:
        """Decode latents of shape (n, n_components) to rows."""
        return self._decode_by(self.module_, self.layout_, z)

    def _decode_by(self, decoder: AutoEncoder, layout: Layout, z: Tensor) -> np.ndarray:
        """Decode latents to rows of one kind of data, one batch at a time."""
        X = np.empty((len(z), *layout.row_shape), dtype=np.float32)
        with inference(self.module_):
            for start in range(0, len(z), _MAX_ROWS):
                part = slice(start, start + _MAX_ROWS)
                x = split_on_oom(decoder.mean, z[part].to(self.net_.device))
                X[part] = layout.from_network(layout.bounded(x)).cpu().numpy()
        return check_finite(type(self).__name__, X, "Z")

    @available_if(has_density)
    @reads
    def sample(self, n_samples=1, n_views=None, random_state=None) -> np.ndarray:
        """Draw latents from the prior, and decode them to the mean of p(x | z).

        Parameters
        ----------
        n_samples : int, default=1
            Number of samples to draw.
        n_views : int, default=None
            Number of views of each sample, which share its content. None means one view and no
            views axis.
        random_state : int, RandomState or None, default=None
            Source of randomness. None takes the `random_state` of the estimator.

        Returns
        -------
        X : ndarray of float32 of shape (n_samples, ...) or (n_samples, n_views, ...)
            Rows in the layout of the data of `fit`; pixels in [0, 1].

        Raises
        ------
        ValueError
            If a number is not positive.
        """
        check_is_fitted(self, "net_")
        check_count(n_samples, "n_samples")
        if n_views is not None:
            check_count(n_views, "n_views")
        z = self._draw_latents(n_samples, n_views or 1, random_state)
        X = self._decode(z.flatten(0, 1))
        return X if n_views is None else X.reshape(n_samples, n_views, *X.shape[1:])

    def _draw_latents(self, n_samples: int, n_views: int, random_state) -> Tensor:
        """Draw latents from the prior; a `random_state` of None is that of the estimator."""
        seed = seed_of(self.random_state if random_state is None else random_state)
        generator = torch.Generator().manual_seed(seed)
        return self._sample_prior((n_samples, n_views, self.n_components_), generator)

    # ---------------------------------------------------------------- scores

    @available_if(has_density)
    @reads
    def score(self, X, y=None, groups=None) -> float:
        """Compute the mean evidence lower bound of a sample, in nats; higher is better.

        The score is deterministic: the noise is fixed, and common to all rows. Scores may be
        compared between all settings except the scale and the likelihood of the data: densities
        cannot be compared with probabilities, nor with densities of data on another scale.

        Parameters
        ----------
        X : array-like
            Same as in :meth:`fit`. Rows are taken as they are, without augmentation.
        y : None
            Ignored.
        groups : array-like of shape (n,), default=None
            Same as in :meth:`fit`.

        Returns
        -------
        score : float
            Mean of :meth:`score_samples` over samples.
        """
        X, groups = self._reader().split_groups(X, groups, needed=True)
        # A Dask array need not know its length, so it is computed first.
        scores = np.asarray(self._score_samples(X, groups))
        n_samples = len(scores) if groups is None else len(np.unique(np.asarray(groups)))
        return float(scores.sum(dtype=np.float64) / n_samples)

    @available_if(has_density)
    @reads
    def score_samples(self, X, y=None, groups=None, n_importance_samples=1) -> np.ndarray:
        """Compute the evidence lower bound of each row, in nats: low for unusual rows.

        Parameters
        ----------
        X : array-like
            Same as in :meth:`fit`. Rows are taken as they are, without augmentation; a row without
            a group is a sample of one view. A Dask array without groups is scored by chunk, when
            the result is computed.
        y : None
            Ignored.
        groups : array-like of shape (n,), default=None
            Same as in :meth:`fit`, but all rows of a group count. The bound of a group is divided
            evenly among its rows.
        n_importance_samples : int, default=1
            Number of draws. Above 1, the importance-weighted bound is computed, which is tighter.

        Returns
        -------
        scores : ndarray or dask.array.Array of float32 of shape (n,)
            Score of each row of X.

        References
        ----------
        Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.
        """
        check_is_fitted(self, "net_")
        check_count(n_importance_samples, "n_importance_samples")
        X, groups = self._reader().split_groups(X, groups, needed=True)
        return self._score_samples(X, groups, n_importance_samples)

    def _score_samples(self, X, groups, n_importance_samples=1):
        """Compute `score_samples` of rows and groups that were already separated."""
        check_is_fitted(self, "net_")
        if is_dask_array(X) and groups is None:
            self._reader().check_shape(X)
            score = functools.partial(
                self._score_samples, groups=None, n_importance_samples=n_importance_samples
            )
            return by_chunk(score, X, ())
        samples = self._read(X, groups)
        bound_of = functools.partial(self._bound, n_importance_samples=n_importance_samples)
        if samples.groups is None:
            return self._apply(bound_of, samples)
        scores = np.empty(len(samples.X), dtype=np.float32)
        with inference(self.module_):
            for rows, given, batch in samples.group_batches(self.net_.device):
                bound = bound_of(batch).cpu().numpy()
                share = np.broadcast_to((bound / given.sum(1))[:, None], rows.shape)
                scores[rows[given]] = share[given]
        return check_finite(type(self).__name__, scores)

    def _bound(self, batch: Batch, n_importance_samples: int) -> Tensor:
        """Compute the bound of each sample, under noise that is common to all."""
        module, mask = self.module_, batch.mask
        mean, log_variance = module.encode(batch.views, mask)
        # By numpy, whose rounding does not depend on a row's position in the batch.
        std = torch.from_numpy(np.exp(0.5 * log_variance.cpu().double().numpy())).to(mean)
        weighted = n_importance_samples > 1
        n_draws = n_importance_samples if weighted else _ELBO_DRAWS
        noise = fixed_noise(n_draws, *mean.shape[1:], antithetic=not weighted).to(mean.device)
        values = []
        for draw in noise:
            z = mean + draw * std
            log_likelihood = module.log_likelihood(batch.views, z, mask)
            if weighted:
                values.append(self._log_weights(log_likelihood, z, mean, log_variance, mask))
            else:
                values.append(log_likelihood)
        values = torch.stack(values)
        if weighted:
            return torch.logsumexp(values, 0) - np.log(n_draws)
        # In float64, so that the rows around a row do not change its score.
        values, mean, log_variance = (v.cpu().double() for v in (values, mean, log_variance))
        mask = None if mask is None else mask.cpu()
        values = values.mean(0)
        return self._elbo(values, mean, log_variance, mask=mask, reduction="none")["elbo"]

    def _bound_in_graph(self, place: int) -> Callable[[Tensor], Tensor]:
        """Return the bound of rows of one kind of data, of operations on tensors alone."""
        part = self.module_.parts[place]
        noise = fixed_noise(_ELBO_DRAWS, place + 1, part.n_components, antithetic=True)
        noise = noise[:, place].to(self.net_.device)

        def bound(x: Tensor) -> Tensor:
            mean, log_variance = part.encode(x.unsqueeze(1))
            z = mean + noise * torch.exp(0.5 * log_variance)
            # The draws stand where the views do.
            views = x.unsqueeze(1).expand(-1, len(noise), *x.shape[1:])
            values = part.log_likelihood(views, z).mean(1, keepdim=True)
            return self._elbo(values, mean, log_variance, mask=None, reduction="none")["elbo"]

        return bound
