"""The loaders, on small made-up files and a made-up OpenML; on real files where there are any."""

import io
import os
import pickle
import sys
import zipfile
from dataclasses import replace
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets
from sklearn.utils import Bunch

from sklearn_simvae.datasets import (
    _cifar10,
    _mnist,
    fetch_cifar10,
    fetch_emoji,
    fetch_fashion_mnist,
    fetch_glyphs,
    fetch_mnist,
)

REAL_DATA = os.environ.get("SKLEARN_SIMVAE_DATA")

# Loader, the module and name of its description, its file, its OpenML number, its image shape.
SPLIT_SETS = [
    pytest.param(fetch_mnist, _mnist, "_MNIST", "mnist.npz", 554, (28, 28), id="mnist"),
    pytest.param(
        fetch_fashion_mnist,
        _mnist,
        "_FASHION_MNIST",
        "fashion_mnist.npz",
        40996,
        (28, 28),
        id="fashion_mnist",
    ),
    pytest.param(
        fetch_cifar10, _cifar10, "_CIFAR10", "cifar10.npz", 40927, (3, 32, 32), id="cifar10"
    ),
]
every_split_set = pytest.mark.parametrize(
    "fetch, module, name, filename, openml_id, image_shape", SPLIT_SETS
)


@pytest.fixture(autouse=True)
def empty_machine(monkeypatch, tmp_path):
    """Hide the data of this machine, and refuse to connect."""
    monkeypatch.delenv("SKLEARN_SIMVAE_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "scikit_learn_data"))
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", offline)


def offline(**_):
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


class MadeUpOpenML:
    """A stand-in for `fetch_openml` that counts its calls and gives rows as OpenML does."""

    def __init__(self, arrays):
        images = np.concatenate([arrays["x_train"], arrays["x_test"]])
        self.data = images.reshape(len(images), -1).astype(float)
        target = np.concatenate([arrays["y_train"], arrays["y_test"]])
        self.target = target.astype(str).astype(object)
        self.asked = []

    def __call__(self, **options):
        self.asked.append(options)
        return Bunch(data=self.data, target=self.target)


@pytest.fixture
def connect(monkeypatch):
    """Give a function that puts small arrays at OpenML, for a loader to find there."""

    def put(module, name, arrays):
        openml = MadeUpOpenML(arrays)
        sizes = {"n_train": len(arrays["x_train"]), "n_test": len(arrays["x_test"])}
        monkeypatch.setattr(module, name, replace(getattr(module, name), **sizes))
        monkeypatch.setattr(sklearn.datasets, "fetch_openml", openml)
        return openml

    return put


class TestFiles:
    @every_split_set
    @pytest.mark.parametrize("subset", ["train", "test"])
    def test_a_part_comes_as_it_is_in_the_file(
        self, tmp_path, fetch, module, name, filename, openml_id, image_shape, subset
    ):
        arrays = split_arrays(image_shape)
        path = save(tmp_path / filename, arrays)
        bunch = fetch(subset=subset, data_home=tmp_path)
        np.testing.assert_array_equal(bunch.images, arrays[f"x_{subset}"])
        np.testing.assert_array_equal(bunch.target, arrays[f"y_{subset}"])
        assert bunch.images.dtype == np.uint8
        assert bunch.target.dtype == np.int64
        assert str(path) in bunch.DESCR

    @every_split_set
    def test_all_is_train_then_test(
        self, tmp_path, fetch, module, name, filename, openml_id, image_shape
    ):
        arrays = split_arrays(image_shape)
        save(tmp_path / filename, arrays)
        X, y = fetch(subset="all", data_home=str(tmp_path), return_X_y=True)
        expected = np.concatenate([arrays["x_train"], arrays["x_test"]]).reshape(10, -1)
        np.testing.assert_array_equal(X, expected)
        np.testing.assert_array_equal(y, np.concatenate([arrays["y_train"], arrays["y_test"]]))

    @every_split_set
    def test_data_is_a_flat_view_of_images(
        self, tmp_path, fetch, module, name, filename, openml_id, image_shape
    ):
        arrays = split_arrays(image_shape)
        # Fortran order on disk is where a careless reshape would copy.
        arrays["x_train"] = np.asfortranarray(arrays["x_train"])
        save(tmp_path / filename, arrays)
        bunch = fetch(data_home=tmp_path)
        assert bunch.data.shape == (6, np.prod(image_shape))
        assert bunch.data.flags.c_contiguous
        assert np.shares_memory(bunch.data, bunch.images)
        assert len(bunch.feature_names) == len(set(bunch.feature_names)) == bunch.data.shape[1]

    def test_feature_names_say_where_the_value_is(self, tmp_path):
        save(tmp_path / "mnist.npz", split_arrays((28, 28)))
        save(tmp_path / "cifar10.npz", split_arrays((3, 32, 32)))
        grey = fetch_mnist(data_home=tmp_path)
        colour = fetch_cifar10(data_home=tmp_path)
        assert grey.images[2, 5, 7] == grey.data[2, grey.feature_names.index("pixel_5_7")]
        assert colour.images[2, 1, 5, 7] == colour.data[2, colour.feature_names.index("green_5_7")]

    def test_the_environment_variable_names_the_folder(self, tmp_path, monkeypatch):
        arrays = split_arrays((28, 28))
        save(tmp_path / "named" / "mnist.npz", arrays)
        monkeypatch.setenv("SKLEARN_SIMVAE_DATA", str(tmp_path / "named"))
        np.testing.assert_array_equal(fetch_mnist().images, arrays["x_train"])

    def test_data_home_goes_before_the_environment_variable(self, tmp_path, monkeypatch):
        arrays = split_arrays((28, 28), seed=1)
        save(tmp_path / "named" / "mnist.npz", split_arrays((28, 28), seed=2))
        save(tmp_path / "given" / "mnist.npz", arrays)
        monkeypatch.setenv("SKLEARN_SIMVAE_DATA", str(tmp_path / "named"))
        bunch = fetch_mnist(data_home=tmp_path / "given")
        np.testing.assert_array_equal(bunch.images, arrays["x_train"])

    def test_a_named_folder_without_the_file_falls_through_to_the_cache(
        self, tmp_path, monkeypatch
    ):
        arrays = split_arrays((28, 28))
        save(cache_of(tmp_path) / "mnist.npz", arrays)
        monkeypatch.setenv("SKLEARN_SIMVAE_DATA", str(tmp_path / "nothing_here"))
        np.testing.assert_array_equal(fetch_mnist().images, arrays["x_train"])

    def test_reading_a_named_file_makes_no_folder(self, tmp_path):
        save(tmp_path / "given" / "mnist.npz", split_arrays((28, 28)))
        fetch_mnist(data_home=tmp_path / "given")
        assert not (tmp_path / "scikit_learn_data").exists()

    @pytest.mark.parametrize("subset", ["valid", "", None, 1, ["train"]])
    @pytest.mark.parametrize("fetch", [fetch_mnist, fetch_fashion_mnist, fetch_cifar10])
    def test_an_unknown_subset_is_refused(self, fetch, subset):
        with pytest.raises(ValueError, match=r"subset must be one of .*'train', 'test', 'all'"):
            fetch(subset=subset)


class Hostile:
    def __reduce__(self):
        return (pytest.fail, ("the file was unpickled",))


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


class TestOpenML:
    @every_split_set
    def test_rows_are_split_into_the_parts(
        self, connect, fetch, module, name, filename, openml_id, image_shape
    ):
        arrays = split_arrays(image_shape)
        openml = connect(module, name, arrays)
        bunch = fetch(subset="test")
        np.testing.assert_array_equal(bunch.images, arrays["x_test"])
        np.testing.assert_array_equal(bunch.target, arrays["y_test"])
        assert bunch.images.dtype == np.uint8
        assert bunch.target.dtype == np.int64
        assert f"OpenML data set {openml_id}" in bunch.DESCR
        assert openml.asked[0]["data_id"] == openml_id
        # Needs no pandas; and scikit-learn's pandas parser fails on number labels under pandas 3.
        assert (openml.asked[0]["as_frame"], openml.asked[0]["parser"]) == (False, "liac-arff")

    @every_split_set
    def test_the_published_sizes_are_expected(
        self, fetch, module, name, filename, openml_id, image_shape
    ):
        image_set = getattr(module, name)
        n_train = 50_000 if name == "_CIFAR10" else 60_000
        assert (image_set.n_train, image_set.n_test) == (n_train, 10_000)

    @every_split_set
    def test_the_second_call_reads_the_cache(
        self, connect, tmp_path, fetch, module, name, filename, openml_id, image_shape
    ):
        openml = connect(module, name, split_arrays(image_shape))
        first, second = fetch(subset="all"), fetch(subset="all")
        assert len(openml.asked) == 1
        assert [path.name for path in cache_of(tmp_path).iterdir()] == [filename]
        np.testing.assert_array_equal(first.data, second.data)
        np.testing.assert_array_equal(first.target, second.target)

    def test_a_download_is_kept_in_data_home(self, connect, tmp_path):
        connect(_mnist, "_MNIST", split_arrays((28, 28)))
        fetch_mnist(data_home=tmp_path / "new" / "folder")
        assert (tmp_path / "new" / "folder" / "mnist.npz").is_file()
        assert not cache_of(tmp_path).exists()

    def test_a_data_home_that_cannot_be_written_to_leaves_the_cache(self, connect, tmp_path):
        openml = connect(_mnist, "_MNIST", split_arrays((28, 28)))
        (tmp_path / "occupied").write_text("a file, so no folder can be made")
        for _ in range(2):
            fetch_mnist(data_home=tmp_path / "occupied")
        assert (cache_of(tmp_path) / "mnist.npz").is_file()
        assert len(openml.asked) == 1

    def test_where_nothing_can_be_kept_the_data_come_with_a_warning(self, connect, tmp_path):
        arrays = split_arrays((28, 28))
        connect(_mnist, "_MNIST", arrays)
        (tmp_path / "scikit_learn_data").mkdir()
        cache_of(tmp_path).write_text("a file, so no folder can be made")
        with pytest.warns(RuntimeWarning, match=r"mnist\.npz could not be kept") as record:
            bunch = fetch_mnist()
        np.testing.assert_array_equal(bunch.images, arrays["x_train"])
        assert record[0].filename == __file__

    def test_a_write_that_fails_leaves_no_part_behind(self, connect, tmp_path, monkeypatch):
        connect(_mnist, "_MNIST", split_arrays((28, 28)))

        def disk_full(file, **arrays):
            file.write(b"half of it")
            raise OSError("No space left on device")

        monkeypatch.setattr(np, "savez_compressed", disk_full)
        with pytest.warns(RuntimeWarning, match="No space left"):
            fetch_mnist()
        assert list(cache_of(tmp_path).iterdir()) == []

    @every_split_set
    @pytest.mark.parametrize("failure", [URLError("down"), TimeoutError(), IncompleteRead(b"")])
    def test_offline_the_error_says_what_to_do(
        self,
        tmp_path,
        monkeypatch,
        fetch,
        module,
        name,
        filename,
        openml_id,
        image_shape,
        failure,
    ):
        def fail(**_):
            raise failure

        monkeypatch.setattr(sklearn.datasets, "fetch_openml", fail)
        with pytest.raises(OSError) as info:
            fetch(data_home=tmp_path / "given")
        message = str(info.value)
        for part in (
            filename,
            str(tmp_path / "given"),
            str(cache_of(tmp_path)),
            f"OpenML data set {openml_id}",
            "Set SKLEARN_SIMVAE_DATA or data_home",
        ):
            assert part in message
        assert info.value.__cause__ is failure

    @pytest.mark.parametrize(
        "data, message",
        [
            (np.zeros((9, 784)), r"should hold MNIST .* \(10, 784\), got \(9, 784\)"),
            (np.zeros((10, 783)), r"got \(10, 783\)"),
            (np.full((10, 784), 256.0), "pixels in"),
            (np.full((10, 784), np.nan), "pixels in"),
        ],
    )
    def test_anything_else_from_openml_is_refused_and_not_kept(
        self, connect, tmp_path, data, message
    ):
        openml = connect(_mnist, "_MNIST", split_arrays((28, 28)))
        openml.data, openml.target = data, np.zeros(len(data), dtype=object)
        with pytest.raises(ValueError, match=message):
            fetch_mnist()
        assert not cache_of(tmp_path).exists()


def jpeg_arrays(colours, size=(32, 32)):
    """Make the arrays of the JPEG file, a plain image of each colour; every third is for test."""
    Image = pytest.importorskip("PIL.Image")
    files = []
    for colour in colours:
        stream = io.BytesIO()
        Image.new("RGB", size, colour).save(stream, "JPEG", quality=95, subsampling=0)
        files.append(stream.getvalue())
    # The start of a JPEG and its first segment, the same in all.
    header = files[0][:20]
    bodies = [file[len(header) :] for file in files]
    return {
        "header": np.frombuffer(header, np.uint8),
        "data": np.frombuffer(b"".join(bodies), np.uint8),
        "offsets": np.cumsum([0, *map(len, bodies)]),
        "y": (np.arange(len(colours)) % 10).astype(np.uint8),
        "is_test": np.arange(len(colours)) % 3 == 2,
        "classes": np.array([f"class {index}" for index in range(10)]),
    }


COLOURS = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (10, 120, 230), (90, 90, 90), (0, 0, 0)]


