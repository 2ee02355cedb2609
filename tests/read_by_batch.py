"""Data that are read batch by batch, of every kind."""

import functools

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, Subset, TensorDataset


class Slices:
    """What gives rows by slices alone, and keeps account of them."""

    def __init__(self, X, chunks=None):
        self.X, self.shape, self.dtype = X, X.shape, X.dtype
        self.read = []
        if chunks:
            self.chunks = chunks

    def __getitem__(self, key):
        assert isinstance(key, slice) and type(key.start) is int
        self.read.append((key.start, key.stop))
        return self.X[key]

    def __array__(self, *args, **kwargs):
        raise AssertionError("read whole")


class Pairs(Dataset):
    """Items are tuples of a row and a label."""

    def __init__(self, X):
        self.X = X

    def __len__(self):
        return len(self.X)

    def __getitem__(self, row):
        assert type(row) is int
        return self.X[row], "label"


class ByBatch(Dataset):
    """Items that are to be fetched many at once."""

    def __init__(self, X):
        self.X = torch.from_numpy(np.array(X))

    def __len__(self):
        return len(self.X)

    def __getitem__(self, row):
        raise AssertionError("__getitems__ is there")

    def __getitems__(self, rows):
        return [(x, 0) for x in self.X[rows]]


def memmap(X, path, dtype=None):
    np.save(path / "X.npy", X.astype(dtype or X.dtype))
    return np.load(path / "X.npy", mmap_mode="r")


def strided_memmap(X, path):
    return memmap(np.repeat(X, 2, axis=0), path)[::2]


def zarr_array(X, path):
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(
        path / "X.zarr", shape=X.shape, dtype=X.dtype, chunks=(7, *X.shape[1:])
    )
    array[:] = X
    return zarr.open_array(path / "X.zarr", mode="r")


def h5py_dataset(X, path, **options):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path / "X.h5", "w") as file:
        file.create_dataset("X", data=X, **options)
    return h5py.File(path / "X.h5")["X"]


def arrow_table(X, as_list):
    pa = pytest.importorskip("pyarrow")
    if as_list:
        values = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), X.shape[1])
        return pa.table({"x": values})
    return pa.table({f"x{j}": column for j, column in enumerate(X.T)})


def parquet_table(X, path, as_list):
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow_table(X, as_list), path / "X.parquet", row_group_size=9)
    return parquet.read_table(path / "X.parquet", memory_map=True)


def parquet_dataset(X, path, as_list):
    arrow_dataset = pytest.importorskip("pyarrow.dataset")
    (path / "parts").mkdir()
    for part, rows in enumerate(np.array_split(X, 3)):
        parquet_table(rows, path, as_list)
        (path / "X.parquet").rename(path / "parts" / f"{part}.parquet")
    return arrow_dataset.dataset(path / "parts")


SOURCES = {
    "memmap": memmap,
    "memmap-strided": strided_memmap,
    "memmap-swapped": lambda X, path: memmap(X, path, X.dtype.newbyteorder()),
    "slices": lambda X, path: Slices(X),
    "chunks": lambda X, path: Slices(X, chunks=(7, *X.shape[1:])),
    "zarr": zarr_array,
    "h5py": h5py_dataset,
    "h5py-chunked": lambda X, path: h5py_dataset(X, path, chunks=True, compression="gzip"),
    "tensors": lambda X, path: TensorDataset(torch.from_numpy(np.array(X)), torch.arange(len(X))),
    "subset": lambda X, path: Subset(Pairs(np.repeat(X, 2, axis=0)), range(0, 2 * len(X), 2)),
    "pairs": lambda X, path: Pairs(X),
    "by-batch": lambda X, path: ByBatch(X),
}

# Rows of theirs are of one dimension.
TABLES = {
    f"{name}-{kind}": functools.partial(make, as_list=kind == "list")
    for name, make in {"parquet": parquet_table, "parquet-dataset": parquet_dataset}.items()
    for kind in ("columns", "list")
}
any_source = pytest.mark.parametrize(
    "wrap", [*SOURCES.values(), *TABLES.values()], ids=[*SOURCES, *TABLES]
)
