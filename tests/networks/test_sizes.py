"""Widths of networks that fit the size of the data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_simvae.networks import hidden_sizes


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((150, 4), (256, 128)),
        ((569, 30), (256, 128)),
        ((1797, 64), (512, 256)),
        ((20_000, 50), (512, 256)),
        ((60_000, 784), (2000, 500, 500)),
    ],
)
def test_auto_grows_with_the_number_of_values_up_to_the_network_of_the_paper(shape, expected):
    n_samples, n_features = shape
    assert hidden_sizes("auto", n_features, n_samples) == expected


@given(st.integers(1, 10**6), st.integers(1, 10**4), st.integers(1, 10**6))
def test_auto_is_never_narrower_for_more_rows(n_samples, n_features, more):
    few = hidden_sizes("auto", n_features, n_samples)
    many = hidden_sizes("auto", n_features, n_samples + more)
    assert many[0] >= few[0] and len(many) >= len(few)


def test_no_layer_that_is_chosen_is_narrower_than_the_representation():
    assert hidden_sizes("auto", 4, 150, n_components=200) == (256, 200)
    assert hidden_sizes((8,), 4, 150, n_components=200) == (8,)


@pytest.mark.parametrize("given", [7, (7,), [7], np.array([7])])
def test_given_widths_are_taken_for_data_of_any_size(given):
    assert hidden_sizes(given, 10**4, 10**6) == hidden_sizes(given, 1, 1) == (7,)


@pytest.mark.parametrize("given", ["big", 0, (8, 0), (8, 1.5)])
def test_other_widths_are_refused(given):
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        hidden_sizes(given, 4, 100)
