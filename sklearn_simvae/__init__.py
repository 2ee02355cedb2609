"""Self-supervised representations as scikit-learn transformers."""

from sklearn_simvae._tables import make_table_transformer
from sklearn_simvae._version import __version__ as __version__
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
from sklearn_simvae.generative import CRVAE, VAE, ContentStyleVAE, SimVAE
from sklearn_simvae.multimodal import CLIP, MultimodalSimVAE
from sklearn_simvae.pretrained import FineTuned, FrozenEncoder

__all__ = [
    "BYOL",
    "CLIP",
    "CRVAE",
    "VAE",
    "BarlowTwins",
    "ContentStyleVAE",
    "DeepCluster",
    "FineTuned",
    "FrozenEncoder",
    "InstanceDiscrimination",
    "MultimodalSimVAE",
    "SimCLR",
    "SimSiam",
    "SimVAE",
    "SwAV",
    "VICReg",
    "make_table_transformer",
]
