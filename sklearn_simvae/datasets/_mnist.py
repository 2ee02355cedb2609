"""Loaders of MNIST and Fashion-MNIST."""

import gzip
import os
from collections.abc import Sequence

import numpy as np
from sklearn.utils import Bunch

from ._files import find_file
from ._image_sets import ImageSet, download, make_bunch, parts_of, read_parts
from ._remote import RemoteFile


def _read_idx(*contents: bytes) -> dict[str, np.ndarray]:
    """Read the four published files: images and labels of the train part, then of the test part."""
    names = ("x_train", "y_train", "x_test", "y_test")
    return {name: _array(gzip.decompress(file)) for name, file in zip(names, contents, strict=True)}


def _array(idx: bytes) -> np.ndarray:
    # The format: two zeros, the type (8 is bytes), the number of axes, their lengths, the values.
    n_axes = idx[3]
    shape = np.frombuffer(idx, ">u4", n_axes, offset=4)
    return np.frombuffer(idx, np.uint8, offset=4 + 4 * n_axes).reshape(shape).copy()


# Names of the four files of both data sets, in the order of `_read_idx`.
_NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def _published(folders: Sequence[str], *sums: tuple[int, str]) -> tuple[RemoteFile, ...]:
    """Describe the four files, given the length and the SHA-256 of each."""
    return tuple(
        RemoteFile(tuple(f"{folder}/{name}" for folder in folders), *size_and_sha256)
        for name, size_and_sha256 in zip(_NAMES, sums, strict=True)
    )


