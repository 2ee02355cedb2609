"""The paper's evaluation: how much content and style every method keeps, on real data.

    python benchmarks/paper.py fashion_mnist [--methods SimVAE VAE ...] [--seeds 3] [--epochs 40]
        [--n-jobs 2] [--search-only] [--settings-of DATA] [--latents-only]
        [--results benchmarks/results]

Give one command for each data set (mnist, fashion_mnist, glyphs, glyphs_inductive, sprites,
cifar10, celeba). All methods have the same encoder and the same views, and see the same number of
them. First each method chooses its settings, among the same number of candidates for all.
Candidates are fitted for a few epochs to a part of the training images, and judged by the linear
and the kNN probe on a validation part. Then the method is fitted to all training images, once for
each seed, and evaluated on the test set. Two options save time: `--settings-of` takes the settings
that were found on another data set, and `--latents-only` leaves out the measures of other layers,
of information and of samples, which take longer than the probes (a later call without it adds
them). Every number goes to `RESULTS/DATA.csv` as soon as it is known, and is not computed again, so
that a run can be stopped at any time. `tables.py` makes the tables of the documentation from these
files. Each row has a digest of all parameters of its fit, whose values are in `paper_methods.py`,
so that rows are not mixed up if a default of the package changes. A fit that is interrupted
continues from its checkpoint in `RESULTS/unfinished`.

The data come from the folder in SKLEARN_SIMVAE_DATA (CelebA: its official folder, in there as
`celeba`). Each of `--n-jobs` processes works on one thread.
"""

import argparse
import csv
import functools
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from paper_data import DATA, EPOCHS, SEARCH_EPOCHS
from paper_measures import (
    content_and_information,
    content_and_style,
    latents_of_some,
    measure,
    validate,
)
from paper_methods import (
    CANDIDATES,
    METHODS,
    UNION,
    candidates,
    make_method,
    parameters_digest,
)
from sklearn.exceptions import ConvergenceWarning

COLUMNS = [
    *("data", "method", "settings", "epochs", "seed", "parameters"),
    *("representation", "factor", "probe", "metric", "value"),
]
RUN = COLUMNS[:6]


def label(settings):
    """Write settings as text for a CSV file; for a union, those of each half."""
    return " ".join(
        f"{name}({label(value)})" if isinstance(value, dict) else f"{name}={value}"
        for name, value in settings.items()
    )


# For each purpose, the measures, and whether the validation part replaces the test set.
PURPOSES = {
    "search": (validate, True),
    "map": (latents_of_some, True),
    "information": (content_and_information, True),
    "fit": (measure, False),
    "latents": (content_and_style, False),
}


def part_of(name, purpose):
    """Return the data for a purpose."""
    data = DATA[name]()
    return data.validation_split() if PURPOSES[purpose][1] else data


@functools.cache
def data_of(name, purpose):
    """Return the same data, and load them only once."""
    return part_of(name, purpose)


def key_of(run, purpose):
    """Make the key of a run in the results, with a digest of all its parameters."""
    name, method, settings, epochs, seed = run
    estimator = make_method(method, data_of(name, purpose), settings, epochs, seed)
    return (name, method, label(settings), epochs, seed, parameters_digest(estimator))


def run(key, settings, purpose, folder):
    """Fit once and measure, in a process of its own."""
    name, method, _, epochs, seed, digest = key
    torch.set_num_threads(1)
    # MLP probes and short fits stop before they converge, on purpose.
    warnings.simplefilter("ignore", ConvergenceWarning)
    data = part_of(name, purpose)
    start = time.process_time()
    folder.mkdir(exist_ok=True)
    checkpoint = folder / f"{name}-{purpose}-{digest}-{seed}.checkpoint"
    fitted = make_method(method, data, settings, epochs, seed, checkpoint).fit(data.fit_on)
    # A fit that goes on after an interruption counts only the time since then.
    seconds = time.process_time() - start
    measured, _ = PURPOSES[purpose]
    rows = measured(fitted, data)
    rows.append({"metric": "fit_seconds", "value": seconds})
    key = dict(zip(RUN, key, strict=True))
    return [{**key, **row, "value": f"{row['value']:.5g}"} for row in rows]


