"""Digests of what every estimator computes, to show that a change of the code changes no bit.

    python benchmarks/same_bits.py before.json              # on the commit before
    python benchmarks/same_bits.py --against before.json    # on the commit after

Each method is fitted on one thread, to rows, samples along a views axis, groups, series, images and
modalities, in several ways: with early stopping, by `partial_fit` and `warm_start`, under bf16 and
with hidden layers. For each fit there are digests of the representation, the score, `history_`
without its times, and the tensors of the saved weights, without their names. The second command
lists the differences, and ends with an error if there are any.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from sklearn.datasets import load_digits, load_wine
from sklearn.preprocessing import scale

import sklearn_simvae
from sklearn_simvae import CLIP, MultimodalSimVAE

VIEWS_OF_ROWS = [
    getattr(sklearn_simvae, name)
    for name in (
        *("SimVAE", "ContentStyleVAE", "VAE", "CRVAE", "InstanceDiscrimination", "SimCLR"),
        *("VICReg", "DeepCluster", "SwAV", "BarlowTwins", "SimSiam", "BYOL"),
    )
]
MODALITIES = [CLIP, MultimodalSimVAE]
SMALL = {"hidden_layer_sizes": (32,), "max_epochs": 3, "random_state": 0, "device": "cpu"}


def data():
    """Return parameters, X and groups for each source of views."""
    rng = np.random.default_rng(0)
    wine, pixels = scale(load_wine().data), load_digits().data[:240] / 16
    groups = rng.integers(60, size=240)
    groups = np.concatenate([groups, groups])
    steps = np.sin(np.arange(24) * rng.uniform(0.2, 1, (96, 1)))[..., None]
    photos = rng.integers(256, size=(48, 3, 16, 16)).astype(np.uint8)
    return {
        "rows": ({}, wine, None),
        "views axis": ({}, np.stack([wine, wine + 0.1 * rng.standard_normal(wine.shape)], 1), None),
        "groups": ({"n_views": 3}, np.concatenate([pixels, 0.9 * pixels]), groups),
        "series": ({"input_shape": (24, 1), "encoder": "conv1d"}, steps, None),
        "images": ({"input_shape": (8, 8)}, pixels, None),
        "photos": ({"encoder": "conv", "max_epochs": 2}, photos, None),
        "early stopping": ({"early_stopping": True}, wine, None),
        "bf16": ({"precision": "bf16", "n_components": 4}, wine, None),
        "hidden": ({"representation": "hidden", "lr_schedule": "constant"}, wine, None),
    }


def tables():
    """Return parameters and X for each form of modalities."""
    rng = np.random.default_rng(0)
    wine = scale(load_wine().data)
    some = wine.copy()
    some[:20, :7], some[40:60, 7:] = np.nan, np.nan
    pictures = rng.random((96, 1, 8, 8)).astype(np.float32)
    entries = {"picture": pictures, "numbers": pictures.reshape(96, -1)[:, :5]}
    return {
        "halves": ({}, wine),
        "some missing": ({}, some),
        "dict": ({"augmentations": {"picture": "auto"}}, entries),
        "early stopping": ({"early_stopping": True}, some),
    }


def digest(*arrays) -> str:
    made = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        made.update(repr((array.shape, array.dtype.str)).encode() + array.tobytes())
    return made.hexdigest()[:12]


def digests(estimator, X, groups) -> dict[str, str]:
    """Compute the digests of a fit and of the training that continues it."""
    given = {} if groups is None else {"groups": groups}
    found = {"representation": digest(estimator.fit_transform(X, **given))}
    found |= _of_fit(estimator, X, given)
    estimator.partial_fit(X, **given)
    found |= {f"partial_fit {name}": d for name, d in _of_fit(estimator, X, given).items()}
    estimator.set_params(warm_start=True, max_epochs=2).fit(X, **given)
    found |= {f"warm_start {name}": d for name, d in _of_fit(estimator, X, given).items()}
    return found


def _of_fit(estimator, X, given) -> dict[str, str]:
    rows = [{k: v for k, v in row.items() if k != "dur"} for row in estimator.history_]
    with tempfile.TemporaryDirectory() as folder:
        estimator.save_weights(Path(folder) / "weights")
        tensors = load_file(Path(folder) / "weights").values()
    weights = sorted(digest(t.float().numpy() if t.dtype == torch.bfloat16 else t) for t in tensors)
    score = repr(estimator.score(X, **given))
    return {
        "score": hashlib.sha256(score.encode()).hexdigest()[:12],
        "history": hashlib.sha256(repr(rows).encode()).hexdigest()[:12],
        "weights": hashlib.sha256("".join(weights).encode()).hexdigest()[:12],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", nargs="?", help="where to write the digests")
    parser.add_argument("--against", help="digests of before")
    parser.add_argument("--methods", nargs="+", help="names of estimators; all without it")
    arguments = parser.parse_args()
    if not (arguments.file or arguments.against):
        parser.error("give a file to write, or --against one that was written before")
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    fits = [(cls, name, *values) for cls in VIEWS_OF_ROWS for name, values in data().items()]
    fits += [(cls, name, *values, None) for cls in MODALITIES for name, values in tables().items()]
    made = {}
    for cls, name, parameters, X, groups in fits:
        if arguments.methods and cls.__name__ not in arguments.methods:
            continue
        if groups is not None:
            # Leaves out groups of one row, which have no second view.
            sizes = np.unique(groups, return_inverse=True, return_counts=True)
            X, groups = (part[sizes[2][sizes[1]] > 1] for part in (X, groups))
        made[f"{cls.__name__}, {name}"] = digests(cls(**SMALL | parameters), X, groups)
    if arguments.file:
        Path(arguments.file).write_text(json.dumps(made, indent=1))
    if arguments.against:
        before = json.loads(Path(arguments.against).read_text())
        different = [
            f"{fit}: {what}"
            for fit, parts in made.items()
            for what, value in parts.items()
            if before.get(fit, {}).get(what) != value
        ]
        print(*different, sep="\n")
        if different:
            sys.exit(f"{len(different)} of {sum(map(len, made.values()))} digests differ.")
    print(f"{len(made)} fits, {sum(map(len, made.values()))} digests.")


if __name__ == "__main__":
    main()
