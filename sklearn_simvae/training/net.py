"""The skorch net that every estimator holds: whole batches, one host-side record an epoch."""

import time

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EpochTimer
from skorch.history import History
from torch import Tensor, nn

from sklearn_simvae._files import pack_history, unpack_history
from sklearn_simvae.networks.copies import picklable
from sklearn_simvae.training.batching import BatchLoader
from sklearn_simvae.training.callbacks import FitProgress, KNNScore, without_data
from sklearn_simvae.training.checkpoint import Checkpoint, resume
from sklearn_simvae.training.distributed import agreement, any_process, n_processes
from sklearn_simvae.training.exchange import (
    average_buffers,
    first_weights,
    from_first,
    own_seed,
    sum_gradients,
    sum_over_processes,
    synchronise_batch_norm,
)
from sklearn_simvae.training.hardware import lay_out, one_thread_if_small
from sklearn_simvae.training.memory import ran_out_of_memory
from sklearn_simvae.training.modes import bf16_autocast, own_modes
from sklearn_simvae.training.random_state import isolated_random_state
from sklearn_simvae.training.schedules import lr_factor
from sklearn_simvae.views.samples import not_finite

# An interruption while one of these works is not its own.
_NEVER_STOP = (Checkpoint, EpochTimer, FitProgress, KNNScore)
# Seconds within which a second interruption ends not just a fit but also what the fit is part of.
_MEANT_FOR_ALL = 2.0


class _Interruptions:
    """When a fit of this process was last interrupted."""

    last = -np.inf


class DivergenceError(ValueError):
    """The loss or the weights are no longer finite."""


class TotalLoss(nn.Module):
    """The "loss" among the terms that an objective gives: skorch's criterion."""

    def forward(self, terms: dict[str, Tensor], target=None) -> Tensor:
        """Pick the loss.

        Parameters
        ----------
        terms : dict of scalar Tensor
            What an objective gives.
        target : object, default=None
            Not used: nothing is supervised here.

        Returns
        -------
        loss : scalar Tensor
            To be minimised.
        """
        return terms["loss"]


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    """What a module's state has of weights and buffers; a part may add other objects to it."""
    state = module.state_dict(keep_vars=True)
    return [(name, value) for name, value in state.items() if torch.is_tensor(value)]


