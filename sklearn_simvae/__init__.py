"""Self-supervised representations as scikit-learn transformers."""

from sklearn_simvae.discriminative import (
    BYOL,
    BarlowTwins,
    DeepCluster,
    InstanceDiscrimination,
    SimCLR,
    SimSiam,
    SwAV,
    VICReg,
)
from sklearn_simvae.generative import CRVAE, VAE, SimVAE

__version__ = "0.1.dev0"

__all__ = [
    "BYOL",
    "CRVAE",
    "VAE",
    "BarlowTwins",
    "DeepCluster",
    "InstanceDiscrimination",
    "SimCLR",
    "SimSiam",
    "SimVAE",
    "SwAV",
    "VICReg",
]
