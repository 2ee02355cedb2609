"""Finding, reading and writing of data files on this machine."""

import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import numpy as np

DATA_VARIABLE = "SKLEARN_SIMVAE_DATA"

# Exceptions of numpy and zipfile for bytes that are damaged, pickled or not an archive.
_UNREADABLE = (
    *(ValueError, EOFError, OSError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError, SyntaxError),
)


def named_folder(data_home: str | os.PathLike | None) -> Path | None:
    """Return the folder that the user named by argument, or else by environment variable."""
    folder = data_home if data_home is not None else os.environ.get(DATA_VARIABLE)
    return Path(folder).expanduser() if folder else None


def cache_folder() -> Path:
    """Return this package's folder in scikit-learn's data home."""
    # sklearn.datasets.get_data_home returns the same, but would also create the folder.
    home = os.environ.get("SCIKIT_LEARN_DATA", os.path.join("~", "scikit_learn_data"))
    return Path(home).expanduser() / "sklearn_simvae"


def folders_searched(data_home: str | os.PathLike | None) -> Iterator[Path]:
    """Yield the folders to look in, first the one that the user named."""
    named = named_folder(data_home)
    if named is not None:
        yield named
    yield cache_folder()


def find_file(names: Sequence[str], data_home: str | os.PathLike | None) -> Path | None:
    """Return the first file with one of these names, or None; earlier folders and names win."""
    paths = (folder / name for folder in folders_searched(data_home) for name in names)
    return next((path for path in paths if path.is_file()), None)


def require_file(name: str, data_home: str | os.PathLike | None) -> Path:
    """Return the first file with this name, or raise FileNotFoundError."""
    path = find_file([name], data_home)
    if path is None:
        folders = " and ".join(str(folder) for folder in folders_searched(data_home))
        raise FileNotFoundError(
            f"There is no {name} in {folders}, and it cannot be downloaded. Set {DATA_VARIABLE} or "
            "data_home to a folder with that file."
        )
    return path


def unusable(path: Path, problem: str) -> ValueError:
    """Make the error for a file that exists but cannot be used."""
    return ValueError(
        f"{path} cannot be used: {problem}. "
        "Put an intact copy in its place, or remove it and fetch the data again."
    )


def read_npz(path: Path, keys: Sequence[str]) -> dict[str, np.ndarray]:
    """Read the named arrays of an .npz file, never unpickling anything."""
    with open(path, "rb") as file:
        try:
            arrays = _read_members(file, keys)
        except KeyError as error:
            raise unusable(path, f"it lacks the array {error}") from None
        except _UNREADABLE as error:
            raise unusable(path, f"it is damaged or is no plain .npz file ({error})") from error
    return arrays


def _read_members(file: BinaryIO, keys: Sequence[str]) -> dict[str, np.ndarray]:
    archive = np.load(file, allow_pickle=False)
    if isinstance(archive, np.ndarray):
        raise ValueError("it is a single array")
    with archive:
        for key in keys:
            if key not in archive.files:
                raise KeyError(key)
        arrays = {key: archive[key] for key in keys}
    # numpy returns members of the archive that are not arrays as bytes.
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ValueError("it holds files that are not arrays")
    return arrays


def check_array(
    path: Path, name: str, array: np.ndarray, dtype: type, shape: Sequence[int | None]
) -> None:
    """Raise an error if an array read from `path` has another kind of dtype or another shape."""
    fits = len(shape) == array.ndim and all(
        expected in (None, found) for expected, found in zip(shape, array.shape, strict=True)
    )
    if not fits or not np.issubdtype(array.dtype, dtype):
        wanted = ", ".join("n" if length is None else str(length) for length in shape)
        raise unusable(
            path,
            f"{name!r} has shape {array.shape} and dtype {array.dtype}, "
            f"expected ({wanted}) and {dtype.__name__}",
        )


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a compressed .npz file, so that other processes see it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        with open(part, "xb") as file:
            np.savez_compressed(file, **arrays)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
