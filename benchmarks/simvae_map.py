"""How SimVAE and the VAE trade content for style: their settings mapped on Fashion-MNIST.

    python benchmarks/simvae_map.py [--n-jobs 2] [--results benchmarks/results]

Learned on five sixths of the training images and read on the rest, so that defaults can be chosen
by it. All runs but those on training length see the same number of views: those with more views of
a sample have fewer samples in a batch and go through them less often. `paper.py` says how it runs.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from paper import Results, do

EPOCHS = 6


def views(n_views, **settings):
    """Settings at an equal number of views, in all and in a step."""
    return {"n_views": n_views, "batch_size": 512 // n_views, **settings}


BERNOULLI = {"likelihood": "bernoulli"}
# Epochs are of two views of each image.
MAP = [
    *[("VAE", {"noise_variance": v}, EPOCHS) for v in (0.003, 0.01, 0.03, 0.1, "learned")],
    *[("VAE", {"beta": beta}, EPOCHS) for beta in (0.3, 3.0)],
    *[("SimVAE", {"noise_variance": v}, EPOCHS) for v in (0.003, 0.01, 0.03, 0.1, "learned")],
    *[("SimVAE", {"style_variance": v}, EPOCHS) for v in (0.005, 0.03, 0.5, 2.0)],
    *[("SimVAE", views(j), EPOCHS) for j in (4, 8)],
    *[("SimVAE", views(4, style_variance=v), EPOCHS) for v in (0.005, 0.03, 0.5)],
    *[("SimVAE", views(4, noise_variance=v), EPOCHS) for v in (0.03, 0.1)],
    ("SimVAE", {"prior_variance": None}, EPOCHS),
    ("SimVAE", views(4, prior_variance=None), EPOCHS),
    ("VAE", BERNOULLI, EPOCHS),
    *[("SimVAE", {**BERNOULLI, "style_variance": v}, EPOCHS) for v in (0.03, 0.15)],
    *[("SimVAE", views(4, **BERNOULLI, style_variance=v), EPOCHS) for v in (0.005, 0.03, 0.15)],
    *[(m, {"n_components": n}, EPOCHS) for n in (5, 20, 40) for m in ("VAE", "SimVAE")],
    *[(m, {"lr": lr}, EPOCHS) for lr in (1e-3, 4e-3) for m in ("VAE", "SimVAE")],
    # Without first weights that are fitted to the data.
    ("VAE", {**BERNOULLI, "start": "plain"}, EPOCHS),
    ("SimVAE", {**BERNOULLI, "style_variance": 0.03, "start": "plain"}, EPOCHS),
    ("VAE", {"start": "plain"}, EPOCHS),
    ("SimVAE", {"start": "plain"}, EPOCHS),
    *[(m, {"crop": c}, EPOCHS) for c in (0.2, 0.7) for m in ("VAE", "SimVAE")],
    *[(m, {}, epochs) for epochs in (2, 20) for m in ("VAE", "SimVAE")],
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    results = Results(args.results / "simvae_map.csv")
    runs = [("fashion_mnist", method, settings, epochs, 0) for method, settings, epochs in MAP]
    with ProcessPoolExecutor(args.n_jobs, mp_context=get_context("spawn")) as pool:
        do(runs, results, "map", pool)


if __name__ == "__main__":
    main()
