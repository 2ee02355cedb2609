"""Hostile tables, groups and labels as hypothesis draws them, and what may come of them."""

import dis
import tempfile
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse
import torch
from hypothesis import seed, settings
from hypothesis import strategies as st

import sklearn_simvae

PACKAGE = Path(sklearn_simvae.__file__).parent
# Where an error of scikit-learn, or of what turns X into an array, may come from.
CHECKS = {"sklearn", "numpy", "scipy", "pandas", "polars", "pyarrow", "narwhals"}
THOROUGH = settings.default.max_examples > 100


def cases(n, of=""):
    """Decorates a test of n cases, always the same ones, or of many more that are always new.

    ``--hypothesis-profile=thorough`` makes the difference. Others come for each name.
    """
    budget = settings(
        max_examples=n * settings.default.max_examples // 100,
        derandomize=not THOROUGH,
        deadline=None,
        database=None,
    )
    return budget if THOROUGH else lambda test: seed(zlib.crc32(of.encode()))(budget(test))


# ---------------------------------------------------------------- tables

VALUES = {
    "fractions": lambda rng, shape: rng.random(shape),
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "counts": lambda rng, shape: rng.integers(0, 9, shape),
    "zeros": lambda rng, shape: np.zeros(shape),
    "constant": lambda rng, shape: np.full(shape, -3.7),
    "equal rows": lambda rng, shape: np.broadcast_to(rng.random(shape[-1]), shape).copy(),
    "duplicates": lambda rng, shape: np.eye(*shape[-1:])[rng.integers(0, shape[-1], shape[:-1])],
    "1e30": lambda rng, shape: 1e30 * rng.standard_normal(shape),
    "largest": lambda rng, shape: np.finfo(np.float32).max * rng.choice([-1, 1], shape),
    "too large": lambda rng, shape: 1e300 * rng.standard_normal(shape),
    "denormal": lambda rng, shape: 1e-42 * rng.random(shape),
    "vanishing": lambda rng, shape: 1e-310 * rng.random(shape),
    "mixed scales": lambda rng, shape: rng.random(shape) * 10.0 ** rng.integers(-30, 30, shape[-1]),
    "a spike": lambda rng, shape: spiked(rng, shape, 1e30),
    "a NaN": lambda rng, shape: spiked(rng, shape, np.nan),
    "an infinity": lambda rng, shape: spiked(rng, shape, -np.inf),
    "all NaN": lambda rng, shape: np.full(shape, np.nan),
}


def spiked(rng, shape, value):
    X = rng.random(shape)
    if X.size:
        X.flat[rng.integers(X.size)] = value
    return X


def memmap(X):
    if not X.size:
        return X
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, dtype=X.dtype, shape=X.shape)
    mapped[:] = X
    return mapped


def read_only(X):
    X.flags.writeable = False
    return X


def frame(X):
    X = X.reshape(len(X), -1)
    return pd.DataFrame(X, columns=[f"f{i}" for i in range(X.shape[1])])


def nullable(X):
    missing = frame(X).astype("Float64")
    return missing.mask(missing > 1, pd.NA)


def mixed(X):
    table = frame(X)
    return table.assign(word="a", when=pd.Timestamp(0), flag=True)


AS_TABLES = {
    **{t: (lambda X, t=t: X.astype(t)) for t in ("f2", "f4", ">f4", "g", "i1", "i8", "u1", "u8")},
    **{t: (lambda X, t=t: X.astype(t)) for t in ("complex", "object", "str", "bytes", "M8[s]")},
    "float64": lambda X: X,
    "bool": lambda X: X > 0.5,
    "Fortran order": np.asfortranarray,
    "every other": lambda X: X.repeat(2, axis=-1)[..., ::2],
    "backwards": lambda X: X[::-1, ..., ::-1],
    "read-only": read_only,
    "memmap": memmap,
    "memmap of float32": lambda X: memmap(X.astype("f4")),
    "masked": lambda X: np.ma.masked_greater(X, 1),
    "matrix": lambda X: np.asmatrix(X.reshape(len(X), -1)),
    "list": np.ndarray.tolist,
    "ragged": lambda X: [*X.tolist(), [1.0]],
    "objects with None": lambda X: np.where(X > 1, None, X),
    "strings of numbers": lambda X: X.astype(str).astype(object),
    "frame": frame,
    "frame of float32": lambda X: frame(X).astype("f4"),
    "nullable": nullable,
    "nullable booleans": lambda X: frame(X > 0).astype("boolean"),
    "categories": lambda X: frame(X).astype("category"),
    "categories of strings": lambda X: frame(X).astype(str).astype("category"),
    "mixed": mixed,
    "names twice": lambda X: frame(X).set_axis(["a"] * X[0].size, axis=1) if len(X) else X,
    "names of numbers": lambda X: frame(X).set_axis(range(X[0].size), axis=1) if len(X) else X,
    "sparse frame": lambda X: frame(X).astype(pd.SparseDtype(float, 0.0)),
    "polars": lambda X: pl.from_pandas(frame(X)),
    "polars with nulls": lambda X: pl.from_pandas(frame(X), nan_to_null=True),
    "polars strings": lambda X: pl.from_pandas(frame(X)).cast(pl.String),
    "arrow": lambda X: pa.Table.from_pandas(frame(X)),
    "tensor": torch.from_numpy,
    "csr": lambda X: scipy.sparse.csr_array(X.reshape(len(X), -1)),
    "coo": lambda X: scipy.sparse.coo_matrix(X.reshape(len(X), -1)),
    "dok": lambda X: scipy.sparse.dok_array(X.reshape(len(X), -1)),
    "series": lambda X: pd.Series(X.reshape(-1)),
    "a dict": lambda X: {"first": X, "second": X},
    "a scalar": lambda X: 3.0,
    "None": lambda X: None,
    "a string": lambda X: "rows",
    "an iterator": iter,
    "a set": lambda X: {1, 2},
}

