"""Series of unequal length are read as they come, and what cannot be one is refused."""

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_simvae.views.ragged import RaggedArray, is_ragged, read_ragged

RNG = np.random.default_rng(0)
LENGTHS = [7, 12, 5, 9]
SERIES = [RNG.standard_normal((n, 3)).astype(np.float32) for n in LENGTHS]
PADDED = np.full((4, 12, 3), np.nan, np.float32)
for place, one in enumerate(SERIES):
    PADDED[place, : len(one)] = one
CELLS = np.empty(4, dtype=object)
CELLS[:] = SERIES

FORMS = {
    "list": (SERIES, "auto"),
    "tuple": (tuple(SERIES), "last"),
    "channels first": ([x.T for x in SERIES], "auto"),
    "nested lists": ([x.tolist() for x in SERIES], "auto"),
    "tensors": ([torch.from_numpy(x) for x in SERIES], "auto"),
    "nested tensor": (torch.nested.nested_tensor([torch.from_numpy(x) for x in SERIES]), "auto"),
    "tables": ([pd.DataFrame(x) for x in SERIES], "auto"),
    "array of arrays": (CELLS, "auto"),
    "column of arrays": (pd.Series(SERIES), "auto"),
    "table of one column": (pd.DataFrame({"x": SERIES}), "auto"),
    "padded": (PADDED, "auto"),
    "padded, channels first": (PADDED.swapaxes(1, 2), "auto"),
    "padded list": (list(PADDED), "last"),
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_give_the_same_series(form):
    X, channels = FORMS[form]
    assert is_ragged(X, "series")
    read, layout = read_ragged("SimVAE", X, channels)
    assert read.lengths.tolist() == LENGTHS
    np.testing.assert_array_equal(read.values, np.concatenate(SERIES))
    first = "channels first" in form
    assert layout.input_shape == ((3, 12) if first else (12, 3))
    window = np.array([1, 2, 12 - 2])
    expected = np.vstack([SERIES[1][2:], np.full((2, 3), np.nan)])
    np.testing.assert_array_equal(read[window], expected.T if first else expected)
    assert read.shape == (4, *layout.input_shape)
    assert (layout.network_shape, layout.n_columns, layout.kind) == ((3, 12), 3, "series")


def test_series_of_one_channel_may_be_vectors():
    X = [x[:, 0] for x in SERIES]
    assert is_ragged(X, "series")
    assert not is_ragged(X)
    read, layout = read_ragged("SimVAE", X)
    assert (layout.network_shape, read.shape) == ((1, 12), (4, 12, 1))
    again, _ = read_ragged("SimVAE", [x[:, :1] for x in SERIES], layout=layout)
    np.testing.assert_array_equal(again.values, read.values)


@pytest.mark.parametrize(
    ("X", "kind", "expected"),
    [
        (SERIES, "auto", True),
        ([x.T for x in SERIES], "auto", True),
        (SERIES, "image", False),
        (SERIES, "vector", False),
        ([x[:5] for x in SERIES], "series", False),
        (PADDED, "auto", False),
        (np.zeros((4, 12, 3)), "series", False),
        # Images of one height are not taken for series of as many channels.
        ([np.zeros((32, 30)), np.zeros((32, 40))], "auto", False),
        ([np.zeros((30, 20)), np.zeros((25, 40))], "auto", False),
        ([np.zeros((3, 8, 8)), np.zeros((3, 8, 9))], "auto", False),
        ([1.0, 2.0], "series", False),
        ("text", "series", False),
    ],
)
def test_only_what_is_clearly_of_unequal_length_is_read_so(X, kind, expected):
    assert is_ragged(X, kind) is expected


def test_an_encoder_of_series_says_the_kind_too():
    X = [RNG.random((n, 20)) for n in LENGTHS]
    assert not is_ragged(X)
    assert is_ragged(X, encoder="conv1d")


def with_value(value, step, which=1):
    X = [x.copy() for x in SERIES]
    X[which][step] = value
    return X


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([*SERIES, np.zeros((0, 3))], "Series 4 of X has 0 steps; at least 2"),
        ([*SERIES, np.zeros((1, 3))], "Series 4 of X has 1 step; at least 2"),
        ([*SERIES, np.full((6, 3), np.nan)], "Series 4 of X has 0 steps that are not NaN"),
        (with_value(np.nan, 4), r"Series 1 of X contains NaN at step 4.*interpolate"),
        (with_value([np.nan, 0, 0], -1), "NaN at step 11, before its end at step 11"),
        (with_value(np.inf, 4), "Series 1 of X contains infinity"),
        ([x.astype(float) * 1e300 for x in SERIES], "too large for float32"),
        ([*SERIES, np.zeros((6, 2))], "series 0 has 3 and series 4 has 2"),
        ([np.zeros((30, 20)), np.zeros((25, 40))], "number of channels.*resize images"),
        ([*SERIES, np.zeros((2, 6, 3))], r"Series 4 of X has shape \(2, 6, 3\)"),
        ([np.array([["a"] * 3] * n) for n in LENGTHS], "dtype <U1"),
    ],
)
def test_what_is_no_series_is_refused_with_what_to_do(X, message):
    with pytest.raises(ValueError, match=message):
        read_ragged("SimVAE", X)


