"""Fits of small data at the defaults of today and at those of before, and the step by hand.

    python benchmarks/small_fits.py [tables] [steps] [search] [--seeds 3] [--methods SimVAE SimCLR]

`tables` fits scikit-learn's tables (and two made ones of 20,000 x 50 and 100,000 x 20) in turn with
`hidden_layer_sizes="auto", max_epochs="auto"` and with the former defaults, (2000, 500, 500) and
100 epochs, and prints the processor time of both, and the accuracy of logistic regression and of
15 nearest neighbors on the representation in cross-validation of five folds. Rows that are in
results/small_fits.csv are not computed again. The made tables are fitted with the former defaults
only if --large is given, since that takes up to an hour each.

`steps` compares the time of a step of `fit` with that of a loop written by hand, and `search` the
part of a grid search that is not training with that of a search over MLPClassifier.

All fits use one thread. Times are processor time.
"""

import argparse
import csv
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from speed_loops import train_vectors
from tables import small_fits_page

import sklearn_simvae

RESULTS = Path(__file__).parent / "results" / "small_fits.csv"
FORMER = {"hidden_layer_sizes": (2000, 500, 500), "max_epochs": 100}
METHODS = ("SimVAE", "ContentStyleVAE", "SimCLR", "VICReg")
FIELDS = ("data", "method", "defaults", "seed", "seconds", "linear", "knn")
MADE = {"20,000 x 50": (20_000, 50), "100,000 x 20": (100_000, 20)}


def made(n_samples, n_features, n_factors=8, n_classes=6):
    """Make a table of correlated features: a smooth function of eight factors, and noise."""
    rng = np.random.default_rng(0)
    centers = 1.6 * rng.standard_normal((3 * n_classes, n_factors))
    which = rng.integers(len(centers), size=n_samples)
    factors = centers[which] + rng.standard_normal((n_samples, n_factors))
    n_hidden = 3 * n_factors
    hidden = factors @ rng.standard_normal((n_factors, n_hidden)) / np.sqrt(n_factors)
    hidden = np.tanh(hidden + 0.5 * rng.standard_normal(n_hidden))
    X = hidden @ rng.standard_normal((n_hidden, n_features)) / np.sqrt(n_hidden)
    X += 0.3 * rng.standard_normal(X.shape)
    return scale(X).astype(np.float32), which % n_classes


def load(name):
    if name in MADE:
        return made(*MADE[name])
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    if name == "digits":
        return X / 16, y
    # The thirds of a target that is a number.
    return scale(X), np.digitize(y, np.quantile(y, [1 / 3, 2 / 3])) if name == "diabetes" else y


def quality(Z, y):
    """Compute the accuracy of two probes by cross-validation, of at most 20,000 rows."""
    Z, y = Z[:20_000], y[:20_000]
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    probes = LogisticRegression(max_iter=1000), KNeighborsClassifier(15)
    return [
        cross_val_score(make_pipeline(StandardScaler(), p), Z, y, cv=folds).mean() for p in probes
    ]


def seconds(call, *args):
    start = time.process_time()
    result = call(*args)
    return time.process_time() - start, result


def tables(args):
    rows = list(csv.DictReader(RESULTS.open())) if RESULTS.exists() else []
    done = {tuple(row[name] for name in FIELDS[:4]) for row in rows}
    with RESULTS.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if not rows:
            writer.writeheader()
        for name in args.data:
            X, y = load(name)
            for seed in range(args.seeds):
                for method in args.methods:
                    for defaults, params in (("auto", {}), ("former", FORMER)):
                        if (name, method, defaults, str(seed)) in done:
                            continue
                        if defaults == "former" and name in MADE and not args.large:
                            continue
                        estimator = getattr(sklearn_simvae, method)(random_state=seed, **params)
                        spent, _ = seconds(estimator.fit, X)
                        linear, knn = quality(estimator.transform(X), y)
                        values = (
                            name,
                            method,
                            defaults,
                            seed,
                            *(f"{v:.4g}" for v in (spent, linear, knn)),
                        )
                        writer.writerow(dict(zip(FIELDS, values, strict=True)))
                        file.flush()
    print(small_fits_page(RESULTS))


def steps(args):
    """Print the time of a step by hand and of `fit`, of the whole fit, in turn."""
    rng = np.random.default_rng(0)
    shapes = (
        ((64,), 16, 176, 13, 40),
        ((128, 64), 32, 640, 30, 20),
        ((256, 128), 64, 1280, 64, 20),
    )
    for hidden, batch_size, n, d, n_epochs in shapes:
        X = scale(rng.standard_normal((n, d))).astype(np.float32)
        for method in ("SimVAE", "SimCLR", "VICReg"):
            params = {"hidden_layer_sizes": hidden, "batch_size": batch_size, "random_state": 0}
            estimator = getattr(sklearn_simvae, method)(max_epochs=n_epochs, **params)
            head = estimator.get_params().get("projection_layer_sizes")
            ratios, own = [], []
            for _ in range(args.rounds):
                by_hand, _ = seconds(train_vectors, method, X, batch_size, n_epochs, hidden, head)
                ours, _ = seconds(estimator.fit, X)
                ratios.append(by_hand / ours)
                own.append(1000 * ours / (n_epochs * n / batch_size))
            print(
                f"{method:8} {hidden!s:12} batches of {batch_size}: {np.median(own):.2f} ms a "
                f"step, {np.median(ratios):.2f} of the speed by hand"
            )


def search(args):
    """Print what a grid search costs beside the fits in it, and beside one of MLPClassifier."""
    X, y = datasets.load_digits(return_X_y=True)
    X = X / 16
    grid = [10.0**-k for k in np.linspace(2, 4, 20)]
    simvae = sklearn_simvae.SimVAE(hidden_layer_sizes=(64,), max_epochs=10, random_state=0)
    mlp = MLPClassifier((64,), max_iter=10, random_state=0)
    for name, estimator, params in (
        ("SimVAE", simvae, {"lr": grid}),
        ("MLPClassifier", mlp, {"learning_rate_init": grid}),
    ):
        shares = []
        for _ in range(args.rounds):
            start = time.perf_counter()
            found = GridSearchCV(estimator, params, cv=3, n_jobs=2, refit=False).fit(X, y)
            whole = 2 * (time.perf_counter() - start)
            shares.append(1 - 3 * found.cv_results_["mean_fit_time"].sum() / whole)
        print(f"{name}: {np.median(shares):.0%} of a search with two jobs is not training")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", default=["tables", "steps", "search"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    names = ("iris", "wine", "breast_cancer", "diabetes", "digits", *MADE)
    parser.add_argument("--data", nargs="+", default=names)
    parser.add_argument("--large", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    # The first fit of a process loads and compiles; it is not counted.
    sklearn_simvae.SimVAE(max_epochs=1).fit(np.zeros((32, 2)) + np.arange(32)[:, None] % 3)
    for part in args.parts:
        {"tables": tables, "steps": steps, "search": search}[part](args)


if __name__ == "__main__":
    main()
