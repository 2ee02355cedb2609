"""Files of images of many formats, read one by one and by batch."""

import pickle

import numpy as np
import pytest
from made_photos import BLUE, GREEN, RED, save
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from torch.utils.data import Subset

from sklearn_simvae import SimCLR, SimVAE
from sklearn_simvae.datasets import _image_files, load_image_folder

TINY = {"max_epochs": 1, "batch_size": 4, "random_state": 0, "encoder": "mlp"}
TINY["hidden_layer_sizes"] = (8,)


# ---------------------------------------------------------------- what is read


def test_the_middle_is_cropped_and_resized(tmp_path):
    pixels = np.zeros((30, 60, 3), np.uint8)
    pixels[:, 15:45] = GREEN
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    Image.fromarray(pixels.transpose(1, 0, 2)).save(tmp_path / "high.png")
    inner = np.asarray(load_image_folder(tmp_path, size=10).data)[:, :, 1:-1, 1:-1]
    assert_array_equal(inner, np.broadcast_to(np.array(GREEN)[:, None, None], inner.shape))
    # All of a wide image is in an image of its shape.
    wide = np.asarray(load_image_folder(tmp_path, size=(10, 20)).data)[1]
    assert_array_equal(wide[:, :, :4], 0)
    assert_array_equal(wide[:, 5, 10], GREEN)


FORMATS = {
    "JPEG": ("a.jpg", "RGB", {"quality": 95}),
    "gray JPEG": ("a.jpeg", "L", {}),
    "CMYK": ("a.jpg", "CMYK", {"quality": 95}),
    "PNG": ("a.PNG", "RGB", {}),
    "RGBA": ("a.png", "RGBA", {}),
    "gray with transparency": ("a.png", "LA", {}),
    "palette": ("a.png", "P", {}),
    "GIF": ("a.gif", "P", {}),
    "two colors": ("a.png", "1", {}),
    "WebP": ("a.webp", "RGB", {"lossless": True}),
    "TIFF": ("a.tif", "RGB", {}),
    "BMP": ("a.bmp", "RGB", {}),
    "PPM": ("a.ppm", "RGB", {}),
}


@pytest.mark.parametrize("case", FORMATS.values(), ids=FORMATS)
def test_usual_formats_and_modes_are_read(tmp_path, case):
    name, mode, options = case
    save(tmp_path / name, RED, mode=mode, **options)
    image = np.asarray(load_image_folder(tmp_path, size=8).data)[0]
    expected = 90 if mode in ("L", "LA", "1") else np.array(RED)
    assert np.abs(image.mean((1, 2)) - expected).max() <= 12
    gray = load_image_folder(tmp_path, size=8, color=False).data
    assert gray.shape == (1, 1, 8, 8) and np.asarray(gray).dtype == np.uint8


def test_levels_of_16_bits_are_read_as_8(tmp_path):
    levels = np.full((8, 8), 257 * 100, np.uint16)
    for name in ("a.png", "b.tif", "c.pgm"):
        Image.fromarray(levels).save(tmp_path / name)
    images = np.asarray(load_image_folder(tmp_path, size=8).data)
    assert_array_equal(images, np.full((3, 3, 8, 8), 100))


def test_images_are_upright_as_their_exif_data_say(tmp_path):
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8] = RED
    for orientation, name in ((1, "as it is"), (3, "half"), (6, "right"), (8, "left")):
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(pixels).save(tmp_path / f"{name}.jpg", exif=exif, quality=95)
    photos = load_image_folder(tmp_path, size=16)
    names = [name.rpartition("/")[2] for name in photos.filenames]
    assert names == ["as it is.jpg", "half.jpg", "left.jpg", "right.jpg"]
    red = np.asarray(photos.data)[:, 0] > 110
    expected = np.zeros((16, 16), bool)
    expected[:8] = True
    for image, turns in zip(red, (0, 2, 1, -1), strict=True):
        assert_array_equal(image, np.rot90(expected, turns))


