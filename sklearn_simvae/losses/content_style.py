"""Objectives for latents with content and style dimensions: a bound, and a contrast of content."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sklearn_simvae.losses.nt_xent import nt_xent
from sklearn_simvae.losses.reduction import check_batch, masked_mean
from sklearn_simvae.losses.simvae import expected_log_joint_prior, simvae_elbo, simvae_log_weights

Correlation = float | Sequence[float]


def _variances(correlation: Correlation, like: Tensor) -> tuple:
    """Return the style variance and the prior variance of each dimension."""
    numbers = [correlation] if isinstance(correlation, int | float) else [*correlation]
    wrong = [number for number in numbers if not 0 <= number < 1]
    if wrong:
        raise ValueError(
            f"A correlation between views must be at least 0 and below 1; got {wrong[0]}. At 1 the "
            "views of a sample would share one latent, whose density is infinite; use 0.99 to tie "
            "them closely."
        )
    if isinstance(correlation, int | float):
        return 1.0 - correlation, float(correlation)
    if len(numbers) != like.shape[-1]:
        raise ValueError(
            f"There must be one correlation for each of the {like.shape[-1]} dimensions; got "
            f"{len(numbers)}."
        )
    rho = torch.tensor(numbers, dtype=like.dtype).to(like.device, non_blocking=True)
    return 1 - rho, rho


def log_correlated_prior(z: Tensor, correlation: Correlation, mask: Tensor | None = None) -> Tensor:
    r"""Compute the log-density of the correlated latents of one sample's views.

    Each latent has variance 1, and dimension d has the correlation :math:`\rho_d` between views,
    for any number of views:

    .. math::
        \psi_d \sim N(0, \rho_d), \quad z_{jd} | \psi_d \sim N(\psi_d, 1 - \rho_d)

    This is :func:`log_joint_prior` with :math:`\gamma_d^2 = \rho_d` and
    :math:`\sigma_d^2 = 1 - \rho_d`.

    Parameters
    ----------
    z : Tensor of shape (..., n_views, d)
        Latents.
    correlation : float or sequence of float of length d
        Correlation :math:`\rho` of all dimensions or of each, at least 0 and below 1.
    mask : Tensor of bool of shape (..., n_views), default=None
        False for each view that a sample lacks. None means that all views are present.

    Returns
    -------
    log_density : Tensor of shape (...,)
        Sum over the dimensions, in nats.

    Raises
    ------
    ValueError
        If a correlation is negative, or 1 or more, or if there are not d correlations.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import log_correlated_prior
    >>> log_correlated_prior(torch.zeros(1, 2, 2), [0.99, 0.0])
    tensor([-1.7172])
    """
    return expected_log_joint_prior(z, None, *_variances(correlation, z), mask)


def expected_log_correlated_prior(
    mean: Tensor,
    variance: Tensor | None,
    correlation: Correlation,
    mask: Tensor | None = None,
) -> Tensor:
    """Compute the expectation of :func:`log_correlated_prior` under independent Gaussians.

    The expectation is in closed form.

    Parameters
    ----------
    mean : Tensor of shape (..., n_views, d)
        Means of the Gaussians.
    variance : Tensor of shape (..., n_views, d) or None
        Variances of the Gaussians. None means a point mass at `mean`.
    correlation : float or sequence of float of length d
        Same as in :func:`log_correlated_prior`.
    mask : Tensor of bool of shape (..., n_views), default=None
        Same as in :func:`log_correlated_prior`.

    Returns
    -------
    expectation : Tensor of shape (...,)
        Sum over the dimensions, in nats.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import expected_log_correlated_prior
    >>> expected_log_correlated_prior(torch.zeros(1, 2, 1), torch.ones(1, 2, 1), 0.0)
    tensor([-2.8379])
    """
    return expected_log_joint_prior(mean, variance, *_variances(correlation, mean), mask)


def content_style_elbo(
    log_likelihood: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    correlation: Correlation,
    mask: Tensor | None = None,
    reduction: str = "mean",
) -> dict[str, Tensor]:
    r"""Compute the evidence lower bound under :func:`log_correlated_prior`, and its three terms.

    With the same correlation for all dimensions this is the bound of SimVAE with
    :math:`\gamma^2 = \rho, \sigma^2 = 1 - \rho`; with 0 for all it is the bound of a VAE.

    Parameters
    ----------
    log_likelihood : Tensor of shape (batch, n_views)
        :math:`\log p(x_j | z_j)` at a draw :math:`z_j \sim q`.
    mean, log_variance : Tensor of shape (batch, n_views, d)
        Parameters of :math:`q(z_j | x_j)`.
    correlation : float or sequence of float of length d
        Same as in :func:`log_correlated_prior`.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False for each view that a sample lacks. None means that all views are present.
    reduction : {"mean", "none"}, default="mean"
        Whether to average over samples, or to return one value for each sample.

    Returns
    -------
    terms : dict of Tensor
        "elbo" and the terms whose sum it is, "reconstruction", "entropy" and "prior", in nats per
        sample; higher is better. Scalars, or tensors of shape (batch,) without reduction.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import content_style_elbo
    >>> mean, log_variance = torch.ones(4, 2, 3), torch.zeros(4, 2, 3)
    >>> content_style_elbo(torch.zeros(4, 2), mean, log_variance, 0.0)["elbo"]
    tensor(-3.0000)
    """
    variances = _variances(correlation, mean)
    return simvae_elbo(log_likelihood, mean, log_variance, *variances, mask, reduction)


def content_style_log_weights(
    log_likelihood: Tensor,
    z: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    correlation: Correlation,
    mask: Tensor | None = None,
) -> Tensor:
    r"""Compute log importance weights :math:`\log p(x, z) - \log q(z|x)` of draws from q.

    Parameters
    ----------
    log_likelihood : Tensor of shape (..., n_views)
        :math:`\log p(x_j | z_j)` at the draws.
    z : Tensor of shape (..., n_views, d)
        Draws from q.
    mean, log_variance : Tensor of shape (..., n_views, d)
        Parameters of q, broadcastable to `z`.
    correlation : float or sequence of float of length d
        Same as in :func:`log_correlated_prior`.
    mask : Tensor of bool of shape (..., n_views), default=None
        Same as in :func:`log_correlated_prior`.

    Returns
    -------
    log_weights : Tensor of shape (...,)
        One log weight for each sample and draw, in nats.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import content_style_log_weights
    >>> z = torch.zeros(1, 1, 2)
    >>> content_style_log_weights(torch.zeros(1, 1), z, z, z, [0.9, 0.1])
    tensor([0.])
    """
    variances = _variances(correlation, z)
    return simvae_log_weights(log_likelihood, z, mean, log_variance, *variances, mask)


def content_contrast(
    projections: Tensor, temperature: float = 0.2, mask: Tensor | None = None
) -> Tensor:
    """Compute NT-Xent of the projected content, averaged over samples.

    A sample with one view counts as 0.

    Parameters
    ----------
    projections : Tensor of shape (batch, n_views, d)
        Content dimensions of the means, mapped by a projection head.
    temperature : float, default=0.2
        Same as in :func:`nt_xent`.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False for each view that a sample lacks. None means that all views are present.

    Returns
    -------
    contrast : scalar Tensor
        Contrast in nats per sample; lower is better.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import content_contrast
    >>> z = torch.eye(2).unsqueeze(1).expand(2, 2, 2)  # aligned views, orthogonal samples
    >>> content_contrast(z, temperature=1.0)
    tensor(0.5514)
    >>> content_contrast(z, temperature=1.0, mask=torch.tensor([[True, True], [True, False]]))
    tensor(0.1566)
    """
    check_batch(mask, z=projections)
    if projections.shape[1] < 2:
        return projections.new_zeros(())
    contrast = nt_xent(projections, temperature, mask)
    if mask is None:
        return contrast
    # The mean over samples with two views or more, times the fraction of such samples.
    return contrast * masked_mean((mask.sum(1) > 1).to(contrast.dtype), None)


def content_style_objective(
    log_likelihood: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    contrast: Tensor,
    correlation: Correlation,
    contrast_weight: float | Tensor,
    mask: Tensor | None = None,
) -> dict[str, Tensor]:
    r"""Compute the objective of :class:`~sklearn_simvae.ContentStyleVAE` and its terms.

    .. math::
        \mathrm{ELBO} - w \; \mathrm{NT\text{-}Xent}(h(\mu_\mathrm{content}))

    The first term, :func:`content_style_elbo`, explains every value of every view. The second,
    :func:`content_contrast`, distinguishes samples by their content dimensions alone. InfoNCE is
    the bound of a model whose likelihood of the content is recognition-parameterized, so both
    terms are bounds of one latent variable model.

    Parameters
    ----------
    log_likelihood : Tensor of shape (batch, n_views)
        :math:`\log p(x_j | z_j)` at a draw :math:`z_j \sim q`.
    mean, log_variance : Tensor of shape (batch, n_views, d)
        Parameters of :math:`q(z_j | x_j)`.
    contrast : scalar Tensor
        Value of :func:`content_contrast` for :math:`h(\mu_\mathrm{content})`.
    correlation : float or sequence of float of length d
        Same as in :func:`log_correlated_prior`.
    contrast_weight : float or scalar Tensor
        Weight :math:`w`, in nats of the bound per nat of the contrast.
    mask : Tensor of bool of shape (batch, n_views), default=None
        False for each view that a sample lacks. None means that all views are present.

    Returns
    -------
    terms : dict of scalar Tensor
        Terms of :func:`content_style_elbo`, "contrast" and "objective", in nats per sample.

    References
    ----------
    Aitchison and Ganev, "InfoNCE is variational inference in a recognition parameterised model",
    TMLR 2024 (arXiv 2107.02495); Bizeul, Schölkopf and Allen, "A Probabilistic Model behind
    Self-Supervised Learning", TMLR 2024.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.losses import content_style_objective
    >>> mean, log_variance = torch.ones(4, 2, 3), torch.zeros(4, 2, 3)
    >>> terms = content_style_objective(
    ...     torch.zeros(4, 2), mean, log_variance, torch.tensor(2.0), 0.0, contrast_weight=10.0)
    >>> terms["elbo"], terms["objective"]
    (tensor(-3.0000), tensor(-23.))
    """
    terms = content_style_elbo(log_likelihood, mean, log_variance, correlation, mask)
    terms["contrast"] = contrast
    terms["objective"] = terms["elbo"] - contrast_weight * terms["contrast"]
    return terms
