"""A fit that goes on from its checkpoint is the fit that was never stopped."""

import json
import multiprocessing
import os
import pickle
import signal
import time
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from conftest import METHODS, TINY, RaiseAt, tiny
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import EarlyStopping, Freezer, LRScheduler
from torch import nn

from sklearn_simvae import DeepCluster, InstanceDiscrimination, SimVAE, SwAV, _fitting
from sklearn_simvae import _files as files
from sklearn_simvae.training import ResumeCheckpoint
from sklearn_simvae.views import FeatureCorruption


class Killed(BaseException):
    """What no code catches, as nothing catches a signal that kills."""


def rows(digits):
    return digits[0][:64]


def weights(estimator):
    return estimator.module_.state_dict()


def history(estimator):
    return [{k: v for k, v in row.items() if k != "dur"} for row in estimator.history_]


def assert_same_fit(one, other, X):
    assert history(one) == history(other)
    assert weights(one).keys() == weights(other).keys()
    for name, weight in weights(one).items():
        assert torch.equal(weight, weights(other)[name]), name
    assert_array_equal(one.transform(X), other.transform(X))


def interrupted(make, path, epoch, X, hook="batch_end", error=Killed, **params):
    estimator = make(callbacks=[ResumeCheckpoint(path), RaiseAt(hook, epoch, error())], **params)
    with pytest.raises(error):
        estimator.fit(X)


VARIANTS = {
    "default": {},
    "stopping early": {"early_stopping": True, "validation_fraction": 0.2},
    "sgd, one_cycle": {"optimizer": "sgd", "lr_schedule": "one_cycle"},
    "rmsprop, constant": {"optimizer": torch.optim.RMSprop, "lr_schedule": "constant"},
}


@pytest.mark.parametrize("params", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("method", ["SimVAE", "BYOL", "CLIP"])
def test_resumed_fit_is_the_uninterrupted_one(method, params, digits, tmp_path):
    assert_resumed_fit_is_the_same(method, rows(digits), tmp_path, {"max_epochs": 4, **params})


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("SimVAE", "BYOL", "CLIP")])
def test_resumed_fit_is_so_with_every_method(method, digits, tmp_path):
    assert_resumed_fit_is_the_same(method, rows(digits), tmp_path, {"max_epochs": 3})


def assert_resumed_fit_is_the_same(method, X, tmp_path, params):
    def make(**more):
        return tiny(method, **params, **more)

    whole = make().fit(X)
    path = tmp_path / "fit.checkpoint"
    interrupted(make, path, 3, X)
    _, metadata = files.unpack(path.read_bytes(), "it", "checkpoint")
    resumed = make(callbacks=ResumeCheckpoint(path)).fit(X)
    assert_same_fit(resumed, whole, X)
    # It went on, rather than begin anew: its first epochs took just as long.
    durations = [row["dur"] for row in resumed.history_]
    assert durations[:2] == [row["dur"] for row in metadata["history"]]
    assert not list(tmp_path.iterdir())
    assert_same_fit(resumed.partial_fit(X), whole.partial_fit(X), X)


GROWING = {
    "memory bank": InstanceDiscrimination(**TINY, memory_bank=True, n_negatives=5),
    "clusters": DeepCluster(**TINY, n_clusters=5),
    "queue": SwAV(**TINY, queue_size=20),
    "learned noise": SimVAE(**TINY, noise_variance="learned"),
}


@pytest.mark.parametrize("estimator", GROWING.values(), ids=GROWING)
def test_what_grows_with_the_data_is_resumed(estimator, digits, tmp_path):
    def make(**params):
        return type(estimator)(**{**estimator.get_params(), **params})

    X, path = rows(digits), tmp_path / "fit.checkpoint"
    interrupted(make, path, 2, X)
    assert_same_fit(make(callbacks=[ResumeCheckpoint(path)]).fit(X), make().fit(X), X)


def test_epochs_before_the_checkpoint_are_not_run_again(digits, tmp_path):
    X, path, begun = rows(digits), tmp_path / "fit.checkpoint", []

    class Count(RaiseAt):
        def on_epoch_begin(self, net, **kwargs):
            begun.append(len(net.history))

    interrupted(lambda **p: tiny("SimVAE", max_epochs=5, **p), path, 4, X)
    count = Count("never", 0, None)
    tiny("SimVAE", max_epochs=5, callbacks=[ResumeCheckpoint(path), count]).fit(X)
    assert begun == [4, 5]


