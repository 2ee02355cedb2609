"""Methods that compare the representations of views, and prevent collapse without decoding."""

from sklearn_simvae.discriminative.barlow_twins import BarlowTwins
from sklearn_simvae.discriminative.byol import BYOL
from sklearn_simvae.discriminative.deep_cluster import DeepCluster
from sklearn_simvae.discriminative.instance_discrimination import InstanceDiscrimination
from sklearn_simvae.discriminative.simclr import SimCLR
from sklearn_simvae.discriminative.simsiam import SimSiam
from sklearn_simvae.discriminative.swav import SwAV
from sklearn_simvae.discriminative.vicreg import VICReg

__all__ = [
    "BYOL",
    "BarlowTwins",
    "DeepCluster",
    "InstanceDiscrimination",
    "SimCLR",
    "SimSiam",
    "SwAV",
    "VICReg",
]
