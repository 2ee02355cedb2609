"""Instance discrimination: each sample is a class, which its views predict."""

from numbers import Real
from typing import Literal, Unpack

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn
from torch.nn import functional as F

from sklearn_simvae._parameter_types import DiscriminativeParameters
from sklearn_simvae._parameters import COUNT, POSITIVE
from sklearn_simvae.discriminative.base import BaseDiscriminative
from sklearn_simvae.losses import instance_discrimination
from sklearn_simvae.losses.reduction import mean_over_views, mean_terms
from sklearn_simvae.networks import LivingPart
from sklearn_simvae.training.exchange import first_tensor

# The softmax over more samples than these costs more than the network.
_LARGEST_SOFTMAX = 10_000


class Prototypes(LivingPart):
    """A prototype for each sample: learned weights, or a memory of earlier projections.

    Parameters
    ----------
    n_features : int
        Width of the projections.
    """

    def __init__(self, n_features: int):
        super().__init__()
        # Resized once the number of samples is known.
        self.values = nn.Parameter(torch.empty(0, n_features))

    def on_fit_begin(self, run) -> None:
        """Initialize the prototypes with the projections of the samples.

        Parameters
        ----------
        run : Run
            Fit that begins.
        """
        run.replace_parameter(self, "values", run.module.directions(run.latents()))
        remember = run.parameters["memory_bank"]
        if remember == "auto":
            remember = len(run.train) > _LARGEST_SOFTMAX
        self.values.requires_grad_(not remember)


class InstanceDiscrimination(BaseDiscriminative):
    """Representations of a view that identify the sample it was made from.

    `fit` minimizes :func:`~sklearn_simvae.losses.instance_discrimination`. On small
    datasets each sample has a learned prototype, and the softmax is over all of them. On large ones
    the prototypes are a memory of earlier projections, and the softmax is over a random subset of
    them: the memory holds `n * projection_layer_sizes[-1]` numbers, and the time of a step does not
    depend on n.

    Samples are identified by their position in X, so `partial_fit` and `warm_start` treat all
    samples as new: their prototypes start as the projections of the current network. `score` and
    the objective on the validation part have no prototypes of their samples. They compare each view
    with the samples of its batch, each represented by the mean of its other views.

    Parameters
    ----------
    n_components : int, default=10
        Number of features.
    temperature : float, default=0.5
        Divisor of the cosine similarities; a smaller one gives similar samples more weight.
    memory_bank : bool or "auto", default="auto"
        Whether prototypes are a memory rather than weights. "auto" means True above 10,000 samples.
    n_negatives : int, default=4096
        Number of samples to draw for the softmax of a step, if there is a memory.
    memory_momentum : float, default=0.5
        Share of a prototype in memory that is kept when its sample is seen again.
    {discriminative_parameters}
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    SimCLR : Compares with the other samples of the batch.
    DeepCluster : Treats each cluster of samples as a class.

    References
    ----------
    Dosovitskiy et al., "Discriminative Unsupervised Feature Learning with Convolutional Neural
    Networks", NeurIPS 2014; Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance
    Discrimination", CVPR 2018.

    Examples
    --------
    {example}
    """

    _parameter_constraints = {
        **BaseDiscriminative._parameter_constraints,
        "temperature": [POSITIVE],
        "memory_bank": ["boolean", StrOptions({"auto"})],
        "n_negatives": [COUNT],
        "memory_momentum": [Interval(Real, 0, 1, closed="both")],
    }

    _own_defaults = {"projection_layer_sizes": (1024, 256), "lr": 3e-3}

    def __init__(
        self,
        n_components: int = 10,
        *,
        temperature: float = 0.5,
        memory_bank: bool | Literal["auto"] = "auto",
        n_negatives: int = 4096,
        memory_momentum: float = 0.5,
        **shared: Unpack[DiscriminativeParameters],
    ):
        super().__init__(n_components, **shared)
        self.temperature = temperature
        self.memory_bank = memory_bank
        self.n_negatives = n_negatives
        self.memory_momentum = memory_momentum

    def _add_parts(self, module, n_features):
        module.prototypes = Prototypes(n_features)

    def _loss(self, z, batch, module):
        if not module.training:
            return self._loss_of_strangers(z, batch.mask)
        prototypes, negatives = module.prototypes.values, None
        remembers, n_samples = not prototypes.requires_grad, len(prototypes)
        if remembers and self.n_negatives < n_samples:
            negatives = first_tensor(torch.randint(n_samples, (self.n_negatives,), device=z.device))
        terms = instance_discrimination(
            z,
            prototypes,
            batch.indices,
            self.temperature,
            batch.mask,
            negatives,
            return_terms=True,
        )
        if remembers:
            with torch.no_grad():
                new = mean_over_views(F.normalize(z, dim=-1), batch.mask)
                mixed = torch.lerp(new, prototypes[batch.indices], self.memory_momentum)
                prototypes[batch.indices] = F.normalize(mixed, dim=1)
        return terms

    def _loss_of_strangers(self, z, mask):
        """Compute the loss of samples without prototypes, from the means of their other views."""
        indices, of_views = torch.arange(len(z), device=z.device), []
        for view in range(z.shape[1]):
            others = [other for other in range(z.shape[1]) if other != view]
            prototypes = mean_over_views(
                F.normalize(z[:, others], dim=-1), None if mask is None else mask[:, others]
            )
            of_views.append(
                instance_discrimination(
                    z[:, [view]],
                    prototypes,
                    indices,
                    self.temperature,
                    None if mask is None else mask[:, [view]],
                    return_terms=True,
                )
            )
        # Each present view counts once, even if few samples have that many views.
        share = z.new_ones(z.shape[1]) if mask is None else mask.to(z.dtype).sum(0)
        return mean_terms(of_views, share / share.sum())
