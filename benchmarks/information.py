"""Mutual information of views and content, for methods that are trained longer and longer.

    python benchmarks/information.py [--n-jobs 2] [--results benchmarks/results]

Each method is fitted for 1, 2 and 4 epochs at its defaults. Both estimates of the mutual
information of two views are compared with the accuracy of the linear and the kNN probe on the
validation part. See `paper.py` for how runs are made and kept.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from paper import Results, do

METHODS = ("VAE", "SimVAE", "SimCLR", "VICReg")
EPOCHS = (1, 2, 4)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    runs = [("fashion_mnist", method, {}, epochs, 0) for epochs in EPOCHS for method in METHODS]
    with ProcessPoolExecutor(args.n_jobs, mp_context=get_context("spawn")) as pool:
        do(runs, Results(args.results / "information.csv"), "information", pool)


if __name__ == "__main__":
    main()