NEVER_BETTER = {
    "max_epochs": 9,
    "lr": 1e-7,
    "early_stopping": True,
    "validation_fraction": 0.2,
    "n_iter_no_change": 3,
}


@pytest.mark.parametrize("epoch", [2, 3, 4])
def test_fit_that_stops_early_is_resumed_with_its_patience_and_best_weights(
    digits, tmp_path, epoch
):
    X, path = rows(digits), tmp_path / "fit.checkpoint"

    def make(**params):
        # A rate at which nothing improves by as much as counts: the first epoch stays the best.
        return tiny("SimCLR", **{**NEVER_BETTER, **params})

    whole = make().fit(X)
    assert whole.n_iter_ == 4
    interrupted(make, path, epoch, X)
    assert_same_fit(make(callbacks=ResumeCheckpoint(path)).fit(X), whole, X)


def test_seed_is_in_the_file_where_random_state_is_none(digits, tmp_path, monkeypatch):
    X, path = rows(digits), tmp_path / "fit.checkpoint"

    def make(**params):
        stopping = {"early_stopping": True, "validation_fraction": 0.25}
        return tiny("SimVAE", max_epochs=4, **{**stopping, "random_state": None, **params})

    interrupted(make, path, 3, X)
    _, metadata = files.unpack(path.read_bytes(), "it", "checkpoint")
    seed = metadata["fit"]["seed"]
    resumed = make(callbacks=ResumeCheckpoint(path)).fit(X)
    assert resumed.net_.seed == seed
    assert [row["dur"] for row in resumed.history_][:2] == [r["dur"] for r in metadata["history"]]
    # The parts that were set aside are those of that seed.
    whole = make(callbacks=ResumeCheckpoint(path))
    monkeypatch.setattr(_fitting, "seed_of", lambda random_state: seed)
    assert_same_fit(resumed, whole.fit(X), X)


def test_checkpoint_of_a_warm_start_goes_on_with_that_fit(digits, tmp_path):
    X, path = rows(digits), tmp_path / "fit.checkpoint"

    def fitted(**params):
        return tiny("BYOL", warm_start=True).fit(X).set_params(max_epochs=3, **params)

    other = fitted(callbacks=[ResumeCheckpoint(path), RaiseAt("batch_end", 5, Killed())])
    with pytest.raises(Killed):
        other.fit(X)
    assert_same_fit(fitted(callbacks=ResumeCheckpoint(path)).fit(X), fitted().fit(X), X)


def test_interrupted_by_the_user_keeps_the_file_and_goes_on_later(digits, tmp_path):
    X, path = rows(digits), tmp_path / "fit.checkpoint"
    stop = RaiseAt("batch_end", 3, KeyboardInterrupt())
    estimator = tiny("SimVAE", max_epochs=4, callbacks=[ResumeCheckpoint(path), stop])
    with pytest.warns(UserWarning, match="interrupted by user after 2 whole epochs"):
        estimator.fit(X)
    assert path.exists()
    estimator.set_params(callbacks=ResumeCheckpoint(path)).fit(X)
    assert_same_fit(estimator, tiny("SimVAE", max_epochs=4).fit(X), X)
    assert not path.exists()


def test_file_is_written_as_often_as_told_and_after_the_last_epoch(digits, tmp_path):
    X, path, seen = rows(digits), tmp_path / "fit.checkpoint", []

    class Look(RaiseAt):
        def on_train_end(self, net, **kwargs):
            seen.append(epochs())

        def on_epoch_begin(self, net, **kwargs):
            seen.append(epochs())

    def epochs():
        if not path.exists():
            return 0
        return files.unpack(path.read_bytes(), "it", "checkpoint")[1]["epochs"]

    callbacks = [Look("never", 0, None), ResumeCheckpoint(path, every_n_epochs=2)]
    tiny("SimVAE", max_epochs=5, callbacks=callbacks).fit(X)
    assert seen == [0, 0, 2, 2, 4, 5]


# ---------------------------------------------------------------- what is refused


@pytest.fixture
def checkpoint(digits, tmp_path):
    """That of a SimVAE after two of its three epochs."""
    path = tmp_path / "fit.checkpoint"
    interrupted(lambda **p: tiny("SimVAE", max_epochs=3, **p), path, 3, rows(digits))
    return path


