"""Photos in a folder, of any size and format, read batch by batch or at once."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils.parallel import Parallel, delayed

from sklearn_simvae._checks import check_sizes

from ._image_files import ImageFiles

# Endings of the files that are read.
_ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".webp", ".avif"),
    *(".bmp", ".dib", ".tif", ".tiff", ".tga", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k"),
    *(".heic", ".heif"),
)
_MOST_NAMED = 10

_DESCR = """\
Photos in a folder
------------------

{n} images of {path}, cropped to their middle and resized to {height} x {width} pixels, {colors}, 0
to 255, channels first. {classes}
"""


def load_image_folder(
    path: str | os.PathLike,
    *,
    size: int | tuple[int, int] = 64,
    color: bool = True,
    class_folders: bool | str = "auto",
    in_memory: bool = False,
    on_error: str = "raise",
    n_jobs: int | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[Any, np.ndarray | None]:
    """Load the photos in a folder, with or without a subfolder for each class.

    Files may be of different sizes and of all usual formats (JPEG, PNG, GIF, WebP, AVIF, TIFF,
    BMP, JPEG 2000, ...; HEIC with the plugin pillow-heif). They are turned upright as their EXIF
    data say, cropped to the largest part in the middle that has the shape of the result, and
    resized. Gray and CMYK images and images with a palette are converted, levels of 16 bits are
    scaled to 8, what is transparent becomes white, and of an animation the first frame is taken.

    Parameters
    ----------
    path : str or path-like
        The folder. Files and folders whose name starts with a dot are left out, and so are files
        that do not have the ending of an image.

    size : int or (int, int), default=64
        Height and width of the images in pixels; one number for squares.

    color : bool, default=True
        Whether the images have the 3 channels red, green and blue, or a single gray one.

    class_folders : bool or "auto", default="auto"
        Whether each subfolder holds the images of one class, at any depth, and is named after it.
        Subfolders without images are no classes. If False, all images at any depth are loaded
        without labels. "auto" means False if the folder itself holds images and no subfolder does.

    in_memory : bool, default=False
        Whether to return an array. If not, the images of a batch are read from their files each
        time that they are needed, which takes less memory and more time.

    on_error : {"raise", "skip"}, default="raise"
        Treatment of files that cannot be read: an error that names them, or a warning that does.
        All files are read once to find them.

    n_jobs : int, default=None
        Number of threads that read files. None means 1 unless in a
        :obj:`joblib.parallel_config` context, and -1 means one for each processor.

    return_X_y : bool, default=False
        Whether to return `(data, target)` instead of a Bunch.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        data : array-like of shape (n_samples, n_channels, height, width), dtype uint8
            The images, in the order of their paths. An ndarray if `in_memory` is True. Otherwise a
            :class:`torch.utils.data.Dataset` that all estimators of this package take, that
            indices of rows divide as they divide an array (as in cross-validation), and that
            :func:`numpy.asarray` reads whole.
        images : array-like
            The same as `data`.
        target : ndarray of shape (n_samples,), dtype int64, or None
            The class of each image, an index into `target_names`; None without classes.
        target_names : ndarray of shape (n_classes,) or None
            The names of the subfolders, sorted.
        filenames : ndarray of shape (n_samples,)
            The path of each image.
        skipped : list of str
            The paths of the files that could not be read.
        DESCR : str
            A description of the data set and of its source.

    (data, target) : tuple if `return_X_y` is True
        Two of these.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ImportError
        If Pillow is not installed.
    ValueError
        If a parameter is out of its range, if there are no images, if a file cannot be read, or if
        images lie both in the folder itself and in subfolders, with `class_folders="auto"`.

    Warns
    -----
    UserWarning
        If files are skipped.

    See Also
    --------
    fetch_celeba : Photos of faces with attributes.
    sklearn.datasets.load_files : The same for files of text.

    Examples
    --------
    >>> from sklearn_simvae import SimVAE
    >>> from sklearn_simvae.datasets import load_image_folder
    >>> X, y = load_image_folder("photos", size=64, return_X_y=True)  # doctest: +SKIP
    >>> Z = SimVAE().fit_transform(X)  # doctest: +SKIP
    """
    height, width = _check_size(size)
    _check_choices(color, class_folders, in_memory, on_error)
    _require_pillow()
    folder = _check_folder(path)
    paths, target, names = _find_images(folder, class_folders)
    files = ImageFiles(paths, (height, width), "RGB" if color else "L", n_jobs)
    images, good = _read_all(files, in_memory)
    skipped = _report(paths, good, on_error)
    if skipped:
        kept = np.flatnonzero([error is None for error in good])
        paths = [paths[i] for i in kept]
        images, target = images[kept], None if target is None else target[kept]
    description = _DESCR.format(
        n=len(paths),
        path=folder,
        height=height,
        width=width,
        colors="red, green and blue" if color else "gray",
        classes="They have no labels." if names is None else "Their subfolders are the classes.",
    )
    bunch = Bunch(
        data=images,
        images=images,
        target=target,
        target_names=None if names is None else np.array(names),
        filenames=np.array([str(path) for path in paths]),
        skipped=skipped,
        DESCR=description,
    )
    return (bunch.data, bunch.target) if return_X_y else bunch


def _check_size(size) -> tuple[int, int]:
    sizes = check_sizes(size, "size")
    if len(sizes) not in (1, 2):
        raise ValueError(f"size must be one number of pixels, or (height, width); got {size!r}.")
    return sizes[0], sizes[-1]


def _check_choices(color, class_folders, in_memory, on_error) -> None:
    for name, value in {"color": color, "in_memory": in_memory}.items():
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{name} must be True or False, got {value!r}.")
    if not isinstance(class_folders, bool) and class_folders != "auto":
        raise ValueError(f"class_folders must be 'auto', True or False, got {class_folders!r}.")
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}.")


def _require_pillow() -> None:
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'Reading images needs Pillow: pip install "sklearn-simvae[data]"'
        ) from error


def _check_folder(path) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"path must be the path of a folder, got {path!r}.")
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ValueError(
            f"{folder} is a file, and load_image_folder takes a folder. Give the folder that it "
            "is in, or unpack it first if it is an archive."
        )
    raise FileNotFoundError(
        f"There is no folder {folder}, taken from {Path.cwd()} if it is relative. Check the path."
    )


def _find_images(
    folder: Path, class_folders: bool | str
) -> tuple[list[Path], np.ndarray | None, list[str] | None]:
    """Return the paths of the images, their classes and the names of these, in a fixed order."""
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    direct = [entry for entry in entries if entry.is_file() and _is_image(entry.name)]
    within = {entry.name: list(_images_below(entry)) for entry in entries if entry.is_dir()}
    within = {name: paths for name, paths in within.items() if paths}
    if direct and within and class_folders == "auto":
        raise ValueError(
            f"{folder} holds images itself, such as {direct[0].name}, and in its subfolders "
            f"{_shortened(list(within))}. Pass class_folders=False to load all without labels, "
            "class_folders=True to load those in subfolders, with the names of these as labels."
        )
    if class_folders is False or not within:
        found = [] if class_folders is True else list(_images_below(folder))
        if not found:
            raise ValueError(_no_images(folder, class_folders, entries))
        return found, None, None
    sizes = [len(paths) for paths in within.values()]
    target = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
    return [path for paths in within.values() for path in paths], target, list(within)


def _images_below(folder: Path) -> Iterator[Path]:
    """Yield the paths of the images in a folder, at any depth, sorted."""

    def refuse(error):
        raise error

    # Without this, a folder that may not be read would count as empty.
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if _is_image(name))


def _is_image(name: str) -> bool:
    # macOS keeps files of its own beside others, whose names start with a dot.
    return name.lower().endswith(_ENDINGS) and not name.startswith(".")


def _no_images(folder: Path, class_folders: bool | str, entries: list[Path]) -> str:
    where = "in subfolders of" if class_folders is True else "in"
    holds = _shortened([entry.name for entry in entries]) if entries else "nothing"
    return (
        f"There are no images {where} {folder}, which holds {holds}. Give a folder with files "
        f"that end in {', '.join(_ENDINGS[:6])} or the like."
    )


def _read_all(files: ImageFiles, in_memory: bool) -> tuple[Any, list[str | None]]:
    """Return the images, as an array or as they are, and for each file the error if any."""
    images = np.zeros(files.shape, files.dtype) if in_memory else None

    def read(i: int) -> str | None:
        try:
            image = files[i]
        except ValueError as error:
            return str(error)
        if images is not None:
            images[i] = image
        return None

    errors = Parallel(n_jobs=files.n_jobs, require="sharedmem")(
        delayed(read)(i) for i in range(len(files))
    )
    return files if images is None else images, errors


def _report(paths: list[Path], errors: list[str | None], on_error: str) -> list[str]:
    """Return the files that cannot be read, which are an error or a warning."""
    reasons = [error for error in errors if error is not None]
    if not reasons:
        return []
    count = f"{len(reasons)} of {len(paths)} files cannot be read"
    named = _shortened(reasons, "; ")
    if on_error == "raise":
        raise ValueError(
            f"{count}: {named}. Remove or replace them, or pass on_error='skip' to leave them out."
        )
    if len(reasons) == len(paths):
        raise ValueError(f"None of {len(paths)} files can be read: {named}.")
    warnings.warn(f"{count} and are left out: {named}.", UserWarning, stacklevel=3)
    return [str(path) for path, error in zip(paths, errors, strict=True) if error is not None]


def _shortened(names: list[str], separator: str = ", ") -> str:
    more = len(names) - _MOST_NAMED
    return separator.join([*names[:_MOST_NAMED], *([f"and {more} more"] if more > 0 else [])])
