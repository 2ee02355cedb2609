"""Fit every method with random settings, and count the outcomes.

Run it as ``python benchmarks/random_configurations.py --n 200 --seed 0``. Variances and weights are
drawn from 1e-6 to 1e2 and learning rates from 1e-5 to 1e-1, evenly in their logarithm. Batches have
2 to 64 samples of 1 to 8 views; both precisions are used, and data in [0, 1], standardized or as
they come. All results of a fit must be finite, or it must end with a ValueError. The script prints
a table of the outcomes, and each setting for which neither holds, and exits with 1 if there is one.
"""

import argparse
import re
import sys
import time
import warnings
from collections import Counter

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

import sklearn_simvae

# Estimators that train something of their own.
METHODS = [n for n in sklearn_simvae.__all__ if hasattr(getattr(sklearn_simvae, n), "partial_fit")]
VARIANCES = ("style_variance", "prior_variance", "noise_variance")
WEIGHTS = ("beta", "consistency_weight", "redundancy_weight", "invariance_weight")
WEIGHTS += ("variance_weight", "covariance_weight", "temperature", "epsilon")
# Names of the causes in the table, by words of the error.
CAUSES = {
    "diverged": "training diverged",
    r"at least \d+ views": "too few views",
    "prior_variance=None": "improper prior needs two views",
}


def draw(rng: np.random.Generator, method: str | None = None) -> tuple[str, dict, str]:
    """Draw a method, its parameters and the scale of the data.

    Parameters
    ----------
    rng : numpy Generator
        Generator of the draws.
    method : str, default=None
        The method. None draws it too.

    Returns
    -------
    method : str
        Name of the method.
    params : dict
        Parameters of the method.
    scale : {"unit", "standard", "raw"}
        See :func:`data`.
    """
    method = method or str(rng.choice(METHODS))
    defaults = getattr(sklearn_simvae, method)().get_params()
    params = {
        "n_components": int(rng.integers(1, 9)),
        "hidden_layer_sizes": (32,),
        "max_epochs": 2,
        "batch_size": int(rng.choice([2, 2, 3, 16, 64])),
        "lr": float(10 ** rng.uniform(-5, -1)),
        "precision": str(rng.choice(["float32", "bf16"])),
        "optimizer": str(rng.choice(["adam", "adamw", "sgd"])),
        "lr_schedule": str(rng.choice(["one_cycle", "constant"])),
        "early_stopping": bool(rng.random() < 0.2),
        "random_state": int(rng.integers(1000)),
    }
    for name in (*VARIANCES, *WEIGHTS):
        if name in defaults:
            params[name] = float(10 ** rng.uniform(-6, 2))
    if "noise_variance" in defaults and rng.random() < 0.2:
        params["noise_variance"] = "learned"
    if "prior_variance" in defaults and rng.random() < 0.2:
        params["prior_variance"] = None
    # Once over the range, the rest of what is random: J, of views or of modalities.
    n_views = int(rng.integers(1, 9))
    if "modalities" in defaults:
        parts = np.array_split(np.arange(64), max(2, n_views))
        params["modalities"] = [(f"part{i}", "mlp", list(part)) for i, part in enumerate(parts)]
    else:
        params["n_views"] = n_views
    if "projection_layer_sizes" in defaults:
        params["projection_layer_sizes"] = (16, 8)
    if "predictor_layer_sizes" in defaults:
        params["predictor_layer_sizes"] = (8,)
    if "n_clusters" in defaults:
        params["n_clusters"] = 10
    return method, params, str(rng.choice(["unit", "standard", "raw"]))


def data(scale: str, n: int = 300) -> np.ndarray:
    """Return rows of the digits.

    Parameters
    ----------
    scale : {"unit", "standard", "raw"}
        Scale of the rows: in [0, 1], standardized, or from 0 to 16.
    n : int, default=300
        Number of rows.

    Returns
    -------
    X : ndarray of float32 of shape (n, 64)
        The rows.
    """
    X = load_digits().data[:n]
    if scale == "standard":
        X = StandardScaler().fit_transform(X)
    return (X / 16 if scale == "unit" else X).astype(np.float32)


def outcome(method: str, params: dict, X: np.ndarray) -> str:
    """Fit, and name the outcome.

    Parameters
    ----------
    method : str
        Name of a method.
    params : dict
        Parameters of the method.
    X : ndarray of shape (n, 64)
        Rows to fit to.

    Returns
    -------
    outcome : str
        "finite"; "error: " and its cause; or, if neither holds, "BAD: " and the fault.
    """
    estimator = getattr(sklearn_simvae, method)(**params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            estimator.fit(X)
        except ValueError as error:
            for words, cause in CAUSES.items():
                if re.search(words, str(error)):
                    return f"error: {cause}"
            return f"BAD: the error names no known cause: {error}"
        except Exception as error:
            return f"BAD: {type(error).__name__}: {error}"
        wrong = [name for name, values in results(estimator, X) if not np.isfinite(values).all()]
    return f"BAD: not finite: {', '.join(wrong)}" if wrong else "finite"


def results(estimator, X):
    """Return all results of a fitted estimator, by name."""
    for name, weight in estimator.module_.state_dict().items():
        yield name, weight.float().numpy()
    yield "history", [value for row in estimator.history_ for value in row.values()]
    yield "transform", estimator.transform(X)
    if hasattr(estimator, "score"):
        yield "score", estimator.score(X)
    if hasattr(estimator, "project"):
        yield "project", estimator.project(X)
    if hasattr(estimator, "encode"):
        yield "encode", np.stack(estimator.encode(X))
    if hasattr(estimator, "inverse_transform"):
        yield "inverse_transform", estimator.inverse_transform(estimator.transform(X))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(arguments.seed)
    counts, bad, start = Counter(), [], time.perf_counter()
    for i in range(arguments.n):
        # Each method in turn, so that all have their share.
        method, params, scale = draw(rng, METHODS[i % len(METHODS)])
        found = outcome(method, params, data(scale))
        counts[method, found.partition(" names ")[0] if found.startswith("BAD") else found] += 1
        if found.startswith("BAD"):
            bad.append((method, params, scale, found))
            print(bad[-1], flush=True)
    width = max(map(len, METHODS))
    for (method, found), count in sorted(counts.items()):
        print(f"{method:{width}}  {count:4d}  {found[:60]}")
    total = Counter()
    for (_, found), count in counts.items():
        total[found if found.startswith(("finite", "error")) else "BAD"] += count
    for found, count in total.most_common():
        print(f"{'all':{width}}  {count:4d}  {found}")
    print(f"{arguments.n} configurations in {time.perf_counter() - start:.0f} s, {len(bad)} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
