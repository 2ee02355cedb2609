"""The callbacks that estimators add to the user's own: early stopping and progress."""

from skorch.callbacks import (
    Callback,
    EarlyStopping,
    GradientNormClipping,
    LRScheduler,
    ParamMapper,
)
from tqdm.auto import tqdm

from sklearn_simvae.training.distributed import rank

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
    """A bar over all steps of a fit, with the objective's terms of the last epoch.

    Parameters
    ----------
    label : str
        What is being fitted.
    """

    def __init__(self, label: str = "fit"):
        self.label = label

    def on_train_begin(self, net, **kwargs):
        """Open the bar."""
        self._bar = tqdm(total=net.n_steps_, desc=self.label, unit="step", dynamic_ncols=True)

    def on_batch_end(self, net, training=False, **kwargs):
        """Count a step."""
        if training:
            self._bar.update()

    def on_epoch_end(self, net, **kwargs):
        """Show the terms."""
        row = net.history[-1]
        shown = {
            name.removeprefix("train_"): f"{value:.4g}"
            for name, value in row.items()
            if name.startswith(("train_", "valid_loss")) and isinstance(value, float)
        }
        self._bar.set_postfix(epoch=row["epoch"], **shown)

    def on_train_end(self, net, **kwargs):
        """Close the bar."""
        self.close()

    def close(self):
        """Close the bar, also where training was cut short."""
        if "_bar" in self.__dict__:
            self.__dict__.pop("_bar").close()


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
