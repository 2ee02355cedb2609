"""How much style is read, on representations of which it is known what they hold."""

import warnings

import numpy as np
import pytest
import torch
from conftest import tiny
from known_style import COLOR, CONTENT, FACTORS, NOISE, ONE_HOT, PLACE, STYLE, N, SpyTransformer
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.linear_model import MultiTaskLasso, Ridge
from sklearn.metrics import r2_score
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

from sklearn_simvae.evaluation import style
from sklearn_simvae.evaluation.probes import check_seeds, make_splits, probe
from sklearn_simvae.evaluation.style import style_probe
from sklearn_simvae.views.augmentation import Compose, RandomResizedCrop


def global_states():
    """What numpy and torch would draw next, if they were asked."""
    return str(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002


# What probes tell of known representations
@pytest.mark.parametrize("name", ["linear", "mlp", "knn"])
def test_style_is_read_where_it_is_and_nowhere_else(name):
    kwargs = {"probes": [name], "n_repeats": 1, "random_state": 0}
    # The network learns noise by heart, which takes it long.
    rows = slice(None, None, 2) if name == "mlp" else slice(None)
    factors = {name: values[rows] for name, values in FACTORS.items()}
    for Z in (ONE_HOT[rows], NOISE[rows]):
        table = style_probe(None, Z, factors, **kwargs)
        assert table.mean(factor="mean", metric="r2") < 0.1
        assert abs(table.mean(factor="color", metric="accuracy") - 1 / 3) < 0.2
    both = np.hstack([ONE_HOT, 3 * STYLE])
    table = style_probe(None, both, FACTORS, **kwargs)
    floor = 0.7 if name == "knn" else 0.97
    assert table.mean(factor="x") > floor
    assert table.mean(factor="y") > floor
    assert table.mean(factor="color", metric="accuracy") > 0.97
    assert probe(None, both, CONTENT, **kwargs).mean(metric="accuracy") > 0.97


def test_a_factor_that_is_there_is_told_from_one_that_is_not():
    Z = np.hstack([ONE_HOT, PLACE[:, :1]])
    table = style_probe(None, Z, FACTORS, probes=["linear"], random_state=0)
    assert table.mean(factor="x") > 0.99
    assert table.mean(factor="y") < 0.1
    for seed in {row["seed"] for row in table}:
        r2 = [table.mean(factor=name, seed=seed) for name in ("x", "y", "mean")]
        assert r2[2] == pytest.approx((r2[0] + r2[1]) / 2)


def test_scale_of_a_factor_does_not_count():
    Z = np.hstack([PLACE, NOISE])
    for name in ("linear", "mlp", "knn"):
        kwargs = {"probes": [name], "n_repeats": 1, "random_state": 0}
        scaled = {"x": PLACE[:, 0] * 1e6 + 1e6, "y": PLACE[:, 1] * 1e-6}
        first = style_probe(None, Z, {"x": PLACE[:, 0], "y": PLACE[:, 1]}, **kwargs)
        other = style_probe(None, Z, scaled, **kwargs)
        for factor in ("x", "y"):
            assert other.mean(factor=factor) == pytest.approx(first.mean(factor=factor), abs=1e-3)


def test_chance_is_the_share_of_the_most_frequent_class_of_training():
    rare = np.where(np.arange(N) % 5 == 0, "rare", "often")
    table = style_probe(None, NOISE, {"kind": rare}, probes=["linear"], random_state=0)
    assert table.mean(metric="chance_accuracy") == pytest.approx(0.8, abs=0.06)
    assert table.mean(metric="balanced_accuracy") == pytest.approx(0.5, abs=0.1)
    test = {"kind": np.where(np.arange(N) < 60, "often", "rare")}
    kwargs = {"X_test": NOISE, "factors_test": test, "probes": ["linear"], "n_repeats": 1}
    table = style_probe(None, NOISE, {"kind": rare}, **kwargs)
    assert table.mean(metric="chance_accuracy") == 0.25


@pytest.mark.parametrize(
    "name, grid, make, word",
    [
        ("linear", [1e-2, 1, 100], Ridge, "alpha"),
        ("knn", [1, 5, 15, 50], KNeighborsRegressor, "n_neighbors"),
    ],
)
@pytest.mark.parametrize("noise", [0.05, 0.5])
def test_setting_of_a_regression_is_best_on_validation_rows(name, grid, make, word, noise, rng):
    Z = (np.tile(PLACE, 10) + noise * rng.standard_normal((N, 20))).astype(np.float32)
    [(_, (train, validation, test))] = make_splits(
        N, check_seeds(1, 0), test_size=0.2, validation_size=0.2
    )

    def r2(value, fitted, read):
        model = make_pipeline(StandardScaler(), make(value)).fit(Z[fitted], PLACE[fitted])
        return r2_score(PLACE[read], model.predict(Z[read]))

    best = max(grid, key=lambda value: r2(value, train, validation))
    table = style_probe(None, Z, PLACE, probes=[name], n_repeats=1, random_state=0)
    assert {row["setting"] for row in table} == {f"{word}={best:g}"}
    expected = r2(best, np.concatenate([train, validation]), test)
    assert table.mean(factor="mean") == pytest.approx(expected, abs=1e-4)


def test_settings_do_not_follow_the_factors_of_test_rows():
    Z = np.hstack([PLACE, NOISE])
    kwargs = {"X_test": Z[:60], "probes": ["linear", "knn"], "random_state": 0}
    right = style_probe(None, Z, PLACE, factors_test=PLACE[:60], **kwargs)
    wrong = style_probe(None, Z, PLACE, factors_test=PLACE[60:120], **kwargs)
    assert [row["setting"] for row in right] == [row["setting"] for row in wrong]
    assert right.mean(factor="mean") > wrong.mean(factor="mean") + 0.5


def test_groups_do_not_cross_into_another_part(rng):
    """Each group has a place that its rows tell, and new groups have others."""
    groups = np.repeat(np.arange(60), 4)
    Z, place = rng.standard_normal((60, 5))[groups], rng.uniform(size=60)[groups]
    across = style_probe(None, Z, place, probes=["knn"], n_repeats=2, random_state=0)
    apart = style_probe(None, Z, place, groups=groups, probes=["knn"], random_state=0)
    assert across.mean(factor="style") > 0.9
    assert apart.mean(factor="style") < 0.2


def test_rows_name_factor_probe_metric_seed_value_and_setting(short):
    table = style_probe(
        None, STYLE, {"x": PLACE[:, 0], "color": COLOR}, n_repeats=2, random_state=0
    )
    columns = ["factor", "probe", "metric", "seed", "value", "setting"]
    assert all(list(row) == columns for row in table)
    classes = ("accuracy", "balanced_accuracy", "chance_accuracy")
    assert [tuple(labels.values()) for labels in table.labels()] == [
        *((factor, name, "r2") for name in ("linear", "mlp") for factor in ("x", "mean")),
        *(("color", name, metric) for name in ("linear", "mlp") for metric in classes),
    ]
    assert all(row["n"] == 2 for row in table.summary())
    assert all(type(row["value"]) is float and type(row["seed"]) is int for row in table)
    assert all(row["setting"].startswith("alpha=") for row in table.select(metric="r2"))


# Augmentations
class Shift(RandomResizedCrop):
    """Adds to all of a row what it tells, and whether that is much."""

    def augment_with_factors(self, x, generator=None):
        shift = torch.rand(len(x), generator=generator)
        return x + shift[:, None], {"shift": shift, "much": shift > 0.5}


def test_what_an_augmentation_drew_is_read_off_the_rows_that_it_made(rng):
    X = rng.standard_normal((N, 5)).astype(np.float32) / 20
    spy = SpyTransformer()
    table = style_probe(
        spy, X, augmentation=Shift(), probes=["linear"], n_repeats=2, random_state=0
    )
    assert len(spy.seen) == 1
    assert np.all(spy.seen[0] - X >= 0)
    assert table.mean(factor="shift") > 0.95
    assert table.mean(factor="much", metric="accuracy") > 0.85
    assert table == style_probe(
        spy, X, augmentation=Shift(), probes=["linear"], n_repeats=2, random_state=0
    )
    np.testing.assert_array_equal(spy.seen[0], spy.seen[1])
    style_probe(spy, X, augmentation=Shift(), probes=["linear"], random_state=1)
    assert not np.array_equal(spy.seen[0], spy.seen[2])


def test_test_rows_are_augmented_otherwise():
    X = np.zeros((N, 5), dtype=np.float32)
    spy = SpyTransformer()
    table = style_probe(spy, X, augmentation=Shift(), X_test=X, probes=["linear"], random_state=0)
    train, test = spy.seen
    assert not np.intersect1d(train, test).size
    assert table.mean(factor="shift") > 0.99


def test_a_representation_that_the_augmentation_does_not_reach_holds_none_of_it(rng):
    class Deaf(BaseEstimator):
        def transform(self, X):
            return X - X.mean(1, keepdims=True)

    X = rng.standard_normal((N, 5)).astype(np.float32)
    table = style_probe(Deaf(), X, augmentation=Shift(), probes=["linear"], random_state=0)
    assert table.mean(factor="shift") < 0.1


def test_augmentation_is_that_of_the_estimators_where_there_are_no_factors(monkeypatch):
    seen = []

    def augmented(X, augmentation, input_shape, kind, random_state, estimator):
        seen.append((augmentation, input_shape))
        return X, {"x": np.linspace(0, 1, len(X))}

    monkeypatch.setattr(style, "augmented_rows", augmented)
    style_probe(None, NOISE, probes=["linear"], n_repeats=1)
    style_probe(None, NOISE, input_shape=(2, 2), probes=["linear"], n_repeats=1)
    assert seen == [("auto", None), ("auto", (2, 2))]


@pytest.mark.parametrize("as_pixels", [False, True])
def test_crops_of_images_are_read_off_all_kinds_of_transformers(digits, as_pixels):
    X = digits[0].reshape(-1, 8, 8)
    X = np.round(X * 255).astype(np.uint8) if as_pixels else X
    X = X[:, None]
    flat = X.reshape(len(X), -1)
    simvae = tiny("SimVAE").fit(X)
    pca = make_pipeline(StandardScaler(), PCA(8)).fit(flat)
    kwargs = {"probes": ["linear"], "n_repeats": 1, "random_state": 0}
    table = style_probe(simvae, X, **kwargs)
    other = style_probe(pca, flat, input_shape=(1, 8, 8), **kwargs)
    names = {row["factor"] for row in table}
    assert len(names) > 1
    assert "mean" in names
    assert names == {row["factor"] for row in other}
    assert other.mean(factor="mean") > 0.1


# The ways of use
def test_features_are_computed_once_whatever_the_factors_probes_and_repeats():
    spy = SpyTransformer()
    style_probe(spy, STYLE, FACTORS, probes=["linear", "knn"], n_repeats=2)
    assert len(spy.seen) == 1


def test_random_state_fixes_the_table_and_global_states_are_left_alone(short):
    kwargs = {"probes": {"linear": "linear", "mlp": "mlp"}, "n_repeats": 1}
    kwargs["probes"]["tree"] = DecisionTreeClassifier(max_features=1)
    Z, factors = STYLE + NOISE[:, :1], {"x": PLACE[:, 0], "color": COLOR}
    states = global_states()
    first = style_probe(None, Z, factors, random_state=0, **kwargs)
    assert first == style_probe(None, Z, factors, random_state=0, **kwargs)
    assert first != style_probe(None, Z, factors, random_state=1, **kwargs)
    style_probe(None, Z.astype(np.float32), augmentation=Shift(), probes=["linear"], random_state=0)
    assert global_states() == states


def test_own_estimators_read_the_factors_of_their_kind():
    own = {"svr": SVR(C=10), "svc": SVC(), "ridge": "linear"}
    table = style_probe(None, STYLE, FACTORS, probes=own, n_repeats=1, random_state=0)
    assert {row["factor"] for row in table.select(probe="svr")} == {"x", "mean"} | {"y"}
    assert {row["factor"] for row in table.select(probe="svc")} == {"color"}
    assert {row["factor"] for row in table.select(probe="ridge")} == {*FACTORS, "mean"}
    assert table.mean(probe="svr", factor="x") > 0.9
    assert {row["setting"] for row in table if row["probe"] != "ridge"} == {""}


def test_only_warnings_that_concern_the_user_are_given(short):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        style_probe(None, STYLE, FACTORS, probes=["linear", "mlp", "knn"], n_repeats=1)
        style_probe(None, STYLE, {"x": PLACE[:, 0]}, probes=["linear", "mlp"], n_repeats=1)


# Bad input
@pytest.mark.parametrize(
    "change, message",
    [
        ({"factors": {}}, "no factors"),
        ({"factors": PLACE[:-1]}, "inconsistent numbers of samples"),
        ({"factors": {"x": PLACE[:, 0], "y": PLACE[:9, 1]}}, "inconsistent numbers of samples"),
        ({"factors": np.zeros((N, 2, 2))}, "shape \\(240, 2, 2\\)"),
        ({"factors": 3.0}, "shape \\(\\)"),
        ({"factors": {"x": np.where(PLACE[:, 0] > 0.5, np.nan, 1)}}, "'x' has .* missing"),
        ({"factors": {"x": [None, *COLOR[1:]]}}, "'x' has 1 missing"),
        ({"factors": {"when": np.full(N, np.datetime64("2020-01-01"))}}, "'when'.*datetime64"),
        ({"factors": {"mean": PLACE[:, 0]}}, "named 'mean'"),
        ({"factors": {"rare": np.arange(N) == 3}, "n_repeats": 20}, "'rare' has rows of one class"),
        ({"augmentation": "auto"}, "both given"),
        ({"factors": None, "augmentation": lambda x: x}, "give what was done to them as factors"),
        ({"factors": None, "augmentation": "crop"}, "must be 'auto'"),
        ({"factors": None, "factors_test": PLACE}, "without factors"),
        ({"X_test": STYLE}, "together"),
        ({"factors_test": FACTORS}, "together"),
        ({"X_test": STYLE, "factors_test": PLACE}, "lacks \\['x', 'y', 'color'\\]"),
        ({"X_test": STYLE[:5], "factors_test": FACTORS}, "inconsistent numbers of samples"),
        (
            {"X_test": STYLE, "factors_test": {**FACTORS, "color": ["gray"] * N}},
            "'color' of the test rows has classes",
        ),
        ({"probes": ["gmm"]}, "no probe here"),
        ({"probes": {"pca": PCA()}}, "no probe here"),
        ({"probes": {"svc": SVC()}}, "No probe predicts the factors \\['x', 'y'\\]"),
        ({"probes": {"svr": SVR()}}, "No probe predicts the factors \\['color'\\]"),
        ({"groups": np.zeros(N)}, "there are 1 groups"),
        ({"n_repeats": -1}, "n_repeats must be"),
        ({"test_size": 1}, "test_size must be"),
        ({"validation_size": 0}, "validation_size must be"),
        ({"X": STYLE[:2], "factors": PLACE[:2]}, "there are 2 rows"),
    ],
)
def test_bad_input_is_refused_before_anything_is_transformed(change, message):
    spy = SpyTransformer()
    with pytest.raises(ValueError, match=message):
        style_probe(spy, **{"X": STYLE, "factors": FACTORS, **change})
    assert not spy.seen


def test_a_composition_of_foreign_steps_tells_nothing_and_is_refused():
    with pytest.raises(ValueError, match="no factors to predict"):
        style_probe(None, NOISE.astype(np.float32), augmentation=Compose([torch.clone]))


def test_rows_are_augmented_as_the_estimator_reads_them(rng):
    flat = rng.random((80, 64), dtype=np.float32)
    estimator = tiny("SimVAE", input_shape=(8, 8)).fit(flat)
    for model in (estimator, make_pipeline(estimator, StandardScaler()).fit(flat)):
        table = style_probe(model, flat, probes=["linear"], n_repeats=1, random_state=0)
        assert {"x", "y", "width", "height"} < {row["factor"] for row in table}


@pytest.mark.parametrize(
    "own",
    [MultiOutputRegressor(Ridge()), RegressorChain(Ridge()), MultiTaskLasso(), Ridge(), SVR()],
)
@pytest.mark.parametrize("n_factors", [1, 2])
def test_own_regressors_of_one_or_many_targets_read_the_factors(own, n_factors):
    Z = np.random.default_rng(0).normal(size=(200, 2))
    table = style_probe(None, Z, Z[:, :n_factors] * 9, probes={"own": own}, random_state=0)
    assert table.mean(factor="mean") > 0.5


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_containers_that_transformers_give_change_nothing(container):
    pytest.importorskip(container)
    Z = np.random.default_rng(0).normal(size=(200, 3))
    expected = style_probe(None, Z, Z[:, 0], random_state=0)
    with config_context(transform_output=container):
        found = style_probe(None, Z, Z[:, 0], random_state=0)
    assert list(found) == list(expected)
