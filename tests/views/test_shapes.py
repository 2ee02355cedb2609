"""The shape and the kind of a row, as they are inferred, asked for or refused."""

import json
import math

import numpy as np
import pytest
import torch

from sklearn_simvae.views import Layout


@pytest.mark.parametrize(
    ("shape", "dtype", "kind", "row_shape", "has_views"),
    [
        ((5, 784), "f8", "vector", (784,), False),
        ((5, 1), "f4", "vector", (1,), False),
        ((5, 3), "i8", "vector", (3,), False),
        ((5, 10), "u1", "vector", (10,), False),
        ((5, 49), "u1", "vector", (49,), False),
        ((5, 2, 7), "f4", "vector", (7,), True),
        ((5, 7, 7), "f8", "vector", (7,), True),
        ((5, 1, 28, 28), "f4", "image", (1, 28, 28), False),
        ((5, 3, 32, 20), "u1", "image", (3, 32, 20), False),
        ((5, 4, 32, 32), "u1", "image", (4, 32, 32), False),
        ((5, 2, 1, 28, 28), "u1", "image", (1, 28, 28), True),
        ((5, 3, 3, 32, 20), "f8", "image", (3, 32, 20), True),
    ],
)
def test_shape_is_read_as_it_comes(shape, dtype, kind, row_shape, has_views):
    layout, found = Layout.infer(np.full(shape, 2, dtype=dtype))
    assert (layout.kind, layout.input_shape, layout.row_shape) == (kind, row_shape, row_shape)
    assert found is has_views
    assert layout.network_shape == row_shape
    assert layout.n_features == math.prod(row_shape)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((5, 28, 28), "u1"),
        ((5, 1, 7), "f2"),
        ((5, 2, 7), "u1"),
        ((5, 2, 7), "i8"),
        ((5, 2, 7), "?"),
        ((5, 28, 28), "f4"),
        ((5, 8, 8), "f8"),
        ((5, 28, 28, 1), "f4"),
        ((5, 32, 32, 3), "f4"),
        ((5, 2, 32, 32, 3), "f4"),
        ((5, 7, 32, 3), "u1"),
        ((5, 32, 7, 4), "u1"),
        ((5, 4, 8, 3), "u1"),
        ((5, 12, 32, 32), "u1"),
        ((5, 1, 28, 1), "f4"),
        ((5, 3, 32, 3), "f4"),
        ((5, 2, 28, 28), "f4"),
        ((5, 2, 2, 28, 28), "f4"),
        ((5, 4, 4, 3), "f4"),
        ((5, 4, 4, 1), "f4"),
        ((5, 64), "u1"),
        ((5, 784), "u1"),
        ((5, 2, 2, 3, 8, 8), "f4"),
        ((5,), "f4"),
    ],
)
def test_shape_that_could_be_read_wrongly_asks_for_kind_or_input_shape(shape, dtype):
    with pytest.raises(ValueError, match=r"input_shape|kind"):
        Layout.infer(np.full(shape, 2, dtype=dtype))


@pytest.mark.parametrize("n_channels", [1, 3, 4])
@pytest.mark.parametrize("views", [(), (2,)], ids=["rows", "views"])
@pytest.mark.parametrize("size", [(28, 28), (8, 9), (40, 16)])
def test_uint8_images_with_channels_last_are_read_as_pillow_gives_them(n_channels, views, size):
    X = np.random.default_rng(0).integers(256, size=(5, *views, *size, n_channels), dtype=np.uint8)
    layout, has_views = Layout.infer(X)
    assert (layout.kind, layout.pixels, has_views) == ("image", True, bool(views))
    assert layout.network_shape == (n_channels, *size)
    rows = torch.from_numpy(X).flatten(0, -4)
    x = layout.to_network(rows)
    assert torch.equal(x, rows.movedim(-1, 1) / 255)
    assert torch.equal(layout.from_network(x).mul(255).round(), rows.float())


