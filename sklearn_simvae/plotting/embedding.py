"""Representations in two dimensions."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearn_simvae._checks import check_count, seed_of
from sklearn_simvae.evaluation.representations import representations
from sklearn_simvae.evaluation.splits import check_labels
from sklearn_simvae.plotting._drawing import PALETTE, named_once, require_matplotlib

# Classes beyond ten repeat the colors, and differ by their markers.
_MARKERS = ("o", "^", "s", "X", "D", "v")
_LEGEND_ROWS = 20
# Projections that know rows by their neighbors, and the rows that one needs to start from spectra.
_OF_NEIGHBORS, _FEWEST_SPECTRAL = ("t-SNE", "TSNE", "UMAP"), 10


class EmbeddingDisplay:
    """Projection of representations to two dimensions, colored by label.

    Classes have a legend, numbers a color bar. Use :meth:`from_estimator` or
    :meth:`from_representations` to make one.

    Parameters
    ----------
    embedding : ndarray of shape (n, 2)
        The projection.
    y : array-like of shape (n,), default=None
        Labels. Whole numbers, strings and booleans are classes, at most 60. Fractions, and more
        than 60 different whole numbers, have a color bar.
    name : str, default="dimension"
        Name of the axes.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    ax_ : matplotlib Axes
        The axes.
    scatter_ : list of PathCollection
        The points: one collection, or one for each ten classes.
    legend_ : matplotlib Legend or None
        The legend of classes.
    colorbar_ : matplotlib Colorbar or None
        The color bar of numbers.

    See Also
    --------
    sklearn_simvae.evaluation.probe : Measures how well classes differ, in all dimensions.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_simvae.plotting import EmbeddingDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> display = EmbeddingDisplay.from_representations(X, y)
    >>> display.embedding.shape
    (150, 2)
    """

    def __init__(self, embedding: np.ndarray, y: ArrayLike | None = None, *, name="dimension"):
        self.embedding = embedding
        self.y = y
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y: ArrayLike | None = None,
        *,
        method: str | BaseEstimator = "pca",
        max_samples: int = 2000,
        random_state=None,
        ax=None,
        scatter_kw: dict | None = None,
    ) -> "EmbeddingDisplay":
        """Represent rows, project the representations and plot them.

        Parameters
        ----------
        estimator : fitted transformer
            A transformer of this package or another, a search over one, or a Pipeline. If the last
            step of a Pipeline does not transform, it is left out.
        X : array-like of shape (n, ...)
            Rows that it transforms.
        y : array-like of shape (n,), default=None
            Same as in :meth:`from_representations`.
        method : {"pca", "tsne", "umap"} or transformer, default="pca"
            Same as in :meth:`from_representations`.
        max_samples : int, default=2000
            Same as in :meth:`from_representations`.
        random_state : int, RandomState or None, default=None
            Same as in :meth:`from_representations`.
        ax : matplotlib Axes, default=None
            Same as in :meth:`plot`.
        scatter_kw : dict, default=None
            Same as in :meth:`plot`.

        Returns
        -------
        display : EmbeddingDisplay
            The display of what was plotted.

        Raises
        ------
        ValueError
            If `estimator` has no `transform`, or where :meth:`from_representations` raises one.
        NotFittedError
            If the estimator is not fitted.
        ImportError
            If `method` is "umap" and umap-learn is not installed.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        if isinstance(estimator, BaseSearchCV):
            check_is_fitted(estimator, "best_estimator_")
            estimator = estimator.best_estimator_
        if isinstance(estimator, Pipeline) and not hasattr(estimator, "transform"):
            estimator = estimator[:-1]
        _check_method(method)
        check_count(max_samples, "max_samples", 2)
        return cls.from_representations(
            representations(estimator, X),
            y,
            method=method,
            max_samples=max_samples,
            random_state=random_state,
            ax=ax,
            scatter_kw=scatter_kw,
        )

    @classmethod
    def from_representations(
        cls,
        Z: ArrayLike,
        y: ArrayLike | None = None,
        *,
        method: str | BaseEstimator = "pca",
        max_samples: int = 2000,
        random_state=None,
        ax=None,
        scatter_kw: dict | None = None,
    ) -> "EmbeddingDisplay":
        """Project representations and plot them.

        Parameters
        ----------
        Z : array-like of shape (n, n_features)
            Representations.
        y : array-like of shape (n,), default=None
            Labels: classes or numbers.
        method : {"pca", "tsne", "umap"} or transformer, default="pca"
            Projection to two dimensions. "umap" needs umap-learn:
            ``pip install "sklearn-simvae[umap]"``. A clone of a transformer is fitted;
            `FunctionTransformer()` keeps two columns as they are.
        max_samples : int, default=2000
            Greatest number of rows to draw. If there are more, they are chosen at random.
        random_state : int, RandomState or None, default=None
            Seed of the choice of rows, and of "pca", "tsne" and "umap".
        ax : matplotlib Axes, default=None
            Same as in :meth:`plot`.
        scatter_kw : dict, default=None
            Same as in :meth:`plot`.

        Returns
        -------
        display : EmbeddingDisplay
            The display of what was plotted.

        Raises
        ------
        ValueError
            If there are fewer than two rows or columns, if lengths differ, if there are too many
            classes, or if the projection does not have two columns.
        ImportError
            If `method` is "umap" and umap-learn is not installed.
        """
        require_matplotlib(f"{cls.__name__}.from_representations")
        _check_method(method)
        check_count(max_samples, "max_samples", 2)
        Z = representations(None, Z)
        if min(Z.shape) < 2:
            raise ValueError(
                f"Representations of shape {Z.shape} have no projection to two dimensions; at "
                "least 2 rows and 2 columns are needed."
            )
        if y is not None:
            check_consistent_length(Z, y)
            y = check_labels(y, "y")
            _check_n_classes(y)
        seed = seed_of(random_state)
        if len(Z) > max_samples:
            some = np.sort(np.random.default_rng(seed).permutation(len(Z))[:max_samples])
            Z, y = Z[some], None if y is None else y[some]
        projection, name = _projection(method, len(Z), seed)
        if name in _OF_NEIGHBORS and not np.ptp(Z, axis=0).any():
            raise ValueError(
                f"All {len(Z)} rows of Z are equal, a representation that has collapsed: "
                f"{name} knows no neighbors there. method='pca' draws them as one "
                "point."
            )
        with np.errstate(invalid="ignore"):  # PCA divides by the variance, 0 after a collapse
            embedding = np.asarray(projection.fit_transform(Z))
        if embedding.shape != (len(Z), 2):
            raise ValueError(
                f"method must project to two dimensions; {name} gave the shape "
                f"{embedding.shape}. Set its number of components to 2."
            )
        return cls(embedding, y, name=name).plot(ax, scatter_kw=scatter_kw)

    def plot(self, ax=None, *, scatter_kw: dict | None = None) -> "EmbeddingDisplay":
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a figure.
        scatter_kw : dict, default=None
            Keyword arguments of matplotlib's `scatter`.

        Returns
        -------
        display : EmbeddingDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt
        from matplotlib.collections import PathCollection

        y = None if self.y is None else np.asarray(self.y)
        if y is not None:
            _check_n_classes(y)
        own = ax is None
        if own:
            _, ax = plt.subplots(figsize=(5.6, 4.8), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        self.legend_ = self.colorbar_ = None
        size = float(np.clip(16000 / len(self.embedding), 6, 30))
        scatter_kw = named_once(scatter_kw, PathCollection)
        settings = {"s": size, "alpha": 0.8, "linewidth": 0, **scatter_kw}
        colored = not {"c", "color", "facecolor"}.isdisjoint(scatter_kw)
        # Points are drawn in random order, since the last class would cover the others.
        order = np.random.default_rng(0).permutation(len(self.embedding))
        if y is None:
            own_color = {} if colored else {"color": PALETTE[0]}
            self.scatter_ = [ax.scatter(*self.embedding.T, **own_color, **settings)]
        elif colored and _is_continuous(y):
            self.scatter_ = [ax.scatter(*self.embedding.T, **settings)]
        elif _is_continuous(y):
            settings = {"cmap": "viridis", **self._of_points(settings, order)}
            self.scatter_ = [ax.scatter(*self.embedding[order].T, c=y[order], **settings)]
            self.colorbar_ = self.figure_.colorbar(self.scatter_[0], ax=ax)
        else:
            self._plot_classes(y, order, settings, colored)
            if own:
                legend_width = self.legend_.get_window_extent().width / self.figure_.dpi
                self.figure_.set_figwidth(5.4 + legend_width)
        ax.set(xlabel=f"{self.name} 1", ylabel=f"{self.name} 2")
        # Distances on the page are those of the projection, in all directions.
        ax.set_aspect("equal", adjustable="datalim")
        return self

    def _of_points(self, settings: dict, which: np.ndarray) -> dict:
        """Select the settings of these points, if there is one setting for each point."""
        n = len(self.embedding)
        return {
            name: np.asarray(value)[which] if np.ndim(value) and len(value) == n else value
            for name, value in settings.items()
        }

    def _plot_classes(self, y, order, settings, colored):
        from matplotlib.lines import Line2D

        classes, codes = np.unique(y, return_inverse=True)
        colors = np.array(PALETTE)
        self.scatter_, handles = [], []
        for place, name in enumerate(classes):
            marker, color = _MARKERS[place // len(PALETTE)], PALETTE[place % len(PALETTE)]
            handles.append(Line2D([], [], ls="", marker=marker, ms=6, color=color, label=name))
        for block, marker in enumerate(_MARKERS[: -(-len(classes) // len(PALETTE))]):
            which = order[codes[order] // len(PALETTE) == block]
            own_color = {} if colored else {"color": colors[codes[which] % len(PALETTE)]}
            style = {"marker": marker, **own_color, **self._of_points(settings, which)}
            self.scatter_.append(self.ax_.scatter(*self.embedding[which].T, **style))
        self.legend_ = self.ax_.legend(
            handles=handles,
            loc="center left",
            bbox_to_anchor=(1, 0.5),
            frameon=False,
            ncols=-(-len(classes) // _LEGEND_ROWS),
            handletextpad=0.1,
            columnspacing=1.0,
        )


def _is_continuous(y: np.ndarray) -> bool:
    """Tell whether labels are numbers for a color bar, rather than classes."""
    if y.dtype.kind not in "iuf":
        return False
    return bool(np.any(y % 1)) or len(np.unique(y)) > len(PALETTE) * len(_MARKERS)


def _check_n_classes(y: np.ndarray) -> None:
    """Raise if there are more classes than can be told apart."""
    most = len(PALETTE) * len(_MARKERS)
    if not _is_continuous(y) and len(np.unique(y)) > most:
        raise ValueError(
            f"y has {len(np.unique(y))} classes, more than the {most} that can be told apart. "
            "Leave some out, or join them."
        )


def _check_method(method) -> None:
    if isinstance(method, str) and method == "umap":
        _umap()
    named = isinstance(method, str) and method in ("pca", "tsne", "umap")
    if not named and not hasattr(method, "fit_transform"):
        raise ValueError(f"method must be 'pca', 'tsne', 'umap' or a transformer, got {method!r}.")


def _umap() -> type[BaseEstimator]:
    """Import UMAP."""
    try:
        from umap import UMAP
    except ImportError as error:
        raise ImportError(
            "method='umap' needs umap-learn: pip install \"sklearn-simvae[umap]\"."
        ) from error
    return UMAP


def _projection(method, n: int, seed: int) -> tuple[BaseEstimator, str]:
    """Return a projection of n rows to two dimensions, and its name."""
    if not isinstance(method, str):
        return clone(method), type(method).__name__
    if method == "pca":
        return PCA(2, random_state=seed), "PCA"
    # Both need neighborhoods that are smaller than the data.
    if method == "umap":
        if n < 3:
            raise ValueError(f"method='umap' needs at least 3 rows, got {n}. Take method='pca'.")
        init = "random" if n < _FEWEST_SPECTRAL else "spectral"
        # Only one thread gives the same result again.
        settings = {"n_neighbors": min(15, n - 1), "n_jobs": 1, "random_state": seed}
        return _umap()(n_components=2, init=init, **settings), "UMAP"
    return TSNE(2, perplexity=min(30.0, (n - 1) / 3), random_state=seed), "t-SNE"
