"""Cost of the contrast of ContentStyleVAE: processor time and memory compared with SimVAE.

    python benchmarks/speed_content_style.py [--rounds 3]

It runs an epoch of 12,800 images of 28 x 28 pixels with the network of the paper, and one of 2,560
color images of 32 x 32 pixels with the convolutional network and 64 components, each in a process
of its own with one thread, both methods in turn. The ratios are of the least processor times, and
of the peak resident memory.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
import torch

import sklearn_simvae

SETS = {
    "gray images, dense network": ((12_800, 1, 28, 28), 10),
    "color images, convolutions": ((2_560, 3, 32, 32), 64),
}
METHODS = "SimVAE", "ContentStyleVAE"


def fit(name, method):
    """Measure processor time and memory of one fit, in this process."""
    torch.set_num_threads(1)
    shape, n_components = SETS[name]
    X = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    estimator = getattr(sklearn_simvae, method)(
        n_components, hidden_layer_sizes=(2000, 500, 500), max_epochs=1, random_state=0
    )
    # The first fit of a process also pays for what is done once; it is not counted.
    estimator.fit(X[:512])
    start = time.process_time()
    estimator.fit(X)
    seconds = time.process_time() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([seconds, memory / 1024]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fit", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.fit:
        return fit(*args.fit)
    for name in SETS:
        least = {method: [np.inf, np.inf] for method in METHODS}
        for _ in range(args.rounds):
            for method in METHODS:
                command = [sys.executable, __file__, "--fit", name, method]
                out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                least[method] = np.minimum(least[method], json.loads(out.splitlines()[-1]))
        (simvae, simvae_memory), (own, own_memory) = (least[method] for method in METHODS)
        print(
            f"{name}: {simvae:.2f} s and {own:.2f} s, throughput {simvae / own:.3f} of SimVAE's; "
            f"{simvae_memory:.0f} and {own_memory:.0f} MiB, {own_memory / simvae_memory:.3f} times"
        )


if __name__ == "__main__":
    main()