class TestJPEGFile:
    @pytest.mark.parametrize(
        "subset, rows", [("train", [0, 1, 3, 4]), ("test", [2, 5]), ("all", [0, 1, 3, 4, 2, 5])]
    )
    def test_images_are_decoded_channels_first(self, tmp_path, subset, rows):
        save(tmp_path / "cifar10_jpeg.npz", jpeg_arrays(COLOURS))
        bunch = fetch_cifar10(subset=subset, data_home=tmp_path)
        assert bunch.images.shape == (len(rows), 3, 32, 32)
        assert bunch.data.flags.c_contiguous
        assert np.shares_memory(bunch.data, bunch.images)
        expected = np.array(COLOURS)[rows][:, :, np.newaxis, np.newaxis]
        assert np.abs(bunch.images.astype(int) - expected).max() <= 3
        np.testing.assert_array_equal(bunch.target, rows)

    def test_names_come_from_the_file_and_the_description_says_jpeg(self, tmp_path):
        arrays = jpeg_arrays(COLOURS)
        save(tmp_path / "cifar10_jpeg.npz", arrays)
        bunch = fetch_cifar10(data_home=tmp_path)
        np.testing.assert_array_equal(bunch.target_names, arrays["classes"])
        assert bunch.DESCR.startswith("CIFAR-10 (JPEG re-encoded)\n")

    def test_the_true_pixels_go_before_the_jpegs(self, tmp_path):
        arrays = split_arrays((3, 32, 32))
        save(tmp_path / "cifar10_jpeg.npz", jpeg_arrays(COLOURS))
        save(tmp_path / "cifar10.npz", arrays)
        bunch = fetch_cifar10(data_home=tmp_path)
        np.testing.assert_array_equal(bunch.images, arrays["x_train"])
        assert "JPEG" not in bunch.DESCR

    def test_without_pillow_the_error_names_the_extra(self, tmp_path, monkeypatch):
        save(tmp_path / "cifar10_jpeg.npz", jpeg_arrays(COLOURS))
        monkeypatch.setitem(sys.modules, "PIL", None)
        with pytest.raises(ImportError, match=r'pip install "sklearn-simvae\[data\]"'):
            fetch_cifar10(data_home=tmp_path)

    @pytest.mark.parametrize(
        "change, message",
        [
            (lambda a: {"offsets": a["offsets"][:-1]}, r"'offsets' has shape \(6,\)"),
            (lambda a: {"offsets": a["offsets"][::-1]}, "'offsets' do not rise"),
            (lambda a: {"offsets": a["offsets"] + 1}, "'offsets' do not rise"),
            (lambda a: {"is_test": a["is_test"].astype(int)}, "'is_test' .* dtype int64"),
            (lambda a: {"y": np.int64(3)}, "cannot be used"),
            (lambda a: {"y": a["y"] + 10}, "labels outside"),
            (lambda a: {"header": a["header"][:9]}, "image 0 in it cannot be decoded"),
            (lambda a: {"data": np.zeros_like(a["data"])}, "image 0 in it cannot be decoded"),
        ],
    )
    def test_a_damaged_file_is_named(self, tmp_path, change, message):
        arrays = jpeg_arrays(COLOURS)
        path = save(tmp_path / "cifar10_jpeg.npz", {**arrays, **change(arrays)})
        with pytest.raises(ValueError, match=message) as info:
            fetch_cifar10(data_home=tmp_path)
        assert str(path) in str(info.value)

    def test_images_of_another_size_are_refused(self, tmp_path):
        save(tmp_path / "cifar10_jpeg.npz", jpeg_arrays(COLOURS, size=(16, 32)))
        with pytest.raises(ValueError, match=r"image 0 .* size is \(16, 32\)"):
            fetch_cifar10(data_home=tmp_path)


