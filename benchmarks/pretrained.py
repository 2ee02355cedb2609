"""Features of a pretrained network under ContentStyleVAE, SimVAE and PCA, on classes it never saw.

    python benchmarks/pretrained.py [--epochs 6] [--rows 10000] [--seeds 2] [--network FILE]

A SimCLR of 64 components and the "conv" encoder is trained, without labels, on the training images
of five classes of CIFAR-10 (airplane, bird, deer, frog, ship). `FrozenEncoder` then computes its
hidden layer, of 256 values, for images of the other five classes. The features of `--rows` of their
training images, standardized, are reduced to 16 and to 64 components by PCA, SimVAE and
ContentStyleVAE at their defaults, whose views are features with some corrupted. The views of "of
crops" are the features of two crops of an image, of one seed. Accuracies are those of
`evaluation.probe` on the 5,000 test images of these classes, as means over the seeds of the
reductions. The features themselves, those of the same network without training, and pixels stand
beside. The images come from the folder in SKLEARN_SIMVAE_DATA, and results go to
`benchmarks/results/pretrained.csv`. With `--network` the weights of the network are kept in a file,
or read from it if it is there. Fits use one thread.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_simvae import ContentStyleVAE, FrozenEncoder, SimCLR, SimVAE
from sklearn_simvae.datasets import fetch_cifar10
from sklearn_simvae.evaluation import probe
from sklearn_simvae.networks import hidden_features
from sklearn_simvae.views import default_augmentation

RESULTS = Path(__file__).parent / "results" / "pretrained.csv"
# Every second class is left for the measurements.
SEEN = (0, 2, 4, 6, 8)


def pretrained(X, epochs, file):
    """SimCLR of the classes that are seen, trained or from a file."""
    simclr = SimCLR(64, max_epochs=epochs, device="cpu", random_state=0)
    if file and Path(file).exists():
        return simclr.load_weights(file)
    start = time.perf_counter()
    simclr.fit(X)
    print(f"SimCLR: {len(X)} images, {epochs} epochs, {time.perf_counter() - start:.0f} s")
    if file:
        simclr.save_weights(file)
    return simclr


def reductions(seed):
    """Make transformers to fewer components by name."""
    for k in (16, 64):
        yield f"PCA({k})", PCA(k, random_state=seed)
        yield f"SimVAE({k})", SimVAE(k, device="cpu", random_state=seed)
        yield f"ContentStyleVAE({k})", ContentStyleVAE(k, device="cpu", random_state=seed)


def of_crops(frozen, X, scaler):
    """Standardized features of two augmented views of each image, (n, 2, n_features)."""
    augmentation = default_augmentation("image", n_channels=3)
    generator = torch.Generator().manual_seed(0)
    x = torch.from_numpy(X).float() / 255
    views = [augmentation(x, generator).numpy() for _ in range(2)]
    return np.stack([scaler.transform(frozen.transform(view)) for view in views], axis=1)


def accuracies(Z, y, Z_test, y_test):
    """Accuracy of the linear probe and of nearest neighbors, by name."""
    table = probe(
        None,
        Z,
        y,
        X_test=Z_test,
        y_test=y_test,
        probes=("linear", "knn"),
        n_repeats=1,
        random_state=0,
    )
    return {row["probe"]: row["value"] for row in table if row["metric"] == "accuracy"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--network")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=UserWarning)

    (X, y), (X_test, y_test) = (read(subset) for subset in ("train", "test"))
    simclr = pretrained(X[np.isin(y, SEEN)], args.epochs, args.network)
    rows = np.flatnonzero(~np.isin(y, SEEN))
    rows = np.random.default_rng(0).permutation(rows)[: args.rows]
    test = ~np.isin(y_test, SEEN)
    X, y, X_test, y_test = X[rows], y[rows], X_test[test], y_test[test]

    untrained = SimCLR(64, max_epochs=1, lr=1e-12, device="cpu", random_state=0).fit(X[:512])
    found = []

    def measure(features, reduction, seed, Z, Z_test, seconds):
        made = accuracies(Z, y, Z_test, y_test)
        row = {"features": features, "reduction": reduction, "seed": seed, **made}
        found.append({**row, "seconds": round(seconds, 1)})
        print(found[-1], flush=True)

    measure("pixels", "PCA(64)", 0, *reduce(PCA(64, random_state=0), flat(X), flat(X_test)))
    for name, estimator in (("untrained", untrained), ("SimCLR", simclr)):
        frozen = FrozenEncoder(hidden_features(estimator.encoder_), device="cpu")
        start = time.perf_counter()
        Z, Z_test = frozen.fit_transform(X), frozen.transform(X_test)
        measure(name, "none", 0, Z, Z_test, time.perf_counter() - start)
    for seed in range(args.seeds):
        for name, reduction in reductions(seed):
            made = reduce(make_pipeline(StandardScaler(), reduction), Z, Z_test)
            measure("SimCLR", name, seed, *made)
    scaler = StandardScaler().fit(Z)
    scaled = [scaler.transform(features) for features in (Z, Z_test)]
    views = of_crops(frozen, X, scaler)
    vae = ContentStyleVAE(16, device="cpu", random_state=0)
    made = reduce(vae, *scaled, to_fit=views)
    measure("SimCLR", "ContentStyleVAE(16) of crops", 0, *made)

    table = pd.DataFrame(found)
    table.to_csv(RESULTS, index=False, float_format="%.4f")
    means = table.groupby(["features", "reduction"], sort=False)[["linear", "knn", "seconds"]]
    print(means.mean().round(3).to_string())


def read(subset):
    data = fetch_cifar10(subset=subset)
    return data.images, data.target


def flat(images):
    return images.reshape(len(images), -1) / np.float32(255)


def reduce(reduction, Z, Z_test, to_fit=None):
    """Both parts with fewer components, and the seconds of the fit."""
    start = time.perf_counter()
    reduction.fit(Z if to_fit is None else to_fit)
    seconds = time.perf_counter() - start
    return reduction.transform(Z), reduction.transform(Z_test), seconds


if __name__ == "__main__":
    main()
