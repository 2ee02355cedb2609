"""The generator of sprites: what its factors do to the pixels."""

import math

import numpy as np
import pytest
from scipy.stats import f_oneway, kstest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize

from sklearn_simvae.datasets import make_sprites
from sklearn_simvae.datasets._sprites import _draw

SHAPES = ["square", "ellipse", "triangle", "star", "cross", "ring", "heart"]

# How many turns that leave the shape as it was make up a full one.
SYMMETRY = {"square": 4, "ellipse": 2, "triangle": 3, "star": 5, "cross": 4, "heart": 1}


def draw_one(shape, *, x=0.5, y=0.5, size=0.25, rotation=0.0, shade=1.0, image_size=64):
    factors = np.array([[x, y, size, rotation, shade]])
    return _draw(np.array([0]), factors, [shape], image_size, 1)[0, 0].astype(float)


def factor(bunch, name):
    return bunch.factors[..., bunch.factor_names.index(name)]


@pytest.mark.parametrize("n_channels", [1, 3])
@pytest.mark.parametrize("n_views", [1, 2, 3])
def test_shapes_of_the_results(n_channels, n_views):
    bunch = make_sprites(5, image_size=16, n_channels=n_channels, n_views=n_views, random_state=0)
    views = () if n_views == 1 else (n_views,)
    color = () if n_channels == 1 else (3,)
    assert bunch.images.shape == (5, *views, *color, 16, 16)
    assert bunch.data.shape == (5, *views, n_channels * 256)
    assert bunch.factors.shape == (5, *views, len(bunch.factor_names))
    assert bunch.factor_names == ["x", "y", "size", "rotation", "shade", "hue"][: 5 + bool(color)]
    assert bunch.target.shape == (5,)
    assert (bunch.images.dtype, bunch.factors.dtype) == (np.uint8, np.float64)
    assert bunch.target.dtype == np.int64
    assert bunch.target_names.tolist() == SHAPES
    assert bunch.data.flags.c_contiguous
    assert np.shares_memory(bunch.data, bunch.images)


def test_return_X_y_gives_the_same_data_and_target():
    bunch = make_sprites(10, random_state=0)
    X, y = make_sprites(10, return_X_y=True, random_state=0)
    np.testing.assert_array_equal(X, bunch.data)
    np.testing.assert_array_equal(y, bunch.target)


def test_the_same_seed_gives_the_same_images_and_another_does_not():
    options = {"n_views": 2, "n_channels": 3, "noise": 0.1}
    first, again, other = (make_sprites(20, random_state=seed, **options) for seed in (0, 0, 1))
    for key in ("images", "target", "factors"):
        np.testing.assert_array_equal(first[key], again[key])
        assert not np.array_equal(first[key], other[key])


def test_a_random_state_moves_on_and_the_global_one_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    rng = np.random.RandomState(0)
    first, second = make_sprites(20, random_state=rng), make_sprites(20, random_state=rng)
    assert not np.array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.images, make_sprites(20, random_state=0).images)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_result_does_not_depend_on_how_it_is_cut_into_chunks(monkeypatch):
    expected = make_sprites(50, image_size=16, noise=0.1, random_state=0)
    monkeypatch.setattr("sklearn_simvae.datasets._sprites._PIXELS_PER_CHUNK", 3 * 16**2)
    found = make_sprites(50, image_size=16, noise=0.1, random_state=0)
    np.testing.assert_array_equal(found.images, expected.images)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("image_size", [28, 64])
def test_x_and_y_are_the_center_of_mass(shape, image_size):
    bunch = make_sprites(200, shapes=[shape], image_size=image_size, random_state=0)
    weight = bunch.images / bunch.images.sum(axis=(1, 2), keepdims=True)
    pixels = (np.arange(image_size) + 0.5) / image_size
    found_x, found_y = weight.sum(axis=1) @ pixels, weight.sum(axis=2) @ pixels
    np.testing.assert_allclose(found_x, factor(bunch, "x"), atol=0.2 / image_size)
    np.testing.assert_allclose(found_y, factor(bunch, "y"), atol=0.2 / image_size)


