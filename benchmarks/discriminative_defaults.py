"""Settings of the discriminative methods, chosen on a validation part of Fashion-MNIST.

    python benchmarks/discriminative_defaults.py [--methods SimCLR ...] [--epochs 4]
        [--output discriminative_defaults.csv]

Data, encoder and probes are those of paper.py; the test set is not used. The search goes one
parameter at a time. It starts from the first value of each list, and gives each parameter the value
with the best mean accuracy of the linear and the kNN probe, while all others stay at the best
values so far. Runs that are in the output already are not repeated. The data come from the folder
in SKLEARN_SIMVAE_DATA.
"""

import argparse
from pathlib import Path

import numpy as np
from paper import Results, key_of, label, run

HEAD = {"projection_layer_sizes": [(64, 64), (256, 128), (1024, 256)]}
LARGE_HEAD = {"projection_layer_sizes": [(256, 128), (1024, 256)]}
PREDICTION = {"predictor_lr_multiplier": [10.0, 1.0], "predictor_layer_sizes": [(32,), (256,)]}
RATE = {"lr": [1e-3, 3e-3]}
BATCH = {"batch_size": [256, 512]}
SEARCH = {
    "SimCLR": {"temperature": [0.5, 0.2, 0.1], **HEAD, **RATE, **BATCH},
    "VICReg": {**HEAD, "covariance_weight": [1.0, 5.0, 25.0], **RATE, **BATCH},
    "BarlowTwins": {**HEAD, "redundancy_weight": [5e-3, 2e-2, 0.1], **RATE, **BATCH},
    "SwAV": {"n_prototypes": [100, 300, 30], "temperature": [0.1, 0.2], **HEAD, **RATE, **BATCH},
    "DeepCluster": {"n_clusters": [100, 300, 30], "temperature": [0.1, 0.3], **HEAD, **RATE},
    "InstanceDiscrimination": {"temperature": [0.1, 0.3, 0.5], **HEAD, **RATE, **BATCH},
    "BYOL": {**PREDICTION, "target_momentum": [0.99, 0.97], **LARGE_HEAD, **RATE},
    "SimSiam": {**PREDICTION, **LARGE_HEAD, **RATE},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--methods", nargs="+", default=list(SEARCH), choices=SEARCH)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--output", type=Path, default=Path("discriminative_defaults.csv"))
    args = parser.parse_args()
    results = Results(args.output)

    def score(method, settings):
        key = key_of(("fashion_mnist", method, settings, args.epochs, 0), "search")
        if not results.of(*key):
            results.add(run(key, settings, "search", args.output.parent / "unfinished"))
        rows = results.of(*key)
        value = np.mean([float(row["value"]) for row in rows if row["metric"] == "accuracy"])
        print(f"{method} {label(settings)}: {value:.4f}", flush=True)
        return value

    for method in args.methods:
        best = {name: values[0] for name, values in SEARCH[method].items()}
        for name, values in SEARCH[method].items():
            scores = [score(method, {**best, name: value}) for value in values]
            best[name] = values[int(np.argmax(scores))]
        print(f"{method}: {best}, {max(scores):.4f}", flush=True)


if __name__ == "__main__":
    main()
