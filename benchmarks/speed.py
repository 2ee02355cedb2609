"""Speed of the package, compared with loops by hand, the processor's limit, and other settings.

    python benchmarks/speed.py [--parts fit transform ...] [--rounds 5] [--n-train 60000]
        [--results benchmarks/results]

The sides of a comparison run in turn, in an order that alternates from round to round. Compare only
the ratio within a round, of which there are the median, the least and the largest. Everything goes
to `RESULTS/speed.json`, part by part; `tables.py` makes the table of the documentation from it. The
images are those of Fashion-MNIST in the folder in SKLEARN_SIMVAE_DATA. Run it on a machine that
does nothing else.
"""

import argparse
import functools
import json
import time
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import speed_loops as by_hand
import torch
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from sklearn_simvae import SimCLR, SimVAE, VICReg
from sklearn_simvae.datasets import fetch_fashion_mnist
from sklearn_simvae.training import hardware
from sklearn_simvae.views import Compose, RandomHorizontalFlip, RandomResizedCrop

AUGMENTATION = Compose([RandomResizedCrop((0.4, 1.0)), RandomHorizontalFlip()])


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def compare(what, unit, amount, rounds, reference, package, asked=None):
    """Time two named sides in turn; return one line of the results."""
    sides = dict((reference, package))
    times = {name: [] for name in sides}
    for i in range(rounds):
        for name in list(sides)[:: 1 if i % 2 else -1]:
            times[name].append(seconds(sides[name]))
    a, b = (np.array(times[name]) for name in sides)
    line = {
        "what": what,
        "unit": unit,
        "reference": reference[0],
        "reference_rate": amount / np.median(a),
        "package_rate": amount / np.median(b),
        **spread(a / b),
        "asked": asked,
    }
    print(json.dumps(line), flush=True)
    return line


def spread(ratios):
    return {
        "ratio": float(np.median(ratios)),
        "least": float(np.min(ratios)),
        "largest": float(np.max(ratios)),
        "rounds": len(ratios),
    }


def gray(method, batch_size=256, epochs=1, **params):
    return method(
        by_hand.N_COMPONENTS,
        input_shape=(28, 28),
        hidden_layer_sizes=by_hand.SIZES[1:],
        augmentation=AUGMENTATION,
        batch_size=batch_size,
        max_epochs=epochs,
        random_state=0,
        **{"precision": "bf16", **params},
    )


def matmul_rate(n_views):
    """Measure the FLOP/s of a plain bf16 matrix product of the first layer's size."""
    a, b = torch.randn(n_views, 784).bfloat16(), torch.randn(784, 2000).bfloat16()
    product = functools.partial(torch.mm, a, b)
    for _ in range(20):
        product()
    return 2 * n_views * 784 * 2000 / np.median([seconds(product) for _ in range(300)])


def fit(images, rounds):
    """Compare a whole fit of an epoch with a loop by hand and with the matrix product."""
    lines, n_views = [], 2 * len(images)
    for batch_size, share in ((256, 0.75), (512, 0.9), (1024, 0.9)):
        before = matmul_rate(2 * batch_size)
        line = compare(
            f"SimVAE.fit, {2 * batch_size} views a step",
            "views/s",
            n_views,
            rounds,
            ("loop by hand", lambda n=batch_size: by_hand.simvae(images, n, 1)),
            ("fit", lambda n=batch_size: gray(SimVAE, n).fit(images)),
            1.0,
        )
        plain = (before + matmul_rate(2 * batch_size)) / 2
        flops = line["package_rate"] * by_hand.work()
        by_rate = flops / plain
        print(f"share of the matrix product: {by_rate:.3f}", flush=True)
        share_line = {
            "what": f"the same, of a bf16 matrix product of {2 * batch_size} rows",
            "unit": "GFLOP/s",
            "reference": "plain matrix product",
            "reference_rate": plain / 1e9,
            "package_rate": flops / 1e9,
            "ratio": by_rate,
            "asked": share,
        }
        lines += [line, share_line]
    return lines


