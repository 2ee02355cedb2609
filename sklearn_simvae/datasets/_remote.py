"""Download of published files, each of which is checked by its SHA-256."""

import hashlib
import io
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from urllib.request import urlopen

_TIMEOUT = 60


@dataclass(frozen=True)
class RemoteFile:
    """A file that never changes, and the addresses to download it from.

    Parameters
    ----------
    urls : tuple of str
        Addresses of the file; later ones are used if earlier ones fail.
    n_bytes : int
        Length of the file in bytes; no more is ever read.
    sha256 : str
        SHA-256 of the file, in lower-case hexadecimal digits.
    """

    urls: tuple[str, ...]
    n_bytes: int
    sha256: str


def fetch(file: RemoteFile) -> bytes:
    """Download a published file into memory, and check its SHA-256.

    Parameters
    ----------
    file : RemoteFile
        File to download.

    Returns
    -------
    contents : bytes
        Contents of the file, which have the expected SHA-256.

    Raises
    ------
    OSError
        If no address returns the expected bytes; the message tells what each returned.
    """
    problems = []
    for url in file.urls:
        try:
            with urlopen(url, timeout=_TIMEOUT) as response:
                contents = response.read(file.n_bytes + 1)
        except (OSError, HTTPException) as error:
            problems.append(f"{url} failed with {error!r}")
            continue
        found = hashlib.sha256(contents).hexdigest()
        if found == file.sha256:
            return contents
        problems.append(
            f"{url} was refused, since its SHA-256 is {found} and should be {file.sha256}"
        )
    raise OSError("; ".join(problems))


def read_tar(contents: bytes, names: Sequence[str]) -> list[bytes]:
    """Read the named files of a compressed tar archive, never unpacking any to the disk.

    Parameters
    ----------
    contents : bytes
        The archive.
    names : sequence of str
        Names of the members to read; all others are ignored.

    Returns
    -------
    members : list of bytes
        Contents of these members.

    Raises
    ------
    ValueError
        If a member is missing or is no plain file (such as a link), or if the archive is damaged.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(contents), mode="r:gz") as archive:
            return [_read_member(archive, name) for name in names]
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"The archive is damaged ({error}).") from error


def _read_member(archive: tarfile.TarFile, name: str) -> bytes:
    members = [member for member in archive.getmembers() if member.name == name]
    # tarfile would follow a link, and of two members with one name it would read the later.
    if len(members) != 1 or not members[0].isreg():
        raise ValueError(f"The archive should hold one plain file {name}.")
    return archive.extractfile(members[0]).read()
