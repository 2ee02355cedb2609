"""Images of Pillow as rows."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from sklearn_simvae import SimCLR, SimVAE
from sklearn_simvae._pictures import is_picture, stack_pictures, to_mode

RNG = np.random.default_rng(0)
COLORS = RNG.integers(256, size=(6, 9, 12, 3)).astype(np.uint8)
GRAY = RNG.integers(256, size=(6, 9, 12)).astype(np.uint8)
TINY = {"max_epochs": 1, "random_state": 0, "hidden_layer_sizes": (8,)}


def pictures(arrays=COLORS, mode=None):
    images = [Image.fromarray(array) for array in arrays]
    return images if mode is None else [image.convert(mode) for image in images]


def test_a_picture_is_an_image_of_pillow():
    assert is_picture(Image.new("P", (2, 2)))
    assert not any(map(is_picture, ["a.jpg", COLORS[0], None, [Image.new("P", (2, 2))]]))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_every_mode_is_converted_as_pillow_does(mode):
    image = Image.fromarray(COLORS[0]).convert(mode)
    assert_array_equal(to_mode(image, "RGB"), image.convert("RGB"))
    assert to_mode(image, "L").mode == "L"


def test_levels_of_16_bits_are_scaled_to_8():
    levels = np.array([[0, 257, 256 * 257 - 257, 65535]], dtype=np.uint16)
    for image in (Image.fromarray(levels), Image.fromarray(levels.astype(">u2"))):
        assert np.asarray(to_mode(image, "L")).tolist() == [[0, 1, 255, 255]]
        assert to_mode(image, "RGB").getpixel((1, 0)) == (1, 1, 1)


@pytest.mark.parametrize("dtype", ["f4", "i4"])
def test_levels_of_unknown_range_are_refused(dtype):
    with pytest.raises(ValueError, match="whose range is not known"):
        to_mode(Image.fromarray(np.zeros((2, 2), dtype)), "RGB")


def test_what_is_transparent_becomes_white():
    image = Image.new("RGBA", (2, 1), (200, 0, 0, 0))
    image.putpixel((1, 0), (200, 0, 0, 255))
    assert np.asarray(to_mode(image, "RGB")).tolist() == [[[255, 255, 255], [200, 0, 0]]]
    palette = image.convert("P")
    palette.info["transparency"] = palette.getpixel((0, 0))
    assert to_mode(palette, "RGB").getpixel((0, 0)) == (255, 255, 255)


STACKED = {
    "colors": (pictures(), COLORS),
    "gray": (pictures(GRAY), GRAY[..., None]),
    "transparency": (
        pictures(mode="RGBA"),
        np.pad(COLORS, [(0, 0)] * 3 + [(0, 1)]) | [0, 0, 0, 255],
    ),
    "black and white": ([Image.new("1", (3, 2), 1)] * 2, np.full((2, 2, 3, 1), 255)),
    "gray and colors": (
        [*pictures()[:1], *pictures(GRAY)[:1]],
        np.stack([COLORS[0], np.repeat(GRAY[0][..., None], 3, axis=-1)]),
    ),
    "CMYK": ([Image.new("CMYK", (3, 2), (0, 255, 255, 0))], np.full((1, 2, 3, 3), [255, 0, 0])),
}


@pytest.mark.parametrize("case", STACKED.values(), ids=STACKED)
def test_pictures_are_stacked_with_channels_last(case):
    images, expected = case
    found = stack_pictures(images)
    assert found.dtype == np.uint8
    assert_array_equal(found, expected)


FORMS = {
    "list": list,
    "tuple": tuple,
    "column": pd.Series,
    "array of objects": lambda images: pd.Series(images).to_numpy(),
    "list of arrays": lambda images: [np.asarray(image) for image in images],
    "array": lambda images: np.stack([np.asarray(image) for image in images]),
    "array of floats, told": lambda images: (
        np.stack([np.asarray(i) for i in images]) / np.float32(255)
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", [SimVAE, SimCLR])
def test_pictures_are_fitted_in_every_form(form, method):
    told = {"kind": "image"} if "told" in form else {}
    X = FORMS[form](pictures())
    model = method(n_components=2, encoder="mlp", batch_size=6, **TINY, **told)
    Z = model.fit_transform(X)
    expected = method(n_components=2, encoder="mlp", batch_size=6, **TINY)
    assert_array_equal(Z, expected.fit_transform(COLORS.transpose(0, 3, 1, 2)))
    assert model.layout_.network_shape == (3, 9, 12)
    if method is SimVAE:
        # What is decoded has channels last too, and can be shown as it is.
        assert model.inverse_transform(Z).shape == COLORS.shape


def test_gray_pictures_are_images():
    model = SimVAE(2, **TINY).fit(pictures(GRAY))
    assert model.layout_.network_shape == (1, 9, 12) and model.layout_.pixels


REFUSED = {
    "sizes": (
        [Image.new("RGB", (8, 8)), Image.new("RGB", (9, 8))],
        r"image 0 has 8 x 8 pixels and image 1 has 9 x 8 pixels.*ImageOps\.fit.*load_image_folder",
    ),
    "no image": ([Image.new("RGB", (8, 8)), None], "Row 1 of X is of type NoneType"),
    "arrays of several sizes": ([COLORS[0], COLORS[0][:5]], "resize images.*load_image_folder"),
    "floats": ([Image.new("F", (8, 8))] * 2, "whose range is not known"),
    "one image": (Image.new("RGB", (8, 8)), "list of images"),
    "a path": ("photos", "load_image_folder"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_pictures_that_do_not_go_together_are_refused(case):
    X, message = case
    with pytest.raises(ValueError, match=message):
        SimVAE(2, **TINY).fit(X)


CHANNELS = {
    "two, first": (RNG.random((8, 2, 16, 16), dtype=np.float32), (2, 16, 16)),
    "twelve, last": (RNG.integers(10_000, size=(8, 16, 16, 12)).astype(np.uint16), (12, 16, 16)),
    # These are no colors, which "auto" would change and hold to 0 to 1.
    "twelve, beyond 1": (3 * RNG.random((8, 12, 16, 16), dtype=np.float32), (12, 16, 16)),
}


@pytest.mark.parametrize("encoder", ["auto", "conv", "resnet18"])
@pytest.mark.parametrize("case", CHANNELS.values(), ids=CHANNELS)
def test_images_of_any_number_of_channels_are_fitted(case, encoder):
    X, network_shape = case
    model = SimVAE(2, kind="image", encoder=encoder, max_epochs=1, batch_size=8, random_state=0)
    Z = model.fit_transform(X)
    assert model.layout_.network_shape == network_shape
    assert Z.shape == (8, 2) and model.inverse_transform(Z).shape == X.shape