OTHER_FITS = {
    "parameter": (lambda e, X: e.set_params(lr=0.5).fit(X), "lr=0.001 there and 0.5 here"),
    "seed": (lambda e, X: e.set_params(random_state=1).fit(X), "seed=.* there and .* here"),
    "rows": (lambda e, X: e.fit(X[1:]), "n_samples=64 there and 63 here"),
    "values": (lambda e, X: e.fit(X[::-1]), r"X \(checksum\)=.* there and .* here"),
    "epochs": (lambda e, X: e.set_params(max_epochs=2).fit(X), "max_epochs=3 there and 2 here"),
    "partial_fit": (lambda e, X: e.partial_fit(X), "partial_fit=False there and True here"),
    "augmentation": (
        lambda e, X: e.set_params(augmentation=FeatureCorruption(0.9)).fit(X),
        "augmentation='auto' there and .*FeatureCorruption.*0.9.* here",
    ),
    "function": (
        lambda e, X: e.set_params(optimizer=torch.optim.RAdam).fit(X),
        "optimizer='adam' there and 'torch.optim.radam.RAdam' here",
    ),
}


class Scale:
    """An augmentation that has attributes alone."""

    def __init__(self, low, high=1.0, seed=0):
        self.range = {"low": low, "high": np.float32(high)}
        self.rng = np.random.default_rng(seed)

    def __call__(self, x):
        return x * self.rng.uniform(**self.range)

    apply = __call__


class Shift(nn.Module):
    """One whose repr says nothing of what it adds."""

    def __init__(self, by):
        super().__init__()
        self.by = nn.Parameter(torch.full((2,), by), requires_grad=False)

    def forward(self, x):
        return x + self.by[0]


def scaled(x, by):
    return by * x


AUGMENTATIONS = {
    "attributes": (lambda: Scale(0.5), lambda: Scale(0.6)),
    "method": (lambda: Scale(0.5).apply, lambda: Scale(0.6).apply),
    "partial": (lambda: partial(scaled, by=2), lambda: partial(scaled, by=3)),
    "module": (lambda: Shift(0.5), lambda: Shift(0.6)),
    "parameters": (lambda: FeatureCorruption(0.5), lambda: FeatureCorruption(0.6)),
    "nested": (lambda: Sequence(Scale(0.5)), lambda: Sequence(Scale(0.6))),
    "function": (lambda: torch.sin, lambda: torch.cos),
}


class Sequence(Scale):
    """One that holds others."""

    def __init__(self, *steps):
        self.steps = [*steps, self]

    def __call__(self, x):
        return self.steps[0](x)


@pytest.mark.parametrize("one, other", AUGMENTATIONS.values(), ids=AUGMENTATIONS)
def test_augmentations_are_told_by_their_attributes(digits, tmp_path, one, other):
    X, path = rows(digits), tmp_path / "fit.checkpoint"
    interrupted(lambda **p: tiny("SimVAE", augmentation=one(), **p), path, 2, X)
    with pytest.raises(ValueError, match="another fit: augmentation="):
        tiny("SimVAE", augmentation=other(), callbacks=ResumeCheckpoint(path)).fit(X)
    assert tiny("SimVAE", augmentation=one(), callbacks=ResumeCheckpoint(path)).fit(X).n_iter_ == 2


def test_functions_are_told_by_name_alone(digits, tmp_path):
    X, path = rows(digits), tmp_path / "fit.checkpoint"
    one, other = (lambda x, by=by: x + by for by in (0.1, 0.2))
    interrupted(lambda **p: tiny("SimVAE", augmentation=one, **p), path, 2, X)
    assert tiny("SimVAE", augmentation=other, callbacks=ResumeCheckpoint(path)).fit(X).n_iter_ == 2


@pytest.mark.parametrize("other, message", OTHER_FITS.values(), ids=OTHER_FITS)
def test_checkpoint_of_another_fit_is_refused(checkpoint, digits, other, message):
    before = checkpoint.read_bytes()
    estimator = tiny("SimVAE", max_epochs=3, callbacks=ResumeCheckpoint(checkpoint))
    with pytest.raises(ValueError, match=f"(?s)another fit: .*{message}.*Delete"):
        other(estimator, rows(digits))
    assert checkpoint.read_bytes() == before
    assert not hasattr(estimator, "net_")


def test_checkpoint_of_another_method_is_refused(checkpoint, digits):
    with pytest.raises(ValueError, match="estimator='SimVAE' there and 'VAE' here"):
        tiny("VAE", max_epochs=3, callbacks=ResumeCheckpoint(checkpoint)).fit(rows(digits))


