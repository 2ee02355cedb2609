"""Barlow Twins: each dimension agrees between views, and differs from all other dimensions."""

from typing import Unpack

from sklearn_simvae._parameter_types import DiscriminativeParameters
from sklearn_simvae._parameters import NOT_NEGATIVE
from sklearn_simvae.discriminative.base import BaseDiscriminative
from sklearn_simvae.losses import barlow_twins


class BarlowTwins(BaseDiscriminative):
    """Representations whose dimensions agree between views and are not redundant.

    `fit` minimizes :func:`~sklearn_simvae.losses.barlow_twins` of the projections.

    Parameters
    ----------
    n_components : int, default=10
        Number of features.
    redundancy_weight : float, default=5e-3
        Weight of the squared correlations between different dimensions.
    {discriminative_parameters}
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    VICReg : Regularizes the variances and covariances of each view by itself.

    References
    ----------
    Zbontar et al., "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", ICML 2021.

    Examples
    --------
    {example}
    """

    _parameter_constraints = {
        **BaseDiscriminative._parameter_constraints,
        "redundancy_weight": [NOT_NEGATIVE],
    }

    _own_defaults = {"projection_layer_sizes": (1024, 256)}

    def __init__(
        self,
        n_components: int = 10,
        *,
        redundancy_weight: float = 5e-3,
        **shared: Unpack[DiscriminativeParameters],
    ):
        super().__init__(n_components, **shared)
        self.redundancy_weight = redundancy_weight

    def _loss(self, z, batch, module):
        return barlow_twins(z, self.redundancy_weight, batch.mask, return_terms=True)
