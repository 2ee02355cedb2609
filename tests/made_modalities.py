"""Rows of several kinds that the tests share: numbers, texts and images."""

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from sklearn_simvae.multimodal.declaration import declare
from sklearn_simvae.multimodal.modalities import fit_modalities

RNG = np.random.default_rng(0)
N = 24
X = RNG.standard_normal((N, 5)).astype(np.float32)
TEXT = [f"{('red', 'green', 'blue')[i % 3]} {('square', 'disc')[i % 2]}" for i in range(N)]
IMAGES = RNG.integers(0, 256, (N, 8, 8, 3), dtype=np.uint8)
# Nobody's input is changed.
for array in (X, IMAGES):
    array.flags.writeable = False
# Halves of the digits.
HALVES = {"upper": slice(0, 32), "lower": slice(32, 64)}
NAMES = ["height", "width", "weight", "depth", "age"]
PAIR = [("a", "auto", [0, 1]), ("b", "auto", [2, 3])]

OF_FRAME = {
    "modalities": [("size", "auto", NAMES), ("text", "auto", "text")],
    "preprocessing": [("text", TfidfVectorizer())],
}
OF_DICT = {
    "input_shapes": {"image": (8, 8, 3)},
    "preprocessing": [("text", TfidfVectorizer())],
}


def make_frame(module, numbers=X, text=TEXT):
    DataFrame = pytest.importorskip(module).DataFrame
    columns = {name: numbers[:, i] for i, name in enumerate(NAMES)}
    return DataFrame({**columns, "text": text})


def put(values, where, value=np.nan):
    changed = np.array(values, dtype=float)
    changed[where] = value
    return changed


def read(X, modalities=None, preprocessing=(), input_shapes=None):
    """Samples of X."""
    return fit_modalities(X, declare(X, modalities, preprocessing), input_shapes)


def dense(samples, rows=slice(None)):
    """Rows as a table of what the networks take, NaN where a modality is missing."""
    rows = np.arange(len(samples))[rows]
    parts = []
    for values, part in zip(samples.read(rows), samples.parts, strict=True):
        x = part.layout.to_network(torch.from_numpy(values))
        parts.append(part.layout.from_network(x).flatten(1).numpy())
    there = samples.mask[rows].T
    return np.column_stack(
        [np.where(has[:, None], x, np.nan) for x, has in zip(parts, there, strict=True)]
    )
