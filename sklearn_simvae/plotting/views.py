"""Rows beside views that the augmentation makes."""

from dataclasses import replace

import numpy as np
import torch

from sklearn_simvae._checks import check_count, seed_of
from sklearn_simvae.evaluation.representations import check_one_length
from sklearn_simvae.plotting._drawing import draw_rows, require_matplotlib, to_drawable
from sklearn_simvae.plotting._estimators import first_rows, unwrap_one_kind
from sklearn_simvae.training import isolated_random_state
from sklearn_simvae.views import Batch, Layout

# Some augmentations mix the rows of a batch, so it is as large as in training.
_BATCH = 256


class ViewsDisplay:
    """Rows, each beside the views that the augmentation makes of it.

    Images are drawn as images, series as lines and vectors as bars, all on one scale. Use
    :meth:`from_estimator` to make one.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, ...)
        The rows, not augmented.
    views : ndarray of shape (n_samples, n_views, ...)
        Views of the rows.
    layout : Layout
        Kind and shape of a row: `layout_` of a fitted estimator.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of Axes of shape (n_samples, 1 + n_views)
        Grid with a line for each row, which comes first, followed by its views.
    artists_ : ndarray of object of the shape of `axes_`
        An AxesImage, a list of Line2D or a StepPatch for each row.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_simvae import SimVAE
    >>> from sklearn_simvae.plotting import ViewsDisplay
    >>> X = load_digits().data / 16
    >>> display = ViewsDisplay.from_estimator(SimVAE(input_shape=(8, 8)), X, random_state=0)
    >>> display.views.shape
    (4, 4, 64)
    """

    def __init__(self, rows: np.ndarray, views: np.ndarray, *, layout: Layout):
        self.rows = rows
        self.views = views
        self.layout = layout

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        n_samples: int = 4,
        n_views: int = 4,
        *,
        random_state=None,
        ax=None,
        row_kw: dict | None = None,
    ) -> "ViewsDisplay":
        """Make views of rows as `fit` would, and plot them.

        Parameters
        ----------
        estimator : estimator
            An estimator of this package, fitted or not, whose rows are of one kind; a Pipeline with
            one among its steps; or a search over either. In a Pipeline, the steps before the
            estimator must be fitted, and rows are drawn as they leave these steps.
        X : array-like of shape (n, ...)
            Rows, without a views axis.
        n_samples : int, default=4
            Number of rows to draw, from the first on; all if X has fewer.
        n_views : int, default=4
            Number of views of each row; the `n_views` of the estimator does not matter.
        random_state : int, RandomState or None, default=None
            Seed of the augmentation.
        ax : matplotlib Axes, default=None
            Same as in :meth:`plot`.
        row_kw : dict, default=None
            Same as in :meth:`plot`.

        Returns
        -------
        display : ViewsDisplay
            The display of what was plotted.

        Raises
        ------
        ValueError
            If X has views already, if X does not fit the estimator, or if a number is not positive.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        check_count(n_samples, "n_samples")
        check_count(n_views, "n_views")
        before, estimator = unwrap_one_kind(estimator, cls.__name__)
        check_one_length(estimator, cls.__name__)
        estimator._validate_params()
        X = first_rows(X, max(n_samples, _BATCH), before)
        unfitted = "net_" not in vars(estimator)
        reader = estimator._reader(anew=unfitted)
        X, _ = reader.split_groups(X, needed=unfitted)
        samples = reader.fit(X) if unfitted else reader.read(X)
        layout, X = samples.layout, samples.X
        if samples.has_views:
            raise ValueError(
                f"X of shape {X.shape} has a views axis already. Give rows, of which views are to "
                "be made, such as X[:, 0]."
            )
        batch = Batch(torch.from_numpy(samples.take(np.arange(len(X)))[0]))
        make_views, seed = reader.view_maker(samples), seed_of(random_state)
        generator = torch.Generator().manual_seed(seed)
        own_row = estimator._needs().first_view_is_row
        # Augmentations of other packages draw from the global random states.
        with isolated_random_state(seed, generator.device):
            batch = replace(make_views, n_views=n_views + own_row)(batch, generator)
        views = batch.views[:n_samples, int(own_row) :]
        made = layout.from_network(views.flatten(0, 1)).numpy()
        made = made.reshape(*views.shape[:2], *layout.row_shape)
        rows = np.asarray(X[np.arange(min(n_samples, len(X)))])
        return cls(rows, made, layout=layout).plot(ax, row_kw=row_kw)

    def plot(self, ax=None, *, row_kw: dict | None = None) -> "ViewsDisplay":
        """Draw the rows and their views.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            A subplot, which is divided. None makes a figure.
        row_kw : dict, default=None
            Keyword arguments of matplotlib's `imshow` for images, `plot` for series or `stairs`
            for vectors.

        Returns
        -------
        display : ViewsDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        n_views = self.views.shape[1]
        views = to_drawable(self.views.reshape(-1, *self.views.shape[2:]), self.layout)
        views = views.reshape(-1, n_views, *views.shape[1:])
        rows = np.concatenate([to_drawable(self.rows, self.layout)[:, None], views], axis=1)
        self.figure_, self.axes_, self.artists_ = draw_rows(
            rows.reshape(-1, *rows.shape[2:]),
            self.layout.kind,
            1 + n_views,
            ax=ax,
            column_labels=["row", *(f"view {j + 1}" for j in range(n_views))],
            row_kw=row_kw,
        )
        return self
