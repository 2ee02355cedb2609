"""Rows above their reconstructions."""

import numpy as np

from sklearn_simvae._checks import check_count
from sklearn_simvae.evaluation.representations import check_one_length
from sklearn_simvae.plotting._drawing import draw_rows, require_matplotlib, to_drawable
from sklearn_simvae.plotting._estimators import first_rows, unwrap_generative
from sklearn_simvae.views import Layout


class ReconstructionDisplay:
    """Rows, each above its reconstruction.

    Images are drawn as images, series as lines and vectors as bars, all on one scale. Use
    :meth:`from_estimator` to make one.

    Parameters
    ----------
    originals : ndarray of shape (n, ...) or (n, n_views, ...)
        Rows, or samples of several views.
    reconstructions : ndarray of the same shape
        Rows that are decoded from the means of their latents.
    layout : Layout
        Kind and shape of a row: `layout_` of a fitted estimator.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of Axes of shape (2, n) or (2 * n_views, n)
        Rows of originals and of reconstructions in turn, with a column for each sample.
    artists_ : ndarray of object of the shape of `axes_`
        An AxesImage, a list of Line2D or a StepPatch for each row.

    See Also
    --------
    sklearn_simvae.evaluation.reconstruction_error : Measures how far they are apart.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_simvae import VAE
    >>> from sklearn_simvae.plotting import ReconstructionDisplay
    >>> X = load_digits().data[:100] / 16
    >>> vae = VAE(input_shape=(8, 8), hidden_layer_sizes=(32,), max_epochs=2, random_state=0)
    >>> display = ReconstructionDisplay.from_estimator(vae.fit(X), X, n_samples=4)
    >>> display.reconstructions.shape
    (4, 64)
    """

    def __init__(self, originals: np.ndarray, reconstructions: np.ndarray, *, layout: Layout):
        self.originals = originals
        self.reconstructions = reconstructions
        self.layout = layout

    @classmethod
    def from_estimator(
        cls, estimator, X, n_samples: int = 8, *, ax=None, row_kw: dict | None = None
    ) -> "ReconstructionDisplay":
        """Encode rows, decode the means of their latents, and plot both.

        Parameters
        ----------
        estimator : fitted estimator
            ContentStyleVAE, SimVAE, VAE or CRVAE, a Pipeline with one among its steps, or a search
            over either. In a Pipeline, rows are drawn as the estimator sees them, after the steps
            before it.
        X : array-like of shape (n, ...) or (n, n_views, ...)
            Rows, or samples of several views. Each view is decoded from its own latents.
        n_samples : int, default=8
            Number of rows to draw, from the first on; all if X has fewer.
        ax : matplotlib Axes, default=None
            Same as in :meth:`plot`.
        row_kw : dict, default=None
            Same as in :meth:`plot`.

        Returns
        -------
        display : ReconstructionDisplay
            The display of what was plotted.

        Raises
        ------
        ValueError
            If the estimator does not decode, or if rows differ in shape from those that it was
            fitted on.
        NotFittedError
            If the estimator is not fitted.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        check_count(n_samples, "n_samples")
        before, estimator = unwrap_generative(estimator, cls.__name__)
        check_one_length(estimator, cls.__name__)
        X = first_rows(X, n_samples, before)
        read, layout = estimator._read(X).X, estimator.layout_
        originals = read[np.arange(len(read))]
        latents = estimator.encode(X)[0]
        decoded = estimator.inverse_transform(latents.reshape(-1, latents.shape[-1]))
        decoded = decoded.reshape(originals.shape)
        if estimator.module_.likelihood.name == "multinomial":
            # Decoded shares sum to 1, the originals to the counts in their row or view.
            axes = tuple(range(originals.ndim - len(layout.row_shape), originals.ndim))
            decoded = decoded * originals.sum(axes, keepdims=True)
        return cls(originals, decoded, layout=layout).plot(ax, row_kw=row_kw)

    def plot(self, ax=None, *, row_kw: dict | None = None) -> "ReconstructionDisplay":
        """Draw the rows.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            A subplot, which is divided. None makes a figure.
        row_kw : dict, default=None
            Keyword arguments of matplotlib's `imshow` for images, `plot` for series or `stairs`
            for vectors.

        Returns
        -------
        display : ReconstructionDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        views = [("original", "decoded", self.originals, self.reconstructions)]
        if self.layout.has_views(self.originals.shape, type(self).__name__):
            views = [
                (f"view {j + 1}", "decoded", self.originals[:, j], self.reconstructions[:, j])
                for j in range(self.originals.shape[1])
            ]
        rows = [to_drawable(part, self.layout) for view in views for part in view[2:]]
        self.figure_, self.axes_, self.artists_ = draw_rows(
            np.concatenate(rows),
            self.layout.kind,
            len(self.originals),
            ax=ax,
            row_labels=[label for view in views for label in view[:2]],
            row_kw=row_kw,
        )
        return self