@pytest.mark.parametrize("n_channels", [1, 3])
def test_shade_is_the_largest_value(n_channels):
    bunch = make_sprites(500, n_channels=n_channels, random_state=0)
    largest = bunch.data.max(axis=1) / 255
    np.testing.assert_allclose(largest, factor(bunch, "shade"), atol=0.5 / 255 + 1e-6)


def test_hue_goes_from_red_over_green_to_blue():
    bunch = make_sprites(500, n_channels=3, random_state=0)
    strength = bunch.images.max(axis=(2, 3))
    nearest = np.rint(factor(bunch, "hue") * 3).astype(int) % 3
    np.testing.assert_array_equal(strength[np.arange(500), nearest], strength.max(axis=1))


@pytest.mark.parametrize("shape", SHAPES)
def test_area_grows_with_the_square_of_size(shape):
    sizes = np.linspace(0.18, 0.3, 13)
    areas = np.array([draw_one(shape, size=size).sum() for size in sizes])
    assert np.all(np.diff(areas) > 0)
    ratio = areas / sizes**2
    assert ratio.max() / ratio.min() < 1.05


@pytest.mark.parametrize("shape", SHAPES)
def test_size_is_the_radius_of_the_circle_around(shape):
    image = draw_one(shape, image_size=256)
    rows, columns = np.nonzero(image > 127)
    radius = np.hypot(rows + 0.5 - 128, columns + 0.5 - 128).max() / 256
    assert radius == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("shape", SYMMETRY)
def test_a_turn_by_the_period_leaves_the_image_and_half_of_it_does_not(shape):
    period = 2 * math.pi / SYMMETRY[shape]
    image = draw_one(shape, rotation=0.2)
    turned = draw_one(shape, rotation=0.2 + period)
    halfway = draw_one(shape, rotation=0.2 + period / 2)
    assert np.abs(turned - image).max() <= 1
    assert np.abs(halfway - image).max() > 100


def test_the_ring_looks_the_same_at_every_rotation():
    assert np.abs(draw_one("ring", rotation=1.0) - draw_one("ring")).max() <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_a_quarter_turn_is_counterclockwise(shape):
    image = draw_one(shape, rotation=0.3)
    turned = draw_one(shape, rotation=0.3 + math.pi / 2)
    assert np.abs(turned - np.rot90(image)).max() <= 1


def test_the_heart_stands_on_its_tip_and_the_triangle_on_its_side():
    heart, triangle = (draw_one(shape) > 0 for shape in ("heart", "triangle"))
    heart_rows, triangle_rows = (np.flatnonzero(image.any(axis=1)) for image in (heart, triangle))
    assert heart[heart_rows[-1]].sum() < heart[heart_rows[3]].sum()
    assert triangle[triangle_rows[0]].sum() < triangle[triangle_rows[-1]].sum()


@pytest.mark.parametrize("image_size", [8, 28, 45])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_sprites_lie_wholly_inside(image_size, n_channels):
    images = make_sprites(5000, image_size=image_size, n_channels=n_channels, random_state=0).images
    assert images[..., [0, -1], :].max() == 0
    assert images[..., [0, -1]].max() == 0


def test_edges_are_soft():
    image = draw_one("star", rotation=0.1)
    assert np.count_nonzero((image > 20) & (image < 235)) > 50


def test_views_share_the_content_and_differ_in_every_style():
    bunch = make_sprites(300, n_views=3, n_channels=3, random_state=0)
    first, second, third = bunch.factors.transpose(1, 0, 2)
    for one, other in ((first, second), (first, third), (second, third)):
        assert np.all(one != other)
        correlations = [np.corrcoef(a, b)[0, 1] for a, b in zip(one.T, other.T, strict=True)]
        assert np.abs(correlations).max() < 0.2
    redrawn = _draw(np.repeat(bunch.target, 3), bunch.factors.reshape(900, 6), SHAPES, 28, 3)
    np.testing.assert_array_equal(bunch.images, redrawn.reshape(300, 3, 3, 28, 28))