class SSLNet(NeuralNet):
    """A skorch net that trains a module on an objective of views.

    It differs from :class:`skorch.NeuralNet` in what stands between the network and the data: its
    datasets are :class:`~sklearn_simvae.views.Samples`, its batches come by index, the objective's
    terms are summed on the device and read once an epoch, and everything random is fixed by the
    seed and the epoch's number, so that training can go on from any epoch as if never stopped.
    With `record_batches`, callbacks find skorch's record of every batch. Where processes train
    together, each steps by the gradient of its own part of a batch, summed over all.

    Parameters
    ----------
    module : callable
        Makes the module.
    make_views : callable
        `(rows, generator) -> views`, on the device.
    objective : callable
        `(module, batch, generator) -> dict of scalar Tensor` with a "loss" among them.
    begin_epoch : callable, default=None
        `(net, samples) -> None`, before the first step of an epoch.
    after_step : callable, default=None
        `(net, progress) -> None`, after each step of the optimiser; `progress` is the fraction of
        the steps that are done.
    weigh : callable, default=None
        `(module, batch) -> number`, for how many samples a batch counts in the means of an epoch.
        None is for all that are in it.
    monitor : callable, default=None
        `(module) -> dict of float`, recorded after each epoch.
    bf16 : bool
        Whether the step runs under bf16 autocast.
    lr_schedule : str
        See :func:`~sklearn_simvae.training.lr_factor`.
    seed : int
        Of everything random.
    criterion : type of torch.nn.Module
        Takes the loss out of the terms.
    **kwargs
        As for :class:`skorch.NeuralNet`.
    """

    # Of nets that were pickled before there were any.
    weigh = _views_trace = views_range = None
    # The representation that was counted when the net was kept, and its columns.
    n_outputs = (None, 0)

    def __init__(
        self,
        module,
        *,
        make_views,
        objective,
        begin_epoch=None,
        after_step=None,
        weigh=None,
        monitor=None,
        bf16: bool = False,
        lr_schedule: str = "constant",
        seed: int = 0,
        criterion=TotalLoss,
        **kwargs,
    ):
        super().__init__(module, criterion, **kwargs)
        self.make_views = make_views
        self.objective = objective
        self.begin_epoch = begin_epoch
        self.after_step = after_step
        self.weigh = weigh
        self.monitor = monitor
        self.bf16 = bf16
        self.lr_schedule = lr_schedule
        self.seed = seed
        self.record_batches = False
        self.fit_description = {}
        self.feature_names = None
        self.saved = None
        self._compiled = None

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer())]

    def initialize(self):
        """Build the module and the optimiser, with weights fixed by the seed.

        Returns
        -------
        net : SSLNet
            Itself.
        """
        device = torch.device(self.device)
        with isolated_random_state(self._epoch_seeds(0)[0], device):
            super().initialize()
        lay_out(self.module_, device)
        return self

    def move_to(self, device: torch.device) -> "SSLNet":
        """Go on on another device, with what the optimiser remembers.

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

    def train_epochs(self, train, valid, epochs: int, begin=None) -> "SSLNet":
        """Train for some epochs.

        A failure or an interruption leaves the weights of the last whole epoch. With `saved`, the
        checkpoint of this training, it goes on after the epochs that are in that.

        Parameters
        ----------
        train, valid : Samples
            To learn from, and (or None) to record the objective on.
        epochs : int
            How many.
        begin : callable, default=None
            `(net, samples) -> None`, before the first epoch.

        Returns
        -------
        net : SSLNet
            Itself.

        Raises
        ------
        DivergenceError
            If the loss or the weights stop being finite.
        KeyboardInterrupt
            If interrupted before the first whole epoch, or within two seconds of another fit.
        MemoryError
            If a step does not fit in memory.
        """
        self.interrupted_ = self._in_epoch = self._stopped_by_user = False
        self._good_weights, self._good_moments, self._valid = None, {}, valid
        self._views_trace = self.views_range = None
        self._good_epochs = start = len(self.history)
        self._start, self.n_epochs_ = start, epochs
        self._step, self.n_steps_ = 0, epochs * -(-len(train) // self.batch_size)
        self._set_lr(1.0)
        try:
            synchronise_batch_norm(self.module_, torch.device(self.device))
            first_weights(self.module_)
            self._keep_weights()
            self._keep_moments()
            if begin is not None:
                seed = self._epoch_seeds(start)[0]
                with isolated_random_state(seed, torch.device(self.device)):
                    begin(self, train)
                first_weights(self.module_)
            n_views = train.n_given_views if train.views_given else train.n_views
            with one_thread_if_small(self.module_, n_views * self.batch_size):
                self.partial_fit(train, epochs=epochs)
            # Callbacks, which may choose or change weights, are those of the first process.
            first_weights(self.module_)
            self.history[:] = from_first(list(self.history))
            if self.interrupted_:
                if len(self.history) == start:
                    raise KeyboardInterrupt
            elif not self._weights_finite():
                raise self._diverged()
        except BaseException as error:
            self._restore()
            if ran_out_of_memory(error):
                raise self._too_large(train) from error
            raise
        finally:
            for _, callback in self.callbacks_:
                if isinstance(callback, FitProgress):
                    callback.close()
            self.module_.eval()
            self._good_weights = self._good_moments = self._valid = None
            if self._views_trace is not None:
                # Of the views of the last epoch.
                self.views_range = tuple(self._views_trace.tolist())
            self.saved = self._views_trace = None
        if self.interrupted_:
            before, _Interruptions.last = _Interruptions.last, time.monotonic()
            if from_first(_Interruptions.last - before < _MEANT_FOR_ALL):
                raise KeyboardInterrupt
        return self

    def epochs_done(self) -> int:
        """How many epochs of the training that goes on are in the history.

        Returns
        -------
        n_epochs : int
            From 0 to `n_epochs_`.
        """
        return len(self.history) - self._start

    # What skorch calls, in the order in which it does.

    def torch_compile(self, module, name):
        # The objective is compiled as a whole instead, see `_forward`: weights keep their names.
        return module

    def __getstate__(self):
        # skorch packs the module into bytes, so that it has to be replaced before.
        net = object.__new__(type(self))
        vars(net).update(picklable(self.__dict__))
        state = NeuralNet.__getstate__(net)
        state["_compiled"] = None
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
                if self.saved is not None:
                    # Callbacks have begun: what early stopping had seen is not forgotten again.
                    resume(self, self.saved)
                    self._keep_weights()
                    epochs -= self.epochs_done()
                    self._step = self.epochs_done() * self.n_steps_ // self.n_epochs_
                super().fit_loop(X, y, epochs=epochs, **fit_params)
        except KeyboardInterrupt:
            # A whole epoch stays, even where it is the user who stops.
            by_user = self._in_epoch or self._stopped_by_user
            self._in_epoch, self.interrupted_ = from_first((self._in_epoch, by_user))
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
            self._stopped_by_user = type(callback) in _NEVER_STOP
        if any_process(stop):
            raise KeyboardInterrupt

    def on_train_end(self, net, **kwargs):
        # Before callbacks hear of it: early stopping then goes on to the best of the whole epochs.
        if self.interrupted_ and self._in_epoch:
            self._restore()

    def get_split_datasets(self, X, y=None, **fit_params):
        return X, self._valid

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        if not self._weights_finite():
            raise self._diverged()
        # At the first epoch they are kept already, as they were before the fit began.
        if len(self.history) > self._good_epochs:
            self._keep_weights()
        self._in_epoch = True
        super().on_epoch_begin(net, dataset_train, dataset_valid, **kwargs)
        if self.begin_epoch is not None:
            seed = self._epoch_seeds(len(self.history))[0]
            with isolated_random_state(seed, torch.device(self.device)):
                self.begin_epoch(self, dataset_train)
        first_weights(self.module_)

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        if self.monitor is not None:
            self.module_.eval()
            for name, value in self.monitor(self.module_).items():
                self.history.record(name, value)
        # From here on callbacks may stop the training, by KeyboardInterrupt as skorch has it.
        self._in_epoch = False

    def get_iterator(self, dataset, training=False):
        return BatchLoader(dataset, self.batch_size, self.device, shuffle=training)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        if iterator is None:
            return
        epoch = len(self.history) if training else 0
        seed, iterator.seed, global_seed = self._epoch_seeds(epoch)
        generator = torch.Generator(self.device).manual_seed(seed)
        # What draws from the global states must not draw the same numbers as the latents.
        view_generator, own = generator, own_seed(global_seed)
        if n_processes() > 1:
            # Latents draw their noise for the whole batch, views for the own part of it.
            view_generator = torch.Generator(self.device).manual_seed(own + 1)
        self.module_.train(training)
        totals, n_samples = 0, 0
        if training:
            self._views_trace = None
        with isolated_random_state(own, torch.device(self.device)):
            for batch in iterator:
                # Callbacks of skorch take a batch apart into X and y.
                pair = batch, None
                self.notify("on_batch_begin", batch=pair, training=training)
                step = step_fn(batch, generator=generator, view_generator=view_generator)
                size = len(batch.views)
                weight = size if self.weigh is None else self.weigh(self.module_, batch)
                n_samples = n_samples + weight
                values = torch.stack([value.detach() for value in step["terms"].values()])
                totals = totals + values * weight
                if self.record_batches:
                    self.history.record_batch(prefix + "_loss", step["loss"].item())
                    self.history.record_batch(prefix + "_batch_size", size)
                self.notify("on_batch_end", batch=pair, training=training, **step)
        n_samples = torch.as_tensor(n_samples, dtype=totals.dtype, device=totals.device)
        totals = sum_over_processes(torch.cat([totals, n_samples.reshape(1)]))
        if training:
            average_buffers(self.module_)
        means = (totals / totals[-1].clamp(min=1)).tolist()
        for name, value in zip(step["terms"], means, strict=False):
            self.history.record(f"{prefix}_{name}", value)
        # What skorch's Checkpoint looks for.
        losses = self.history[:, f"{prefix}_loss"]
        self.history.record(f"{prefix}_loss_best", losses[-1] == min(losses))
        if training:
            # The last group is of all that no pattern names.
            self.history.record("lr", self.optimizer_.param_groups[-1]["lr"])
            self.history.record("train_batch_count", len(iterator))
            if not np.isfinite(self.history[-1, "train_loss"]):
                raise self._diverged()

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if self.record_batches:
            super().on_batch_begin(net, batch=batch, training=training, **kwargs)

    def train_step(self, batch, generator=None, view_generator=None, **fit_params):
        """One step of the optimiser.

        Parameters
        ----------
        batch : Batch
            As read.
        generator, view_generator : torch.Generator, default=None
            Of the draws of the objective, and of augmentations.
        **fit_params
            Not used.

        Returns
        -------
        step : dict
            "loss", "y_pred" and "terms".
        """
        if self.lr_schedule != "constant":
            self._set_lr(lr_factor(self.lr_schedule, self._step / self.n_steps_))
        self._step += 1
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
        if self.after_step is not None:
            self.after_step(self, self._step / self.n_steps_)
        return step

    def validation_step(self, batch, generator=None, view_generator=None, **fit_params):
        """The objective on a batch, without learning.

        Parameters
        ----------
        batch : Batch
            As read.
        generator, view_generator : torch.Generator, default=None
            Of the draws of the objective, and of augmentations.
        **fit_params
            Not used.

        Returns
        -------
        step : dict
            "loss", "y_pred" and "terms".
        """
        with torch.no_grad():
            return self._forward(batch, generator, view_generator)

    def _forward(self, batch, generator, view_generator):
        batch = batch._replace(views=self.make_views(batch.views, generator=view_generator))
        if self.module_.training and self._augments():
            self._trace_views(batch.views)
        objective = self.objective
        if self.compile:
            if self._compiled is None:
                # Else torch gives up at the ninth fit of a process, as all run the same code.
                self._compiled = torch.compile(objective, isolate_recompiles=True)
            objective = self._compiled
        with bf16_autocast(batch.views.device, self.bf16):
            terms = objective(self.module_, batch, generator)
        return {"loss": self.criterion_(terms), "y_pred": terms, "terms": terms}

    def _set_lr(self, factor: float):
        for group in self.optimizer_.param_groups:
            group["lr"] = self.lr * factor * group.get("lr_multiple", 1.0)

    def replace_parameter(self, name: str, values: Tensor) -> None:
        """Give the module another parameter, which is new to the optimiser.

        Other values in the same parameter would not do: what is left of an earlier step, such as
        an error that somebody looks at, holds it to the shape that it had.

        Parameters
        ----------
        name : str
            That of the parameter.
        values : Tensor
            Of any shape.
        """
        old = getattr(self.module_, name)
        new = nn.Parameter(values.detach(), requires_grad=old.requires_grad)
        setattr(self.module_, name, new)
        for group in self.optimizer_.param_groups:
            group["params"] = [new if p is old else p for p in group["params"]]
        state = self.optimizer_.state.pop(old, {})
        if state and self.optimizer_.defaults.get("fused"):
            # Zeros rather than nothing: fused optimisers want the state of all or of none.
            self.optimizer_.state[new] = {
                key: torch.zeros_like(new if value.ndim else value) for key, value in state.items()
            }

    # Nothing is lost.

    def _epoch_seeds(self, epoch: int) -> tuple[int, int, int]:
        """Seeds of an epoch's draws, of its order and of the global states.

        Epoch 0 is initialisation and validation.
        """
        return tuple(int(s) for s in np.random.SeedSequence([self.seed, epoch]).generate_state(3))

    def _keep_weights(self):
        self._good_epochs = len(self.history)
        good = self._good_weights or {}
        for name, w in _tensors(self.module_):
            # Prototypes grow from none at the start of training.
            if name in good and good[name].shape == w.shape:
                good[name].copy_(w.detach())
            else:
                good[name] = w.detach().clone()
        self._good_weights = good

    def _keep_moments(self):
        """What the optimiser remembered as training began, by the tensor that it is of."""
        self._good_moments = {
            weights: {k: v.clone() if torch.is_tensor(v) else v for k, v in state.items()}
            for weights, state in self.optimizer_.state.items()
        }

    def _restore(self):
        """Go back to the last whole epoch, or to where training began.

        What the optimiser remembers is that of the beginning, and forgotten once there was a whole
        epoch since.
        """
        try:
            self._go_back()
        except KeyboardInterrupt:
            self._go_back()
            raise

    def _go_back(self):
        if self._good_weights is not None:
            # Not by load_state_dict, which is strict about shapes.
            for name, w in _tensors(self.module_):
                w.data = self._good_weights[name]
            self.optimizer_.state.clear()
            if self._good_epochs == self._start:
                self.optimizer_.state.update(self._good_moments)
            del self.history[self._good_epochs :]

    def _weights_finite(self) -> bool:
        with torch.no_grad():
            checks = [p.isfinite().all() for p in self.module_.parameters()]
            return not checks or bool(torch.stack(checks).all())

    def _augments(self) -> bool:
        """Whether views may hold what the data do not."""
        return getattr(self.make_views, "keywords", {}).get("augmentation") is not None

    def _trace_views(self, views: Tensor):
        """Note the range of views on the device, where nobody waits for it: NaN stays NaN."""
        low, high = torch.aminmax(views.detach().float())
        if self._views_trace is not None:
            low = torch.minimum(low, self._views_trace[0])
            high = torch.maximum(high, self._views_trace[1])
        self._views_trace = torch.stack([low, high])

    def _too_large(self, train) -> MemoryError:
        size = min(self.batch_size, len(train))
        return MemoryError(
            f"Training ran out of memory in steps of {size} samples; what was fitted before is "
            "kept. Lower batch_size, chunk_size (of the methods that have it: the views that are "
            "encoded at a time) or hidden_layer_sizes."
        )

    def _diverged(self) -> DivergenceError:
        trace = self._views_trace
        if any_process(trace is not None and not bool(trace.isfinite().all())):
            return DivergenceError(
                f"Training diverged in epoch {len(self.history)}, where the loss became NaN or "
                f"infinite. {not_finite('The augmentation')} The last good weights are kept."
            )
        return DivergenceError(
            f"Training diverged in epoch {len(self.history)}: the loss or the weights became NaN "
            "or infinite. The last good weights are kept. Lower lr, raise the variances, or scale "
            "the data, e.g. by StandardScaler."
        )
