"""The skorch net that every estimator holds: whole batches, one host-side record an epoch."""

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EpochTimer
from skorch.history import History
from torch import Tensor, nn

from sklearn_simvae._batch import Batch, Terms
from sklearn_simvae._states import pack_history, unpack_history
from sklearn_simvae.networks.copies import picklable
from sklearn_simvae.training.batching import BatchLoader
from sklearn_simvae.training.callbacks import FitProgress, KNNScore, without_data
from sklearn_simvae.training.checkpoint import ResumeCheckpoint
from sklearn_simvae.training.distributed import agreement, any_process, n_processes
from sklearn_simvae.training.exchange import (
    average_buffers,
    own_seed,
    sum_gradients,
)
from sklearn_simvae.training.hardware import lay_out
from sklearn_simvae.training.history import EpochMeans
from sklearn_simvae.training.modes import bf16_autocast, own_modes
from sklearn_simvae.training.random_state import isolated_random_state
from sklearn_simvae.training.run import Run
from sklearn_simvae.training.schedules import lr_factor

# An interruption while one of these works is not its own.
_NEVER_STOP = (ResumeCheckpoint, EpochTimer, FitProgress, KNNScore)


class TotalLoss(nn.Module):
    """The loss among the terms that an objective gives: skorch's criterion."""

    def forward(self, terms: Terms, target=None) -> Tensor:
        """Pick the loss.

        Parameters
        ----------
        terms : Terms
            Value of an objective.
        target : object, default=None
            Not used: nothing is supervised here.

        Returns
        -------
        loss : scalar Tensor
            To be minimized.
        """
        return terms.loss


