"""CelebA, read from a small made-up folder that is laid out as the official one."""

import shutil
import sys
import warnings

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_simvae.datasets import fetch_celeba

Image = pytest.importorskip("PIL.Image")

# The official line, in which a space is the last character.
HEADER = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose "
    "Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee "
    "Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes "
    "No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling "
    "Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace "
    "Wearing_Necktie Young "
)
ATTRIBUTES = HEADER.split()
HAIR = ["Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"]

# The hair and the part of each of the 12 images, one after the other.
HAIR_OF = [[0], [1], [], [2], [3], [0, 2], [1], [2], [0], [3], [], [1]]
PART_OF = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2]
TARGET = np.array([hair[0] if len(hair) == 1 else -1 for hair in HAIR_OF])
NAMES = np.array([f"{number:06d}.jpg" for number in range(1, 13)])
# Far apart, so that JPEG confuses no two of them.
COLORS = np.array([(20 * i, 255 - 20 * i, 60 + 100 * (i % 2)) for i in range(12)])


def attributes():
    """Made-up attributes, random but for the hair."""
    values = np.random.RandomState(0).rand(12, 40) < 0.5
    for column, name in enumerate(HAIR):
        values[:, ATTRIBUTES.index(name)] = [column in hair for hair in HAIR_OF]
    return values


