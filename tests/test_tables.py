"""Tables of mixed columns in front of an estimator."""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import tiny
from made_tables import mixed
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

import sklearn_simvae._tables as tables
from sklearn_simvae import make_table_transformer
from sklearn_simvae.persistence import trusted_types

SKRUB = pytest.param(
    "skrub", marks=pytest.mark.skipif(not tables.find_spec("skrub"), reason="needs skrub")
)
both = pytest.mark.parametrize("vectorizer", ["sklearn", SKRUB])
pytestmark = pytest.mark.filterwarnings("ignore:.* has collapsed", "ignore:Found unknown categ")


def make(vectorizer="sklearn", missing="auto", **params):
    estimator = tiny("SimVAE", **{"max_epochs": 1, **params})
    return make_table_transformer(estimator, vectorizer=vectorizer, missing=missing)


def prepared(table, vectorizer="sklearn", **kwargs):
    return make(vectorizer, **kwargs)[:-1].set_output(transform="pandas").fit_transform(table)


@both
@pytest.mark.parametrize("of", [lambda table: table, pl.from_pandas], ids=["pandas", "polars"])
def test_table_of_all_sorts(of, vectorizer):
    table = of(mixed())
    model = make(vectorizer)
    Z = model.fit_transform(table)
    assert Z.shape == (60, 3) and np.isfinite(Z).all()
    assert_array_equal(model.transform(table), Z)
    assert model.get_feature_names_out().tolist() == ["simvae0", "simvae1", "simvae2"]
    names = list(model[:-1].get_feature_names_out())
    assert {"age", "income", "married", "city_Bern", "since_month"} <= set(names)
    assert np.isfinite(model.score(table)) and model.score_samples(table).shape == (60,)


def test_columns_of_words_dates_and_numbers():
    made = prepared(mixed(), missing="fill")
    assert list(made.columns) == list(make().fit(mixed())[:-1].get_feature_names_out())
    assert list(made.columns) == [
        *("age", "income", "children", "married", "owner"),
        *("since_year", "since_month", "since_weekday", "since_hour", "since_total_seconds"),
        *("city_Bern", "city_Oslo", "city_Rome", "city_None"),
        *("note_bad", "note_good", "note_None", "grade_x", "grade_y"),
    ]
    assert_array_equal(made["city_None"].to_numpy().nonzero()[0], [6, 7])
    assert_array_equal(made["married"], mixed()["married"])
    assert_allclose(made[["age", "income", "since_month"]].mean(), 0, atol=1e-9)


@pytest.mark.parametrize("of", [lambda table: table, pl.from_pandas], ids=["pandas", "polars"])
def test_columns_that_would_have_one_name(of):
    table = mixed()[["city", "since", "age"]].assign(since_year=range(60), city_Bern=range(60))
    table.loc[:3, "city"] = "None"
    model = make(group_column="city_Bern").fit(of(table))
    assert model[:-1].get_feature_names_out().tolist() == [
        *("age", "since_year", "since_year_", "since_month", "since_weekday"),
        *("since_hour", "since_total_seconds"),
        *("city_Bern_", "city_None", "city_Oslo", "city_Rome", "city_None_", "city_Bern"),
    ]
    assert model.set_output(transform="polars").transform(of(table)).shape == (60, 3)


@both
def test_output_as_asked(vectorizer):
    model = make(vectorizer)
    Z = model.set_output(transform="pandas").fit_transform(mixed())
    assert list(Z.columns) == ["simvae0", "simvae1", "simvae2"]
    assert isinstance(make().set_output(transform="polars").fit_transform(mixed()), pl.DataFrame)


@both
def test_index_is_kept(vectorizer):
    table = mixed().iloc[::-2]
    assert_array_equal(prepared(table, vectorizer).index, table.index)


@both
def test_search_validation_clone_and_pickle(vectorizer):
    table = mixed()
    model = make(vectorizer)
    search = GridSearchCV(model, {"simvae__n_components": [2, 3]}, cv=2).fit(table)
    assert np.isfinite(search.best_score_)
    assert np.isfinite(cross_val_score(clone(model), table, cv=2)).all()
    grouped = make(vectorizer, group_column="children")
    assert np.isfinite(cross_val_score(grouped, table, cv=2)).all()
    fitted = clone(model).fit(table)
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(table), fitted.transform(table))
    assert "simvae" in fitted._repr_html_()


