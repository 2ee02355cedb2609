"""ContentStyleVAE: separate dimensions for content and style, with a contrast of the content."""

import math
from numbers import Real
from typing import Literal, Unpack

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from sklearn_simvae._batch import Terms
from sklearn_simvae._fitting import PROBE_ROWS
from sklearn_simvae._parameter_types import GenerativeParameters, Sizes
from sklearn_simvae._parameters import COUNT, NOT_NEGATIVE, POSITIVE
from sklearn_simvae.generative.autoencoder import AutoEncoder, reparameterize
from sklearn_simvae.generative.content import BaseContent
from sklearn_simvae.losses import (
    content_contrast,
    content_style_elbo,
    content_style_log_weights,
    content_style_objective,
)
from sklearn_simvae.losses.reduction import masked_mean
from sklearn_simvae.networks import projection_head
from sklearn_simvae.training import reads
from sklearn_simvae.training.exchange import gather_batch

# Defaults of "auto": the share of the dimensions that are content, and the first weight of the
# contrast as a share of the nats to explain in a sample. The weight falls by high powers of what is
# not explained, or not told apart, so that it is small once both are mostly done.
_CONTENT_SHARE = 0.5
_CONTRAST_SHARE = 0.5
_UNEXPLAINED_POWER, _CONTRAST_POWER = 4, 6
_CORRELATION = Interval(Real, 0, 1, closed="left")


