"""The loaders, on small made-up files and downloads; on real files where there are any."""

import gzip
import hashlib
import http.server
import io
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from dataclasses import replace
from http.client import IncompleteRead
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
    fetch_emoji,
    fetch_fashion_mnist,
    fetch_glyphs,
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


@pytest.fixture(autouse=True)
def empty_machine(monkeypatch, tmp_path):
    """Hide the data of this machine, and refuse to connect."""
    monkeypatch.delenv("SKLEARN_SIMVAE_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "scikit_learn_data"))
    monkeypatch.setattr(_remote, "urlopen", offline)


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


@pytest.fixture
def web(tmp_path, monkeypatch):
    return Web(tmp_path / "web", monkeypatch)


def all_files(folder):
    """Names of everything in a folder, and the contents of files."""
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


class TestFiles:
    @every_split_set
    @pytest.mark.parametrize("subset", ["train", "test"])
    def test_a_part_comes_as_it_is_in_the_file(
        self, tmp_path, fetch, module, name, filename, image_shape, subset
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
    def test_all_is_train_then_test(self, tmp_path, fetch, module, name, filename, image_shape):
        arrays = split_arrays(image_shape)
        save(tmp_path / filename, arrays)
        X, y = fetch(subset="all", data_home=str(tmp_path), return_X_y=True)
        expected = np.concatenate([arrays["x_train"], arrays["x_test"]]).reshape(10, -1)
        np.testing.assert_array_equal(X, expected)
        np.testing.assert_array_equal(y, np.concatenate([arrays["y_train"], arrays["y_test"]]))

    @every_split_set
    def test_data_is_a_flat_view_of_images(
        self, tmp_path, fetch, module, name, filename, image_shape
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
        gray = fetch_mnist(data_home=tmp_path)
        color = fetch_cifar10(data_home=tmp_path)
        assert gray.images[2, 5, 7] == gray.data[2, gray.feature_names.index("pixel_5_7")]
        assert color.images[2, 1, 5, 7] == color.data[2, color.feature_names.index("green_5_7")]

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


CONTENTS = bytes(range(256)) * 400


class Server(http.server.BaseHTTPRequestHandler):
    """Gives CONTENTS in all the ways that a path can name."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.close_connection = True
        if self.path == "/gone":
            return self.send_error(404)
        moved = {"/moved": "/whole", "/moved_to_disk": Path(__file__).as_uri()}
        self.send_response(302 if self.path in moved else 200)
        if self.path in moved:
            self.send_header("Location", moved[self.path])
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(0 if self.path in moved else len(CONTENTS)))
        self.end_headers()
        if self.path == "/chunked":
            half = len(CONTENTS) // 2
            for chunk in (CONTENTS[:half], CONTENTS[half:], b""):
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        elif self.path not in moved:
            self.wfile.write(CONTENTS[: -100 if self.path == "/cut" else None])

    def log_message(self, *_):
        """Write nothing."""


@pytest.fixture(scope="module")
def server():
    """Address of a server on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


class TestDownload:
    @every_split_set
    @pytest.mark.parametrize("subset", ["train", "test"])
    def test_parts_are_those_of_the_published_files(
        self, web, fetch, module, name, filename, image_shape, subset
    ):
        arrays = split_arrays(image_shape)
        web.publish(module, name, published_files(name, arrays))
        bunch = fetch(subset=subset)
        np.testing.assert_array_equal(bunch.images, arrays[f"x_{subset}"])
        np.testing.assert_array_equal(bunch.target, arrays[f"y_{subset}"])
        assert bunch.images.dtype == np.uint8
        assert bunch.target.dtype == np.int64
        assert bunch.images.flags.writeable and bunch.images.flags.c_contiguous
        assert getattr(module, name).source in bunch.DESCR

    @every_split_set
    def test_the_second_call_reads_the_cache(
        self, web, tmp_path, fetch, module, name, filename, image_shape
    ):
        files = published_files(name, split_arrays(image_shape))
        web.publish(module, name, files)
        first, second = fetch(subset="all"), fetch(subset="all")
        assert len(web.asked) == len(files)
        assert [path.name for path in cache_of(tmp_path).iterdir()] == [filename]
        np.testing.assert_array_equal(first.data, second.data)
        np.testing.assert_array_equal(first.target, second.target)

    @every_split_set
    def test_published_files_are_fully_described(self, fetch, module, name, filename, image_shape):
        files = getattr(module, name).published
        assert (
            len({file.sha256 for file in files}) == len(files) == (1 if len(image_shape) > 2 else 4)
        )
        for file in files:
            assert len(bytes.fromhex(file.sha256)) == 32
            assert file.sha256 == file.sha256.lower()
            assert file.urls[0].startswith("https://")

    @every_split_set
    @pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "other"])
    def test_a_file_of_another_sha256_is_refused_unopened(
        self, web, tmp_path, monkeypatch, fetch, module, name, filename, image_shape, damage
    ):
        paths = web.publish(module, name, published_files(name, split_arrays(image_shape)))
        contents = bytearray(paths[-1].read_bytes())
        if damage == "flipped":
            contents[len(contents) // 2] ^= 1
        elif damage == "cut":
            del contents[-1]
        elif damage == "longer":
            contents.append(0)
        else:
            contents = pickle.dumps(Hostile())
        paths[-1].write_bytes(contents)
        opened = []
        monkeypatch.setattr(gzip, "decompress", opened.append)
        monkeypatch.setattr(tarfile, "open", opened.append)
        with pytest.raises(OSError, match=r"was refused, since its SHA-256 is .* and should be"):
            fetch(data_home=tmp_path / "given")
        assert opened == []
        assert not (tmp_path / "given").exists() and not cache_of(tmp_path).exists()

    def test_no_more_is_read_than_the_file_is_long(self, web, monkeypatch):
        contents = b"what was published"
        read = []

        class Endless(io.BytesIO):
            def read(self, n_bytes):
                read.append(n_bytes)
                return bytes(n_bytes)

        monkeypatch.setattr(_remote, "urlopen", lambda *_, **__: Endless())
        file = _remote.RemoteFile(
            ("https://x",), len(contents), hashlib.sha256(contents).hexdigest()
        )
        with pytest.raises(OSError, match="was refused"):
            _remote.fetch(file)
        assert read == [len(contents) + 1]

    @pytest.mark.parametrize("first", ["gone", "tampered with"])
    def test_the_next_place_is_asked_where_one_fails(self, web, tmp_path, first):
        good = tmp_path / "good"
        good.write_bytes(b"what was published")
        bad = tmp_path / "bad"
        if first != "gone":
            bad.write_bytes(b"what was PUBLISHED")
        sha256 = hashlib.sha256(b"what was published").hexdigest()
        file = _remote.RemoteFile((bad.as_uri(), good.as_uri()), 18, sha256)
        assert _remote.fetch(file) == b"what was published"
        good.write_bytes(b"")
        with pytest.raises(OSError, match=r"/bad (failed|was refused).*; .*/good was refused"):
            _remote.fetch(file)

    @pytest.mark.parametrize(
        "path, problem",
        [
            ("whole", None),
            ("moved", None),
            ("chunked", None),
            ("gone", "HTTPError 404"),
            ("cut", "was refused"),
            ("moved_to_disk", "HTTPError 302"),
        ],
    )
    def test_what_a_server_does_is_told(self, monkeypatch, server, path, problem):
        monkeypatch.setattr(_remote, "urlopen", urlopen)
        sha256 = hashlib.sha256(CONTENTS).hexdigest()
        file = _remote.RemoteFile((f"{server}/{path}",), len(CONTENTS), sha256)
        if problem is None:
            assert _remote.fetch(file) == CONTENTS
        else:
            with pytest.raises(OSError, match=f"{server}/{path} .*{problem}"):
                _remote.fetch(file)

    def test_a_download_is_kept_in_data_home_and_nowhere_else(self, web, tmp_path, monkeypatch):
        for name in ("HOME", "USERPROFILE", "TMPDIR", "XDG_CACHE_HOME"):
            (tmp_path / name).mkdir()
            monkeypatch.setenv(name, str(tmp_path / name))
        monkeypatch.delenv("SCIKIT_LEARN_DATA")
        monkeypatch.setenv("SKLEARN_SIMVAE_DATA", str(tmp_path / "HOME"))
        monkeypatch.chdir(tmp_path / "TMPDIR")
        for fetch, module, name, _, image_shape in (case.values for case in SPLIT_SETS):
            web.publish(module, name, published_files(name, split_arrays(image_shape)))
            before = all_files(tmp_path)
            home = tmp_path / name / "new"
            fetch(data_home=home)
            after = all_files(tmp_path)
            written = {path for path in after if after[path] != before.get(path, 0)}
            inside = {home.parent, home, *home.iterdir()}
            assert written == {path.relative_to(tmp_path) for path in inside}
            assert len(list(home.iterdir())) == 1

    def test_without_data_home_it_is_kept_in_that_of_scikit_learn(self, web, tmp_path, monkeypatch):
        (tmp_path / "named").mkdir()
        monkeypatch.setenv("SKLEARN_SIMVAE_DATA", str(tmp_path / "named"))
        web.publish(_mnist, "_MNIST", published_files("_MNIST", split_arrays((28, 28))))
        fetch_mnist()
        assert (cache_of(tmp_path) / "mnist.npz").is_file()
        assert list((tmp_path / "named").iterdir()) == []

    def test_scikit_learns_data_home_is_found_where_scikit_learn_has_it(
        self, monkeypatch, tmp_path
    ):
        from sklearn.datasets import get_data_home

        from sklearn_simvae.datasets import _files

        assert _files.cache_folder() == Path(get_data_home()) / "sklearn_simvae"
        monkeypatch.delenv("SCIKIT_LEARN_DATA")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        assert _files.cache_folder() == Path(get_data_home()) / "sklearn_simvae"

    def test_where_nothing_can_be_kept_the_data_come_with_a_warning(self, web, tmp_path):
        arrays = split_arrays((28, 28))
        web.publish(_mnist, "_MNIST", published_files("_MNIST", arrays))
        (tmp_path / "occupied").write_text("a file, so no folder can be made")
        for _ in range(2):
            with pytest.warns(RuntimeWarning, match=r"mnist\.npz could not be kept") as record:
                bunch = fetch_mnist(data_home=tmp_path / "occupied")
            np.testing.assert_array_equal(bunch.images, arrays["x_train"])
            assert record[0].filename == __file__
        assert not cache_of(tmp_path).exists()
        assert len(web.asked) == 8

    def test_a_write_that_fails_leaves_no_part_behind(self, web, tmp_path, monkeypatch):
        web.publish(_mnist, "_MNIST", published_files("_MNIST", split_arrays((28, 28))))

        def disk_full(file, **arrays):
            file.write(b"half of it")
            raise OSError("No space left on device")

        monkeypatch.setattr(np, "savez_compressed", disk_full)
        with pytest.warns(RuntimeWarning, match="No space left"):
            fetch_mnist()
        assert list(cache_of(tmp_path).iterdir()) == []

    def test_a_link_in_place_of_the_file_is_not_written_through(self, web, tmp_path):
        web.publish(_mnist, "_MNIST", published_files("_MNIST", split_arrays((28, 28))))
        home = tmp_path / "given"
        home.mkdir()
        (home / "mnist.npz").symlink_to(tmp_path / "outside.npz")
        fetch_mnist(data_home=home)
        assert not (tmp_path / "outside.npz").exists()
        assert (home / "mnist.npz").is_file() and not (home / "mnist.npz").is_symlink()

    @every_split_set
    @pytest.mark.parametrize("failure", [URLError("down"), TimeoutError(), IncompleteRead(b"")])
    def test_offline_the_error_says_what_to_do(
        self, tmp_path, monkeypatch, fetch, module, name, filename, image_shape, failure
    ):
        def fail(*_, **__):
            raise failure

        monkeypatch.setattr(_remote, "urlopen", fail)
        with pytest.raises(OSError) as info:
            fetch(data_home=tmp_path / "given")
        message = str(info.value)
        for part in (
            filename,
            str(tmp_path / "given"),
            str(cache_of(tmp_path)),
            *getattr(module, name).published[0].urls,
            repr(failure),
            "Set SKLEARN_SIMVAE_DATA or data_home",
        ):
            assert part in message
        # Looking for a file makes no folders.
        assert list(tmp_path.iterdir()) == []


def member(name, kind=tarfile.REGTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, (b"written outside" if kind == tarfile.REGTYPE else b"")


class TestArchives:
    """Members that lead out of the folder, in archives that have the SHA-256 that is expected."""

    def test_members_that_lead_outside_are_written_nowhere(self, web, tmp_path, monkeypatch):
        arrays = split_arrays((3, 32, 32))
        home = tmp_path / "deep" / "given"
        home.mkdir(parents=True)
        monkeypatch.chdir(home)
        hostile = [
            member("../outside"),
            member("../../outside"),
            member(str(tmp_path / "absolute")),
            member("cifar-10-batches-bin/../../outside"),
            member("..\\outside"),
            member("cifar-10-batches-bin", tarfile.SYMTYPE, str(tmp_path)),
            member("link", tarfile.SYMTYPE, ".."),
            member("link/outside"),
            member("hard", tarfile.LNKTYPE, "../../../etc/passwd"),
            member("fifo", tarfile.FIFOTYPE),
            member("device", tarfile.CHRTYPE),
        ]
        archive = tar([*hostile, *cifar10_members(arrays)])
        web.publish(_cifar10, "_CIFAR10", [archive])
        before = all_files(tmp_path)
        bunch = fetch_cifar10(data_home=home)
        np.testing.assert_array_equal(bunch.images, arrays["x_train"])
        assert all_files(tmp_path).keys() - before.keys() == {
            (home / "cifar10.npz").relative_to(tmp_path)
        }
        assert all(all_files(tmp_path)[path] == contents for path, contents in before.items())

    @pytest.mark.parametrize(
        "kind, target",
        [
            (tarfile.SYMTYPE, "/etc/passwd"),
            (tarfile.SYMTYPE, "../../secret"),
            (tarfile.SYMTYPE, "data_batch_1.bin"),
            (tarfile.LNKTYPE, "cifar-10-batches-bin/data_batch_1.bin"),
            (tarfile.LNKTYPE, "../secret"),
            (tarfile.DIRTYPE, ""),
            (tarfile.FIFOTYPE, ""),
            (tarfile.CHRTYPE, ""),
            (None, ""),
        ],
    )
    def test_a_batch_must_be_a_plain_file(self, web, tmp_path, kind, target):
        (tmp_path / "secret").write_bytes(bytes(3073))
        members = cifar10_members(split_arrays((3, 32, 32)))
        name = members[2][0].name
        members[2:3] = [] if kind is None else [member(name, kind, target)]
        web.publish(_cifar10, "_CIFAR10", [tar(members)])
        with pytest.raises(ValueError, match=f"should hold one plain file {name}"):
            fetch_cifar10(data_home=tmp_path / "given")
        assert not (tmp_path / "given").exists()

    def test_two_members_of_one_name_are_refused(self, web):
        members = cifar10_members(split_arrays((3, 32, 32)))
        web.publish(_cifar10, "_CIFAR10", [tar([*members, members[0]])])
        with pytest.raises(ValueError, match=r"should hold one plain file .*data_batch_1\.bin"):
            fetch_cifar10()

    @pytest.mark.parametrize("length", [0, 5, 40, -100])
    def test_a_cut_archive_is_refused(self, web, length):
        archive = tar(cifar10_members(split_arrays((3, 32, 32))))[:length]
        web.publish(_cifar10, "_CIFAR10", [archive])
        with pytest.raises(ValueError, match="archive is damaged"):
            fetch_cifar10()

    def test_members_of_npz_files_that_lead_outside_are_written_nowhere(
        self, tmp_path, monkeypatch
    ):
        home = tmp_path / "deep" / "given"
        path = save(home / "mnist.npz", split_arrays((28, 28)))
        monkeypatch.chdir(home)
        with zipfile.ZipFile(path, "a") as archive:
            for name in ("../outside.npy", str(tmp_path / "absolute.npy"), "..\\outside.npy"):
                archive.writestr(name, "written outside")
        before = all_files(tmp_path)
        fetch_mnist(data_home=home)
        assert all_files(tmp_path) == before


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
    def test_gray_sets_are_complete(self, fetch, filename):
        bunch = fetch(subset="all", data_home=real_folder(filename))
        assert bunch.data.shape == (70_000, 784)
        assert np.bincount(bunch.target[60_000:], minlength=10).min() > 800
        # Light on dark.
        assert bunch.data[:1000].mean() < 100

    def test_cifar10_test_part_is_complete_and_in_color(self):
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
