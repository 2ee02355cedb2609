"""A run of a fit, and what parts of a module see of it."""

import pytest
import skops.io
import torch
from conftest import tiny
from followed import LONG, AtEpochEnd, X, events_of, fitted
from skorch.callbacks import Callback
from torch import nn

from sklearn_simvae.training import ResumeCheckpoint


def test_draws_of_living_parts_are_fixed_by_the_seed_and_differ_between_epochs():
    first, again, other = (events_of(fitted(random_state=seed)) for seed in (0, 0, 1))
    assert first == again
    draws = [event[4] for event in first if event[0] == "epoch"]
    assert len(set(draws)) == 3
    assert not set(draws) & {event[4] for event in other}


def test_global_random_states_are_as_before_a_fit_with_living_parts():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    fitted()
    assert torch.equal(torch.get_rng_state(), before)


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


def test_a_net_has_its_run_while_it_trains_and_not_after():
    watch = AtEpochEnd()
    estimator = tiny("SimVAE", callbacks=watch, **LONG).fit(X)
    assert watch.seen == [(1, 3), (2, 3), (3, 3)]
    assert watch.run.net is estimator.net_
    assert estimator.net_.run is None


def test_a_failed_fit_lets_go_of_its_run_too():
    class Fails(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise RuntimeError("stop")

    estimator = tiny("SimVAE", **LONG).fit(X)
    with pytest.raises(RuntimeError, match="stop"):
        estimator.set_params(callbacks=Fails()).partial_fit(X)
    assert estimator.net_.run is None
    assert not estimator.module_.training
