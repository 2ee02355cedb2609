"""Images of characters in many fonts, with known content and style."""

import os
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from ._files import check_array, read_npz, require_file
from ._image_sets import make_bunch

_FILENAME = "glyphs.npz"

_DESCR = """\
Glyphs
------

Every combination of {n_characters} characters and {n_fonts} fonts of {n_families} families, as
grayscale images of 32 x 32 pixels, 0 to 255. The character is the content and the font is the
style. Fonts of one family are nearly the same: split by `family`, not by row.

Read from {path}.
"""


def fetch_glyphs(
    *,
    data_home: str | os.PathLike | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load images of characters in many fonts from a file.

    ================   ======================
    Classes            62 characters
    Styles             139 fonts
    Samples            8,618
    Dimensionality     1024 (32 x 32 grayscale)
    Features           integer, 0 to 255
    ================   ======================

    Every character is present in every font. The content (the character) and the style (the font)
    of each row are known. The file is `glyphs.npz`. It is searched for in `data_home`, or without
    it in the folder named by the environment variable `SKLEARN_SIMVAE_DATA`, and then in
    `sklearn_simvae` in scikit-learn's data home. It cannot be downloaded.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder to look in first.

    return_X_y : bool, default=False
        Whether to return `(data, target)` instead of a Bunch.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        Dictionary-like, with the attributes

        data : ndarray of shape (n_samples, 1024), dtype uint8
            A flattened image in each row, sharing memory with `images`.
        images : ndarray of shape (n_samples, 32, 32), dtype uint8
            The images, one font after the other.
        target : ndarray of shape (n_samples,), dtype int64
            The character of each image, an index into `target_names`.
        font : ndarray of shape (n_samples,), dtype int64
            The font of each image, an index into `font_names`.
        family : ndarray of shape (n_samples,), dtype int64
            The font family of each image, an index into `family_names`.
        target_names : ndarray of shape (62,)
            The characters.
        font_names : ndarray of shape (139,)
            The names of the fonts.
        family_names : ndarray of shape (n_families,)
            The names of the families, sorted.
        feature_names : list of length 1024
            The names of the pixels.
        DESCR : str
            A description of the data set and of its source.

    (data, target) : tuple if `return_X_y` is True
        Two of the arrays above.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    ValueError
        If the file is damaged or holds something else.

    See Also
    --------
    make_sprites : Images with known factors, which need no files.

    Notes
    -----
    The family is the name of the font up to the first "-", so closely related fonts with different
    names (Karla and Karla[wght], DejaVuSans and DejaVuSansMono) are in different families. Fonts of
    one family are nearly the same, so pass `family` as `groups` to
    :class:`~sklearn.model_selection.GroupKFold` to test a model on styles that it has not seen.
    Pass `target` as `groups` to an estimator whose views are to share their content. The arrays of
    the file are `x`, of shape (n_fonts, n_characters, 32, 32), and the names `font` and `char`.

    Examples
    --------
    >>> from sklearn_simvae.datasets import fetch_glyphs
    >>> glyphs = fetch_glyphs()  # doctest: +SKIP
    >>> glyphs.images.shape  # doctest: +SKIP
    (8618, 32, 32)
    """
    path = require_file(_FILENAME, data_home)
    bunch = _read(path)
    return (bunch.data, bunch.target) if return_X_y else bunch


def _read(path: Path) -> Bunch:
    arrays = read_npz(path, ["x", "font", "char"])
    images, fonts, characters = arrays["x"], arrays["font"], arrays["char"]
    check_array(path, "font", fonts, np.str_, (None,))
    check_array(path, "char", characters, np.str_, (None,))
    check_array(path, "x", images, np.uint8, (len(fonts), len(characters), 32, 32))

    families, family_of_font = np.unique(
        [name.split("-", 1)[0] for name in fonts], return_inverse=True
    )
    font = np.repeat(np.arange(len(fonts)), len(characters))
    images = np.ascontiguousarray(images).reshape(-1, 32, 32)
    return make_bunch(
        images,
        np.tile(np.arange(len(characters)), len(fonts)),
        characters,
        _DESCR.format(
            n_characters=len(characters),
            n_fonts=len(fonts),
            n_families=len(families),
            path=path,
        ),
        font=font,
        family=family_of_font[font],
        font_names=fonts,
        family_names=families,
    )