def write_lists(folder, values=None, header=HEADER, parts=PART_OF):
    values = attributes() if values is None else values
    lines = [str(len(NAMES)), header]
    for name, row in zip(NAMES, np.where(values, 1, -1), strict=True):
        lines.append(name + " " + " ".join(f"{value:2d}" for value in row))
    (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    lines = [f"{name} {part}" for name, part in zip(NAMES, parts, strict=True)]
    (folder / "list_eval_partition.txt").write_text("\n".join(lines) + "\n")


def save(path, pixels):
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(path, quality=95)


def write_celeba(folder):
    (folder / "img_align_celeba").mkdir(parents=True)
    for name, color in zip(NAMES, COLORS, strict=True):
        save(folder / "img_align_celeba" / name, np.broadcast_to(color, (218, 178, 3)))
    write_lists(folder)
    return folder


@pytest.fixture(scope="module")
def celeba(tmp_path_factory):
    """A folder that tests read only."""
    return write_celeba(tmp_path_factory.mktemp("official"))


@pytest.fixture
def own_celeba(tmp_path):
    """A folder that a test may damage."""
    return write_celeba(tmp_path / "own")


def replace_in(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    "subset, rows", [("train", range(7)), ("validation", range(7, 10)), ("test", range(10, 12))]
)
def test_subset_is_that_of_the_partition(celeba, subset, rows):
    bunch = fetch_celeba(subset=subset, hair_only=False, data_home=celeba)
    assert_array_equal(bunch.file_names, NAMES[rows])
    assert_array_equal(bunch.target, TARGET[rows])


def test_all_is_everything_in_the_order_of_the_lists(celeba):
    bunch = fetch_celeba(subset="all", hair_only=False, data_home=celeba)
    assert_array_equal(bunch.file_names, NAMES)
    assert_allclose(bunch.images.mean((2, 3)), COLORS, atol=3)


def test_partition_need_not_be_sorted(own_celeba):
    parts = [2, 0, 1] * 4
    write_lists(own_celeba, parts=parts)
    bunch = fetch_celeba(subset="test", hair_only=False, data_home=own_celeba)
    assert_array_equal(bunch.file_names, NAMES[::3])


def test_only_images_with_exactly_one_color_of_hair_are_kept(celeba):
    bunch = fetch_celeba(subset="all", data_home=celeba)
    assert_array_equal(bunch.file_names, NAMES[TARGET >= 0])
    assert_array_equal(bunch.target, TARGET[TARGET >= 0])
    assert list(bunch.target_names) == HAIR
    for row, target in enumerate(bunch.target):
        columns = [list(bunch.attribute_names).index(name) for name in HAIR]
        assert_array_equal(bunch.attributes[row, columns], np.arange(4) == target)


def test_attributes_are_in_the_order_of_the_list_and_style_is_all_but_the_hair(celeba):
    bunch = fetch_celeba(subset="all", hair_only=False, data_home=celeba)
    assert list(bunch.attribute_names) == ATTRIBUTES
    assert_array_equal(bunch.attributes, attributes())
    assert bunch.attributes.dtype == bool
    assert list(bunch.style) == [name for name in ATTRIBUTES if name not in HAIR]
    for name, values in bunch.style.items():
        assert_array_equal(values, attributes()[:, ATTRIBUTES.index(name)])


def test_attributes_follow_the_rows_that_are_kept(celeba):
    bunch = fetch_celeba(subset="validation", n_samples=2, data_home=celeba)
    assert_array_equal(bunch.attributes, attributes()[7:9])
    assert_array_equal(bunch.style["Male"], attributes()[7:9, ATTRIBUTES.index("Male")])


def test_hair_is_found_by_name_wherever_its_columns_are(own_celeba):
    write_lists(own_celeba, attributes()[:, ::-1], header=" ".join(ATTRIBUTES[::-1]))
    assert_array_equal(fetch_celeba(subset="all", data_home=own_celeba).target, TARGET[TARGET >= 0])


@pytest.mark.parametrize("image_size", [64, 28, 200])
def test_images_are_channels_first_and_data_shares_their_memory(celeba, image_size):
    bunch = fetch_celeba(image_size=image_size, data_home=celeba)
    assert bunch.images.shape == (5, 3, image_size, image_size)
    assert bunch.images.dtype == bunch.data.dtype == np.uint8
    assert bunch.data.shape == (5, 3 * image_size**2)
    assert np.shares_memory(bunch.data, bunch.images)
    assert len(bunch.feature_names) == 3 * image_size**2
    assert bunch.feature_names[image_size] == "red_1_0"
    assert_allclose(bunch.images.mean((2, 3)), COLORS[:7][TARGET[:7] >= 0], atol=3)


def test_square_in_the_middle_is_kept_upright_and_not_mirrored(own_celeba):
    # What is cropped away is white; the quarters of the square differ.
    picture = np.full((218, 178, 3), 255)
    square = picture[20:198]
    square[:89, :89] = (200, 0, 0)
    square[:89, 89:] = (0, 200, 0)
    square[89:, :89] = (0, 0, 200)
    square[89:, 89:] = (90, 90, 90)
    save(own_celeba / "img_align_celeba" / NAMES[0], picture)
    image = fetch_celeba(n_samples=1, data_home=own_celeba).images[0].astype(int)
    assert_allclose(image[:, 3:29, 2:30].mean((1, 2)), (200, 0, 0), atol=6)
    assert_allclose(image[:, 3:29, 34:62].mean((1, 2)), (0, 200, 0), atol=6)
    assert_allclose(image[:, 35:61, 2:30].mean((1, 2)), (0, 0, 200), atol=6)
    assert_allclose(image[:, 35:61, 34:62].mean((1, 2)), (90, 90, 90), atol=6)
    # No white is seen in from above or below, nor has any of the square been lost.
    assert image[:, [0, 63]].max() < 235
    assert_allclose(np.abs(np.diff(image[0, 10])).argmax(), 31, atol=1)


def test_resizing_averages_over_fine_stripes(own_celeba):
    picture = np.zeros((218, 178, 3))
    picture[:, ::2] = 200
    save(own_celeba / "img_align_celeba" / NAMES[0], picture)
    image = fetch_celeba(n_samples=1, image_size=16, data_home=own_celeba).images[0]
    assert_allclose(image.mean(), 100, atol=5)
    assert image.std() < 12


def test_gray_jpegs_become_color(own_celeba):
    save(own_celeba / "img_align_celeba" / NAMES[0], np.full((218, 178), 77))
    image = fetch_celeba(n_samples=1, data_home=own_celeba).images[0]
    assert_allclose(image, 77, atol=2)


def test_the_first_images_are_loaded_and_no_other_file_is_read(own_celeba):
    for name in NAMES[3:]:
        (own_celeba / "img_align_celeba" / name).unlink()
    bunch = fetch_celeba(n_samples=2, data_home=own_celeba)
    assert_array_equal(bunch.file_names, NAMES[:2])
    assert_array_equal(bunch.target, [0, 1])


def test_return_X_y_gives_two_arrays_of_the_bunch(celeba):
    bunch = fetch_celeba(data_home=celeba)
    X, y = fetch_celeba(data_home=celeba, return_X_y=True)
    assert_array_equal(X, bunch.data)
    assert_array_equal(y, bunch.target)
    assert y.dtype == np.int64


def test_threads_change_nothing(celeba, monkeypatch):
    expected = fetch_celeba(subset="all", data_home=celeba).images
    # A batch for each image, so that there is something to share out.
    monkeypatch.setattr(
        "sklearn_simvae.datasets._celeba.gen_batches",
        lambda n, _: (slice(i, i + 1) for i in range(n)),
    )
    assert_array_equal(fetch_celeba(subset="all", data_home=celeba, n_jobs=2).images, expected)
    with joblib.parallel_config("loky", n_jobs=2):
        assert_array_equal(fetch_celeba(subset="all", data_home=celeba).images, expected)


@pytest.mark.parametrize("below", ["", "celeba"])
@pytest.mark.parametrize("how", ["argument", "variable", "cache"])
def test_folder_is_looked_for_in_each_place(tmp_path, monkeypatch, below, how):
    home = tmp_path / "home"
    data_home = None
    if how == "argument":
        data_home = str(home)
    elif how == "variable":
        monkeypatch.setenv("SKLEARN_SIMVAE_DATA", str(home))
    else:
        home = tmp_path / "scikit_learn_data" / "sklearn_simvae"
    write_celeba(home / below)
    bunch = fetch_celeba(n_samples=1, data_home=data_home)
    assert str(home / below) in bunch.DESCR


def test_description_says_what_was_loaded(celeba):
    descr = fetch_celeba(subset="test", image_size=32, data_home=celeba).DESCR
    assert "the 1\nimages of test" in descr and "3 x 32 x 32" in descr


@pytest.mark.parametrize("lacking", ["list_attr_celeba.txt", "list_eval_partition.txt"])
def test_error_names_what_is_missing_and_where(own_celeba, lacking):
    (own_celeba / lacking).unlink()
    with pytest.raises(FileNotFoundError) as error:
        fetch_celeba(data_home=own_celeba)
    message = str(error.value)
    assert f"{own_celeba} lacks {lacking}" in message
    assert f"{own_celeba / 'celeba'} lacks img_align_celeba, list_attr_celeba.txt" in message
    assert "scikit_learn_data" in message and "SKLEARN_SIMVAE_DATA" in message


def test_subset_without_images_is_told(own_celeba):
    write_lists(own_celeba, parts=[0] * 12)
    with pytest.raises(ValueError, match="no images with subset='test'"):
        fetch_celeba(subset="test", data_home=own_celeba)


def test_folder_of_images_must_be_one(own_celeba):
    shutil.rmtree(own_celeba / "img_align_celeba")
    (own_celeba / "img_align_celeba").write_text("")
    with pytest.raises(FileNotFoundError, match="lacks img_align_celeba"):
        fetch_celeba(data_home=own_celeba)


def test_images_that_are_not_there_are_counted_before_any_is_read(own_celeba):
    for name in NAMES[[3, 6]]:
        (own_celeba / "img_align_celeba" / name).unlink()
    # An earlier one could not be decoded, which is not found out.
    (own_celeba / "img_align_celeba" / NAMES[0]).write_bytes(b"no jpeg")
    with pytest.raises(FileNotFoundError, match=r"lacks 2 of the 5 images .* 000004\.jpg"):
        fetch_celeba(data_home=own_celeba)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"no jpeg"),
        lambda path: path.write_bytes(path.read_bytes()[:600]),
        lambda path: path.write_bytes(b""),
        lambda path: save(path, np.zeros((218, 200, 3))),
        lambda path: save(path, np.zeros((178, 218, 3))),
        lambda path: Image.new("RGB", (178, 218)).save(path, format="PNG"),
    ],
    ids=["no image", "cut off", "empty", "wide", "on its side", "png"],
)
def test_damaged_image_is_named(own_celeba, damage):
    path = own_celeba / "img_align_celeba" / NAMES[1]
    damage(path)
    with pytest.raises(ValueError, match=r"000002\.jpg cannot be used: it cannot be decoded"):
        fetch_celeba(data_home=own_celeba)