def test_style_is_independent_of_content_and_of_each_other():
    bunch = make_sprites(4000, n_channels=3, image_size=8, random_state=0)
    for values in bunch.factors.T:
        assert f_oneway(*(values[bunch.target == label] for label in range(7))).pvalue > 1e-3
    off_diagonal = np.corrcoef(bunch.factors.T) - np.eye(6)
    assert np.abs(off_diagonal).max() < 0.06


def test_factors_are_uniform_in_their_documented_ranges():
    bunch = make_sprites(4000, n_channels=3, image_size=8, random_state=0)
    ranges = {"size": (0.18, 0.3), "rotation": (0, 2 * math.pi), "shade": (0.4, 1), "hue": (0, 1)}
    for name, (low, high) in ranges.items():
        assert kstest(factor(bunch, name), "uniform", args=(low, high - low)).pvalue > 1e-3
    assert np.bincount(bunch.target).min() > 4000 / 7 * 0.85


def test_content_can_be_learned_from_the_pixels():
    X, y = make_sprites(4500, image_size=16, return_X_y=True, random_state=0)
    X = normalize(X.astype(float))
    model = KNeighborsClassifier(5).fit(X[:4000], y[:4000])
    assert model.score(X[4000:], y[4000:]) > 0.8


def test_chosen_shapes_are_the_classes_in_their_order():
    bunch = make_sprites(50, shapes=("ring", "square"), random_state=0)
    assert bunch.target_names.tolist() == ["ring", "square"]
    assert set(bunch.target) == {0, 1}
    centers = [
        bunch.images[i, int(28 * y), int(28 * x)] for i, (x, y) in enumerate(bunch.factors[:, :2])
    ]
    np.testing.assert_array_equal(np.array(centers) > 0, bunch.target == 1)


def test_noise_has_the_given_standard_deviation_and_leaves_the_factors():
    clean, noisy = (make_sprites(200, noise=noise, random_state=0) for noise in (0.0, 0.05))
    np.testing.assert_array_equal(clean.factors, noisy.factors)
    # Away from black and white, where clipping would take a part of it.
    middle = (clean.images > 70) & (clean.images < 185)
    difference = noisy.images.astype(float) - clean.images
    assert difference[middle].std() == pytest.approx(0.05 * 255, rel=0.05)
    assert abs(difference[middle].mean()) < 0.5


@pytest.mark.parametrize(
    "options, message",
    [
        ({"n_samples": 0}, "n_samples must be an integer of at least 1, got 0"),
        ({"n_samples": 2.5}, "n_samples must be an integer"),
        ({"n_samples": True}, "n_samples must be an integer"),
        ({"image_size": 7}, "image_size must be an integer of at least 8, got 7"),
        ({"n_views": 0}, "n_views must be an integer of at least 1, got 0"),
        ({"n_channels": 2}, "n_channels must be 1 .* or 3 .*, got 2"),
        ({"n_channels": 1.0}, "n_channels must be 1 .* got 1.0"),
        ({"n_channels": "gray"}, "n_channels must be 1 .* got 'gray'"),
        ({"noise": -0.1}, "noise must be a finite number of at least 0, got -0.1"),
        ({"noise": math.nan}, "noise must be"),
        ({"noise": "much"}, "noise must be"),
        ({"shapes": []}, "shapes must be a sequence of different names"),
        ({"shapes": "square"}, "shapes must be .* got 'square'"),
        ({"shapes": ["square", "circle"]}, "shapes must be .*'heart'.*'circle'"),
        ({"shapes": ["square", "square"]}, "shapes must be a sequence of different names"),
        ({"shapes": None}, "shapes must be .* got None"),
        ({"shapes": [["square"]]}, "shapes must be a sequence of different names"),
        ({"random_state": "seed"}, "seed"),
    ],
)
def test_bad_parameters_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_sprites(**options)


def test_small_integers_do_not_overflow():
    small = {"image_size": np.uint8(28), "n_views": np.uint8(2), "n_channels": np.uint8(3)}
    bunch = make_sprites(np.int16(300), random_state=0, **small)
    assert bunch.images.shape == (300, 2, 3, 28, 28)
