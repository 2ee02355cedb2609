"""CelebA: faces with yes-or-no attributes, from the official folder."""

import os
import re
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch, gen_batches
from sklearn.utils.parallel import Parallel, delayed

from ._files import DATA_VARIABLE, folders_searched, unusable
from ._image_sets import make_bunch

_IMAGES = "img_align_celeba"
_ATTRIBUTES = "list_attr_celeba.txt"
_PARTITION = "list_eval_partition.txt"

_SUBSETS = {"train": (0,), "validation": (1,), "test": (2,), "all": (0, 1, 2)}
_N_ATTRIBUTES = 40
_HAIR = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")
_SIZE = (178, 218)
# Left, upper, right and lower edge of the largest square in the middle.
_SQUARE = (0, 20, 178, 198)

_DESCR = """\
CelebA
------

Faces of celebrities, aligned at the eyes, with 40 binary attributes. These are the {n_images}
images of {subset}. The square in the middle of each image of 178 x 218 pixels was resized to a
color image of 3 x {image_size} x {image_size}, channels (red, green, blue) first, 0 to 255. The
hair color is the content, and all other attributes are the style.

Liu, Luo, Wang, Tang, "Deep learning face attributes in the wild", ICCV 2015.

Read from {folder}.
"""


def fetch_celeba(
    *,
    subset: str = "train",
    image_size: int = 64,
    hair_only: bool = True,
    n_samples: int | None = None,
    data_home: str | os.PathLike | None = None,
    n_jobs: int | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load CelebA from a folder with the files that its authors distribute.

    ================   ======================
    Classes            4 hair colors
    Styles             36 attributes
    Samples            162,770 train, 19,867 validation, 19,962 test, before `hair_only`
    Dimensionality     12288 (3 x 64 x 64)
    Features           integer, 0 to 255
    ================   ======================

    The data set is never downloaded: get the aligned and cropped JPEGs from its authors [1]_. The
    folder must hold `img_align_celeba` (with the images `000001.jpg`, ...), `list_attr_celeba.txt`
    and `list_eval_partition.txt`. It is `data_home` or the folder `celeba` in it. Without
    `data_home` it is the folder named by the environment variable `SKLEARN_SIMVAE_DATA`, or
    `celeba` in it. The last folder searched is `sklearn_simvae` in scikit-learn's data home.

    Parameters
    ----------
    subset : {"train", "validation", "test", "all"}, default="train"
        Part to load. The authors split the data set by person.

    image_size : int, default=64
        Height and width in pixels. The square of 178 pixels in the middle of each image is resized
        by bilinear interpolation with antialiasing.

    hair_only : bool, default=True
        Whether to leave out the images whose attributes name no hair color, or more than one.

    n_samples : int, default=None
        Number of these images to load, from the first on. None means all.

    data_home : str or path-like, default=None
        Folder to look in first.

    n_jobs : int, default=None
        Number of threads that decode images. None means 1 unless in a
        :obj:`joblib.parallel_config` context, and -1 means one for each processor. One thread
        takes about a minute for 100,000 images.

    return_X_y : bool, default=False
        Whether to return `(data, target)` instead of a Bunch.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        data : ndarray of shape (n_samples, 3 * image_size**2), dtype uint8
            A flattened image in each row, sharing memory with `images`.
        images : ndarray of shape (n_samples, 3, image_size, image_size), dtype uint8
            The images, channels first, in the order of the lists.
        target : ndarray of shape (n_samples,), dtype int64
            The hair color in each image, an index into `target_names`; -1 for an image that
            `hair_only=True` would leave out.
        target_names : ndarray of shape (4,)
            "Black_Hair", "Blond_Hair", "Brown_Hair" and "Gray_Hair".
        style : dict of str to ndarray of shape (n_samples,), dtype bool
            The 36 attributes that are not hair colors, such as "Male", by name.
        attributes : ndarray of shape (n_samples, 40), dtype bool
            All attributes of each image.
        attribute_names : ndarray of shape (40,)
            The names of the columns of `attributes`.
        file_names : ndarray of shape (n_samples,)
            The name of the file of each image.
        feature_names : list of length 3 * image_size**2
            The names of the values: color, row, column.
        DESCR : str
            A description of the data set and of its source.

    (data, target) : tuple if `return_X_y` is True
        Two of the arrays above.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or if it lacks images that the lists name.
    ImportError
        If Pillow is not installed.
    ValueError
        If a parameter is out of its range, or a list or an image is damaged.

    See Also
    --------
    fetch_glyphs : Small images with known content and style.
    make_sprites : Images with known factors, which need no files.

    Notes
    -----
    Only the images that are returned are read. An image of 64 x 64 takes 12 kB of memory. CelebA
    may be used for non-commercial research only, and may not be redistributed.

    References
    ----------
    .. [1] Z. Liu, P. Luo, X. Wang, X. Tang (2015). Deep learning face attributes in the wild.
       International Conference on Computer Vision.
       https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html

    Examples
    --------
    >>> from sklearn_simvae.datasets import fetch_celeba
    >>> faces = fetch_celeba(subset="test", n_samples=1000)  # doctest: +SKIP
    >>> faces.images.shape, faces.style["Male"].shape  # doctest: +SKIP
    ((1000, 3, 64, 64), (1000,))
    """
    _check_parameters(subset, image_size, n_samples)
    folder = _find_folder(data_home)
    file_names, attribute_names, attributes, parts = _read_lists(folder)

    hair = attributes[:, [attribute_names.index(name) for name in _HAIR]]
    target = np.where(hair.sum(axis=1) == 1, hair.argmax(axis=1), -1)
    kept = np.isin(parts, _SUBSETS[subset])
    if hair_only:
        kept &= target >= 0
    rows = np.flatnonzero(kept)[:n_samples]
    if n_samples is not None and len(rows) < n_samples:
        raise ValueError(
            f"n_samples={n_samples} is more than the {len(rows)} images with "
            f"subset={subset!r} and hair_only={hair_only}; give a smaller number, or None for all."
        )
    if not len(rows):
        raise ValueError(
            f"There are no images with subset={subset!r} and hair_only={hair_only} in {folder}; "
            "give another subset."
        )

    images = _read_images(folder / _IMAGES, file_names[rows], image_size, n_jobs)
    bunch = make_bunch(
        images,
        target[rows].astype(np.int64),
        _HAIR,
        _DESCR.format(n_images=len(rows), subset=subset, image_size=image_size, folder=folder),
        style={
            name: attributes[rows, column]
            for column, name in enumerate(attribute_names)
            if name not in _HAIR
        },
        attributes=attributes[rows],
        attribute_names=np.array(attribute_names),
        file_names=file_names[rows],
    )
    return (bunch.data, bunch.target) if return_X_y else bunch


def _check_parameters(subset: str, image_size: int, n_samples: int | None) -> None:
    if not isinstance(subset, str) or subset not in _SUBSETS:
        raise ValueError(f"subset must be one of {list(_SUBSETS)}, got {subset!r}.")
    for name, value in {"image_size": image_size, "n_samples": n_samples}.items():
        if name == "n_samples" and value is None:
            continue
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be an integer of at least 1, got {value!r}.")


def _find_folder(data_home: str | os.PathLike | None) -> Path:
    searched = []
    for parent in folders_searched(data_home):
        for folder in (parent / "celeba", parent):
            there = {_IMAGES: Path.is_dir, _ATTRIBUTES: Path.is_file, _PARTITION: Path.is_file}
            lacking = [name for name, is_there in there.items() if not is_there(folder / name)]
            if not lacking:
                return folder
            searched.append(f"{folder} lacks {', '.join(lacking)}")
    raise FileNotFoundError(
        f"CelebA was not found, and it cannot be downloaded: {'; '.join(searched)}. Set "
        f"{DATA_VARIABLE} or data_home to a folder that holds all three, or to its parent if that "
        "folder is called celeba."
    )


def _read_lists(folder: Path) -> tuple[np.ndarray, list[str], np.ndarray, np.ndarray]:
    """Return the file names, attribute names, attributes (bool) and parts of all images."""
    path = folder / _ATTRIBUTES
    file_names, attribute_names, values = _read_attributes(path)
    if not np.isin(values, (-1, 1)).all():
        raise unusable(path, "it has attributes other than -1 and 1")
    for name in file_names:
        # A path would lead out of the folder.
        if not re.fullmatch(r"\w+\.jpg", name):
            raise unusable(path, f"{name!r} is not the plain name of a .jpg file")
    if len(set(file_names)) < len(file_names):
        raise unusable(path, "it names an image twice")

    path = folder / _PARTITION
    partition = _read_table(path, [("file_name", "U32"), ("part", np.int8)])
    if not np.array_equal(partition["file_name"], file_names):
        raise unusable(path, f"its images are not those of {_ATTRIBUTES}, in the same order")
    if not np.isin(partition["part"], _SUBSETS["all"]).all():
        raise unusable(path, "it has parts other than 0, 1 and 2")
    return file_names, attribute_names, values == 1, partition["part"]


def _read_attributes(path: Path) -> tuple[np.ndarray, list[str], np.ndarray]:
    with open(path, encoding="ascii", errors="replace") as file:
        n_images, names = file.readline().strip(), file.readline().split()
    if len(names) != _N_ATTRIBUTES or not set(_HAIR) <= set(names):
        raise unusable(
            path,
            f"its second line should name {_N_ATTRIBUTES} attributes, {', '.join(_HAIR)} among "
            f"them, and names {len(names)}",
        )
    if len(set(names)) < len(names):
        raise unusable(path, "it names an attribute twice")
    table = _read_table(path, [("file_name", "U32"), ("values", np.int8, _N_ATTRIBUTES)], 2)
    if n_images != str(len(table)):
        raise unusable(
            path, f"its first line should be the number of images, {len(table)}, and is {n_images}"
        )
    return table["file_name"], names, table["values"]


def _read_table(path: Path, dtype: Sequence[tuple], n_header_lines: int = 0) -> np.ndarray:
    try:
        return np.loadtxt(
            path, dtype, comments=None, skiprows=n_header_lines, ndmin=1, encoding="ascii"
        )
    except ValueError as error:
        raise unusable(path, f"it is damaged ({error})") from error


def _read_images(
    folder: Path, file_names: np.ndarray, image_size: int, n_jobs: int | None
) -> np.ndarray:
    """Return the images, of shape (n_images, 3, image_size, image_size)."""
    # Missing files are reported now rather than after minutes of decoding.
    missing = sorted(set(file_names).difference(os.listdir(folder)))
    if missing:
        raise FileNotFoundError(
            f"{folder} lacks {len(missing)} of the {len(file_names)} images that the lists name, "
            f"such as {missing[0]}. Unpack the archive of the images there again."
        )
    images = np.empty((len(file_names), 3, image_size, image_size), dtype=np.uint8)
    # Most of the time goes to decoding and resizing, during which Pillow lets other threads run.
    Parallel(n_jobs=n_jobs, require="sharedmem")(
        delayed(_decode)(folder, file_names[batch], images[batch])
        for batch in gen_batches(len(file_names), 256)
    )
    return images


def _decode(folder: Path, file_names: np.ndarray, images: np.ndarray) -> None:
    """Read files into `images`."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            'Decoding the images of CelebA needs Pillow: pip install "sklearn-simvae[data]"'
        ) from error

    for name, image in zip(file_names, images, strict=True):
        try:
            with Image.open(folder / name, formats=["JPEG"]) as jpeg:
                if jpeg.size != _SIZE:
                    raise ValueError(f"its size is {jpeg.size}, expected {_SIZE}")
                square = jpeg.convert("RGB").resize(
                    image.shape[1:], Image.Resampling.BILINEAR, box=_SQUARE
                )
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise unusable(folder / name, f"it cannot be decoded ({error})") from error
        image[:] = np.asarray(square).transpose(2, 0, 1)
