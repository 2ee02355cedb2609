"""Samples, batches and callbacks that are checked before training begins."""

import numpy as np
import pytest
from conftest import Spy, few, one_kind, tiny
from refused import X, refused
from skorch import callbacks as skorch_callbacks
from skorch.callbacks import (
    BatchScoring,
    EarlyStopping,
    EpochScoring,
    LRScheduler,
    PassthroughScoring,
)
from torch.optim.lr_scheduler import ReduceLROnPlateau

from sklearn_simvae import CLIP


def constant_score(net, X, y=None):
    return 1.0


class PatientStopping(EarlyStopping):
    def __init__(self):
        super().__init__(patience=50)


class Plateau(ReduceLROnPlateau):
    pass


ON_VALIDATION = {
    "stopping": EarlyStopping(),
    "class": EarlyStopping,
    "subclass": PatientStopping,
    "pair": ("stop", EarlyStopping()),
    "pair of a class": ("stop", EarlyStopping),
    "list": [EarlyStopping("train_loss"), EarlyStopping()],
    "another column": EarlyStopping("valid_kl"),
    "checkpoint": skorch_callbacks.Checkpoint(),
    "checkpoint class": skorch_callbacks.Checkpoint,
    "plateau": LRScheduler("ReduceLROnPlateau", monitor="valid_loss"),
    "plateau class": LRScheduler(ReduceLROnPlateau, monitor="valid_loss"),
    "plateau subclass": LRScheduler(Plateau, monitor="valid_loss"),
    "score": EpochScoring(constant_score),
    "batch score": BatchScoring(constant_score),
    "pass through": PassthroughScoring("valid_loss"),
    "wandb": skorch_callbacks.WandbLogger(None),
}


@pytest.mark.parametrize("callback", ON_VALIDATION.values(), ids=ON_VALIDATION)
@pytest.mark.parametrize("how", ["fit", "partial_fit", "warm start", "partial after fit"])
def test_callbacks_that_need_a_validation_part_are_refused_without(
    make_one_of_each_kind, digits, callback, how
):
    callbacks = callback if isinstance(callback, list) else [callback]
    estimator = make_one_of_each_kind(lr_schedule="constant")
    train = estimator.partial_fit if "partial" in how else estimator.fit
    if how in ("warm start", "partial after fit"):
        estimator.set_params(warm_start=True).fit(digits[0])
    # A part that partial_fit does not set aside is not there for callbacks either.
    estimator.set_params(callbacks=callbacks, early_stopping="partial" in how)
    with pytest.raises(ValueError, match=r"early_stopping=True.*monitor='train_loss'"):
        train(digits[0])
    assert getattr(estimator, "n_iter_", 2) == 2


@pytest.mark.parametrize(
    "callback",
    [
        EarlyStopping("train_loss"),
        ("stop", EarlyStopping("train_loss", patience=1)),
        LRScheduler("ReduceLROnPlateau"),
        LRScheduler("StepLR", step_size=1, monitor="valid_loss"),
        EpochScoring(constant_score, on_train=True, name="one", use_caching=False),
        PassthroughScoring("train_loss", on_train=True),
        skorch_callbacks.ProgressBar(),
    ],
    ids=["stopping", "pair", "plateau", "step", "score", "pass through", "progress bar"],
)
def test_callbacks_that_look_at_the_training_part_work_without(digits, callback):
    estimator = tiny("SimVAE", lr_schedule="constant", callbacks=[callback]).fit(digits[0])
    assert estimator.partial_fit(digits[0]).n_iter_ == 3


def test_every_method_refuses_to_watch_what_it_does_not_set_aside(make, digits):
    with pytest.raises(ValueError, match="looks at 'valid_loss' of the history"):
        make(callbacks=EarlyStopping()).fit(digits[0])


def test_a_validation_part_is_there_for_callbacks(make, digits):
    estimator = make(callbacks=EarlyStopping(), early_stopping=True).fit(digits[0])
    assert estimator.n_iter_ == 2