_MNIST = ImageSet(
    title="MNIST",
    filename="mnist.npz",
    source="copies of the files of its authors",
    published=_published(
        (
            "https://storage.googleapis.com/cvdf-datasets/mnist",
            "https://ossci-datasets.s3.amazonaws.com/mnist",
        ),
        (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
    read_published=_read_idx,
    image_shape=(28, 28),
    target_names=tuple("0123456789"),
)

_MNIST_DESCR = """\
MNIST
-----

Handwritten digits, 60,000 to train on and 10,000 to test on, as grayscale images of 28 x 28
pixels, light on dark, 0 to 255. The ten classes are the digits.

LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86(11), 1998.
"""

_FASHION_MNIST = ImageSet(
    title="Fashion-MNIST",
    filename="fashion_mnist.npz",
    source="github.com/zalandoresearch/fashion-mnist",
    published=_published(
        (
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        ),
        (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
    read_published=_read_idx,
    image_shape=(28, 28),
    target_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
)

_FASHION_MNIST_DESCR = """\
Fashion-MNIST
-------------

Articles of clothing from Zalando, 60,000 to train on and 10,000 to test on, as grayscale images
of 28 x 28 pixels, light on dark, 0 to 255. The ten classes are equally frequent.

Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
learning algorithms", arXiv:1708.07747, 2017.
"""


def fetch_mnist(
    *,
    subset: str = "train",
    data_home: str | os.PathLike | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load MNIST from a file, or download it.

    ================   ======================
    Classes            10
    Samples            60,000 train, 10,000 test
    Dimensionality     784 (28 x 28 grayscale)
    Features           integer, 0 to 255
    ================   ======================

    The file is `mnist.npz`, with the arrays `x_train`, `y_train`, `x_test` and `y_test`. It is
    searched for in `data_home`, or without it in the folder named by the environment variable
    `SKLEARN_SIMVAE_DATA`, and then in `sklearn_simvae` in scikit-learn's data home. If there is no
    such file, the four files that the authors published are downloaded from one of two servers
    that keep copies, and refused unless the SHA-256 of each is the expected one. The images and
    labels are kept as `mnist.npz` in `data_home`, or without it in `sklearn_simvae` in
    scikit-learn's data home; nothing is written elsewhere. If there is a file, only the types and
    shapes of its arrays and its labels are checked.

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

        data : ndarray of shape (n_samples, 784), dtype uint8
            A flattened image in each row, sharing memory with `images`.
        images : ndarray of shape (n_samples, 28, 28), dtype uint8
            The images.
        target : ndarray of shape (n_samples,), dtype int64
            The digits.
        target_names : ndarray of shape (10,)
            The names of the classes.
        feature_names : list of length 784
            The names of the pixels.
        DESCR : str
            A description of the data set and of its source.

    (data, target) : tuple if `return_X_y` is True
        Two of the arrays above.

    Raises
    ------
    OSError
        If there is no file, and the published files cannot be reached or have another SHA-256.
    ValueError
        If `subset` is unknown, or the file is damaged or holds something else.

    See Also
    --------
    fetch_fashion_mnist : The same format, with clothes in place of digits.
    make_sprites : Images with known factors, which need no files.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998). Gradient-based learning applied to
       document recognition. Proceedings of the IEEE 86(11).

    Examples
    --------
    >>> from sklearn_simvae.datasets import fetch_mnist
    >>> X, y = fetch_mnist(subset="test", return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (10000, 784)
    """
    bunch = _load(_MNIST, _MNIST_DESCR, parts_of(subset), data_home)
    return (bunch.data, bunch.target) if return_X_y else bunch


def fetch_fashion_mnist(
    *,
    subset: str = "train",
    data_home: str | os.PathLike | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load Fashion-MNIST from a file, or download it.

    ================   ======================
    Classes            10
    Samples            60,000 train, 10,000 test
    Dimensionality     784 (28 x 28 grayscale)
    Features           integer, 0 to 255
    ================   ======================

    The file is `fashion_mnist.npz`, with the arrays `x_train`, `y_train`, `x_test` and `y_test`.
    It is searched for in `data_home`, or without it in the folder named by the environment
    variable `SKLEARN_SIMVAE_DATA`, and then in `sklearn_simvae` in scikit-learn's data home. If
    there is no such file, the four files that the authors published are downloaded from one of the
    authors' two servers, and refused unless the SHA-256 of each is the expected one. The images
    and labels are kept as `fashion_mnist.npz` in `data_home`, or without it in `sklearn_simvae` in
    scikit-learn's data home; nothing is written elsewhere. If there is a file, only the types and
    shapes of its arrays and its labels are checked.

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

        data : ndarray of shape (n_samples, 784), dtype uint8
            A flattened image in each row, sharing memory with `images`.
        images : ndarray of shape (n_samples, 28, 28), dtype uint8
            The images.
        target : ndarray of shape (n_samples,), dtype int64
            The class of each image, an index into `target_names`.
        target_names : ndarray of shape (10,)
            The names of the classes.
        feature_names : list of length 784
            The names of the pixels.
        DESCR : str
            A description of the data set and of its source.

    (data, target) : tuple if `return_X_y` is True
        Two of the arrays above.

    Raises
    ------
    OSError
        If there is no file, and the published files cannot be reached or have another SHA-256.
    ValueError
        If `subset` is unknown, or the file is damaged or holds something else.

    See Also
    --------
    fetch_mnist : The same format, with digits in place of clothes.
    make_sprites : Images with known factors, which need no files.

    References
    ----------
    .. [1] H. Xiao, K. Rasul, R. Vollgraf (2017). Fashion-MNIST: a novel image dataset for
       benchmarking machine learning algorithms. arXiv:1708.07747.

    Examples
    --------
    >>> from sklearn_simvae.datasets import fetch_fashion_mnist
    >>> clothes = fetch_fashion_mnist(subset="test")  # doctest: +SKIP
    >>> clothes.images.shape  # doctest: +SKIP
    (10000, 28, 28)
    """
    bunch = _load(_FASHION_MNIST, _FASHION_MNIST_DESCR, parts_of(subset), data_home)
    return (bunch.data, bunch.target) if return_X_y else bunch


def _load(
    image_set: ImageSet,
    descr: str,
    parts: Sequence[str],
    data_home: str | os.PathLike | None,
) -> Bunch:
    path = find_file([image_set.filename], data_home)
    if path is None:
        images, target = download(image_set, parts, data_home)
    else:
        images, target = read_parts(path, image_set, parts)
    source = image_set.source if path is None else path
    return make_bunch(images, target, image_set.target_names, f"{descr}\nRead from {source}.\n")
