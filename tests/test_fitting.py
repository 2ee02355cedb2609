"""Fits and what goes on from them: random states, warm starts, interruptions and errors."""

import copy
import functools
import itertools
import pickle
import random
import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import (
    METHODS,
    RaiseAt,
    Spy,
    Views,
    as_they_are,
    fails,
    few,
    gives_nan,
    n_made_views,
    n_outputs,
    one_kind,
    tiny,
    with_variants,
)
from fits import assert_same_fit, assert_unchanged, go
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import (
    BatchScoring,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    Freezer,
    GradientNormClipping,
    LRScheduler,
    PassthroughScoring,
    PrintLog,
    ProgressBar,
)
from torch import nn

from sklearn_simvae import CLIP, SimVAE
from sklearn_simvae.training import auto_max_epochs


@pytest.fixture(params=[name for name in METHODS if name != "InstanceDiscrimination"])
def make_continuing(request):
    """As `make`, of the methods that go on with all that was trained.

    InstanceDiscrimination knows samples by their place in X, and meets new ones at each call.
    """
    return functools.partial(tiny, request.param)


def with_dropout(n_outputs, n_inputs=64):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(n_inputs, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, n_outputs)
    )


# ---------------------------------------------------------------- random states


SEEDED = {
    "default": lambda e: {},
    "early stopping": lambda e: {"early_stopping": True},
    "module with dropout": lambda e: {"encoder": with_dropout(n_outputs(e))},
    "factory": lambda e: {"encoder": lambda input_shape, n_outputs: with_dropout(n_outputs)},
    "augmentation from elsewhere": lambda e: {
        "augmentation": lambda x: x + 0.1 * torch.randn_like(x)
    },
    "augmentation by numpy": lambda e: {"augmentation": lambda x: x * np.random.rand()},  # noqa: NPY002
    "augmentation by Python": lambda e: {"augmentation": lambda x: x * random.random()},
    "bf16": lambda e: {"precision": "bf16"},
    "fewest views": lambda e: {"n_views": e._needs().views},
    "modalities with dropout": lambda e: {
        "modalities": [
            ("upper", with_dropout(n_outputs(e), 40), slice(40)),
            ("lower", "mlp", slice(40, 64)),
        ]
    },
}


@with_variants(SEEDED)
def test_refit_with_one_random_state_is_equal_to_the_bit(make, digits, params):
    X = few(digits)
    first = make(**params).fit(X)
    torch.rand(3), np.random.rand(3), random.random()  # noqa: NPY002
    assert_same_fit(first, make(**params).fit(X), X)
    assert_same_fit(first, copy.deepcopy(first).fit(X), X)
    other = make(**params, random_state=1).fit(X)
    assert np.abs(other.transform(X) - first.transform(X)).max() > 1e-3


def test_random_state_may_be_an_instance(make, digits):
    X = few(digits)
    first, second = (make(random_state=np.random.RandomState(5)).fit(X) for _ in range(2))
    assert_same_fit(first, second, X)


def test_without_random_state_fits_differ(make, digits):
    X, _ = digits
    first, second = (make(random_state=None).fit_transform(X) for _ in range(2))
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize("random_state", [0, None])
@with_variants(
    {k: SEEDED[k] for k in ("default", "module with dropout", "modalities with dropout")}
)
def test_global_random_states_are_left_alone(make, digits, params, random_state):
    X = few(digits)

    def states():
        return (
            torch.get_rng_state().tolist(),
            str(np.random.get_state()),  # noqa: NPY002
            random.getstate(),
        )

    estimator = make(random_state=random_state, early_stopping=True, **params)
    before = states()
    estimator.fit(X).partial_fit(X).fit_transform(X)
    estimator.transform(X)
    for method in ("encode", "score", "score_samples", "project"):
        if hasattr(estimator, method):
            getattr(estimator, method)(X)
    if hasattr(estimator, "sample"):
        estimator.sample(3)
    estimator.set_params(callbacks=RaiseAt("batch_end", 1, RuntimeError()))
    with pytest.raises(RuntimeError):
        estimator.fit(X)
    assert states() == before


