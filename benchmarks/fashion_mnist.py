"""All methods on Fashion-MNIST: what probes read off the representation of the test set.

    python benchmarks/fashion_mnist.py [--methods SimVAE SimCLR ...] [--epochs 20] [--seeds 1]
        [--set SimVAE.style_variance=0.03 ...] [--output fashion_mnist.csv]

The same for all: the paper's MLP, 10 components, two views by random resized crop (0.4-1) and
horizontal flip, so many epochs over all training images. What a method has of its own (head, lr,
batch size, temperature, weights) is at its default unless set. Features of unaugmented images are
standardised. Content: linear, MLP and kNN(15) probes learn on the training set, and a Gaussian
mixture of 10 clusters is compared with the labels of the test set by normalised mutual information.
Style: how much of the variance of the position and size of a random crop an MLP reads off the
representation of the cropped image. "head" columns are of the projections, which transform leaves
out. Rows that are in the output already are not run again. The data come from the folder in
SKLEARN_SIMVAE_DATA.
"""

import argparse
import ast
import csv
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import normalized_mutual_info_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_simvae
from sklearn_simvae.datasets import fetch_fashion_mnist
from sklearn_simvae.views import Compose, RandomHorizontalFlip, RandomResizedCrop

METHODS = [
    *("PCA", "VAE", "CRVAE", "SimVAE", "InstanceDiscrimination", "DeepCluster", "SwAV"),
    *("SimCLR", "VICReg", "BarlowTwins", "SimSiam", "BYOL"),
]
PROBES = ["linear", "mlp", "knn", "gmm_nmi", "style", "head_knn", "head_style"]
COLUMNS = ["method", "settings", "epochs", "seed", *PROBES, "seconds"]
AUGMENTATION = Compose([RandomResizedCrop((0.4, 1.0)), RandomHorizontalFlip()])
N_STYLE = 20_000


def content(Z, y, Z_test, y_test, seed=0):
    """Test accuracy of three classifiers on standardised features, and NMI of a mixture."""
    scaler = StandardScaler().fit(Z)
    Z, Z_test = scaler.transform(Z), scaler.transform(Z_test)
    classifiers = {
        "linear": LogisticRegression(max_iter=1000),
        "mlp": MLPClassifier(
            hidden_layer_sizes=(128,),
            batch_size=500,
            learning_rate_init=2e-3,
            max_iter=20,
            random_state=0,
        ),
        "knn": KNeighborsClassifier(15),
    }
    scores = {name: c.fit(Z, y).score(Z_test, y_test) for name, c in classifiers.items()}
    mixture = GaussianMixture(10, n_init=10, reg_covar=1e-4, random_state=seed)
    found = mixture.fit(Z[:N_STYLE]).predict(Z_test)
    return {**scores, "gmm_nmi": normalized_mutual_info_score(y_test, found)}


def crops(images, seed):
    """A random crop of each image, and where it is: width, height, centre (x, y)."""
    rng = np.random.default_rng(seed)
    area, ratio = rng.uniform(0.4, 1, len(images)), np.exp(rng.uniform(-0.28, 0.28, len(images)))
    sides = np.minimum(np.sqrt(np.stack([area * ratio, area / ratio], 1)), 1)
    centres = rng.uniform(-1, 1, sides.shape) * (1 - sides)
    style = np.concatenate([sides, centres], 1).astype(np.float32)
    maps = torch.zeros(len(images), 2, 3)
    maps[:, 0, 0], maps[:, 1, 1], maps[:, 0, 2], maps[:, 1, 2] = torch.from_numpy(style).T
    x = torch.from_numpy(images.reshape(-1, 1, 28, 28)).float() / 255
    grid = torch.nn.functional.affine_grid(maps, list(x.shape), align_corners=False)
    x = torch.nn.functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    return x.flatten(1).numpy(), style


