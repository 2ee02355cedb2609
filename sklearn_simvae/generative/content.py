"""Base of the models with one content behind all views of a sample: its posterior, and style."""

from abc import abstractmethod

import numpy as np
import torch
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_simvae._checks import check_count, check_finite, seed_of
from sklearn_simvae.generative.base import BaseGenerative
from sklearn_simvae.generative.bounds import has_density
from sklearn_simvae.training import reads

Variance = float | np.ndarray


def content_posterior(
    mean: np.ndarray,
    variance: np.ndarray,
    n_views: np.ndarray,
    style_variance: Variance,
    prior_variance: Variance | None,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Compute the mean and variance of the content of each sample, in closed form.

    .. math::
        E[\psi] = \frac{\gamma^2 \sum_j \mu_j}{J \gamma^2 + \sigma^2}, \quad
        V[\psi] = \frac{\gamma^2 \sigma^2}{J \gamma^2 + \sigma^2}
        + \left( \frac{\gamma^2}{J \gamma^2 + \sigma^2} \right)^2 \sum_j v_j

    Parameters
    ----------
    mean, variance : ndarray of shape (n, d)
        Sums over the views of a sample of the means :math:`\mu_j` and the variances :math:`v_j`.
    n_views : ndarray of shape (n, 1)
        Number of views :math:`J` of each sample.
    style_variance : float or ndarray of shape (d,)
        Variance :math:`\sigma^2` of the latents around the content.
    prior_variance : float, ndarray of shape (d,) or None
        Variance :math:`\gamma^2` of the prior of the content; None means a uniform prior.

    Returns
    -------
    mean, variance : ndarray of shape (n, d)
        Mean and variance of the posterior of :math:`\psi`.
    """
    if prior_variance is None:
        gain = 1 / n_views
        given_latents = style_variance / n_views
    else:
        gain = prior_variance / (n_views * prior_variance + style_variance)
        given_latents = gain * style_variance
    return gain * mean, given_latents + gain**2 * variance


class BaseContent(BaseGenerative):
    """Base of the methods with one content psi behind the views of a sample.

    A method adds `_variances`, and what :class:`BaseGenerative` asks for.
    """

    @property
    @abstractmethod
    def _variances(self) -> tuple[Variance, Variance | None]:
        """Style variance and prior variance, one for all dimensions or one for each."""

    def _sample_prior(self, shape, generator):
        n_samples, _, n_components = shape
        kind = {"generator": generator, "dtype": torch.float32}
        content = torch.randn((n_samples, 1, n_components), **kind)
        style = torch.randn(shape, **kind)
        style_std, content_std = (
            torch.as_tensor(variance, dtype=torch.float32).sqrt() for variance in self._variances
        )
        return content_std * content + style_std * style

    @available_if(has_density)
    @reads
    def sample(self, n_samples=1, n_views=None, random_state=None, content_of=None) -> np.ndarray:
        """Draw new data, or new views of given samples, decoded to the mean of p(x | z).

        Parameters
        ----------
        n_samples : int, default=1
            Number of samples to draw; with `content_of`, number of views of each of its samples.
        n_views : int, default=None
            Number of views of each sample, which share its content. None means one view and no
            views axis. Not allowed with `content_of`, where `n_samples` is the number of views.
        random_state : int, RandomState or None, default=None
            Source of randomness. None takes the `random_state` of the estimator.
        content_of : array-like of shape (n, ...) or (n, n_views, ...), default=None
            Rows, or samples of views, whose content is kept: content is drawn from its posterior,
            see :meth:`content`, and style from the prior.

        Returns
        -------
        X : ndarray of float32 of shape (n_samples, ...) or (n_samples, n_views, ...)
            Rows in the layout of the data of `fit`; pixels in [0, 1]. With `content_of`, the shape
            is (n, n_samples, ...).

        Raises
        ------
        ValueError
            If a number is not positive, or same as in :meth:`transform`.
        """
        if content_of is None:
            return super().sample(n_samples, n_views, random_state)
        check_is_fitted(self, "net_")
        check_count(n_samples, "n_samples")
        if n_views is not None:
            raise ValueError(
                f"n_views={n_views} was given with content_of, for which n_samples is the number "
                "of views to draw of each sample. Leave n_views out."
            )
        content, std = self.content(content_of, return_std=True)
        seed = seed_of(self.random_state if random_state is None else random_state)
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((len(content), n_samples, content.shape[1]), np.float32)
        style_variance, _ = self._variances
        deviation = np.sqrt(std**2 + style_variance).astype(np.float32)
        z = content[:, None] + deviation[:, None] * noise
        X = self._decode(torch.from_numpy(z).flatten(0, 1))
        return X.reshape(*z.shape[:2], *X.shape[1:])

    @reads
    def content(self, X, groups=None, return_std=False):
        r"""Compute the expected content of each sample, given all of its views.

        .. math:: E[\psi | x_1, \ldots, x_J] = \frac{J \gamma^2 \bar\mu}{J \gamma^2 + \sigma^2}

        with :math:`\bar\mu` the mean of the latents of the views. The fewer views a sample has, the
        nearer its content is to the mean of the prior.

        Parameters
        ----------
        X : array-like
            Same as in :meth:`fit`. Rows are taken as they are, without augmentation; a row without
            a group is a sample of one view.
        groups : array-like of shape (n,), default=None
            Rows with an equal group are the views of one sample.
        return_std : bool, default=False
            Whether to return the standard deviation of the posterior as well.

        Returns
        -------
        content : ndarray of float32 of shape (n_samples, n_components)
            One row for each sample; groups are in the order of :func:`numpy.unique`.
        std : ndarray of float32 of shape (n_samples, n_components)
            Standard deviation of the posterior, only if `return_std`.

        Raises
        ------
        ValueError
            Same as in :meth:`transform`.
        """
        content, std, _, _ = self._content_of_rows(X, groups)
        return (content, std) if return_std else content

    @reads
    def style(self, X, groups=None):
        r"""Compute the difference between each view and the expected content of its sample.

        .. math:: \mu_j - E[\psi | x_1, \ldots, x_J]

        Parameters
        ----------
        X : array-like
            Same as in :meth:`content`.
        groups : array-like of shape (n,), default=None
            Rows with an equal group are the views of one sample.

        Returns
        -------
        style : ndarray of float32 of shape (n, n_components)
            One row for each row of X, in all dimensions; of shape (n, n_views, n_components) if X
            has a views axis.

        Raises
        ------
        ValueError
            Same as in :meth:`transform`.
        """
        content, _, means, sample_of_row = self._content_of_rows(X, groups)
        if means.ndim == 3:
            return means - content[:, None]
        return means - content[sample_of_row]

    def _content_of_rows(self, X, groups):
        """Compute content and deviation of each sample, and latents and sample of each row."""
        X, groups = self._reader().split_groups(X, groups, needed=True)
        samples = self._read(X, groups)
        means, variances = self._encode(samples)
        if means.ndim == 3:
            n_views = np.full((len(means), 1), means.shape[1])
            sums, sample_of_row = (means.sum(1), variances.sum(1)), np.arange(len(means))
        else:
            if groups is None:
                sample_of_row = np.arange(len(means))
            else:
                sample_of_row = np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
            n_views = np.bincount(sample_of_row)[:, None]
            sums = [_sum_by(sample_of_row, values, len(n_views)) for values in (means, variances)]
        content, variance = content_posterior(*sums, n_views, *self._variances)
        content = check_finite(type(self).__name__, content.astype(np.float32))
        return content, np.sqrt(variance).astype(np.float32), means, sample_of_row


def _sum_by(which: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """Sum the rows of values that have the same number."""
    sums = np.zeros((n, values.shape[1]))
    np.add.at(sums, which, values)
    return sums