# ---------------------------------------------------------------- going on


def test_partial_fit_goes_on_from_any_state(make, digits):
    X = few(digits)
    estimator, n_iter, seen = make(), 0, []
    for step in ("partial_fit", "partial_fit", "fit", "partial_fit", "fit", "partial_fit"):
        n_iter = 2 if step == "fit" else n_iter + 1
        assert getattr(estimator, step)(X) is estimator
        assert estimator.n_iter_ == len(estimator.history_) == n_iter
        assert [row["epoch"] for row in estimator.history_] == list(range(1, n_iter + 1))
        seen.append(estimator.transform(X))
    assert_array_equal(seen[2], seen[4])
    assert_array_equal(seen[3], seen[5])
    assert all(np.abs(a - b).max() > 1e-5 for a, b in pairwise(seen))


def test_epochs_of_partial_fit_are_those_of_a_fit_at_constant_rate(make_continuing, digits):
    X = few(digits)
    estimator = make_continuing()
    for _ in range(3):
        estimator.partial_fit(X)
    assert_same_fit(estimator, make_continuing(lr_schedule="constant", max_epochs=3).fit(X), X)


def test_warm_start_goes_on(make_continuing, digits):
    X = few(digits)
    warm = make_continuing(warm_start=True, lr_schedule="constant").fit(X).fit(X)
    assert_same_fit(warm, make_continuing(lr_schedule="constant", max_epochs=4).fit(X), X)


def test_a_cold_start_restarts(make, digits):
    X = few(digits)
    cold = make(lr_schedule="constant").fit(X)
    once = copy.deepcopy(cold)
    assert_same_fit(once, cold.fit(X), X)


@pytest.mark.parametrize("memory_bank", [False, True])
@pytest.mark.parametrize("how", ["warm fit", "partial_fit"])
def test_instances_are_met_anew_by_an_encoder_that_goes_on(digits, how, memory_bank):
    X, _ = digits
    make = functools.partial(
        tiny, "InstanceDiscrimination", memory_bank=memory_bank, lr_schedule="constant"
    )
    first, second = (go(make().fit(X[:100]), how, X) for _ in range(2))
    assert_same_fit(first, second, X)
    assert len(first.history_) == (4 if how == "warm fit" else 3)

    before = make(memory_momentum=1.0).fit(X[:100])
    after = go(copy.deepcopy(before).set_params(lr=1e-30), how, X)
    assert_array_equal(after.transform(X), before.transform(X))
    latents = torch.from_numpy(before.transform(X))
    expected = before.module_.directions(latents)
    torch.testing.assert_close(
        after.module_.prototypes.values.detach(), expected, atol=1e-5, rtol=0
    )


@one_kind
def test_warm_start_trains_with_what_was_set_since(make, digits):
    X, _ = digits
    spy = Spy()
    estimator = make(warm_start=True).fit(X)
    estimator.set_params(lr=1e-5, batch_size=80, max_epochs=1, callbacks=spy, n_views=3)
    estimator.set_params(lr_schedule="constant", augmentation=Views()).fit(X)
    assert estimator.history_[-1]["lr"] == 1e-5
    assert [len(batch) for batch in spy.batches()] == [80, 80]
    assert [len(x) for x in estimator.augmentation.batches] == [80 * n_made_views(estimator)] * 2


@one_kind
def test_partial_fit_takes_other_data_of_the_same_layout(make, sprites):
    estimator = make(encoder="mlp").partial_fit(sprites).partial_fit(sprites[:8])
    assert estimator.partial_fit(sprites[:, 0]).n_iter_ == 3
    groups = np.repeat(np.arange(20), 2)
    assert estimator.partial_fit(sprites[:, 0], groups=groups).n_iter_ == 4


# ---------------------------------------------------------------- early stopping