def style(Z, s, Z_test, s_test):
    """Test R2 of reading the crops off representations, averaged over its four numbers."""
    probe = TransformedTargetRegressor(
        make_pipeline(
            StandardScaler(),
            MLPRegressor(
                hidden_layer_sizes=(128,),
                batch_size=500,
                learning_rate_init=2e-3,
                max_iter=30,
                random_state=0,
            ),
        ),
        transformer=StandardScaler(),
    )
    return probe.fit(Z, s).score(Z_test, s_test)


def make(method, epochs, seed, settings):
    if method == "PCA":
        return PCA(10, random_state=seed)
    return getattr(sklearn_simvae, method)(
        10,
        input_shape=(28, 28),
        augmentation=AUGMENTATION,
        max_epochs=epochs,
        random_state=seed,
        **settings,
    )


def measure(transformer, train, test):
    """All columns of a transformer that is fitted."""
    crop, s = crops(train.data[:N_STYLE], seed=0)
    crop_test, s_test = crops(test.data, seed=1)
    Z, Z_test = transformer.transform(train.data), transformer.transform(test.data)
    row = content(Z, train.target, Z_test, test.target)
    row["style"] = style(transformer.transform(crop), s, transformer.transform(crop_test), s_test)
    if hasattr(transformer, "project"):
        project = transformer.project
        P, P_test = project(train.data), project(test.data)
        knn = KNeighborsClassifier(15).fit(P, train.target)
        row["head_knn"] = knn.score(P_test, test.target)
        row["head_style"] = style(project(crop), s, project(crop_test), s_test)
    return {name: round(value, 4) for name, value in row.items()}


def show(rows):
    """The table, a line for each method and its settings."""
    print(f"{'method':<44}{'seeds':>6}" + "".join(f"{name:>17}" for name in PROBES))
    rows = sorted(rows, key=lambda row: METHODS.index(row["method"]))
    for key in dict.fromkeys((row["method"], row["settings"], row["epochs"]) for row in rows):
        cells = [r for r in rows if (r["method"], r["settings"], r["epochs"]) == key]
        line = f"{key[0] + (f'({key[1]})' if key[1] else '') + f', {key[2]} epochs':<44}"
        line += f"{len(cells):>6}"
        for name in PROBES:
            values = [float(r[name]) for r in cells if r[name] != ""]
            line += f"{np.mean(values):>9.3f} +-{np.std(values):.3f}" if values else f"{'':>17}"
        print(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--epochs", type=int, nargs="+", default=[20])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="METHOD.PARAMETER=VALUE", help="other settings"
    )
    parser.add_argument("--output", type=Path, default=Path("fashion_mnist.csv"))
    args = parser.parse_args()
    # The MLP probes are cut short on purpose.
    warnings.simplefilter("ignore", ConvergenceWarning)
    settings = {method: {} for method in METHODS}
    for item in args.set:
        name, value = item.split("=", 1)
        method, parameter = name.split(".", 1)
        settings[method][parameter] = ast.literal_eval(value)

    train, test = fetch_fashion_mnist(), fetch_fashion_mnist(subset="test")
    if not args.output.exists():
        args.output.write_text(",".join(COLUMNS) + "\n")
    with args.output.open() as file:
        rows = list(csv.DictReader(file))
    for epochs in args.epochs:
        for seed in range(args.seeds):
            for method in args.methods:
                label = " ".join(f"{k}={v}" for k, v in settings[method].items())
                key = {"method": method, "settings": label, "epochs": epochs, "seed": seed}
                if any(all(row[k] == str(v) for k, v in key.items()) for row in rows):
                    continue
                start = time.perf_counter()
                transformer = make(method, epochs, seed, settings[method]).fit(train.data)
                seconds = round(time.perf_counter() - start)
                row = {**key, **measure(transformer, train, test), "seconds": seconds}
                print(row, flush=True)
                with args.output.open("a") as file:
                    csv.DictWriter(file, COLUMNS, restval="").writerow(row)
                rows.append({name: str(row.get(name, "")) for name in COLUMNS})
    show(rows)


if __name__ == "__main__":
    main()
