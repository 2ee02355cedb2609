"""Samples that were drawn from a model."""

import math

import numpy as np

from sklearn_simvae._checks import check_count
from sklearn_simvae.plotting._drawing import draw_rows, require_matplotlib, to_drawable
from sklearn_simvae.plotting._estimators import unwrap_generative
from sklearn_simvae.views import Layout


class SampleDisplay:
    """Samples from a model, in a grid.

    Images are drawn as images, series as lines and vectors as bars, all on one scale. Use
    :meth:`from_estimator` to make one.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, ...) or (n_samples, n_views, ...)
        The samples.
    layout : Layout
        Kind and shape of a row: `layout_` of a fitted estimator.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of Axes of shape (n_rows, n_columns)
        Grid with a line of views for each sample; without views, samples fill it line after line.
    artists_ : ndarray of object of the shape of `axes_`
        An AxesImage, a list of Line2D or a StepPatch for each row, None where no sample is left.

    See Also
    --------
    TraversalDisplay : Shows what the latents stand for.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_simvae import SimVAE
    >>> from sklearn_simvae.plotting import SampleDisplay
    >>> X = load_digits().data[:100] / 16
    >>> vae = SimVAE(input_shape=(8, 8), hidden_layer_sizes=(32,), max_epochs=2, random_state=0)
    >>> display = SampleDisplay.from_estimator(vae.fit(X), n_samples=3, n_views=4)
    >>> display.axes_.shape
    (3, 4)
    """

    def __init__(self, samples: np.ndarray, *, layout: Layout):
        self.samples = samples
        self.layout = layout

    @classmethod
    def from_estimator(
        cls,
        estimator,
        n_samples: int = 16,
        *,
        n_views: int | None = None,
        random_state=None,
        ax=None,
        row_kw: dict | None = None,
    ) -> "SampleDisplay":
        """Draw samples from a fitted model and plot them.

        Parameters
        ----------
        estimator : fitted estimator
            ContentStyleVAE, SimVAE, VAE or CRVAE, a Pipeline with one among its steps, or a search
            over either. In a Pipeline, samples are drawn as the estimator sees rows, after the
            steps before it.
        n_samples : int, default=16
            Number of samples.
        n_views : int, default=None
            Views of each sample, which share their content. None is one view without a views axis.
        random_state : int, RandomState or None, default=None
            Seed of the draws. None takes the `random_state` of the estimator.
        ax : matplotlib Axes, default=None
            Same as in :meth:`plot`.
        row_kw : dict, default=None
            Same as in :meth:`plot`.

        Returns
        -------
        display : SampleDisplay
            The display of what was plotted.

        Raises
        ------
        ValueError
            If the estimator does not generate, if it has an improper prior, or if a number is not
            positive.
        NotFittedError
            If the estimator is not fitted.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        check_count(n_samples, "n_samples")
        if n_views is not None:
            check_count(n_views, "n_views")
        _, estimator = unwrap_generative(estimator, cls.__name__)
        if not hasattr(estimator, "sample"):
            raise ValueError(
                "An improper prior (prior_variance=None) cannot be sampled from. Set "
                "prior_variance to a positive number and fit again."
            )
        samples = estimator.sample(n_samples, n_views, random_state)
        return cls(samples, layout=estimator.layout_).plot(ax, row_kw=row_kw)

    def plot(self, ax=None, *, row_kw: dict | None = None) -> "SampleDisplay":
        """Draw the samples.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            A subplot, which is divided. None makes a figure.
        row_kw : dict, default=None
            Keyword arguments of matplotlib's `imshow` for images, `plot` for series or `stairs`
            for vectors.

        Returns
        -------
        display : SampleDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        rows, labels = self.samples, ()
        n_columns = math.ceil(math.sqrt(len(rows)))
        if self.layout.has_views(rows.shape, type(self).__name__):
            n_columns = rows.shape[1]
            labels = [f"view {j + 1}" for j in range(n_columns)]
            rows = rows.reshape(-1, *rows.shape[2:])
        self.figure_, self.axes_, self.artists_ = draw_rows(
            to_drawable(rows, self.layout),
            self.layout.kind,
            n_columns,
            ax=ax,
            column_labels=labels,
            row_kw=row_kw,
        )
        return self