class Results:
    """CSV file of measurements that grows run by run."""

    def __init__(self, path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rows = []
        if path.exists():
            text = path.read_bytes()
            if not text.endswith(b"\n"):
                # Drops a line that was cut when the disk was full or the machine went off.
                path.write_bytes(text[: text.rfind(b"\n") + 1])
            with path.open(newline="") as file:
                self.rows = list(csv.DictReader(file))

    def of(self, *run):
        """Return the rows of a run; none if it was not done yet."""
        run = tuple(map(str, run))
        return [row for row in self.rows if tuple(row[name] for name in RUN) == run]

    def lacks(self, run, purpose):
        """Tell whether a run was not done, or only for a purpose that measures less."""
        rows = self.of(*run)
        # The last measure, since it shows that all of them were written.
        whole = any(row["metric"] == "fit_seconds" for row in rows)
        all_of_it = purpose != "fit" or any(row["representation"] == "centre" for row in rows)
        return not (whole and all_of_it)

    def add(self, rows):
        known = {tuple(row[name] for name in COLUMNS[:-1]) for row in self.rows}
        named = ([str(row.get(name, "")) for name in COLUMNS[:-1]] for row in rows)
        rows = [row for row, name in zip(rows, named, strict=True) if tuple(name) not in known]
        is_new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="")
            if is_new:
                writer.writeheader()
            writer.writerows(rows)
        self.rows += [{name: str(row.get(name, "")) for name in COLUMNS} for row in rows]


def do(runs, results, purpose, pool):
    """Do the runs that the results lack, print a line for each, and count failures."""
    n_failed = 0
    keys = {key_of(r, purpose): r[2] for r in runs}
    missing = {key: settings for key, settings in keys.items() if results.lacks(key, purpose)}
    folder = results.path.parent / "unfinished"
    futures = {pool.submit(run, key, s, purpose, folder): key for key, s in missing.items()}
    start = time.perf_counter()
    for n_done, future in enumerate(as_completed(futures), start=1):
        name, method, settings, _, seed, _ = futures[future]
        spent = time.perf_counter() - start
        if future.exception() is not None:
            # The other runs continue; the next call tries this one again.
            print(f"[{purpose}] {name} {method} {settings} FAILED: {future.exception()!r}")
            n_failed += 1
            continue
        rows = future.result()
        results.add(rows)
        left = spent / n_done * (len(missing) - n_done) / 60
        shown = {
            f"{row['probe']} {row['metric']}": row["value"]
            for row in rows
            if row.get("representation") == "latent" and row.get("factor") == "content"
        }
        print(
            f"[{purpose} {n_done}/{len(missing)}, {left:.0f} min left] {name} {method} "
            f"{settings} seed {seed}: "
            + ", ".join(f"{name} {value}" for name, value in shown.items()),
            flush=True,
        )
    return n_failed


def choose(name, method, search):
    """Choose the candidate with the best mean of linear and kNN accuracy in validation."""

    def judged(settings):
        run = name, method, settings, SEARCH_EPOCHS[name], 0
        rows = search.of(*key_of(run, "search"))
        scores = [float(r["value"]) for r in rows if r["metric"] == "accuracy"]
        return np.mean(scores) if scores else -np.inf

    if method == UNION:
        return {half: choose(name, half, search) for half in method.split(" + ")}
    return max(candidates(method, name), key=judged)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", choices=DATA)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="default: a number for each data set")
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--search-only", action="store_true")
    parser.add_argument("--settings-of", choices=DATA, help="default: the data set itself")
    parser.add_argument("--latents-only", action="store_true")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    name, epochs = args.data, args.epochs or EPOCHS[args.data]
    searched = args.settings_of or name
    search = Results(args.results / f"{searched}_search.csv")
    results = Results(args.results / f"{name}.csv")
    # Forked processes would share the threads of torch.
    with ProcessPoolExecutor(args.n_jobs, mp_context=get_context("spawn")) as pool:
        halves = UNION.split(" + ") if UNION in args.methods else []
        tried = [
            (searched, method, settings, SEARCH_EPOCHS[searched], 0)
            for method in dict.fromkeys([*args.methods, *halves])
            for settings in candidates(method, searched)
            if len(CANDIDATES[method]) > 1
        ]
        if do(tried, search, "search", pool):
            raise SystemExit("Not all candidates were tried, so none is chosen; run it again.")
        chosen = {method: choose(searched, method, search) for method in args.methods}
        print({method: label(settings) or "defaults" for method, settings in chosen.items()})
        if args.search_only:
            return
        runs = [
            (name, method, chosen[method], epochs, seed)
            for seed in range(args.seeds)
            for method in args.methods
        ]
        if n_failed := do(runs, results, "latents" if args.latents_only else "fit", pool):
            raise SystemExit(f"{n_failed} run(s) failed; run it again for those.")


if __name__ == "__main__":
    main()
