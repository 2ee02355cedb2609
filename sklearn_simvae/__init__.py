"""Self-supervised representations as scikit-learn transformers."""

from sklearn_simvae.discriminative import SimCLR, VICReg
from sklearn_simvae.generative import CRVAE, VAE, SimVAE

__version__ = "0.1.dev0"

__all__ = ["CRVAE", "VAE", "SimCLR", "SimVAE", "VICReg"]
