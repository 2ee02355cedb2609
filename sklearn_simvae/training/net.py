"""The skorch net of every estimator, which reads whole batches and records once per epoch."""

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EpochTimer
from skorch.history import History
from torch import Tensor, nn

from sklearn_simvae._batch import Batch, Terms
from sklearn_simvae._states import pack_history, unpack_history
from sklearn_simvae.networks.copies import picklable
from sklearn_simvae.training.batching import BatchLoader, with_views
from sklearn_simvae.training.callbacks import FitProgress, KNNScore, unheard, without_data
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

# Callbacks that never stop a fit: an interruption during their work comes from the user.
_NEVER_STOP = (ResumeCheckpoint, EpochTimer, FitProgress, KNNScore)


class TotalLoss(nn.Module):
    """The criterion of skorch, which selects the loss among the terms of an objective."""

    def forward(self, terms: Terms, target=None) -> Tensor:
        """Select the loss.

        Parameters
        ----------
        terms : Terms
            Terms of an objective.
        target : object, default=None
            Not used, since there are no targets.

        Returns
        -------
        loss : scalar Tensor
            Loss to minimize.
        """
        return terms.loss


class SSLNet(NeuralNet):
    """A skorch net that trains a module on an objective of views.

    It differs from :class:`skorch.NeuralNet` in how it reads and records: its datasets are
    :class:`~sklearn_simvae.views.Samples`, batches are read by index, and the terms of the
    objective are summed on the device and read once per epoch. Everything random is fixed by the
    seed and the number of the epoch, so that training can be resumed at any epoch.

    Settings and state of a single fit are in a :class:`~sklearn_simvae.training.run.Run`, which
    each `fit` of an estimator creates. The net keeps the module, the optimizer and the history. If
    processes train together, each computes the gradient of its own part of a batch, and they are
    summed.

    Parameters
    ----------
    build : callable
        Function that makes the module.
    seed : int, default=0
        Seed that fixes everything random.
    unit_interval : bool or list of bool, default=False
        Whether all of the data lie in [0, 1], which is needed to build the module again when it is
        loaded.
    hidden_layer_sizes : tuple of int or list of tuple of int, default=()
        Widths of the hidden layers, which are needed for that, too.
    criterion : type of torch.nn.Module, default=TotalLoss
        Module that selects the loss among the terms.
    **kwargs
        Parameters of :class:`skorch.NeuralNet`.

    Attributes
    ----------
    run : Run or None
        Fit that is running.
    bf16 : bool
        Whether the last fit ran under bf16 autocast.
    """

    # Values until a fit begins.
    run, bf16, _unheard = None, False, frozenset()

    def __init__(
        self,
        build,
        *,
        seed: int = 0,
        unit_interval=False,
        hidden_layer_sizes=(),
        criterion=TotalLoss,
        **kwargs,
    ):
        super().__init__(build, criterion, verbose=0, **kwargs)
        self.seed = seed
        self.unit_interval = unit_interval
        self.hidden_layer_sizes = hidden_layer_sizes
        self._compiled = None

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer())]

    def initialize(self):
        """Build the module and the optimizer, with weights fixed by the seed.

        Returns
        -------
        net : SSLNet
            The net itself.
        """
        device = torch.device(self.device)
        with isolated_random_state(self.epoch_seeds(0)[0], device):
            super().initialize()
        # The function that built the module is not part of the trained net.
        self.module = type(self.module_)
        lay_out(self.module_, device)
        return self

    def move_to(self, device: torch.device) -> "SSLNet":
        """Move the module and the state of the optimizer to another device.

        Parameters
        ----------
        device : torch.device
            Device to move to.

        Returns
        -------
        net : SSLNet
            The net itself.
        """
        if str(device) != self.device:
            self.device = str(device)
            self.module_.to(device)
            self.criterion_.to(device)
            # Loading moves the moments to the device of the weights.
            self.optimizer_.load_state_dict(self.optimizer_.state_dict())
            lay_out(self.module_, device)
        return self

    def replace_parameter(self, part: nn.Module, name: str, values: Tensor) -> None:
        """Replace a parameter of a part of the module, and reset its state in the optimizer.

        New values in the same parameter would not be enough: references to an earlier step, e.g. in
        a traceback, fix its shape.

        Parameters
        ----------
        part : Module
            Module that has the parameter.
        name : str
            Name of the parameter in this module.
        values : Tensor
            Values of the new parameter, of any shape.
        """
        old = getattr(part, name)
        new = nn.Parameter(values.detach(), requires_grad=old.requires_grad)
        setattr(part, name, new)
        for group in self.optimizer_.param_groups:
            group["params"] = [new if p is old else p for p in group["params"]]
        state = self.optimizer_.state.pop(old, {})
        if state and self.optimizer_.defaults.get("fused"):
            # Zeros rather than no state: fused optimizers need the state of all parameters or none.
            self.optimizer_.state[new] = {
                key: torch.zeros_like(new if value.ndim else value) for key, value in state.items()
            }

    def epoch_seeds(self, epoch: int) -> tuple[int, int, int]:
        """Compute the seeds of an epoch.

        Parameters
        ----------
        epoch : int
            Number of the epoch; 0 is for initialization and validation.

        Returns
        -------
        seeds : tuple of int
            Seeds of the random draws, of the order of the samples and of the global states.
        """
        return tuple(int(s) for s in np.random.SeedSequence([self.seed, epoch]).generate_state(3))

    def begin_run(self, run: Run) -> None:
        """Take over the settings of a fit.

        Parameters
        ----------
        run : Run
            Fit that begins.
        """
        self.run, self.bf16 = run, run.options.bf16
        self.set_params(lr=run.options.lr, batch_size=run.options.batch_size)
        self.callbacks = run.options.callbacks
        self._initialize_callbacks()
        handlers = [callback for _, callback in self.callbacks_]
        # The net itself records batches.
        self._unheard = unheard([*handlers, self] if run.options.record_batches else handlers)
        self._set_lr(1.0)

    def end_run(self) -> None:
        """Release the fit, whether it succeeded or failed."""
        for _, callback in self.callbacks_:
            if isinstance(callback, FitProgress):
                callback.close()
        self.module_.eval()
        self.run = None

    # Methods that skorch calls, in the order of the calls.

    def torch_compile(self, module, name):
        # `_forward` compiles the whole objective instead, so that weights keep their names.
        return module

    def __getstate__(self):
        # skorch turns the module into bytes, so it has to be replaced before.
        net = object.__new__(type(self))
        vars(net).update(picklable(self.__dict__))
        state = NeuralNet.__getstate__(net)
        state["_compiled"] = state["run"] = None
        for name in state.keys() & {"callbacks", "callbacks_"}:
            state[name] = without_data(state[name])
        if "history_" in state:
            state["history_"] = pack_history(self.history)
        return state

    # Weights that are loaded in inference mode could not be trained.
    @own_modes()
    def __setstate__(self, state):
        super().__setstate__(state)
        if "history_" in self.__dict__:
            self.history_ = History(unpack_history(self.history_))

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        try:
            with agreement():
                if self.run.options.saved is not None:
                    # After callbacks have begun, which resets the state of early stopping.
                    self.run.resume()
                    epochs -= self.run.epochs_done
                super().fit_loop(X, y, epochs=epochs, **fit_params)
        except KeyboardInterrupt:
            # The last whole epoch is kept, even if the user stops the fit.
            self.run.settle_interruption()
            raise
        return self

    def notify(self, method_name, **cb_kwargs):
        if method_name in self._unheard:
            return None
        if method_name != "on_epoch_end":
            return super().notify(method_name, **cb_kwargs)
        callback, stop = None, False
        try:
            self.on_epoch_end(self, **cb_kwargs)
            for _, callback in self.callbacks_:
                callback.on_epoch_end(self, **cb_kwargs)
        except KeyboardInterrupt:
            stop = True
            # If this callback never stops a fit, the user did.
            self.run.stop(by_user=type(callback) in _NEVER_STOP)
        if any_process(stop):
            raise KeyboardInterrupt

    def on_train_end(self, net, **kwargs):
        # Before the callbacks: early stopping then loads the best of the whole epochs.
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
        # Draws from the global states must differ from those of the latents.
        view_generator, own = generator, own_seed(global_seed)
        if n_processes() > 1:
            # Noise of latents is drawn for the whole batch, that of views for the own part.
            view_generator = torch.Generator(self.device).manual_seed(own + 1)
        self.module_.train(training)
        means, make_views = EpochMeans(), self.run.options.make_views
        seen = self.run.seen if training and make_views.augments else None
        with isolated_random_state(own, torch.device(self.device)):
            for batch in with_views(iterator, make_views, view_generator, seen):
                # Callbacks of skorch unpack a batch into X and y.
                pair = batch, None
                self.notify("on_batch_begin", batch=pair, training=training)
                step = step_fn(batch, generator=generator)
                means.add(step["y_pred"], len(batch))
                if self.run.options.record_batches:
                    self.history.record_batch(prefix + "_loss", step["loss"].item())
                    self.history.record_batch(prefix + "_batch_size", len(batch))
                self.notify("on_batch_end", batch=pair, training=training, **step)
        if training:
            average_buffers(self.module_)
        self._record(means, prefix, len(iterator) if training else None)

    def _record(self, means: EpochMeans, prefix: str, n_batches: int | None) -> None:
        """Record the means of an epoch in the history."""
        for name, value in means.read().items():
            self.history.record(f"{prefix}_{name}", value)
        # skorch's Checkpoint reads this entry.
        losses = [row[f"{prefix}_loss"] for row in self.history if f"{prefix}_loss" in row]
        self.history.record(f"{prefix}_loss_best", losses[-1] == min(losses))
        if n_batches is not None:
            # The last group has all parameters that match no pattern.
            self.history.record("lr", self.optimizer_.param_groups[-1]["lr"])
            self.history.record("train_batch_count", n_batches)
            if not np.isfinite(self.history[-1, "train_loss"]):
                raise self.run.diverged()

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if self.run.options.record_batches:
            super().on_batch_begin(net, batch=batch, training=training, **kwargs)

    def train_step(self, batch: Batch, generator=None, **fit_params):
        """Take one step of the optimizer.

        Parameters
        ----------
        batch : Batch
            Batch of views.
        generator : torch.Generator, default=None
            Source of randomness of the objective.
        **fit_params
            Not used.

        Returns
        -------
        step : dict
            Loss as "loss", and the terms of the objective as "y_pred".
        """
        run = self.run
        if run.options.lr_schedule != "constant":
            self._set_lr(lr_factor(run.options.lr_schedule, run.progress))
        run.step += 1
        self.optimizer_.zero_grad(set_to_none=True)
        step = self._forward(batch, generator)
        loss = step["loss"]
        if n_processes() > 1:
            loss = loss * (len(batch) / len(batch.indices))
        loss.backward()
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

    def validation_step(self, batch: Batch, generator=None, **fit_params):
        with torch.no_grad():
            return self._forward(batch, generator)

    def _forward(self, batch: Batch, generator) -> dict:
        objective = self.run.options.loss
        if self.compile:
            if self._compiled is None:
                # Otherwise torch stops compiling at the ninth fit, since all have the same code.
                self._compiled = torch.compile(objective, isolate_recompiles=True)
            objective = self._compiled
        with bf16_autocast(batch.indices.device, self.bf16):
            terms = objective(self.module_, batch, generator)
        return {"loss": self.criterion_(terms), "y_pred": terms}

    def _set_lr(self, factor: float) -> None:
        for group in self.optimizer_.param_groups:
            group["lr"] = self.lr * factor * group.get("lr_multiple", 1.0)
