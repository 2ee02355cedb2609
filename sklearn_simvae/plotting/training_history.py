"""Terms of the objective during training."""

from collections.abc import Iterable, Mapping
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from sklearn_simvae.plotting._drawing import make_axes, require_matplotlib
from sklearn_simvae.plotting._estimators import unwrap

# Entries of a history that are not terms of the objective.
_NOT_TERMS = ("epoch", "lr", "dur", "effective_rank", "representation_variance")
_MAX_COLUMNS = 4


class TrainingHistoryDisplay:
    """Terms of the objective over epochs, each in axes of its own.

    Use :meth:`from_estimator` or :meth:`from_history` to make one.

    Parameters
    ----------
    epochs : array-like of shape (n_epochs,)
        Numbers of the epochs.
    train : dict of str to array-like of shape (n_epochs,)
        The terms by name, as means over the training samples.
    valid : dict of str to array-like of shape (n_epochs,), default=None
        The same for the validation samples, for the terms that were computed on them.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of Axes of shape (n_rows, n_columns)
        Axes of one term each, line after line.
    lines_ : dict of str to list of Line2D
        For each term, the line of training, and the line of validation if there is one.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Plots scores over the number of samples.

    Examples
    --------
    >>> from sklearn_simvae.plotting import TrainingHistoryDisplay
    >>> history = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}]
    >>> display = TrainingHistoryDisplay.from_history(history)
    >>> display.train
    {'loss': array([2., 1.])}
    """

    def __init__(
        self,
        epochs: ArrayLike,
        train: Mapping[str, ArrayLike],
        valid: Mapping[str, ArrayLike] | None = None,
    ):
        self.epochs = epochs
        self.train = train
        self.valid = valid

    @classmethod
    def from_estimator(
        cls,
        estimator,
        terms: str | Iterable[str] | None = None,
        *,
        ax=None,
        line_kw: dict | None = None,
    ) -> "TrainingHistoryDisplay":
        """Plot the history of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            An estimator of this package, a Pipeline with one among its steps, or a search over
            either.
        terms : str or iterable of str, default=None
            Entries of `history_` to plot. None plots the objective and all its terms, without the
            learning rate, the durations and the measures of the representation.
        ax : matplotlib Axes, default=None
            Same as in :meth:`plot`.
        line_kw : dict, default=None
            Same as in :meth:`plot`.

        Returns
        -------
        display : TrainingHistoryDisplay
            The display of what was plotted.

        Raises
        ------
        ValueError
            If the history has no such terms.
        NotFittedError
            If the estimator is not fitted.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_simvae import VAE
        >>> from sklearn_simvae.plotting import TrainingHistoryDisplay
        >>> vae = VAE(2, hidden_layer_sizes=(16,), max_epochs=3, random_state=0)
        >>> display = TrainingHistoryDisplay.from_estimator(vae.fit(load_iris().data))
        >>> list(display.train)
        ['loss', 'reconstruction', 'kl']
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        _, estimator = unwrap(estimator)
        check_is_fitted(estimator, "net_")
        return cls.from_history(estimator.history_, terms, ax=ax, line_kw=line_kw)

    @classmethod
    def from_history(
        cls,
        history: Iterable[Mapping[str, Real]],
        terms: str | Iterable[str] | None = None,
        *,
        ax=None,
        line_kw: dict | None = None,
    ) -> "TrainingHistoryDisplay":
        """Plot a history.

        Parameters
        ----------
        history : iterable of dict
            A dict for each epoch, with values by name; values of validation have the prefix
            `valid_`. A dict without "epoch" is numbered by its place.
        terms : str or iterable of str, default=None
            Same as in :meth:`from_estimator`.
        ax : matplotlib Axes, default=None
            Same as in :meth:`plot`.
        line_kw : dict, default=None
            Same as in :meth:`plot`.

        Returns
        -------
        display : TrainingHistoryDisplay
            The display of what was plotted.

        Raises
        ------
        ValueError
            If the history has no such terms.
        """
        require_matplotlib(f"{cls.__name__}.from_history")
        history = list(history)
        found = dict.fromkeys(
            name for row in history for name, value in row.items() if isinstance(value, Real)
        )
        names = [name for name in found if not name.startswith("valid_")]
        if terms is None:
            terms = [name for name in names if name not in _NOT_TERMS]
        terms = [terms] if isinstance(terms, str) else list(terms)
        unknown = [name for name in terms if name not in names]
        if unknown or not terms:
            raise ValueError(
                f"The history of {len(history)} epochs has no terms {unknown}; it has {names}."
            )
        epochs = np.array([row.get("epoch", place) for place, row in enumerate(history, 1)])

        def column(name):
            return np.array([row.get(name, np.nan) for row in history], dtype=float)

        return cls(
            epochs,
            {name: column(name) for name in terms},
            {name: column(f"valid_{name}") for name in terms if f"valid_{name}" in found},
        ).plot(ax, line_kw=line_kw)

    def plot(self, ax=None, *, line_kw: dict | None = None) -> "TrainingHistoryDisplay":
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            A subplot, which is divided where there are several terms. None makes a figure.
        line_kw : dict, default=None
            Keyword arguments of matplotlib's `plot`.

        Returns
        -------
        display : TrainingHistoryDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        from matplotlib.ticker import MaxNLocator

        n_rows = -(-len(self.train) // _MAX_COLUMNS)
        n_columns = -(-len(self.train) // n_rows)
        figsize = (max(2.5 * n_columns, 4), 2.1 * n_rows + 0.3)
        self.figure_, self.axes_ = make_axes(n_rows, n_columns, ax, figsize)
        epochs = np.asarray(self.epochs)
        train, valid = (
            {name: np.asarray(values, dtype=float) for name, values in (of or {}).items()}
            for of in (self.train, self.valid)
        )
        settings = {"marker": "." if len(self.epochs) <= 20 else None, **(line_kw or {})}
        self.lines_ = {}
        for one, name in zip(self.axes_.flat, self.train, strict=False):
            lines = []
            for of, label in ((train, "train"), (valid, "validation")):
                if name in of:
                    # A score may not have been computed in every epoch.
                    there = ~np.isnan(of[name])
                    style = {"label": label, **settings}
                    lines += one.plot(epochs[there], of[name][there], **style)
            self.lines_[name] = lines
            one.set_title(name.replace("_", " "), fontsize="medium")
            one.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            one.tick_params(labelsize="small")
        for place, one in enumerate(self.axes_.flat):
            one.set_visible(place < len(self.train))
            # Axes with no others below them.
            if place + n_columns >= len(self.train):
                one.set_xlabel("epoch")
        if valid:
            first = next(place for place, name in enumerate(self.train) if name in valid)
            self.axes_.flat[first].legend(fontsize="small", frameon=False)
        return self
