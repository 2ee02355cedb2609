"""Models that former versions fitted load, and represent rows as they did there."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import skops.io
from numpy.testing import assert_allclose
from sklearn.base import clone

import sklearn_simvae
from sklearn_simvae.persistence import read_metadata, trusted_types

DATA = Path(__file__).parent / "data"
MODELS = runpy.run_path(DATA / "make_models.py")["MODELS"]
FOLDERS = sorted(path for path in DATA.iterdir() if path.name[0].isdigit())

every_model = pytest.mark.parametrize(
    "folder, name",
    [(folder, name) for folder in FOLDERS for name in MODELS],
    ids=lambda value: getattr(value, "name", value),
)


def assert_represents_as_it_did(model, folder, name):
    with np.load(folder / "representations.npz") as kept:
        assert_allclose(model.transform(kept["rows"]), kept[name], atol=1e-5, rtol=0)


@every_model
def test_weights_of_former_versions_load(folder, name):
    model = clone(MODELS[name]).load_weights(folder / f"{name}.safetensors")
    assert model.n_iter_ == 2
    assert_represents_as_it_did(model, folder, name)


@every_model
def test_weights_of_former_versions_make_an_estimator_alone(folder, name):
    # These files do not tell the parameters of modalities, among which is a slice.
    given = {"modalities": MODELS[name].modalities} if hasattr(MODELS[name], "modalities") else {}
    model = type(MODELS[name]).from_file(folder / f"{name}.safetensors", **given)
    assert_represents_as_it_did(model, folder, name)


@every_model
def test_skops_files_of_former_versions_load_and_train_further(folder, name):
    model = skops.io.load(folder / f"{name}.skops", trusted=trusted_types())
    assert_represents_as_it_did(model, folder, name)
    with np.load(folder / "representations.npz") as kept:
        assert model.partial_fit(kept["rows"]).n_iter_ == 3


def test_models_of_this_version_are_kept():
    version = sklearn_simvae.__version__.partition(".dev")[0]
    assert (DATA / version).is_dir(), "run tests/data/make_models.py"
    held = {path.name: path.stat().st_size for path in (DATA / version).iterdir()}
    expected = {f"{name}.{kind}" for name in MODELS for kind in ("safetensors", "skops")}
    assert held.keys() == {*expected, "representations.npz"}
    assert sum(held.values()) < 60_000
    for name in MODELS:
        assert read_metadata(DATA / version / f"{name}.safetensors")["class"] == name
