"""Models of probes, and the settings that are chosen on validation rows."""

import warnings

import numpy as np
import pytest
from known_content import CONTENT, N_CLASSES, NOISE, ONE_HOT, N, SpyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_simvae.evaluation import probe_models
from sklearn_simvae.evaluation.probe_models import fit_probe
from sklearn_simvae.evaluation.probes import check_seeds, make_splits, probe


def test_mixture_sees_no_labels(rng):
    """Its clusters are the same whatever the labels, and so is their agreement with one another."""
    Z = ONE_HOT + 0.1 * rng.standard_normal(ONE_HOT.shape)
    shuffled = rng.permutation(CONTENT)
    right = probe(None, Z, CONTENT, probes=["gmm"], n_repeats=1, random_state=0)
    wrong = probe(None, Z, shuffled, probes=["gmm"], n_repeats=1, random_state=0)
    assert right.mean(metric="nmi") == pytest.approx(1.0)
    assert wrong.mean(metric="ari") == pytest.approx(0.0, abs=0.1)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("rank", [1, 3])
def test_mixture_does_not_fail_on_repeated_features(rank):
    Z = np.tile(NOISE[:, :rank], 20 // rank)
    table = probe(None, Z, CONTENT, probes=["gmm"], n_repeats=1, random_state=0)
    assert np.isfinite([row["value"] for row in table]).all()


@pytest.mark.parametrize("d, expected", [(32, "full"), (33, "diag")])
def test_mixture_of_wide_representations_is_diagonal(d, expected, rng):
    Z = np.hstack([ONE_HOT, rng.standard_normal((N, d - N_CLASSES))])
    table = probe(None, Z, CONTENT, probes=["gmm"], n_repeats=1, random_state=0)
    assert {row["setting"] for row in table} == {f"covariance_type={expected}"}


def best_by_hand(Z, y, grid, make):
    """The setting that is best on the validation rows of the only split."""
    seed = check_seeds(1, 0)[0]
    [(_, (train, validation, test))] = make_splits(
        len(y), [seed], test_size=0.2, validation_size=0.2, classes=y
    )
    scores = [
        make_pipeline(StandardScaler(), make(value))
        .fit(Z[train], y[train])
        .score(Z[validation], y[validation])
        for value in grid
    ]
    best = make_pipeline(StandardScaler(), make(grid[np.argmax(scores)]))
    both = np.concatenate([train, validation])
    return grid[np.argmax(scores)], best.fit(Z[both], y[both]).score(Z[test], y[test])


@pytest.mark.parametrize("noise", [0.1, 0.7, 1.5])
def test_k_is_chosen_on_validation_rows_and_the_probe_refitted_with_them(noise, rng):
    Z = (ONE_HOT + noise * rng.standard_normal(ONE_HOT.shape)).astype(np.float32)
    k, accuracy = best_by_hand(Z, CONTENT, [1, 5, 15, 50], KNeighborsClassifier)
    table = probe(None, Z, CONTENT, probes=["knn"], n_repeats=1, random_state=0)
    assert {row["setting"] for row in table} == {f"n_neighbors={k}"}
    assert table.mean(metric="accuracy") == pytest.approx(accuracy)


@pytest.mark.parametrize("name", ["linear", "mlp", "knn"])
def test_neither_test_rows_nor_their_classes_change_a_probe(name, rng, short):
    Z = (ONE_HOT + 0.3 * rng.standard_normal(ONE_HOT.shape)).astype(np.float32)
    [(seed, split)] = make_splits(N, [0], test_size=0.3, validation_size=0.3, classes=CONTENT)
    other_Z, other_y = Z.copy(), CONTENT.copy()
    other_Z[split[2]] = 1e6
    other_y[split[2]] = 99
    model, setting = fit_probe(name, Z, CONTENT, split, seed)
    other, other_setting = fit_probe(name, other_Z, other_y, split, seed)
    assert setting == other_setting
    np.testing.assert_array_equal(model.predict(Z), other.predict(Z))


def test_settings_do_not_follow_the_classes_of_test_rows(rng):
    Z = ONE_HOT + rng.standard_normal(ONE_HOT.shape)
    X_test, wrong = Z[::2], np.roll(CONTENT[::2], 40)
    kwargs = {"X_test": X_test, "probes": ["linear", "knn"], "random_state": 0}
    right = probe(None, Z, CONTENT, y_test=CONTENT[::2], **kwargs)
    other = probe(None, Z, CONTENT, y_test=wrong, **kwargs)
    assert [row["setting"] for row in right] == [row["setting"] for row in other]
    assert right.mean(metric="accuracy") > other.mean(metric="accuracy") + 0.2


def test_neighbors_are_never_more_than_train_rows():
    y = np.arange(24) % 2
    table = probe(None, NOISE[:24], y, probes=["knn"], n_repeats=8, random_state=0)
    # 15 train rows.
    assert {row["setting"] for row in table} <= {f"n_neighbors={k}" for k in (1, 5, 15)}
    tiny_table = probe(
        None, NOISE[:12], y[:12], probes=["knn"], n_repeats=4, test_size=0.5, validation_size=0.5
    )
    assert {row["setting"] for row in tiny_table} == {"n_neighbors=1"}


def test_own_classifiers_are_cloned_and_fitted_as_they_are(spied):
    own = SpyClassifier()
    svc = SVC(C=0.5)
    table = probe(
        None,
        100 * NOISE,
        CONTENT,
        probes={"own": own, "svm": svc, "mine": "linear"},
        n_repeats=1,
        random_state=0,
    )
    assert [row["probe"] for row in table[::2]] == ["own", "svm", "mine"]
    assert not hasattr(own, "classes_")
    assert not hasattr(svc, "classes_")
    (_, X, y, seed), _ = spied
    # Neither scaled, nor seeded twice alike, and of train and validation rows together.
    assert len(X) == len(y) == 0.8 * N
    assert X.std() > 50
    assert X.dtype == np.float32
    assert type(seed) is int
    assert table.select(probe="own")[0]["setting"] == ""
    assert table.select(probe="mine")[0]["setting"].startswith("C=")


def test_a_random_state_of_ones_own_stands(spied):
    probe(None, NOISE, CONTENT, probes={"own": SpyClassifier(random_state=7)}, n_repeats=1)
    assert {call[3] for call in spied} == {7}


def test_only_the_network_is_cut_short_in_silence(short, monkeypatch):
    kwargs = {"n_repeats": 1, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        probe(None, NOISE, CONTENT, probes=["linear", "mlp"], **kwargs)
    monkeypatch.setattr(
        probe_models, "LogisticRegression", lambda max_iter: LogisticRegression(max_iter=1)
    )
    with pytest.warns(ConvergenceWarning):
        probe(None, NOISE, CONTENT, probes=["linear"], **kwargs)


def test_splitter_of_an_own_search_draws_from_the_seed():
    folds = StratifiedKFold(3, shuffle=True)
    own = GridSearchCV(LogisticRegression(), {"C": [1e-3, 1e-2, 0.1, 1]}, cv=folds)
    y = np.random.default_rng(1).integers(0, 2, N)
    Z = NOISE + 0.4 * y[:, None]
    tables = [list(probe(None, Z, y, probes={"own": own}, random_state=0)) for _ in range(4)]
    assert all(table == tables[0] for table in tables)
    assert folds.random_state is None
