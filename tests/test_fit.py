"""Training: the same again from a seed, going on, stopping, and losing nothing."""

import copy
import functools
import itertools
import pickle
import random
import re
import shutil
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
    gives_nan,
    n_made_views,
    n_outputs,
    one_kind,
    tiny,
    with_variants,
)
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
    Unfreezer,
)
from torch import nn

from sklearn_simvae import CLIP, SimVAE
from sklearn_simvae.training import KNNScore, SSLNet, auto_max_epochs


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


def few(digits):
    """Rows for what shows in four steps an epoch."""
    return digits[0][:64]


def without_time(estimator):
    return [{k: v for k, v in row.items() if k != "dur"} for row in estimator.history_]


def assert_same_fit(first, second, X):
    """Equal to the bit, and so is what was trained but does not show in transform."""
    assert_array_equal(first.transform(X), second.transform(X))
    assert without_time(first) == without_time(second)
    assert first.n_iter_ == second.n_iter_
    weights = second.module_.state_dict()
    assert all(torch.equal(w, weights[name]) for name, w in first.module_.state_dict().items())


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


# ---------------------------------------------------------------- the width of outputs


def test_transform_passes_rows_through_the_encoder_alone(make, digits):
    X, passes = few(digits), []
    estimator = make().fit(X)
    for part in estimator.module_.modules():
        if isinstance(part, nn.Linear):
            part.register_forward_hook(lambda part, args, out: passes.append(len(out)))
    Z = estimator.transform(X)
    assert passes and 1 not in passes
    assert len(estimator.get_feature_names_out()) == Z.shape[1]


def test_outputs_are_those_of_the_representation_that_is_set(digits, tmp_path):
    X, path = few(digits), tmp_path / "weights"
    estimator = tiny("SimVAE").fit(X)
    estimator.save_weights(path)
    loaded = pickle.loads(pickle.dumps(estimator))
    other = tiny("SimVAE", n_components=5, representation="hidden").fit(X)
    for one in (estimator, loaded, tiny("SimVAE").load_weights(path)):
        Z = one.transform(X)
        assert_array_equal(Z, estimator.transform(X))
        one.set_params(representation="hidden")
        assert one.transform(X).shape == (len(X), 16) == (len(X), len(one.get_feature_names_out()))
        assert_array_equal(one.set_params(representation="latent").transform(X), Z)
    assert other.set_params(representation="latent").transform(X).shape == (len(X), 5)
    # A fit anew that is looked at counts its own.
    score = KNNScore(X, digits[1][: len(X)], n_neighbors=2)
    other.set_params(callbacks=[score], n_components=4).fit(X)
    assert "knn_accuracy" in other.history_[-1] and other.transform(X).shape == (len(X), 4)


# ---------------------------------------------------------------- what is shown of it


def test_history_has_a_finite_row_for_each_epoch(make, digits):
    X, _ = digits
    estimator = make(early_stopping=True, max_epochs=3).fit(X)
    assert len(estimator.history_) == estimator.n_iter_ == 3
    names = set(estimator.history_[0])
    assert {"epoch", "loss", "valid_loss", "lr", "dur"} <= names
    assert {"effective_rank", "representation_variance"} <= names
    assert all(set(row) == names for row in estimator.history_)
    assert all(type(v) in (int, float) for row in estimator.history_ for v in row.values())
    assert np.isfinite([list(row.values()) for row in estimator.history_]).all()


def spread(Z):
    """Effective rank and mean variance, from the singular values of the centered rows."""
    Z = Z.astype(np.float64)
    singular = np.linalg.svd(Z - Z.mean(0), compute_uv=False)
    p = singular / singular.sum()
    p = p[p > 0]
    return np.exp(-np.sum(p * np.log(p))), np.square(singular).sum() / Z.size


def assert_spread_recorded(estimator, Z):
    row = estimator.history_[-1]
    recorded = row["effective_rank"], row["representation_variance"]
    np.testing.assert_allclose(recorded, spread(Z), rtol=1e-4)


