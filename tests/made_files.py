"""Made-up files of data sets, on disk and as they would be published."""

import gzip
import hashlib
import io
import os
import tarfile
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest

from sklearn_simvae.datasets import (
    _cifar10,
    _mnist,
    _remote,
    fetch_cifar10,
    fetch_fashion_mnist,
    fetch_mnist,
)

REAL_DATA = os.environ.get("SKLEARN_SIMVAE_DATA")

# Loader, the module and name of its description, its file, its image shape.
SPLIT_SETS = [
    pytest.param(fetch_mnist, _mnist, "_MNIST", "mnist.npz", (28, 28), id="mnist"),
    pytest.param(
        fetch_fashion_mnist,
        _mnist,
        "_FASHION_MNIST",
        "fashion_mnist.npz",
        (28, 28),
        id="fashion_mnist",
    ),
    pytest.param(fetch_cifar10, _cifar10, "_CIFAR10", "cifar10.npz", (3, 32, 32), id="cifar10"),
]
every_split_set = pytest.mark.parametrize("fetch, module, name, filename, image_shape", SPLIT_SETS)


def offline(*_, **__):
    raise URLError("no route to host")


def cache_of(tmp_path):
    return tmp_path / "scikit_learn_data" / "sklearn_simvae"


def split_arrays(image_shape, n_train=6, n_test=4, seed=0):
    rng = np.random.RandomState(seed)
    return {
        "x_train": rng.randint(256, size=(n_train, *image_shape)).astype(np.uint8),
        "y_train": rng.randint(10, size=n_train).astype(np.uint8),
        "x_test": rng.randint(256, size=(n_test, *image_shape)).astype(np.uint8),
        "y_test": rng.randint(10, size=n_test).astype(np.uint8),
    }


def save(path, arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def idx(array):
    """Make an uncompressed file in the format of MNIST."""
    lengths = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + lengths + array.tobytes()


def batch(images, target):
    return np.column_stack([target, images.reshape(len(images), -1)]).tobytes()


def cifar10_members(arrays):
    """Make the members of the published archive, with the train part dealt out to five."""
    parts = zip(
        np.array_split(arrays["x_train"], 5), np.array_split(arrays["y_train"], 5), strict=True
    )
    files = [batch(*part) for part in parts] + [batch(arrays["x_test"], arrays["y_test"])]
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
    return [
        (tarfile.TarInfo(f"cifar-10-batches-bin/{name}"), file)
        for name, file in zip(names, files, strict=True)
    ]


def tar(members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for info, contents in members:
            info.size = len(contents)
            archive.addfile(info, io.BytesIO(contents))
    return stream.getvalue()


def published_files(name, arrays):
    """Make what would be published of these arrays."""
    if name == "_CIFAR10":
        return [tar(cifar10_members(arrays))]
    return [gzip.compress(idx(arrays[key])) for key in ("x_train", "y_train", "x_test", "y_test")]


class Web:
    """Made-up files in a folder, in place of those of the network, and a list of what was asked."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.patch, self.asked = folder, monkeypatch, []
        monkeypatch.setattr(_remote, "urlopen", self.open)

    def open(self, url, **options):
        self.asked.append(url)
        assert url.startswith("file:") and options["timeout"] > 0
        return urlopen(url, **options)

    def publish(self, module, name, files):
        """Put files where a loader will look for them; gives their paths."""
        self.folder.mkdir(exist_ok=True)
        paths = [self.folder / f"{name}_{number}" for number in range(len(files))]
        for path, contents in zip(paths, files, strict=True):
            path.write_bytes(contents)
        remote = tuple(
            _remote.RemoteFile((path.as_uri(),), len(file), hashlib.sha256(file).hexdigest())
            for path, file in zip(paths, files, strict=True)
        )
        self.patch.setattr(module, name, replace(getattr(module, name), published=remote))
        return paths


def all_files(folder):
    """Names of everything in a folder, and the contents of files."""
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


class Hostile:
    def __reduce__(self):
        return (pytest.fail, ("the file was unpickled",))


def real_folder(filename):
    if not REAL_DATA or not (Path(REAL_DATA) / filename).is_file():
        pytest.skip(f"there is no {filename} in SKLEARN_SIMVAE_DATA")
    return REAL_DATA