@pytest.mark.parametrize("input_shape", [(12, 28, 28), (28, 28, 12)])
def test_input_shape_of_square_images_of_any_number_of_channels_needs_kind(input_shape):
    X = np.zeros((5, math.prod(input_shape)))
    assert Layout.infer(X, input_shape, "image")[0].network_shape == (12, 28, 28)
    with pytest.raises(ValueError, match="kind='image' and channels='first'"):
        Layout.infer(X, input_shape)


def test_uint8_squares_of_zeros_and_ones_are_vectors():
    layout, _ = Layout.infer(np.ones((5, 64), dtype=np.uint8))
    assert layout.kind == "vector"
    assert not layout.pixels


@pytest.mark.parametrize(
    "input_shape",
    [(), (0,), (0, 3), (2, 28, 28), (28, 28, 2), (3, 32, 3), (1, 28, 1), (2, 3, 8, 8)],
)
def test_input_shape_that_is_not_understood_is_refused(input_shape):
    with pytest.raises(ValueError, match="input_shape"):
        Layout.infer(np.zeros((5, *input_shape)), input_shape)


@pytest.mark.parametrize(
    ("input_shape", "kind", "found"),
    [
        ((28, 28), "auto", "image"),
        ((28, 28), "series", "series"),
        ((8, 8), "auto", "image"),
        ((9, 7), "auto", "series"),
        ((100, 1), "auto", "series"),
        ((12, 7), "auto", "series"),
        ((100, 64), "image", "image"),
        ((100, 64), "series", "series"),
        ((5,), "auto", "vector"),
        ((3, 32, 32), "image", "image"),
    ],
)
def test_two_numbers_are_a_square_image_or_a_narrow_series_unless_it_is_said(
    input_shape, kind, found
):
    assert Layout.infer(np.zeros((2, *input_shape)), input_shape, kind)[0].kind == found


@pytest.mark.parametrize("input_shape", [(29, 12), (128, 30), (62, 47), (3, 500), (9, 8), (7, 7)])
def test_two_numbers_that_may_be_an_image_or_a_series_ask_for_kind(input_shape):
    for X in (np.zeros((2, *input_shape)), np.zeros((2, math.prod(input_shape)))):
        with pytest.raises(ValueError, match=r"kind='image' or kind='series'.*\(1, H, W\)"):
            Layout.infer(X, input_shape)
        for kind in ("image", "series"):
            assert Layout.infer(X, input_shape, kind, "last")[0].kind == kind


@pytest.mark.parametrize("input_shape", [(1, 100), (9, 128)])
def test_series_of_more_channels_than_steps_ask_for_channels(input_shape):
    X = np.zeros((2, *input_shape))
    with pytest.raises(ValueError, match="channels='last' for the one, channels='first'"):
        Layout.infer(X, input_shape, "series")
    first, _ = Layout.infer(X, input_shape, "series", "first")
    last, _ = Layout.infer(X, input_shape, "series", "last")
    assert first.network_shape == input_shape and last.network_shape == input_shape[::-1]