def test_of_an_animation_the_first_frame_is_read(tmp_path):
    frames = [Image.new("RGB", (8, 8), color) for color in (RED, BLUE)]
    for name in ("a.gif", "b.png", "c.tiff", "d.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    images = np.asarray(load_image_folder(tmp_path, size=8).data).astype(int)
    assert (images[:, 0] > 150).all() and (images[:, 2] < 100).all()


def test_large_jpegs_are_reduced_like_others(tmp_path):
    rng = np.random.default_rng(0)
    coarse = rng.integers(256, size=(16, 12, 3)).astype(np.uint8)
    large = Image.fromarray(coarse).resize((1200, 1600), Image.Resampling.BICUBIC)
    large.save(tmp_path / "a.jpg", quality=95)
    large.save(tmp_path / "b.png")
    jpeg, png = np.asarray(load_image_folder(tmp_path, size=32).data).astype(int)
    assert np.abs(jpeg - png).mean() < 3


def test_narrow_images_are_read(tmp_path):
    for name, size in (("a.png", (1, 500)), ("b.png", (500, 1)), ("c.png", (7, 3))):
        save(tmp_path / name, size=size)
    images = np.asarray(load_image_folder(tmp_path, size=(5, 9)).data)
    assert_array_equal(images, np.broadcast_to(np.array(RED)[:, None, None], images.shape))


# ---------------------------------------------------------------- read by batch


def test_rows_are_divided_as_those_of_an_array(photos_folder):
    lazy = load_image_folder(photos_folder, size=8).data
    array = load_image_folder(photos_folder, size=8, in_memory=True).data
    assert isinstance(array, np.ndarray) and array.flags.writeable
    assert_array_equal(lazy, array)
    mask = np.arange(12) % 3 == 0
    for rows in (slice(2, 9, 2), [3, 1, 1], np.array([11, 0]), mask, mask.tolist(), []):
        index = np.asarray(rows, int) if isinstance(rows, list) and not rows else rows
        some = lazy[rows if len(np.shape(rows)) == 0 or len(rows) else index]
        assert some.shape == array[index].shape
        assert_array_equal(some, array[index])
        assert_array_equal(lazy[index, ...], array[index])
    assert_array_equal(lazy[-1], array[-1])
    assert_array_equal(np.asarray(lazy, dtype=np.float32), array.astype(np.float32))
    assert "(12, 3, 8, 8)" in repr(lazy)
    assert_array_equal(pickle.loads(pickle.dumps(lazy)), array)
    for rows in ((0, 1), (slice(None), 0), np.zeros((2, 2), int)):
        with pytest.raises(IndexError, match=r"numpy\.asarray\(X\[rows\]\)"):
            lazy[rows]
    with pytest.raises(ValueError, match="copy=False"):
        np.asarray(lazy, copy=False)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_threads_change_nothing(photos_folder, n_jobs):
    photos = load_image_folder(photos_folder, size=8, n_jobs=n_jobs)
    assert_array_equal(photos.data, load_image_folder(photos_folder, size=8, in_memory=True).data)


@pytest.mark.parametrize("method", [SimVAE, SimCLR])
def test_estimators_learn_the_same_by_batch_and_from_memory(photos_folder, method):
    lazy, array = (
        load_image_folder(photos_folder, size=8, in_memory=m).data for m in (False, True)
    )
    by_batch, from_memory = (
        method(2, early_stopping=True, validation_fraction=0.4, **TINY).fit(X)
        for X in (lazy, array)
    )
    for name in ("transform", "score", *(["score_samples", "encode"] * (method is SimVAE))):
        found, expected = (getattr(m, name)(lazy) for m in (by_batch, from_memory))
        assert_array_equal(found, expected)
    assert_array_equal(by_batch.transform(lazy), by_batch.transform(array))
    assert_array_equal(
        method(2, **TINY).partial_fit(lazy).transform(array),
        method(2, **TINY).partial_fit(array).transform(lazy),
    )


def test_no_more_than_a_batch_is_held(photos_folder, monkeypatch):
    photos = load_image_folder(photos_folder, size=8)
    held = []
    usual = _image_files.ImageFiles.__getitems__

    def noted(self, rows):
        held.append(len(rows))
        return usual(self, rows)

    monkeypatch.setattr(_image_files.ImageFiles, "__getitems__", noted)
    model = SimVAE(2, **{**TINY, "max_epochs": 2}).fit(photos.data)
    # Besides the batches, the first row and some others, here all, are looked at.
    assert held.count(4) == 3 * model.n_iter_ and len(held) <= 6 + 5


def test_searches_and_splits_take_files(photos_folder):
    X, y = load_image_folder(photos_folder, size=8, return_X_y=True)
    model = make_pipeline(SimVAE(2, **TINY), LogisticRegression())
    search = GridSearchCV(model, {"simvae__n_components": [1, 2]}, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert np.isfinite(cross_validate(SimVAE(2, **TINY), X, cv=2)["test_score"]).all()
    X_train, X_test, y_train, _ = train_test_split(X, y, random_state=0, stratify=y)
    assert type(X_train) is type(X) and len(X_train) == len(y_train)
    Z = SimVAE(2, **TINY).fit(X_train).transform(X_test)
    assert Z.shape == (3, 2)
    assert SimVAE(2, **TINY).fit_transform(Subset(X, [0, 3, 5, 7])).shape == (4, 2)
