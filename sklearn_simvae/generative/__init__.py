"""Methods that model how views are generated."""

from sklearn_simvae.generative.content_style_vae import ContentStyleVAE
from sklearn_simvae.generative.crvae import CRVAE
from sklearn_simvae.generative.simvae import SimVAE
from sklearn_simvae.generative.vae import VAE

__all__ = ["CRVAE", "VAE", "ContentStyleVAE", "SimVAE"]
