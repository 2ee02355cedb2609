"""Missing values of tables, filled in by SimVAE and by scikit-learn's imputers.

    python benchmarks/imputation.py [--seeds 3] [--methods SimVAE VAE ...]

Values of scaled tables are hidden: 10, 30 and 50 % of them, at random or in blocks (runs of
adjacent columns of a row, as where an instrument failed). It prints, and writes to
results/imputation.csv, the root mean squared error of what was hidden, in standard deviations of a
column; and, where there are classes, the accuracy of logistic regression in cross-validation of
five folds: on the filled table, and on the representation of the table with its holes. Rows that
are in the file are not computed again. All estimators have their defaults, but for
IterativeImputer, which looks at the 20 nearest features. Times are processor time of one thread.
"""

import argparse
import csv
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn import clone, datasets
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from tables import imputation_page

import sklearn_simvae

RESULTS = Path(__file__).parent / "results" / "imputation.csv"
FIELDS = ("data", "holes", "share", "method", "seed", "seconds", "rmse", "filled", "latent")
DATA = ("wine", "breast_cancer", "diabetes", "digits", "made")
IMPUTERS = {
    "SimpleImputer": SimpleImputer(),
    "KNNImputer": KNNImputer(),
    "IterativeImputer": IterativeImputer(n_nearest_features=20, random_state=0),
}
METHODS = (*IMPUTERS, "SimVAE", "VAE", "ContentStyleVAE")


def load(name):
    """Load a scaled table without constant columns, and its classes if it has some."""
    if name == "made":
        rng = np.random.default_rng(0)
        factors = rng.standard_normal((2000, 6))
        X = np.tanh(factors @ rng.standard_normal((6, 40))) + 0.3 * rng.standard_normal((2000, 40))
        return scale(X), (factors[:, 0] > 0) + 2 * (factors[:, 1] > 0)
    data = getattr(datasets, f"load_{name}")()
    X = data.data[:, data.data.std(0) > 0]
    return scale(X), None if name == "diabetes" else data.target


def hide(shape, share, holes, rng):
    """Draw a mask of the values to hide; of each row and column, some stay."""
    n, d = shape
    if holes == "random":
        hidden = rng.random(shape) < share
    else:
        width = max(2, d // 5)
        hidden = np.zeros(shape, dtype=bool)
        while hidden.mean() < share:
            rows = rng.integers(n, size=max(1, n // 20))
            for row, start in zip(rows, rng.integers(d - width + 1, size=len(rows)), strict=True):
                hidden[row, start : start + width] = True
    hidden[np.arange(n), rng.integers(d, size=n)] = False
    return hidden


def measure(name, method, share, holes, seed):
    """Fill one table by one method, and measure what came out."""
    X, y = load(name)
    hidden = hide(X.shape, share, holes, np.random.default_rng(seed))
    with_holes = np.where(hidden, np.nan, X)
    latent = None
    start = time.process_time()
    if method in IMPUTERS:
        filled = clone(IMPUTERS[method]).fit_transform(with_holes)
    else:
        estimator = getattr(sklearn_simvae, method)(random_state=seed).fit(with_holes)
        filled, latent = estimator.impute(with_holes), estimator.transform(with_holes)
    seconds = time.process_time() - start
    row = {"seconds": seconds, "rmse": np.sqrt(np.mean((filled - X)[hidden] ** 2))}
    for column, Z in (("filled", filled), ("latent", latent)):
        if y is not None and Z is not None:
            folds = StratifiedKFold(5, shuffle=True, random_state=seed)
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            row[column] = cross_val_score(model, Z, y, cv=folds).mean()
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--data", nargs="+", default=DATA, choices=DATA)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    done = set()
    if RESULTS.exists():
        with RESULTS.open(newline="") as file:
            done = {tuple(row[key] for key in FIELDS[:5]) for row in csv.DictReader(file)}
    for seed in range(args.seeds):
        for name in args.data:
            for holes in ("random", "blocks"):
                for share in (0.1, 0.3, 0.5):
                    for method in args.methods:
                        case = (name, holes, str(share), method, str(seed))
                        if case in done:
                            continue
                        row = measure(name, method, share, holes, seed)
                        row = {key: f"{value:.4f}" for key, value in row.items()}
                        print(*case, row, flush=True)
                        new = not RESULTS.exists()
                        with RESULTS.open("a", newline="") as file:
                            writer = csv.DictWriter(file, FIELDS)
                            if new:
                                writer.writeheader()
                            writer.writerow(dict(zip(FIELDS[:5], case, strict=True)) | row)
    print(imputation_page(RESULTS))


if __name__ == "__main__":
    main()
