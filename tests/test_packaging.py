"""What is installed and what is published."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sklearn_simvae"
# What an archive is made of, with what must not get into it.
PARTS = ["benchmarks", "docs", "examples", "sklearn_simvae", "tests"]
FILES = ["CHANGELOG.rst", "LICENSE", "MANIFEST.in", "README.rst"]
FILES += ["constraints.txt", "pyproject.toml", "setup.py"]


def build(hook, source, out):
    """Call a build hook as an installer does, in a process of its own."""
    code = f"from setuptools import build_meta; print(build_meta.{hook}({str(out)!r}))"
    made = subprocess.run(
        [sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=True
    )
    return out / made.stdout.split()[-1]


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """A source archive, and the wheel that is built of it."""
    pytest.importorskip("setuptools", minversion="77")
    if missing := [name for name in [*FILES, *PARTS] if not (ROOT / name).exists()]:
        pytest.skip(f"this is no checkout: {missing} are not there")
    folder = tmp_path_factory.mktemp("build")
    source = folder / "source"
    source.mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__", "_build", ".*")
    for name in PARTS:
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    # Even where these have been built or run.
    for left in ["docs/_build/page.html", "docs/api/page.rst", "tests/__pycache__/a.pyc"]:
        (source / left).parent.mkdir(parents=True, exist_ok=True)
        (source / left).write_text("")
    sdist = build("build_sdist", source, folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / sdist.name.removesuffix(".tar.gz")
    return unpacked, build("build_wheel", unpacked, folder)


def files_of(folder):
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_wheel_holds_all_of_the_package_and_nothing_else(archives):
    names = set(zipfile.ZipFile(archives[1]).namelist())
    code = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert code == {f"sklearn_simvae/{name}" for name in files_of(PACKAGE)}
    (text,) = (name for name in names - code if name.endswith("LICENSE"))
    assert text


def test_wheel_is_imported_without_the_sources(archives, tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import sklearn_simvae\n"
        "assert sklearn_simvae.__file__.startswith(sys.argv[1]), sklearn_simvae.__file__\n"
        "sklearn_simvae.SimVAE(1, hidden_layer_sizes=(2,), max_epochs=1).fit([[0.0], [1.0], [2.0]])"
    )
    subprocess.run([sys.executable, "-c", code, archives[1]], cwd=tmp_path, check=True)


def test_version_and_text_of_the_package_index_are_those_of_the_sources(archives):
    import sklearn_simvae

    wheel = zipfile.ZipFile(archives[1])
    (name,) = (name for name in wheel.namelist() if name.endswith("METADATA"))
    metadata = wheel.read(name).decode()
    assert f"\nVersion: {sklearn_simvae.__version__}\n" in metadata
    assert (ROOT / "README.rst").read_text().splitlines()[0] in metadata


def test_source_archive_holds_what_tests_and_documentation_need(archives):
    held = files_of(archives[0])
    kept = {name for name in FILES if name != "MANIFEST.in"}
    data = (".py", ".npz", ".safetensors", ".skops")
    kept |= {f"tests/{name}" for name in files_of(ROOT / "tests") if name.endswith(data)}
    kept |= {f"examples/{name}" for name in files_of(ROOT / "examples") if name.endswith(".py")}
    kept |= {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.rst")} - {
        "docs/sg_execution_times.rst"
    }
    assert not kept - held


def test_source_archive_holds_no_results_and_nothing_that_was_built(archives):
    unwanted = ("benchmarks/", "docs/_build/", "docs/api/", "docs/auto_examples/")
    held = files_of(archives[0])
    assert not [name for name in held if name.startswith(unwanted) or name.endswith(".pyc")]
