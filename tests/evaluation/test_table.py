"""The table of results."""

import csv
import math

import pandas as pd
import pytest

from sklearn_simvae.evaluation import ResultTable


@pytest.fixture
def table():
    return ResultTable(
        {"probe": probe, "metric": "accuracy", "seed": seed, "value": value, "setting": f"k={seed}"}
        for probe, values in {"knn": [0.5, 0.7], "linear": [0.9]}.items()
        for seed, value in enumerate(values)
    )


def test_summary_has_mean_and_standard_deviation_over_seeds(table):
    knn, linear = table.summary()
    assert (knn["probe"], knn["n"]) == ("knn", 2)
    assert knn["mean"] == pytest.approx(0.6)
    assert knn["std"] == pytest.approx(math.sqrt(0.02))
    assert (linear["mean"], linear["n"]) == (0.9, 1)
    assert math.isnan(linear["std"])


def test_select_and_mean_go_by_labels(table):
    assert len(table.select(probe="knn", seed=1)) == 1
    assert table.mean(probe="knn") == pytest.approx(0.6)
    with pytest.raises(KeyError, match="linear"):
        table.mean(probe="gmm")


def test_a_frame_has_a_row_for_each_number(table):
    for frame in (table.to_frame(), pd.DataFrame(table)):
        assert frame.shape == (3, 5)
        assert frame.groupby("probe").value.mean()["knn"] == pytest.approx(0.6)


def test_file_holds_all_columns_of_all_rows(table, tmp_path):
    both = ResultTable([*table, {"factor": "x", "value": 0.1}])
    both.to_csv(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert rows[0]["setting"] == "k=0"
    assert rows[3] == {**dict.fromkeys(rows[0], ""), "factor": "x", "value": "0.1"}


def test_printed_figures_come_last_whatever_the_labels(table):
    text = str(ResultTable([*table, {"probe": "mlp", "factor": "x", "value": 0.25}]))
    head, *lines = text.splitlines()
    assert head.split() == ["probe", "metric", "factor", "mean", "std", "n"]
    assert lines[0].split() == ["knn", "accuracy", "0.600", "0.141", "2"]
    assert lines[-1].split() == ["mlp", "x", "0.250", "nan", "1"]


def test_an_empty_table_prints():
    assert ResultTable().summary() == []
    assert isinstance(str(ResultTable()), str)


def test_entries_that_are_empty_in_a_frame_tell_no_rows_apart():
    rows = [
        {"method": method, "metric": "accuracy", "seed": seed, "value": seed, **more}
        for method, more in (("SimVAE", {"sigma": 0.1}), ("SimCLR", {}))
        for seed in range(3)
    ]
    table = ResultTable(ResultTable(rows).to_frame().to_dict("records"))
    assert table.labels() == ResultTable(rows).labels()
    assert [row["n"] for row in table.summary()] == [3, 3]


def test_the_order_of_columns_tells_no_rows_apart():
    rows = [
        {"probe": "knn", "metric": "accuracy", "seed": 0, "value": 0.1},
        {"metric": "accuracy", "probe": "knn", "seed": 1, "value": 0.3},
    ]
    assert [row["n"] for row in ResultTable(rows).summary()] == [2]