@one_kind
def test_fewer_views_than_the_method_needs(make):
    estimator = make()
    if estimator._needs().views == 1:
        assert estimator.set_params(n_views=1).fit(X).n_iter_ == 2
        assert estimator.fit(X, groups=np.arange(40)).n_iter_ == 2
        return
    singles = np.r_[np.arange(38) // 2, 50, 51]
    for data, n_views, groups in ((X, 1, None), (X[:, None], 2, None), (X, 2, singles)):
        estimator = make(n_views=n_views, kind="vector")
        message = refused(estimator, data, "at least 2 views", groups=groups)
        assert f"{type(estimator).__name__} with" in message
    assert "got 2 group(s) with 1" in message


@one_kind
def test_too_few_samples_to_be_compared(make):
    estimator = make().fit(X)
    if hasattr(estimator, "score"):
        if estimator._needs().scored_samples == 1:
            assert np.isfinite(estimator.score(X[:1]))
        else:
            message = refused(estimator, X[:1], "at least 2; got 1", method="score")
            assert f"{type(estimator).__name__} compares samples" in message
            refused(estimator, X[:4], "at least 2; got 1", method="score", groups=np.zeros(4))


def test_too_few_pairs_to_be_compared():
    estimator = CLIP(3, hidden_layer_sizes=(16,), max_epochs=1, random_state=0)
    data = {"a": X, "b": X}
    estimator.fit(data)
    one_pair = {"a": X[:3], "b": np.where(np.arange(3)[:, None] < 1, X[:3], np.nan)}
    refused(estimator, one_pair, "compares pairs.*got 1", method="score")
    assert np.isfinite(estimator.score(data))


@one_kind
def test_batches_too_small_to_be_compared(make):
    estimator = make(batch_size=1)
    if estimator._needs().scored_samples > 1:
        refused(estimator, X, "make batches of 1. Raise batch_size")


# ---------------------------------------------------------------- early stopping


@one_kind
def test_validation_part_shares_no_group_with_the_training_part(make):
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(30), 4))
    X = np.random.default_rng(1).random((120, 4), dtype=np.float32)
    X[:, 0] = groups
    spy = Spy()
    make(early_stopping=True, validation_fraction=0.2, callbacks=spy, batch_size=5).fit(
        X, groups=groups
    )
    parts = {True: set(), False: set()}
    for batch, training in zip(spy.batches(), spy.seen("batch_begin", "training"), strict=True):
        parts[training] |= set(batch.views[..., 0].flatten().tolist())
    assert not parts[True] & parts[False]
    assert parts[True] | parts[False] == set(groups.tolist())
    assert len(parts[False]) == 6


def test_validation_part_is_of_the_size_asked_for(make, digits):
    X, _ = digits
    # Of a single sample, some objectives say nothing.
    for fraction, expected in ((0.1, 16), (0.5, 80), (0.001, make()._needs().scored_samples)):
        spy = Spy()
        params = {"early_stopping": True, "max_epochs": 1, "validation_fraction": fraction}
        estimator = make(callbacks=spy, **params).fit(X)
        assert np.isfinite(estimator.history_[0]["valid_loss"])
        assert len(spy.seen("epoch_begin", "dataset_valid")[0]) == expected
        assert len(spy.seen("epoch_begin", "dataset_train")[0]) == 160 - expected


# ---------------------------------------------------------------- going on


def test_schedulers_of_skorch_are_refused_beside_a_schedule(make, digits):
    schedule = LRScheduler("StepLR", step_size=1)
    for callbacks in (schedule, [("rate", LRScheduler)]):
        estimator = make(callbacks=callbacks)
        with pytest.raises(ValueError, match=r"'one_cycle' sets.*lr_schedule='constant'"):
            estimator.fit(few(digits))
        assert not hasattr(estimator, "net_")
