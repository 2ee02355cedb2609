"""A run of a fit, and what parts of a module see of it."""

import numpy as np
import pytest
import skops.io
import torch
from conftest import tiny
from skorch.callbacks import Callback
from torch import nn

from sklearn_simvae import SimCLR
from sklearn_simvae.networks import LivingPart
from sklearn_simvae.networks.living import living_parts
from sklearn_simvae.training import ResumeCheckpoint

X = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)
LONG = {"max_epochs": 3, "batch_size": 20}


class Diary(LivingPart):
    """Notes what it is told, and draws from the global states of torch, numpy and Python."""

    def __init__(self):
        super().__init__()
        self.events = []

    def _note(self, event, run):
        drawn = float(torch.rand(())), float(np.random.random())  # noqa: NPY002
        self.events.append((event, run.epochs_done, run.step, run.progress, drawn))

    def on_fit_begin(self, run):
        self._note("fit", run)
        self.latents = run.latents()
        self.n_components = run.parameters["n_components"]

    def on_epoch_begin(self, run):
        self._note("epoch", run)

    def on_step_end(self, run):
        self.events.append(("step", run.epochs_done, run.step, run.progress, None))


class WithDiary(SimCLR):
    """SimCLR with a part that is told the course of a fit."""

    def __init__(self, n_components=10, **shared):
        super().__init__(n_components, **shared)

    def _add_parts(self, module, n_features):
        module.diary = Diary()


def fitted(**params):
    small = {"hidden_layer_sizes": (8,), "projection_layer_sizes": (8, 4), "random_state": 0}
    return WithDiary(3, **{**small, **LONG, **params}).fit(X)


def events_of(estimator):
    return estimator.module_.diary.events


def test_living_parts_are_told_of_the_fit_its_epochs_and_its_steps():
    events = [event[:4] for event in events_of(fitted())]
    expected = [("fit", 0, 0, 0.0)]
    for epoch in range(3):
        # The row of an epoch is in the history from its begin.
        expected += [("epoch", epoch + 1, 2 * epoch, 2 * epoch / 6)]
        expected += [("step", epoch + 1, step, step / 6) for step in (2 * epoch + 1, 2 * epoch + 2)]
    assert events == expected


def test_draws_of_living_parts_are_fixed_by_the_seed_and_differ_between_epochs():
    first, again, other = (events_of(fitted(random_state=seed)) for seed in (0, 0, 1))
    assert first == again
    draws = [event[4] for event in first if event[0] == "epoch"]
    assert len(set(draws)) == 3
    assert not set(draws) & {event[4] for event in other}


def test_living_parts_see_latents_and_the_parameters_that_are_set_now():
    estimator = fitted(max_epochs=1, lr=1e-30)
    diary = estimator.module_.diary
    np.testing.assert_allclose(diary.latents.numpy(), estimator.transform(X), atol=1e-5)
    assert diary.n_components == 3


def test_global_random_states_are_as_before_a_fit_with_living_parts():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    fitted()
    assert torch.equal(torch.get_rng_state(), before)


def test_parts_of_encoders_and_of_other_parts_belong_to_other_fits():
    module, teacher = fitted().module_, LivingPart()
    teacher.module, module.teacher = fitted().module_, teacher
    module.encoder = fitted().module_
    assert living_parts(module) == [module, module.diary, teacher]


class FromOther(nn.Module):
    """An encoder on the projections of a network that another estimator has trained."""

    def __init__(self, other, n_outputs):
        super().__init__()
        self.other, self.last = other, nn.Linear(4, n_outputs)

    def forward(self, x):
        return self.last(self.other(x[:, None])[:, 0])


@pytest.mark.parametrize("inner", ["SimCLR", "BYOL", "DeepCluster"])
@pytest.mark.parametrize("outer", ["SimVAE", "SimCLR", "BYOL"])
def test_an_encoder_may_hold_the_network_of_another_estimator(inner, outer):
    other = tiny(inner, projection_layer_sizes=(8, 4)).fit(X).module_
    encoder = FromOther(other, 6 if outer == "SimVAE" else 3)
    assert tiny(outer, encoder=encoder, kind="vector").fit(X).transform(X).shape == (40, 3)


@pytest.mark.parametrize("method", ["InstanceDiscrimination", "DeepCluster"])
@pytest.mark.parametrize("go_on", ["partial_fit", "fit"])
def test_parts_that_were_replaced_in_a_failed_fit_are_kept_as_they_were(method, go_on, tmp_path):
    def fails(x):
        raise RuntimeError("stop")

    estimator = tiny(method, warm_start=True, augmentation=None).fit(X)
    before = skops.io.dumps(estimator)
    with pytest.raises(RuntimeError, match="stop"):
        getattr(estimator.set_params(augmentation=fails), go_on)(X)
    estimator.set_params(augmentation=None)
    assert len(skops.io.dumps(estimator)) == pytest.approx(len(before), rel=0.05)
    checkpoint = ResumeCheckpoint(tmp_path / "fit.checkpoint")
    n_epochs = estimator.n_iter_
    getattr(estimator.set_params(callbacks=checkpoint), go_on)(X)
    assert estimator.n_iter_ > n_epochs


def test_a_teacher_reads_its_momentum_as_it_is_set_during_a_fit():
    class Sets(Callback):
        def __init__(self, momentum):
            self.momentum = momentum

        def on_epoch_end(self, net, **kwargs):
            estimator.set_params(target_momentum=self.momentum)

    made = []
    for momentum in (0.99, 0.1):
        estimator = tiny("BYOL", callbacks=Sets(momentum), **LONG)
        made.append(estimator.fit(X).module_.teacher.module.encoder[-1].weight.detach())
    assert not torch.equal(*made)


class AtEpochEnd(Callback):
    """Keeps what a callback sees of the run."""

    reads_batches = False

    def on_epoch_end(self, net, **kwargs):
        self.run = net.run
        self.seen = [*getattr(self, "seen", []), (net.run.epochs_done, net.run.options.n_epochs)]


def test_a_net_has_its_run_while_it_trains_and_not_after():
    watch = AtEpochEnd()
    estimator = tiny("SimVAE", callbacks=watch, **LONG).fit(X)
    assert watch.seen == [(1, 3), (2, 3), (3, 3)]
    assert watch.run.net is estimator.net_
    assert estimator.net_.run is None


def test_options_of_a_fit_cannot_be_changed():
    watch = AtEpochEnd()
    tiny("SimVAE", callbacks=watch, **LONG).fit(X)
    with pytest.raises(AttributeError):
        watch.run.options.n_epochs = 7


def test_a_failed_fit_lets_go_of_its_run_too():
    class Fails(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise RuntimeError("stop")

    estimator = tiny("SimVAE", **LONG).fit(X)
    with pytest.raises(RuntimeError, match="stop"):
        estimator.set_params(callbacks=Fails()).partial_fit(X)
    assert estimator.net_.run is None
    assert not estimator.module_.training
