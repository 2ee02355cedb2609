"""What makes the dimensions of Barlow Twins differ."""

from conftest import TINY

from sklearn_simvae import BarlowTwins


def test_redundancy_term_is_what_makes_dimensions_of_barlow_twins_differ(digits):
    X, _ = digits
    params = {**TINY, "max_epochs": 60, "lr": 5e-3, "projection_layer_sizes": ()}
    kept, lost = (
        BarlowTwins(**params, redundancy_weight=weight).fit(X).history_[-1]["redundancy"]
        for weight in (1.0, 0.0)
    )
    assert kept < lost / 2
