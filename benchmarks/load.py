"""Cost and remains of threads on one estimator, of many calls, of many fits, and of a fork.

Run it as ``python benchmarks/load.py``. It prints JSON, and exits with 1 if a result is wrong, if
threads are too slow, or if memory has grown by more than 5 %. It reads resident memory from
``/proc/self/statm``, so it needs Linux. ``--part`` runs a single part.
"""

import argparse
import gc
import json
import multiprocessing
import os
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

import sklearn_simvae
from sklearn_simvae import CLIP, SimCLR, SimVAE

SMALL = {"hidden_layer_sizes": (64,), "max_epochs": 2, "random_state": 0}
TRANSFORMED = (SimVAE, SimCLR, CLIP)


def resident_mb() -> float:
    """Return the memory of this process that is in RAM, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def digits() -> np.ndarray:
    return (load_digits().data / 16).astype(np.float32)


def grown(series: list[float]) -> float:
    """Compute the relative growth of a series from its second tenth to its last."""
    tenth = max(1, len(series) // 10)
    return float(np.median(series[-tenth:]) / np.median(series[tenth : 2 * tenth]) - 1)


def threads(n_threads: int = 16, n_calls: int = 320) -> dict:
    """Transform by threads and in turn; compare the results, and measure both times."""
    X, out = digits(), {}
    parts = [X[i % 800 : i % 800 + 900] for i in range(n_calls)]
    for method in TRANSFORMED:
        estimator = method(**{**SMALL, "hidden_layer_sizes": (512, 512)}).fit(X[:300])
        estimator.transform(parts[0])
        start = time.perf_counter()
        expected = [estimator.transform(part) for part in parts]
        alone = time.perf_counter() - start
        with ThreadPoolExecutor(n_threads) as pool:
            start = time.perf_counter()
            found = list(pool.map(estimator.transform, parts))
            together = time.perf_counter() - start
        wrong = sum(not np.array_equal(a, b) for a, b in zip(expected, found, strict=True))
        out[method.__name__] = {
            "wrong": wrong,
            "rows_per_second_alone": round(900 * n_calls / alone),
            f"rows_per_second_of_{n_threads}_threads": round(900 * n_calls / together),
            # Threads wait for each other, so the rate of all of them together counts.
            "ok": wrong == 0 and together < 1.25 * alone,
        }
    return out


def calls(n_calls: int = 10_000) -> dict:
    """Make many small calls of `transform`."""
    X, out = digits(), {}
    for method in TRANSFORMED:
        estimator = method(**SMALL).fit(X[:300])
        memory, start = [], time.perf_counter()
        for i in range(n_calls):
            estimator.transform(X[i % 1000 : i % 1000 + 1 + i % 30])
            if i % 50 == 0:
                memory.append(resident_mb())
        growth = grown(memory)
        out[method.__name__] = {
            "calls": n_calls,
            "milliseconds_per_call": round(1e3 * (time.perf_counter() - start) / n_calls, 3),
            "resident_mb": [round(memory[len(memory) // 10]), round(memory[-1])],
            "growth": round(growth, 4),
            "ok": growth < 0.05,
        }
    return out


def fits(n_fits: int = 500) -> dict:
    """Fit many times in one process, by each method in turn."""
    X, memory, objects = digits()[:100], [], []
    methods = [getattr(sklearn_simvae, name) for name in sklearn_simvae.__all__]
    methods = [method for method in methods if hasattr(method, "partial_fit")]
    for i in range(n_fits):
        method = methods[i % len(methods)]
        method(**{**SMALL, "max_epochs": 1}).fit(X).transform(X)
        memory.append(resident_mb())
        if i % 50 == 0:
            gc.collect()
            objects.append(len(gc.get_objects()))
    growth = grown(memory)
    return {
        "fits": n_fits,
        "resident_mb_at_each_tenth": [round(m) for m in memory[:: max(1, n_fits // 10)]],
        "growth": round(growth, 4),
        "objects_at_each_50_fits": objects,
        "ok": growth < 0.05,
    }


def fork() -> dict:
    """Use an estimator in a process that was forked after its fit, with several threads."""
    torch.set_num_threads(max(2, os.cpu_count() or 2))
    X = digits()[:600]
    estimator = SimVAE(**{**SMALL, "hidden_layer_sizes": (256,), "batch_size": 300}).fit(X)
    expected = estimator.transform(X)

    def child():
        same = np.allclose(estimator.transform(X), expected, rtol=1e-5, atol=1e-6)
        estimator.partial_fit(X)
        sys.exit(0 if same else 3)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    code = process.exitcode
    process.kill()
    torch.set_num_threads(1)
    return {"exit_code": "none, it hangs" if code is None else code, "ok": code == 0}


PARTS = {"threads": threads, "calls": calls, "fits": fits, "fork": fork}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    names = [arguments.part] if arguments.part else PARTS
    found = {name: PARTS[name]() for name in names}
    print(json.dumps(found, indent=2))
    oks = [value for part in found.values() for value in (part, *part.values())]
    return int(any(isinstance(value, dict) and value.get("ok") is False for value in oks))


if __name__ == "__main__":
    sys.exit(main())
