"""One fit: its options, its course, and the state that is kept if it ends early."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_simvae._batch import Batch
from sklearn_simvae._numerics import smooth_rank
from sklearn_simvae.networks.living import living_parts
from sklearn_simvae.training.checkpoint import resume
from sklearn_simvae.training.distributed import any_process
from sklearn_simvae.training.exchange import (
    first_weights,
    from_first,
    gather_rows,
    own_part,
    synchronize_batch_norm,
)
from sklearn_simvae.training.hardware import one_thread_if_small
from sklearn_simvae.training.history import SeenRange
from sklearn_simvae.training.kept import DivergenceError, LastGood, weights_finite
from sklearn_simvae.training.memory import ran_out_of_memory
from sklearn_simvae.training.modes import bf16_autocast, inference
from sklearn_simvae.training.options import FitOptions, FitResult
from sklearn_simvae.training.random_state import isolated_random_state
from sklearn_simvae.views.hints import not_finite
from sklearn_simvae.views.samples import Samples

# Seconds within which a second interruption is raised to the caller, e.g. to a search.
_MEANT_FOR_ALL = 2.0


class _Interruptions:
    """Time at which a fit of this process was last interrupted."""

    last = -np.inf


class Run:
    """A fit that is running.

    Living parts of the module have access to it, see :class:`~sklearn_simvae.networks.LivingPart`.

    Parameters
    ----------
    net : SSLNet
        Net to train, which is new or was fitted before.
    options : FitOptions
        Settings of the fit.
    train : Samples
        Samples to train on.
    valid : Samples or None
        Samples on which the objective is recorded.
    watched : Batch
        Some samples, whose latents are checked after each epoch.

    Attributes
    ----------
    module : torch.nn.Module
        The module that is trained.
    step, n_steps : int
        Number of steps of the optimizer so far, and in total.
    seen : SeenRange
        Range of the augmented views of this epoch.
    """

    def __init__(
        self, net, options: FitOptions, train: Samples, valid: Samples | None, watched: Batch
    ):
        self.net = net
        self.module = net.module_
        self.options = options
        self.train = train
        self.valid = valid
        self.start = len(net.history)
        self.step = 0
        self.n_steps = options.n_epochs * -(-len(train) // options.batch_size)
        self.interrupted = self._in_epoch = self._stopped_by_user = False
        self.seen = SeenRange()
        self._watched = watched
        self._good = LastGood(net)

    # ---------------------------------------------------------------- seen by living parts

    @property
    def device(self) -> torch.device:
        """Device of the training."""
        return torch.device(self.net.device)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Parameters of the estimator by name."""
        return self.options.parameters

    @property
    def progress(self) -> float:
        """Fraction of the steps that are done."""
        return self.step / self.n_steps

    @property
    def epochs_done(self) -> int:
        """Number of whole epochs of this fit, from 0 to `options.n_epochs`."""
        return len(self.net.history) - self.start

    @torch.no_grad()
    def latents(self, samples: Samples | None = None) -> Tensor:
        """Represent samples as they are, each by the mean over its views.

        Parameters
        ----------
        samples : Samples, default=None
            Samples to represent; None means all samples to train on.

        Returns
        -------
        z : Tensor of float32 of shape (n, d)
            Representations, on the device.

        Raises
        ------
        DivergenceError
            If the representations are not finite.
        """
        samples = self.train if samples is None else samples
        n = len(samples)
        samples = samples.subset(np.arange(n)[own_part(n)])
        self.module.eval()
        with bf16_autocast(self.device, self.options.bf16):
            parts = [self.options.latent(self.module, b) for b in samples.batches(self.device)]
        return self._check_latents(gather_rows(torch.cat(parts), n))

    def replace_parameter(self, part: nn.Module, name: str, values: Tensor) -> None:
        """Replace a parameter of a part of the module, and reset its state in the optimizer.

        Parameters
        ----------
        part : Module
            Module that has the parameter.
        name : str
            Name of the parameter in this module.
        values : Tensor
            Values of the new parameter, of any shape.
        """
        self.net.replace_parameter(part, name, values)

    # ---------------------------------------------------------------- course of the fit

    def fit(self) -> FitResult:
        """Train; a failure or an interruption leaves the weights of the last whole epoch.

        Returns
        -------
        result : FitResult
            Outcome of the fit.

        Raises
        ------
        DivergenceError
            If the loss or the weights stop being finite.
        KeyboardInterrupt
            If the fit is interrupted before the first whole epoch, or within two seconds of another
            interruption.
        MemoryError
            If a step does not fit in memory.
        """
        try:
            self._train()
        except BaseException as error:
            self.go_back()
            if ran_out_of_memory(error):
                raise self._too_large() from error
            raise
        finally:
            self.net.end_run()
        if self.interrupted:
            before, _Interruptions.last = _Interruptions.last, time.monotonic()
            if from_first(_Interruptions.last - before < _MEANT_FOR_ALL):
                raise KeyboardInterrupt
        return FitResult(self.interrupted, self.seen.read())

    def begin(self) -> None:
        """Pass the settings to the net, keep its state, and notify the living parts."""
        self.net.begin_run(self)
        synchronize_batch_norm(self.module, self.device)
        first_weights(self.module)
        self._good.keep()
        self.living = living_parts(self.module)
        self.tell_parts("on_fit_begin", self.start)

    def _train(self) -> None:
        net = self.net
        self.begin()
        with one_thread_if_small(self.module, self.train.n_step_views * self.options.batch_size):
            net.partial_fit(self.train, epochs=self.options.n_epochs)
        # Callbacks may choose or change weights, and run only in the first process.
        first_weights(self.module)
        net.history[:] = from_first(list(net.history))
        if self.interrupted and not self.epochs_done:
            raise KeyboardInterrupt
        if not self.interrupted and not weights_finite(self.module):
            raise self.diverged()

    def tell_parts(self, event: str, epoch: int) -> None:
        """Notify the living parts that the fit or an epoch begins.

        Parameters
        ----------
        event : {"on_fit_begin", "on_epoch_begin"}
            Name of the method to call.
        epoch : int
            Number of the epoch, which seeds their random draws.
        """
        if self.living:
            with isolated_random_state(self.net.epoch_seeds(epoch)[0], self.device):
                for part in self.living:
                    getattr(part, event)(self)
        first_weights(self.module)

    def begin_epoch(self) -> None:
        """Keep the weights of the previous epoch, if they are finite."""
        self.seen = SeenRange()
        if not weights_finite(self.module):
            raise self.diverged()
        # The weights before the first epoch are kept already.
        if len(self.net.history) > self._good.n_epochs:
            self._good.keep()
        self._in_epoch = True

    def end_epoch(self) -> dict[str, float]:
        """Measure the spread of the latents of some rows, for the history.

        Returns
        -------
        spread : dict of str to float
            Entries "effective_rank" and "representation_variance".
        """
        with inference(self.module):
            z = self._check_latents(self.options.latent(self.module, self._watched)).cpu().double()
        # From here on, callbacks may stop the training by KeyboardInterrupt, as usual in skorch.
        self._in_epoch = False
        return {
            "effective_rank": smooth_rank(z.numpy()),
            "representation_variance": float(z.var(0, correction=0).mean()),
        }

    def end_step(self) -> None:
        """Notify the living parts after a step."""
        for part in self.living:
            part.on_step_end(self)

    def resume(self) -> None:
        """Continue after the epochs of the checkpoint, once callbacks have begun."""
        resume(self.net, self.options.saved)
        self._good.keep()
        self.step = self.epochs_done * self.n_steps // self.options.n_epochs

    # ---------------------------------------------------------------- early end

    def stop(self, by_user: bool) -> None:
        """Record that a callback or the user stops the training between two epochs.

        Parameters
        ----------
        by_user : bool
            Whether the user stopped it, since the running callback never does.
        """
        self._stopped_by_user = by_user

    def settle_interruption(self) -> None:
        """Agree with the other processes whether an interruption came during an epoch."""
        by_user = self._in_epoch or self._stopped_by_user
        self._in_epoch, self.interrupted = from_first((self._in_epoch, by_user))

    def go_back_to_whole_epoch(self) -> None:
        """Discard the epoch that the user interrupted."""
        if self.interrupted and self._in_epoch:
            self.go_back()

    def go_back(self) -> None:
        """Go back to the last whole epoch, or to where training began."""
        try:
            self._good.restore()
        except KeyboardInterrupt:
            self._good.restore()
            raise

    def diverged(self) -> DivergenceError:
        """Make the error for a loss or weights that are no longer finite.

        Returns
        -------
        error : DivergenceError
            Error that names the cause, if it is known.
        """
        seen, epoch = self.seen.read(), len(self.net.history)
        if any_process(seen is not None and not np.isfinite(seen).all()):
            return DivergenceError(
                f"Training diverged in epoch {epoch}, where the loss became NaN or infinite. "
                f"{not_finite('The augmentation')} The last good weights are kept."
            )
        return DivergenceError(
            f"Training diverged in epoch {epoch}: the loss or the weights became NaN or infinite. "
            "The last good weights are kept. Lower lr, raise the variances, or scale the data, "
            "e.g. by StandardScaler."
        )

    def _check_latents(self, z: Tensor) -> Tensor:
        """Return latents, or raise if they are not finite."""
        if not z.isfinite().all():
            raise DivergenceError(
                f"{self.options.name} makes latents of the data that are not finite: training "
                "diverged, or the data are too large for float32. The last good weights are kept. "
                "Lower lr, or scale the data, e.g. by StandardScaler."
            )
        return z

    def _too_large(self) -> MemoryError:
        size = min(self.options.batch_size, len(self.train))
        return MemoryError(
            f"Training ran out of memory in steps of {size} samples; what was fitted before is "
            "kept. Lower batch_size, chunk_size (of the methods that have it: the views that are "
            "encoded at a time) or hidden_layer_sizes."
        )
