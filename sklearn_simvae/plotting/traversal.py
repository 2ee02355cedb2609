"""Rows decoded along each latent dimension, which show what it stands for."""

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from sklearn_simvae._checks import check_count
from sklearn_simvae.plotting._drawing import draw_rows, require_matplotlib, to_drawable
from sklearn_simvae.plotting._estimators import unwrap_generative
from sklearn_simvae.views import Layout

_MAX_COMPONENTS = 10
_PRIOR_DRAWS = 100_000


class TraversalDisplay:
    """Latent traversals: decoded rows as one component changes and the others stay.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    decoded : ndarray of shape (n_components, n_steps, ...)
        Decoded rows, one for each component and step.
    components : array-like of int of shape (n_components,)
        Indices of the components among the latents.
    quantiles : array-like of float of shape (n_steps,)
        Quantiles of the latents that give the values of a component.
    values : ndarray of shape (n_components, n_steps)
        Values of each component at these quantiles.
    layout : Layout
        Kind and shape of a row: `layout_` of a fitted estimator.
    n_content_components : int, default=None
        Number of latents that are content, from the first on; the others are style, and the labels
        of the lines say so. None means that the model does not separate the two.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of Axes of shape (n_components, n_steps)
        The grid.
    artists_ : ndarray of object of the shape of `axes_`
        An AxesImage, a list of Line2D or a StepPatch for each row.

    See Also
    --------
    SampleDisplay : Changes all components at once.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_simvae import SimVAE
    >>> from sklearn_simvae.plotting import TraversalDisplay
    >>> X = load_digits().data[:100] / 16
    >>> vae = SimVAE(3, input_shape=(8, 8), hidden_layer_sizes=(32,), max_epochs=2, random_state=0)
    >>> display = TraversalDisplay.from_estimator(vae.fit(X), X, components=[0, 2], n_steps=5)
    >>> display.values.shape, display.decoded.shape
    ((2, 5), (2, 5, 64))
    """

    def __init__(
        self,
        decoded: np.ndarray,
        components: Sequence[int],
        quantiles: ArrayLike,
        values: np.ndarray,
        *,
        layout: Layout,
        n_content_components: int | None = None,
    ):
        self.decoded = decoded
        self.components = components
        self.quantiles = quantiles
        self.values = values
        self.layout = layout
        self.n_content_components = n_content_components

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        components: Sequence[int] | None = None,
        n_steps: int = 9,
        *,
        span: float = 0.9,
        ax=None,
        row_kw: dict | None = None,
    ) -> "TraversalDisplay":
        """Decode along components of the latents, and plot the result.

        Parameters
        ----------
        estimator : fitted estimator
            ContentStyleVAE, SimVAE, VAE or CRVAE, a Pipeline with one among its steps, or a search
            over either. In a Pipeline, rows are drawn as the estimator sees them, after the steps
            before it.
        X : array-like of shape (n, ...), default=None
            All traversals start at the latents of the first row. The values that a component takes
            are quantiles over all rows. With a single row, they are quantiles of the prior. None
            starts at the mean of the prior, and also takes quantiles of the prior.
        components : sequence of int, default=None
            Indices of the components to change. None takes the ones that change the decoded rows
            most, at most ten, with the greatest change first. For a ContentStyleVAE, content comes
            above style.
        n_steps : int, default=9
            Number of values of each component, at evenly spaced quantiles.
        span : float, default=0.9
            Share of the latents that lies between the least and the greatest value, above 0 and
            below 1.
        ax : matplotlib Axes, default=None
            Same as in :meth:`plot`.
        row_kw : dict, default=None
            Same as in :meth:`plot`.

        Returns
        -------
        display : TraversalDisplay
            The display of what was plotted.

        Raises
        ------
        ValueError
            If the estimator does not decode, if it has no proper prior where one is needed, if a
            component does not exist, or if a number is out of range.
        NotFittedError
            If the estimator is not fitted.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        check_count(n_steps, "n_steps", 2)
        if not isinstance(span, Real) or not 0 < span < 1:
            raise ValueError(f"span must be a float above 0 and below 1, got {span!r}.")
        before, estimator = unwrap_generative(estimator, cls.__name__)
        d, n_content = estimator.n_components_, getattr(estimator, "n_content_components_", None)
        places = _check_components(components, d)
        latents = _latents(estimator, X, before)
        quantiles = 0.5 + span * np.linspace(-0.5, 0.5, n_steps)
        if len(latents) > 1:
            values = np.quantile(latents, quantiles, axis=0).T
        else:
            values = np.tile(norm.ppf(quantiles) * _prior_scale(estimator), (d, 1))
        Z = np.tile(latents[0], (len(places), n_steps, 1))
        for row, component in enumerate(places):
            Z[row, :, component] = values[component]
        decoded = estimator.inverse_transform(Z.reshape(-1, d))
        decoded = decoded.reshape(len(places), n_steps, *decoded.shape[1:])
        if components is None:
            change = decoded.var(1).reshape(d, -1).sum(1)
            places = np.argsort(-change, kind="stable")[:_MAX_COMPONENTS]
            if n_content is not None:
                # Content comes above style, the greatest change first in each.
                places = places[np.argsort(places >= n_content, kind="stable")]
            decoded = decoded[places]
        display = cls(
            decoded,
            places,
            quantiles,
            values[places],
            layout=estimator.layout_,
            n_content_components=n_content,
        )
        return display.plot(ax, row_kw=row_kw)

    def plot(self, ax=None, *, row_kw: dict | None = None) -> "TraversalDisplay":
        """Draw the decoded rows.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            A subplot, which is divided. None makes a figure.
        row_kw : dict, default=None
            Keyword arguments of matplotlib's `imshow` for images, `plot` for series or `stairs`
            for vectors.

        Returns
        -------
        display : TraversalDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        n_steps = self.decoded.shape[1]
        self.figure_, self.axes_, self.artists_ = draw_rows(
            to_drawable(self.decoded.reshape(-1, *self.decoded.shape[2:]), self.layout),
            self.layout.kind,
            n_steps,
            ax=ax,
            row_labels=[self._name(component) for component in self.components],
            column_labels=[f"{100 * quantile:.0f} %" for quantile in self.quantiles],
            row_kw=row_kw,
        )
        return self

    def _name(self, component: int) -> str:
        n_content = self.n_content_components
        if n_content is None:
            return f"$z_{{{component}}}$"
        if component < n_content:
            return f"content {component}"
        return f"style {component - n_content}"


