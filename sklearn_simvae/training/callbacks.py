"""Callbacks of a fit: early stopping, progress bar and kNN score."""

import contextlib
import copy
import shutil
import sys
import warnings
from numbers import Integral

import numpy as np
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

# Callbacks that change the steps, and so have to run in every process.
_OF_ALL_PROCESSES = (GradientNormClipping, LRScheduler, ParamMapper)


class StopEarly(EarlyStopping):
    """Early stopping on the validation part, which ends the fit at the best weights.

    Parameters
    ----------
    patience : int
        Number of epochs without improvement to wait.
    """

    def __init__(self, patience: int):
        # Relative thresholds, skorch's default, have the wrong sign for losses below zero.
        super().__init__(
            patience=patience, threshold=1e-4, threshold_mode="abs", load_best=True, sink=_silent
        )

    def on_train_end(self, net, **kwargs):
        """Load the best weights, and drop their copy."""
        if net.history:
            super().on_train_end(net, **kwargs)
        self.best_model_weights_ = None


# Epoch, loss and time left come first, since a line that is too long is cut off at its end.
_BAR = "{desc}{remaining} left, {percentage:.0f}%|{bar}|{postfix}"


class FitProgress(Callback):
    """Progress bar over all steps of a fit, with the terms of the objective in the last epoch."""

    def on_train_begin(self, net, **kwargs):
        """Open the bar, at the current step if the fit is resumed."""
        run = net.run
        done = run.options.saved.metadata["epochs"] if run.options.saved else 0
        self._bar = tqdm(
            total=run.n_steps,
            initial=done * run.n_steps // run.options.n_epochs,
            desc=_describe(run, done),
            bar_format=_BAR,
            **_width(),
        )
        self._shown = {}

    def on_batch_end(self, net, training=False, **kwargs):
        """Count a step."""
        if training:
            self._bar.update()

    def on_epoch_end(self, net, **kwargs):
        """Show the terms of the objective, and the latest value of each score."""
        row = net.history[-1]
        scores = tuple(c.name for _, c in net.callbacks_ if isinstance(c, KNNScore))
        self._shown |= {
            name.removeprefix("train_"): f"{value:.4g}"
            for name, value in row.items()
            if (name.startswith(("train_", "valid_loss")) or name in scores)
            and isinstance(value, float)
        }
        described = _describe(net.run, net.run.epochs_done)
        self._bar.set_description_str(f"{described}loss {self._shown.pop('loss')}, ", refresh=False)
        # Scores before the terms of the objective, for the same reason.
        first = [name for name in self._shown if name in (*scores, "valid_loss")]
        self._bar.set_postfix({name: self._shown[name] for name in (*first, *self._shown)})

    def on_train_end(self, net, **kwargs):
        """Close the bar."""
        self.close()

    def close(self):
        """Close the bar, also if training ended early."""
        if "_bar" in self.__dict__:
            self.__dict__.pop("_bar").close()


def _describe(run, done: int) -> str:
    """Name the estimator, and the epoch that follows those that are done."""
    n_epochs = run.options.n_epochs
    return f"{run.options.name} epoch {min(done + 1, n_epochs)}/{n_epochs}, "


def _width() -> dict:
    """Return the parameters of a bar that fits its place: 80 columns if the width is not known."""
    in_notebook = any(kind.__module__ == "tqdm.notebook" for kind in tqdm.__mro__)
    if in_notebook or sys.stderr.isatty():
        return {"dynamic_ncols": True}
    return {"ncols": shutil.get_terminal_size((80, 24)).columns}