def best_epoch(losses):
    """The first of the losses that no later one is below by more than rounding: by 1e-4."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best] - 1e-4:
            best = epoch
    return best


@pytest.mark.parametrize("params", [{}, {"lr_schedule": "constant"}])
def test_early_stopping_keeps_the_weights_of_the_best_epoch(make, digits, params):
    X, _ = digits
    spy = Spy()
    params = {"early_stopping": True, "lr": 0.01, "max_epochs": 20, "callbacks": spy} | params
    estimator = make(**params).fit(X)
    losses = [row["valid_loss"] for row in estimator.history_]
    best = spy.seen("epoch_end", "weights")[best_epoch(losses)]
    assert all(torch.equal(w, best[name]) for name, w in estimator.module_.state_dict().items())


def test_early_stopping_stops_when_patience_is_spent(make, digits):
    X, _ = digits
    # Without augmentation 16 samples are learned by heart at once.
    params = {"lr": 0.02, "lr_schedule": "constant", "validation_fraction": 0.8}
    params |= as_they_are(make)
    estimator = make(early_stopping=True, max_epochs=300, n_iter_no_change=4, **params).fit(X[:80])
    losses = [row["valid_loss"] for row in estimator.history_]
    assert estimator.n_iter_ == len(losses) < 300
    assert best_epoch(losses) == len(losses) - 1 - 4


# ---------------------------------------------------------------- what is shown of it


def test_verbose_shows_one_bar_with_the_terms(make, digits, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    X, _ = digits
    estimator = make(verbose=1, early_stopping=True).fit(X)
    out, err = capsys.readouterr()
    assert out == ""
    shown = err.split("\r")[-1]
    assert type(estimator).__name__ in shown and "epoch 2/2, loss " in shown and "100%" in shown
    others = ("valid", "epoch", "lr", "dur", "effective_rank", "representation_variance")
    terms = [name for name in estimator.history_[0] if not name.startswith((*others, "loss"))]
    assert all(f"{name}=" in shown for name in [*terms, "valid_loss"])


def test_bar_fits_80_columns_with_the_time_left(digits, capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    tiny("SimVAE", verbose=1, early_stopping=True).fit(digits[0])
    lines = capsys.readouterr().err.replace("\n", "\r").split("\r")
    assert max(map(len, lines)) == 80
    assert re.match(r"SimVAE epoch 2/2, loss -?[\d.]+, 00:00 left, 100%", lines[-2])


def test_nothing_is_printed_unless_asked(make, digits, capfd):
    X, _ = digits
    make(early_stopping=True, n_iter_no_change=1, max_epochs=30).fit(X).transform(X)
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------- optimizers, schedules, precision


def test_bf16_trains_to_about_the_same(make, digits):
    X, _ = digits
    # Rounding adds up over steps, and clusters may turn out others: one epoch is near.
    full, half = (make(precision=p, max_epochs=1).fit(X) for p in ("float32", "bf16"))
    assert half.history_[0]["loss"] == pytest.approx(full.history_[0]["loss"], rel=0.01)
    Z, Z_half = full.transform(X), half.transform(X)
    assert 0 < np.abs(Z - Z_half).max() < 0.1 * Z.std()
    assert Z_half.dtype == np.float32
    params = {**as_they_are(make), "lr_schedule": "constant", "max_epochs": 5}
    losses = [row["loss"] for row in make(precision="bf16", **params).fit(X).history_]
    assert losses[-1] < losses[0]


# ---------------------------------------------------------------- callbacks


def constant_score(net, X, y):
    return 1.0


CALLBACKS = {
    "clipping": lambda path: GradientNormClipping(0.1),
    "schedule": lambda path: LRScheduler("StepLR", step_size=1, gamma=0.5),
    "checkpoint": lambda path: Checkpoint(dirname=path),
    "checkpoint by train loss": lambda path: [
        PassthroughScoring("train_loss", on_train=True),
        Checkpoint(monitor="train_loss_best", dirname=path),
    ],
    "timer": lambda path: EpochTimer(),
    "log": lambda path: PrintLog(sink=str),
    "bar": lambda path: ProgressBar(),
    "freezer": lambda path: Freezer("encoder.1*"),
    "stopping": lambda path: EarlyStopping(),
    "score": lambda path: EpochScoring(constant_score, name="constant"),
    "batch score": lambda path: BatchScoring(constant_score, name="constant"),
}


@pytest.mark.parametrize("callback", CALLBACKS.values(), ids=CALLBACKS)
def test_callbacks_of_skorch_work(make_one_of_each_kind, digits, callback, tmp_path):
    X, make = digits[0], make_one_of_each_kind
    settings = {"early_stopping": True, "lr_schedule": "constant"}
    estimator = make(callbacks=callback(tmp_path), **settings).fit(X)
    assert estimator.n_iter_ == 2
    restored = pickle.loads(pickle.dumps(estimator))
    assert_array_equal(restored.transform(X), estimator.transform(X))
    clone(estimator).fit(X)


def test_callbacks_do_what_they_are_for(make, digits, tmp_path):
    X, _ = digits
    schedule = LRScheduler("StepLR", step_size=1, gamma=0.5)
    rates = [
        row["lr"]
        for row in make(callbacks=schedule, lr_schedule="constant", max_epochs=3).fit(X).history_
    ]
    assert rates == [1e-3, 5e-4, 2.5e-4]

    frozen, start = (make(callbacks=[Freezer("*encoder*")], max_epochs=n).fit(X) for n in (3, 1))
    assert_array_equal(frozen.transform(X), start.transform(X))

    clipped = make(callbacks=GradientNormClipping(1e-12), optimizer="sgd", lr=1e-3).fit(X)
    assert np.abs(clipped.transform(X) - start.transform(X)).max() < 1e-6

    saved = make(callbacks=Checkpoint(monitor=None, dirname=tmp_path)).fit(X)
    weights = torch.load(tmp_path / "params.pt")
    assert all(torch.equal(w, weights[name]) for name, w in saved.module_.state_dict().items())


# ---------------------------------------------------------------- nothing is lost


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("hook", ["epoch_begin", "batch_end", "valid_batch_end"])
def test_interrupt_keeps_the_whole_epochs(make, digits, hook, early_stopping):
    X = few(digits)
    if hook == "valid_batch_end" and not early_stopping:
        return
    params = {"early_stopping": early_stopping, "lr_schedule": "constant"}
    estimator = make(callbacks=RaiseAt(hook, 3, KeyboardInterrupt()), max_epochs=5, **params)
    with pytest.warns(ConvergenceWarning, match="interrupted .* 2 whole epochs"):
        assert estimator.fit(X) is estimator
    assert_same_fit(estimator, make(max_epochs=2, **params).fit(X), X)
    assert estimator.set_params(callbacks=None).partial_fit(X).n_iter_ == 3


FIRST_EPOCH = {
    "first fit": (False, "fit"),
    "refit": (True, "fit"),
    "warm fit": (True, "warm fit"),
    "partial_fit": (True, "partial_fit"),
}


@pytest.mark.parametrize("hook", ["epoch_begin", "batch_end"])
@pytest.mark.parametrize("fitted, how", FIRST_EPOCH.values(), ids=FIRST_EPOCH)
def test_interrupt_in_the_first_epoch_changes_nothing(make, digits, fitted, how, hook):
    X = few(digits)
    estimator = make()
    if fitted:
        estimator.fit(X)
    before = copy.deepcopy(estimator)
    epoch = 1 if how == "fit" else estimator.n_iter_ + 1
    estimator.set_params(callbacks=RaiseAt(hook, epoch, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        go(estimator, how, X)
    if fitted:
        assert_unchanged(estimator, before, X)
    else:
        assert not hasattr(estimator, "net_") and not hasattr(estimator, "n_iter_")


FAULTS = {
    "augmentation": lambda epoch: {"augmentation": Views(fails)},
    "callback in a batch": lambda epoch: {
        "callbacks": RaiseAt("batch_end", epoch, RuntimeError("the callback fails"))
    },
    "callback after an epoch": lambda epoch: {
        "callbacks": RaiseAt("epoch_end", epoch, RuntimeError("the callback fails"))
    },
}


@pytest.mark.parametrize(
    "fault, how",
    [
        *((FAULTS["callback in a batch"], how) for how in ("fit", "warm fit", "partial_fit")),
        (FAULTS["callback after an epoch"], "partial_fit"),
    ],
)
def test_an_error_leaves_the_fit_before_as_it_was(make, digits, fault, how):
    assert_error_changes_nothing(make, few(digits), fault, how)


@one_kind
def test_an_error_of_the_augmentation_leaves_the_fit_before_as_it_was(make, digits):
    assert_error_changes_nothing(make, few(digits), FAULTS["augmentation"], "warm fit")


def assert_error_changes_nothing(make, X, fault, how):
    estimator = make().fit(X)
    before = copy.deepcopy(estimator)
    estimator.set_params(**fault(1 if how == "fit" else 3))
    with pytest.raises(RuntimeError, match="fails"):
        go(estimator, how, X)
    assert_unchanged(estimator, before, X)


STATEFUL = {
    "prototypes": tiny("InstanceDiscrimination"),
    "memory": tiny("InstanceDiscrimination", memory_bank=True, n_negatives=20),
    "clusters": tiny("DeepCluster", n_clusters=10),
    "queue": tiny("SwAV", n_prototypes=10),
    "teacher": tiny("BYOL"),
}


@pytest.mark.parametrize(
    ("how", "hook"),
    [
        *itertools.product(["warm fit", "partial_fit"], ["epoch_begin", "batch_end"]),
        # A partial fit validates nothing.
        ("warm fit", "valid_batch_end"),
    ],
)
@pytest.mark.parametrize("method", STATEFUL)
def test_what_is_learned_beside_weights_outlives_a_failure(digits, method, how, hook):
    """Also on other samples and batches, where there are other prototypes and a longer queue."""
    X, _ = digits
    estimator = clone(STATEFUL[method]).fit(X)
    before = copy.deepcopy(estimator)
    fault = RaiseAt(hook, 3, RuntimeError("the callback fails"))
    estimator.set_params(callbacks=fault, batch_size=20, early_stopping=True)
    with pytest.raises(RuntimeError, match="fails"):
        go(estimator, how, X[:100])
    assert estimator.score(X) == before.score(X)
    assert_unchanged(estimator, before, X)


@one_kind
def test_a_progress_bar_that_was_cut_short_is_closed_and_forgotten(make, digits):
    X = few(digits)
    estimator = make(verbose=1, warm_start=True).fit(X).set_params(augmentation=Views(fails))
    with pytest.raises(RuntimeError, match="fails"):
        estimator.fit(X)
    Z = pickle.loads(pickle.dumps(estimator)).transform(X)
    assert_array_equal(Z, estimator.transform(X))


@one_kind
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_of_an_augmentation_that_are_not_finite_are_not_blamed_on_the_rate(
    make, digits, value
):
    def spoil(x):
        return x.index_fill_(0, torch.tensor([len(x) - 1]), value)

    augmentation = Views(spoil, after=13)
    with pytest.raises(ValueError, match="augmentation returned values that are NaN") as error:
        make(augmentation=augmentation, max_epochs=8).fit(few(digits))
    assert "lr" not in str(error.value)


def test_a_scored_augmentation_that_returns_nan_is_told(digits):
    X = few(digits)
    for name in ("SimCLR", "SwAV", "BYOL"):
        estimator = tiny(name).fit(X).set_params(augmentation=Views(gives_nan))
        with pytest.raises(ValueError, match="augmentation returned values that are NaN"):
            estimator.score(X)


def test_a_modality_whose_augmentation_returns_nan_is_named(make_multimodal, digits):
    with pytest.raises(ValueError, match=r"augmentations\['first'\] returned values that are NaN"):
        make_multimodal(augmentations={"first": gives_nan}).fit(few(digits))


def as_pixels(x):
    return (x * 255).round().to(torch.uint8)


@one_kind
def test_an_augmentation_that_returns_pixels_trains_on_the_scale_of_transform(make, sprites):
    X = sprites[:, 0]
    first = make(augmentation=as_pixels).fit(X)
    assert_same_fit(first, make(augmentation=lambda x: as_pixels(x).float() / 255).fit(X), X)
    if hasattr(first, "score"):
        assert np.isfinite(first.score(X))


def test_a_modality_may_be_augmented_by_what_returns_pixels(make_multimodal, sprites):
    X = {"image": sprites[:, 0], "vector": sprites[:, 1, :, 0, 0] / 255}
    params = {"modalities": [("image", "mlp"), ("vector", "mlp")]}
    first = make_multimodal(**params, augmentations={"image": as_pixels}).fit(X)
    floats = {"image": lambda x: as_pixels(x).float() / 255}
    assert_same_fit(first, make_multimodal(**params, augmentations=floats).fit(X), X)
    with pytest.raises(ValueError, match=r"returned torch.uint8"):
        make_multimodal(**params, augmentations={"vector": as_pixels}).fit(X)


# ---------------------------------------------------------------- going on


def test_precision_may_change_before_training_goes_on(make, digits):
    X = few(digits)
    estimator = make(warm_start=True, precision="float32").fit(X)
    assert estimator.set_params(precision="bf16").fit(X).net_.bf16
    assert not estimator.set_params(precision="float32").partial_fit(X).net_.bf16


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_goes_on_on_another_device(make, digits):
    X = few(digits)
    estimator = make(warm_start=True, device="cpu").fit(X)
    Z = estimator.transform(X)
    estimator.net_.move_to(torch.device("cuda"))
    assert np.abs(estimator.transform(X) - Z).max() < 1e-3
    assert estimator.set_params(device="cpu").fit(X).net_.device == "cpu"
    assert estimator.set_params(device="cuda").partial_fit(X).net_.device.startswith("cuda")
    assert all(p.is_cuda for p in estimator.module_.parameters())


def test_a_device_that_is_not_there_is_refused_before_training_goes_on(make, digits):
    estimator = make(warm_start=True).fit(few(digits))
    with pytest.raises(ValueError, match="device='meta' is not available"):
        estimator.set_params(device="meta").fit(few(digits))


# ---------------------------------------------------------------- hardware


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_gpu_learns_what_a_cpu_does_and_leaves_its_random_state_alone(make, digits, precision):
    X, _ = digits
    state = torch.cuda.get_rng_state()
    params = {"max_epochs": 20, "precision": precision}
    on_gpu = make(device="cuda", **params).fit(X)
    assert torch.equal(torch.cuda.get_rng_state(), state)
    assert next(on_gpu.module_.parameters()).is_cuda
    np.testing.assert_array_equal(
        on_gpu.transform(X), make(device="cuda", **params).fit_transform(X)
    )
    # A GPU draws other noise: as another seed does, which moves the last loss by up to a third.
    on_cpu = [make(device="cpu", **params, random_state=seed).fit(X) for seed in range(4)]
    losses = [fitted.history_[-1]["loss"] for fitted in on_cpu]
    spread = max(losses) - min(losses)
    assert min(losses) - spread < on_gpu.history_[-1]["loss"] < max(losses) + spread
    restored = pickle.loads(pickle.dumps(on_gpu))
    np.testing.assert_array_equal(restored.transform(X), on_gpu.transform(X))


def test_auto_precision_is_float32_for_small_networks(make, digits):
    assert not make().fit(digits[0]).net_.bf16


# ---------------------------------------------------------------- draws


def test_augmentations_from_elsewhere_draw_other_numbers_than_the_latents(digits, monkeypatch):
    drawn = {"views": [], "latents": []}

    def noisy(x):
        noise = torch.randn_like(x)
        drawn["views"].append(noise)
        return x + noise

    simvae = tiny("SimVAE", n_components=8, augmentation=noisy)
    objective = type(simvae)._objective

    def spy(self, module, batch, generator):
        state = generator.get_state()
        drawn["latents"].append(torch.randn((*batch.views.shape[:2], 8), generator=generator))
        generator.set_state(state)
        return objective(self, module, batch, generator)

    monkeypatch.setattr(type(simvae), "_objective", spy)
    simvae.fit(digits[0][:60, 20:28])
    for views, latents in zip(drawn["views"], drawn["latents"], strict=True):
        assert not np.intersect1d(views.numpy(), latents.numpy()).size


# ---------------------------------------------------------------- validation parts


def test_partial_fit_learns_from_all_rows_whether_or_not_fit_stops_early(digits):
    X = digits[0][:60]
    stopping, going = (
        tiny("SimVAE", early_stopping=early_stopping).partial_fit(X).partial_fit(X[:2])
        for early_stopping in (True, False)
    )
    assert_array_equal(stopping.transform(X), going.transform(X))
    assert "valid_loss" not in stopping.history_[-1]


# Sizes and lengths that follow the data.


@pytest.mark.parametrize("how", ["weights", "pickle", "copy"])
def test_resolved_sizes_outlive_saving_and_loading(make, digits, how, tmp_path):
    X, _ = digits
    estimator = make(hidden_layer_sizes="auto").fit(X)
    if how == "weights":
        estimator.save_weights(tmp_path / "weights.safetensors")
        again = make(hidden_layer_sizes="auto").load_weights(tmp_path / "weights.safetensors")
    else:
        again = {"pickle": lambda e: pickle.loads(pickle.dumps(e)), "copy": copy.deepcopy}[how](
            estimator
        )
    assert again.hidden_layer_sizes_ == estimator.hidden_layer_sizes_
    assert_array_equal(again.transform(X), estimator.transform(X))
    # What goes on keeps its network, however many rows there are now.
    again.partial_fit(X[:60])
    assert again.hidden_layer_sizes_ == estimator.hidden_layer_sizes_


def test_partial_fit_does_not_size_a_network_by_its_first_chunk():
    X = np.random.default_rng(0).standard_normal((40, 50))
    small = SimVAE(2, max_epochs=1).fit(X)
    chunks = SimVAE(2).partial_fit(X[:20]).partial_fit(X[20:])
    assert small.hidden_layer_sizes_ == (256, 128)
    assert chunks.hidden_layer_sizes_ == (512, 256)


def test_each_modality_has_a_network_of_its_size():
    rng = np.random.default_rng(0)
    X = {"a": rng.standard_normal((40, 3)), "b": rng.standard_normal((40, 2000))}
    clip = CLIP(2, modalities=[("a", "auto", None), ("b", "auto", None)], max_epochs=1).fit(X)
    assert clip.hidden_layer_sizes_ == [(256, 128), (512, 256)]


@pytest.mark.parametrize("n_samples", [30, 200])
def test_auto_passes_follow_the_number_of_samples(n_samples):
    X = np.random.default_rng(0).standard_normal((n_samples, 3))
    estimator = SimVAE(2, hidden_layer_sizes=(4,), random_state=0).fit(X)
    assert estimator.n_iter_ == auto_max_epochs(n_samples)
    # Samples, not rows, are counted where rows have groups.
    groups = np.arange(n_samples) // 2
    grouped = SimVAE(2, hidden_layer_sizes=(4,), random_state=0).fit(X, groups=groups)
    assert grouped.n_iter_ == auto_max_epochs(n_samples // 2)


def test_a_validation_part_is_not_counted():
    X = np.random.default_rng(0).standard_normal((400, 3))
    params = {"early_stopping": True, "validation_fraction": 0.5, "n_iter_no_change": 10**6}
    estimator = SimVAE(2, hidden_layer_sizes=(4,), random_state=0, **params).fit(X)
    assert estimator.n_iter_ == auto_max_epochs(200)


@pytest.mark.parametrize("method", ["VAE", "SimVAE", "ContentStyleVAE"])
def test_first_weights_know_nothing_of_the_validation_part(method, monkeypatch):
    seen = []
    kind = METHODS[method]
    first = kind._initialize

    def watched(self, module, samples):
        seen.append(len(samples))
        first(self, module, samples)

    monkeypatch.setattr(kind, "_initialize", watched)
    X = np.random.default_rng(0).standard_normal((40, 5))
    tiny(method, early_stopping=True, validation_fraction=0.5).fit(X)
    assert seen == [20]