def glyph_arrays():
    rng = np.random.RandomState(0)
    return {
        "x": rng.randint(256, size=(4, 3, 32, 32)).astype(np.uint8),
        "font": np.array(["Serif-Bold", "Alpha", "Serif-Bold-Italic", "Karla[wght]-Thin"]),
        "char": np.array(["0", "a", "B"]),
    }


class TestEmoji:
    def arrays(self):
        return {
            "x": np.random.default_rng(0).integers(256, size=(3, 48, 48, 3)).astype(np.uint8),
            "caption": np.array(["waving hand", "waving hand, light skin tone", "flag: France"]),
            "codepoints": np.array(["1f44b", "1f44b_1f3fb", "1f1eb_1f1f7"]),
        }

    def test_each_picture_has_its_name_and_group(self, tmp_path):
        arrays = self.arrays()
        save(tmp_path / "emoji.npz", arrays)
        bunch = fetch_emoji(data_home=tmp_path)
        np.testing.assert_array_equal(bunch.images, arrays["x"])
        assert bunch.captions[1] == "waving hand, light skin tone"
        assert bunch.group[0] == bunch.group[1] != bunch.group[2]

    def test_without_the_file_the_error_says_which_and_where(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"emoji\.npz.*SKLEARN_SIMVAE_DATA"):
            fetch_emoji(data_home=tmp_path / "given")

    @pytest.mark.parametrize(
        "wrong",
        [{"x": np.zeros((3, 48, 48), np.uint8)}, {"caption": np.arange(3)}, {"codepoints": ["a"]}],
    )
    def test_wrong_arrays_are_named(self, tmp_path, wrong):
        wrong = {name: np.asarray(value) for name, value in wrong.items()}
        save(tmp_path / "emoji.npz", {**self.arrays(), **wrong})
        with pytest.raises(ValueError, match=next(iter(wrong))):
            fetch_emoji(data_home=tmp_path)


