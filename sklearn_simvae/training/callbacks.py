"""Callbacks of a fit: early stopping and progress, which estimators add, and a kNN score."""

import contextlib
import copy
import warnings
from numbers import Integral

import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_feature_names, _get_feature_names, column_or_1d
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    GradientNormClipping,
    LRScheduler,
    ParamMapper,
)
from tqdm.auto import tqdm

from sklearn_simvae.training.distributed import rank
from sklearn_simvae.views.lazy import named
from sklearn_simvae.views.rows import tensor_to_array

# What changes the steps that are taken, and so has to be in every process.
_OF_ALL_PROCESSES = (GradientNormClipping, LRScheduler, ParamMapper)


class StopEarly(EarlyStopping):
    """Stop when the objective on the validation part no longer improves, at the best weights.

    Parameters
    ----------
    patience : int
        Epochs without improvement to wait.
    """

    def __init__(self, patience: int):
        # Relative thresholds, skorch's default, go the wrong way for losses below zero.
        super().__init__(
            patience=patience, threshold=1e-4, threshold_mode="abs", load_best=True, sink=_silent
        )

    def on_train_end(self, net, **kwargs):
        """Load the best weights, and keep no second copy of them."""
        if net.history:
            super().on_train_end(net, **kwargs)
        self.best_model_weights_ = None


class FitProgress(Callback):
    """A bar over all steps of a fit, with the objective's terms of the last epoch."""

    def on_train_begin(self, net, **kwargs):
        """Open the bar, where a fit that is resumed goes on."""
        run = net.run
        done = run.options.saved.metadata["epochs"] if run.options.saved else 0
        self._bar = tqdm(
            total=run.n_steps,
            initial=done * run.n_steps // run.options.n_epochs,
            desc=run.options.name,
            unit="step",
            dynamic_ncols=True,
        )
        self._shown = {}

    def on_batch_end(self, net, training=False, **kwargs):
        """Count a step."""
        if training:
            self._bar.update()

    def on_epoch_end(self, net, **kwargs):
        """Show the terms, and each score as it was last."""
        row = net.history[-1]
        scores = tuple(c.name for _, c in net.callbacks_ if isinstance(c, KNNScore))
        self._shown |= {
            name.removeprefix("train_"): f"{value:.4g}"
            for name, value in row.items()
            if (name.startswith(("train_", "valid_loss")) or name in scores)
            and isinstance(value, float)
        }
        self._bar.set_postfix(epoch=row["epoch"], **self._shown)

    def on_train_end(self, net, **kwargs):
        """Close the bar."""
        self.close()

    def close(self):
        """Close the bar, also where training was cut short."""
        if "_bar" in self.__dict__:
            self.__dict__.pop("_bar").close()


