"""Time of a step of InstanceDiscrimination with a memory, by the number of samples.

    python benchmarks/instance_memory.py [--samples 20000 200000 2000000]

The data are vectors of 32 features and the network is small, so that growth with the number of
samples would be visible. Times are means of 200 steps of 256 samples, after 20 that do not count.
"""

import argparse
import itertools
import time

import numpy as np
import torch

from sklearn_simvae.discriminative import InstanceDiscrimination
from sklearn_simvae.training import FitOptions, Run


def seconds_of_a_step(n_samples, n_steps=200, n_warm_up=20):
    """Measure the seconds of a step, and the MiB that the memory takes."""
    X = np.random.default_rng(0).standard_normal((n_samples, 32), dtype=np.float32)
    estimator = InstanceDiscrimination(
        hidden_layer_sizes=(64,),
        augmentation=lambda x: x,
        memory_bank=True,
        batch_size=256,
        max_epochs=1,
        random_state=0,
    ).fit(X[:1000])
    net, module = estimator.net_, estimator.module_
    samples = estimator._read(X)
    options = FitOptions(
        name="InstanceDiscrimination",
        n_epochs=10**6,
        batch_size=256,
        loss=estimator._objective,
        latent=estimator._latent,
        make_views=estimator._reader().view_maker(samples),
        parameters=estimator.get_params(),
    )
    run = Run(net, options, samples, None, samples.some(1))
    run.begin()
    module.train()
    batches = itertools.cycle(net.get_iterator(samples, training=True))
    for step, batch in enumerate(itertools.islice(batches, n_warm_up + n_steps)):
        if step == n_warm_up:
            start = time.perf_counter()
        net.train_step(batch, generator=torch.Generator().manual_seed(0))
    seconds = (time.perf_counter() - start) / n_steps
    return seconds, module.prototypes.values.nbytes / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, nargs="+", default=[20_000, 200_000, 2_000_000])
    args = parser.parse_args()
    print(f"{'samples':>10}{'ms a step':>12}{'MiB of memory':>16}")
    for n_samples in args.samples:
        seconds, size = seconds_of_a_step(n_samples)
        print(f"{n_samples:>10}{1e3 * seconds:>12.2f}{size:>16.1f}", flush=True)


if __name__ == "__main__":
    main()
