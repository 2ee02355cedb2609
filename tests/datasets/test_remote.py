"""Downloads, and archives with members that lead outside, on made-up files."""

import gzip
import hashlib
import http.server
import io
import pickle
import tarfile
import threading
import zipfile
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest
from made_files import (
    SPLIT_SETS,
    Hostile,
    all_files,
    cache_of,
    cifar10_members,
    every_split_set,
    published_files,
    save,
    split_arrays,
    tar,
)

from sklearn_simvae.datasets import _cifar10, _mnist, _remote, fetch_cifar10, fetch_mnist

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