class TestGlyphs:
    def test_each_row_has_its_character_font_and_family(self, tmp_path):
        arrays = glyph_arrays()
        path = save(tmp_path / "glyphs.npz", arrays)
        bunch = fetch_glyphs(data_home=tmp_path)
        assert bunch.images.shape == (12, 32, 32)
        np.testing.assert_array_equal(bunch.images[7], arrays["x"][2, 1])
        assert bunch.target_names[bunch.target[7]] == "a"
        assert bunch.font_names[bunch.font[7]] == "Serif-Bold-Italic"
        families = bunch.family_names[bunch.family].tolist()
        assert families == ["Serif"] * 3 + ["Alpha"] * 3 + ["Serif"] * 3 + ["Karla[wght]"] * 3
        assert str(path) in bunch.DESCR

    def test_data_is_a_flat_view_of_images(self, tmp_path):
        save(tmp_path / "glyphs.npz", glyph_arrays())
        bunch = fetch_glyphs(data_home=tmp_path)
        assert bunch.data.shape == (12, 1024)
        assert bunch.data.flags.c_contiguous
        assert np.shares_memory(bunch.data, bunch.images)
        X, y = fetch_glyphs(data_home=tmp_path, return_X_y=True)
        np.testing.assert_array_equal(X, bunch.data)
        np.testing.assert_array_equal(y, bunch.target)

    def test_without_the_file_the_error_says_which_and_where(self, tmp_path):
        with pytest.raises(FileNotFoundError) as info:
            fetch_glyphs(data_home=tmp_path / "given")
        for part in ("glyphs.npz", str(tmp_path / "given"), "SKLEARN_SIMVAE_DATA"):
            assert part in str(info.value)

    @pytest.mark.parametrize(
        "wrong, message",
        [
            ({"x": np.zeros((4, 2, 32, 32), np.uint8)}, r"expected \(4, 3, 32, 32\)"),
            ({"font": np.arange(4)}, "'font' .* dtype int64"),
        ],
    )
    def test_wrong_arrays_are_named(self, tmp_path, wrong, message):
        save(tmp_path / "glyphs.npz", {**glyph_arrays(), **wrong})
        with pytest.raises(ValueError, match=message):
            fetch_glyphs(data_home=tmp_path)


