"""Settings of the discriminative methods, chosen on a validation part of Fashion-MNIST.

    python benchmarks/tune_fashion_mnist.py [--methods SimCLR ...] [--epochs 4]
        [--output tune_fashion_mnist.csv]

50,000 training images to learn from and 10,000 to choose by; the test set is not touched. Encoder
and augmentation are those of fashion_mnist.py. The search goes by coordinates: from the first value
of each list, one parameter after the other takes the value that is best by the mean of the linear
and the kNN probe, all others held at the best so far. Runs that are in the output already are not
run again. The data come from the folder in SKLEARN_SIMVAE_DATA.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from fashion_mnist import make
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from sklearn_simvae.datasets import fetch_fashion_mnist

HEAD = {"projection_sizes": [(64, 64), (256, 128), (1024, 256)]}
LARGE_HEAD = {"projection_sizes": [(256, 128), (1024, 256)]}
PREDICTION = {"prediction_lr_multiple": [10.0, 1.0], "prediction_sizes": [(32,), (256,)]}
RATE = {"lr": [1e-3, 3e-3]}
BATCH = {"batch_size": [256, 512]}
SEARCH = {
    "SimCLR": {"temperature": [0.5, 0.2, 0.1], **HEAD, **RATE, **BATCH},
    "VICReg": {**HEAD, "covariance_weight": [1.0, 5.0, 25.0], **RATE, **BATCH},
    "BarlowTwins": {**HEAD, "redundancy_weight": [5e-3, 2e-2, 0.1], **RATE, **BATCH},
    "SwAV": {"n_prototypes": [100, 300, 30], "temperature": [0.1, 0.2], **HEAD, **RATE, **BATCH},
    "DeepCluster": {"n_clusters": [100, 300, 30], "temperature": [0.1, 0.3], **HEAD, **RATE},
    "InstanceDiscrimination": {"temperature": [0.1, 0.3, 0.5], **HEAD, **RATE, **BATCH},
    "BYOL": {**PREDICTION, "target_decay": [0.99, 0.97], **LARGE_HEAD, **RATE},
    "SimSiam": {**PREDICTION, **LARGE_HEAD, **RATE},
}
COLUMNS = ["method", "settings", "epochs", "linear", "knn", "effective_rank", "seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--methods", nargs="+", default=list(SEARCH), choices=SEARCH)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--output", type=Path, default=Path("tune_fashion_mnist.csv"))
    args = parser.parse_args()
    data = fetch_fashion_mnist()
    order = np.random.default_rng(0).permutation(len(data.data))
    (X_valid, X), (y_valid, y) = (
        np.split(part[order], [10_000]) for part in (data.data, data.target)
    )

    if not args.output.exists():
        args.output.write_text(",".join(COLUMNS) + "\n")
    with args.output.open() as file:
        done = {
            (row["method"], row["settings"], row["epochs"]): row for row in csv.DictReader(file)
        }

    def run(method, settings):
        label = " ".join(f"{name}={value}" for name, value in settings.items())
        key = method, label, str(args.epochs)
        if key not in done:
            start = time.perf_counter()
            fitted = make(method, args.epochs, 0, settings).fit(X)
            seconds = round(time.perf_counter() - start)
            Z, Z_valid = fitted.transform(X), fitted.transform(X_valid)
            scaler = StandardScaler().fit(Z)
            Z, Z_valid = scaler.transform(Z), scaler.transform(Z_valid)
            linear = LogisticRegression(max_iter=1000).fit(Z, y).score(Z_valid, y_valid)
            knn = KNeighborsClassifier(15).fit(Z, y).score(Z_valid, y_valid)
            rank = round(fitted.history_[-1]["effective_rank"], 2)
            done[key] = dict(zip(COLUMNS, [*key, linear, knn, rank, seconds], strict=True))
            print(done[key], flush=True)
            with args.output.open("a") as file:
                csv.DictWriter(file, COLUMNS).writerow(done[key])
        return (float(done[key]["linear"]) + float(done[key]["knn"])) / 2

    for method in args.methods:
        best = {name: values[0] for name, values in SEARCH[method].items()}
        for name, values in SEARCH[method].items():
            scores = [run(method, {**best, name: value}) for value in values]
            best[name] = values[int(np.argmax(scores))]
        print(f"{method}: {best}, {max(scores):.4f}", flush=True)


if __name__ == "__main__":
    main()
