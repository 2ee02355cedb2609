"""CIFAR-10 from JPEG images, made up and real."""

import io
import sys

import numpy as np
import pytest
from made_files import real_folder, save, split_arrays

from sklearn_simvae.datasets import fetch_cifar10


def jpeg_arrays(colors, size=(32, 32)):
    """Make the arrays of the JPEG file, a plain image of each color; every third is for test."""
    Image = pytest.importorskip("PIL.Image")
    files = []
    for color in colors:
        stream = io.BytesIO()
        Image.new("RGB", size, color).save(stream, "JPEG", quality=95, subsampling=0)
        files.append(stream.getvalue())
    # The start of a JPEG and its first segment, the same in all.
    header = files[0][:20]
    bodies = [file[len(header) :] for file in files]
    return {
        "header": np.frombuffer(header, np.uint8),
        "data": np.frombuffer(b"".join(bodies), np.uint8),
        "offsets": np.cumsum([0, *map(len, bodies)]),
        "y": (np.arange(len(colors)) % 10).astype(np.uint8),
        "is_test": np.arange(len(colors)) % 3 == 2,
        "classes": np.array([f"class {index}" for index in range(10)]),
    }


COLORS = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (10, 120, 230), (90, 90, 90), (0, 0, 0)]


class TestJPEGFile:
    @pytest.mark.parametrize(
        "subset, rows", [("train", [0, 1, 3, 4]), ("test", [2, 5]), ("all", [0, 1, 3, 4, 2, 5])]
    )
    def test_images_are_decoded_channels_first(self, tmp_path, subset, rows):
        save(tmp_path / "cifar10_jpeg.npz", jpeg_arrays(COLORS))
        bunch = fetch_cifar10(subset=subset, data_home=tmp_path)
        assert bunch.images.shape == (len(rows), 3, 32, 32)
        assert bunch.data.flags.c_contiguous
        assert np.shares_memory(bunch.data, bunch.images)
        expected = np.array(COLORS)[rows][:, :, np.newaxis, np.newaxis]
        assert np.abs(bunch.images.astype(int) - expected).max() <= 3
        np.testing.assert_array_equal(bunch.target, rows)

    def test_names_come_from_the_file_and_the_description_says_jpeg(self, tmp_path):
        arrays = jpeg_arrays(COLORS)
        save(tmp_path / "cifar10_jpeg.npz", arrays)
        bunch = fetch_cifar10(data_home=tmp_path)
        np.testing.assert_array_equal(bunch.target_names, arrays["classes"])
        assert bunch.DESCR.startswith("CIFAR-10 (JPEG re-encoded)\n")

    def test_the_true_pixels_go_before_the_jpegs(self, tmp_path):
        arrays = split_arrays((3, 32, 32))
        save(tmp_path / "cifar10_jpeg.npz", jpeg_arrays(COLORS))
        save(tmp_path / "cifar10.npz", arrays)
        bunch = fetch_cifar10(data_home=tmp_path)
        np.testing.assert_array_equal(bunch.images, arrays["x_train"])
        assert "JPEG" not in bunch.DESCR

    def test_without_pillow_the_error_names_the_extra(self, tmp_path, monkeypatch):
        save(tmp_path / "cifar10_jpeg.npz", jpeg_arrays(COLORS))
        monkeypatch.setitem(sys.modules, "PIL", None)
        with pytest.raises(ImportError, match=r'pip install "sklearn-simvae\[data\]"'):
            fetch_cifar10(data_home=tmp_path)

    @pytest.mark.parametrize(
        "change, message",
        [
            (lambda a: {"offsets": a["offsets"][:-1]}, r"'offsets' has shape \(6,\)"),
            (lambda a: {"offsets": a["offsets"][::-1]}, "'offsets' do not increase"),
            (lambda a: {"offsets": a["offsets"] + 1}, "'offsets' do not increase"),
            (lambda a: {"is_test": a["is_test"].astype(int)}, "'is_test' .* dtype int64"),
            (lambda a: {"y": np.int64(3)}, "cannot be used"),
            (lambda a: {"y": a["y"] + 10}, "labels outside"),
            (lambda a: {"header": a["header"][:9]}, "image 0 in it cannot be decoded"),
            (lambda a: {"data": np.zeros_like(a["data"])}, "image 0 in it cannot be decoded"),
        ],
    )
    def test_a_damaged_file_is_named(self, tmp_path, change, message):
        arrays = jpeg_arrays(COLORS)
        path = save(tmp_path / "cifar10_jpeg.npz", {**arrays, **change(arrays)})
        with pytest.raises(ValueError, match=message) as info:
            fetch_cifar10(data_home=tmp_path)
        assert str(path) in str(info.value)

    def test_images_of_another_size_are_refused(self, tmp_path):
        save(tmp_path / "cifar10_jpeg.npz", jpeg_arrays(COLORS, size=(16, 32)))
        with pytest.raises(ValueError, match=r"image 0 .* size is \(16, 32\)"):
            fetch_cifar10(data_home=tmp_path)


class TestRealData:
    def test_cifar10_test_part_is_complete_and_in_color(self):
        bunch = fetch_cifar10(subset="test", data_home=real_folder("cifar10_jpeg.npz"))
        assert bunch.images.shape == (10_000, 3, 32, 32)
        np.testing.assert_array_equal(np.bincount(bunch.target), np.full(10, 1000))
        assert bunch.target_names[0] == "airplane"
        # The known means of red, green and blue, which a swap of channels would exchange.
        means = bunch.images.mean(axis=(0, 2, 3)) / 255
        np.testing.assert_allclose(means, [0.494, 0.485, 0.450], atol=0.005)
