"""Methods that model how views are generated."""

from sklearn_simvae.generative.simvae import SimVAE

__all__ = ["SimVAE"]
