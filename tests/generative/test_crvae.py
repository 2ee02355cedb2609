"""What CR-VAE adds: posteriors of views that are drawn together."""

import pytest
import torch
from conftest import TINY, Views
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_simvae import CRVAE
from sklearn_simvae.views import Batch


@pytest.mark.parametrize(
    ("method", "weights"),
    [(CRVAE, {"kl": "beta", "consistency": "consistency_weight"})],
)
def test_loss_is_the_weighted_sum_of_its_terms(digits, method, weights):
    values = {"beta": 3.0, "consistency_weight": 0.5}
    params = {name: values[name] for name in weights.values()}
    for row in method(**TINY, **params).fit(digits[0]).history_:
        weighted = sum(params[param] * row[term] for term, param in weights.items())
        assert_allclose(row["loss"], weighted - row["reconstruction"], rtol=1e-4)


def test_consistency_weight_pulls_the_posteriors_of_views_together(digits):
    X, _ = digits
    params = {**TINY, "max_epochs": 30, "noise_variance": 0.1, "lr": 5e-3}
    free, tied = (CRVAE(**params, consistency_weight=w).fit(X) for w in (0.0, 10.0))
    assert tied.history_[-1]["consistency"] < 0.5 * free.history_[-1]["consistency"]


def test_first_view_of_crvae_is_the_row_itself(digits):
    X, _ = digits
    blank = Views(act=lambda x: 0 * x)
    crvae = CRVAE(**TINY, augmentation=blank, n_views=3, batch_size=len(X)).fit(X)
    rows = blank.batches[0][: 3 * 2].numpy()
    batch = Batch(torch.from_numpy(X[:2]).float())
    views = crvae._reader().view_maker(crvae._read(X, n_views=3))(batch).views
    assert_array_equal(rows[0], rows[1])
    assert_array_equal(views[:, 0].numpy(), X[:2])
    assert not views[:, 1:].any()