class KNNScore(Callback):
    r"""Watch, while a net is trained, how well neighbors in the representation share a label.

    A self-supervised loss alone says little about what a representation is good for. The score is
    the accuracy of nearest neighbors on the representations :math:`z_i` that `transform` would
    give at this moment, each row left out in turn: with :math:`N_k(i)` the k rows nearest to i
    other than i, [1]_

    .. math:: \frac{1}{n} \sum_i 1 [ y_i = \mathrm{mode} \{ y_j : j \in N_k(i) \} ]

    It becomes an entry of `history_`, and of the progress bar where `verbose` is set. Training
    never sees the labels, and comes to the same weights, bit for bit, as without.

    Pickles of a fitted estimator do not hold X and y. What was unpickled fits without the score,
    and warns of it; to have one, give it a new KNNScore by `set_params(callbacks=...)`.

    Parameters
    ----------
    X : array-like of shape (n, ...)
        Labeled rows like those of `fit`: some hundreds to a few thousand, which are represented
        anew for each score. A dict of arrays where `fit` gets one.
    y : array-like of shape (n,)
        Their labels: classes.
    n_neighbors : int, default=20
        Neighbors that vote; fewer than n.
    every_n_epochs : int, default=1
        How often to score. The last epoch is scored in any case.
    name : str, default="knn_accuracy"
        Of the entry in `history_`. Scores on several labels, such as content and style, need a
        name each.

    Raises
    ------
    ValueError
        By `fit`, before it trains: if X is not like what is fitted, y does not hold a class for
        each row, or a parameter is not valid.

    See Also
    --------
    sklearn_simvae.evaluation.probe : Scores of a fitted estimator, on rows held out.
    sklearn_simvae.evaluation.collapse_report : What can be told without labels.

    References
    ----------
    .. [1] Wu, Xiong, Yu and Lin, "Unsupervised Feature Learning via Non-Parametric Instance
       Discrimination", CVPR 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_simvae import SimVAE
    >>> from sklearn_simvae.training import KNNScore
    >>> X, y = load_iris(return_X_y=True)
    >>> score = KNNScore(X, y, n_neighbors=5, every_n_epochs=2)
    >>> simvae = SimVAE(
    ...     2, hidden_layer_sizes=(8,), max_epochs=5, callbacks=[score], random_state=0
    ... ).fit(X)
    >>> [row["epoch"] for row in simvae.history_ if "knn_accuracy" in row]
    [2, 4, 5]
    >>> bool(simvae.history_[-1]["knn_accuracy"] > 1 / 3)
    True
    """

    reads_batches = False

    def __init__(self, X, y, n_neighbors=20, every_n_epochs=1, name="knn_accuracy"):
        self.X = X
        self.y = y
        self.n_neighbors = n_neighbors
        self.every_n_epochs = every_n_epochs
        self.name = name

    def without_data(self) -> "KNNScore":
        """Make a copy that holds no rows and no labels, and scores nothing.

        Returns
        -------
        callback : KNNScore
            Small enough to be pickled with what was fitted.
        """
        other = copy.copy(self)
        other.X = other.y = None
        return other

    def on_train_begin(self, net, **kwargs):
        """Raise if there is something that cannot be scored."""
        if self.X is None and self.y is None:
            warnings.warn(
                f"KNNScore {self.name!r} has no data, which pickles of fitted estimators do not "
                "hold, and scores nothing. Give a new one by set_params(callbacks=...).",
                UserWarning,
            )
            return
        for name in ("n_neighbors", "every_n_epochs"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(f"{name} of KNNScore must be a positive int, got {value!r}.")
        names = [callback.name for _, callback in net.callbacks_ if isinstance(callback, KNNScore)]
        if names.count(self.name) > 1:
            raise ValueError(
                f"callbacks hold {names.count(self.name)} KNNScore of the name {self.name!r}; give "
                "each a name of its own."
            )
        estimator, X = _as_fitted(net, self.X)
        given, fitted = _get_feature_names(named(X)), net.run.options.feature_names
        if given is not None and fitted is not None and list(given) != list(fitted):
            raise ValueError(
                f"X of KNNScore has the columns {_few(given)}, and that of fit {_few(fitted)}. "
                "Give the same in the same order."
            )
        y = column_or_1d(tensor_to_array(self.y), dtype=None)
        check_classification_targets(y)
        n = len(estimator._read(X))
        if len(y) != n:
            raise ValueError(
                f"KNNScore has {n} rows X and {len(y)} labels y; give a label for each row."
            )
        if self.n_neighbors >= n:
            raise ValueError(
                f"n_neighbors={self.n_neighbors} of KNNScore needs more than {self.n_neighbors} "
                f"rows, got {n}. Give more rows, or a smaller n_neighbors."
            )

    def on_epoch_end(self, net, **kwargs):
        """Score, if it is due."""
        done = net.run.epochs_done
        if self.X is None:
            return
        if done % self.every_n_epochs == 0 or done == net.run.options.n_epochs:
            self._score(net)

    def on_train_end(self, net, **kwargs):
        """Score the last epoch where training stopped early."""
        if self.X is None:
            return
        if net.history and self.name not in net.history[-1] and not net.run.interrupted:
            # What was trained is kept, should the user not wait for this.
            with contextlib.suppress(KeyboardInterrupt):
                self._score(net)

    def _score(self, net):
        estimator, X = _as_fitted(net, self.X)
        Z = estimator.transform(X)
        knn = KNeighborsClassifier(self.n_neighbors).fit(Z, np.ravel(tensor_to_array(self.y)))
        # Of no rows in particular: of those of fit, each without itself.
        net.history.record(self.name, float(knn.score(None, np.ravel(tensor_to_array(self.y)))))


def _few(names) -> str:
    """Names, cut short where there are many."""
    return ", ".join(map(str, names[:5])) + (", ..." if len(names) > 5 else "")


def _as_fitted(net, X):
    """The estimator that trains a net, as if its fit had ended now, and X without its groups.

    The estimator is one for rows that are named as in X.
    """
    net.module_.eval()
    estimator = net.run.options.as_fitted(net)
    X, _ = estimator._reader().split_groups(X)
    _check_feature_names(estimator, named(X), reset=True)
    return estimator, X


def want_batches(callbacks: list) -> bool:
    """Whether a user's callbacks may look at single batches, each of which costs a wait to record.

    Parameters
    ----------
    callbacks : list of skorch.callbacks.Callback or of (str, Callback)
        The user's.

    Returns
    -------
    wanted : bool
        False where all are of this package.

    Examples
    --------
    >>> from sklearn_simvae.training import ResumeCheckpoint
    >>> from sklearn_simvae.training.callbacks import want_batches
    >>> want_batches([ResumeCheckpoint("simvae.checkpoint")])
    False
    """
    return any(getattr(callback_type(item), "reads_batches", True) for item in callbacks)


def callbacks_of_process(callbacks: list) -> list:
    """Leave to the first process what writes and watches, where processes train together.

    Parameters
    ----------
    callbacks : list
        Skorch callbacks, or `(name, callback)`.

    Returns
    -------
    callbacks : list
        All of them in the first process. In the others those that change the steps: skorch's
        GradientNormClipping, LRScheduler and ParamMapper, and what is derived of them.
    """
    return [
        item
        for item in callbacks
        if rank() == 0 or issubclass(callback_type(item), _OF_ALL_PROCESSES)
    ]


def without_data(callbacks):
    """Take from callbacks the data that they hold.

    Parameters
    ----------
    callbacks : object
        A callback, or a list or tuple of callbacks and of `(name, callback)`.

    Returns
    -------
    callbacks : object
        The same, with copies in place of those that hold data.
    """
    if isinstance(callbacks, list | tuple):
        return type(callbacks)(map(without_data, callbacks))
    return callbacks.without_data() if isinstance(callbacks, KNNScore) else callbacks


def callback_type(item) -> type:
    """The class of a callback.

    Parameters
    ----------
    item : Callback, class of one, or (str, either)
        As `callbacks` hold them.

    Returns
    -------
    kind : type
        The class.
    """
    callback = item[1] if isinstance(item, tuple) else item
    return callback if isinstance(callback, type) else type(callback)


def _silent(*args, **kwargs):
    """A sink for what skorch prints."""
