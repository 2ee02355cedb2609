"""The way of rows to the layout of the networks and back."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_simvae.views import Layout

SHAPES = {
    "vector": (7,),
    "gray": (12, 12),
    "channels first": (3, 12, 9),
    "channels last": (12, 9, 3),
    "alpha last": (12, 9, 4),
    "gray first": (1, 12, 9),
    "series": (20, 2),
}
NETWORK = {
    "vector": ("vector", (7,)),
    "gray": ("image", (1, 12, 12)),
    "channels first": ("image", (3, 12, 9)),
    "channels last": ("image", (3, 12, 9)),
    "alpha last": ("image", (4, 12, 9)),
    "gray first": ("image", (1, 12, 9)),
    "series": ("series", (2, 20)),
}


def test_message_of_refusal_gives_input_shapes_that_are_understood():
    X = np.full((5, 784), 2, dtype=np.uint8)
    with pytest.raises(ValueError, match=r"input_shape=\(28, 28\) for images, kind='vector'"):
        Layout.infer(X)
    assert Layout.infer(X, (28, 28))[0].kind == "image"
    assert Layout.infer(X, kind="vector")[0].kind == "vector"


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("flat", [False, True], ids=["shaped", "flat"])
@pytest.mark.parametrize("n_views", [None, 1, 2])
@pytest.mark.parametrize("dtype", ["f8", "u1"])
def test_input_shape_is_found_flat_or_shaped_with_or_without_views(name, flat, n_views, dtype):
    input_shape = SHAPES[name]
    row_shape = (math.prod(input_shape),) if flat else input_shape
    views = () if n_views is None else (n_views,)
    layout, has_views = Layout.infer(np.full((5, *views, *row_shape), 2, dtype), input_shape)
    assert has_views is (n_views is not None)
    assert (layout.kind, layout.network_shape) == NETWORK[name]
    assert (layout.input_shape, layout.row_shape) == (input_shape, row_shape)
    assert layout.n_features == math.prod(input_shape)


@pytest.mark.parametrize("input_shape", [[28, 28], np.array([28, 28]), (np.int64(28), 28)])
def test_input_shape_may_be_any_sequence_of_integers(input_shape):
    layout, _ = Layout.infer(np.zeros((5, 784)), input_shape)
    assert layout == Layout("image", (28, 28), (784,))


@pytest.mark.parametrize(
    ("input_shape", "shape"),
    [
        ((28, 28), (5, 783)),
        ((28, 28), (5, 2, 783)),
        ((28, 20), (5, 20, 28)),
        ((3, 32, 32), (5, 32, 32, 3)),
        ((7,), (5, 8)),
        ((7,), (5,)),
        ((7,), (5, 2, 2, 7)),
    ],
)
def test_array_that_does_not_fit_input_shape_is_refused(input_shape, shape):
    with pytest.raises(ValueError, match="input_shape"):
        Layout.infer(np.zeros(shape), input_shape)


def test_axes_in_another_order_than_those_of_fit_are_told():
    layout, _ = Layout.infer(np.zeros((5, 30, 12)), None, "series", "last")
    with pytest.raises(ValueError, match=r"the shape \(5, 12, 30\).*Move its axes"):
        layout.has_views((5, 12, 30), "SimVAE")


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("flat", [False, True], ids=["shaped", "flat"])
def test_every_value_arrives_at_its_channel_and_place(name, flat):
    _, network_shape = NETWORK[name]
    # Each value tells where in the network's layout it belongs.
    expected = np.arange(2 * math.prod(network_shape), dtype=np.float32).reshape(2, *network_shape)
    last = name in ("channels last", "alpha last", "series")
    rows = np.moveaxis(expected, 1, -1) if last else expected
    rows = rows.reshape(2, *((-1,) if flat else SHAPES[name]))
    layout, _ = Layout.infer(rows, SHAPES[name])
    x = layout.to_network(torch.tensor(rows))
    assert x.dtype == torch.float32
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(layout.from_network(x), rows)


@st.composite
def rows_and_input_shape(draw):
    size = st.integers(5, 12)
    input_shape = draw(
        st.one_of(
            st.tuples(size),
            size.filter(lambda side: side >= 8).map(lambda side: (side, side)),
            st.tuples(st.sampled_from([1, 3, 4]), size, size),
            st.tuples(size, size, st.sampled_from([1, 3, 4])),
            st.tuples(st.integers(8, 40), st.integers(1, 7)),
        )
    )
    row_shape = (math.prod(input_shape),) if draw(st.booleans()) else input_shape
    views = draw(st.sampled_from([(), (1,), (3,)]))
    shape = (draw(st.integers(0, 3)), *views, *row_shape)
    rows = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    return rows, input_shape, draw(st.booleans())


@settings(max_examples=150, deadline=None)
@given(rows_and_input_shape())
def test_way_to_the_network_and_back_gives_the_rows(case):
    rows, input_shape, is_said = case
    kind = "series" if is_said and len(input_shape) == 2 else "auto"
    layout, has_views = Layout.infer(rows, input_shape, kind)
    flat = torch.tensor(rows).flatten(0, 1) if has_views else torch.tensor(rows)
    x = layout.to_network(flat)
    assert x.shape == (len(flat), *layout.network_shape)
    torch.testing.assert_close(layout.from_network(x), flat, rtol=0, atol=0)


@pytest.mark.parametrize("name", SHAPES)
def test_layout_of_fit_reads_rows_flat_and_shaped_alike(name):
    shaped = np.random.default_rng(0).random((3, *SHAPES[name]), dtype=np.float32)
    flat = shaped.reshape(3, -1)
    layout, _ = Layout.infer(shaped, SHAPES[name])
    x = layout.to_network(torch.tensor(flat))
    torch.testing.assert_close(x, layout.to_network(torch.tensor(shaped)))
    assert layout.has_views(flat.shape, "SimVAE") is False
    assert layout.has_views((3, 2, *flat.shape[1:]), "SimVAE") is True


def test_rows_of_another_size_are_refused_in_the_words_of_scikit_learn():
    layout, _ = Layout.infer(np.zeros((5, 7)))
    with pytest.raises(
        ValueError, match="X has 6 features, but SimVAE is expecting 7 features as input"
    ):
        layout.has_views((5, 6), "SimVAE")


@pytest.mark.parametrize("name", [n for n, (kind, _) in NETWORK.items() if kind == "image"])
@pytest.mark.parametrize("flat", [False, True], ids=["shaped", "flat"])
def test_uint8_images_are_scaled_to_the_unit_interval(name, flat):
    size = math.prod(SHAPES[name])
    rows = np.linspace(0, 255, size).astype(np.uint8).reshape(1, *((-1,) if flat else SHAPES[name]))
    layout, _ = Layout.infer(rows, SHAPES[name])
    x = layout.to_network(torch.tensor(rows))
    assert layout.pixels
    assert (x.min().item(), x.max().item()) == (0.0, 1.0)
    np.testing.assert_allclose(layout.from_network(x), rows / 255.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("vector", "u1"), ("series", "u1"), ("gray", "i8"), ("gray", "u2"), ("gray", "f8")],
)
def test_everything_but_uint8_images_is_taken_as_it_is(name, dtype):
    rows = np.full((2, *SHAPES[name]), 200, dtype)
    layout, _ = Layout.infer(rows, SHAPES[name])
    assert not layout.pixels
    assert (layout.to_network(torch.tensor(rows)) == 200).all()


def test_layout_of_pixels_takes_floats_of_the_unit_interval_as_they_are():
    layout, _ = Layout.infer(np.full((2, 1, 8, 8), 200, np.uint8))
    x = layout.to_network(torch.full((2, 1, 8, 8), 0.5))
    assert (x == 0.5).all()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_rows_are_not_modified(dtype):
    rows = torch.full((2, 1, 8, 8), 200, dtype=dtype)
    layout, _ = Layout.infer(np.full((2, 1, 8, 8), 200, np.uint8))
    layout.to_network(rows)
    assert (rows == 200).all()


@pytest.mark.parametrize(
    ("input_shape", "accepted"),
    [
        ((28, 28), "(n, 28, 28), (n, n_views, 28, 28), (n, 784), (n, n_views, 784)"),
        ((3, 8, 8), "(n, 3, 8, 8), (n, n_views, 3, 8, 8), (n, 192), (n, n_views, 192)"),
        ((7,), "(n, 7), (n, n_views, 7)"),
    ],
)
def test_shapes_that_would_fit_are_told_in_fit_and_afterwards(input_shape, accepted):
    with pytest.raises(ValueError, match="does not fit") as error:
        Layout.infer(np.zeros((5, 6)), input_shape)
    assert f"(5, 6) does not fit input_shape={input_shape}. Expected one of {accepted}." in str(
        error.value
    )
    layout, _ = Layout.infer(np.zeros((5, *input_shape)), input_shape)
    with pytest.raises(ValueError, match="X has 6 features, but Name is expecting") as error:
        layout.has_views((5, 3, 2), "Name")
    assert f"expecting {layout.n_features} features" in str(error.value)
    assert f"got the shape (5, 3, 2), expected one of {accepted}." in str(error.value)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("dtype", ["f4", "u1"])
def test_layout_goes_through_json_and_back(name, dtype):
    flat = np.zeros((5, math.prod(SHAPES[name])), dtype)
    layout, _ = Layout.infer(flat, SHAPES[name])
    again = Layout.from_dict(json.loads(json.dumps(layout.to_dict())))
    assert again == layout and hash(again) == hash(layout)
    assert again.pixels is layout.pixels
