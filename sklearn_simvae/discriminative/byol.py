"""BYOL: each view predicts a slow teacher's projections of the other views."""

import math
from numbers import Real
from typing import Unpack

from sklearn.utils._param_validation import Interval

from sklearn_simvae._batch import Terms
from sklearn_simvae._parameter_types import DiscriminativeParameters, Sizes
from sklearn_simvae.discriminative.base import Projector
from sklearn_simvae.discriminative.simsiam import SimSiam
from sklearn_simvae.losses import byol
from sklearn_simvae.networks import Teacher


class MomentumTeacher(Teacher):
    """A teacher that follows the network after each step, more and more slowly over the fit."""

    def on_step_end(self, run) -> None:
        """Follow the network.

        Parameters
        ----------
        run : Run
            Fit that is running.
        """
        decay = run.parameters["target_momentum"]
        if run.options.lr_schedule != "constant":
            decay = 1 - (1 - decay) * (1 + math.cos(math.pi * run.progress)) / 2
        self.follow(run.module, decay)


class BYOL(SimSiam):
    """Representations of a view that predict a teacher's projection of another view.

    `fit` minimizes :func:`~sklearn_simvae.losses.byol`. The teacher is an exponential moving
    average of the network. The notes on `score` and collapse in :class:`SimSiam` apply here too.

    Parameters
    ----------
    n_components : int, default=10
        Number of features.
    target_momentum : float, default=0.99
        Share of its weights that the teacher keeps at the first step. It rises to 1 over the fit,
        along half a cosine, unless `lr_schedule` is "constant".
    predictor_layer_sizes : int or array-like of int, default=(256,)
        Widths of the hidden layers of the predictor.
    predictor_lr_multiplier : float, default=10.0
        Same as in :class:`SimSiam`.
    {discriminative_parameters}
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    SimSiam : Needs no teacher.

    References
    ----------
    Grill et al., "Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning", NeurIPS
    2020.

    Examples
    --------
    {example}
    """

    _parameter_constraints = {
        **SimSiam._parameter_constraints,
        "target_momentum": [Interval(Real, 0, 1, closed="both")],
    }

    _own_defaults = {"lr": 3e-3}

    def __init__(
        self,
        n_components: int = 10,
        *,
        target_momentum: float = 0.99,
        predictor_layer_sizes: Sizes = (256,),
        predictor_lr_multiplier: float = 10.0,
        **shared: Unpack[DiscriminativeParameters],
    ):
        super().__init__(
            n_components,
            predictor_layer_sizes=predictor_layer_sizes,
            predictor_lr_multiplier=predictor_lr_multiplier,
            **shared,
        )
        self.target_momentum = target_momentum

    def _add_parts(self, module, n_features):
        super()._add_parts(module, n_features)
        module.teacher = MomentumTeacher(Projector(module.encoder, module.head))

    def _project(self, module, batch):
        return module(batch.views), module.teacher(batch.views)

    def _loss(self, z, batch, module):
        own, target = z
        return Terms(byol(self._predict(module, own), target, batch.mask))
