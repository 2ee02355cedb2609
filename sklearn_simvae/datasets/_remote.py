"""Published files: where they are, and which bytes they must be."""

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
    """A file that never changes, and the places that give it out.

    Parameters
    ----------
    urls : tuple of str
        Where it is; later ones are asked where earlier ones fail.
    n_bytes : int
        Its length, more than which is never read.
    sha256 : str
        Its SHA-256, in lower-case hexadecimal digits.
    """

    urls: tuple[str, ...]
    n_bytes: int
    sha256: str


def fetch(file: RemoteFile) -> bytes:
    """Give the contents of a published file, of which nothing was looked at but its SHA-256.

    Parameters
    ----------
    file : RemoteFile
        What to download. It is kept in memory alone.

    Returns
    -------
    contents : bytes
        Those that the SHA-256 stands for.

    Raises
    ------
    OSError
        If no place gives these bytes, with what each gave.
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
        The members to read. What others there are is of no account.

    Returns
    -------
    members : list of bytes
        Their contents.

    Raises
    ------
    ValueError
        If one is not there or is no plain file, such as a link, or the archive is damaged.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(contents), mode="r:gz") as archive:
            return [_read_member(archive, name) for name in names]
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"The archive is damaged ({error}).") from error


def _read_member(archive: tarfile.TarFile, name: str) -> bytes:
    members = [member for member in archive.getmembers() if member.name == name]
    # Of a link, tarfile would give what it leads to; of two of one name, the later.
    if len(members) != 1 or not members[0].isreg():
        raise ValueError(f"The archive should hold one plain file {name}.")
    return archive.extractfile(members[0]).read()
