"""SimSiam: each view predicts the others, without negatives or a teacher."""

from dataclasses import replace
from typing import Unpack

from torch import nn

from sklearn_simvae._batch import Terms
from sklearn_simvae._checks import check_sizes
from sklearn_simvae._parameter_types import DiscriminativeParameters, Sizes
from sklearn_simvae._parameters import COUNT, POSITIVE
from sklearn_simvae.discriminative.base import BaseDiscriminative
from sklearn_simvae.losses import simsiam
from sklearn_simvae.networks import projection_head


class SimSiam(BaseDiscriminative):
    """Representations in which the projection of one view predicts that of another.

    `fit` minimizes :func:`~sklearn_simvae.losses.simsiam`. Collapse is prevented only by a
    predictor on one side and a stopped gradient on the other, so check "effective_rank" in
    `history_`. Projections are normalized over the batch. A collapsed fit has the best possible
    `score`: do not choose settings by it.

    Parameters
    ----------
    n_components : int, default=10
        Number of features.
    predictor_layer_sizes : int or array-like of int, default=(32,)
        Widths of the hidden layers of the predictor.
    predictor_lr_multiplier : float, default=10.0
        Learning rate of the predictor, as a multiple of `lr`. A predictor that keeps up with the
        network prevents the representation from losing dimensions.
    {discriminative_parameters}
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    BYOL : Predicts the projections of a slow teacher.

    References
    ----------
    Chen and He, "Exploring Simple Siamese Representation Learning", CVPR 2021.

    Examples
    --------
    {example}
    """

    _parameter_constraints = {
        **BaseDiscriminative._parameter_constraints,
        "predictor_layer_sizes": ["array-like", COUNT],
        "predictor_lr_multiplier": [POSITIVE],
    }
    _structure = (
        *BaseDiscriminative._structure,
        "predictor_layer_sizes",
        "predictor_lr_multiplier",
    )

    _own_defaults = {"projection_layer_sizes": (1024, 256)}

    def __init__(
        self,
        n_components: int = 10,
        *,
        predictor_layer_sizes: Sizes = (32,),
        predictor_lr_multiplier: float = 10.0,
        **shared: Unpack[DiscriminativeParameters],
    ):
        super().__init__(n_components, **shared)
        self.predictor_layer_sizes = predictor_layer_sizes
        self.predictor_lr_multiplier = predictor_lr_multiplier

    def _needs(self):
        # Samples are not compared with each other.
        multipliers = {"predictor.*": self.predictor_lr_multiplier}
        return replace(super()._needs(), scored_samples=1, lr_multipliers=multipliers)

    def _add_parts(self, module, n_features):
        # Same as in the paper: without normalization, projections lose dimensions.
        norm = nn.BatchNorm1d(n_features, affine=False)
        module.head = nn.Sequential(*module.head.children(), norm)
        sizes = (*check_sizes(self.predictor_layer_sizes, "predictor_layer_sizes"), n_features)
        module.predictor = projection_head(n_features, sizes, batch_norm=True)

    def _predict(self, module, z):
        return module.predictor(z.flatten(0, 1)).unflatten(0, z.shape[:2])

    def _loss(self, z, batch, module):
        return Terms(simsiam(self._predict(module, z), z, batch.mask))
