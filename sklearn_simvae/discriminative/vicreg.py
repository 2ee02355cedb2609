"""VICReg: similar views, with features that are spread and uncorrelated."""

from typing import Unpack

from sklearn_simvae._parameter_types import DiscriminativeParameters
from sklearn_simvae._parameters import NOT_NEGATIVE
from sklearn_simvae.discriminative.base import BaseDiscriminative
from sklearn_simvae.losses import vicreg


class VICReg(BaseDiscriminative):
    """Representations regularized by variance, invariance and covariance of the projections.

    `fit` minimizes :func:`~sklearn_simvae.losses.vicreg`.

    Parameters
    ----------
    n_components : int, default=10
        Number of features.
    invariance_weight : float, default=25.0
        Weight of the squared difference between views.
    variance_weight : float, default=25.0
        Weight of the hinge that keeps each dimension's standard deviation at 1.
    covariance_weight : float, default=1.0
        Weight of the squared covariances between dimensions.
    {discriminative_parameters}
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    SimCLR : Prevents collapse by negatives.

    References
    ----------
    Bardes, Ponce and LeCun, "VICReg: Variance-Invariance-Covariance Regularization for
    Self-Supervised Learning", ICLR 2022.

    Examples
    --------
    {example}
    """

    _parameter_constraints = {
        **BaseDiscriminative._parameter_constraints,
        "invariance_weight": [NOT_NEGATIVE],
        "variance_weight": [NOT_NEGATIVE],
        "covariance_weight": [NOT_NEGATIVE],
    }

    _own_defaults = {"projection_layer_sizes": (256, 128)}

    def __init__(
        self,
        n_components: int = 10,
        *,
        invariance_weight: float = 25.0,
        variance_weight: float = 25.0,
        covariance_weight: float = 1.0,
        **shared: Unpack[DiscriminativeParameters],
    ):
        super().__init__(n_components, **shared)
        self.invariance_weight = invariance_weight
        self.variance_weight = variance_weight
        self.covariance_weight = covariance_weight

    def _loss(self, z, batch, module):
        weights = self.invariance_weight, self.variance_weight, self.covariance_weight
        return vicreg(z, *weights, mask=batch.mask, return_terms=True)
