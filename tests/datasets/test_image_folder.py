"""Photos in a folder, which the tests write themselves."""

import sys
import warnings

import numpy as np
import pytest
from made_photos import RED, save
from numpy.testing import assert_array_equal
from PIL import Image

from sklearn_simvae import SimVAE
from sklearn_simvae.datasets import load_image_folder

TINY = {"max_epochs": 1, "batch_size": 4, "random_state": 0, "encoder": "mlp"}
TINY["hidden_layer_sizes"] = (8,)


def test_subfolders_are_classes(photos_folder):
    (photos_folder / "notes").mkdir()
    (photos_folder / "notes" / "read.txt").write_text("no image")
    (photos_folder / ".trash").mkdir()
    save(photos_folder / ".trash" / "a.jpg")
    save(photos_folder / "red" / "._0.jpg")
    (photos_folder / "red" / "Thumbs.db").write_bytes(b"\0")
    save(photos_folder / "red" / "2020" / "z.JPEG")
    photos = load_image_folder(photos_folder, size=8)
    assert photos.target_names.tolist() == ["blue", "red"]
    assert photos.target.tolist() == [0] * 6 + [1] * 7 and photos.target.dtype == np.int64
    assert photos.data.shape == (13, 3, 8, 8) and photos.data.dtype == np.uint8
    assert photos.images is photos.data and photos.skipped == []
    assert photos.filenames[-1].endswith("z.JPEG") and photos.filenames[0].endswith("0.jpg")
    assert "13 images" in photos.DESCR
    X, y = load_image_folder(str(photos_folder), size=8, return_X_y=True)
    assert_array_equal(X, photos.data)
    assert_array_equal(y, photos.target)
    reddish = np.asarray(X)[:, 0].mean((1, 2)) > np.asarray(X)[:, 2].mean((1, 2))
    assert_array_equal(reddish, y == 1)


def test_a_folder_without_subfolders_has_no_labels(tmp_path):
    for name in ("b.png", "a.bmp", "c.gif"):
        save(tmp_path / name)
    (tmp_path / "empty").mkdir()
    photos = load_image_folder(tmp_path, size=(6, 9))
    assert photos.target is None and photos.target_names is None
    assert [name[-5:] for name in photos.filenames] == ["a.bmp", "b.png", "c.gif"]
    assert photos.data.shape == (3, 3, 6, 9)
    assert load_image_folder(tmp_path, return_X_y=True)[1] is None


def test_images_beside_subfolders_ask_what_is_meant(photos_folder):
    save(photos_folder / "cover.jpg")
    with pytest.raises(ValueError, match=r"itself, such as cover\.jpg.*blue, red.*class_folders"):
        load_image_folder(photos_folder)
    assert len(load_image_folder(photos_folder, class_folders=True).target) == 12
    everything = load_image_folder(photos_folder, class_folders=False)
    assert everything.target is None and len(everything.data) == 13


# ---------------------------------------------------------------- bad input


def truncated(path):
    rng = np.random.default_rng(0)
    noise = rng.integers(256, size=(60, 60, 3)).astype(np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BROKEN = {
    "truncated": ("a.jpg", truncated, "truncated"),
    "truncated PNG": ("a.png", truncated, "truncated|broken"),
    "empty": ("a.jpg", lambda path: path.write_bytes(b""), "it is empty"),
    "text": ("a.jpg", lambda path: path.write_text("<html>"), "damaged, or no photo"),
    "PostScript": ("a.png", lambda path: path.write_text("%!PS-Adobe-3.0\n"), "no photo"),
    "HEIC": ("a.heic", lambda path: path.write_bytes(b"\0\0\0\x18ftypheic"), "pillow-heif"),
    "floats": (
        "a.tif",
        lambda path: Image.fromarray(np.zeros((8, 8), np.float32)).save(path),
        "range is not known",
    ),
    "too large": (
        "a.png",
        lambda path: Image.new("1", (20_000, 20_000)).save(path),
        "exceeds limit",
    ),
}


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_broken_files_are_named(tmp_path, case, in_memory):
    name, write, reason = case
    write(tmp_path / name)
    for good in ("0.png", "z.png"):
        save(tmp_path / good)
    with pytest.raises(ValueError, match=rf"1 of 3 files.*{name} cannot.*({reason}).*'skip'"):
        load_image_folder(tmp_path, size=8, in_memory=in_memory)
    with pytest.warns(UserWarning, match=rf"1 of 3 files.*left out.*{name}.*({reason})"):
        photos = load_image_folder(tmp_path, size=8, in_memory=in_memory, on_error="skip")
    assert photos.skipped == [str(tmp_path / name)]
    assert photos.data.shape == (2, 3, 8, 8) and len(photos.filenames) == 2
    assert_array_equal(np.asarray(photos.data)[:, :, 4, 4], [RED] * 2)


def test_labels_are_those_of_the_files_that_are_left(photos_folder):
    (photos_folder / "blue" / "0.jpg").write_bytes(b"")
    with pytest.warns(UserWarning, match="1 of 12 files"):
        photos = load_image_folder(photos_folder, size=8, on_error="skip")
    assert photos.target.tolist() == [0] * 5 + [1] * 6


def test_of_many_broken_files_some_are_named(tmp_path):
    for i in range(13):
        (tmp_path / f"{i:02d}.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match=r"13 of 13.*09\.jpg.*; and 3 more"):
        load_image_folder(tmp_path)
    with pytest.raises(ValueError, match="None of 13 files can be read"):
        load_image_folder(tmp_path, on_error="skip")


def test_files_that_vanish_later_are_named_when_they_are_read(photos_folder):
    photos = load_image_folder(photos_folder, size=8)
    (photos_folder / "red" / "3.jpg").unlink()
    with pytest.raises(ValueError, match=r"3\.jpg cannot be read as an image: .*No such file"):
        SimVAE(2, **TINY).fit(photos.data)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 0}, "size must be a positive integer"),
        ({"size": -3}, "size must be"),
        ({"size": 8.5}, "size must be"),
        ({"size": "64"}, "size must be"),
        ({"size": None}, "size must be"),
        ({"size": True}, "size must be"),
        ({"size": ()}, r"size must be one number of pixels, or \(height, width\)"),
        ({"size": (8, 8, 3)}, r"size must be one number of pixels, or \(height, width\)"),
        ({"on_error": "ignore"}, "on_error must be 'raise' or 'skip', got 'ignore'"),
        ({"class_folders": "yes"}, "class_folders must be 'auto', True or False"),
        ({"color": "RGB"}, "color must be True or False"),
        ({"in_memory": None}, "in_memory must be True or False"),
    ],
)
def test_parameters_out_of_range_are_refused(photos_folder, given, message):
    with pytest.raises(ValueError, match=message):
        load_image_folder(photos_folder, **given)


def test_folders_without_images_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere.*Check the path"):
        load_image_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="path must be the path of a folder, got None"):
        load_image_folder(None)
    with pytest.raises(ValueError, match=r"no images in .*which holds nothing"):
        load_image_folder(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ValueError, match=r"no images in .*holds notes\.txt.*end in \.jpg"):
        load_image_folder(tmp_path)
    with pytest.raises(ValueError, match=r"is a file.*unpack it"):
        load_image_folder(tmp_path / "notes.txt")
    save(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="no images in subfolders of"):
        load_image_folder(tmp_path, class_folders=True)


def test_without_pillow_the_extra_is_named(photos_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'pip install "sklearn-simvae\[data\]"'):
        load_image_folder(photos_folder)


def test_good_photos_are_read_without_warnings(photos_folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.asarray(load_image_folder(photos_folder).data)