@with_variants({"latent": {}, "hidden": {"representation": "hidden"}})
def test_history_tells_the_spread_of_the_latents(make, digits, params):
    X, _ = digits
    estimator = make(**params).fit(X)
    for _ in range(2):
        # Whatever transform gives, and however training goes on.
        estimator.set_params(**dict.fromkeys(params, "latent"))
        assert_spread_recorded(estimator, estimator.transform(X))
        estimator.set_params(**params).partial_fit(X)


def test_spread_is_that_of_some_samples_out_of_all_parts_of_X(make_one_of_each_kind):
    X = np.random.default_rng(0).random((1100, 6), dtype=np.float32).cumsum(0) % 3
    some = np.linspace(0, 1099, 512).astype(int)
    estimator = make_one_of_each_kind(max_epochs=1).fit(X)
    assert_spread_recorded(estimator, estimator.transform(X[some]))


def test_spread_is_that_of_the_first_views_where_views_are_given(make_one_of_each_kind, digits):
    views = digits[0].reshape(80, 2, 64)
    estimator = make_one_of_each_kind().fit(views)
    assert_spread_recorded(estimator, estimator.transform(views[:, 0]))


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


@pytest.mark.parametrize(
    "optimizer, expected",
    [
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("sgd", torch.optim.SGD),
        (torch.optim.RMSprop, torch.optim.RMSprop),
    ],
)
def test_optimizer_by_name_or_class(make, digits, optimizer, expected):
    X, _ = digits
    # Without the noise of augmentation and with equal steps, every loss falls.
    params = {**as_they_are(make), "lr_schedule": "constant", "max_epochs": 5}
    estimator = make(optimizer=optimizer, weight_decay=1e-3, **params).fit(X)
    assert type(estimator.net_.optimizer_) is expected
    assert estimator.net_.optimizer_.param_groups[0]["weight_decay"] == 1e-3
    assert estimator.history_[-1]["loss"] < estimator.history_[0]["loss"]


def test_learning_rate_follows_its_schedule(make, digits):
    X = few(digits)
    rates = {
        schedule: np.array(
            [row["lr"] for row in make(lr_schedule=schedule, max_epochs=6).fit(X).history_]
        )
        for schedule in ("constant", "cosine", "one_cycle")
    }
    assert (rates["constant"] == 1e-3).all()
    assert (np.diff(rates["cosine"]) < 0).all() and rates["cosine"][-1] < 1e-5
    peak = rates["one_cycle"].argmax()
    assert 0 < peak < 3 and rates["one_cycle"][-1] < 1e-5
    assert max(r.max() for r in rates.values()) <= 1e-3


def test_batch_size_counts_samples_and_makes_even_batches(make, digits):
    X, _ = digits
    sizes = {}
    for batch_size in ("auto", 50, 10_000):
        spy = Spy()
        make(batch_size=batch_size, max_epochs=1, callbacks=spy).fit(X)
        sizes[batch_size] = [len(batch) for batch in spy.batches()]
    assert sizes == {"auto": [16] * 10, 50: [40] * 4, 10_000: [160]}


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


@pytest.fixture
def graphs():
    """Counts of what torch compiles."""
    stats = torch._dynamo.utils.counters["stats"]
    stats.clear()
    return stats


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
# The others are like one of these, and InstanceDiscrimination comes below with its memory.
@pytest.mark.parametrize("make", ["SimVAE", "VICReg", "SwAV", "BYOL"], indirect=True)
def test_compiled_training_is_the_same_and_can_be_pickled(make, digits, graphs):
    X, _ = digits
    # An offset that batch normalization undoes has rounding as its gradient, by which Adam steps;
    # and rounding may put a sample into another cluster at the second epoch.
    params = {"optimizer": "sgd", "max_epochs": 1}
    plain, compiled = (make(compile=c, **params).fit(X) for c in (False, True))
    # Module.compile() does nothing, and does not say so, where the module's class is torch's own
    # (pytorch #150915), as nn.Sequential is.
    assert graphs["unique_graphs"] > 0
    Z, start = plain.transform(X), make(lr=1e-30, **params).fit_transform(X)
    np.testing.assert_allclose(compiled.transform(X), Z, atol=0.02 * np.abs(Z - start).max())
    losses = [estimator.history_[0]["loss"] for estimator in (compiled, plain)]
    np.testing.assert_allclose(*losses, rtol=1e-4, atol=1e-4)
    restored = pickle.loads(pickle.dumps(compiled))
    np.testing.assert_allclose(restored.transform(X), compiled.transform(X), atol=1e-5)
    assert restored.partial_fit(X).n_iter_ == 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
