"""Peak memory of a step of SimCLR, with all views encoded at once and in chunks.

    python benchmarks/large_batches.py [--batch-sizes 512 2048 8192] [--encoder conv]

Each fit runs in a process of its own. The script prints the rise of resident memory during the fit,
and the seconds of two epochs of one step. The data are color images of 32 x 32 random pixels.
"""

import argparse
import subprocess
import sys

RUN = """
import resource, time, warnings
import numpy as np
from sklearn_simvae import SimCLR
warnings.simplefilter("ignore")
batch_size, encoder, chunk_size = {batch_size}, {encoder!r}, {chunk_size}
X = np.random.default_rng(0).integers(0, 256, (batch_size, 3, 32, 32), dtype=np.uint8)
simclr = SimCLR(encoder=encoder, augmentation=None, batch_size=batch_size, chunk_size=chunk_size,
                max_epochs=2, random_state=0)
SimCLR(encoder=encoder, augmentation=None, max_epochs=1).fit(X[:32])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
simclr.fit(X)
rose = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(rose / 1024, time.perf_counter() - start, simclr.history_[-1]["loss"])
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[512, 2048, 8192])
    parser.add_argument("--encoder", default="conv")
    parser.add_argument("--chunk-size", type=int, default=512)
    args = parser.parse_args()
    print(f"{'samples':>8}{'views at once':>16}{'MiB':>10}{'s':>8}{'loss':>10}")
    for batch_size in args.batch_sizes:
        for chunk_size in (2 * batch_size, args.chunk_size):
            code = RUN.format(batch_size=batch_size, encoder=args.encoder, chunk_size=chunk_size)
            out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
            memory, seconds, loss = map(float, out.stdout.split())
            print(
                f"{batch_size:>8}{chunk_size:>16}{memory:>10.0f}{seconds:>8.1f}{loss:>10.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