def real_folder(filename):
    if not REAL_DATA or not (Path(REAL_DATA) / filename).is_file():
        pytest.skip(f"there is no {filename} in SKLEARN_SIMVAE_DATA")
    return REAL_DATA


class TestRealData:
    @pytest.mark.parametrize(
        "fetch, filename", [(fetch_mnist, "mnist.npz"), (fetch_fashion_mnist, "fashion_mnist.npz")]
    )
    def test_grey_sets_are_complete(self, fetch, filename):
        bunch = fetch(subset="all", data_home=real_folder(filename))
        assert bunch.data.shape == (70_000, 784)
        assert np.bincount(bunch.target[60_000:], minlength=10).min() > 800
        # Light on dark.
        assert bunch.data[:1000].mean() < 100

    def test_cifar10_test_part_is_complete_and_in_colour(self):
        bunch = fetch_cifar10(subset="test", data_home=real_folder("cifar10_jpeg.npz"))
        assert bunch.images.shape == (10_000, 3, 32, 32)
        np.testing.assert_array_equal(np.bincount(bunch.target), np.full(10, 1000))
        assert bunch.target_names[0] == "airplane"
        # The known means of red, green and blue, which a swap of channels would exchange.
        means = bunch.images.mean(axis=(0, 2, 3)) / 255
        np.testing.assert_allclose(means, [0.494, 0.485, 0.450], atol=0.005)

    def test_glyphs_are_complete(self):
        bunch = fetch_glyphs(data_home=real_folder("glyphs.npz"))
        assert bunch.data.shape == (139 * 62, 1024)
        np.testing.assert_array_equal(np.bincount(bunch.target), np.full(62, 139))
        np.testing.assert_array_equal(np.bincount(bunch.font), np.full(139, 62))
        assert "".join(bunch.target_names[:11]) == "0123456789A"
