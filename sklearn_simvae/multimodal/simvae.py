"""SimVAE of modalities: one content behind e.g. an image and its caption."""

from collections.abc import Callable
from typing import Any, Literal, Unpack

import numpy as np
import torch
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklearn_simvae._checks import check_count
from sklearn_simvae._fitting import PROBE_ROWS
from sklearn_simvae._needs import Needs
from sklearn_simvae._parameter_types import MultimodalParameters
from sklearn_simvae._parameters import POSITIVE
from sklearn_simvae.generative.bounds import has_density
from sklearn_simvae.generative.building import make_autoencoder
from sklearn_simvae.generative.content import content_posterior
from sklearn_simvae.generative.simvae import SimVAE
from sklearn_simvae.multimodal.base import BaseMultimodal
from sklearn_simvae.multimodal.by_name import LIKELIHOODS, by_name, check_likelihoods
from sklearn_simvae.multimodal.joint import JointAutoEncoder
from sklearn_simvae.multimodal.samples import ModalSamples
from sklearn_simvae.training import reads


class MultimodalSimVAE(BaseMultimodal, SimVAE):
    r"""Representations from a generative model of several modalities with one content.

    The modalities of a sample are its views: each has a latent that is scattered around the content
    by style, and is generated from that latent by a decoder of its own.

    .. math::
        \psi \sim N(0, \gamma^2 I), \quad z_m | \psi \sim N(\psi, \sigma^2 I), \quad
        x_m | z_m \sim p_m(x | z_m)

    A modality that is missing is left out of the sums.

    Parameters
    ----------
    n_components : int, default=10
        Number of latent dimensions.
    {modalities}
    style_variance : float, default=0.15
        Variance :math:`\sigma^2` of the latents of a sample's modalities around its content.
    prior_variance : float or None, default=1.0
        Variance :math:`\gamma^2` of the content. None means the uniform prior of the paper:
        `sample` and `score` are then not available.
    decoder : str, callable or torch.nn.Module, default="auto"
        Decoder of every modality. "auto" mirrors its encoder.
    noise_variance : float, "learned", or dict of str to either, default="learned"
        Variance of the Gaussian likelihoods, for all modalities or for each by name. Learned
        variances balance modalities of different sizes and scales.
    likelihood : str, or dict of str to str, default="auto"
        Likelihood of all modalities, or of each by name: "gaussian", "bernoulli", "multinomial"
        (for counts, e.g. of words) or "auto", which is Gaussian, with means that pass a sigmoid if
        a modality lies in [0, 1].
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    CLIP : Tells the modalities of different samples apart.
    SimVAE : Models views that are augmentations.

    References
    ----------
    Bizeul, Schölkopf and Allen, "A Probabilistic Model behind Self-Supervised Learning", TMLR 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_simvae import MultimodalSimVAE
    >>> X = load_digits().data / 16
    >>> halves = [("upper", "auto", slice(0, 32)), ("lower", "auto", slice(32, 64))]
    >>> vae = MultimodalSimVAE(modalities=halves, hidden_layer_sizes=(64,), random_state=0)
    >>> vae.set_params(max_epochs=5).fit_transform(X).shape
    (1797, 10)
    >>> vae.generate(X[:3], source="upper", target="lower").shape
    (3, 32)
    """

    _parameter_constraints = {
        **SimVAE._parameter_constraints,
        **BaseMultimodal._parameter_constraints,
        "noise_variance": [POSITIVE, StrOptions({"learned"}), dict],
        "likelihood": [StrOptions(set(LIKELIHOODS)), dict],
    }
    _structure = (*BaseMultimodal._structure, "decoder", "noise_variance", "likelihood")

    _own_defaults = {"lr": 2e-3}

    def __init__(
        self,
        n_components: int = 10,
        *,
        style_variance: float = 0.15,
        prior_variance: float | None = 1.0,
        decoder: str | Callable[..., nn.Module] = "auto",
        noise_variance: float | Literal["learned"] | dict[str, Any] = "learned",
        likelihood: str | dict[str, str] = "auto",
        **shared: Unpack[MultimodalParameters],
    ):
        super().__init__(
            n_components,
            style_variance=style_variance,
            prior_variance=prior_variance,
            decoder=decoder,
            noise_variance=noise_variance,
            likelihood=likelihood,
            **shared,
        )

    # ---------------------------------------------------------------- training

    def _needs(self):
        noise = self.noise_variance
        learned = "learned" in (noise.values() if isinstance(noise, dict) else [noise])
        return Needs(lr_multipliers={"*log_noise_variance": 10.0} if learned else {})

    def _reader(self, anew=False):
        reader = super()._reader(anew)
        reader.require(self._check_modalities if anew else self._check_like_fitted)
        return reader

    def _check_modalities(self, samples: ModalSamples) -> None:
        """Raise if parameters by modality, or the values, do not suit the modalities."""
        names = samples.layout.names
        likelihoods = by_name(self.likelihood, names, "likelihood", "auto")
        by_name(self.noise_variance, names, "noise_variance", "learned")
        check_likelihoods(likelihoods.values(), samples)

    def _check_like_fitted(self, samples: ModalSamples) -> None:
        check_likelihoods([part.likelihood.name for part in self.module_.parts], samples)

    def _build_module(self, layout, unit_interval, sizes):
        likelihoods = by_name(self.likelihood, layout.names, "likelihood", "auto")
        noise = by_name(self.noise_variance, layout.names, "noise_variance", "learned")
        parts = [
            make_autoencoder(
                self, m.layout, bounded, own, m.encoder, likelihoods[m.name], noise[m.name]
            )
            for m, bounded, own in zip(layout.modalities, unit_interval, sizes, strict=True)
        ]
        return JointAutoEncoder(parts)

    def _initialize(self, module, samples):
        # More rows than needed, since some lack a modality.
        views = samples.some_views(4 * PROBE_ROWS, next(module.parameters()).device)
        for part, modality, x in zip(module.parts, samples.layout.modalities, views, strict=True):
            if len(x):
                own = isinstance(modality.encoder, str), isinstance(self.decoder, str)
                part.prepare(x[:PROBE_ROWS], *own)

    # ---------------------------------------------------------------- latents

    @property
    def noise_variance_(self) -> dict[str, float]:
        """Noise variance of each Gaussian likelihood by name, as given or as learned."""
        parts = zip(self._fitted("layout_").names, self.module_.parts, strict=True)
        with torch.no_grad():
            return {n: float(p.noise_variance) for n, p in parts if p.likelihood.name == "gaussian"}

    @reads
    def encode(self, X) -> tuple[np.ndarray, np.ndarray]:
        """Compute the posterior q(z | x) of each modality.

        Parameters
        ----------
        X : array-like, DataFrame, sparse matrix or dict
            Same as in :meth:`transform`.

        Returns
        -------
        mean, variance : ndarray of float32 of shape (n, n_modalities, n_components)
            Parameters of the posteriors, NaN where a modality is missing.
        """
        return self._posterior(self._read(X))

    def _posterior(self, samples: ModalSamples) -> tuple[np.ndarray, np.ndarray]:
        mean, variance = self._posteriors(samples)
        for made in (mean, variance):
            made[~samples.mask] = np.nan
        return mean, variance

    @reads
    def content(self, X, modality=None, return_std=False):
        r"""Compute the expected content of each row, given the modalities that it has.

        .. math:: E[\psi | x] = \frac{J \gamma^2 \bar\mu}{J \gamma^2 + \sigma^2}

        with :math:`\bar\mu` the mean of the latents of the J modalities.

        Parameters
        ----------
        X : array-like, DataFrame, sparse matrix or dict
            Same as in :meth:`transform`.
        modality : str, default=None
            Modality to use. None means all that a row has.
        return_std : bool, default=False
            Whether to return the standard deviation of the posterior as well.

        Returns
        -------
        content : ndarray of float32 of shape (n, n_components)
            One row for each row of X.
        std : ndarray of float32 of shape (n, n_components)
            Standard deviation of the posterior, only if `return_std`.

        Raises
        ------
        ValueError
            Same as in :meth:`transform`.
        """
        content, std, _ = self._content_of_modalities(self._samples_of(X, modality))
        return (content, std) if return_std else content

    @reads
    def style(self, X):
        r"""Compute the difference between each modality and the expected content of its row.

        .. math:: \mu_m - E[\psi | x]

        Parameters
        ----------
        X : array-like, DataFrame, sparse matrix or dict
            Same as in :meth:`transform`.

        Returns
        -------
        style : ndarray of float32 of shape (n, n_modalities, n_components)
            Differences, NaN where a modality is missing.

        Raises
        ------
        ValueError
            Same as in :meth:`transform`.
        """
        content, _, means = self._content_of_modalities(self._read(X))
        return means - content[:, None]

    def _content_of_modalities(self, samples: ModalSamples):
        """Compute the content of each row, its deviation, and the latents of its modalities."""
        means, variances = self._posterior(samples)
        n_views, there = samples.mask.sum(1, keepdims=True), samples.mask[:, :, None]
        sums = (np.where(there, v, 0).sum(1, dtype=np.float64) for v in (means, variances))
        content, variance = content_posterior(*sums, n_views, *self._variances)
        return content.astype(np.float32), np.sqrt(variance).astype(np.float32), means

    # ---------------------------------------------------------------- data from latents

    @reads
    def generate(self, X, source=None, target=None):
        """Generate one modality from others, decoded from the expected content.

        Parameters
        ----------
        X : array-like, DataFrame, sparse matrix or dict
            Same as in :meth:`transform`.
        source : str, default=None
            Modality to generate from. None means all that a row has.
        target : str, default=None
            Modality to generate. None means all of them.

        Returns
        -------
        made : ndarray of float32 of shape (n, ...), or dict of such by name
            Values in the form that the networks use: pixels in [0, 1], outputs of a preprocessor,
            shares of counts.

        Raises
        ------
        ValueError
            If there is no such modality, or same as in :meth:`transform`.
        """
        check_is_fitted(self, "net_")
        if target is not None:
            self.layout_.index(target)
        z = torch.from_numpy(self.content(X, source))
        if target is not None:
            return self._decode_one(target, z)
        return {name: self._decode_one(name, z) for name in self.layout_.names}

    def _decode_one(self, name: str, z: Tensor) -> np.ndarray:
        """Decode latents (n, n_components) to rows of a modality."""
        j = self.layout_.index(name)
        return self._decode_by(self.module_.parts[j], self.layout_.modalities[j].layout, z)

    @reads
    def inverse_transform(self, Z):
        """Decode representations to the expected value of each modality.

        Parameters
        ----------
        Z : array-like of shape (n, n_components)
            Latents.

        Returns
        -------
        X : ndarray of float32 of shape (n, n_features), or dict of arrays by name
            Rows in the form of the data of `fit`, or a dict if a modality has a preprocessor, or
            does not consist of one number in each of its columns.

        Raises
        ------
        ValueError
            If Z has another width than `n_components`.
        """
        return super().inverse_transform(Z)

    def _decode(self, z):
        return self._as_table({name: self._decode_one(name, z) for name in self.layout_.names})

    def _as_table(self, made: dict[str, np.ndarray]):
        """Put the modalities back into their columns, if the columns held numbers."""
        layout = self.layout_
        kept = (
            m.preprocessor is None and len(m.columns or ()) == m.layout.n_features
            for m in layout.modalities
        )
        if layout.from_dict or not all(kept):
            return made
        n = len(next(iter(made.values())))
        # The values of columns that belong to no modality are unknown.
        X = np.full((n, layout.n_columns), np.nan, dtype=np.float32)
        for modality in layout.modalities:
            X[:, list(modality.columns)] = made[modality.name]
        return X

    @available_if(has_density)
    @reads
    def sample(self, n_samples=1, random_state=None):
        """Draw latents of all modalities from the prior, and decode them to their means.

        Parameters
        ----------
        n_samples : int, default=1
            Number of samples to draw.
        random_state : int, RandomState or None, default=None
            Source of randomness. None takes the `random_state` of the estimator.

        Returns
        -------
        X : ndarray of float32 of shape (n_samples, n_features), or dict of arrays by name
            Rows, as :meth:`inverse_transform` returns them.

        Raises
        ------
        ValueError
            If `n_samples` is not positive.
        """
        check_is_fitted(self, "net_")
        check_count(n_samples, "n_samples")
        z = self._draw_latents(n_samples, len(self.layout_.modalities), random_state)
        names = enumerate(self.layout_.names)
        return self._as_table({name: self._decode_one(name, z[:, j]) for j, name in names})
