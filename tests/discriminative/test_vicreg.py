"""What keeps VICReg from collapse."""

from conftest import TINY

from sklearn_simvae import VICReg


def test_variance_term_is_what_keeps_vicreg_from_collapse(digits):
    X, _ = digits
    params = {**TINY, "max_epochs": 100, "lr": 5e-3, "projection_layer_sizes": ()}
    kept = VICReg(**params).fit(X).transform(X).std(0)
    lost = VICReg(**params, variance_weight=0.0).fit(X).transform(X).std(0)
    assert kept.min() > 5 * lost.max()
