"""Speed of a fit on a GPU, compared with a loop by hand, with the GPU's limit, and with a CPU.

    python benchmarks/gpu.py [--parts mlp resnet] [--rounds 3] [--results benchmarks/results]

It measures the views a second of whole fits, by SimVAE with the paper's MLP on Fashion-MNIST and by
SimCLR with ResNet-18 on CIFAR-10 (32 px), both with their augmentation and the default precision.
The share of the GPU is the rate of operations of the networks, where the backward pass counts twice
the forward pass, over that of a plain bf16 matrix product of 8,192 rows and columns. The CPU is
timed on fewer images, on all its cores. Everything goes to `RESULTS/gpu.json`; the data come from
the folder in SKLEARN_SIMVAE_DATA.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import speed_loops as by_hand
import torch
from paper_data import COLORED
from sklearn.exceptions import ConvergenceWarning
from speed import gray
from torch.utils.flop_counter import FlopCounterMode

from sklearn_simvae import SimCLR, SimVAE
from sklearn_simvae.datasets import fetch_cifar10, fetch_fashion_mnist
from sklearn_simvae.networks import make_encoder


def seconds(call):
    torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def limit():
    """Measure the FLOP/s of a plain bf16 matrix product."""
    a, b = (torch.randn(8192, 8192, device="cuda").bfloat16() for _ in range(2))
    for _ in range(3):
        a @ b
    return 2 * 8192**3 / np.median([seconds(lambda: a @ b) for _ in range(20)])


def mlp(images, device, batch_size, epochs):
    return gray(SimVAE, batch_size, epochs, precision="auto", device=device).fit(images)


def resnet(images, device, batch_size, epochs):
    return SimCLR(
        64,
        encoder="resnet18",
        augmentation=COLORED,
        batch_size=batch_size,
        max_epochs=epochs,
        device=device,
        random_state=0,
    ).fit(images)


def resnet_work():
    """Count the FLOP of a view: those of the forward pass, and twice as many backward."""
    shapes = {"kind": "image", "input_shape": (3, 32, 32), "n_outputs": 64}
    encoder = make_encoder("resnet18", **shapes, hidden_layer_sizes=())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        encoder(torch.zeros(2, 3, 32, 32))
    return 3 * counter.get_total_flops() / 2


# Name, fit, operations of a view, images, epochs, images for the CPU, and samples a step.
PARTS = {
    "mlp": ("MLP, SimVAE", mlp, by_hand.work, fetch_fashion_mnist, 10, 60_000, (256, 1024, 4096)),
    "resnet": ("ResNet-18, SimCLR", resnet, resnet_work, fetch_cifar10, 1, 1_024, (256, 1024)),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    # Fits are short on purpose.
    warnings.simplefilter("ignore", ConvergenceWarning)
    peak = limit()
    path = args.results / "gpu.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    for part in args.parts:
        name, fit, work, fetch, epochs, n_cpu, batch_sizes = PARTS[part]
        work, images = work(), fetch().images
        found[part] = {
            "gpu": torch.cuda.get_device_name(),
            "torch": torch.__version__,
            "cpu_threads": torch.get_num_threads(),
            "matrix_product_tflops": peak / 1e12,
            "lines": [],
        }
        # The first call of each side also does what is done only once.
        fit(images[:4096], "cuda", 256, 1)
        cpu = 2 * n_cpu / seconds(lambda fit=fit, n=n_cpu, X=images: fit(X[:n], "cpu", 256, 1))
        for batch_size in batch_sizes:
            n_views = 2 * epochs * len(images)
            call = (images, "cuda", batch_size, epochs)
            of_fit, of_loop = [], []
            for _ in range(args.rounds):
                of_fit.append(seconds(lambda fit=fit, call=call: fit(*call)))
                if fit is mlp:
                    loop = (images, batch_size, epochs, "cuda")
                    of_loop.append(seconds(lambda loop=loop: by_hand.simvae(*loop)))
            rate = n_views / np.median(of_fit)
            line = {
                "what": name,
                "views a step": 2 * batch_size,
                "views/s": rate,
                "share": rate * work / peak,
                "times the CPU": rate / cpu,
            }
            if of_loop:
                line["beside a loop"] = float(np.median(np.array(of_loop) / of_fit))
            print(json.dumps(line), flush=True)
            found[part]["lines"].append(line)
            path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
