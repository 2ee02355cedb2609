"""Reading X, of every kind and in every form, into samples."""

import numpy as np
import pandas as pd
import pytest

from sklearn_simvae.views import LazyArray
from sklearn_simvae.views.reader import ArrayReader

X = np.random.default_rng(0).random((12, 4))


def beyond(least, greatest):
    return f"not from {least:g} to {greatest:g}"


def test_a_layout_is_learned_once_and_held_to():
    reader = ArrayReader("SimVAE")
    assert len(reader.fit(X)) == 12
    again = ArrayReader("SimVAE", reader.layout)
    assert len(again.read(X[:5])) == 5
    with pytest.raises(ValueError, match="X has 3 features, but SimVAE is expecting 4 features"):
        again.read(X[:, :3])


@pytest.mark.parametrize("bounds", [(0, 0.5), (0.5, 2)])
def test_values_beyond_required_bounds_are_refused_with_the_reason(bounds):
    reader = ArrayReader("SimVAE")
    reader.require(*bounds, beyond)
    with pytest.raises(ValueError, match=f"not from {X.min():g} to {X.max():g}"):
        reader.fit(X)


def test_required_bounds_hold_for_rows_that_are_read_later():
    rows = np.ones((5000, 4))
    rows[4321] = 7
    reader = ArrayReader("SimVAE")
    reader.require(0, 1, beyond)
    samples = reader.fit(LazyArray(rows.__getitem__, rows.shape, rows.dtype))
    assert samples.read(np.array([1, 2])).shape == (2, 4)
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        samples.read(np.array([4321]))


def test_groups_are_split_from_rows_that_hold_them():
    table = pd.DataFrame(X, columns=list("abcd")).assign(patient=np.arange(12) // 3)
    reader = ArrayReader("SimVAE", group_column="patient")
    rows, groups = reader.split_groups(table, needed=True)
    assert list(rows.columns) == list("abcd")
    assert len(reader.fit(rows, groups, n_views=3)) == 4
    with pytest.raises(ValueError, match="groups are given twice"):
        reader.split_groups(table, groups)


def test_series_of_unequal_length_need_to_be_fitted():
    reader = ArrayReader("SimVAE", kind="series", channels="last")
    reader.fit(X.reshape(4, 6, 2))
    with pytest.raises(ValueError, match=r"fitted on series of one length, \(6, 2\)\. Cut or fill"):
        reader.read([X[:6, :2], X[:5, :2]])
    assert len(reader.read(list(X.reshape(4, 6, 2)))) == 4


@pytest.mark.parametrize(("values", "inside"), [(X, True), (X - 0.5, False), (2 * X, False)])
def test_unit_interval_is_that_of_all_values(values, inside):
    reader = ArrayReader("SimVAE")
    assert reader.fit(values).unit_interval is inside
