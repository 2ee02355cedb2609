"""Methods that model how views are generated."""

from sklearn_simvae.generative.crvae import CRVAE
from sklearn_simvae.generative.simvae import SimVAE
from sklearn_simvae.generative.vae import VAE

__all__ = ["CRVAE", "VAE", "SimVAE"]