def contrastive(images, rounds):
    """Compare fits of SimCLR and VICReg with loops by hand."""
    lines = []
    for method, loop in ((SimCLR, by_hand.simclr), (VICReg, by_hand.vicreg)):
        sizes = method().projection_layer_sizes
        lines.append(
            compare(
                f"{method.__name__}.fit, 512 views a step",
                "views/s",
                2 * len(images),
                rounds,
                ("loop by hand", lambda loop=loop, sizes=sizes: loop(images, 256, 1, sizes)),
                ("fit", lambda method=method: gray(method).fit(images)),
                0.95,
            )
        )
    return lines


def transform(images, rounds):
    """Compare `transform` with the bare forward pass."""
    simvae = gray(SimVAE).fit(images[:2000])
    rows = images.reshape(len(images), -1)
    return [
        compare(
            "transform",
            "rows/s",
            len(rows),
            rounds,
            ("forward pass by hand", lambda: by_hand.encode(simvae.encoder_, rows)),
            ("transform", lambda: simvae.transform(rows)),
            0.97,
        )
    ]


def small():
    return SimVAE(
        10, input_shape=(8, 8), hidden_layer_sizes=(128, 64), max_epochs=30, random_state=0
    )


def search(images, rounds):
    """Compare a grid search of small networks by one process and by two."""
    X = load_digits().data / 16
    grid = {"style_variance": [0.05, 0.1, 0.15, 0.3], "lr": [1e-3, 3e-3]}

    def run(n_jobs):
        GridSearchCV(small(), grid, cv=2, n_jobs=n_jobs, refit=False).fit(X)

    run(2)  # Starts the workers.
    one, two = ("n_jobs=1", lambda: run(1)), ("n_jobs=2", lambda: run(2))
    return [compare("GridSearchCV, 16 small fits", "fits/s", 16, rounds, one, two, 1.6)]


def precision(images, rounds):
    """Compare bf16 autocast with float32."""
    images = images[:20_000]
    float32 = ("float32", lambda: gray(SimVAE, precision="float32").fit(images))
    bf16 = ("bf16", lambda: gray(SimVAE).fit(images))
    what = "precision of SimVAE.fit, 512 views a step"
    return [compare(what, "views/s", 2 * len(images), rounds, float32, bf16)]


def compiled(images, rounds):
    """Compare epochs with and without `compile`, without the time of compilation."""
    images = images[:20_000]
    nets = {flag: gray(SimVAE, compile=flag, warm_start=True) for flag in (False, True)}
    start = time.perf_counter()
    nets[True].fit(images)
    first = time.perf_counter() - start
    nets[False].fit(images)
    print(f"the first fit, compiling: {first:.0f} s", flush=True)
    line = compare(
        "compile=True, epochs after the first",
        "views/s",
        2 * len(images),
        rounds,
        ("compile=False", lambda: nets[False].fit(images)),
        ("compile=True", lambda: nets[True].fit(images)),
    )
    return [line | {"first_fit_seconds": first}]


def threads(images, rounds):
    """Compare a small network on one thread, as in the package, and on all threads."""
    X = load_digits().data / 16

    def on_all():
        with mock.patch.object(hardware, "_SHARED_PRODUCTS", 0):
            small().fit(X)

    all_threads = (f"{torch.get_num_threads()} threads", on_all)
    return [
        compare("a small fit", "fits/s", 1, rounds, all_threads, ("fit", lambda: small().fit(X)))
    ]


PARTS = {f.__name__: f for f in (fit, contrastive, transform, search, precision, compiled, threads)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--n-train", type=int, default=60_000)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    # Fits are short on purpose.
    warnings.simplefilter("ignore", ConvergenceWarning)
    images = np.ascontiguousarray(fetch_fashion_mnist().images[: args.n_train])
    # The first call of each side also does what is done only once.
    by_hand.simvae(images[:2000], 256, 1)
    gray(SimVAE).fit(images[:2000])
    path = args.results / "speed.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for part in args.parts:
        lines = PARTS[part](images, args.rounds)
        results[part] = {
            "n_train": len(images),
            "threads": torch.get_num_threads(),
            "lines": lines,
        }
        path.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
