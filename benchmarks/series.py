"""Series at all defaults, compared with PCA of resampled series and with simple summaries.

    pip install --no-deps aeon      # in an environment of its own: only its files are read
    python benchmarks/series.py --aeon PATH/TO/aeon [--sets ...] [--methods ...] [--seeds 3]
    python benchmarks/series.py --table

Each representation is fitted to all series of a set without their labels. The accuracy is that of
logistic regression on standardized representations, in cross-validation of five folds. All have as
many components as the estimators have by default. "PCA" interpolates series linearly to their
median length, flattens and standardizes them. "summaries" are the mean, standard deviation,
minimum, maximum, mean and largest slope, and the shares of the power in four bands of frequency, of
each channel (not reduced to fewer components).

The sets were named before anything was measured. `CHOOSING` are those by which defaults were
chosen; `CHECKING` took no part in it. Results are appended to benchmarks/results/series.csv; what
is there already is not measured again. Fits use one thread.
"""

import argparse
import csv
import time
import warnings
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_simvae import ContentStyleVAE, SimCLR, SimVAE

CHOOSING = ["ArrowHead", "BasicMotions", "ItalyPowerDemand", "JapaneseVowels", "waves"]
CHECKING = ["GunPoint", "OSULeaf", "PickupGestureWiimoteZ", "UnitTest", "ACSF1", "bursts"]
METHODS = {"SimVAE": SimVAE, "ContentStyleVAE": ContentStyleVAE, "SimCLR": SimCLR}
BASELINES = ["PCA", "summaries"]
FIELDS = ["set", "method", "seed", "accuracy", "seconds"]
RESULTS = Path(__file__).parent / "results" / "series.csv"


def waves():
    """Make series of unequal length of four waveforms; period, phase and height vary."""
    rng = np.random.default_rng(0)
    waveforms = [
        np.sin,
        lambda t: np.sign(np.sin(t)),
        lambda t: 2 * np.abs((t / np.pi) % 2 - 1) - 1,
        lambda t: (t / np.pi) % 2 - 1,
    ]
    y = rng.integers(len(waveforms), size=400)
    X = []
    for k in y:
        length, period = rng.integers(40, 160), rng.uniform(12, 40)
        angle = 2 * np.pi * np.arange(length) / period + rng.uniform(0, 2 * np.pi)
        x = rng.uniform(0.5, 1.5) * waveforms[k](angle)
        X.append((x + 0.1 * rng.standard_normal(length))[:, None])
    return X, y


def bursts():
    """Make two channels of unequal length, in which bursts of one of three shapes come and go."""
    rng = np.random.default_rng(1)
    shapes = [
        np.hanning(15),
        np.hanning(15) * np.sin(np.arange(15)),
        np.r_[np.ones(7), -np.ones(8)],
    ]
    y = rng.integers(len(shapes), size=300)
    X = []
    for k in y:
        x = 0.2 * rng.standard_normal((rng.integers(30, 200), 2))
        for start in rng.integers(0, len(x) - 15, size=max(1, len(x) // 40)):
            channel, height = rng.integers(2), rng.uniform(0.7, 1.5)
            x[start : start + 15, channel] += height * shapes[k]
        X.append(x)
    return X, y


def read_ts(path):
    """Read the series, each (length, channels), and the labels of a file in aeon's format."""
    X, y = [], []
    text = path.read_text().lower().partition("@data")[2]
    for line in filter(None, map(str.strip, text.splitlines())):
        *channels, label = line.split(":")
        X.append(np.array([list(map(float, channel.split(","))) for channel in channels]).T)
        y.append(label)
    return X, y


def load(name, folder):
    """Return series, as an array where all are as long, and their labels."""
    if name in globals():
        X, y = globals()[name]()
    else:
        parts = [read_ts(folder / name / f"{name}_{part}.ts") for part in ("TRAIN", "TEST")]
        X, y = (first + second for first, second in zip(*parts, strict=True))
    lengths = {len(x) for x in X}
    return (np.stack(X) if len(lengths) == 1 else X), np.unique(y, return_inverse=True)[1]


def resampled(X):
    length = int(np.median([len(x) for x in X]))
    places = np.linspace(0, 1, length)
    return np.stack(
        [[np.interp(places, np.linspace(0, 1, len(x)), c) for c in x.T] for x in X]
    ).reshape(len(X), -1)


def summaries(X):
    rows = []
    for x in X:
        slope = np.diff(x, axis=0)
        power = np.abs(np.fft.rfft(x - x.mean(0), axis=0)) ** 2 / (x.var(0) * len(x) ** 2 + 1e-9)
        bands = [band.sum(0) for band in np.array_split(power[1:], 4)]
        steep = np.abs(slope)
        row = [x.mean(0), x.std(0), x.min(0), x.max(0), steep.mean(0), steep.max(0), *bands]
        rows.append(np.concatenate(row))
    return np.stack(rows)


def represent(method, X, seed):
    if method == "summaries":
        return summaries(X)
    if method == "PCA":
        flat = StandardScaler().fit_transform(resampled(X))
        return PCA(SimVAE().n_components, random_state=0).fit_transform(flat)
    return METHODS[method](kind="series", channels="last", random_state=seed).fit_transform(X)


def accuracy(Z, y):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    return cross_val_score(model, Z, y, cv=StratifiedKFold(5, shuffle=True, random_state=0)).mean()


def rows_of(path):
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def measure(args):
    done = {(row["set"], row["method"], row["seed"]) for row in rows_of(args.results)}
    # All sets once, then all again, so that there is something of each early.
    for seed, name in product(range(args.seeds), args.sets):
        X, y = load(name, args.aeon / "datasets" / "data")
        for method in args.methods:
            if (name, method, str(seed)) in done or (seed and method in BASELINES):
                continue
            start = time.perf_counter()
            Z = represent(method, X, seed)
            seconds = time.perf_counter() - start
            row = [name, method, seed, f"{accuracy(Z, y):.4f}", f"{seconds:.1f}"]
            new = not args.results.exists()
            with args.results.open("a", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerows([FIELDS, row] if new else [row])
            print(*row, flush=True)


def print_table(rows):
    methods = [*BASELINES, *METHODS]
    print(f"{'':24}" + "".join(f"{method:>17}" for method in methods))
    for name in [*CHOOSING, *CHECKING]:
        cells = []
        for method in methods:
            of = [float(r["accuracy"]) for r in rows if (r["set"], r["method"]) == (name, method)]
            cells.append(f"{np.mean(of):.3f}" if of else "")
        print(f"{name:24}" + "".join(f"{cell:>17}" for cell in cells))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--aeon", type=Path, default=None, help="folder of the package aeon")
    parser.add_argument("--sets", nargs="+", default=[*CHOOSING, *CHECKING])
    parser.add_argument("--methods", nargs="+", default=[*BASELINES, *METHODS])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="print what was measured")
    args = parser.parse_args()
    if not args.table:
        spec = find_spec("aeon")
        args.aeon = args.aeon or (Path(spec.origin).parent if spec else Path("aeon"))
        torch.set_num_threads(1)
        warnings.simplefilter("ignore")
        measure(args)
    print_table(rows_of(args.results))


if __name__ == "__main__":
    main()