def test_a_memory_is_kept_under_compilation(digits, graphs):
    X, _ = digits
    params = {"memory_bank": True, "n_negatives": 200, "optimizer": "sgd"}
    plain, compiled = (
        tiny("InstanceDiscrimination", **params, compile=c).fit(X).module_.prototypes.values
        for c in (False, True)
    )
    assert graphs["unique_graphs"] > 0
    torch.testing.assert_close(compiled, plain, atol=1e-3, rtol=0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
def test_each_fit_is_compiled_however_many_there_were(digits, graphs):
    # torch gives up on code that it had to compile too often, after eight times by default.
    with torch._dynamo.config.patch(recompile_limit=1):
        for _ in range(2):
            graphs.clear()
            tiny("SwAV", compile=True).fit(few(digits))
            assert graphs["unique_graphs"] > 0


# ---------------------------------------------------------------- callbacks


@pytest.mark.parametrize(
    "form", [lambda c: c, lambda c: [c], lambda c: (c, EpochTimer()), lambda c: [("spy", c)]]
)
def test_callbacks_hear_of_all_that_happens(make, digits, form):
    X, _ = digits
    spy = Spy()
    estimator = make(callbacks=form(spy), batch_size=80).fit(X)
    step = ["batch_begin", "grad_computed", "batch_end"]
    epoch = ["epoch_begin", *step * 2, "epoch_end"]
    assert spy.hooks() == ["train_begin", *epoch * 2, "train_end"]
    assert all(torch.is_tensor(loss) for loss in spy.seen("batch_end", "loss"))
    losses = [loss.item() for loss in spy.seen("batch_end", "loss")]
    assert estimator.net_.history[:, "batches", :, "train_loss"] == [losses[:2], losses[2:]]


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


def go(estimator, how, X):
    estimator.set_params(warm_start=how == "warm fit")
    return getattr(estimator, how.removeprefix("warm "))(X)


def assert_unchanged(estimator, before, X):
    assert_same_fit(estimator, before, X)
    estimator.set_params(callbacks=None, **as_they_are(lambda: estimator))
    before.set_params(**estimator.get_params(deep=False))
    restored = pickle.loads(pickle.dumps(estimator))
    assert restored.partial_fit(X).n_iter_ == before.n_iter_ + 1
    # What the optimizer remembers is as it was, too.
    assert_array_equal(restored.transform(X), before.partial_fit(X).transform(X))


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
def test_first_fit_that_diverges_keeps_the_last_good_weights(make, digits):
    X, _ = digits
    params = {"batch_size": 40, "max_epochs": 5, "lr_schedule": "constant"}
    estimator = make(augmentation=Views(gives_nan, after=8), **params)
    with pytest.raises(ValueError, match=r"diverged in epoch 3\b"):
        estimator.fit(X)
    whole = make(augmentation=None, **{**params, "max_epochs": 2}).fit(X)
    assert_same_fit(estimator, whole, X)


@one_kind
def test_first_fit_that_diverges_at_once_stays_unfitted(make, digits):
    X, _ = digits
    estimator = make(augmentation=Views(gives_nan))
    with pytest.raises(ValueError, match=r"diverged in epoch 1\b"):
        estimator.fit(X)
    assert not hasattr(estimator, "net_") and not hasattr(estimator, "n_features_in_")


@pytest.mark.parametrize("how", ["fit", "warm fit", "partial_fit"])
@with_variants({"lr": {"lr": 1e20}, "augmentation": {"augmentation": Views(gives_nan)}})
def test_fitted_estimator_survives_divergence(make, digits, how, params):
    X = few(digits)
    estimator = make().fit(X)
    before = copy.deepcopy(estimator)
    epoch = 1 if how == "fit" else 3
    why = (
        "The augmentation returned values that are NaN" if "augmentation" in params else "Lower lr"
    )
    with pytest.raises(ValueError, match=rf"diverged in epoch {epoch}\b.*{why}"):
        go(estimator.set_params(**params), how, X)
    assert_unchanged(estimator.set_params(lr=1e-3), before, X)


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


def test_whether_views_are_finite_is_not_read_in_a_step(digits, no_waiting):
    tiny("SimVAE").fit(few(digits))


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


@pytest.mark.parametrize("go_on", ["partial_fit", "fit"])
@pytest.mark.parametrize("params", [{"n_components": 7}, {"hidden_layer_sizes": (8,)}])
def test_training_does_not_go_on_in_another_network(make, digits, go_on, params):
    X = few(digits)
    estimator = make(warm_start=True).fit(X)
    before = estimator.transform(X)
    estimator.set_params(**params)
    with pytest.raises(ValueError, match=f"{next(iter(params))} changed.*warm_start=False"):
        getattr(estimator, go_on)(X)
    np.testing.assert_array_equal(estimator.transform(X), before)
    assert estimator.set_params(warm_start=False).fit(X).transform(X).shape[0] == len(X)


@pytest.mark.parametrize("hidden_layer_sizes", [16, [16], np.array([16])])
def test_equal_parameters_of_another_type_describe_the_same_network(
    make, digits, hidden_layer_sizes, tmp_path
):
    X = few(digits)
    estimator = make(warm_start=True).fit(X)
    same = {"n_components": np.int64(3), "hidden_layer_sizes": hidden_layer_sizes}
    estimator.set_params(**same, weight_decay=0).partial_fit(X).fit(X)
    estimator.save_weights(tmp_path / "weights")
    loaded = make().load_weights(tmp_path / "weights")
    assert_array_equal(loaded.transform(X), estimator.transform(X))


def of_width(input_shape, n_outputs, width):
    hidden = nn.Linear(input_shape[0], width)
    return nn.Sequential(hidden, nn.ReLU(), nn.Linear(width, n_outputs))


class OfWidth:
    """A factory that is told by its attributes."""

    def __init__(self, width):
        self.width = width

    def __call__(self, input_shape, n_outputs):
        return of_width(input_shape, n_outputs, self.width)


FACTORIES = {
    "partial": lambda width: functools.partial(of_width, width=width),
    "object": OfWidth,
    "method": lambda width: OfWidth(width).__call__,
    "module": lambda width: of_width((64,), 3, width),
}


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)
def test_encoders_that_differ_inside_are_told_apart(digits, factory):
    X = few(digits)
    estimator = tiny("SimCLR", encoder=factory(8)).fit(X)
    # The weights that a module has now are not those that were trained.
    estimator.set_params(encoder=factory(8)).partial_fit(X)
    with pytest.raises(ValueError, match="encoder changed"):
        estimator.set_params(encoder=factory(9)).partial_fit(X)