SHAPES = [
    *(lambda n, d: (n, d),) * 6,
    *(lambda n, d: (n, 2, d),) * 2,
    lambda n, d: (n,),
    lambda n, d: (n, 1, d),
    lambda n, d: (n, 0),
    lambda n, d: (n, 1, 8, 8),
    lambda n, d: (n, 2, 3, 8, 8),
    lambda n, d: (n, 8, 8, 3),
]


@st.composite
def tables(draw, shapes=SHAPES, rows=(12, 12, 7, 3, 2, 1, 0), columns=(6, 6, 6, 1, 2, 4)):
    """A table of some shape, values and type."""
    shape = draw(st.sampled_from(shapes))(*map(draw, map(st.sampled_from, (rows, columns))))
    values = VALUES[draw(st.sampled_from(list(VALUES)))]
    as_table = AS_TABLES[draw(st.one_of(st.just("float64"), st.sampled_from(list(AS_TABLES))))]
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    X = np.empty(shape) if 0 in shape else values(rng, shape).astype(float)
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            return as_table(X)
    except (ValueError, TypeError, IndexError, pa.ArrowInvalid, OverflowError):
        # Not even the table can be made.
        return X


# ---------------------------------------------------------------- labels of rows

LABELS = {
    "pairs": lambda n: np.arange(n) // 2,
    "unsorted": lambda n: np.arange(n)[::-1] * 7 % 5,
    "all different": lambda n: np.arange(n),
    "all equal": lambda n: np.zeros(n),
    "one by itself": lambda n: np.minimum(np.arange(n), 1),
    "enormous": lambda n: 2**62 + np.arange(n) // 2,
    "words": lambda n: [f"g{i % 3}" for i in range(n)],
    "objects": lambda n: np.array(["a", "b", "a"] * n, object)[:n],
    "kinds mixed": lambda n: np.array([1, "a", None] * n, object)[:n],
    "fractions": lambda n: np.arange(n) // 2 / 3,
    "NaN": lambda n: np.where(np.arange(n) % 3, 1.0, np.nan),
    "infinite": lambda n: np.where(np.arange(n) % 3, 1.0, np.inf),
    "booleans": lambda n: np.arange(n) % 2 == 0,
    "dates": lambda n: (np.arange(n) // 2).astype("M8[D]"),
    "categories": lambda n: pd.Series([f"g{i % 3}" for i in range(n)], dtype="category"),
    "strings of pandas": lambda n: pd.Series([f"g{i % 3}" for i in range(n)], dtype="string"),
    "nullable": lambda n: pd.Series(np.arange(n) // 2, dtype="Int64").mask(np.arange(n) == 1),
    "polars": lambda n: pl.Series([f"g{i % 3}" for i in range(n)]),
    "column": lambda n: (np.arange(n) // 2)[:, None],
    "two columns": lambda n: np.zeros((n, 2)),
    "too few": lambda n: np.arange(n - 1) if n else [1],
    "a number": lambda n: 3,
    "a word": lambda n: "groups",
    "tuple": lambda n: tuple(i // 2 for i in range(n)),
    "complex": lambda n: np.arange(n) * 1j,
    "a dict": lambda n: dict.fromkeys(range(n), 1),
}


def n_rows(X):
    """How many rows a table has, as far as can be told."""
    shape = getattr(X, "shape", None)
    return shape[0] if shape else len(X) if isinstance(X, list) else 3


def labels(n):
    return st.sampled_from(list(LABELS)).map(lambda name: LABELS[name](n))


# ---------------------------------------------------------------- what may come of a call


def works_or_is_refused(call, *args, nan=False, **kwargs):
    """What a call gives, of finite numbers; None where it raises an error of ours."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            made = call(*args, **kwargs)
    except (ValueError, TypeError) as error:
        assert_ours(error)
        return None
    if not nan:
        assert_finite(made)
    return made


def assert_ours(error):
    """Assert that an error was raised on purpose, here or in scikit-learn, and says what about."""
    *_, last = iterate(error.__traceback__)
    code = last.tb_frame.f_code
    file, where = Path(code.co_filename), f"{code.co_filename}:{last.tb_lineno}"
    if PACKAGE in file.parents:
        # What C code raises comes of another instruction.
        assert code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"], where
    else:
        # Compiled code is known by its path within its package, all else by that from the root.
        _, _, path = file.as_posix().rpartition("site-packages/")
        assert path.split("/")[0] in CHECKS, where
    assert len(str(error)) > 15, f"{where} says {error}"


def iterate(traceback):
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def assert_finite(made):
    if isinstance(made, Mapping):
        made = tuple(made.values())
    if isinstance(made, tuple | list):
        for part in made:
            assert_finite(part)
    elif isinstance(made, np.ndarray | torch.Tensor | float | np.floating):
        values = np.asarray(made)
        assert values.dtype.kind in "biufUO"
        if values.dtype.kind == "f":
            assert np.isfinite(values).all()
