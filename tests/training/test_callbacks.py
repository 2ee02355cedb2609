"""The bar and the kNN score of a fit, and what loggers write of it."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import RaiseAt, Spy, one_kind, tiny
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from skorch.callbacks import EarlyStopping

from sklearn_simvae.training import KNNScore, ResumeCheckpoint


@pytest.fixture(scope="module")
def labeled(digits):
    X, y = digits
    return X[:60], y[:60]


def leave_one_out(Z, y, n_neighbors):
    predicted = cross_val_predict(KNeighborsClassifier(n_neighbors), Z, y, cv=LeaveOneOut())
    return accuracy_score(y, predicted)


def assert_same_weights(one, other):
    mine, theirs = one.module_.state_dict(), other.module_.state_dict()
    assert mine.keys() == theirs.keys()
    for name, weight in mine.items():
        assert torch.equal(weight, theirs[name]), name


@one_kind
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_score_is_that_of_transform_and_weights_are_those_of_a_fit_without(make, digits, labeled):
    X, (_, y) = digits[0], labeled
    scored = make(callbacks=[KNNScore(*labeled, n_neighbors=3)]).fit(X)
    accuracies = [row["knn_accuracy"] for row in scored.history_]
    assert len(accuracies) == 2
    assert accuracies[-1] == leave_one_out(scored.transform(labeled[0]), y, 3)
    assert_same_weights(scored, make().fit(X))


@pytest.mark.parametrize(
    "params", [{"representation": "hidden"}, {"early_stopping": True}], ids=["hidden", "stopping"]
)
def test_score_is_that_of_transform_with_other_parameters(params, digits, labeled):
    scored = tiny("SimVAE", **params, callbacks=KNNScore(*labeled, n_neighbors=3)).fit(digits[0])
    Z = scored.transform(labeled[0])
    assert scored.history_[-1]["knn_accuracy"] == leave_one_out(Z, labeled[1], 3)


@pytest.mark.parametrize("as_dict", [False, True])
def test_score_of_several_modalities(as_dict, digits):
    X, y = digits[0][:60], digits[1][:60]
    X = {"left": X[:, :32], "right": X[:, 32:]} if as_dict else X
    scored = tiny("CLIP", callbacks=[KNNScore(X, y, n_neighbors=3)]).fit(X)
    assert scored.history_[-1]["knn_accuracy"] == leave_one_out(scored.transform(X), y, 3)


def test_score_of_samples_of_views_is_one_a_sample(sprites):
    y = np.arange(len(sprites)) % 2
    scored = tiny("SimCLR", callbacks=[KNNScore(sprites, y, n_neighbors=3)]).fit(sprites)
    assert scored.history_[-1]["knn_accuracy"] == leave_one_out(scored.transform(sprites), y, 3)


@pytest.mark.filterwarnings("error:X (has|does not have):UserWarning")
def test_rows_with_names_are_scored_also_where_a_fit_before_had_others(digits, labeled):
    X = pd.DataFrame(digits[0]).add_prefix("pixel")
    score = KNNScore(X[:60], labeled[1], n_neighbors=3)
    scored = tiny("SimVAE").fit(X.add_suffix("_before")).set_params(callbacks=[score]).fit(X)
    Z = scored.transform(X[:60])
    assert scored.history_[-1]["knn_accuracy"] == leave_one_out(Z, labeled[1], 3)
    assert list(scored.feature_names_in_) == list(X)


def test_score_is_taken_as_often_as_told_and_after_the_last_epoch(digits, labeled):
    score = KNNScore(*labeled, n_neighbors=3, every_n_epochs=2)
    scored = tiny("SimVAE", max_epochs=5, callbacks=[score]).fit(digits[0])
    assert [row["epoch"] for row in scored.history_ if "knn_accuracy" in row] == [2, 4, 5]
    # Each is an end.
    scored.partial_fit(digits[0])
    assert "knn_accuracy" in scored.history_[-1]


def test_scores_of_several_labels_have_names(digits, labeled):
    X, y = labeled
    scores = [KNNScore(X, y, 3, name="digit"), KNNScore(X, y % 2, 3, name="odd")]
    last = tiny("SimVAE", callbacks=scores).fit(digits[0]).history_[-1]
    assert last["odd"] > last["digit"]


def test_score_neither_draws_nor_leaves_a_trace_in_the_global_random_states(digits, labeled):
    before = torch.get_rng_state(), str(np.random.get_state())  # noqa: NPY002
    tiny("BYOL", callbacks=[KNNScore(*labeled, n_neighbors=3)]).fit(digits[0])
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == str(np.random.get_state())  # noqa: NPY002


def test_estimator_with_a_score_pickles_clones_and_goes_on(digits, labeled):
    X = digits[0]
    score = KNNScore(*labeled, n_neighbors=3)
    make = tiny("SimVAE", callbacks=[score], warm_start=True)
    scored = clone(make).fit(X)
    copy = pickle.loads(pickle.dumps(scored)).set_params(callbacks=[score]).fit(X)
    scored.fit(X)
    assert len(copy.history_) == 4
    for row, same in zip(copy.history_, scored.history_, strict=True):
        assert row["knn_accuracy"] == same["knn_accuracy"]
    Z = copy.transform(labeled[0])
    assert copy.history_[-1]["knn_accuracy"] == leave_one_out(Z, labeled[1], 3)


BAD = {
    "labels": ({"y": np.zeros(7, int)}, "60 rows X and 7 labels y"),
    "numbers": ({"y": np.linspace(0, 1, 60)}, "(?i)unknown label type"),
    "neighbors": ({"n_neighbors": 60}, "n_neighbors=60 of KNNScore needs more than 60 rows, got"),
    "no neighbors": ({"n_neighbors": 0}, "n_neighbors of KNNScore must be a positive int, got 0"),
    "epochs": ({"every_n_epochs": 0.5}, "every_n_epochs of KNNScore must be .* got 0.5"),
    "features": ({"X": np.zeros((60, 3))}, "X has 3 features"),
    "NaN": ({"X": np.full((60, 64), np.nan)}, "NaN"),
}


def test_columns_in_another_order_than_those_of_fit_are_refused(digits, labeled):
    table = pd.DataFrame(digits[0]).add_prefix("pixel")
    X, y = pd.DataFrame(labeled[0], columns=table.columns), labeled[1]
    scored = tiny("SimVAE", callbacks=[KNNScore(X, y, n_neighbors=3)]).fit(table)
    assert "knn_accuracy" in scored.history_[-1]
    other = KNNScore(X[X.columns[::-1]], y, n_neighbors=3)
    with pytest.raises(ValueError, match=r"columns pixel63, .* and that of fit pixel0, pixel1"):
        tiny("SimVAE", callbacks=[other]).fit(table)


@pytest.mark.parametrize("params, message", BAD.values(), ids=BAD)
def test_what_cannot_be_scored_is_refused_before_the_first_epoch(digits, labeled, params, message):
    X, y = labeled
    spy = Spy()
    score = KNNScore(**{"X": X, "y": y, "n_neighbors": 3, **params})
    with pytest.raises(ValueError, match=message):
        tiny("SimVAE", callbacks=[score, spy]).fit(digits[0])
    assert "epoch_begin" not in spy.hooks()


def test_scores_of_one_name_are_refused(digits, labeled):
    scores = [("a", KNNScore(*labeled)), ("b", KNNScore(*labeled))]
    with pytest.raises(ValueError, match="2 KNNScore of the name 'knn_accuracy'"):
        tiny("SimVAE", callbacks=scores).fit(digits[0])


def test_bar_shows_a_score_until_the_next(digits, labeled, capsys):
    score = KNNScore(*labeled, n_neighbors=3, every_n_epochs=2)
    scored = tiny("SimVAE", max_epochs=4, verbose=1, callbacks=[score]).fit(digits[0])
    shown = dict(re.findall(r"epoch (\d)[^\r]*knn_accuracy=([\d.]+)", capsys.readouterr().err))
    second, last = (f"{scored.history_[epoch - 1]['knn_accuracy']:.4g}" for epoch in (2, 4))
    # While an epoch runs, the bar has its number and the scores of those before.
    assert shown == {"3": second, "4": last}


def test_bar_of_a_resumed_fit_begins_where_that_goes_on(digits, tmp_path, capsys):
    X = digits[0]
    checkpoint = ResumeCheckpoint(tmp_path / "fit.checkpoint")
    stop = RaiseAt("batch_end", 3, RuntimeError("stopped"))
    with pytest.raises(RuntimeError, match="stopped"):
        tiny("SimVAE", max_epochs=4, callbacks=[checkpoint, stop]).fit(X)
    capsys.readouterr()
    resumed = tiny("SimVAE", max_epochs=4, callbacks=[checkpoint], verbose=1).fit(X)
    done = [int(n) for n in re.findall(r"(\d+)%", capsys.readouterr().err)]
    assert (done[0], done[-1]) == (50, 100)
    assert resumed.n_iter_ == 4


def test_tensorboard_writes_the_terms_and_the_score(digits, labeled, tmp_path):
    pytest.importorskip("tensorboard")
    from skorch.callbacks import TensorBoard
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    logger = TensorBoard(SummaryWriter(tmp_path))
    callbacks = [KNNScore(*labeled, n_neighbors=3), logger]
    logged = tiny("SimVAE", callbacks=callbacks).fit(digits[0])
    events = EventAccumulator(str(tmp_path)).Reload()
    for tag, name in [("Loss/train_loss", "loss"), ("knn_accuracy", "knn_accuracy")]:
        values = [event.value for event in events.Scalars(tag)]
        np.testing.assert_allclose(values, [row[name] for row in logged.history_], rtol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_epoch_at_which_training_stops_is_scored(digits, labeled):
    score = KNNScore(*labeled, n_neighbors=3, every_n_epochs=1000)
    estimator = tiny(
        "SimVAE", max_epochs=60, lr=0.1, early_stopping=True, n_iter_no_change=1, callbacks=score
    ).fit(digits[0])
    assert estimator.n_iter_ < 60
    scored = [row["epoch"] for row in estimator.history_ if "knn_accuracy" in row]
    assert scored == [estimator.n_iter_]


def test_an_interruption_while_a_callback_of_the_package_works_is_the_users(
    digits, labeled, tmp_path, monkeypatch
):
    path = tmp_path / "fit.checkpoint"

    def score(self, net):
        if len(net.history) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(KNNScore, "_score", score)
    callbacks = [KNNScore(*labeled), ResumeCheckpoint(path)]
    estimator = tiny("SimVAE", max_epochs=5, callbacks=callbacks)
    with pytest.warns(UserWarning, match="interrupted by user after 3 whole epochs"):
        estimator.fit(digits[0])
    assert estimator.n_iter_ == 3
    assert path.exists()


def test_a_score_that_stops_the_fit_by_design_is_no_interruption(digits, labeled):
    class Target(KNNScore):
        def on_epoch_end(self, net, **kwargs):
            super().on_epoch_end(net, **kwargs)
            if len(net.history) == 2:
                raise KeyboardInterrupt

    estimator = tiny("SimVAE", max_epochs=5, callbacks=Target(*labeled, n_neighbors=3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator.fit(digits[0])
    assert estimator.n_iter_ == 2


def test_the_last_score_is_of_the_last_weights_even_if_the_best_are_restored(digits, labeled):
    stop = EarlyStopping("train_loss", patience=1, threshold=100.0, load_best=True)
    scores = [
        tiny("SimVAE", max_epochs=9, callbacks=callbacks).fit(digits[0]).history_
        for callbacks in (
            [stop, KNNScore(*labeled, n_neighbors=3)],
            [KNNScore(*labeled, n_neighbors=3), stop],
            [stop, KNNScore(*labeled, n_neighbors=3, every_n_epochs=100)],
        )
    ]
    assert scores[0][-1]["knn_accuracy"] == scores[1][-1]["knn_accuracy"]
    assert scores[0][-1]["knn_accuracy"] == scores[2][-1]["knn_accuracy"]


def test_pickles_of_what_was_fitted_hold_no_data_of_scores(make, digits):
    X = digits[0]
    score = KNNScore(np.tile(X, (20, 1)), np.arange(20 * len(X)) % 2, n_neighbors=3)
    callbacks = [("knn", score), KNNScore(X, digits[1], n_neighbors=3, name="other")]
    estimator = make(callbacks=callbacks)
    n_bytes = score.X.nbytes
    # A process that is to fit it needs them.
    assert len(pickle.dumps(estimator)) > n_bytes
    estimator.fit(X)
    without = make().fit(X)
    for whole, other in ((estimator, without), (estimator.net_, without.net_)):
        assert len(pickle.dumps(whole)) < len(pickle.dumps(other)) + 3000
    assert len(pickle.dumps(clone(estimator))) > n_bytes
    assert estimator.callbacks is callbacks
    assert score.X is not None
    assert clone(estimator).fit(X).history_[-1].keys() >= {"knn_accuracy", "other"}


def test_what_was_unpickled_fits_without_the_score_and_says_so(make, labeled):
    X, y = labeled
    estimator = make(callbacks=KNNScore(X, y, n_neighbors=3)).fit(X)
    loaded = pickle.loads(pickle.dumps(estimator))
    assert loaded.history_ == estimator.history_
    with pytest.warns(UserWarning, match="KNNScore 'knn_accuracy' has no data.*set_params"):
        loaded.partial_fit(X)
    assert "knn_accuracy" not in loaded.history_[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        loaded.set_params(callbacks=KNNScore(X, y, n_neighbors=3)).partial_fit(X)
    assert "knn_accuracy" in loaded.history_[-1]
