"""CIFAR-10, from its published archive or from a smaller file of JPEG images."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from ._files import check_array, find_file, read_npz, unusable
from ._image_sets import ImageSet, check_labels, download, make_bunch, parts_of, read_parts
from ._remote import RemoteFile, read_tar

_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


def _read_archive(contents: bytes) -> dict[str, np.ndarray]:
    """Read the published archive, in which a row of a batch is a label followed by the pixels."""
    files = read_tar(contents, [f"cifar-10-batches-bin/{name}.bin" for name in _BATCHES])
    rows = [np.frombuffer(file, np.uint8).reshape(-1, 1 + 3 * 32 * 32) for file in files]
    train, test = np.concatenate(rows[:-1]), rows[-1]
    return {
        "x_train": train[:, 1:].reshape(-1, 3, 32, 32),
        "y_train": train[:, 0],
        "x_test": test[:, 1:].reshape(-1, 3, 32, 32),
        "y_test": test[:, 0],
    }


_CIFAR10 = ImageSet(
    title="CIFAR-10",
    filename="cifar10.npz",
    other_filenames=("cifar10_jpeg.npz",),
    source="www.cs.toronto.edu/~kriz/cifar.html",
    published=(
        RemoteFile(
            ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    ),
    read_published=_read_archive,
    image_shape=(3, 32, 32),
    target_names=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
)

_DESCR = """\
{title}
{rule}

Photographs of ten classes of animals and vehicles, 50,000 to train on and 10,000 to test on, as
color images of 3 x 32 x 32, channels (red, green, blue) first, 0 to 255.{note}

Krizhevsky, "Learning multiple layers of features from tiny images", technical report, University
of Toronto, 2009.

Read from {source}.
"""

_JPEG_NOTE = """

The images were compressed as JPEG, which changed their pixels a little: report results on them as
"CIFAR-10 (JPEG re-encoded)". They are in the order of the file, which may be sorted by class."""


def fetch_cifar10(
    *,
    subset: str = "train",
    data_home: str | os.PathLike | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load CIFAR-10 from a file, or download it.

    ================   ======================
    Classes            10
    Samples            50,000 train, 10,000 test
    Dimensionality     3072 (3 x 32 x 32)
    Features           integer, 0 to 255
    ================   ======================

    The file is `cifar10.npz`, with the arrays `x_train`, `y_train`, `x_test` and `y_test`, or
    `cifar10_jpeg.npz`, where every image is a JPEG (see Notes). It is searched for in `data_home`,
    or without it in the folder named by the environment variable `SKLEARN_SIMVAE_DATA`, and then
    in `sklearn_simvae` in scikit-learn's data home. If there is no such file, the archive that the
    author published (170 MB, the binary version) is downloaded, and refused unless its SHA-256 is
    the expected one. The images and labels are kept as `cifar10.npz` in `data_home`, or without it
    in `sklearn_simvae` in scikit-learn's data home; nothing is unpacked or written elsewhere. If
    there is a file, only the types and shapes of its arrays and its labels are checked.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        Part to load; "all" is the train part followed by the test part.

    data_home : str or path-like, default=None
        Folder to look in first, and to keep a download in.

    return_X_y : bool, default=False
        Whether to return `(data, target)` instead of a Bunch.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        data : ndarray of shape (n_samples, 3072), dtype uint8
            A flattened image in each row, sharing memory with `images`.
        images : ndarray of shape (n_samples, 3, 32, 32), dtype uint8
            The images, channels first.
        target : ndarray of shape (n_samples,), dtype int64
            The class of each image, an index into `target_names`.
        target_names : ndarray of shape (10,)
            The names of the classes.
        feature_names : list of length 3072
            The names of the values: color, row, column.
        DESCR : str
            A description of the data set and of its source.

    (data, target) : tuple if `return_X_y` is True
        Two of the arrays above.

    Raises
    ------
    OSError
        If there is no file, and the archive cannot be reached or has another SHA-256.
    ImportError
        If the file is `cifar10_jpeg.npz` and Pillow is not installed.
    ValueError
        If `subset` is unknown, or the file is damaged or holds something else.

    See Also
    --------
    fetch_fashion_mnist : Grayscale images of ten classes.
    make_sprites : Images with known factors, which need no files.

    Notes
    -----
    `cifar10_jpeg.npz` is a tenth of the size, but its pixels differ a little from those of
    CIFAR-10: its `DESCR` names it "CIFAR-10 (JPEG re-encoded)". It may be sorted by class, so
    shuffle before you take the first few rows. Its arrays are `header`, the bytes that all images
    begin with; `data`, the bytes that follow them; `offsets`, of shape (n + 1,), such that image
    `i` is `header` followed by `data[offsets[i]:offsets[i + 1]]`; `y`, `is_test` and `classes`.

    References
    ----------
    .. [1] A. Krizhevsky (2009). Learning multiple layers of features from tiny images. Technical
       report, University of Toronto.

    Examples
    --------
    >>> from sklearn_simvae.datasets import fetch_cifar10
    >>> photographs = fetch_cifar10(subset="test")  # doctest: +SKIP
    >>> photographs.images.shape  # doctest: +SKIP
    (10000, 3, 32, 32)
    """
    bunch = _load(parts_of(subset), data_home)
    return (bunch.data, bunch.target) if return_X_y else bunch