class ContentStyleVAE(BaseContent):
    r"""Representations whose first dimensions are content and whose others are style.

    Each dimension has a correlation between the views of a sample, near 1 in the dimensions of
    content and near 0 in those of style:

    .. math::
        \psi_d \sim N(0, \rho_d), \quad z_{jd} | \psi_d \sim N(\psi_d, 1 - \rho_d), \quad
        x_j | z_j \sim p(x | z_j)

    `fit` maximizes the evidence lower bound of the views, so that every value of every view is
    explained, minus a contrast that tells samples apart by their content dimensions alone:

    .. math:: \mathrm{ELBO} - w \; \mathrm{NT\text{-}Xent}(h(\mu_\mathrm{content}))

    with a projection head h. If views share little but their content, the representation has both
    the content that :class:`SimCLR` finds and the style that :class:`SimVAE` keeps. Without the
    contrast, one correlation in all dimensions gives :class:`SimVAE`, and none :class:`VAE`.

    Parameters
    ----------
    n_components : int, default=10
        Number of latent dimensions.
    n_content_components : int or "auto", default="auto"
        Number of content dimensions, which come first. "auto" is half of all dimensions.
    content_correlation : float, default=0.99
        Correlation :math:`\rho` between the views of a sample in the content dimensions, at least 0
        and below 1.
    style_correlation : float, default=0.01
        Correlation :math:`\rho` in the style dimensions, at least 0 and below 1.
    contrast_weight : float or "auto", default="auto"
        Weight :math:`w` of the contrast. "auto" starts at half of the nats to explain in the views
        of a sample, so it needs no tuning if the number of values, their scale or `noise_variance`
        changes. It falls as reconstructions explain the views and as the contrast tells samples
        apart, so that in the end the bound prevails; `history_` has it as "contrast_weight".
        `score` is the bound without the contrast, so do not choose the weight by it, but by the
        task of the representation, e.g. with :func:`~sklearn_simvae.evaluation.probe`.
    temperature : float, default=0.2
        Divisor of the cosine similarities in the contrast; a smaller one gives similar negatives
        more weight.
    projection_layer_sizes : int or array-like of int, default=(256, 128)
        Widths of the projection head between the content dimensions and the contrast; `()` means no
        head.
    representation : {"latent", "content", "style", "hidden"}, default="latent"
        Representation that `transform` returns: all `n_components` means, only the means of the
        content dimensions, only those of the style dimensions, or the last hidden layer before
        them, which is wider.
    {generative_parameters}
    {shared_parameters}

    Attributes
    ----------
    n_content_components_ : int
        Number of content dimensions, which come first.
    {shared_attributes}

    See Also
    --------
    SimVAE : Ties the views together equally in all dimensions.
    SimCLR : Uses the contrast alone.

    References
    ----------
    Bizeul, Schölkopf and Allen, "A Probabilistic Model behind Self-Supervised Learning", TMLR
    2024; Aitchison and Ganev, "InfoNCE is variational inference in a recognition parameterised
    model", TMLR 2024 (arXiv 2107.02495).

    Examples
    --------
    {example}
    >>> estimator.get_feature_names_out()[[0, 4, 5, 9]].tolist()
    ['contentstylevae_content0', 'contentstylevae_content4', 'contentstylevae_style0',
     'contentstylevae_style4']
    """

    _parameter_constraints = {
        **BaseContent._parameter_constraints,
        "n_content_components": [COUNT, StrOptions({"auto"})],
        "content_correlation": [_CORRELATION],
        "style_correlation": [_CORRELATION],
        "contrast_weight": [NOT_NEGATIVE, StrOptions({"auto"})],
        "temperature": [POSITIVE],
        "projection_layer_sizes": ["array-like", COUNT],
        "representation": [StrOptions({"latent", "hidden", "content", "style"})],
    }
    _structure = (*BaseContent._structure, "n_content_components", "projection_layer_sizes")

    def __init__(
        self,
        n_components: int = 10,
        *,
        n_content_components: int | Literal["auto"] = "auto",
        content_correlation: float = 0.99,
        style_correlation: float = 0.01,
        contrast_weight: float | Literal["auto"] = "auto",
        temperature: float = 0.2,
        projection_layer_sizes: Sizes = (256, 128),
        **shared: Unpack[GenerativeParameters],
    ):
        super().__init__(n_components, **shared)
        self.n_content_components = n_content_components
        self.content_correlation = content_correlation
        self.style_correlation = style_correlation
        self.contrast_weight = contrast_weight
        self.temperature = temperature
        self.projection_layer_sizes = projection_layer_sizes

    # ---------------------------------------------------------------- the model

    @property
    def n_content_components_(self) -> int:
        """Number of content dimensions, which come first."""
        return self.module_.n_content_components

    def _correlation(self, module: AutoEncoder) -> list[float]:
        n_content = module.n_content_components
        n_style = module.n_components - n_content
        return [self.content_correlation] * n_content + [self.style_correlation] * n_style

    @property
    def _variances(self):
        correlation = np.array(self._correlation(self.module_))
        return 1 - correlation, correlation

    def _elbo(self, log_likelihood, mean, log_variance, **kwargs):
        correlation = self._correlation(self.module_)
        return content_style_elbo(log_likelihood, mean, log_variance, correlation, **kwargs)

    def _log_weights(self, log_likelihood, z, mean, log_variance, mask=None):
        correlation = self._correlation(self.module_)
        return content_style_log_weights(log_likelihood, z, mean, log_variance, correlation, mask)

    # ---------------------------------------------------------------- training

    def _validate_params(self):
        super()._validate_params()
        n_content = self.n_content_components
        if n_content != "auto" and n_content > self.n_components:
            raise ValueError(
                f"n_content_components={n_content} is more than n_components="
                f"{self.n_components}. Content dimensions are part of n_components: lower "
                "n_content_components, or raise n_components."
            )
        if self.representation == "style" and self._n_content() == self.n_components:
            raise ValueError(
                f"representation='style' has no dimension: all n_components={self.n_components} "
                "are content. Lower n_content_components, or raise n_components."
            )

    def _n_content(self) -> int:
        if self.n_content_components == "auto":
            return max(1, round(_CONTENT_SHARE * self.n_components))
        return int(self.n_content_components)

    def _build_module(self, layout, unit_interval, sizes):
        module = super()._build_module(layout, unit_interval, sizes)
        module.n_content_components = self._n_content()
        module.head = projection_head(module.n_content_components, self.projection_layer_sizes)
        module.register_buffer("unit_information", torch.tensor(0.0, dtype=torch.float32))
        return module

    def _initialize(self, module, samples):
        super()._initialize(module, samples)
        x = samples.some_views(PROBE_ROWS, next(module.parameters()).device)
        module.unit_information.copy_(module.information(x) * _noise_variance(module))

    def _objective(self, module, batch, generator):
        mean, log_variance = module.encode(batch.views)
        z = reparameterize(mean, log_variance, generator, len(batch.indices))
        log_likelihood = module.log_likelihood(batch.views, z)
        content = self._content(module, mean).flatten(0, 1)
        projections = module.head(content).float().reshape(*mean.shape[:2], -1)
        gap = module.best_log_likelihood(batch.views) - log_likelihood.detach()
        (projections, gap), whole = gather_batch((projections, gap), batch)
        # Similarities need more digits than autocast keeps.
        with torch.autocast(batch.views.device.type, enabled=False):
            contrast = content_contrast(projections, self.temperature, whole.mask)
        weight = self._weight(module, gap, contrast.detach(), whole.mask)
        terms = content_style_objective(
            log_likelihood,
            mean,
            log_variance,
            contrast,
            self._correlation(module),
            weight,
            batch.mask,
        )
        del terms["elbo"]
        return Terms(-terms.pop("objective"), {**terms, "contrast_weight": weight})

    def _weight(
        self, module: AutoEncoder, gap: Tensor, contrast: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Compute the weight of the contrast from what is not yet explained or told apart."""
        if self.contrast_weight != "auto":
            return gap.new_full((), self.contrast_weight)
        information = module.unit_information / _noise_variance(module)
        unexplained = (masked_mean(gap, mask) / information.clamp(min=1e-12)).clamp(0, 1)
        # If all views are alike, the contrast is the logarithm of the number of the others.
        if mask is None:
            n_present = gap.numel()
            chance = math.log(max(2, n_present - 1))
        else:
            n_present = mask.sum().to(gap.dtype)
            paired = (mask.sum(1) > 1).to(gap.dtype).mean().clamp(min=1e-12)
            chance = paired * (n_present - 1).clamp(min=2).log()
        not_told_apart = (contrast / chance).clamp(max=1)
        need = torch.maximum(unexplained**_UNEXPLAINED_POWER, not_told_apart**_CONTRAST_POWER)
        return (_CONTRAST_SHARE * n_present / len(gap)) * information * need

    # ---------------------------------------------------------------- content and style

    def _content(self, module: AutoEncoder, z: Tensor) -> Tensor:
        return z[..., : module.n_content_components]

    def _represent(self, batch):
        z = super()._represent(batch)
        if self.representation == "content":
            return self._content(self.module_, z)
        return z[..., self.n_content_components_ :] if self.representation == "style" else z

    @reads
    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names of the columns that `transform` returns: content first, then style.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str
            Names "contentstylevae_content0", ..., "contentstylevae_style0", ...; with
            `representation="hidden"`, "contentstylevae0", ...
        """
        names = super().get_feature_names_out(input_features)
        if self.representation == "hidden":
            return names
        prefix, n_content = type(self).__name__.lower(), self.n_content_components_
        parts = {"content": n_content, "style": self.n_components_ - n_content}
        wanted = parts if self.representation == "latent" else [self.representation]
        return np.array([f"{prefix}_{p}{i}" for p in wanted for i in range(parts[p])], dtype=object)

    @reads
    def recombine(self, X_content, X_style) -> np.ndarray:
        """Decode the content of some rows with the style of others, row by row.

        Parameters
        ----------
        X_content : array-like of shape (n, ...)
            Rows, or samples of views, whose latents give the content columns.
        X_style : array-like of shape (n, ...)
            Same number of rows, whose latents give the style columns.

        Returns
        -------
        X : ndarray of float32 of shape (n, ...)
            Rows in the layout of the data of `fit`; pixels in [0, 1].

        Raises
        ------
        ValueError
            If the numbers of rows differ, or same as in :meth:`transform`.
        """
        content, style = self._latents_of(X_content), self._latents_of(X_style)
        if len(content) != len(style):
            raise ValueError(
                f"X_content and X_style are recombined row by row, but have {len(content)} and "
                f"{len(style)} rows. Repeat rows, e.g. by numpy.repeat, to make these equal."
            )
        n_content = self.n_content_components_
        return self._decode(torch.cat([content[:, :n_content], style[:, n_content:]], dim=1))

    def _latents_of(self, X) -> Tensor:
        mean, _ = self.encode(X)
        return torch.from_numpy(mean.mean(1) if mean.ndim == 3 else mean)


def _noise_variance(module: AutoEncoder) -> float | Tensor:
    """Return the noise variance, which scales the nats; 1 if the likelihood has none."""
    if module.likelihood.name != "gaussian":
        return 1.0
    noise_variance = module.noise_variance
    return noise_variance.detach() if isinstance(noise_variance, Tensor) else noise_variance