@pytest.mark.parametrize(
    "old, new, problem",
    [
        ("12\n", "13\n", "the number of images, 12, and is 13"),
        ("12\n", "", "second line should name 40 attributes, .* names 41"),
        (" Young ", "", "names 39"),
        ("Gray_Hair", "Grey_Hair", "Gray_Hair among them"),
        ("000003.jpg -1", "000003.jpg  0", "other than -1 and 1"),
        ("000003.jpg -1", "000003.jpg", "damaged"),
        ("000003.jpg -1", "000003.jpg yes", "damaged"),
        ("000003.jpg -1", "000003.jpg ä", "damaged"),
        ("000003.jpg", "../000003.jpg", "not the plain name"),
        ("000003.jpg", "/etc/000003.jpg", "not the plain name"),
        ("000003.jpg", "..\\000003.jpg", "not the plain name"),
        ("000003.jpg", "..", "not the plain name"),
        ("000003.jpg", "000002.jpg", "names an image twice"),
        ("Young", "Male", "names an attribute twice"),
    ],
)
def test_damaged_list_of_attributes_is_refused(own_celeba, old, new, problem):
    values = attributes()
    values[2, 0] = False
    write_lists(own_celeba, values)
    replace_in(own_celeba / "list_attr_celeba.txt", old, new)
    with pytest.raises(ValueError, match=rf"list_attr_celeba\.txt cannot be used: .*{problem}"):
        fetch_celeba(data_home=own_celeba)


