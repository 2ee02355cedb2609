"""SimCLR: views of one sample against all other views of the batch."""

from dataclasses import replace
from typing import Unpack

from sklearn_simvae._parameter_types import DiscriminativeParameters
from sklearn_simvae._parameters import POSITIVE
from sklearn_simvae.discriminative.base import BaseDiscriminative
from sklearn_simvae.losses import nt_xent


class SimCLR(BaseDiscriminative):
    """Contrastive representations: similar for views of one sample, different between samples.

    `fit` minimizes :func:`~sklearn_simvae.losses.nt_xent` of the projections. Large batches help,
    since all other samples of a batch are negatives; see `chunk_size` for batches that do not
    fit in memory.

    Parameters
    ----------
    n_components : int, default=10
        Number of features.
    temperature : float, default=0.1
        Divisor of the cosine similarities; a smaller one gives similar negatives more weight.
    {discriminative_parameters}
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    VICReg : Needs no negatives.
    SimVAE : Keeps style as well as content.

    References
    ----------
    Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", ICML
    2020.

    Examples
    --------
    {example}
    """

    _parameter_constraints = {
        **BaseDiscriminative._parameter_constraints,
        "temperature": [POSITIVE],
    }

    _own_defaults = {"projection_layer_sizes": (1024, 256), "lr": 3e-3}

    def __init__(
        self,
        n_components: int = 10,
        *,
        temperature: float = 0.1,
        **shared: Unpack[DiscriminativeParameters],
    ):
        super().__init__(n_components, **shared)
        self.temperature = temperature

    def _needs(self):
        # The other samples of the batch are the negatives.
        return replace(super()._needs(), batch_size=512)

    def _loss(self, z, batch, module):
        return nt_xent(z, self.temperature, batch.mask, return_terms=True)
