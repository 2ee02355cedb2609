"""One progress bar over a whole fit."""

from skorch.callbacks import Callback
from tqdm.auto import tqdm


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
        self._bar = tqdm(total=net._n_steps, desc=self.label, unit="step", dynamic_ncols=True)

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
            if name.startswith(("train_", "valid_loss")) and not name.endswith("batch_count")
        }
        self._bar.set_postfix(epoch=row["epoch"], **shown)

    def on_train_end(self, net, **kwargs):
        """Close the bar."""
        self._bar.close()
        del self._bar
