"""BYOL's loss, which is SimSiam's on another scale; the tests of SimSiam's are of both."""

from by_hand import n_views_of_all, predictions, some_missing
from numpy.testing import assert_allclose

from sklearn_simvae.losses import byol, simsiam


@n_views_of_all
def test_byol_is_simsiam_up_to_scale(n_views):
    p, z = predictions(5, n_views)
    mask = some_missing(5, n_views)
    assert_allclose(byol(p, z, mask), 2 + 2 * simsiam(p, z, mask))