def _check_components(components, d: int) -> np.ndarray:
    """Check the indices of the components to change; None is all of them."""
    if components is None:
        return np.arange(d)
    good = np.ndim(components) == 1 and len(components) > 0
    if not good or not all(
        isinstance(c, Integral) and not isinstance(c, bool) and 0 <= c < d for c in components
    ):
        raise ValueError(
            f"components must be a list of places among the latents, ints from 0 to {d - 1}; got "
            f"{components!r}."
        )
    return np.array(components)


def _latents(estimator, X, before) -> np.ndarray:
    """Return the latents of X, the first being the start; without X, the mean of the prior."""
    if X is None:
        return np.zeros((1, estimator.n_components_), dtype=np.float32)
    latents = estimator.encode(X if before is None else before.transform(X))[0]
    # Views count as rows.
    return latents.reshape(-1, latents.shape[-1])


def _prior_scale(estimator) -> float:
    """Estimate the standard deviation of a latent in the prior, the same for all components."""
    if not hasattr(estimator, "sample"):
        raise ValueError(
            "An improper prior (prior_variance=None) has no quantiles. Give an X of several rows, "
            "whose latents tell which values to take."
        )
    d = estimator.n_components_
    return float(estimator._draw_latents(_PRIOR_DRAWS // d + 1, 1, 0).std())
