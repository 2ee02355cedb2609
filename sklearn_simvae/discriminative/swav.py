"""SwAV: views predict the clusters of other views, which are balanced in each batch."""

from dataclasses import replace
from numbers import Integral
from typing import Literal, Unpack

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch.nn import functional as F

from sklearn_simvae._parameter_types import DiscriminativeParameters
from sklearn_simvae._parameters import COUNT, POSITIVE
from sklearn_simvae.discriminative.base import BaseDiscriminative
from sklearn_simvae.losses import swav
from sklearn_simvae.networks import LivingPart
from sklearn_simvae.views import MultiView, default_augmentation

# With fewer samples per prototype than this, balanced assignments are mostly noise.
_SAMPLES_PER_PROTOTYPE = 4
_SMALL_CROPS = (0.1, 0.4)


class Queue(LivingPart):
    """Earlier projections of the global views, newest first.

    Parameters
    ----------
    n_features : int
        Width of the projections.
    """

    projections: torch.Tensor

    def __init__(self, n_features: int):
        super().__init__()
        self.register_buffer("projections", torch.empty(0, 0, n_features))

    def on_fit_begin(self, run) -> None:
        """Fill the queue with projections of some samples, unless it has the right size already.

        Parameters
        ----------
        run : Run
            Fit that begins.
        """
        size, n_views = run.parameters["queue_size"], run.parameters["n_global_views"]
        if size == "auto":
            fewest = _SAMPLES_PER_PROTOTYPE * run.parameters["n_prototypes"]
            size = max(0, fewest - run.options.batch_size)
        size = min(size, len(run.train))
        if size == 0:
            self.projections = self.projections.new_empty(n_views, 0, self.projections.shape[2])
        elif self.projections.shape[:2] != (n_views, size):
            some = np.linspace(0, len(run.train) - 1, size).astype(int)
            projections = run.module.directions(run.latents(run.train.subset(some)))
            self.projections = projections.expand(n_views, -1, -1).clone()


class SwAV(BaseDiscriminative):
    """Representations of a view that predict the balanced cluster of another view.

    `fit` minimizes :func:`~sklearn_simvae.losses.swav` of the cosine similarities between the
    projections and learned prototypes.

    With `n_views` above `n_global_views`, the additional views only predict the clusters of others
    ("multi-crop"). For images, `augmentation="auto"` then makes them small crops, by
    :class:`~sklearn_simvae.views.MultiView`.

    Parameters
    ----------
    n_components : int, default=10
        Number of features.
    n_prototypes : int, default=30
        Number of prototypes, best several times the number of expected classes.
    temperature : float, default=0.1
        Temperature of the predictions.
    epsilon : float, default=0.05
        Entropy regularization of the assignments; a smaller one makes them harder.
    n_sinkhorn_iterations : int, default=3
        Number of iterations of the Sinkhorn algorithm, which balances the assignments.
    queue_size : int or "auto", default="auto"
        Number of earlier projections to assign along with those of the batch. "auto" adds
        enough for four samples per prototype.
    n_global_views : int, default=2
        Number of views of a sample that are assigned to clusters; a sample needs at least as many.
    {discriminative_parameters}
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    DeepCluster : Clusters the whole dataset once per epoch.

    References
    ----------
    Caron et al., "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments",
    NeurIPS 2020.

    Examples
    --------
    {example}
    """

    _parameter_constraints = {
        **BaseDiscriminative._parameter_constraints,
        "n_prototypes": [COUNT],
        "temperature": [POSITIVE],
        "epsilon": [POSITIVE],
        "n_sinkhorn_iterations": [COUNT],
        "queue_size": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "n_global_views": [COUNT],
    }
    _structure = (*BaseDiscriminative._structure, "n_prototypes")

    def __init__(
        self,
        n_components: int = 10,
        *,
        n_prototypes: int = 30,
        temperature: float = 0.1,
        epsilon: float = 0.05,
        n_sinkhorn_iterations: int = 3,
        queue_size: int | Literal["auto"] = "auto",
        n_global_views: int = 2,
        **shared: Unpack[DiscriminativeParameters],
    ):
        super().__init__(n_components, **shared)
        self.n_prototypes = n_prototypes
        self.temperature = temperature
        self.epsilon = epsilon
        self.n_sinkhorn_iterations = n_sinkhorn_iterations
        self.queue_size = queue_size
        self.n_global_views = n_global_views

    def _needs(self):
        return replace(super()._needs(), views=max(2, self.n_global_views))

    def _default_augmentation(self, layout):
        augmentation = super()._default_augmentation(layout)
        if layout.kind != "image" or self.n_views <= self.n_global_views:
            return augmentation
        small = default_augmentation(layout.kind, layout.network_shape[0], scale=_SMALL_CROPS)
        return MultiView([*[augmentation] * self.n_global_views, small])

    def _add_parts(self, module, n_features):
        prototypes = F.normalize(torch.randn(self.n_prototypes, n_features), dim=1)
        module.prototypes = torch.nn.Parameter(prototypes)
        module.queue = Queue(n_features)

    def _loss(self, z, batch, module):
        z, prototypes = F.normalize(z, dim=-1), F.normalize(module.prototypes, dim=1)
        queue = module.queue.projections
        queue = queue if module.training and queue.shape[1] else None
        terms = swav(
            z @ prototypes.T,
            self.n_global_views,
            self.temperature,
            self.epsilon,
            self.n_sinkhorn_iterations,
            batch.mask,
            None if queue is None else queue @ prototypes.detach().T,
            return_terms=True,
        )
        if queue is not None:
            new = z[:, : self.n_global_views].detach().transpose(0, 1)
            queue.copy_(torch.cat([new, queue], dim=1)[:, : queue.shape[1]])
        return terms
