"""Trade of content for style in SimVAE and the VAE, by their settings, on Fashion-MNIST.

    python benchmarks/simvae_map.py [--n-jobs 2] [--results benchmarks/results]

The methods learn from five sixths of the training images and are measured on the rest (by probes
that learn from 20,000 images), so that defaults can be chosen by the results. All runs except those
on training length see the same number of views: with more views of a sample, batches have fewer
samples and there are fewer epochs. See `paper.py` for how runs are made and kept.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from paper import Results, do

EPOCHS = 4


def views(n_views, **settings):
    """Return settings with the same number of views in total and in a step."""
    return {"n_views": n_views, "batch_size": 512 // n_views, **settings}


BERNOULLI = {"likelihood": "bernoulli"}
LITTLE_NOISE = {"noise_variance": 0.003}
PLAIN = {"start": "plain"}
BOTH = ("VAE", "SimVAE")
# An epoch has two views of each image.
MAP = [
    *[
        (m, {"noise_variance": v}, EPOCHS)
        for v in (0.003, 0.01, 0.03, 0.1, "learned")
        for m in BOTH
    ],
    ("VAE", {"beta": 3.0}, EPOCHS),
    *[("SimVAE", {"style_variance": v}, EPOCHS) for v in (0.005, 0.03, 0.5)],
    *[("SimVAE", views(j), EPOCHS) for j in (4, 8)],
    *[("SimVAE", views(4, **more), EPOCHS) for more in ({"style_variance": 0.03}, LITTLE_NOISE)],
    ("SimVAE", {"prior_variance": None}, EPOCHS),
    ("VAE", BERNOULLI, EPOCHS),
    ("SimVAE", {**BERNOULLI, "style_variance": 0.03}, EPOCHS),
    ("SimVAE", views(4, **BERNOULLI, style_variance=0.03), EPOCHS),
    # First weights that are not fitted to the data.
    ("VAE", {**BERNOULLI, **PLAIN}, EPOCHS),
    ("SimVAE", {**BERNOULLI, "style_variance": 0.03, **PLAIN}, EPOCHS),
    *[(m, PLAIN, EPOCHS) for m in BOTH],
    *[(m, {"n_components": n}, EPOCHS) for n in (5, 20) for m in BOTH],
    *[(m, {"crop": 0.2}, EPOCHS) for m in BOTH],
    *[(m, {}, epochs) for epochs in (2, 12) for m in BOTH],
    *[(m, {"noise_variance": v}, 12) for v in (0.003, 0.1) for m in BOTH],
    *[(m, {**LITTLE_NOISE, "lr": 0.004}, 12) for m in BOTH],
    *[("VAE", BERNOULLI, epochs) for epochs in (12, 40)],
    *[("SimVAE", {**BERNOULLI, "style_variance": 0.03}, epochs) for epochs in (12, 40)],
    # Separates the effects of the likelihood and of the small style variance.
    *[("SimVAE", {"noise_variance": v, "style_variance": 0.03}, 12) for v in (0.03, 0.1)],
    ("SimVAE", BERNOULLI, 12),
    ("SimVAE", views(4, **BERNOULLI, style_variance=0.03), 12),
    ("VAE", {**BERNOULLI, "beta": 0.3}, 12),
]

# Settings for which the tie between views matters, and their numbers of seeds.
OF_MORE_SEEDS = [
    (("VAE", {**BERNOULLI, **PLAIN}, EPOCHS), 5),
    (("SimVAE", {**BERNOULLI, "style_variance": 0.03, **PLAIN}, EPOCHS), 5),
    (("VAE", BERNOULLI, 12), 3),
    (("SimVAE", {**BERNOULLI, "style_variance": 0.03}, 12), 3),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    results = Results(args.results / "simvae_map.csv")
    runs = [("fashion_mnist", *run, 0) for run in MAP]
    runs += [
        ("fashion_mnist", *run, seed)
        for run, n_seeds in OF_MORE_SEEDS
        for seed in range(1, n_seeds)
    ]
    with ProcessPoolExecutor(args.n_jobs, mp_context=get_context("spawn")) as pool:
        do(runs, results, "map", pool)


if __name__ == "__main__":
    main()
