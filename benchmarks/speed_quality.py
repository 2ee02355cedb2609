"""Time that the defaults take to reach the final accuracy of the paper's settings.

    python benchmarks/speed_quality.py [--epochs 2 3 4 6] [--seed 0] [--results benchmarks/results]

The paper's settings are a constant learning rate of 8e-5, float32, 64 samples of two views in a
step and first weights as torch draws them, for 30 epochs of Fashion-MNIST. The defaults get a fit
of their own for each number of epochs, since their schedule ends with the fit. The quality is the
accuracy of the kNN probe on the test set. Fits use one thread. Wall and processor time go to
`RESULTS/speed_quality.csv`, and runs that are there are not repeated. The data come from the folder
in SKLEARN_SIMVAE_DATA.
"""

import argparse
import time
import warnings
from pathlib import Path

import torch
from paper import RUN, Results
from paper_data import DATA
from paper_measures import content
from paper_methods import make_method, parameters_digest
from sklearn.exceptions import ConvergenceWarning

PAPER = {
    "lr": 8e-5,
    "lr_schedule": "constant",
    "precision": "float32",
    "batch_size": 64,
    "start": "plain",
}
PAPER_EPOCHS = 30


def run(key, method, data):
    wall, cpu = time.perf_counter(), time.process_time()
    method.fit(data.fit_on)
    measured = {
        "fit_seconds": time.perf_counter() - wall,
        "processor_seconds": time.process_time() - cpu,
        "knn": content(method, data, ("knn",)).select(metric="accuracy")[0]["value"],
    }
    print(*key, measured, flush=True)
    key = dict(zip(RUN, key, strict=True))
    return [{**key, "metric": k, "value": f"{v:.5g}"} for k, v in measured.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, nargs="+", default=[2, 3, 4, 6])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    torch.set_num_threads(1)
    # Short fits stop before they converge, on purpose.
    warnings.simplefilter("ignore", ConvergenceWarning)
    results = Results(args.results / "speed_quality.csv")
    runs = [("defaults", {}, epochs) for epochs in args.epochs]
    data = DATA["fashion_mnist"]()
    for label, settings, epochs in [*runs, ("paper", PAPER, PAPER_EPOCHS)]:
        method = make_method("SimVAE", data, settings, epochs, args.seed)
        digest = parameters_digest(method)
        key = "fashion_mnist", "SimVAE", label, epochs, args.seed, digest
        if not results.of(*key):
            results.add(run(key, method, data))


if __name__ == "__main__":
    main()
