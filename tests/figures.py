"""Data, estimators and helpers that the tests of the displays share."""

import functools

import matplotlib
import numpy as np
import pytest
from conftest import TINY
from sklearn.datasets import load_digits

from sklearn_simvae import ContentStyleVAE, SimVAE
from sklearn_simvae.datasets import make_sprites
from sklearn_simvae.plotting import (
    EmbeddingDisplay,
    ProbeDisplay,
    RecombinationDisplay,
    ReconstructionDisplay,
    SampleDisplay,
    TrainingHistoryDisplay,
    TraversalDisplay,
    ViewsDisplay,
)

matplotlib.use("Agg")

TWO = [("upper", "auto", slice(0, 32)), ("lower", "auto", slice(32, 64))]

# By name: the parameters that the layout takes.
KINDS = {
    "flat": {"input_shape": (8, 8)},
    "gray": {},
    "color": {"encoder": "mlp"},
    "last": {"input_shape": (8, 8, 3), "encoder": "mlp"},
    "series": {"input_shape": (16, 2), "encoder": "conv1d"},
    "vector": {},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@functools.cache
def data(kind):
    """Forty rows."""
    rng = np.random.default_rng(0)
    digits = load_digits().data[:40]
    sprites = make_sprites(40, image_size=8, n_channels=3, random_state=0).images
    X = {
        "flat": digits / 16,
        "gray": (digits.reshape(-1, 1, 8, 8) * 15).astype(np.uint8),
        "color": sprites,
        "last": np.moveaxis(sprites, 1, -1),
        "series": rng.standard_normal((40, 16, 2)).cumsum(1),
        "vector": rng.standard_normal((40, 5)),
    }[kind]
    X = np.array(X)
    X.flags.writeable = False
    return X


@functools.cache
def fitted(kind="flat", method=SimVAE, **params):
    return method(**{**TINY, **KINDS[kind], **params}).fit(data(kind))


@functools.cache
def fitted_multimodal(method):
    return method(modalities=TWO, **TINY).fit(data("flat"))


def as_seen(rows, kind):
    """Rows as a reader of the figure is to see them."""
    return {
        "flat": lambda: rows.reshape(-1, 8, 8),
        "gray": lambda: rows[:, 0] / 255,
        "color": lambda: np.stack([rows[:, channel] for channel in range(3)], -1) / 255,
        "last": lambda: rows / 255,
        "series": lambda: rows,
        "vector": lambda: rows,
    }[kind]()


def as_decoded(rows, kind):
    """As above, of rows that are decoded: pixels in [0, 1]."""
    return as_seen(rows * 255 if kind in ("gray", "color", "last") else rows, kind)


def drawn(artists):
    """The numbers that matplotlib has, of a grid of artists."""
    return np.array([[_drawn(artist) for artist in line] for line in artists])


def _drawn(artist):
    if isinstance(artist, list):
        return np.column_stack([line.get_ydata() for line in artist])
    if isinstance(artist, matplotlib.patches.StepPatch):
        return artist.get_data().values
    return np.asarray(artist.get_array())


def row_labels(axes):
    return [ax.get_ylabel() for ax in axes[:, 0]]


def column_labels(axes):
    return [ax.get_title() for ax in axes[0]]


TABLE = [
    {"method": name, "probe": "linear", "metric": metric, "value": value, **factor}
    for name in ("A", "B")
    for metric, value, factor in (("accuracy", 0.5, {}), ("r2", 0.1, {"factor": "mean"}))
]

# From an estimator to a display, with axes or without.
MAKE = {
    "history": lambda est, **kw: TrainingHistoryDisplay.from_estimator(est, **kw),
    "reconstruction": lambda est, **kw: ReconstructionDisplay.from_estimator(
        est, data("flat"), 3, **kw
    ),
    "recombination": lambda est, **kw: RecombinationDisplay.from_estimator(
        est, data("flat"), n_samples=2, **kw
    ),
    "sample": lambda est, **kw: SampleDisplay.from_estimator(est, 3, **kw),
    "traversal": lambda est, **kw: TraversalDisplay.from_estimator(
        est, data("flat"), [0, 2], 3, **kw
    ),
    "views": lambda est, **kw: ViewsDisplay.from_estimator(est, data("flat"), 2, 2, **kw),
    "embedding": lambda est, **kw: EmbeddingDisplay.from_estimator(est, data("flat"), **kw),
    "probe": lambda est, **kw: ProbeDisplay.from_results(TABLE, **kw),
}
GENERATIVE = ["recombination", "reconstruction", "sample", "traversal"]
DIVIDED = [*GENERATIVE, "history", "views"]
every_display = pytest.mark.parametrize("name", MAKE)


def with_parts():
    """An estimator that all displays draw."""
    return fitted(method=ContentStyleVAE)


def axes_of(display):
    return list(display.axes_.flat) if hasattr(display, "axes_") else [display.ax_]
