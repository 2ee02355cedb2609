"""Content against style of several methods."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA

from sklearn_simvae.evaluation import ResultTable, probe, style_probe
from sklearn_simvae.plotting import ProbeDisplay

METHODS = ["SimVAE", "VAE", "SimCLR"]


def content_row(method, value, seed=0, **more):
    labels = {"probe": "linear", "metric": "accuracy", "setting": f"C={seed}"}
    return {"method": method, **labels, "seed": seed, "value": value, **more}


def style_row(method, value, seed=0, **more):
    labels = {"factor": "mean", "probe": "linear", "metric": "r2", "setting": f"alpha={seed}"}
    return {"method": method, **labels, "seed": seed, "value": value, **more}


@pytest.fixture
def table():
    rows = []
    for place, method in enumerate(METHODS):
        for seed in range(3):
            rows.append(content_row(method, 0.7 + 0.1 * place + 0.01 * seed, seed))
            rows.append(style_row(method, 0.1 * place - 0.02 * seed, seed))
            # What does not count.
            rows.append(content_row(method, 0.0, seed, metric="balanced_accuracy"))
            rows.append(content_row(method, 0.0, seed, probe="knn"))
            rows.append(style_row(method, 0.0, seed, factor="angle"))
            rows.append(style_row(method, 0.0, seed, probe="mlp"))
    return ResultTable(rows)


@pytest.mark.parametrize(
    "form",
    [lambda t: t, list, iter, ResultTable.to_frame],
    ids=["table", "list", "iterator", "frame"],
)
def test_point_of_a_method_is_its_mean_and_the_bars_its_deviation(table, form):
    display = ProbeDisplay.from_results(form(table))
    assert display.methods == METHODS
    np.testing.assert_allclose(display.content, [0.71, 0.81, 0.91])
    np.testing.assert_allclose(display.style, [-0.02, 0.08, 0.18])
    np.testing.assert_allclose(display.content_std, 0.01)
    np.testing.assert_allclose(display.style_std, 0.02)
    points, _, (style_bars, content_bars) = display.errorbar_
    np.testing.assert_allclose(points.get_xdata(), display.style)
    np.testing.assert_allclose(points.get_ydata(), display.content)
    for place in range(3):
        (x0, y0), (x1, y1) = style_bars.get_segments()[place]
        np.testing.assert_allclose([x1 - x0, y1 - y0], [0.04, 0], atol=1e-12)
        (x0, y0), (x1, y1) = content_bars.get_segments()[place]
        np.testing.assert_allclose([x1 - x0, y1 - y0], [0, 0.02], atol=1e-12)
    assert [text.get_text() for text in display.labels_] == METHODS
    assert display.ax_.get_xlabel() == "style: $R^2$, mean over factors (linear probe)"
    assert display.ax_.get_ylabel() == "content: accuracy (linear probe)"


def test_tables_that_went_through_a_file_are_taken(table, tmp_path):
    table.to_csv(tmp_path / "table.csv")
    display = ProbeDisplay.from_results(pd.read_csv(tmp_path / "table.csv"))
    np.testing.assert_allclose(display.content, [0.71, 0.81, 0.91])
    np.testing.assert_allclose(display.style, [-0.02, 0.08, 0.18])


def test_tables_of_the_probes_are_taken_as_they_are():
    X, y = load_iris(return_X_y=True)
    params = {"probes": ["linear"], "n_repeats": 2, "random_state": 0}
    content, style = {}, {}
    rows = []
    for name, estimator in {"raw": None, "pca": PCA(1).fit(X)}.items():
        content[name] = probe(estimator, X, y, **params)
        style[name] = style_probe(estimator, X, {"length": X[:, 0], "width": X[:, 1]}, **params)
        rows += [{**row, "method": name} for row in [*content[name], *style[name]]]
    display = ProbeDisplay.from_results(rows)
    for place, name in enumerate(display.methods):
        assert display.content[place] == pytest.approx(content[name].mean(metric="accuracy"))
        assert display.style[place] == pytest.approx(style[name].mean(factor="mean"))
    display = ProbeDisplay.from_results(rows, factor="width", metric="balanced_accuracy")
    assert display.style[0] == pytest.approx(style["raw"].mean(factor="width"))
    assert display.ax_.get_ylabel() == "content: balanced accuracy (linear probe)"


def test_style_of_classes_is_read_by_the_metric_of_content():
    rows = [content_row("A", 0.9), style_row("A", 0.3, factor="shape", metric="accuracy")]
    rows += [style_row("A", 0.1, factor="shape", metric="chance_accuracy")]
    display = ProbeDisplay.from_results(rows)
    np.testing.assert_array_equal(display.style, [0.3])
    assert display.ax_.get_xlabel() == "style: accuracy, shape (linear probe)"


def test_another_column_may_name_the_methods(table):
    rows = [{**row, "name": row["method"].lower()} for row in table]
    for row in rows:
        del row["method"]
    assert ProbeDisplay.from_results(rows, method="name").methods == ["simvae", "vae", "simclr"]


def test_single_run_has_no_bars():
    display = ProbeDisplay.from_results([content_row("A", 0.9), style_row("A", 0.3)])
    assert np.isnan([display.content_std, display.style_std]).all()
    display.figure_.canvas.draw()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("crowded", [0.0, 0.3])
def test_names_cover_neither_each_other_nor_points(seed, crowded):
    rng = np.random.default_rng(seed)
    names = [f"{name} {i}" for i in range(4) for name in METHODS]
    content, style = rng.uniform(size=(2, 12))
    content[:6] = 0.5 + crowded * (content[:6] - 0.5) if crowded else content[:6]
    display = ProbeDisplay(names, content, style).plot()
    display.figure_.canvas.draw()
    boxes = [Text.get_window_extent(text) for text in display.labels_]
    for a, b in itertools.combinations(boxes, 2):
        assert not a.overlaps(b)
    points = display.ax_.transData.transform(np.column_stack([style, content]))
    for box, point in itertools.product(boxes, points):
        assert not box.contains(*point)
    for box in boxes:
        assert display.ax_.bbox.padded(2).contains(box.x0, box.y0)
        assert display.ax_.bbox.padded(2).contains(box.x1, box.y1)


def test_keywords_reach_the_bars(table):
    display = ProbeDisplay.from_results(table, errorbar_kw={"capsize": 3, "color": "C3"})
    assert len(display.errorbar_[1]) == 4
    assert display.errorbar_[0].get_color() == "C3"


@pytest.mark.parametrize(
    "rows, params, message",
    [
        ([], {}, "table has 0 rows"),
        ([{"value": 1.0}], {}, r"not all have \['probe', 'metric', 'method'\]"),
        ([content_row("A", 0.9), style_row("A", 0.3)], {"method": "name"}, r"\['name'\]"),
        (
            [content_row("A", 0.9), style_row("A", 0.3)],
            {"probe": "mlp"},
            r"no rows of content .*'mlp'.*it has \{'probe': \['linear'\]",
        ),
        ([content_row("A", 0.9)], {}, "no rows of style"),
        ([content_row("A", 0.9), style_row("A", 0.3)], {"factor": "x"}, "no rows of style 'x'"),
        (
            [content_row("A", 0.9), content_row("B", 0.9), style_row("A", 0.3)],
            {},
            r"The methods \['B'\] have rows of content or of style alone",
        ),
        (
            [content_row("A", 0.9), *(style_row("A", 0.3, factor=f) for f in "xy")],
            {},
            r"several factors of style, \['x', 'y'\]",
        ),
        (
            [*(content_row("A", 0.9, data=d) for d in "xy"), style_row("A", 0.3)],
            {},
            r"rows of 'A' differ in 'data', \['x', 'y'\]",
        ),
    ],
)
def test_tables_that_do_not_tell_are_told(rows, params, message):
    with pytest.raises(ValueError, match=message):
        ProbeDisplay.from_results(rows, **params)


def test_runs_may_differ_in_any_seed():
    rows = [row(*args) for row, args in [(content_row, ("A", 0.9)), (style_row, ("A", 0.3))]]
    rows = [{**row, "fit_seed": seed} for row in rows for seed in range(3)]
    assert ProbeDisplay.from_results(rows).content_std[0] == 0


pytestmark = pytest.mark.filterwarnings("ignore:.* has collapsed")


def test_probe_results_may_be_a_frame_of_polars():
    pl = pytest.importorskip("polars")
    labels = {"method": "A", "probe": "linear", "value": 0.5}
    content = {**labels, "metric": "accuracy", "factor": None}
    style = {**labels, "metric": "r2", "factor": "mean"}
    display = ProbeDisplay.from_results(pl.DataFrame([content, style]))
    assert list(display.methods) == ["A"]
