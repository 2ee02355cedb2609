"""Memory of a fit to an array, of a fit to a file larger than memory, and of retrieval.

    python benchmarks/memory.py [--rows 60000] [--file-gib 20] [--steps 2000] [--queries 100000]

It prints JSON, with all sizes in MiB. "array" is the peak resident memory of `SimVAE.fit` beyond
that after the import of the package, for rows of 784 bytes, which are made after the import and so
count. "file" is the peak anonymous resident memory, with that of the program and its libraries,
while SimVAE goes once through a memory-mapped file in the given number of steps, and then
transforms a part of it. The file is sparse: it takes almost no room on the disk, but is read like
any other. Pages of the file itself are not anonymous; the system drops them when it needs room.
"retrieval" is the peak resident memory beyond the embeddings while as many queries as targets are
ranked.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

import sklearn_simvae
from sklearn_simvae import SimVAE
from sklearn_simvae.multimodal import recall_at_k, retrieve

# Features in a row of the file: a few pages, like a picture.
FILE_FEATURES = 5120


def resident(field):
    """Return VmRSS (all) or RssAnon (anonymous) of this process, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


class Peak:
    """Peak of `resident` while the body runs, sampled a hundred times a second."""

    def __init__(self, field):
        self.field = field
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self.done.wait(0.01):
            self.value = max(self.value, resident(self.field))

    def __enter__(self):
        self.value = resident(self.field)
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.done.set()
        self.thread.join()


def measure_array(n_rows):
    """Measure the peak of `fit` on pixels in memory, beyond the memory after import."""
    before = resident("VmRSS")
    X = np.random.default_rng(0).integers(0, 256, (n_rows, 784), dtype=np.uint8)
    with Peak("VmRSS") as peak:
        SimVAE(input_shape=(28, 28), max_epochs=1, random_state=0).fit(X)
    return {"rows": n_rows, "data": X.nbytes / 2**20, "above_import": peak.value - before}


def measure_file(gib, n_steps):
    """Measure the peak of an epoch over a sparse file, and of a transform of a part of it."""
    n_rows = int(gib * 2**30) // (8 * FILE_FEATURES)
    with tempfile.TemporaryDirectory() as folder:
        X = np.memmap(Path(folder) / "X", np.float64, "w+", shape=(n_rows, FILE_FEATURES))
        # Values other than 0, in rows that are far apart.
        some = np.linspace(0, n_rows - 1, 100).astype(int)
        X[some] = np.random.default_rng(0).random((100, FILE_FEATURES))
        X = np.memmap(X.filename, X.dtype, "r", shape=X.shape)
        estimator = SimVAE(
            hidden_layer_sizes=(32,),
            augmentation=None,
            batch_size=n_rows // n_steps,
            max_epochs=1,
            random_state=0,
        )
        before, start = resident("RssAnon"), time.perf_counter()
        with Peak("RssAnon") as peak:
            estimator.fit(X)
            estimator.transform(X[: n_rows // 10])
    return {
        "file": X.nbytes / 2**20,
        "rows": n_rows,
        "steps": -(-n_rows // estimator.batch_size),
        "anonymous": peak.value,
        "anonymous_before": before,
        "seconds": time.perf_counter() - start,
    }


def measure_retrieval(n):
    """Measure the peak of retrieving ten targets a query, and of the recall."""
    queries, targets = np.random.default_rng(0).standard_normal((2, n, 64), dtype=np.float32)
    before, start = resident("VmRSS"), time.perf_counter()
    with Peak("VmRSS") as peak:
        retrieve(queries, targets, k=10)
        recall_at_k(queries, targets, k=10)
    seconds = time.perf_counter() - start
    return {"queries": n, "above_embeddings": peak.value - before, "seconds": seconds}


SIDES = {"array": measure_array, "file": measure_file, "retrieval": measure_retrieval}


def measure(side, *args):
    """Measure one side in a process of its own, whose memory holds nothing else."""
    command = [sys.executable, __file__, "--side", side, *map(str, args)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--file-gib", type=float, default=20)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--queries", type=int, default=100_000)
    parser.add_argument("--side", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        warnings.simplefilter("ignore", ConvergenceWarning)
        side, *sizes = args.side
        result = SIDES[side](*map(json.loads, sizes))
    else:
        result = {
            "version": sklearn_simvae.__version__,
            "array": measure("array", args.rows),
            "file": measure("file", args.file_gib, args.steps),
            "retrieval": measure("retrieval", args.queries),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
