"""MNIST and Fashion-MNIST: the format of their files, and real ones where there are any."""

import gzip
import hashlib
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from made_files import idx, real_folder

from sklearn_simvae.datasets import _mnist, fetch_fashion_mnist, fetch_mnist


class TestRealData:
    @pytest.mark.parametrize(
        "fetch, filename", [(fetch_mnist, "mnist.npz"), (fetch_fashion_mnist, "fashion_mnist.npz")]
    )
    def test_gray_sets_are_complete(self, fetch, filename):
        bunch = fetch(subset="all", data_home=real_folder(filename))
        assert bunch.data.shape == (70_000, 784)
        assert np.bincount(bunch.target[60_000:], minlength=10).min() > 800
        # Light on dark.
        assert bunch.data[:1000].mean() < 100

    @pytest.mark.slow
    @pytest.mark.skipif(shutil.which("gzip") is None, reason="gzip is not installed")
    def test_fashion_mnist_compresses_to_the_files_of_the_published_sums(self):
        arrays = np.load(Path(real_folder("fashion_mnist.npz")) / "fashion_mnist.npz")
        # The sums that its authors list, and when they compressed the files.
        md5 = {
            "x_train": ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", 1504176606),
            "y_train": ("25c81989df183df01b3e8a0aad5dffbe", 1504176606),
            "x_test": ("bef4ecab320f06d8554ea6380940ec79", 1504176627),
            "y_test": ("bb300cfdad3c16e7a12a480ee83cd310", 1504176627),
        }
        published = _mnist._FASHION_MNIST.published
        files = [
            official_gzip(idx(arrays[key]), Path(file.urls[0]).stem, time)
            for file, (key, (_, time)) in zip(published, md5.items(), strict=True)
        ]
        found = [hashlib.md5(file, usedforsecurity=False).hexdigest() for file in files]
        if found != [known for known, _ in md5.values()]:
            pytest.skip("this gzip compresses to other bytes than that of the authors")
        assert [len(file) for file in files] == [file.n_bytes for file in published]
        found = [hashlib.sha256(file).hexdigest() for file in files]
        assert found == [file.sha256 for file in published]
        read = _mnist._FASHION_MNIST.read_published(*files)
        assert read.keys() == set(arrays.files)
        for key, array in read.items():
            np.testing.assert_array_equal(array, arrays[key])


def official_gzip(contents, name, time):
    """Compress as the gzip command does with a file of this name and time, which it stores."""
    options = ["gzip", "--no-name", "-6", "--stdout"]
    deflated = subprocess.run(options, input=contents, stdout=subprocess.PIPE, check=True).stdout
    header = b"\x1f\x8b\x08\x08" + time.to_bytes(4, "little") + b"\x00\x03"
    return header + name.encode() + b"\x00" + deflated[10:]


def test_published_files_are_read_by_their_format():
    # Two zeros, the code of bytes, the number of axes, four bytes for each length, big end first.
    images = struct.pack(">BBBBIII", 0, 0, 8, 3, 2, 2, 3) + bytes(range(12))
    labels = struct.pack(">BBBBI", 0, 0, 8, 1, 2) + bytes([7, 9])
    files = [gzip.compress(file) for file in (images, labels, images[:-1] + b"\xff", labels)]
    found = _mnist._read_idx(*files)
    assert list(found) == ["x_train", "y_train", "x_test", "y_test"]
    np.testing.assert_array_equal(
        found["x_train"], [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]
    )
    assert found["x_test"][1, 1].tolist() == [9, 10, 255]
    assert found["y_train"].tolist() == [7, 9]
    assert all(array.dtype == np.uint8 and array.flags.writeable for array in found.values())
