"""Tiny models of the generative methods."""

from conftest import TINY

from sklearn_simvae import ContentStyleVAE, SimVAE


def simvae(**params):
    return SimVAE(**{**TINY, **params})


def csvae(**params):
    return ContentStyleVAE(
        **{**TINY, "n_components": 5, "projection_layer_sizes": (16, 8), **params}
    )
