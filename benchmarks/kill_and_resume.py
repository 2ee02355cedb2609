"""Kill fits at random moments, resume them from their checkpoints, and compare.

Run it as ``python benchmarks/kill_and_resume.py``; it prints JSON. Each trial starts a small fit
with a checkpoint, and kills it by SIGKILL at a moment drawn evenly over the time from its first
checkpoint to its end. It checks that the file is whole, and fits again. The representations,
history and weights are compared bit for bit with those of a fit that was never stopped.
"""

import argparse
import json
import multiprocessing
import signal
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

from sklearn_simvae import BYOL, CLIP, DeepCluster, InstanceDiscrimination, SimVAE, SwAV
from sklearn_simvae._files import unpack
from sklearn_simvae.training import Checkpoint

SMALL = {"n_components": 4, "hidden_layer_sizes": (32,), "max_epochs": 20, "random_state": 0}
ESTIMATORS = {
    "SimVAE": SimVAE(**SMALL),
    "SimVAE, stopping early": SimVAE(**SMALL, early_stopping=True, n_iter_no_change=8, lr=0.03),
    "BYOL": BYOL(**SMALL),
    "SwAV": SwAV(**SMALL),
    "DeepCluster": DeepCluster(**SMALL, n_clusters=10),
    "InstanceDiscrimination, memory": InstanceDiscrimination(**SMALL, memory_bank=True),
    "CLIP": CLIP(**SMALL),
}
FORK = multiprocessing.get_context("fork")


def fit(name, checkpoint, out):
    """Fit, and write everything that is compared."""
    warnings.simplefilter("ignore")
    X = load_digits().data[:64] / 16
    estimator = ESTIMATORS[name].set_params(callbacks=Checkpoint(checkpoint)).fit(X)
    rows = [{k: v for k, v in row.items() if k != "dur"} for row in estimator.history_]
    weights = {f"w {k}": w.numpy() for k, w in estimator.module_.state_dict().items()}
    np.savez(out, Z=estimator.transform(X), history=json.dumps(rows), **weights)


def run(name, checkpoint, out, kill_after=None):
    """Fit in a process of its own; return its exit code and its time from the first checkpoint."""
    process = FORK.Process(target=fit, args=(name, checkpoint, out))
    process.start()
    while process.is_alive() and not checkpoint.exists():
        time.sleep(0.001)
    start = time.perf_counter()
    process.join(kill_after)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode, time.perf_counter() - start


def same(one, other):
    one, other = np.load(one), np.load(other)
    return one.files == other.files and all(np.array_equal(one[n], other[n]) for n in one.files)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(arguments.seed)
    counts = {
        "kills": 0,
        "fits_that_ended_before_the_kill": 0,
        "same_result": 0,
        "damaged_files": 0,
        "parts_left_after_the_fit": 0,
    }
    epochs = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        seconds = {}
        for i, name in enumerate(ESTIMATORS):
            _, seconds[name] = run(name, folder / "none", folder / f"{i}.npz")
        trial = 0
        while counts["kills"] < arguments.kills:
            i = trial % len(ESTIMATORS)
            name = list(ESTIMATORS)[i]
            trial += 1
            own = folder / f"trial {trial}"
            own.mkdir()
            checkpoint, out = own / "fit.checkpoint", folder / "out.npz"
            code, _ = run(name, checkpoint, out, rng.uniform(0, seconds[name]))
            if code == 0:
                counts["fits_that_ended_before_the_kill"] += 1
                continue
            if code != -signal.SIGKILL:
                raise RuntimeError(f"The fit of {name} failed by itself, with exit code {code}.")
            counts["kills"] += 1
            epoch = 0
            if checkpoint.exists():
                try:
                    _, metadata = unpack(checkpoint.read_bytes(), "it", "checkpoint")
                    epoch = metadata["epochs"]
                except ValueError:
                    counts["damaged_files"] += 1
            epochs.append(epoch)
            out.unlink(missing_ok=True)
            code, _ = run(name, checkpoint, out)
            counts["same_result"] += code == 0 and same(out, folder / f"{i}.npz")
            counts["parts_left_after_the_fit"] += len(list(own.iterdir()))
    print(json.dumps({**counts, "epochs_in_the_checkpoints": epochs, "max_epochs": 20}, indent=2))


if __name__ == "__main__":
    main()
