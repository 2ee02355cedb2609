"""Emoji, each with two modalities: a picture and a name."""

import os
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from ._files import check_array, read_npz, require_file

_FILENAME = "emoji.npz"
_SIDE = 48

_DESCR = """\
Emoji
-----

{n} emoji as color pictures of 48 x 48 pixels, 0 to 255, with their Unicode names. Variants of an
emoji, such as skin tones, are nearly the same: split by `group`, the first code point, not by row.

Read from {path}.
"""


def fetch_emoji(*, data_home: str | os.PathLike | None = None) -> Bunch:
    """Load pictures of emoji and their names from a file.

    ================   ===========================
    Samples            3,545
    Pictures           48 x 48 in three colors
    Names              Unicode, up to 116 letters
    ================   ===========================

    The file is `emoji.npz`. It is searched for in `data_home`, or without it in the folder named
    by the environment variable `SKLEARN_SIMVAE_DATA`, and then in `sklearn_simvae` in
    scikit-learn's data home. It cannot be downloaded.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder to look in first.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        images : ndarray of shape (n_samples, 48, 48, 3), dtype uint8
            The pictures, with the channels (red, green, blue) last.
        captions : ndarray of str of shape (n_samples,)
            The name of each emoji.
        group : ndarray of int of shape (n_samples,)
            The group of each emoji, the same number for all that have the same first code point.
            Pass it as `groups` to :class:`~sklearn.model_selection.GroupShuffleSplit`.
        codepoints : ndarray of str of shape (n_samples,)
            The code points of each emoji, in hexadecimal, joined by "_".
        DESCR : str
            A description of the data set and of its source.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    ValueError
        If the file is damaged or holds something else.

    See Also
    --------
    sklearn_simvae.CLIP : Model that learns which picture goes with which name.

    Examples
    --------
    >>> from sklearn_simvae.datasets import fetch_emoji
    >>> emoji = fetch_emoji()  # doctest: +SKIP
    >>> emoji.images.shape, emoji.captions[0]  # doctest: +SKIP
    ((3545, 48, 48, 3), 'number sign')
    """
    path = require_file(_FILENAME, data_home)
    return _read(path)


def _read(path: Path) -> Bunch:
    arrays = read_npz(path, ["x", "caption", "codepoints"])
    images, captions, codepoints = arrays["x"], arrays["caption"], arrays["codepoints"]
    check_array(path, "caption", captions, np.str_, (None,))
    check_array(path, "codepoints", codepoints, np.str_, (len(captions),))
    check_array(path, "x", images, np.uint8, (len(captions), _SIDE, _SIDE, 3))
    first = [name.split("_", 1)[0] for name in codepoints]
    return Bunch(
        images=images,
        captions=captions,
        group=np.unique(first, return_inverse=True)[1],
        codepoints=codepoints,
        DESCR=_DESCR.format(n=len(images), path=path),
    )
