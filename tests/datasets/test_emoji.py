"""Emoji, on small made-up files."""

import numpy as np
import pytest
from made_files import save

from sklearn_simvae.datasets import fetch_emoji


class TestEmoji:
    def arrays(self):
        return {
            "x": np.random.default_rng(0).integers(256, size=(3, 48, 48, 3)).astype(np.uint8),
            "caption": np.array(["waving hand", "waving hand, light skin tone", "flag: France"]),
            "codepoints": np.array(["1f44b", "1f44b_1f3fb", "1f1eb_1f1f7"]),
        }

    def test_each_picture_has_its_name_and_group(self, tmp_path):
        arrays = self.arrays()
        save(tmp_path / "emoji.npz", arrays)
        bunch = fetch_emoji(data_home=tmp_path)
        np.testing.assert_array_equal(bunch.images, arrays["x"])
        assert bunch.captions[1] == "waving hand, light skin tone"
        assert bunch.group[0] == bunch.group[1] != bunch.group[2]

    def test_without_the_file_the_error_says_which_and_where(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"emoji\.npz.*SKLEARN_SIMVAE_DATA"):
            fetch_emoji(data_home=tmp_path / "given")

    @pytest.mark.parametrize(
        "wrong",
        [{"x": np.zeros((3, 48, 48), np.uint8)}, {"caption": np.arange(3)}, {"codepoints": ["a"]}],
    )
    def test_wrong_arrays_are_named(self, tmp_path, wrong):
        wrong = {name: np.asarray(value) for name, value in wrong.items()}
        save(tmp_path / "emoji.npz", {**self.arrays(), **wrong})
        with pytest.raises(ValueError, match=next(iter(wrong))):
            fetch_emoji(data_home=tmp_path)
