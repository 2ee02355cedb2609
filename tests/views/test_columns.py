"""Groups as a column of X, for searches and pipelines, which do not hand a keyword on."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
import skops.io
import torch
from conftest import METHODS, ONE_KIND, one_kind, tiny
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from sklearn_simvae.evaluation import collapse_report, mutual_information, reconstruction_error
from sklearn_simvae.persistence import trusted_types
from sklearn_simvae.plotting import ReconstructionDisplay, ViewsDisplay
from sklearn_simvae.training import KNNScore, ResumeCheckpoint

ROWS = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
GROUPS = np.random.default_rng(1).permutation(np.arange(60) // 3)
NAMES = list("abcde")
FRAME = pd.DataFrame(ROWS, columns=NAMES)
TABLE = FRAME.copy()
TABLE.insert(2, "patient", GROUPS)
ARRAY = np.insert(ROWS.astype(float), 2, GROUPS, axis=1)


def arrow_dataset(tmp_path):
    import pyarrow.dataset
    import pyarrow.parquet

    pyarrow.parquet.write_table(pa.Table.from_pandas(TABLE), tmp_path / "rows.parquet")
    return pyarrow.dataset.dataset(tmp_path / "rows.parquet")


def memmap(tmp_path):
    rows = np.memmap(tmp_path / "rows", float, "w+", shape=ARRAY.shape)
    rows[:] = ARRAY
    return rows


FORMS = {
    "pandas": ("patient", lambda path: TABLE),
    "pandas, place": (2, lambda path: TABLE),
    "pandas, last place": (-1, lambda path: TABLE[[*NAMES, "patient"]]),
    "pandas, strings": ("patient", lambda path: TABLE.assign(patient=GROUPS.astype(str))),
    "pandas, categories": ("patient", lambda path: TABLE.astype({"patient": "category"})),
    "pandas, nullable": ("patient", lambda path: TABLE.astype({"patient": "Int64"})),
    "polars": ("patient", lambda path: pl.from_pandas(TABLE)),
    "polars, strings": (
        "patient",
        lambda path: pl.from_pandas(TABLE).with_columns(pl.col("patient").cast(pl.String)),
    ),
    "arrow": ("patient", lambda path: pa.Table.from_pandas(TABLE)),
    "arrow batch": ("patient", lambda path: pa.RecordBatch.from_pandas(TABLE)),
    "arrow, strings": (
        "patient",
        lambda path: pa.Table.from_pandas(TABLE.assign(patient=GROUPS.astype(str))),
    ),
    "arrow, dictionary": (
        "patient",
        lambda path: pa.Table.from_pandas(TABLE.astype({"patient": "category"})),
    ),
    "arrow dataset": ("patient", arrow_dataset),
    "array": (2, lambda path: ARRAY),
    "array, from behind": (-4, lambda path: ARRAY),
    "array of objects": (
        2,
        lambda path: TABLE.assign(patient=GROUPS.astype(str)).to_numpy(dtype=object),
    ),
    "lists": (np.int64(2), lambda path: ARRAY.tolist()),
    "lists with text": (
        2,
        lambda path: TABLE.assign(patient=GROUPS.astype(str)).to_numpy(dtype=object).tolist(),
    ),
    "memmap": (2, memmap),
    "torch dataset": (2, lambda path: torch.utils.data.TensorDataset(torch.tensor(ARRAY))),
    "tensor": (2, lambda path: torch.tensor(ARRAY)),
}


def without(X):
    """The rows of `ROWS` in a form that has names where X has."""
    return FRAME if hasattr(X, "columns") or hasattr(X, "schema") else ROWS.astype(float)


@pytest.mark.parametrize("form", FORMS)
def test_a_fit_by_the_column_is_that_by_groups(form, tmp_path):
    column, make_X = FORMS[form]
    X, as_text = make_X(tmp_path), "strings" in form or "objects" in form or "text" in form
    # Strings are in another order than numbers.
    groups = GROUPS.astype(str) if as_text else GROUPS
    by_column = tiny("SimVAE", group_column=column).fit(X)
    by_groups = tiny("SimVAE").fit(ROWS.astype(float), groups=groups)
    expected = by_groups.transform(ROWS.astype(float))
    assert by_column.n_features_in_ == 5
    if without(X) is FRAME:
        assert list(by_column.feature_names_in_) == NAMES
    assert_array_equal(by_column.transform(X), expected)
    assert_array_equal(by_column.transform(without(X)), expected)
    assert by_column.score(X) == by_groups.score(ROWS.astype(float), groups=groups)
    # Where groups count, there is no going without.
    with pytest.raises(ValueError, match="group_column"):
        by_column.score(without(X))


@one_kind
def test_every_method_takes_the_column_out_wherever_it_reads_X(make, tmp_path):
    one, other = make(group_column="patient"), make()
    assert_array_equal(one.fit_transform(TABLE), other.fit_transform(FRAME, groups=GROUPS))
    assert list(one.feature_names_in_) == NAMES
    assert one.score(TABLE) == other.score(FRAME, groups=GROUPS)
    for name in ("content", "style", "score_samples"):
        if hasattr(other, name):
            expected = getattr(other, name)(FRAME, groups=GROUPS)
            assert_array_equal(getattr(one, name)(TABLE), expected)
            with pytest.raises(ValueError, match="group_column='patient' must be one of"):
                getattr(one, name)(FRAME)
    for name in ("encode", "project", "transform"):
        if hasattr(other, name):
            for X in (TABLE, FRAME):
                assert_array_equal(getattr(one, name)(X), getattr(other, name)(FRAME))
    one.partial_fit(TABLE)
    other.partial_fit(FRAME, groups=GROUPS)
    assert_array_equal(one.transform(TABLE), other.transform(FRAME))
    one.save_weights(tmp_path / "weights")
    loaded = make(group_column="patient").load_weights(tmp_path / "weights")
    skops.io.dump(one, tmp_path / "skops")
    for again in (
        loaded,
        pickle.loads(pickle.dumps(one)),
        skops.io.load(tmp_path / "skops", trusted=trusted_types()),
    ):
        assert_array_equal(again.transform(TABLE), one.transform(TABLE))
        assert again.score(TABLE) == one.score(TABLE)


@one_kind
def test_every_method_refuses_a_fit_without_the_column_and_groups_given_twice(make):
    estimator = make(group_column="patient")
    for train in (estimator.fit, estimator.partial_fit, estimator.fit_transform):
        with pytest.raises(ValueError, match=r"must be one of the columns of X.*'a', 'b'"):
            train(FRAME)
        with pytest.raises(ValueError, match="given twice"):
            train(TABLE, groups=GROUPS)
        with pytest.raises(ValueError, match="is a name, but X"):
            train(ARRAY)
    estimator.fit(TABLE)
    with pytest.raises(ValueError, match="must be one of the columns"):
        estimator.partial_fit(FRAME)
    for name in ("score", "score_samples", "content", "style"):
        if hasattr(estimator, name):
            with pytest.raises(ValueError, match="given twice"):
                getattr(estimator, name)(TABLE, groups=GROUPS)


@pytest.mark.parametrize(
    "column, X, match",
    [
        (6, ARRAY, r"group_column=6 must be the place of a column of X; got X of shape \(60, 6\)"),
        (-7, ARRAY, "group_column=-7"),
        (0, ARRAY[:, None].repeat(2, 1), "rows and columns"),
        (0, ARRAY[:, 0], "rows and columns"),
        ("a", pd.concat([TABLE, TABLE[["a"]]], axis=1), "one of the columns of X, once"),
    ],
)
def test_a_column_that_is_not_there_is_refused(make_one_of_each_kind, column, X, match):
    with pytest.raises(ValueError, match=match):
        make_one_of_each_kind(group_column=column).fit(X)


def test_missing_groups_in_the_column_are_refused(make_one_of_each_kind):
    with pytest.raises(ValueError, match="missing values, in 60 rows"):
        make_one_of_each_kind(group_column="patient").fit(TABLE.assign(patient=np.nan))


def test_methods_whose_rows_have_several_kinds_have_no_such_parameter():
    for name in METHODS:
        assert ("group_column" in tiny(name).get_params()) == (name in ONE_KIND)


def test_dask_arrays_are_transformed_with_and_without_the_column():
    da = pytest.importorskip("dask.array")
    estimator = tiny("SimVAE", group_column=2).fit(ARRAY)
    expected = estimator.transform(ARRAY)
    for X in (ARRAY, ROWS.astype(float)):
        Z = estimator.transform(da.from_array(X, chunks=(20, -1)))
        np.testing.assert_allclose(Z.compute(), expected, atol=1e-6)


def test_scores_and_checkpoints_of_a_fit_take_the_column_out(tmp_path):
    score = KNNScore(TABLE, np.arange(60) % 2, n_neighbors=3)
    callbacks = [score, ResumeCheckpoint(tmp_path / "fit.checkpoint")]
    estimator = tiny("SimVAE", group_column="patient", callbacks=callbacks).fit(TABLE)
    assert all("knn_accuracy" in row for row in estimator.history_)


def test_displays_take_the_column_out():
    estimator = tiny("SimVAE", group_column="patient")
    ViewsDisplay.from_estimator(estimator, TABLE, n_samples=2)
    estimator.fit(TABLE)
    ViewsDisplay.from_estimator(estimator, TABLE, n_samples=2)
    ReconstructionDisplay.from_estimator(estimator, TABLE, n_samples=2)


# ---------------------------------------------------------------- searches and pipelines


class Views(Callback):
    """Keeps whether views were given, for each batch that any fit has learned from."""

    seen = []

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            Views.seen.append(net.run.train.views_given)


@pytest.fixture
def views_given():
    Views.seen = []
    return Views.seen


def test_a_search_alone_hands_groups_to_the_splitter_and_the_column_to_each_fit(views_given):
    estimator = tiny("SimVAE", callbacks=Views(), max_epochs=1)
    grid = {"style_variance": [0.1, 0.2]}
    GridSearchCV(estimator, grid, cv=GroupKFold(3)).fit(FRAME, groups=GROUPS)
    assert views_given and not any(views_given)
    views_given.clear()
    estimator.set_params(group_column="patient")
    search = GridSearchCV(estimator, grid, cv=GroupKFold(3)).fit(TABLE, groups=GROUPS)
    assert len(views_given) >= 7 and all(views_given)
    best = clone(search.best_estimator_).fit(TABLE)
    assert_array_equal(search.transform(TABLE), best.transform(FRAME))


@pytest.mark.parametrize("searched", [False, True])
def test_the_column_travels_through_a_pipeline(searched, views_given):
    scale = ColumnTransformer(
        [("scale", StandardScaler(), NAMES)],
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    simvae = tiny("SimVAE", group_column="patient", callbacks=Views(), max_epochs=1)
    model = make_pipeline(scale, simvae)
    if searched:
        model = GridSearchCV(model, {"simvae__lr": [1e-3]}, cv=GroupKFold(2))
    model.fit(TABLE, **({"groups": GROUPS} if searched else {}))
    assert views_given and all(views_given)
    expected = tiny("SimVAE", max_epochs=1).fit(
        StandardScaler().fit_transform(FRAME), groups=GROUPS
    )
    Z = expected.transform(StandardScaler().fit_transform(FRAME))
    assert_array_equal(model.transform(TABLE), Z)


def test_a_column_with_the_prefix_of_a_transformer_is_told_how_to_lose_it():
    scale = ColumnTransformer([("scale", StandardScaler(), NAMES)], remainder="passthrough")
    model = make_pipeline(
        scale.set_output(transform="pandas"), tiny("SimVAE", group_column="patient")
    )
    with pytest.raises(ValueError, match="verbose_feature_names_out=False"):
        model.fit(TABLE)


def test_under_metadata_routing_a_search_asks_what_groups_are_for(views_given):
    estimator = tiny("SimVAE", callbacks=Views(), max_epochs=1)
    grid = {"style_variance": [0.1]}
    with sklearn.config_context(enable_metadata_routing=True):
        with pytest.raises(UnsetMetadataPassedError, match="groups"):
            GridSearchCV(estimator, grid, cv=GroupKFold(3)).fit(FRAME, groups=GROUPS)
        estimator.set_fit_request(groups=True).set_score_request(groups=True)
        search = GridSearchCV(estimator, grid, cv=GroupKFold(3)).fit(FRAME, groups=GROUPS)
        assert views_given and all(views_given)
        views_given.clear()
        # The column needs no routing, and leaves groups to the splitter.
        estimator = tiny("SimVAE", group_column="patient", callbacks=Views(), max_epochs=1)
        estimator.set_fit_request(groups=False).set_score_request(groups=False)
        other = GridSearchCV(estimator, grid, cv=GroupKFold(3)).fit(TABLE, groups=GROUPS)
        assert all(views_given)
    assert_array_equal(search.transform(FRAME), other.transform(TABLE))


def test_the_column_makes_no_feature_names_warning():
    estimator = tiny("SimVAE", group_column="patient").fit(TABLE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator.transform(TABLE)
        estimator.transform(FRAME)


def test_evaluation_takes_the_column_out():
    vae, other = tiny("SimVAE", group_column="patient").fit(TABLE), tiny("SimVAE")
    other.fit(FRAME, groups=GROUPS)
    noise = {"augmentation": "auto", "random_state": 0}
    for function, params in (
        (reconstruction_error, {}),
        (collapse_report, noise),
        (mutual_information, {**noise, "methods": "knn"}),
    ):
        assert repr(function(vae, TABLE, **params)) == repr(function(other, FRAME, **params))
