"""Files that are written whole or not at all, and read without running code."""

import os
from pathlib import Path

from sklearn_simvae import _files as files


def test_a_reader_never_sees_a_part(path, monkeypatch):
    files.write_whole(path, b"old" * 100)
    seen = []

    def replace(part, target, whole=os.replace):
        seen.append(Path(target).read_bytes() == b"old" * 100)
        whole(part, target)
        seen.append(Path(target).read_bytes() == b"new" * 100)

    monkeypatch.setattr("sklearn_simvae._files.os.replace", replace)
    files.write_whole(path, b"new" * 100)
    assert seen == [True, True] and list(path.parent.iterdir()) == [path]