def bf16_on_the_cpu():
    return torch.autocast("cpu", torch.bfloat16)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, bf16_on_the_cpu])
def test_a_callers_modes_change_nothing(make, digits, mode):
    X = few(digits)
    expected = make().fit(X)
    with mode():
        inside = make().fit(X)
        assert_array_equal(inside.transform(X), expected.transform(X))
        if hasattr(inside, "score"):
            assert inside.score(X) == expected.score(X)


def test_a_callers_default_device_changes_nothing(make, digits):
    X = few(digits)
    expected = make().fit(X)
    # Nothing can be computed there.
    with torch.device("meta"):
        inside = make().fit(X)
        assert_array_equal(inside.transform(X), expected.transform(X))
        if hasattr(inside, "score"):
            assert inside.score(X) == expected.score(X)
        if hasattr(inside, "sample"):
            assert_array_equal(inside.sample(3, random_state=0), expected.sample(3, random_state=0))


@one_kind
def test_an_encoder_that_is_being_trained_represents_as_ever(make, digits):
    X = few(digits)

    def with_norm(input_shape, n_outputs):
        return nn.Sequential(
            nn.Linear(64, 16), nn.BatchNorm1d(16), nn.Dropout(), nn.Linear(16, n_outputs)
        )

    estimator = make(encoder=with_norm).fit(X)
    Z = estimator.transform(X)
    score = estimator.score(X) if hasattr(estimator, "score") else None
    encoder = estimator.encoder_.train()
    for _ in range(2):
        assert_array_equal(estimator.transform(X), Z)
        assert score is None or estimator.score(X) == score
    assert estimator.get_feature_names_out().shape == (3,)
    assert all(part.training for part in encoder.modules())


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