class KNNScore(Callback):
    r"""Callback that records the accuracy of nearest neighbors in the representation.

    A self-supervised loss alone says little about the quality of a representation. The score is the
    leave-one-out accuracy of nearest neighbors on the representations :math:`z_i` that `transform`
    would return during the fit: with :math:`N_k(i)` the k rows nearest to i other than i, [1]_

    .. math:: \frac{1}{n} \sum_i 1 [ y_i = \mathrm{mode} \{ y_j : j \in N_k(i) \} ]

    It becomes an entry of `history_`, and of the progress bar if `verbose` is set. Training never
    sees the labels: the weights are the same, bit for bit, with and without the callback.

    Pickles of a fitted estimator do not hold X and y. An unpickled estimator warns, and fits
    without the score, until it is given a new KNNScore by `set_params(callbacks=...)`.

    Parameters
    ----------
    X : array-like of shape (n, ...)
        Labeled rows like those of `fit`, or a dict of arrays if `fit` gets one. Some hundreds to a
        few thousand are enough; they are transformed again for each score.
    y : array-like of shape (n,)
        Class of each row.
    n_neighbors : int, default=20
        Number of neighbors that vote; fewer than n.
    every_n_epochs : int, default=1
        Number of epochs between two scores. The last epoch is always scored.
    name : str, default="knn_accuracy"
        Name of the entry in `history_`. Scores of several labels, such as content and style, need
        different names.

    Raises
    ------
    ValueError
        If X is not like the data of `fit`, if y does not have a class for each row, or if a
        parameter is not valid. It is raised by `fit`, before training.

    See Also
    --------
    sklearn_simvae.evaluation.probe : Scores a fitted estimator on held-out rows.
    sklearn_simvae.evaluation.collapse_report : Describes a representation without labels.

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
        """Return a copy without rows and labels, which scores nothing.

        Returns
        -------
        callback : KNNScore
            Copy that is small enough to be pickled with a fitted estimator.
        """
        other = copy.copy(self)
        other.X = other.y = None
        return other

    def on_train_begin(self, net, **kwargs):
        """Raise if the rows cannot be scored."""
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
        """Score the representation in every `every_n_epochs`-th epoch, and in the last."""
        done = net.run.epochs_done
        if self.X is None:
            return
        if done % self.every_n_epochs == 0 or done == net.run.options.n_epochs:
            self._score(net)

    def on_train_end(self, net, **kwargs):
        """Score the last epoch if training stopped early."""
        if self.X is None:
            return
        if net.history and self.name not in net.history[-1] and not net.run.interrupted:
            # An interruption here only skips the score, and keeps the fit.
            with contextlib.suppress(KeyboardInterrupt):
                self._score(net)

    def _score(self, net):
        # Imported here, since it takes a tenth of a second.
        from sklearn.neighbors import KNeighborsClassifier

        estimator, X = _as_fitted(net, self.X)
        Z = estimator.transform(X)
        knn = KNeighborsClassifier(self.n_neighbors).fit(Z, np.ravel(tensor_to_array(self.y)))
        # With None, no row counts as its own neighbor.
        net.history.record(self.name, float(knn.score(None, np.ravel(tensor_to_array(self.y)))))


def _few(names) -> str:
    """Join names, and abbreviate if there are many."""
    return ", ".join(map(str, names[:5])) + (", ..." if len(names) > 5 else "")


def _as_fitted(net, X):
    """Return the estimator of a net, as if its fit had ended now, and X without its groups.

    The estimator accepts the column names of X.
    """
    net.module_.eval()
    estimator = net.run.options.as_fitted(net)
    X, _ = estimator._reader().split_groups(X)
    _check_feature_names(estimator, named(X), reset=True)
    return estimator, X


def want_batches(callbacks: list) -> bool:
    """Return whether callbacks may look at single batches, which are slow to record.

    Parameters
    ----------
    callbacks : list of skorch.callbacks.Callback or of (str, Callback)
        Callbacks of the user.

    Returns
    -------
    wanted : bool
        False if all callbacks belong to this package.

    Examples
    --------
    >>> from sklearn_simvae.training import ResumeCheckpoint
    >>> from sklearn_simvae.training.callbacks import want_batches
    >>> want_batches([ResumeCheckpoint("simvae.checkpoint")])
    False
    """
    return any(getattr(callback_type(item), "reads_batches", True) for item in callbacks)


def unheard(handlers: list) -> frozenset[str]:
    """Find the events of a step that none of the handlers acts on, so that nobody is told.

    Parameters
    ----------
    handlers : list of skorch.callbacks.Callback or SSLNet
        Callbacks of a fit, and the net if it acts on them, too.

    Returns
    -------
    events : frozenset of str
        Names of the events.

    Examples
    --------
    >>> from skorch.callbacks import EpochTimer
    >>> from sklearn_simvae.training.callbacks import unheard
    >>> sorted(unheard([EpochTimer()]))
    ['on_batch_begin', 'on_batch_end', 'on_grad_computed']
    """
    return frozenset(
        event
        for event in ("on_batch_begin", "on_batch_end", "on_grad_computed")
        if all(
            getattr(getattr(handler, event), "__func__", None) is getattr(Callback, event)
            for handler in handlers
        )
    )


def callbacks_of_process(callbacks: list) -> list:
    """Select the callbacks of this process: those that write or watch run only in the first.

    Parameters
    ----------
    callbacks : list
        Skorch callbacks, or `(name, callback)`.

    Returns
    -------
    callbacks : list
        All callbacks in the first process. In the others only those that change the steps: skorch's
        GradientNormClipping, LRScheduler and ParamMapper, and their subclasses.
    """
    return [
        item
        for item in callbacks
        if rank() == 0 or issubclass(callback_type(item), _OF_ALL_PROCESSES)
    ]


def without_data(callbacks):
    """Remove the data that callbacks hold.

    Parameters
    ----------
    callbacks : object
        Callback, or list or tuple of callbacks and of `(name, callback)`.

    Returns
    -------
    callbacks : object
        The same callbacks, with copies in place of those that hold data.
    """
    if isinstance(callbacks, list | tuple):
        return type(callbacks)(map(without_data, callbacks))
    return callbacks.without_data() if isinstance(callbacks, KNNScore) else callbacks


def callback_type(item) -> type:
    """Return the class of a callback.

    Parameters
    ----------
    item : Callback, class of one, or (str, either)
        Entry of the parameter `callbacks`.

    Returns
    -------
    kind : type
        Class of the callback.
    """
    callback = item[1] if isinstance(item, tuple) else item
    return callback if isinstance(callback, type) else type(callback)


def _silent(*args, **kwargs):
    """Print nothing, in place of skorch's messages."""
