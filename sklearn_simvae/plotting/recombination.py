"""The content of some rows with the style of others."""

import numpy as np

from sklearn_simvae._checks import check_count
from sklearn_simvae.evaluation.representations import check_one_length
from sklearn_simvae.generative.content_style_vae import ContentStyleVAE
from sklearn_simvae.plotting._drawing import draw_rows, require_matplotlib, to_drawable
from sklearn_simvae.plotting._estimators import first_rows, unwrap_generative
from sklearn_simvae.views import Layout


class RecombinationDisplay:
    """Table of recombined rows: content differs between lines, style between columns.

    The first column holds the rows whose content is taken, and the first line holds the rows whose
    style is taken. Each other place holds the row that is decoded from both. Use
    :meth:`from_estimator` to make one.

    Parameters
    ----------
    contents : ndarray of shape (n_contents, ...)
        Rows whose content is taken.
    styles : ndarray of shape (n_styles, ...)
        Rows whose style is taken.
    recombined : ndarray of shape (n_contents, n_styles, ...)
        Rows decoded from the content of one row and the style of another.
    layout : Layout
        Kind and shape of a row: `layout_` of a fitted estimator.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of Axes of shape (n_contents + 1, n_styles + 1)
        The table; its first place is empty.
    artists_ : ndarray of object of the shape of `axes_`
        An AxesImage, a list of Line2D or a StepPatch for each row, None in the first place.

    See Also
    --------
    ContentStyleVAE.recombine : Computes the rows that are drawn.
    TraversalDisplay : Changes one dimension and keeps the others.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_simvae import ContentStyleVAE
    >>> from sklearn_simvae.plotting import RecombinationDisplay
    >>> X = load_digits().data[:100] / 16
    >>> vae = ContentStyleVAE(input_shape=(8, 8), hidden_layer_sizes=(32,), max_epochs=2,
    ...                       random_state=0)
    >>> display = RecombinationDisplay.from_estimator(vae.fit(X), X[:3], X[3:7])
    >>> display.recombined.shape
    (3, 4, 64)
    """

    def __init__(
        self, contents: np.ndarray, styles: np.ndarray, recombined: np.ndarray, *, layout: Layout
    ):
        self.contents = contents
        self.styles = styles
        self.recombined = recombined
        self.layout = layout

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X_content,
        X_style=None,
        n_samples: int = 8,
        *,
        ax=None,
        row_kw: dict | None = None,
    ) -> "RecombinationDisplay":
        """Decode the content of some rows with the style of others, and plot the result.

        Parameters
        ----------
        estimator : fitted estimator
            ContentStyleVAE, a Pipeline with one among its steps, or a search over either. In a
            Pipeline, rows are drawn as the estimator sees them, after the steps before it.
        X_content : array-like of shape (n, ...)
            Rows whose content is taken, one for each line.
        X_style : array-like of shape (n, ...), default=None
            Rows whose style is taken, one for each column. None takes the rows of `X_content`.
        n_samples : int, default=8
            Number of rows to take of each, from the first on; all if there are fewer.
        ax : matplotlib Axes, default=None
            Same as in :meth:`plot`.
        row_kw : dict, default=None
            Same as in :meth:`plot`.

        Returns
        -------
        display : RecombinationDisplay
            The display of what was plotted.

        Raises
        ------
        ValueError
            If the estimator does not separate content from style, or if rows differ in shape from
            those that it was fitted on.
        NotFittedError
            If the estimator is not fitted.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        check_count(n_samples, "n_samples")
        before, estimator = unwrap_generative(estimator, cls.__name__)
        check_one_length(estimator, cls.__name__)
        if not isinstance(estimator, ContentStyleVAE):
            raise ValueError(
                f"{cls.__name__} needs an estimator with dimensions for content and others for "
                f"style, a ContentStyleVAE; got {type(estimator).__name__}."
            )
        given = (X_content, X_content if X_style is None else X_style)
        contents, styles = (_one_view(estimator, first_rows(X, n_samples, before)) for X in given)
        recombined = estimator.recombine(
            contents.repeat(len(styles), axis=0),
            np.tile(styles, (len(contents), *[1] * (styles.ndim - 1))),
        )
        recombined = recombined.reshape(len(contents), len(styles), *recombined.shape[1:])
        layout = estimator.layout_
        return cls(contents, styles, recombined, layout=layout).plot(ax, row_kw=row_kw)

    def plot(self, ax=None, *, row_kw: dict | None = None) -> "RecombinationDisplay":
        """Draw the table.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            A subplot, which is divided. None makes a figure.
        row_kw : dict, default=None
            Keyword arguments of matplotlib's `imshow` for images, `plot` for series or `stairs`
            for vectors.

        Returns
        -------
        display : RecombinationDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        contents, styles, recombined = (
            to_drawable(rows, self.layout)
            for rows in (
                self.contents,
                self.styles,
                self.recombined.reshape(-1, *self.recombined.shape[2:]),
            )
        )
        recombined = recombined.reshape(*self.recombined.shape[:2], *recombined.shape[1:])
        # The first place stays empty: its row is a stand-in, hidden after it is drawn.
        table = [np.concatenate([styles[:1], styles])]
        table += [
            np.concatenate([content[None], line])
            for content, line in zip(contents, recombined, strict=True)
        ]
        self.figure_, self.axes_, self.artists_ = draw_rows(
            np.concatenate(table),
            self.layout.kind,
            len(styles) + 1,
            ax=ax,
            row_labels=["", *["content"] * len(contents)],
            column_labels=["", *["style"] * len(styles)],
            row_kw=row_kw,
        )
        self.axes_[0, 0].set_visible(False)
        self.artists_[0, 0] = None
        return self


def _one_view(estimator: ContentStyleVAE, X) -> np.ndarray:
    """Return rows as the estimator reads them; the first view where samples have views."""
    samples = estimator._read(X)
    rows = samples.X[np.arange(len(samples.X))]
    return rows[:, 0] if samples.has_views else rows