def test_schedulers_of_skorch_are_refused_beside_a_schedule(make, digits):
    schedule = LRScheduler("StepLR", step_size=1)
    for callbacks in (schedule, [("rate", LRScheduler)]):
        estimator = make(callbacks=callbacks)
        with pytest.raises(ValueError, match=r"'one_cycle' sets.*lr_schedule='constant'"):
            estimator.fit(few(digits))
        assert not hasattr(estimator, "net_")


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


@one_kind
def test_a_step_reads_no_value_back(make, digits, no_waiting):
    make().fit(digits[0])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_step_never_waits_for_the_gpu(make, digits, precision, monkeypatch):
    train_step = SSLNet.train_step

    def strict_step(self, batch, **kwargs):
        torch.cuda.set_sync_debug_mode("error")
        try:
            return train_step(self, batch, **kwargs)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(SSLNet, "train_step", strict_step)
    params = {"device": "cuda", "precision": precision}
    if "modalities" in make().get_params() and "projection_layer_sizes" in make().get_params():
        # Batch norm takes the rows that have a modality, whose number is the GPU's to tell.
        params["projection_layer_sizes"] = ()
    make(**params).fit(digits[0])


def test_auto_precision_is_float32_for_small_networks(make, digits):
    assert not make().fit(digits[0]).net_.bf16


# ---------------------------------------------------------------- optimizers


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", torch.optim.AdamW, torch.optim.SGD])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_weight_decay_is_what_is_given_and_not_the_optimizers_own(optimizer, weight_decay, digits):
    vae = tiny("VAE", optimizer=optimizer, weight_decay=weight_decay).fit(digits[0][:40])
    assert vae.net_.optimizer_.param_groups[0]["weight_decay"] == weight_decay


def test_an_optimizer_made_by_a_function_keeps_its_own_weight_decay(digits):
    made = functools.partial(torch.optim.AdamW, weight_decay=0.3)
    vae = tiny("VAE", optimizer=made).fit(digits[0][:40])
    assert vae.net_.optimizer_.param_groups[0]["weight_decay"] == 0.3


def test_an_optimizer_that_calls_for_the_loss_is_refused(digits):
    with pytest.raises(ValueError, match=r"LBFGS.*evaluates the loss several times per step"):
        tiny("VAE", optimizer=torch.optim.LBFGS).fit(digits[0][:40])


@pytest.mark.parametrize("name", ["DeepCluster", "InstanceDiscrimination", "SwAV"])
@pytest.mark.parametrize("optimizer", [torch.optim.Adafactor, torch.optim.Adam, torch.optim.ASGD])
def test_prototypes_are_made_anew_under_any_optimizer(name, optimizer, digits):
    estimator = tiny(name, optimizer=optimizer, max_epochs=3).fit(digits[0][:60])
    estimator.partial_fit(digits[0][:70])
    assert np.isfinite(estimator.transform(digits[0])).all()


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


class Wrapped(torch.optim.AdamW):
    """Hands on what it is given."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


def test_weight_decay_reaches_a_class_that_hands_it_on(digits):
    vae = tiny("VAE", optimizer=Wrapped).fit(digits[0][:40])
    assert vae.net_.optimizer_.param_groups[0]["weight_decay"] == 0


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_parameters_may_get_their_first_gradient_late(optimizer):
    X = np.random.default_rng(0).standard_normal((60, 3)).astype(np.float32)
    freeze = [Freezer("encoder.*"), Unfreezer("encoder.*", at=3)]
    estimator = tiny("SimVAE", optimizer=optimizer, callbacks=freeze, max_epochs=4).fit(X)
    assert np.isfinite(estimator.transform(X)).all()


def test_prototypes_follow_a_memory_bank_under_sgd():
    X = np.random.default_rng(0).standard_normal((300, 3)).astype(np.float32)
    params = {"optimizer": "sgd", "memory_bank": True, "warm_start": True, "n_negatives": 16}
    estimator = tiny("InstanceDiscrimination", **params).fit(X)
    estimator.set_params(memory_bank=False).fit(X[:50])
    assert np.isfinite(estimator.transform(X)).all()


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
