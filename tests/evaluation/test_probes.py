"""How well classes are read, on representations of which it is known what they hold."""

import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import tiny
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from known_content import CONTENT, N_CLASSES, NOISE, ONE_HOT, N
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_simvae.evaluation.probes import PROBES, class_scores, clustering_accuracy, probe


class SpyTransformer(BaseEstimator):
    """Gives rows back, and keeps those that it was given."""

    def __init__(self):
        self.seen = []

    def transform(self, X):
        self.seen.append(np.array(X))
        return X


def global_states():
    """What numpy and torch would draw next, if they were asked."""
    return str(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002


# What probes tell of known representations
@pytest.mark.parametrize("name", PROBES)
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_content_is_read_without_error_where_nothing_else_is_there(name, scale):
    table = probe(None, scale * ONE_HOT, CONTENT, probes=[name], n_repeats=2, random_state=0)
    assert [row["value"] for row in table] == pytest.approx([1.0] * len(table))


@pytest.mark.parametrize("name", PROBES)
def test_nothing_is_read_off_noise(name):
    n_repeats = 1 if name == "mlp" else 3
    table = probe(None, NOISE, CONTENT, probes=[name], n_repeats=n_repeats, random_state=0)
    for metric in {row["metric"] for row in table}:
        # The best matching of clusters is a little above chance.
        chance = 1 / N_CLASSES if "accuracy" in metric else 0.0
        assert abs(table.mean(metric=metric) - chance) < 0.15


@pytest.mark.parametrize("name", ["linear", "mlp", "knn"])
def test_content_is_read_beside_as_much_style(name):
    Z = np.hstack([10 * ONE_HOT, NOISE[:, :2]])
    table = probe(None, Z, CONTENT, probes=[name], n_repeats=2, random_state=0)
    assert table.mean(metric="accuracy") > 0.97


def test_probes_tell_content_on_a_line_from_content_that_is_bent(rng):
    """Which is what there is more than one probe for."""
    angle = rng.uniform(0, 2 * np.pi, 400)
    y = (np.sin(3 * angle) > 0).astype(int)
    Z = np.column_stack([np.cos(angle), np.sin(angle)])
    table = probe(None, Z, y, probes=("linear", "knn", "mlp"), n_repeats=1, random_state=0)
    assert table.mean(probe="linear", metric="accuracy") < 0.8
    assert table.mean(probe="knn", metric="accuracy") > 0.9
    assert table.mean(probe="mlp", metric="accuracy") > 0.9


def test_balanced_accuracy_counts_classes_alike():
    y = np.repeat([0, 1], [190, 10])
    table = probe(None, NOISE[:200], y, probes=["linear"], random_state=0)
    assert table.mean(metric="accuracy") > 0.9
    assert table.mean(metric="balanced_accuracy") == pytest.approx(0.5, abs=0.1)


def test_class_scores_are_scikit_learns_without_its_warning():
    y = np.array(["a", "a", "b", "c", "c", "c"])
    predicted = np.array(["a", "b", "b", "c", "a", "c"])
    assert class_scores(y, predicted)["balanced_accuracy"] == pytest.approx(
        balanced_accuracy_score(y, predicted)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = class_scores(np.array([0, 0, 1]), np.array([0, 2, 1]))
    assert scores == {
        "accuracy": pytest.approx(2 / 3),
        "balanced_accuracy": pytest.approx(0.75),
    }


# Clusters
@pytest.mark.parametrize(
    "y, clusters, expected",
    [
        ([0, 0, 1, 1], [1, 1, 0, 0], 1.0),
        (["cat", "cat", "dog", "dog"], [5, 5, 9, 5], 0.75),
        # More clusters than classes, and fewer.
        ([0, 0, 0, 1], [0, 1, 2, 3], 0.5),
        ([0, 1, 2, 3], [0, 0, 0, 0], 0.25),
        # Matched one by one: each cluster's most frequent class would give 3/4.
        ([0, 0, 0, 1], [0, 0, 1, 1], 0.75),
        ([0, 0, 0, 0, 1], [0, 0, 1, 1, 1], 0.6),
        ([True, False], ["x", "y"], 1.0),
    ],
)
def test_clusters_are_matched_to_classes_one_by_one(y, clusters, expected):
    assert clustering_accuracy(y, clusters) == pytest.approx(expected)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
def test_matching_ignores_names_and_order_and_is_bounded(pairs):
    y, clusters = np.array(pairs).T
    accuracy = clustering_accuracy(y, clusters)
    largest = np.bincount(clusters).max()
    assert 1 / len(y) <= accuracy <= 1
    # One cluster alone gets at least its share of one class.
    assert accuracy >= largest / len(y) / 5
    assert clustering_accuracy(clusters, y) == pytest.approx(accuracy)
    order = np.random.default_rng(0).permutation(len(y))
    names = np.array(list("vwxyz"))
    assert clustering_accuracy(names[y][order], 7 - clusters[order]) == pytest.approx(accuracy)
    assert clustering_accuracy(y, y) == 1.0


@pytest.mark.parametrize("y, clusters", [([0, 1], [0]), ([], []), ([[0, 1], [1, 0]], [0, 1])])
def test_matching_refuses_what_cannot_be_matched(y, clusters):
    with pytest.raises(ValueError):
        clustering_accuracy(y, clusters)


@pytest.mark.parametrize("d", [1, 8, 40])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_no_probe_fails_on_a_collapsed_representation(d):
    Z = np.full((N, d), 0.3, dtype=np.float32)
    table = probe(None, Z, CONTENT, n_repeats=1, random_state=0)
    for name in PROBES:
        assert table.mean(probe=name, metric="accuracy") == pytest.approx(1 / N_CLASSES, abs=0.01)
    assert table.mean(metric="nmi") == pytest.approx(0)


# The ways of use
def test_features_are_computed_once_whatever_the_probes_and_repeats():
    spy = SpyTransformer()
    probe(spy, NOISE, CONTENT, probes=["linear", "knn", "gmm"], n_repeats=2, random_state=0)
    assert len(spy.seen) == 1
    spy.seen.clear()
    probe(
        spy,
        NOISE,
        CONTENT,
        X_test=NOISE[:9],
        y_test=CONTENT[:9],
        probes=["linear", "knn"],
        random_state=0,
    )
    assert [len(X) for X in spy.seen] == [N, 9]


def test_rows_name_probe_metric_seed_value_and_setting():
    table = probe(None, NOISE, CONTENT, probes=["linear", "gmm"], n_repeats=2, random_state=0)
    assert all(list(row) == ["probe", "metric", "seed", "value", "setting"] for row in table)
    assert table.labels() == [
        {"probe": "linear", "metric": "accuracy"},
        {"probe": "linear", "metric": "balanced_accuracy"},
        {"probe": "gmm", "metric": "accuracy"},
        {"probe": "gmm", "metric": "nmi"},
        {"probe": "gmm", "metric": "ari"},
    ]
    assert [row["n"] for row in table.summary()] == [2] * 5
    assert len({row["seed"] for row in table}) == 2
    assert all(type(row["value"]) is float and type(row["seed"]) is int for row in table)
    assert all(row["setting"].startswith("C=") for row in table.select(probe="linear"))


def test_random_state_fixes_the_table_and_global_states_are_left_alone(short):
    built_in = {name: name for name in ("linear", "mlp", "gmm")}
    kwargs = {"probes": {**built_in, "forest": RandomForestClassifier(3)}, "n_repeats": 1}
    X, y = ONE_HOT[::4] + NOISE[::4, :4] / 2, CONTENT[::4]
    states = global_states()
    first = probe(None, X, y, random_state=0, **kwargs)
    assert first == probe(None, X, y, random_state=0, **kwargs)
    assert first == probe(None, X, y, random_state=np.random.RandomState(0), **kwargs)
    assert first != probe(None, X, y, random_state=1, **kwargs)
    assert probe(None, X, y, **kwargs) != probe(None, X, y, **kwargs)
    assert global_states() == states


def test_numbers_do_not_depend_on_n_jobs():
    kwargs = {"probes": ["linear", "knn"], "n_repeats": 2, "random_state": 0}
    alone = probe(None, NOISE, CONTENT, **kwargs)
    # Threads start sooner than processes.
    with joblib.parallel_config(backend="threading"):
        assert alone == probe(None, NOISE, CONTENT, n_jobs=2, **kwargs)


def make_simvae(X):
    return tiny("SimVAE").fit(X)


def make_pca(X):
    return PCA(5).fit(X)


def make_pipe(X):
    return make_pipeline(StandardScaler(), PCA(5)).fit(X)


@pytest.mark.parametrize("make", [make_simvae, make_pca, make_pipe])
def test_any_fitted_transformer_will_do(make, digits):
    X, y = digits
    keep = y < 4
    X, y = np.array(X[keep]), y[keep]
    estimator = make(X)
    through = probe(estimator, X, y, probes=["linear", "knn"], n_repeats=1, random_state=0)
    Z = estimator.transform(X)
    assert through == probe(None, Z, y, probes=["linear", "knn"], n_repeats=1, random_state=0)
    assert through == probe(
        "passthrough", Z, y, probes=["linear", "knn"], n_repeats=1, random_state=0
    )
    if make is not make_simvae:
        assert through.mean(metric="accuracy") > 0.9


@pytest.mark.parametrize(
    "as_labels",
    [
        list,
        lambda y: np.array(list("abcd"))[y],
        lambda y: np.array(list("abcd"), dtype=object)[y],
        lambda y: pd.Series(np.array(list("abcd"))[y]),
        lambda y: pd.Series(y, dtype="category"),
        lambda y: pd.Series(y, dtype="Int64"),
        lambda y: y.astype(float),
        lambda y: y[:, None],
    ],
)
def test_labels_of_any_kind_give_the_same_numbers(as_labels, rng):
    Z = ONE_HOT + rng.standard_normal(ONE_HOT.shape) / 2
    kwargs = {"X_test": Z[:50], "probes": ["linear", "knn", "gmm"], "n_repeats": 1}
    y_test = CONTENT[np.r_[:25, -25:0]]
    kwargs["random_state"] = 0
    expected = probe(None, Z, CONTENT, y_test=y_test, **kwargs)
    table = probe(None, pd.DataFrame(Z), as_labels(CONTENT), y_test=as_labels(y_test), **kwargs)
    for row, other in zip(table, expected, strict=True):
        assert row["value"] == pytest.approx(other["value"])


def test_truth_values_are_classes():
    Z = NOISE[:, :2]
    table = probe(None, Z, Z[:, 0] > 0, probes=["linear", "mlp", "knn"], n_repeats=1)
    assert table.mean(metric="balanced_accuracy") > 0.85


def test_rows_of_views_make_one_representation_each(sprites):
    model = tiny("SimVAE", encoder="mlp").fit(sprites)
    y = np.arange(40) % 2
    table = probe(model, sprites, y, probes=["linear"], n_repeats=1, random_state=0)
    assert len(table) == 2


def test_nothing_given_is_modified():
    X, y, groups = NOISE.copy(), CONTENT.copy(), np.arange(N) // 3
    probe(None, X, y, groups=groups, probes=["linear", "gmm"], n_repeats=1, random_state=0)
    np.testing.assert_array_equal(X, NOISE)
    np.testing.assert_array_equal(y, CONTENT)


# Bad input
@pytest.mark.parametrize(
    "change, message",
    [
        ({"y": CONTENT[:-1]}, "inconsistent numbers of samples"),
        ({"y": np.zeros(N)}, "one class"),
        ({"y": NOISE[:, 0]}, "continuous.*style_probe"),
        ({"y": np.where(CONTENT == 0, np.nan, CONTENT)}, "60 missing"),
        ({"y": np.where(CONTENT == 0, None, CONTENT)}, "60 missing"),
        ({"y": pd.array(CONTENT, "Int64").take([-1, *range(1, N)], allow_fill=True)}, "1 missing"),
        ({"y": np.full(N, np.datetime64("2020-01-01"))}, "datetime64"),
        ({"y": ONE_HOT}, "one label for each row"),
        ({"y": np.r_[CONTENT[:-1], 9]}, "class 9 has 1 row.*8 rows of each class"),
        ({"X_test": NOISE}, "y_test must be given together"),
        ({"y_test": CONTENT}, "y_test must be given together"),
        ({"X_test": NOISE[:2], "y_test": [0, 9]}, r"does not have: \[9\]"),
        ({"X_test": NOISE[:2], "y_test": [0, 1, 2]}, "inconsistent numbers of samples"),
        ({"groups": np.arange(N - 1)}, "groups has 239 rows"),
        ({"groups": np.zeros(N)}, "there are 1 groups"),
        ({"groups": CONTENT == 0}, "there are 2 groups"),
        ({"y": np.arange(N) >= 80, "groups": np.arange(N) // 80}, "one class only left"),
        ({"groups": np.where(CONTENT == 0, np.nan, 1.0)}, "groups has 60 missing"),
        ({"probes": ["linear", "svm"]}, "'svm', which is no probe.*'linear', 'mlp', 'knn', 'gmm'"),
        ({"probes": [SVC()]}, "give a dict"),
        ({"probes": {"svm": SVC}}, "no probe"),
        ({"probes": {"pca": PCA()}}, "no probe"),
        ({"probes": {0: "linear"}}, "no probe"),
        ({"probes": []}, "empty"),
        ({"probes": None}, "None, which names no probe.*'linear'"),
        ({"probes": SVC()}, "SVC.., which names no probe"),
        ({"probes": {"mine": 5}}, "5, which is no probe"),
        ({"probes": {"mine": None}}, "None, which is no probe"),
        ({"groups": NOISE}, "groups must be one label for each row"),
        ({"n_repeats": 0}, "n_repeats must be"),
        ({"n_repeats": 1.5}, "n_repeats must be"),
        ({"test_size": 0}, "test_size must be"),
        ({"test_size": 1.0}, "test_size must be"),
        ({"test_size": "a"}, "test_size must be"),
        ({"validation_size": -0.1}, "validation_size must be"),
        ({"validation_size": 20}, "validation_size must be"),
        ({"random_state": "a"}, "seed"),
    ],
)
def test_bad_input_is_refused_before_anything_is_transformed(change, message):
    spy = SpyTransformer()
    with pytest.raises(ValueError, match=message):
        probe(spy, **{"X": NOISE, "y": CONTENT, **change})
    assert not spy.seen


@pytest.mark.parametrize(
    "estimator, X, message",
    [
        (SVC(), NOISE, "has no transform"),
        (None, np.where(NOISE > 3, np.nan, NOISE).clip(-1, None) * np.inf, "representations"),
        (None, np.full((N, 2), 1e300), "too large for dtype\\('float32'\\)"),
        (None, NOISE.reshape(N, 3, 2), "dim 3"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*(overflow|invalid value)")
def test_representations_must_be_finite_rows(estimator, X, message):
    with pytest.raises(ValueError, match=message):
        probe(estimator, X, CONTENT)


def test_transformer_must_give_a_row_for_each_row():
    class Halves(BaseEstimator):
        def transform(self, X):
            return X[::2]

    with pytest.raises(ValueError, match="inconsistent numbers"):
        probe(Halves(), NOISE, CONTENT)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(2, 5),
    st.integers(8, 30),
    st.integers(1, 4),
    st.integers(0, 2**31 - 1),
)
def test_any_representation_of_enough_rows_is_read(n_classes, n_each, d, seed):
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(n_classes), n_each)
    Z = rng.standard_normal((len(y), d)) * 10.0 ** rng.integers(-20, 20, d)
    assume(np.isfinite(Z).all())
    table = probe(
        None,
        Z,
        y,
        probes={"knn": "knn", "tree": DecisionTreeClassifier(max_depth=2)},
        n_repeats=1,
        random_state=seed,
    )
    assert all(0 <= row["value"] <= 1 for row in table)


@pytest.mark.parametrize("name", ["linear", "knn"])
def test_place_of_features_does_not_count_however_far(name):
    options = {"probes": [name], "n_repeats": 1, "random_state": 0}
    table = probe(None, ONE_HOT + 1e8, CONTENT, **options)
    assert table.mean(metric="accuracy") == 1


@pytest.mark.parametrize("kind", [object, bytes, bool, float, np.uint8])
def test_classes_may_be_of_any_kind(kind):
    y = (CONTENT > 1).astype("S" if kind is bytes else kind)
    options = {"probes": ["linear"], "n_repeats": 1, "random_state": 0}
    assert probe(None, ONE_HOT, y, **options).mean(metric="accuracy") == 1
    as_objects = y.astype(object)
    if kind is not bytes:
        table = probe(None, ONE_HOT, y, X_test=ONE_HOT, y_test=as_objects, **options)
        assert table.mean(metric="accuracy") == 1


@pytest.mark.parametrize("scale", [1e-42, 1e-50])
def test_features_too_small_for_float32_are_read(scale):
    X = load_iris().data
    y = load_iris().target
    found = [
        probe(None, X * s, y, probes=["linear", "knn"], n_repeats=1, random_state=0)
        for s in (1.0, scale)
    ]
    assert [row["value"] for row in found[1]] == [row["value"] for row in found[0]]


def test_categories_are_classes_whatever_their_names():
    X, y = load_iris(return_X_y=True)
    categories = pd.Series(pd.Categorical.from_codes(y, [1.5, 2.5, 3.5]))
    table = probe(None, X, categories, probes="linear", n_repeats=1, random_state=0)
    assert table.mean(metric="accuracy") > 0.9


def test_categories_of_whole_floats_go_with_plain_labels():
    X, y = load_iris(return_X_y=True)
    categories = pd.Series(y + 1.0).astype("category")
    table = probe(None, X, categories, X_test=X, y_test=y + 1.0, probes="linear", random_state=0)
    assert table.mean(metric="accuracy") > 0.9


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_containers_that_transformers_give_change_nothing(container):
    pytest.importorskip(container)
    expected = probe(None, NOISE, CONTENT, probes=["knn", "gmm"], n_repeats=1, random_state=0)
    with config_context(transform_output=container):
        found = probe(None, NOISE, CONTENT, probes=["knn", "gmm"], n_repeats=1, random_state=0)
    assert list(found) == list(expected)


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="numpy 2 has them")
def test_strings_of_numpy_are_classes():
    y = np.array(list("abcd"))[CONTENT]
    found, expected = (
        list(probe(None, ONE_HOT, labels, probes="linear", n_repeats=1, random_state=0))
        for labels in (y.astype(np.dtypes.StringDType()), y)
    )
    assert found == expected


def test_missing_classes_are_matched_with_nothing():
    with pytest.raises(ValueError, match="y_true has 1 missing"):
        clustering_accuracy(["a", None, "a"], [0, 1, 0])
