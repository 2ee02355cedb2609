"""A machine without data and without a network, and a network of made-up files."""

import pytest
from made_files import Web, offline

from sklearn_simvae.datasets import _remote


@pytest.fixture(autouse=True)
def empty_machine(monkeypatch, tmp_path):
    """Hide the data of this machine, and refuse to connect."""
    monkeypatch.delenv("SKLEARN_SIMVAE_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "scikit_learn_data"))
    monkeypatch.setattr(_remote, "urlopen", offline)


@pytest.fixture
def web(tmp_path, monkeypatch):
    return Web(tmp_path / "web", monkeypatch)


@pytest.fixture
def photos_folder(tmp_path):
    """Folder of 12 photos of two classes, of several sizes."""
    made_photos = pytest.importorskip("made_photos")
    return made_photos.photos_of_two_classes(tmp_path / "photos")