def test_file_of_skops(tmp_path):
    io = pytest.importorskip("skops.io")
    model = make().fit(mixed())
    io.dump(model, tmp_path / "model.skops")
    loaded = io.load(tmp_path / "model.skops", trusted=trusted_types())
    assert_array_equal(loaded.transform(mixed()), model.transform(mixed()))


@both
def test_classifier_after_it(vectorizer):
    table = mixed()
    model = make_pipeline(make(vectorizer), LogisticRegression())
    model.fit(table, table.pop("married"))
    assert model.predict(table).shape == (60,)


# ---------------------------------------------------------------- missing values


def test_missing_numbers_are_kept_if_the_estimator_takes_them():
    keeps = make_table_transformer(HistGradientBoostingClassifier(), vectorizer="sklearn")
    assert keeps[0].transformers[1][1].missing == "keep"
    assert np.isnan(keeps[:-1].fit_transform(mixed())).any()
    fills = make_table_transformer(PCA(2), vectorizer="sklearn")
    assert fills[0].transformers[1][1].missing == "fill"
    assert np.isfinite(fills.fit_transform(mixed())).all()


@both
@pytest.mark.parametrize("missing", ["fill", "keep"])
def test_missing_numbers_as_asked(vectorizer, missing):
    made = prepared(mixed(), vectorizer, missing=missing)
    assert made["income"].isna().any() == (missing == "keep")
    assert not made.filter(like="city").isna().any(axis=None)


@both
def test_value_missing_after_fit(vectorizer):
    whole = mixed().dropna()
    model = make(vectorizer).fit(whole)
    later = whole.copy()
    later.loc[later.index[0], ["income", "city", "since"]] = None
    assert np.isfinite(model.transform(later)).all()


# ---------------------------------------------------------------- categories


def test_category_that_fit_did_not_see():
    table = pd.DataFrame({"a": [1.0, 2, 3, 4, 5], "city": ["Bern", "Oslo", "Bern", "Oslo", "Rome"]})
    model = make().fit(table)
    names = model[:-1].get_feature_names_out()
    assert list(names) == ["a", "city_Bern", "city_Oslo", "city_infrequent_sklearn"]
    new = model[:-1].transform(table.assign(city="Paris"))
    assert_array_equal(new[:, 1:], [[0, 0, 1]] * 5)
    without_rare = make().fit(table[:4])
    assert_array_equal(without_rare[:-1].transform(table[4:])[:, 1:], [[0, 0]])


def test_many_words_share_a_category():
    words = [f"w{i:02d}" for i in range(50) for _ in range(2)]
    table = pd.DataFrame({"word": words, "number": np.arange(100)})
    assert prepared(table).shape == (100, 1 + tables.MAX_CATEGORIES)


def test_many_words_are_embedded_by_skrub():
    pytest.importorskip("skrub")
    words = [f"w{i:02d}" for i in range(50) for _ in range(2)]
    made = prepared(pd.DataFrame({"word": words, "number": np.arange(100)}), "skrub")
    assert made.shape == (100, 31)
    again = prepared(pd.DataFrame({"word": words, "number": np.arange(100)}), "skrub")
    assert_array_equal(made, again)


# ---------------------------------------------------------------- columns


@pytest.mark.filterwarnings("ignore:Columns are left out")
@both
def test_columns_without_information_are_left_out(vectorizer):
    table = mixed().assign(empty=np.nan, nothing=None, constant=1, name="x")
    names = prepared(table, vectorizer).columns
    assert list(names) == list(prepared(mixed(), vectorizer).columns)


def test_left_out_columns_are_told():
    with pytest.warns(UserWarning, match="left out .*'empty', 'constant'"):
        make().fit(mixed().assign(empty=np.nan, constant=1))


@both
def test_order_of_columns_and_others(vectorizer):
    table = mixed()
    model = make(vectorizer).fit(table)
    if vectorizer == "sklearn":
        # As ColumnTransformer has it: by name, in any order, and with others beside them.
        assert_array_equal(
            model.transform(table[table.columns[::-1]].assign(more=1)), model.transform(table)
        )
    with pytest.raises(ValueError, match="city"):
        model.transform(table.drop(columns="city"))


