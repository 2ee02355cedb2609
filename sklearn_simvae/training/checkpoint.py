"""Checkpoints of a fit, from which it goes on as if it had never stopped."""

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

# What they know of the epochs before cannot be read off them.
_NOT_RESUMED = (LRScheduler, ParamMapper)
_STOPPING = ("misses_", "dynamic_threshold_", "best_epoch_")


class Saved(NamedTuple):
    """What a checkpoint holds.

    Parameters
    ----------
    tensors : dict of str to Tensor
        Weights, moments, and the best weights so far.
    metadata : dict
        All else.
    where : str
        The file.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, Any]
    where: str


class ResumeCheckpoint(Callback):
    """Keep the state of a fit in a file, from which `fit` goes on if it was interrupted.

    Where the file is there, `fit` begins after the last epoch that it holds, and comes to the same
    bits as a fit that was never stopped. The file holds weights, the optimiser's state, the
    history, what early stopping has seen, and the seed, also where `random_state` is None. It is in
    the safetensors format, of which nothing is run. It is replaced as a whole, so that it is good
    at any moment, and removed at the end of the fit: the next one begins anew. A fit that the user
    interrupts keeps it.

    A fit is known by its parameters, `random_state` if that is a number, and the data: their shape,
    and the values of some rows. Functions and classes are known by name alone, so that one lambda
    is not told from another of the same scope. Each fit that runs at the same time needs a path of
    its own. Of other callbacks, the state of skorch's EarlyStopping is kept; skorch's LRScheduler
    and ParamMapper cannot be resumed, and are refused.

    Parameters
    ----------
    path : str or path-like
        The file. Its folder must be there.
    every_n_epochs : int, default=1
        How often to write it. It is written after the last epoch in any case.

    See Also
    --------
    skorch.callbacks.Checkpoint : Keeps the best epoch, in files that are unpickled.

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
        """Write the file, if it is due."""
        done = net.run.epochs_done
        if done % self.every_n_epochs and done < net.run.options.n_epochs:
            return
        try:
            write_whole(self.path, self._pack(net))
        except OSError as error:
            # Hours of training are worth more than the file.
            warnings.warn(
                f"The checkpoint could not be written after {len(net.history)} epochs: {error}. "
                "Training goes on, and what was written before is kept.",
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
        """What there is to go on from.

        Returns
        -------
        saved : Saved or None
            None if there is no file.

        Raises
        ------
        ValueError
            If the file is damaged or something else, or its folder is not there.
        OSError
            If it cannot be read.
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
                f"There is no folder {str(path.parent)!r} for the checkpoint {path.name!r}. Make "
                "it, or choose another path."
            )
        if path.is_dir():
            raise ValueError(f"The path of a checkpoint is a file; {str(path)!r} is a folder.")
        remove_parts(path)
        if not path.exists():
            return None
        return Saved(*unpack(path.read_bytes(), f"The checkpoint {path}", "checkpoint"), str(path))

    def remove(self) -> None:
        """Remove the file, so that the next fit begins anew."""
        try:
            Path(self.path).unlink(missing_ok=True)
        except OSError as error:
            # The fit is done, whatever becomes of the file.
            warnings.warn(
                f"The checkpoint {self.path} could not be removed: {error}. Remove it if it is "
                "still there, or the next fit with it ends at once with the result of this one.",
                UserWarning,
            )


def find_checkpoint(callbacks: list) -> ResumeCheckpoint | None:
    """The checkpoint among callbacks, if there is one.

    Parameters
    ----------
    callbacks : list
        Skorch callbacks, or `(name, callback)`.

    Returns
    -------
    checkpoint : ResumeCheckpoint or None
        The only one.

    Raises
    ------
    ValueError
        If there are several, or with it others that cannot be resumed.
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
                f"A fit with a {kind.__name__} cannot be resumed as it was: what that knows of the "
                "epochs before is lost. Leave out it (see lr_schedule) or the ResumeCheckpoint."
            )
    return found[0]


def check_same_fit(saved: Saved, description: dict[str, Any]) -> None:
    """Raise where a checkpoint is of another fit.

    Parameters
    ----------
    saved : Saved
        The checkpoint.
    description : dict
        Of the fit that is to begin.

    Raises
    ------
    ValueError
        If anything differs, with what.
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
            "file to fit anew, give the checkpoint another path, or set back what differs."
        )


def epochs_before(net, saved: Saved | None) -> int:
    """How many epochs a net had before the fit that is to begin, or to go on.

    Parameters
    ----------
    net : SSLNet
        Perhaps the one that was left by the fit of the checkpoint, with some of its epochs.
    saved : Saved or None
        The checkpoint.

    Returns
    -------
    n_epochs : int
        Without those that the checkpoint has as its own.
    """
    if saved is not None:
        first, theirs = saved.metadata["fit"].get("first epoch", 1), saved.metadata["history"]
        n_common = min(len(net.history), len(theirs))
        if first <= n_common and plain_history(net.history)[:n_common] == theirs[:n_common]:
            return first - 1
    return len(net.history)


def resume(net, saved: Saved) -> None:
    """Put a net that is about to train where a checkpoint left off.

    Parameters
    ----------
    net : SSLNet
        To be changed.
    saved : Saved
        Of the same fit.
    """
    tensors, metadata, _ = saved
    set_module(net.module_, tensors)
    set_optimizer(net.optimizer_, tensors, metadata["optimizer"])
    set_history(net.history, metadata["history"])
    device = next(iter(net.module_.state_dict().values())).device
    for name, callback in _stopping(net):
        state = metadata["stopping"].get(name)
        if state is None:
            # It is new, and begins here.
            continue
        callback.misses_, callback.best_epoch_ = int(state["misses_"]), int(state["best_epoch_"])
        callback.dynamic_threshold_ = state["dynamic_threshold_"]
        best = {weight: t.to(device) for weight, t in parts(tensors, f"best.{name}").items()}
        callback.best_model_weights_ = best or None


def _stopping(net) -> list[tuple[str, EarlyStopping]]:
    return [(name, c) for name, c in net.callbacks_ if isinstance(c, EarlyStopping)]
