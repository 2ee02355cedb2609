"""What each latent dimension stands for: decoded along it."""

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
    """Latent traversals: what is decoded as one component changes and the others stay.

    Make it by :meth:`from_estimator`.

    Parameters
    ----------
    decoded : ndarray of shape (n_components, n_steps, ...)
        A row of steps for each component.
    components : array-like of int of shape (n_components,)
        Their places among the latents.
    quantiles : array-like of float of shape (n_steps,)
        Of the values that a component takes, among the latents.
    values : ndarray of shape (n_components, n_steps)
        Those values.
    layout : Layout
        What a row is, `layout_` of a fitted estimator.
    n_content_components : int, default=None
        How many latents, the first, are content and the others style: their names tell. None is
        that the model has no two kinds of latent.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of Axes of shape (n_components, n_steps)
        The grid.
    artists_ : ndarray of object of the shape of `axes_`
        An AxesImage, a list of Line2D or a StepPatch each.

    See Also
    --------
    SampleDisplay : Where all components change at once.

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
        """Decode along components of the latents and plot what comes.

        Parameters
        ----------
        estimator : fitted estimator
            ContentStyleVAE, SimVAE, VAE or CRVAE, a Pipeline with one among its steps, or a search
            over either. In a Pipeline, rows are drawn as the estimator sees them, after the steps
            before it.
        X : array-like of shape (n, ...), default=None
            The first row is where all traversals start; the others tell, with it, which values
            each latent takes. None starts at the mean of the prior, and takes values from it, as
            does a single row.
        components : sequence of int, default=None
            Places of the components to change. None is those that change what is decoded most, the
            greatest change first, up to ten; of a ContentStyleVAE, content comes above style.
        n_steps : int, default=9
            Values of each, at evenly spaced quantiles.
        span : float, default=0.9
            Share of the latents that lies within the values, in the middle: above 0 and below 1.
        ax : matplotlib Axes, default=None
            As for :meth:`plot`.
        row_kw : dict, default=None
            As for :meth:`plot`.

        Returns
        -------
        display : TraversalDisplay
            With what was plotted.

        Raises
        ------
        ValueError
            If the estimator does not decode, has no proper prior where that is needed, a component
            does not exist, or a number is out of range.
        NotFittedError
            If it is not fitted.
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
                # Content above style, the greatest change first in either.
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
        """Draw what is decoded.

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
            Itself.
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
    """The places of the components to change; None is all."""
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
    """Latents of the rows of X, the first being the start; the mean of the prior without X."""
    if X is None:
        return np.zeros((1, estimator.n_components_), dtype=np.float32)
    latents = estimator.encode(X if before is None else before.transform(X))[0]
    # Views are rows here as well.
    return latents.reshape(-1, latents.shape[-1])


def _prior_scale(estimator) -> float:
    """Standard deviation of a latent in the prior, which is the same for all components."""
    if not hasattr(estimator, "sample"):
        raise ValueError(
            "An improper prior (prior_variance=None) has no quantiles. Give an X of several rows, "
            "whose latents tell which values to take."
        )
    d = estimator.n_components_
    return float(estimator._draw_latents(_PRIOR_DRAWS // d + 1, 1, 0).std())