# What X is, how it is read where it is said, and what the networks see.
SAID = {
    "series of one channel": ((5, 100), "series", "auto", (1, 100), False),
    "series of one channel, first": ((5, 100), "series", "first", (1, 100), False),
    "series of one channel with its axis": ((5, 100, 1), "series", "auto", (1, 100), False),
    "series of one channel with its axis first": ((5, 1, 100), "series", "auto", (1, 100), False),
    "series, channels last": ((5, 128, 30), "series", "last", (30, 128), False),
    "series, channels first": ((5, 30, 128), "series", "first", (30, 128), False),
    "more channels than steps": ((5, 10, 40), "series", "last", (40, 10), False),
    "views of series": ((5, 2, 128, 30), "series", "last", (30, 128), True),
    "views of series, channels first": ((5, 2, 30, 128), "series", "first", (30, 128), True),
    "images of one channel": ((5, 28, 28), "image", "auto", (1, 28, 28), False),
    "images, channels last": ((5, 28, 28, 3), "image", "last", (3, 28, 28), False),
    "images of two channels": ((5, 2, 28, 28), "image", "first", (2, 28, 28), False),
    "images of many channels": ((5, 28, 28, 12), "image", "last", (12, 28, 28), False),
    "images, channels last, kind by the axes": ((5, 28, 28, 3), "auto", "last", (3, 28, 28), False),
    "views of images": ((5, 2, 28, 28, 12), "image", "last", (12, 28, 28), True),
    "square images of many channels, last": ((5, 28, 28, 12), "image", "auto", (12, 28, 28), False),
    "square images of many channels, first": (
        (5, 12, 28, 28),
        "image",
        "auto",
        (12, 28, 28),
        False,
    ),
    "square images of two channels": ((5, 2, 28, 28), "image", "auto", (2, 28, 28), False),
    "views of square images": ((5, 2, 12, 28, 28), "image", "auto", (12, 28, 28), True),
    "colors last, kind given": ((5, 28, 20, 3), "image", "auto", (3, 28, 20), False),
    "vectors": ((5, 7), "vector", "auto", (7,), False),
    "one view of vectors": ((5, 1, 7), "vector", "auto", (7,), True),
    "many views of vectors": ((5, 30, 7), "vector", "auto", (7,), True),
    "square views": ((5, 8, 8), "vector", "auto", (8,), True),
}


@pytest.mark.parametrize("case", SAID.values(), ids=SAID)
@pytest.mark.filterwarnings("error")
def test_kind_and_channels_say_how_rows_are_read(case):
    shape, kind, channels, network_shape, has_views = case
    rows = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    layout, found = Layout.infer(rows, None, kind, channels)
    assert found is has_views and layout.network_shape == network_shape
    flat = torch.from_numpy(rows).flatten(0, 1) if has_views else torch.from_numpy(rows)
    last = channels == "last" or (kind == "series" and flat.shape[-1] == 1)
    if kind == "image" and channels == "auto":
        last = flat.ndim == 4 and flat.shape[-1] == network_shape[0]
    expected = flat.movedim(-1, 1) if last else flat
    x = layout.to_network(flat)
    assert torch.equal(x, expected.reshape(len(flat), *network_shape))
    assert torch.equal(layout.from_network(x), flat)
    # The shape of a row says the same, of rows that are flat, too.
    end = "last" if layout.channels_last else "first"
    again, _ = Layout.infer(flat.numpy(), layout.input_shape, layout.kind, end)
    assert again.network_shape == network_shape
    assert Layout.from_dict(json.loads(json.dumps(layout.to_dict()))) == layout


@pytest.mark.parametrize(
    ("shape", "kind", "channels", "said"),
    [
        ((5, 128, 30), "series", "auto", "channels='last' for 30 channels over 128 steps"),
        ((5, 28, 20, 12), "image", "auto", "channels='first' or channels='last'"),
        ((5, 12, 12, 12), "image", "auto", "channels='first' or channels='last'"),
        ((5, 2, 12, 28, 20), "image", "auto", "channels='first' or channels='last'"),
        ((5, 784), "image", "auto", "input_shape"),
        ((5, 2, 3, 4), "vector", "auto", "expected .n, d. or .n, n_views, d."),
        ((5, 2, 3, 4, 5), "series", "auto", "does not hold rows of kind='series'"),
        ((5, 100, 3), "auto", "last", "kind='series' with channels='last'"),
        ((5, 1, 100), "auto", "auto", "kind='series'"),
        ((5, 8), "picture", "auto", "kind must be one of"),
        ((5, 8), "auto", "middle", "channels must be one of"),
    ],
)
def test_what_kind_and_channels_leave_open_is_asked_for(shape, kind, channels, said):
    with pytest.raises(ValueError, match=said):
        Layout.infer(np.zeros(shape), None, kind, channels)


