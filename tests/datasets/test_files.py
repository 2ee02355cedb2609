"""Data files that are damaged, or are not what they should be."""

import pickle
import zipfile

import numpy as np
import pytest
from made_files import Hostile, save, split_arrays

from sklearn_simvae.datasets import fetch_glyphs, fetch_mnist


class TestDamagedFiles:
    @pytest.mark.parametrize("length", [0, 10, 4000, -10])
    def test_a_truncated_file_is_named(self, tmp_path, length):
        path = save(tmp_path / "mnist.npz", split_arrays((28, 28)))
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(ValueError, match=r"mnist\.npz cannot be used.*intact copy") as info:
            fetch_mnist(data_home=tmp_path)
        assert str(path) in str(info.value)

    def test_a_flipped_byte_is_noticed(self, tmp_path):
        path = save(tmp_path / "mnist.npz", split_arrays((28, 28)))
        content = bytearray(path.read_bytes())
        content[1000] ^= 0xFF
        path.write_bytes(content)
        with pytest.raises(ValueError, match="damaged"):
            fetch_mnist(data_home=tmp_path)

    def test_a_single_array_is_refused(self, tmp_path):
        with open(tmp_path / "mnist.npz", "wb") as file:
            np.save(file, np.zeros(3))
        with pytest.raises(ValueError, match="single array"):
            fetch_mnist(data_home=tmp_path)

    def test_a_pickle_is_refused_unopened(self, tmp_path):
        (tmp_path / "mnist.npz").write_bytes(pickle.dumps(Hostile()))
        with pytest.raises(ValueError, match=r"no plain \.npz"):
            fetch_mnist(data_home=tmp_path)

    def test_pickled_objects_inside_are_refused_unopened(self, tmp_path):
        hostile = np.array([Hostile()], dtype=object)
        save(tmp_path / "mnist.npz", {**split_arrays((28, 28)), "x_train": hostile})
        with pytest.raises(ValueError, match=r"no plain \.npz"):
            fetch_mnist(data_home=tmp_path)

    def test_members_that_are_no_arrays_are_refused(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "mnist.npz", "w") as archive:
            archive.writestr("x_train", "text")
            archive.writestr("y_train", "text")
        with pytest.raises(ValueError, match="not arrays"):
            fetch_mnist(data_home=tmp_path)

    def test_a_missing_array_is_named(self, tmp_path):
        arrays = split_arrays((28, 28))
        del arrays["y_test"]
        save(tmp_path / "mnist.npz", arrays)
        with pytest.raises(ValueError, match="lacks the array 'y_test'"):
            fetch_mnist(subset="all", data_home=tmp_path)

    @pytest.mark.parametrize(
        "wrong, message",
        [
            ({"x_train": np.zeros((6, 784), np.uint8)}, r"'x_train' has shape \(6, 784\)"),
            ({"x_train": np.zeros((6, 28, 27), np.uint8)}, r"expected \(n, 28, 28\)"),
            ({"x_train": np.zeros((6, 28, 28))}, "dtype float64"),
            ({"y_train": np.zeros(5, np.uint8)}, r"'y_train' has shape \(5,\)"),
            ({"y_train": np.zeros(6)}, "'y_train' .* dtype float64"),
            ({"y_train": np.full(6, 10)}, "labels outside"),
            ({"y_train": np.full(6, -1)}, "labels outside"),
        ],
    )
    def test_wrong_arrays_are_named(self, tmp_path, wrong, message):
        save(tmp_path / "mnist.npz", {**split_arrays((28, 28)), **wrong})
        with pytest.raises(ValueError, match=message):
            fetch_mnist(data_home=tmp_path)


@pytest.mark.parametrize("damage", ["header", "directory"])
def test_damage_of_any_kind_names_the_file(tmp_path, damage):
    path = tmp_path / "glyphs.npz"
    arrays = {"x": np.zeros((2, 3, 32, 32), np.uint8), "font": np.array(["a", "b"])}
    np.savez(path, **arrays, char=np.array(list("xyz")))
    raw = bytearray(path.read_bytes())
    if damage == "header":
        raw = raw.replace(b"(2, 3, 32, 32), }", b"(2, 3, 32, 32, , ", 1)
    else:
        place = raw.rindex(b"PK\5\6") + 18
        raw[place : place + 2] = bytes(255 - value for value in raw[place : place + 2])
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"glyphs\.npz cannot be used"):
        fetch_glyphs(data_home=tmp_path)