def test_padded_array_whose_axes_are_not_clear_asks_for_channels():
    X = np.full((2, 6, 5), np.nan)
    X[:, :3, :3] = 0
    with pytest.raises(ValueError, match="pass channels='last' for 5 channels over 6 steps"):
        read_ragged("SimVAE", X)
    gap = np.zeros((2, 6, 5))
    gap[0, 4:], gap[1, 2, 1] = np.nan, np.nan
    with pytest.raises(ValueError, match="NaN stand before the end of a series, they do not tell"):
        read_ragged("SimVAE", gap)


def test_input_shape_is_that_of_a_window():
    _, layout = read_ragged("SimVAE", SERIES, input_shape=(4, 3))
    assert layout.network_shape == (3, 4)
    with pytest.raises(ValueError, match=r"expected \(length, 3\)"):
        read_ragged("SimVAE", SERIES, input_shape=(4, 2))


def test_windows_are_by_default_as_long_as_most_series():
    lengths = [10] * 9 + [1000]
    _, layout = read_ragged("SimVAE", [np.zeros((n, 2)) for n in lengths])
    assert layout.network_shape == (2, 20)
    _, layout = read_ragged("SimVAE", [np.zeros((n, 2)) for n in (5000, 6000)])
    assert layout.network_shape == (2, 512)


def test_series_of_another_number_of_channels_are_refused_after_fit():
    _, layout = read_ragged("SimVAE", SERIES)
    with pytest.raises(ValueError, match="X has 2 features, but SimVAE is expecting 3 features"):
        read_ragged("SimVAE", [x[:, :2] for x in SERIES], layout=layout)
    with pytest.raises(ValueError, match="0 sample"):
        read_ragged("SimVAE", [], layout=layout)


def test_parts_cover_each_step_once_with_even_lengths():
    X = RaggedArray([np.arange(n)[:, None] for n in (3, 4, 9, 17)], window=4)
    rows = np.arange(4)
    windows, given = X.parts(rows)
    assert X.n_parts(rows).tolist() == given.sum(1).tolist() == [1, 1, 3, 5]
    for i, n in enumerate((3, 4, 9, 17)):
        read = X[windows[i][given[i]]][..., 0]
        np.testing.assert_array_equal(np.sort(read[~np.isnan(read)]), np.arange(n))
        lengths = windows[i][given[i]][:, 2]
        assert np.ptp(lengths) <= 1


def test_drawn_windows_lie_within_their_series_and_reach_all_of_it():
    X = RaggedArray([np.arange(n)[:, None] for n in (3, 9)], window=4)
    rows = np.array([[0, 1]] * 400)
    windows = X.draw(rows, np.random.default_rng(0))
    read = X[windows][..., 0]
    for place, length in enumerate((3, 9)):
        assert set(read[:, place][~np.isnan(read[:, place])]) == set(range(length))
    # Half of what fits into a window, or more.
    assert set(windows[:, 0, 2]) == {2, 3}
    assert set(windows[:, 1, 2]) == {3, 4}
    for own in read.reshape(-1, 4):
        steps = own[~np.isnan(own)]
        assert (np.diff(steps) == 1).all() and np.isnan(own[len(steps) :]).all()
