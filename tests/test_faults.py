"""What goes wrong outside of a fit: it says so, and the fit before survives.

More of that is in test_fit.py (interruptions, callbacks, augmentations, divergence),
training/test_checkpoint.py, test_persistence.py and datasets/ (damaged files, full disks).
"""

import copy
import errno
import multiprocessing
import os
import signal
import time
import zipfile

import numpy as np
import pytest
from conftest import tiny
from faults import At, assert_survived
from joblib.externals.loky.process_executor import TerminatedWorkerError
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from sklearn_simvae.persistence import trusted_types
from sklearn_simvae.training import ResumeCheckpoint, run
from sklearn_simvae.views import LazyArray

unix = pytest.mark.skipif(os.name != "posix", reason="needs signals and fork")


@pytest.fixture(scope="module")
def X(digits):
    return digits[0][:80]


# ---------------------------------------------------------------- training


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def listening():
    """Ctrl-C is heard, which shells take from what they run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@unix
@pytest.mark.usefixtures("listening")
def test_ctrl_c_in_an_epoch_leaves_the_whole_epochs(make_one_of_each_kind, X):
    estimator = make_one_of_each_kind(
        callbacks=At("batch_begin", 3, ctrl_c), max_epochs=5, lr_schedule="constant"
    )
    with pytest.warns(ConvergenceWarning, match="interrupted .* 2 whole epochs"):
        estimator.fit(X)
    whole = make_one_of_each_kind(max_epochs=2, lr_schedule="constant").fit(X)
    assert_survived(estimator, whole, X)


@unix
@pytest.mark.usefixtures("listening")
def test_one_ctrl_c_stops_one_fit_of_a_search_and_a_second_one_the_search(X, monkeypatch):
    # Two seconds may be short for the fits of a busy machine.
    monkeypatch.setattr(run, "_MEANT_FOR_ALL", 60.0)

    def search(callbacks):
        estimator = tiny("SimVAE", max_epochs=3, lr_schedule="constant", callbacks=callbacks)
        grid = {"style_variance": [0.1, 0.2, 0.3]}
        return GridSearchCV(estimator, grid, cv=[(np.arange(20), np.arange(20, 40))], refit=False)

    class Interrupt(Callback):
        n_fits = 0

        def __init__(self, fits):
            self.fits = fits

        def on_train_begin(self, net, **kwargs):
            Interrupt.n_fits += 1

        def on_batch_begin(self, net, **kwargs):
            if Interrupt.n_fits in self.fits and len(net.history) == 2:
                ctrl_c()

    with pytest.warns(ConvergenceWarning, match="again within two seconds to stop that, too"):
        search(Interrupt([2])).fit(X)
    assert Interrupt.n_fits == 3
    Interrupt.n_fits = 0
    run._Interruptions.last = -np.inf
    with pytest.raises(KeyboardInterrupt), pytest.warns(ConvergenceWarning):
        search(Interrupt([1, 2])).fit(X)
    assert Interrupt.n_fits == 2


@unix
@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("fitted", [False, True])
def test_a_second_ctrl_c_keeps_the_whole_epochs(make, X, fitted, monkeypatch):
    monkeypatch.setattr(run, "_MEANT_FOR_ALL", 60.0)
    params = {"max_epochs": 5, "lr_schedule": "constant"}
    estimator = make(callbacks=At("batch_begin", 3, ctrl_c), **params)
    if fitted:
        estimator.set_params(callbacks=None).fit(X)
        estimator.set_params(callbacks=At("batch_begin", 3, ctrl_c))
    run._Interruptions.last = time.monotonic() - 1
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X)
    whole = make(max_epochs=2, lr_schedule="constant").fit(X)
    assert_survived(estimator, whole, X)
    # Later, a fit is one by itself again.
    run._Interruptions.last = time.monotonic() - 61
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        estimator.set_params(callbacks=At("batch_begin", 3, ctrl_c)).fit(X)


def fails():
    raise RuntimeError("the callback fails")


@pytest.mark.parametrize("hook", ["train_begin", "grad_computed", "train_end"])
def test_a_callback_that_raises_leaves_the_fit_before(make_one_of_each_kind, X, hook):
    estimator = make_one_of_each_kind().fit(X)
    before = copy.deepcopy(estimator)
    epoch = {"train_begin": 2, "grad_computed": 3, "train_end": 3}[hook]
    estimator.set_params(callbacks=At(hook, epoch, fails))
    with pytest.raises(RuntimeError, match="the callback fails"):
        estimator.partial_fit(X)
    assert_survived(estimator, before, X)


def test_a_warm_fit_that_fails_later_keeps_its_whole_epochs(make_one_of_each_kind, X):
    params = {"warm_start": True, "lr_schedule": "constant"}
    estimator = make_one_of_each_kind(**params).fit(X)
    with pytest.raises(RuntimeError, match="the callback fails"):
        estimator.set_params(callbacks=At("grad_computed", 4, fails)).fit(X)
    whole = make_one_of_each_kind(**params).fit(X).set_params(max_epochs=1).fit(X)
    assert whole.n_iter_ == 3
    assert_survived(estimator.set_params(max_epochs=1), whole, X)


def test_a_disk_that_cannot_be_read_leaves_the_fit_before(make_one_of_each_kind, X):
    estimator = make_one_of_each_kind(warm_start=True).fit(X)
    before = copy.deepcopy(estimator)
    reads = []

    def read(rows):
        reads.append(rows)
        if len(reads) > 5:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return X[rows]

    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        estimator.fit(LazyArray(read, X.shape, X.dtype))
    assert_survived(estimator, before, X)


# ---------------------------------------------------------------- files


def fit_and_save_on_a_full_disk(path, X, results):
    """A file may not grow beyond 100 bytes here, where writing fails as on a full disk."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    estimator = tiny("SimVAE", callbacks=ResumeCheckpoint(path / "fit.checkpoint"))
    with pytest.warns(UserWarning, match="could not be written after 1 epochs"):
        estimator.fit(X)
    try:
        estimator.save_weights(path / "weights")
        error = None
    except OSError as caught:
        error = caught.errno
    results.put((estimator.n_iter_, error))


