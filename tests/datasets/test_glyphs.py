"""Characters in many fonts, on small made-up files and on the real one."""

import numpy as np
import pytest
from made_files import real_folder, save

from sklearn_simvae.datasets import fetch_glyphs


def glyph_arrays():
    rng = np.random.RandomState(0)
    return {
        "x": rng.randint(256, size=(4, 3, 32, 32)).astype(np.uint8),
        "font": np.array(["Serif-Bold", "Alpha", "Serif-Bold-Italic", "Karla[wght]-Thin"]),
        "char": np.array(["0", "a", "B"]),
    }


class TestGlyphs:
    def test_each_row_has_its_character_font_and_family(self, tmp_path):
        arrays = glyph_arrays()
        path = save(tmp_path / "glyphs.npz", arrays)
        bunch = fetch_glyphs(data_home=tmp_path)
        assert bunch.images.shape == (12, 32, 32)
        np.testing.assert_array_equal(bunch.images[7], arrays["x"][2, 1])
        assert bunch.target_names[bunch.target[7]] == "a"
        assert bunch.font_names[bunch.font[7]] == "Serif-Bold-Italic"
        families = bunch.family_names[bunch.family].tolist()
        assert families == ["Serif"] * 3 + ["Alpha"] * 3 + ["Serif"] * 3 + ["Karla[wght]"] * 3
        assert str(path) in bunch.DESCR

    def test_data_is_a_flat_view_of_images(self, tmp_path):
        save(tmp_path / "glyphs.npz", glyph_arrays())
        bunch = fetch_glyphs(data_home=tmp_path)
        assert bunch.data.shape == (12, 1024)
        assert bunch.data.flags.c_contiguous
        assert np.shares_memory(bunch.data, bunch.images)
        X, y = fetch_glyphs(data_home=tmp_path, return_X_y=True)
        np.testing.assert_array_equal(X, bunch.data)
        np.testing.assert_array_equal(y, bunch.target)

    def test_without_the_file_the_error_says_which_and_where(self, tmp_path):
        with pytest.raises(FileNotFoundError) as info:
            fetch_glyphs(data_home=tmp_path / "given")
        for part in ("glyphs.npz", str(tmp_path / "given"), "SKLEARN_SIMVAE_DATA"):
            assert part in str(info.value)

    @pytest.mark.parametrize(
        "wrong, message",
        [
            ({"x": np.zeros((4, 2, 32, 32), np.uint8)}, r"expected \(4, 3, 32, 32\)"),
            ({"font": np.arange(4)}, "'font' .* dtype int64"),
        ],
    )
    def test_wrong_arrays_are_named(self, tmp_path, wrong, message):
        save(tmp_path / "glyphs.npz", {**glyph_arrays(), **wrong})
        with pytest.raises(ValueError, match=message):
            fetch_glyphs(data_home=tmp_path)


class TestRealData:
    def test_glyphs_are_complete(self):
        bunch = fetch_glyphs(data_home=real_folder("glyphs.npz"))
        assert bunch.data.shape == (139 * 62, 1024)
        np.testing.assert_array_equal(np.bincount(bunch.target), np.full(62, 139))
        np.testing.assert_array_equal(np.bincount(bunch.font), np.full(139, 62))
        assert "".join(bunch.target_names[:11]) == "0123456789A"