def _load(parts: Sequence[str], data_home: str | os.PathLike | None) -> Bunch:
    path = find_file([_CIFAR10.filename, *_CIFAR10.other_filenames], data_home)
    title, note, names = _CIFAR10.title, "", _CIFAR10.target_names
    if path is None:
        images, target = download(_CIFAR10, parts, data_home)
    elif path.name == _CIFAR10.filename:
        images, target = read_parts(path, _CIFAR10, parts)
    else:
        images, target, names = _read_jpegs(path, parts)
        title, note = "CIFAR-10 (JPEG re-encoded)", _JPEG_NOTE
    source = _CIFAR10.source if path is None else path
    descr = _DESCR.format(title=title, rule="-" * len(title), note=note, source=source)
    return make_bunch(images, target, names, descr)


def _read_jpegs(path: Path, parts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    arrays = read_npz(path, ["header", "data", "offsets", "y", "is_test", "classes"])
    _check_jpegs(path, arrays)
    rows = np.concatenate([np.flatnonzero(arrays["is_test"] == (part == "test")) for part in parts])
    images = _decode(path, arrays, rows)
    return images, arrays["y"][rows].astype(np.int64), arrays["classes"]


def _check_jpegs(path: Path, arrays: dict[str, np.ndarray]) -> None:
    n_images = len(arrays["y"]) if arrays["y"].ndim else 0
    check_array(path, "header", arrays["header"], np.uint8, (None,))
    check_array(path, "data", arrays["data"], np.uint8, (None,))
    check_array(path, "offsets", arrays["offsets"], np.integer, (n_images + 1,))
    check_array(path, "is_test", arrays["is_test"], np.bool_, (n_images,))
    check_array(path, "classes", arrays["classes"], np.str_, (None,))
    check_labels(path, "y", arrays["y"], n_images, len(arrays["classes"]))
    offsets = arrays["offsets"].astype(np.int64)
    if offsets[0] < 0 or offsets[-1] > len(arrays["data"]) or np.any(np.diff(offsets) < 0):
        raise unusable(path, "'offsets' do not increase from 0 to the length of 'data'")


def _decode(path: Path, arrays: dict[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            f"{path} holds JPEG images, and decoding them needs Pillow: "
            'pip install "sklearn-simvae[data]"'
        ) from error

    header, data = arrays["header"].tobytes(), arrays["data"].tobytes()
    starts, ends = arrays["offsets"][:-1], arrays["offsets"][1:]
    images = np.empty((len(rows), *_CIFAR10.image_shape), dtype=np.uint8)
    # Threads would gain nothing, since most of the time goes to Pillow's Python code.
    for image, row in zip(images, rows, strict=True):
        stream = io.BytesIO(header + data[starts[row] : ends[row]])
        try:
            with Image.open(stream, formats=["JPEG"]) as jpeg:
                if jpeg.size != (32, 32):
                    raise ValueError(f"its size is {jpeg.size}, expected (32, 32)")
                image[:] = np.asarray(jpeg.convert("RGB")).transpose(2, 0, 1)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise unusable(path, f"image {row} in it cannot be decoded ({error})") from error
    return images