def test_verbosity_device_and_other_callbacks_may_change(checkpoint, digits):
    X = rows(digits)
    estimator = tiny("SimVAE", max_epochs=3, verbose=1, device="cpu", random_state=0)
    estimator.set_params(callbacks=[RaiseAt("never", 0, None), ResumeCheckpoint(checkpoint)]).fit(X)
    assert_same_fit(estimator, tiny("SimVAE", max_epochs=3).fit(X), X)


class Hostile:
    def __reduce__(self):
        return exec, ("raise SystemExit('the file ran code')",)


DAMAGE = {
    "cut short": lambda data: data[:-10],
    "cut in its header": lambda data: data[:30],
    "empty": lambda data: b"",
    "one bit": lambda data: data[:-4] + bytes([data[-4] ^ 1]) + data[-3:],
    "pickle": lambda data: pickle.dumps(Hostile()),
    "text": lambda data: b"not a checkpoint at all",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_file_is_refused_and_the_former_fit_survives(checkpoint, digits, damage):
    X = rows(digits)
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    before = checkpoint.read_bytes()
    estimator = tiny("SimVAE").fit(X)
    Z = estimator.transform(X)
    estimator.set_params(callbacks=ResumeCheckpoint(checkpoint), max_epochs=3, warm_start=True)
    with pytest.raises(ValueError, match="damaged"):
        estimator.fit(X)
    assert checkpoint.read_bytes() == before
    assert_array_equal(estimator.transform(X), Z)
    estimator.set_params(callbacks=None, max_epochs=2)
    once_more = tiny("SimVAE", warm_start=True).fit(X)
    assert_same_fit(estimator.fit(X), once_more.fit(X), X)


def test_weights_are_no_checkpoint(digits, tmp_path):
    X, path = rows(digits), tmp_path / "file"
    tiny("SimVAE").fit(X).save_weights(path)
    with pytest.raises(ValueError, match="kind 'weights', where 'checkpoint'"):
        tiny("SimVAE", callbacks=ResumeCheckpoint(path)).fit(X)


BAD = {
    "folder": (lambda path: [ResumeCheckpoint(path / "no" / "file")], "no folder"),
    "never": (lambda path: [ResumeCheckpoint(path / "file", 0)], "every_n_epochs"),
    "two": (
        lambda path: [ResumeCheckpoint(path / "a"), ResumeCheckpoint(path / "b")],
        "2 checkpoints",
    ),
    "schedule": (
        lambda path: [ResumeCheckpoint(path / "file"), LRScheduler("StepLR", step_size=1)],
        "LRScheduler cannot be resumed",
    ),
    "schedule of the optimizer": (
        lambda path: [ResumeCheckpoint(path / "file"), LRScheduler("StepLR", step_size=1)],
        "lr_schedule='constant'",
    ),
    "freezer": (
        lambda path: [Freezer("*"), ("c", ResumeCheckpoint(path / "f"))],
        "cannot be resumed",
    ),
}


@pytest.mark.parametrize("callbacks, message", BAD.values(), ids=BAD)
def test_bad_use_is_refused_before_any_work(digits, tmp_path, callbacks, message):
    schedule = "one_cycle" if "lr_schedule" in message else "constant"
    estimator = tiny("SimVAE", callbacks=callbacks(tmp_path), lr_schedule=schedule)
    with pytest.raises(ValueError, match=message):
        estimator.fit(rows(digits))
    assert not hasattr(estimator, "net_") and not list(tmp_path.iterdir())


def test_full_disk_warns_and_training_goes_on(digits, tmp_path, monkeypatch):
    X, path = rows(digits), tmp_path / "fit.checkpoint"

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sklearn_simvae._files.os.fsync", full)
    estimator = tiny("SimVAE", callbacks=ResumeCheckpoint(path))
    with pytest.warns(UserWarning, match="No space left") as warned:
        estimator.fit(X)
    assert "after 1 epochs" in str(warned[0].message)
    assert estimator.n_iter_ == 2 and not list(tmp_path.iterdir())


# ---------------------------------------------------------------- killed


def fit_and_write(path, out, X):
    checkpoint = ResumeCheckpoint(path)
    estimator = tiny("SwAV", max_epochs=60, callbacks=checkpoint).fit(X)
    np.save(out, estimator.transform(X))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks, to begin at once")
def test_killed_at_any_moment_it_goes_on_to_the_same_result(digits, tmp_path):
    X, path, out = rows(digits), tmp_path / "fit.checkpoint", tmp_path / "Z.npy"
    rng, fork = np.random.default_rng(0), multiprocessing.get_context("fork")

    def run(kill):
        process = fork.Process(target=fit_and_write, args=(path, out, X))
        process.start()
        # Once there is a checkpoint to go on from, or another than before.
        before = path.stat().st_mtime_ns if path.exists() else 0
        while kill and process.is_alive():
            if path.exists() and path.stat().st_mtime_ns != before:
                time.sleep(rng.uniform(0, 0.02))
                process.kill()
                break
        process.join()
        return process.exitcode

    assert run(kill=False) == 0
    expected = np.load(out)
    out.unlink()
    epochs = []
    for _ in range(5):
        assert run(kill=True) == -signal.SIGKILL
        _, metadata = files.unpack(path.read_bytes(), "it", "checkpoint")
        epochs.append(metadata["epochs"])
    assert 0 < epochs[0] < epochs[4] < 60
    assert run(kill=False) == 0
    assert_array_equal(np.load(out), expected)
    assert not path.exists()


def test_what_killed_writers_left_is_removed(digits, tmp_path):
    path = tmp_path / "fit.checkpoint"
    left = tmp_path / f".{path.name}.0123.part"
    left.write_bytes(b"half of a")
    (tmp_path / ".other.0123.part").write_bytes(b"of another file")
    tiny("SimVAE", callbacks=ResumeCheckpoint(path)).fit(rows(digits))
    assert [file.name for file in tmp_path.iterdir()] == [".other.0123.part"]


def test_metadata_is_json_and_names_no_device(checkpoint):
    data = checkpoint.read_bytes()
    header = data[8 : 8 + int.from_bytes(data[:8], "little")]
    assert json.loads(json.loads(header)["__metadata__"]["sklearn_simvae"])["epochs"] == 2
    assert b"cuda" not in header and b"cpu" not in header


def test_fit_without_interruption_is_that_without_a_checkpoint(make, digits, tmp_path):
    X = rows(digits)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*checkpoint")
        estimator = make(callbacks=[ResumeCheckpoint(tmp_path / "file")]).fit(X)
    assert_same_fit(estimator, make().fit(X), X)


def test_early_stopping_that_is_new_begins_where_the_fit_goes_on(checkpoint, digits):
    stop = EarlyStopping("train_loss", patience=100)
    estimator = tiny("SimVAE", max_epochs=3, callbacks=[ResumeCheckpoint(checkpoint), stop])
    expected = tiny("SimVAE", max_epochs=3).fit(rows(digits))
    assert_same_fit(estimator.fit(rows(digits)), expected, rows(digits))


def test_path_and_number_come_in_any_form(tmp_path):
    class Named(os.PathLike):
        def __fspath__(self):
            return str(tmp_path / "fit.ckpt")

    X = np.random.default_rng(0).random((40, 4))
    checkpoint = ResumeCheckpoint(Named(), every_n_epochs=np.int64(1))
    stop = RaiseAt("batch_end", 2, KeyboardInterrupt)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        tiny("VAE", callbacks=[checkpoint, stop]).fit(X)
    assert (tmp_path / "fit.ckpt").is_file()


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("n_fits", [1, 2])
def test_interrupted_warm_start_goes_on_in_the_same_estimator(tmp_path, n_fits, every):
    X = np.random.default_rng(0).random((60, 6)).astype(np.float32)
    params = {"max_epochs": 5, "warm_start": True, "batch_size": 16}
    expected, estimator = (tiny("SimVAE", **params) for _ in range(2))
    for _ in range(n_fits - 1):
        expected.fit(X)
        estimator.fit(X)
    expected.fit(X)
    checkpoint = ResumeCheckpoint(tmp_path / "fit.ckpt", every_n_epochs=every)
    stop = RaiseAt("batch_end", 5 * n_fits - 1, KeyboardInterrupt)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        estimator.set_params(callbacks=[checkpoint, stop]).fit(X)
    n_epochs = len(estimator.history_)
    assert n_epochs < len(expected.history_)
    with pytest.raises(ValueError, match="another fit: lr="):
        estimator.set_params(lr=0.5).fit(X)
    assert len(estimator.net_.history) == n_epochs
    estimator.set_params(lr=expected.lr, callbacks=[checkpoint]).fit(X)
    assert_array_equal(estimator.transform(X), expected.transform(X))
    assert len(estimator.history_) == 5 * n_fits
