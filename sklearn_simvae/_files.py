"""Files of tensors and JSON, written whole or not at all, and read without running code."""

import contextlib
import hashlib
import json
import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sklearn_simvae._version import __version__

# Version of the file format. When files change so that older ones cannot be read as they are, it
# is increased, and `MIGRATIONS` gets a function from the format that is its key to the next,
# `(tensors, metadata) -> (tensors, metadata)`.
FORMAT = 1
MIGRATIONS: dict[int, Callable] = {}

_KEY = "sklearn_simvae"

Tensors = dict[str, Tensor]


def need(module: str, extra: str = "persistence"):
    """Import an optional dependency.

    Parameters
    ----------
    module : str
        Name of the module.
    extra : str, default="persistence"
        Name of the extra that installs it.

    Returns
    -------
    module : module
        The imported module.

    Raises
    ------
    ImportError
        If the module is not installed; the message has the command that installs it.
    """
    try:
        return __import__(module, fromlist=["*"])
    except ImportError as error:
        raise ImportError(
            f"This needs {module.partition('.')[0]}, which is not installed: "
            f"pip install 'sklearn-simvae[{extra}]'."
        ) from error


def write_whole(path: str | os.PathLike, data: bytes) -> None:
    """Write a file so that readers find either the previous file or the new one, never a part.

    Parameters
    ----------
    path : path-like
        Path of the file to write.
    data : bytes
        Contents of the file.

    Raises
    ------
    OSError
        If the file cannot be written; a previous file is then unchanged.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with open(part, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    # A power failure could undo the renaming until the folder is synced, if the system can do it.
    with contextlib.suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_parts(path: str | os.PathLike) -> None:
    """Remove the temporary files that killed processes left while they wrote a file.

    Parameters
    ----------
    path : path-like
        Path of the file that they were writing.
    """
    path = Path(path)
    # The name is matched as a whole, since that of another file may begin with it.
    name = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]+\.part")
    for part in path.parent.iterdir():
        if name.fullmatch(part.name):
            part.unlink(missing_ok=True)


def pack(tensors: Tensors, metadata: dict[str, Any]) -> bytes:
    """Convert tensors and metadata to the bytes of a safetensors file.

    Parameters
    ----------
    tensors : dict of str to Tensor
        Tensors on any device.
    metadata : dict
        Values that JSON can hold.

    Returns
    -------
    data : bytes
        Contents of the file, with the format, the version of the package and a checksum.
    """
    # Copied, since safetensors refuses tensors that share memory.
    tensors = {name: t.detach().cpu().clone().contiguous() for name, t in tensors.items()}
    text = json.dumps({"format": FORMAT, "version": __version__, **metadata})
    header = {_KEY: text, "sha256": _digest(tensors, text)}
    return need("safetensors.torch").save(tensors, header)


def unpack(data: bytes, where: str, kind: str) -> tuple[Tensors, dict[str, Any]]:
    """Convert the bytes of a file made by :func:`pack` back to tensors and metadata.

    Parameters
    ----------
    data : bytes
        Contents of the file.
    where : str
        Name of the file in messages.
    kind : str
        Value that "kind" must have in the metadata.

    Returns
    -------
    tensors : dict of str to Tensor
        Tensors on the CPU.
    metadata : dict
        Metadata, in the format of this version.

    Raises
    ------
    ValueError
        If the file is damaged, of another kind, or of a format that this version does not read.
    """
    torch_files = need("safetensors.torch")
    try:
        tensors = torch_files.load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (need("safetensors").SafetensorError, ValueError, KeyError) as error:
        raise ValueError(
            f"{where} is damaged or cut short, or is no safetensors file ({error}). Nothing was "
            "loaded. Use another copy of it."
        ) from error
    header = header.get("__metadata__") or {}
    text, metadata = _metadata_of(header, where)
    if header.get("sha256") != _digest(tensors, text):
        raise ValueError(
            f"{where} is damaged: its checksum does not fit its contents. Nothing was loaded. Use "
            "another copy of it."
        )
    tensors, metadata = _brought_up(tensors, metadata, where)
    if metadata.get("kind") != kind:
        raise ValueError(
            f"{where} is a file of kind {metadata.get('kind')!r}, where {kind!r} is expected. "
            "Weights are written by save_weights, and checkpoints by the callback ResumeCheckpoint."
        )
    return tensors, metadata


def _metadata_of(header: dict[str, str], where: str) -> tuple[str, dict[str, Any]]:
    """Return the metadata of a file, as text and read, if they are of a format that is known."""
    try:
        text = header[_KEY]
        metadata = json.loads(text)
        found, version = metadata["format"], metadata["version"]
        if type(found) is not int:
            raise TypeError
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{where} is a safetensors file, but not one that sklearn_simvae wrote. Put weights "
            "of another origin into `module_` by load_state_dict."
        ) from error
    if found > FORMAT:
        raise ValueError(
            f"{where} was written by sklearn-simvae {version} in format {found}, and this version "
            f"reads formats up to {FORMAT}. Install that version or a later one."
        )
    return text, metadata


def _brought_up(
    tensors: Tensors, metadata: dict[str, Any], where: str
) -> tuple[Tensors, dict[str, Any]]:
    """Convert the contents of a file to the format of this version."""
    found, version = metadata["format"], metadata["version"]
    for version_before in range(found, FORMAT):
        if version_before not in MIGRATIONS:
            raise ValueError(
                f"{where} was written by sklearn-simvae {version} in format {found}, which this "
                "version no longer reads. Load it with that version, and save it with one between "
                "that and this one."
            )
        tensors, metadata = MIGRATIONS[version_before](tensors, metadata)
    return tensors, metadata


def _digest(tensors: Tensors, text: str) -> str:
    sha = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()
