"""Code shared by the image sets that have a train and a test part."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from ._files import (
    DATA_VARIABLE,
    cache_folder,
    check_array,
    folders_searched,
    named_folder,
    read_npz,
    unusable,
    write_npz,
)
from ._remote import RemoteFile, fetch

_PARTS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}


@dataclass(frozen=True)
class ImageSet:
    """A published image set: its local file, the files that its authors published, and its sizes.

    Parameters
    ----------
    title : str
        Name of the data set, for descriptions and messages.
    filename : str
        Name of the .npz file with `x_train`, `y_train`, `x_test` and `y_test`.
    source : str
        Name of the source of the published files, for the description.
    published : tuple of RemoteFile
        Files that the authors published.
    read_published : callable
        Function from the contents of these files to the four arrays of the .npz file, by name.
    image_shape : tuple of int
        Shape of one image.
    target_names : tuple of str
        Names of the classes.
    other_filenames : tuple of str
        Names of files with another layout that hold the same data set.
    """

    title: str
    filename: str
    source: str
    published: tuple[RemoteFile, ...]
    read_published: Callable[..., dict[str, np.ndarray]]
    image_shape: tuple[int, ...]
    target_names: tuple[str, ...]
    other_filenames: tuple[str, ...] = ()


def parts_of(subset: str) -> tuple[str, ...]:
    """Return the parts that make up a subset, train first."""
    if not isinstance(subset, str) or subset not in _PARTS:
        raise ValueError(f"subset must be one of {list(_PARTS)}, got {subset!r}.")
    return _PARTS[subset]


def read_parts(
    path: Path, image_set: ImageSet, parts: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Read and check the images and labels of some parts of an .npz file."""
    arrays = read_npz(path, [f"{letter}_{part}" for letter in "xy" for part in parts])
    for part in parts:
        images, target = arrays[f"x_{part}"], arrays[f"y_{part}"]
        check_array(path, f"x_{part}", images, np.uint8, (None, *image_set.image_shape))
        check_labels(path, f"y_{part}", target, len(images), len(image_set.target_names))
    return join_parts(arrays, parts)


def check_labels(path: Path, name: str, target: np.ndarray, n_rows: int, n_classes: int) -> None:
    """Raise an error if `target`, read from `path`, is not one class index for each row."""
    check_array(path, name, target, np.integer, (n_rows,))
    if n_rows and not 0 <= target.min() <= target.max() < n_classes:
        raise unusable(path, f"{name!r} has labels outside 0, ..., {n_classes - 1}")


def join_parts(
    arrays: Mapping[str, np.ndarray], parts: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Concatenate the parts; a single part is not copied."""
    images, target = ([arrays[f"{letter}_{part}"] for part in parts] for letter in "xy")
    if len(parts) == 1:
        return np.ascontiguousarray(images[0]), target[0].astype(np.int64)
    return np.concatenate(images), np.concatenate(target).astype(np.int64)


def download(
    image_set: ImageSet, parts: Sequence[str], data_home: str | os.PathLike | None
) -> tuple[np.ndarray, np.ndarray]:
    """Download the published files of a data set and keep their contents as an .npz file."""
    try:
        contents = [fetch(file) for file in image_set.published]
    except OSError as error:
        names = " or ".join((image_set.filename, *image_set.other_filenames))
        folders = " and ".join(str(folder) for folder in folders_searched(data_home))
        raise OSError(
            f"{image_set.title} is not on this machine and could not be fetched: there is no "
            f"{names} in {folders}, and {error}. Set {DATA_VARIABLE} or data_home to a folder "
            "with that file, or connect to the internet."
        ) from error
    arrays = image_set.read_published(*contents)
    _keep(image_set.filename, arrays, data_home)
    return join_parts(arrays, parts)


def _keep(
    filename: str, arrays: Mapping[str, np.ndarray], data_home: str | os.PathLike | None
) -> None:
    # Nothing is written to the folder of the environment variable, which many users may share.
    folder = named_folder(data_home) if data_home else cache_folder()
    try:
        write_npz(folder / filename, arrays)
    except OSError as error:
        warnings.warn(
            f"{filename} could not be kept, so the next call downloads it again: {error}",
            RuntimeWarning,
            stacklevel=5,
        )


def make_bunch(
    images: np.ndarray,
    target: np.ndarray,
    target_names: Sequence[str],
    descr: str,
    **more: Any,
) -> Bunch:
    """Make the Bunch that loaders return; `data` shares its memory with `images`."""
    return Bunch(
        data=images.reshape(len(images), int(np.prod(images.shape[1:]))),
        images=images,
        target=target,
        target_names=np.asarray(target_names),
        feature_names=_feature_names(images.shape[1:]),
        DESCR=descr,
        **more,
    )


def _feature_names(image_shape: tuple[int, ...]) -> list[str]:
    *color, height, width = image_shape
    prefixes = ["red", "green", "blue"] if color else ["pixel"]
    return [
        f"{prefix}_{row}_{column}"
        for prefix in prefixes
        for row in range(height)
        for column in range(width)
    ]
