"""Views as one fit makes them: of rows, or given."""

import numpy as np
import pytest
import torch
from conftest import Views, n_made_views, one_kind
from made_samples import numbered
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_simvae.views import Compose, FeatureCorruption


@one_kind
@pytest.mark.parametrize(
    "row, params, network_shape",
    [
        ((6,), {}, (6,)),
        ((1, 8, 8), {}, (1, 8, 8)),
        ((64,), {"input_shape": (8, 8)}, (1, 8, 8)),
        ((8, 8, 3), {"input_shape": (8, 8, 3), "encoder": "mlp"}, (3, 8, 8)),
        ((20, 2), {"input_shape": (20, 2), "encoder": "mlp"}, (2, 20)),
    ],
)
def test_augmentation_gets_batches_of_views_in_network_layout(make, row, params, network_shape):
    X = numbered(40, *row)
    augmentation = Views()
    estimator = make(augmentation=augmentation, n_views=3, batch_size=16, **params).fit(X)
    assert len(augmentation.batches) == 2 * 3, "2 epochs of 3 steps"
    for x in augmentation.batches:
        assert x.shape[1:] == network_shape and x.dtype == torch.float32
        assert x.device == torch.device(estimator.net_.device)
        copies = x.unflatten(0, (-1, n_made_views(estimator)))
        assert (copies == copies[:, :1]).all()
    for epoch in (augmentation.batches[:3], augmentation.batches[3:]):
        samples = torch.cat(epoch).flatten(1)[:: n_made_views(estimator), 0].numpy()
        assert_allclose(np.sort(samples), np.arange(40) / 40, atol=1e-6)


@one_kind
def test_given_views_are_augmented_only_if_asked(make, digits):
    X = digits[0].reshape(80, 2, 64)
    groups = np.repeat(np.arange(80), 2)
    for views, g in ((X, None), (X.reshape(160, 64), groups)):
        kept = Views()
        auto, none, explicit = (
            make(augmentation=augmentation, batch_size=40).fit(views, groups=g).transform(views)
            for augmentation in ("auto", None, Compose([kept, FeatureCorruption()]))
        )
        assert_array_equal(auto, none)
        assert np.abs(explicit - none).max() > 1e-5
        assert [x.shape for x in kept.batches] == [(80, 64)] * 4


@one_kind
def test_augmentation_that_changes_the_shape_is_refused(make, digits):
    with pytest.raises(ValueError, match=r"must (give|return) a .*shape"):
        make(augmentation=lambda x: x[:, :5]).fit(digits[0])