@pytest.mark.parametrize(
    ("input_shape", "kind"), [((8, 8), "vector"), ((8,), "image"), ((8,), "series")]
)
def test_an_input_shape_of_another_kind_is_refused(input_shape, kind):
    with pytest.raises(ValueError, match=f"does not fit kind='{kind}'"):
        Layout.infer(np.zeros((5, math.prod(input_shape))), input_shape, kind)


@pytest.mark.parametrize("shape", [(5, 100, 1), (5, 17, 40), (5, 9, 8)])
def test_so_many_views_are_warned_of(shape):
    with pytest.warns(UserWarning, match=f"{shape[1]} views of {shape[2]} feat.*kind='series'"):
        layout, has_views = Layout.infer(np.zeros(shape))
    assert (layout.kind, has_views) == ("vector", True)


@pytest.mark.parametrize(
    ("shape", "dtype", "said"),
    [
        ((5, 784), "u1", ["784 values", "input_shape=(28, 28) for", "kind='vector' for"]),
        ((5, 192), "u1", ["192 values", "input_shape=(3, 8, 8) for", "kind='vector' for"]),
        ((5, 2, 7), "u1", ["(5, 2, 7)", "uint8", "kind='image'", "2 views of 7 feat"]),
        ((5, 9, 9), "f4", ["(5, 9, 9)", "float32", "kind='image'", "9 views of 9 feat"]),
        ((5, 8, 8, 3), "f4", ["(5, 8, 8, 3)", "C of 1, 3 or 4", "input_shape"]),
        ((5, 2, 2, 3, 8, 8), "f4", ["6 dimensions", "(5, 2, 2, 3, 8, 8)", "expected 2 to 5"]),
    ],
)
def test_messages_about_shapes_say_what_was_given_and_how_it_may_be_read(shape, dtype, said):
    with pytest.raises(ValueError, match=r"nput_shape|kind") as error:
        Layout.infer(np.full(shape, 2, dtype=dtype))
    assert [part for part in said if part not in str(error.value)] == []


@pytest.mark.parametrize(
    ("shape", "dtype", "fill", "kind", "has_views"),
    [
        ((5, 49), "u1", 2, "vector", False),
        ((5, 65), "u1", 2, "vector", False),
        ((5, 192), "u1", 1, "vector", False),
        ((5, 784), "f4", 2, "vector", False),
        ((5, 9, 12), "f4", 2, "vector", True),
        ((5, 16, 17), "f4", 2, "vector", True),
        ((5, 7, 7), "f4", 2, "vector", True),
        ((5, 4, 8, 8), "u1", 2, "image", False),
        ((5, 2, 4, 8, 8), "u1", 2, "image", True),
    ],
)
def test_shape_that_can_be_read_in_one_way_needs_no_input_shape(
    shape, dtype, fill, kind, has_views
):
    layout, found = Layout.infer(np.full(shape, fill, dtype=dtype))
    assert (layout.kind, found) == (kind, has_views)
    assert layout.pixels is (kind == "image" and dtype == "u1")


@pytest.mark.parametrize(
    ("input_shape", "kind"),
    [
        ((8, 8), "image"),
        ((8, 7), "series"),
        ((40, 7), "series"),
        ((3, 8, 2), "image"),
        ((8, 2, 4), "image"),
        ((3, 4, 3), "image"),
        ((1, 3, 4), "image"),
    ],
)
def test_kind_at_the_bounds_of_its_rules(input_shape, kind):
    assert Layout.infer(np.zeros((5, *input_shape)), input_shape)[0].kind == kind


def test_input_shape_that_is_not_understood_is_named():
    with pytest.raises(ValueError, match=r"input_shape=\(2, 8, 8\) is not understood"):
        Layout.infer(np.zeros((5, 2, 8, 8)), (2, 8, 8))


def test_a_shape_with_channels_at_either_end_is_refused():
    with pytest.raises(ValueError, match=r"input_shape=\(4, 4, 3\) is not understood"):
        Layout.infer(np.zeros((5, 48)), (4, 4, 3))
    assert Layout.infer(np.zeros((5, 48)), (3, 4, 4))[0].network_shape == (3, 4, 4)
