"""Files that are written whole or not at all, and read without running code."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

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


def test_temporary_files_of_a_file_are_removed_and_those_of_others_are_not(path):
    stale = [path.with_name(f".{path.name}.{digit * 32}.part") for digit in "0f"]
    others = [
        # What a process is writing for a file whose name begins like this one's.
        path.with_name(f".{path.name}.checkpoint.{'0' * 32}.part"),
        path.with_name(f".other.{'0' * 32}.part"),
        path.with_name(f".{path.name}.swp"),
        path,
    ]
    for file in (*stale, *others):
        file.write_bytes(b"")
    files.remove_parts(path)
    assert set(path.parent.iterdir()) == set(others)


def tensors():
    torch.manual_seed(0)
    whole = torch.randn(4, 6)
    return {
        "float": whole,
        "part of it": whole[1:, ::2],
        "turned": whole.T,
        "gradient": whole.clone().requires_grad_(),
        "half": whole.bfloat16(),
        "bool": whole > 0,
        "bytes": (255 * torch.rand(3)).to(torch.uint8),
        "scalar": torch.tensor(7),
        "nothing": torch.zeros(0, 3),
    }


def test_tensors_and_metadata_come_back_as_they_were():
    given = {"kind": "test", "history": [{"loss": 0.1, "text": "ä"}], "none": None}
    found, metadata = files.unpack(files.pack(tensors(), given), "it", "test")
    assert metadata == {"format": files.FORMAT, "version": metadata["version"], **given}
    assert found.keys() == tensors().keys()
    for name, tensor in tensors().items():
        assert found[name].dtype == tensor.dtype and not found[name].requires_grad
        assert torch.equal(found[name], tensor)


def test_no_byte_can_change_without_a_word():
    data = files.pack(tensors(), {"kind": "test"})
    rng = np.random.default_rng(0)
    for place in rng.choice(len(data), 200, replace=False):
        damaged = data[:place] + bytes([data[place] ^ (1 << rng.integers(8))]) + data[place + 1 :]
        try:
            found, metadata = files.unpack(damaged, "it", "test")
        except ValueError as error:
            assert str(error).startswith("it ")
        else:
            assert metadata["kind"] == "test"
            for name, tensor in tensors().items():
                assert torch.equal(found[name], tensor), place


def test_a_file_of_another_kind_is_refused():
    data = files.pack({}, {"kind": "weights"})
    with pytest.raises(ValueError, match="it is a file of kind 'weights', where 'checkpoint' is"):
        files.unpack(data, "it", "checkpoint")