class SSLNet(NeuralNet):
    """A skorch net that trains a module on an objective of views.

    It differs from :class:`skorch.NeuralNet` in what stands between the network and the data: its
    datasets are :class:`~sklearn_simvae.views.Samples`, its batches come by index, the objective's
    terms are summed on the device and read once an epoch, and everything random is fixed by the
    seed and the epoch's number, so that training can go on from any epoch as if never stopped.
    What belongs to a single fit is in its :class:`~sklearn_simvae.training.run.Run`, which `fit`
    of an estimator makes anew each time; the net keeps the module, the optimizer and the history.
    Where processes train together, each steps by the gradient of its own part of a batch, summed
    over all.

    Parameters
    ----------
    build : callable
        Makes the module.
    seed : int, default=0
        Fixes everything random.
    unit_interval : bool or list of bool, default=False
        Whether all of the data lay in [0, 1], by which the module is built again from its weights.
    criterion : type of torch.nn.Module, default=TotalLoss
        Takes the loss out of the terms.
    **kwargs
        As for :class:`skorch.NeuralNet`.

    Attributes
    ----------
    run : Run or None
        The fit that is going on.
    bf16 : bool
        Whether the last fit ran under bf16 autocast.
    """

    # Of nets that were pickled before there were any.
    run, bf16 = None, False

    def __init__(self, build, *, seed: int = 0, unit_interval=False, criterion=TotalLoss, **kwargs):
        super().__init__(build, criterion, verbose=0, **kwargs)
        self.seed = seed
        self.unit_interval = unit_interval
        self._compiled = None

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer())]

    def initialize(self):
        """Build the module and the optimizer, with weights fixed by the seed.

        Returns
        -------
        net : SSLNet
            Itself.
        """
        device = torch.device(self.device)
        with isolated_random_state(self.epoch_seeds(0)[0], device):
            super().initialize()
        # How it was built is no part of what was trained.
        self.module = type(self.module_)
        lay_out(self.module_, device)
        return self

    def move_to(self, device: torch.device) -> "SSLNet":
        """Go on on another device, with the optimizer's state.

        Parameters
        ----------
        device : torch.device
            Where; where it is already, nothing is done.

        Returns
        -------
        net : SSLNet
            Itself.
        """
        if str(device) != self.device:
            self.device = str(device)
            self.module_.to(device)
            self.criterion_.to(device)
            # Loading moves the moments to where the weights are.
            self.optimizer_.load_state_dict(self.optimizer_.state_dict())
            lay_out(self.module_, device)
        return self

    def replace_parameter(self, part: nn.Module, name: str, values: Tensor) -> None:
        """Give a part of the module another parameter, which is new to the optimizer.

        Other values in the same parameter would not do: what is left of an earlier step, such as
        an error that somebody looks at, holds it to the shape that it had.

        Parameters
        ----------
        part : Module
            Owner of the parameter.
        name : str
            Name of the parameter in it.
        values : Tensor
            Values of the new one, of any shape.
        """
        old = getattr(part, name)
        new = nn.Parameter(values.detach(), requires_grad=old.requires_grad)
        setattr(part, name, new)
        for group in self.optimizer_.param_groups:
            group["params"] = [new if p is old else p for p in group["params"]]
        state = self.optimizer_.state.pop(old, {})
        if state and self.optimizer_.defaults.get("fused"):
            # Zeros rather than nothing: fused optimizers want the state of all or of none.
            self.optimizer_.state[new] = {
                key: torch.zeros_like(new if value.ndim else value) for key, value in state.items()
            }

    def epoch_seeds(self, epoch: int) -> tuple[int, int, int]:
        """Seeds of an epoch's draws, of its order and of the global states.

        Parameters
        ----------
        epoch : int
            Its number; 0 is initialization and validation.

        Returns
        -------
        seeds : tuple of int
            Three of them.
        """
        return tuple(int(s) for s in np.random.SeedSequence([self.seed, epoch]).generate_state(3))

    def begin_run(self, run: Run) -> None:
        """Take the settings of a fit.

        Parameters
        ----------
        run : Run
            The fit that begins.
        """
        self.run, self.bf16 = run, run.options.bf16
        self.set_params(lr=run.options.lr, batch_size=run.options.batch_size)
        self.callbacks = run.options.callbacks
        self._initialize_callbacks()
        self._set_lr(1.0)

    def end_run(self) -> None:
        """Let go of the fit, however it ended."""
        for _, callback in self.callbacks_:
            if isinstance(callback, FitProgress):
                callback.close()
        self.module_.eval()
        self.run = None

    # What skorch calls, in the order in which it does.

    def torch_compile(self, module, name):
        # The objective is compiled as a whole instead, see `_forward`: weights keep their names.
        return module

    def __getstate__(self):
        # skorch packs the module into bytes, so that it has to be replaced before.
        net = object.__new__(type(self))
        vars(net).update(picklable(self.__dict__))
        state = NeuralNet.__getstate__(net)
        state["_compiled"] = state["run"] = None
        for name in state.keys() & {"callbacks", "callbacks_"}:
            state[name] = without_data(state[name])
        if "history_" in state:
            state["history_"] = pack_history(self.history)
        return state

    # Weights that are read in a caller's inference mode could not be trained.
    @own_modes()
    def __setstate__(self, state):
        super().__setstate__(state)
        # Nets that were pickled before have it as it is.
        if isinstance(self.__dict__.get("history_"), dict):
            self.history_ = History(unpack_history(self.history_))

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        try:
            with agreement():
                if self.run.options.saved is not None:
                    # Callbacks have begun: what early stopping had seen is not forgotten again.
                    self.run.resume()
                    epochs -= self.run.epochs_done
                super().fit_loop(X, y, epochs=epochs, **fit_params)
        except KeyboardInterrupt:
            # A whole epoch stays, even where it is the user who stops.
            self.run.settle_interruption()
            raise
        return self

    def notify(self, method_name, **cb_kwargs):
        if method_name != "on_epoch_end":
            return super().notify(method_name, **cb_kwargs)
        callback, stop = None, False
        try:
            self.on_epoch_end(self, **cb_kwargs)
            for _, callback in self.callbacks_:
                callback.on_epoch_end(self, **cb_kwargs)
        except KeyboardInterrupt:
            stop = True
            # Nobody else stops what never stops by itself.
            self.run.stop(by_user=type(callback) in _NEVER_STOP)
        if any_process(stop):
            raise KeyboardInterrupt

    def on_train_end(self, net, **kwargs):
        # Before callbacks hear of it: early stopping then goes on to the best of the whole epochs.
        self.run.go_back_to_whole_epoch()

    def get_split_datasets(self, X, y=None, **fit_params):
        return X, self.run.valid

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self.run.begin_epoch()
        super().on_epoch_begin(net, dataset_train, dataset_valid, **kwargs)
        self.run.tell_parts("on_epoch_begin", len(self.history))

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self.module_.eval()
        for name, value in self.run.end_epoch().items():
            self.history.record(name, value)

    def get_iterator(self, dataset, training=False):
        return BatchLoader(dataset, self.batch_size, self.device, shuffle=training)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        if iterator is None:
            return
        seed, iterator.seed, global_seed = self.epoch_seeds(len(self.history) if training else 0)
        generator = torch.Generator(self.device).manual_seed(seed)
        # What draws from the global states must not draw the same numbers as the latents.
        view_generator, own = generator, own_seed(global_seed)
        if n_processes() > 1:
            # Latents draw their noise for the whole batch, views for the own part of it.
            view_generator = torch.Generator(self.device).manual_seed(own + 1)
        self.module_.train(training)
        if training:
            self.run.forget_views()
        means = EpochMeans()
        with isolated_random_state(own, torch.device(self.device)):
            for batch in iterator:
                # Callbacks of skorch take a batch apart into X and y.
                pair = batch, None
                self.notify("on_batch_begin", batch=pair, training=training)
                step = step_fn(batch, generator=generator, view_generator=view_generator)
                means.add(step["y_pred"], len(batch.views))
                if self.run.options.record_batches:
                    self.history.record_batch(prefix + "_loss", step["loss"].item())
                    self.history.record_batch(prefix + "_batch_size", len(batch.views))
                self.notify("on_batch_end", batch=pair, training=training, **step)
        if training:
            average_buffers(self.module_)
        self._record(means, prefix, len(iterator) if training else None)

    def _record(self, means: EpochMeans, prefix: str, n_batches: int | None) -> None:
        """Put the means of an epoch into the history."""
        for name, value in means.read().items():
            self.history.record(f"{prefix}_{name}", value)
        # What skorch's Checkpoint looks for.
        losses = self.history[:, f"{prefix}_loss"]
        self.history.record(f"{prefix}_loss_best", losses[-1] == min(losses))
        if n_batches is not None:
            # The last group is of all that no pattern names.
            self.history.record("lr", self.optimizer_.param_groups[-1]["lr"])
            self.history.record("train_batch_count", n_batches)
            if not np.isfinite(self.history[-1, "train_loss"]):
                raise self.run.diverged()

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if self.run.options.record_batches:
            super().on_batch_begin(net, batch=batch, training=training, **kwargs)

    def train_step(self, batch: Batch, generator=None, view_generator=None, **fit_params):
        """One step of the optimizer.

        Parameters
        ----------
        batch : Batch
            As read.
        generator, view_generator : torch.Generator, default=None
            Randomness of the objective, and of augmentations.
        **fit_params
            Not used.

        Returns
        -------
        step : dict
            "loss", and the terms of the objective as "y_pred".
        """
        run = self.run
        if run.options.lr_schedule != "constant":
            self._set_lr(lr_factor(run.options.lr_schedule, run.progress))
        run.step += 1
        self.optimizer_.zero_grad(set_to_none=True)
        step = self._forward(batch, generator, view_generator)
        share = len(batch.views) / len(batch.indices)
        (step["loss"] if share == 1 else step["loss"] * share).backward()
        sum_gradients(self.module_)
        self.notify(
            "on_grad_computed",
            named_parameters=self.get_all_learnable_params(),
            batch=(batch, None),
            training=True,
        )
        self.optimizer_.step()
        run.end_step()
        return step

    def validation_step(self, batch: Batch, generator=None, view_generator=None, **fit_params):
        """The objective on a batch, without learning.

        Parameters
        ----------
        batch : Batch
            As read.
        generator, view_generator : torch.Generator, default=None
            Randomness of the objective, and of augmentations.
        **fit_params
            Not used.

        Returns
        -------
        step : dict
            "loss", and the terms of the objective as "y_pred".
        """
        with torch.no_grad():
            return self._forward(batch, generator, view_generator)

    def _forward(self, batch: Batch, generator, view_generator) -> dict:
        options = self.run.options
        batch = batch._replace(views=options.make_views(batch.views, generator=view_generator))
        if self.module_.training:
            self.run.note_views(batch.views)
        objective = options.loss
        if self.compile:
            if self._compiled is None:
                # Else torch gives up at the ninth fit of a process, as all run the same code.
                self._compiled = torch.compile(objective, isolate_recompiles=True)
            objective = self._compiled
        with bf16_autocast(batch.views.device, self.bf16):
            terms = objective(self.module_, batch, generator)
        return {"loss": self.criterion_(terms), "y_pred": terms}

    def _set_lr(self, factor: float) -> None:
        for group in self.optimizer_.param_groups:
            group["lr"] = self.lr * factor * group.get("lr_multiple", 1.0)