@pytest.mark.parametrize(
    "old, new, problem",
    [
        ("000003.jpg 0", "000003.jpg 3", "parts other than 0, 1 and 2"),
        ("000003.jpg 0", "000003.jpg -1", "parts other than 0, 1 and 2"),
        ("000003.jpg 0", "000003.jpg", "damaged"),
        ("000003.jpg 0", "000003.jpg 0 1", "damaged"),
        ("000003.jpg 0\n", "", "not those of list_attr_celeba.txt"),
        ("000003.jpg 0\n000004", "000004.jpg 0\n000003", "not those of list_attr_celeba.txt"),
    ],
)
def test_damaged_partition_is_refused(own_celeba, old, new, problem):
    replace_in(own_celeba / "list_eval_partition.txt", old, new)
    with pytest.raises(ValueError, match=rf"list_eval_partition\.txt cannot be used: .*{problem}"):
        fetch_celeba(data_home=own_celeba)


@pytest.mark.parametrize("name", ["list_attr_celeba.txt", "list_eval_partition.txt"])
def test_empty_list_is_refused(own_celeba, name):
    (own_celeba / name).write_text("")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with pytest.raises(ValueError, match=f"{name} cannot be used"):
            fetch_celeba(data_home=own_celeba)


@pytest.mark.parametrize(
    "params, match",
    [
        ({"subset": "valid"}, r"subset must be one of .*'validation'.* got 'valid'"),
        ({"subset": ["train"]}, "subset must be one of"),
        ({"image_size": 0}, "image_size must be an integer of at least 1, got 0"),
        ({"image_size": 64.0}, "image_size must be an integer"),
        ({"image_size": None}, "image_size must be an integer"),
        ({"n_samples": 0}, "n_samples must be an integer of at least 1, got 0"),
        ({"n_samples": True}, "n_samples must be an integer"),
    ],
)
def test_bad_parameters_are_refused_before_the_folder_is_looked_for(params, match):
    with pytest.raises(ValueError, match=match):
        fetch_celeba(data_home="nowhere", **params)


def test_more_images_than_there_are_is_an_error(celeba):
    with pytest.raises(ValueError, match="n_samples=6 is more than the 5 images"):
        fetch_celeba(n_samples=6, data_home=celeba)
    assert len(fetch_celeba(n_samples=6, hair_only=False, data_home=celeba).images) == 6


def test_without_pillow_the_error_says_what_to_install(celeba, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"sklearn-simvae\[data\]"):
        fetch_celeba(data_home=celeba)
