"""Methods that keep the latent structure of views and put another guard in place of decoding."""

from sklearn_simvae.discriminative.simclr import SimCLR
from sklearn_simvae.discriminative.vicreg import VICReg

__all__ = ["SimCLR", "VICReg"]
