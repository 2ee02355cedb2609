"""Sets of images in two parts, on small made-up files."""

import numpy as np
import pytest
from made_files import cache_of, every_split_set, save, split_arrays

from sklearn_simvae.datasets import fetch_cifar10, fetch_fashion_mnist, fetch_mnist


class TestFiles:
    @every_split_set
    @pytest.mark.parametrize("subset", ["train", "test"])
    def test_a_part_comes_as_it_is_in_the_file(
        self, tmp_path, fetch, module, name, filename, image_shape, subset
    ):
        arrays = split_arrays(image_shape)
        path = save(tmp_path / filename, arrays)
        bunch = fetch(subset=subset, data_home=tmp_path)
        np.testing.assert_array_equal(bunch.images, arrays[f"x_{subset}"])
        np.testing.assert_array_equal(bunch.target, arrays[f"y_{subset}"])
        assert bunch.images.dtype == np.uint8
        assert bunch.target.dtype == np.int64
        assert str(path) in bunch.DESCR

    @every_split_set
    def test_all_is_train_then_test(self, tmp_path, fetch, module, name, filename, image_shape):
        arrays = split_arrays(image_shape)
        save(tmp_path / filename, arrays)
        X, y = fetch(subset="all", data_home=str(tmp_path), return_X_y=True)
        expected = np.concatenate([arrays["x_train"], arrays["x_test"]]).reshape(10, -1)
        np.testing.assert_array_equal(X, expected)
        np.testing.assert_array_equal(y, np.concatenate([arrays["y_train"], arrays["y_test"]]))

    @every_split_set
    def test_data_is_a_flat_view_of_images(
        self, tmp_path, fetch, module, name, filename, image_shape
    ):
        arrays = split_arrays(image_shape)
        # Fortran order on disk is where a careless reshape would copy.
        arrays["x_train"] = np.asfortranarray(arrays["x_train"])
        save(tmp_path / filename, arrays)
        bunch = fetch(data_home=tmp_path)
        assert bunch.data.shape == (6, np.prod(image_shape))
        assert bunch.data.flags.c_contiguous
        assert np.shares_memory(bunch.data, bunch.images)
        assert len(bunch.feature_names) == len(set(bunch.feature_names)) == bunch.data.shape[1]

    def test_feature_names_say_where_the_value_is(self, tmp_path):
        save(tmp_path / "mnist.npz", split_arrays((28, 28)))
        save(tmp_path / "cifar10.npz", split_arrays((3, 32, 32)))
        gray = fetch_mnist(data_home=tmp_path)
        color = fetch_cifar10(data_home=tmp_path)
        assert gray.images[2, 5, 7] == gray.data[2, gray.feature_names.index("pixel_5_7")]
        assert color.images[2, 1, 5, 7] == color.data[2, color.feature_names.index("green_5_7")]

    def test_the_environment_variable_names_the_folder(self, tmp_path, monkeypatch):
        arrays = split_arrays((28, 28))
        save(tmp_path / "named" / "mnist.npz", arrays)
        monkeypatch.setenv("SKLEARN_SIMVAE_DATA", str(tmp_path / "named"))
        np.testing.assert_array_equal(fetch_mnist().images, arrays["x_train"])

    def test_data_home_goes_before_the_environment_variable(self, tmp_path, monkeypatch):
        arrays = split_arrays((28, 28), seed=1)
        save(tmp_path / "named" / "mnist.npz", split_arrays((28, 28), seed=2))
        save(tmp_path / "given" / "mnist.npz", arrays)
        monkeypatch.setenv("SKLEARN_SIMVAE_DATA", str(tmp_path / "named"))
        bunch = fetch_mnist(data_home=tmp_path / "given")
        np.testing.assert_array_equal(bunch.images, arrays["x_train"])

    def test_a_named_folder_without_the_file_falls_through_to_the_cache(
        self, tmp_path, monkeypatch
    ):
        arrays = split_arrays((28, 28))
        save(cache_of(tmp_path) / "mnist.npz", arrays)
        monkeypatch.setenv("SKLEARN_SIMVAE_DATA", str(tmp_path / "nothing_here"))
        np.testing.assert_array_equal(fetch_mnist().images, arrays["x_train"])

    def test_reading_a_named_file_makes_no_folder(self, tmp_path):
        save(tmp_path / "given" / "mnist.npz", split_arrays((28, 28)))
        fetch_mnist(data_home=tmp_path / "given")
        assert not (tmp_path / "scikit_learn_data").exists()

    @pytest.mark.parametrize("subset", ["valid", "", None, 1, ["train"]])
    @pytest.mark.parametrize("fetch", [fetch_mnist, fetch_fashion_mnist, fetch_cifar10])
    def test_an_unknown_subset_is_refused(self, fetch, subset):
        with pytest.raises(ValueError, match=r"subset must be one of .*'train', 'test', 'all'"):
            fetch(subset=subset)
