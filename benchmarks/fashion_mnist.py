"""SimVAE on all of Fashion-MNIST: what probes read off the representation of the test set.

    python benchmarks/fashion_mnist.py [--epochs 20 60] [--seeds 3] [--output results.csv]

The paper's MLP, 10 components, 256 samples a batch, two views by random resized crop (0.4-1) and
horizontal flip, lr 1e-3 with the one-cycle schedule. Features of unaugmented images are
standardised; linear, MLP and kNN(15) probes learn on the training set and are scored on the test
set. Rows that are in the output already are not run again. The data come from the folder in
SKLEARN_SIMVAE_DATA.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from sklearn_simvae import SimVAE
from sklearn_simvae.datasets import fetch_fashion_mnist
from sklearn_simvae.views import Compose, RandomHorizontalFlip, RandomResizedCrop

COLUMNS = ["method", "epochs", "seed", "linear", "mlp", "knn", "seconds"]


def probes(Z_train, y_train, Z_test, y_test):
    """Test accuracy of three classifiers on standardised features."""
    scaler = StandardScaler().fit(Z_train)
    Z_train, Z_test = scaler.transform(Z_train), scaler.transform(Z_test)
    classifiers = {
        "linear": LogisticRegression(max_iter=1000),
        "mlp": MLPClassifier(
            (128,), batch_size=500, learning_rate_init=2e-3, max_iter=20, random_state=0
        ),
        "knn": KNeighborsClassifier(15),
    }
    return {
        name: round(classifier.fit(Z_train, y_train).score(Z_test, y_test), 4)
        for name, classifier in classifiers.items()
    }


def simvae(epochs, seed, **parameters):
    return SimVAE(
        10,
        input_shape=(28, 28),
        augmentation=Compose([RandomResizedCrop((0.4, 1.0)), RandomHorizontalFlip()]),
        batch_size=256,
        max_epochs=epochs,
        random_state=seed,
        **parameters,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, nargs="+", default=[20, 60])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--style-variance", type=float, default=None)
    parser.add_argument("--output", type=Path, default=Path("fashion_mnist.csv"))
    args = parser.parse_args()
    train, test = fetch_fashion_mnist(), fetch_fashion_mnist(subset="test")
    parameters, label = {}, "SimVAE"
    if args.style_variance is not None:
        parameters["style_variance"] = args.style_variance
        label = f"SimVAE(style_variance={args.style_variance})"

    done = set()
    if args.output.exists():
        with args.output.open() as file:
            done = {(row["method"], row["epochs"], row["seed"]) for row in csv.DictReader(file)}
    else:
        args.output.write_text(",".join(COLUMNS) + "\n")

    def record(method, epochs, seed, make):
        if (method, str(epochs), str(seed)) in done:
            return
        transformer = make()
        start = time.perf_counter()
        Z_train = transformer.fit_transform(train.data)
        seconds = round(time.perf_counter() - start)
        scores = probes(Z_train, train.target, transformer.transform(test.data), test.target)
        row = {"method": method, "epochs": epochs, "seed": seed, **scores, "seconds": seconds}
        print(row, flush=True)
        with args.output.open("a") as file:
            csv.DictWriter(file, COLUMNS).writerow(row)

    record("PCA", 0, 0, lambda: PCA(10, random_state=0))
    for epochs in args.epochs:
        for seed in range(args.seeds):
            record(label, epochs, seed, lambda e=epochs, s=seed: simvae(e, s, **parameters))

    with args.output.open() as file:
        rows = list(csv.DictReader(file))
    for method, epochs in sorted({(row["method"], int(row["epochs"])) for row in rows}):
        cells = [r for r in rows if r["method"] == method and int(r["epochs"]) == epochs]
        means = {
            name: f"{np.mean([float(r[name]) for r in cells]):.3f}"
            f" +- {np.std([float(r[name]) for r in cells]):.3f}"
            for name in ("linear", "mlp", "knn")
        }
        print(f"{method}, {epochs} epochs, {len(cells)} seeds: {means}")


if __name__ == "__main__":
    main()
