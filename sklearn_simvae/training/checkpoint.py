"""Checkpoints of a fit, from which it can be resumed as if it had never stopped."""

import os
import warnings
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

from skorch.callbacks import Callback, EarlyStopping, LRScheduler, ParamMapper
from torch import Tensor

from sklearn_simvae._files import pack, remove_parts, unpack, write_whole
from sklearn_simvae._states import (
    module_tensors,
    optimizer_parts,
    parts,
    plain_history,
    set_history,
    set_module,
    set_optimizer,
)
from sklearn_simvae.training.callbacks import callback_type

# The state that these keep of earlier epochs cannot be saved.
_NOT_RESUMED = (LRScheduler, ParamMapper)
_STOPPING = ("misses_", "dynamic_threshold_", "best_epoch_")


class Saved(NamedTuple):
    """Content of a checkpoint.

    Parameters
    ----------
    tensors : dict of str to Tensor
        Weights, moments of the optimizer, and the best weights so far.
    metadata : dict
        Everything else.
    where : str
        Path of the file.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, Any]
    where: str


class ResumeCheckpoint(Callback):
    """Callback that saves a fit to a file, from which `fit` resumes if it was interrupted.

    If the file exists, `fit` starts after the last epoch in it, and has the same result, bit for
    bit, as a fit that was never stopped. The file holds weights, the state of the optimizer and of
    early stopping, the history, and the seed, even if `random_state` is None. It has the
    safetensors format, which cannot contain code. It is always replaced as a whole, so that it is
    never incomplete, and removed at the end of the fit, unless the user interrupted it. The next
    fit then starts from the beginning.

    A fit is identified by its parameters, by `random_state` if that is a number, and by the shape
    of the data and the values of some rows. Functions and classes are identified only by name, so
    that two lambdas of the same scope are not distinguished. Fits that run at the same time need
    different paths. The state of skorch's EarlyStopping is saved as well; skorch's LRScheduler and
    ParamMapper cannot be resumed, and are refused.

    Parameters
    ----------
    path : str or path-like
        Path of the file. Its folder must exist.
    every_n_epochs : int, default=1
        Number of epochs between two writes. The file is always written after the last epoch.

    See Also
    --------
    skorch.callbacks.Checkpoint : Saves the best epoch, as pickle files.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_simvae import SimVAE
    >>> from sklearn_simvae.training import ResumeCheckpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = ResumeCheckpoint(f"{folder}/fit.checkpoint")
    ...     vae = SimVAE(2, hidden_layer_sizes=(8,), max_epochs=3, callbacks=[checkpoint])
    ...     n_epochs = vae.fit(load_iris().data).n_iter_
    ...     left = list(Path(folder).iterdir())
    >>> n_epochs, left
    (3, [])
    """

    reads_batches = False

    def __init__(self, path: str | os.PathLike, every_n_epochs: int = 1):
        self.path = path
        self.every_n_epochs = every_n_epochs

    def on_epoch_end(self, net, **kwargs):
        """Write the file in every `every_n_epochs`-th epoch, and in the last."""
        done = net.run.epochs_done
        if done % self.every_n_epochs and done < net.run.options.n_epochs:
            return
        try:
            write_whole(self.path, self._pack(net))
        except OSError as error:
            # Without the file, training is still worth finishing.
            warnings.warn(
                f"The checkpoint could not be written after {len(net.history)} epochs: {error}. "
                "Training continues, and the previous checkpoint is kept.",
                UserWarning,
            )

    def _pack(self, net) -> bytes:
        tensors, numbers = optimizer_parts(net.optimizer_)
        metadata = {
            "kind": "checkpoint",
            "fit": dict(net.run.options.description),
            "net_seed": int(net.seed),
            "epochs": net.run.epochs_done,
            "history": plain_history(net.history),
            "optimizer": numbers,
            "stopping": {},
        }
        tensors |= module_tensors(net.module_)
        for name, callback in _stopping(net):
            metadata["stopping"][name] = {a: float(getattr(callback, a)) for a in _STOPPING}
            best = callback.best_model_weights_ or {}
            tensors |= {f"best.{name}.{weight}": value for weight, value in best.items()}
        return pack(tensors, metadata)

    def read(self) -> Saved | None:
        """Read the file.

        Returns
        -------
        saved : Saved or None
            Content of the file; None if there is no file.

        Raises
        ------
        ValueError
            If the file is damaged or no checkpoint, or if its folder does not exist.
        OSError
            If the file cannot be read.
        """
        if not isinstance(self.path, str | os.PathLike) or "\0" in os.fsdecode(self.path):
            raise ValueError(
                f"The path of a checkpoint must be a str or path-like that names a file, got "
                f"{self.path!r}."
            )
        path = Path(self.path)
        if not isinstance(self.every_n_epochs, Integral) or self.every_n_epochs < 1:
            raise ValueError(f"every_n_epochs must be a positive int, got {self.every_n_epochs!r}.")
        if not path.parent.is_dir():
            raise ValueError(
                f"There is no folder {str(path.parent)!r} for the checkpoint {path.name!r}. Create "
                "it, or choose another path."
            )
        if path.is_dir():
            raise ValueError(f"The path of a checkpoint is a file; {str(path)!r} is a folder.")
        remove_parts(path)
        if not path.exists():
            return None
        return Saved(*unpack(path.read_bytes(), f"The checkpoint {path}", "checkpoint"), str(path))

    def remove(self) -> None:
        """Remove the file, so that the next fit starts from the beginning."""
        try:
            Path(self.path).unlink(missing_ok=True)
        except OSError as error:
            # The fit is complete in any case.
            warnings.warn(
                f"The checkpoint {self.path} could not be removed: {error}. Remove it if it is "
                "still there, or the next fit with it ends at once with the result of this one.",
                UserWarning,
            )


def find_checkpoint(callbacks: list) -> ResumeCheckpoint | None:
    """Find the checkpoint among callbacks.

    Parameters
    ----------
    callbacks : list
        Skorch callbacks, or `(name, callback)`.

    Returns
    -------
    checkpoint : ResumeCheckpoint or None
        The checkpoint, if there is one.

    Raises
    ------
    ValueError
        If there are several, or other callbacks that cannot be resumed.
    """
    given = [item[1] if isinstance(item, tuple) else item for item in callbacks]
    found = [callback for callback in given if isinstance(callback, ResumeCheckpoint)]
    if not found:
        return None
    if len(found) > 1:
        raise ValueError(f"callbacks hold {len(found)} checkpoints; give one.")
    for kind in map(callback_type, callbacks):
        if issubclass(kind, _NOT_RESUMED):
            raise ValueError(
                f"A fit with a {kind.__name__} cannot be resumed as it was: its state from the "
                "epochs before is lost. Leave it out (see lr_schedule), or the ResumeCheckpoint."
            )
    return found[0]


def check_same_fit(saved: Saved, description: dict[str, Any]) -> None:
    """Raise if a checkpoint belongs to another fit.

    Parameters
    ----------
    saved : Saved
        Content of the checkpoint.
    description : dict
        Description of the fit that begins.

    Raises
    ------
    ValueError
        If the descriptions differ; the message names the differences.
    """
    theirs = saved.metadata.get("fit", {})
    names = [*description, *(name for name in theirs if name not in description)]
    different = [
        f"{name}={theirs.get(name)!r} there and {description.get(name)!r} here"
        for name in names
        if theirs.get(name) != description.get(name)
    ]
    if different:
        raise ValueError(
            f"{saved.where} is the checkpoint of another fit: {', '.join(different)}. Delete the "
            "file to fit from the start, give the checkpoint another path, or undo the differences."
        )


def epochs_before(net, saved: Saved | None) -> int:
    """Count the epochs that a net had before the fit that begins or resumes.

    Parameters
    ----------
    net : SSLNet
        Net to train. It may have epochs of the fit that is resumed.
    saved : Saved or None
        Content of the checkpoint, if there is one.

    Returns
    -------
    n_epochs : int
        Number of epochs, without those of the fit that is resumed.
    """
    if saved is not None:
        first, theirs = saved.metadata["fit"].get("first epoch", 1), saved.metadata["history"]
        n_common = min(len(net.history), len(theirs))
        if first <= n_common and plain_history(net.history)[:n_common] == theirs[:n_common]:
            return first - 1
    return len(net.history)


def resume(net, saved: Saved) -> None:
    """Load the state of a checkpoint into a net that is about to train.

    Parameters
    ----------
    net : SSLNet
        Net to change.
    saved : Saved
        Content of the checkpoint of the same fit.
    """
    tensors, metadata, _ = saved
    set_module(net.module_, tensors)
    set_optimizer(net.optimizer_, tensors, metadata["optimizer"])
    set_history(net.history, metadata["history"])
    device = next(iter(net.module_.state_dict().values())).device
    for name, callback in _stopping(net):
        state = metadata["stopping"].get(name)
        if state is None:
            # A callback that was added since starts from here.
            continue
        callback.misses_, callback.best_epoch_ = int(state["misses_"]), int(state["best_epoch_"])
        callback.dynamic_threshold_ = state["dynamic_threshold_"]
        best = {weight: t.to(device) for weight, t in parts(tensors, f"best.{name}").items()}
        callback.best_model_weights_ = best or None


def _stopping(net) -> list[tuple[str, EarlyStopping]]:
    return [(name, c) for name, c in net.callbacks_ if isinstance(c, EarlyStopping)]