def test_columns_named_by_numbers():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 4)))
    model = make().fit(table)
    assert model.transform(table).shape == (20, 3)
    assert list(model.inverse_transform(np.zeros((2, 3))).columns) == [0, 1, 2, 3]


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "X, match",
    [
        (np.zeros((3, 2)), "X must be a DataFrame of pandas or polars; got ndarray"),
        ([[1, 2]], "X must be a DataFrame of pandas or polars; got list"),
        (pd.Series([1, 2]), "X must be a DataFrame"),
        (pl.LazyFrame({"a": [1, 2]}), r"X is a LazyFrame.*Call its collect\(\) first"),
        (pd.DataFrame({"a": []}), "X has 0 rows and 1 columns"),
        (pl.DataFrame(), "X has 0 rows and 0 columns"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), r"different names; got \['a'\]"),
        (pd.DataFrame({"a": [np.nan, np.nan]}), "Nothing can be learned from X.*'a'"),
        (pd.DataFrame({"a": [1.0, np.inf]}), "Column 'a' holds an infinite number"),
    ],
)
def test_bad_table(X, match):
    with pytest.raises(ValueError, match=match):
        make().fit(X)


@pytest.mark.parametrize(
    "call, match",
    [
        (partial(make, "pandas"), "vectorizer must be one of .*; got 'pandas'"),
        (partial(make, missing=0), "missing must be one of .*; got 0"),
        (partial(make_table_transformer, PCA), "estimator must be an estimator, such as SimVAE"),
        (partial(make_table_transformer, "SimVAE"), "estimator must be an estimator"),
        (partial(make, group_column=0), "group_column=0 of the estimator must be the name"),
    ],
)
def test_bad_parameters(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_skrub_is_taken_where_it_is(monkeypatch):
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    assert type(make("auto")[0]).__name__ == "TableColumns"
    monkeypatch.setitem(__import__("sys").modules, "skrub", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-simvae\[tables\]'"):
        make("skrub")


# ---------------------------------------------------------------- groups


@both
@pytest.mark.parametrize("of", [lambda table: table, pl.from_pandas], ids=["pandas", "polars"])
@pytest.mark.parametrize("groups", [[f"p{i // 2}" for i in range(60)], [i // 3 for i in range(60)]])
def test_groups_reach_the_estimator(of, groups, vectorizer):
    table = mixed()
    by_name = make(vectorizer, "fill", group_column="patient").fit(of(table.assign(patient=groups)))
    by_hand = make(vectorizer, "fill")
    by_hand.fit(of(table), simvae__groups=groups)
    with_groups = of(table.assign(patient=groups))
    assert_array_equal(by_name.transform(with_groups), by_hand.transform(of(table)))
    if vectorizer == "sklearn":
        assert list(by_name.inverse_transform(np.zeros((1, 3))).columns) == list(table.columns)


# ---------------------------------------------------------------- back


@pytest.mark.parametrize("of", [lambda table: table, pl.from_pandas], ids=["pandas", "polars"])
def test_prepared_rows_become_a_table_again(of):
    table = of(mixed())
    prepare = make(missing="keep")[:-1].fit(table)
    again = prepare.inverse_transform(prepare.transform(table))
    assert type(again) is type(table) and list(again.columns) == list(table.columns)
    again = again.to_pandas() if of is pl.from_pandas else again
    for name in ("age", "income", "children", "married"):
        assert_allclose(again[name].astype(float), mixed()[name].astype(float))
    assert (again["since"].isna() | (again["since"] == mixed()["since"])).all()
    for name in ("city", "note", "grade"):
        words = mixed()[name].astype(object)
        assert (words.isna() | (again[name] == words)).all()


@pytest.mark.parametrize("dtype", ["boolean", object])
def test_missing_bools_stay_missing_on_the_way_back(dtype):
    owner = pd.Series([True, None, False] * 4, dtype=dtype)
    table = pd.DataFrame({"owner": owner, "age": range(12)})
    prepare = make(missing="keep")[:-1].fit(table)
    assert prepare.inverse_transform(prepare.transform(table))["owner"].to_list() == [
        *([True, None, False] * 4)
    ]


def test_rows_are_generated_as_a_table():
    table = mixed()
    model = make(max_epochs=5).fit(table)
    rows = model[:-1].inverse_transform(model[-1].sample(20, random_state=0))
    assert list(rows.columns) == list(table.columns)
    assert rows["children"].dtype.kind == "i" and rows["married"].dtype == bool
    assert set(rows["grade"]) <= {"x", "y"}
    assert rows["since"].between("2019-01-01", "2022-12-31").all()
    assert list(model.inverse_transform(model.transform(table)).columns) == list(table.columns)


def test_way_back_is_withheld_with_skrub():
    pytest.importorskip("skrub")
    assert not hasattr(make("skrub"), "inverse_transform")
