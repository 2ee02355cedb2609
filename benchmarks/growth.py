"""Growth of time and memory of a fit with the size of the data and of the model.

    python benchmarks/growth.py [--results benchmarks/results] [--figure docs/_static/growth.svg]

The script varies the number of samples, views, features and components, and the width of images,
one at a time. It measures the processor time of an epoch, in seconds, and the peak memory of a fit
beyond that after import, for each point in a process of its own, on one thread. The exponents are
slopes of log against log over the upper half of each range, where fixed costs no longer matter.
Points that are in `RESULTS/growth.csv` are not measured again.
"""

import argparse
import csv
import resource
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from sklearn_simvae import SimVAE

# The sizes to vary: their values, and the arguments of `cost` for a value.
RANGES = {
    "n_samples": [2_000, 4_000, 8_000, 16_000, 32_000, 64_000],
    "n_views": [2, 4, 8, 16, 32],
    "n_features": [64, 256, 1024, 4096, 16384],
    "n_components": [4, 16, 64, 256, 1024],
    "image_width": [8, 16, 32, 64],
}
START = {"n_samples": 4_000, "n_views": 2, "n_features": 256, "n_components": 10}
EPOCHS = 2


def cost(name, value):
    """Measure the seconds of an epoch and the MiB of a fit, in a process of its own."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    size = START | {name: value}
    rng = np.random.default_rng(0)
    if name == "image_width":
        X = rng.integers(0, 255, (500, value, value), dtype=np.uint8)
        settings = {"encoder": "conv", "hidden_layer_sizes": (128,)}
    else:
        X = rng.integers(0, 255, (size["n_samples"], size["n_features"]), dtype=np.uint8)
        settings = {"hidden_layer_sizes": (256, 128), "augmentation": None}
    simvae = SimVAE(
        size["n_components"],
        n_views=size["n_views"],
        input_shape=X.shape[1:],
        batch_size=250,
        precision="float32",
        max_epochs=EPOCHS,
        random_state=0,
        **settings,
    )
    simvae.set_params(max_epochs=1).fit(X[:500])
    before = resident_peak()
    simvae.set_params(max_epochs=EPOCHS)
    start = time.process_time()
    simvae.fit(X)
    seconds = (time.process_time() - start) / EPOCHS
    return seconds, (resident_peak() - before) / 2**20, X.nbytes / 2**20


def resident_peak():
    """Return the peak resident memory in bytes; Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def exponent(values, costs):
    """Compute the slope of log against log over the upper half of the range."""
    upper = len(values) // 2
    return np.polyfit(np.log(values[upper:]), np.log(np.maximum(costs[upper:], 1e-9)), 1)[0]


def draw(points, path):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(RANGES), figsize=(3 * len(RANGES), 5), layout="constrained")
    for column, name in enumerate(RANGES):
        values = [value for n, value, *_ in points if n == name]
        for row, (label, place) in enumerate((("s / epoch", 2), ("MiB", 3))):
            costs = np.array([point[place] for point in points if point[0] == name])
            axis = axes[row, column]
            axis.loglog(values, costs, "o-")
            axis.set(xlabel=name, title=f"slope {exponent(values, costs):.2f}")
            # Only the labels of the two ends have room.
            axis.minorticks_off()
            axis.set_xticks([values[0], values[-1]], [f"{v:,.0f}" for v in (values[0], values[-1])])
            axis.set_yticks(
                [costs.min(), costs.max()], [f"{c:.2g}" for c in (costs.min(), costs.max())]
            )
            if column == 0:
                axis.set_ylabel(label)
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument(
        "--figure", type=Path, default=Path(__file__).parents[1] / "docs/_static/growth.svg"
    )
    args = parser.parse_args()
    path = args.results / "growth.csv"
    if not path.exists():
        path.write_text("what,value,seconds,MiB,MiB of X\n")
    with path.open(newline="") as file:
        points = [(name, *map(float, numbers)) for name, *numbers in list(csv.reader(file))[1:]]
    done = {point[:2] for point in points}
    for name, values in RANGES.items():
        for value in values:
            if (name, value) in done:
                continue
            # A new process for each point, since the peak memory of a process never falls.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                points.append((name, value, *pool.submit(cost, name, value).result()))
            print(*points[-1], flush=True)
            with path.open("a", newline="") as file:
                csv.writer(file).writerow(f"{v:.4g}" if v is not name else v for v in points[-1])
    draw(points, args.figure)


if __name__ == "__main__":
    main()
