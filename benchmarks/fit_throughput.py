"""Throughput of a whole `SimVAE.fit` beside a loop of the same model written by hand.

    python benchmarks/fit_throughput.py [--rounds 5] [--batch-size 256] [--n-train 60000]

Both sides train the paper's MLP on Fashion-MNIST in bf16 autocast, with two views by random resized
crop and flip, the closed-form prior term, fused Adam and the one-cycle schedule. They run in turn,
and the order alternates; the figure that counts is the ratio within each round. The data come from
the folder in SKLEARN_SIMVAE_DATA.
"""

import argparse
import json
import math
import time
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from sklearn_simvae import SimVAE
from sklearn_simvae.datasets import fetch_fashion_mnist
from sklearn_simvae.views import Compose, RandomHorizontalFlip, RandomResizedCrop

SIZES = (784, 2000, 500, 500)
N_COMPONENTS, STYLE, NOISE = 10, 0.15, 0.01


def mlp(sizes):
    layers = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def crop(x):
    """Random resized crop and flip by one grid_sample."""
    n = len(x)
    area = 0.4 + 0.6 * torch.rand(n)
    ratio = torch.exp(torch.empty(n).uniform_(math.log(0.75), math.log(4 / 3)))
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = width * torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    theta[:, 1, 1] = height
    theta[:, 0, 2] = (1 - width) * (2 * torch.rand(n) - 1)
    theta[:, 1, 2] = (1 - height) * (2 * torch.rand(n) - 1)
    grid = F.affine_grid(theta, x.shape, align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def bare_loop(images, batch_size, epochs):
    """The same training with nothing around it; returns seconds."""
    torch.manual_seed(0)
    X = torch.from_numpy(images)
    start = time.perf_counter()
    encoder = mlp([*SIZES, 2 * N_COMPONENTS])
    decoder = mlp([N_COMPONENTS, *SIZES[::-1]])
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)
    n_steps = epochs * (len(X) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=n_steps)
    for _ in range(epochs):
        order = torch.randperm(len(X))
        for i in range(len(X) // batch_size):
            x = X[order[i * batch_size : (i + 1) * batch_size]].unsqueeze(1).float() / 255
            x = crop(x.repeat_interleave(2, 0)).flatten(1)
            with torch.autocast("cpu", torch.bfloat16):
                out = encoder(x).float()
            mean, log_variance = out.chunk(2, 1)
            z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
            with torch.autocast("cpu", torch.bfloat16):
                logits = decoder(z).float()
            error = 0.5 * (x - logits.sigmoid()).square().sum() / NOISE
            m, v = mean.view(-1, 2, N_COMPONENTS), log_variance.exp().view(-1, 2, N_COMPONENTS)
            centre = m.mean(1, keepdim=True)
            pull = ((m - centre).square().sum() + 0.5 * v.sum()) / (2 * STYLE)
            prior = (centre.square().sum() + v.sum() / 4) / (2 * (1 + STYLE / 2))
            loss = (error + pull + prior - 0.5 * log_variance.sum()) / batch_size
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
    return time.perf_counter() - start


def package(images, batch_size, epochs):
    """`SimVAE.fit` as a user calls it; returns seconds."""
    simvae = SimVAE(
        N_COMPONENTS,
        input_shape=(28, 28),
        augmentation=Compose([RandomResizedCrop((0.4, 1.0)), RandomHorizontalFlip()]),
        batch_size=batch_size,
        max_epochs=epochs,
        precision="bf16",
        random_state=0,
    )
    start = time.perf_counter()
    simvae.fit(images)
    return time.perf_counter() - start


def matmul_rate(n_views):
    """FLOP/s of a plain bf16 matrix product of the first layer's size."""
    a = torch.randn(n_views, 784).bfloat16()
    b = torch.randn(784, 2000).bfloat16()
    for _ in range(20):
        a @ b
    start = time.perf_counter()
    for _ in range(100):
        a @ b
    return 100 * 2 * n_views * 784 * 2000 / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--n-train", type=int, default=60_000)
    parser.add_argument("--epochs", type=int, default=1)
    args = parser.parse_args()
    images = np.ascontiguousarray(fetch_fashion_mnist().images[: args.n_train])
    n_views = 2 * args.epochs * len(images)
    sides = {"bare loop": bare_loop, "SimVAE.fit": package}
    for side in sides.values():
        side(images[:5000], args.batch_size, 1)
    rates = {name: [] for name in sides}
    for i in range(args.rounds):
        for name in sorted(sides, reverse=i % 2 == 0):
            rates[name].append(n_views / sides[name](images, args.batch_size, args.epochs))
        print({name: round(rate[-1]) for name, rate in rates.items()}, flush=True)
    ratio = np.array(rates["SimVAE.fit"]) / np.array(rates["bare loop"])
    n_layers = list(pairwise(SIZES))
    weights = 2 * sum(a * b for a, b in n_layers) + 3 * N_COMPONENTS * SIZES[-1]
    result = {
        "views_per_second": {name: round(float(np.median(r))) for name, r in rates.items()},
        "ratio_median": round(float(np.median(ratio)), 3),
        "ratio_min": round(float(ratio.min()), 3),
        "ratio_max": round(float(ratio.max()), 3),
        "share_of_matmul": round(
            float(np.median(rates["SimVAE.fit"])) * 6 * weights / matmul_rate(2 * args.batch_size),
            3,
        ),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