@unix
def test_a_full_disk_ends_no_fit_and_damages_no_file(X, tmp_path):
    (tmp_path / "weights").write_bytes(b"what was there before")
    fork = multiprocessing.get_context("fork")
    results = fork.SimpleQueue()
    process = fork.Process(target=fit_and_save_on_a_full_disk, args=(tmp_path, X, results))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert results.get() == (2, errno.EFBIG)
    assert [file.name for file in tmp_path.iterdir()] == ["weights"]
    assert (tmp_path / "weights").read_bytes() == b"what was there before"


@pytest.mark.parametrize("there", [True, False], ids=["replaced by a file", "removed"])
def test_a_checkpoint_whose_folder_goes_away_ends_no_fit(X, tmp_path, there):
    folder, away = tmp_path / "folder", tmp_path / "away"
    folder.mkdir()

    def lose_folder():
        folder.rename(away)
        if there:
            folder.touch()

    callbacks = [ResumeCheckpoint(folder / "fit.checkpoint"), At("epoch_end", 2, lose_folder)]
    estimator = tiny("SimVAE", max_epochs=3, callbacks=callbacks)
    with pytest.warns(UserWarning) as warned:
        estimator.fit(X)
    assert "could not be written after 2 epochs" in str(warned[0].message)
    assert_array_equal(estimator.transform(X), tiny("SimVAE", max_epochs=3).fit_transform(X))


def test_a_checkpoint_that_cannot_be_removed_ends_no_fit(X, tmp_path, monkeypatch):
    path = tmp_path / "fit.checkpoint"

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    def close_folder():
        monkeypatch.setattr("pathlib.Path.unlink", refuse)

    estimator = tiny("SimVAE", callbacks=[ResumeCheckpoint(path), At("train_end", 2, close_folder)])
    with pytest.warns(UserWarning, match="Permission denied.*Remove it"):
        estimator.fit(X)
    assert estimator.n_iter_ == 2 and path.exists()


def test_a_checkpoint_at_a_folder_is_refused(X, tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        tiny("SimVAE", callbacks=ResumeCheckpoint(tmp_path)).fit(X)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
def test_a_skops_file_that_is_cut_short_is_refused(X, tmp_path, keep):
    io = pytest.importorskip("skops.io")
    path = tmp_path / "model.skops"
    io.dump(tiny("SimVAE", max_epochs=1).fit(X), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(zipfile.BadZipFile):
        io.load(path, trusted=trusted_types())


# ---------------------------------------------------------------- searches


class Exit(Callback):
    """Ends the process, as the system does with one that takes too much memory."""

    def on_batch_begin(self, net, **kwargs):
        os._exit(1)


@pytest.mark.slow
def test_a_worker_that_dies_ends_the_search_by_an_error(X):
    estimator = tiny("SimVAE").fit(X)
    before = copy.deepcopy(estimator)
    estimator.set_params(callbacks=Exit())
    search = GridSearchCV(estimator, {"n_components": [2]}, cv=2, n_jobs=2, refit=False)
    with pytest.raises(TerminatedWorkerError):
        search.fit(X)
    search.set_params(estimator__callbacks=None, n_jobs=1).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert_survived(estimator, before, X)


def test_a_fit_that_fails_in_a_search_leaves_the_others(X):
    search = GridSearchCV(tiny("SimVAE"), {"lr": [1e20, 1e-3]}, cv=2)
    with pytest.warns(FitFailedWarning, match="DivergenceError.*diverged"):
        search.fit(X)
    assert search.best_params_ == {"lr": 1e-3}
    assert np.isnan(search.cv_results_["mean_test_score"][0])
