"""CLIP: contrast of the modalities of a sample with those of all other samples."""

import math
from collections.abc import Sequence
from itertools import combinations
from numbers import Real
from typing import Unpack

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import normalize
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_simvae._batch import Terms
from sklearn_simvae._needs import Needs
from sklearn_simvae._parameter_types import MultimodalParameters, Sizes
from sklearn_simvae._parameters import POSITIVE
from sklearn_simvae.discriminative.base import BaseDiscriminative
from sklearn_simvae.losses import clip
from sklearn_simvae.losses.reduction import mean_over_views, mean_terms
from sklearn_simvae.multimodal.base import BaseMultimodal
from sklearn_simvae.multimodal.present import encode_present
from sklearn_simvae.multimodal.samples import ModalSamples
from sklearn_simvae.multimodal.zero_shot import ZeroShotClassifier
from sklearn_simvae.networks import LivingPart, make_encoder, projection_head
from sklearn_simvae.training import reads


class LogitScale(LivingPart):
    """The learned scale of similarities, up to a limit.

    Parameters
    ----------
    temperature : float
        Inverse of the first scale.
    """

    def __init__(self, temperature: float):
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    @torch.no_grad()
    def on_step_end(self, run) -> None:
        """Clip the scale to its limit, beyond which it would get no gradient.

        Parameters
        ----------
        run : Run
            Fit that is running.
        """
        self.log_scale.clamp_(max=math.log(run.parameters["max_logit_scale"]))

    def forward(self, largest: float) -> Tensor:
        """Return the scale.

        Parameters
        ----------
        largest : float
            Limit of the scale.

        Returns
        -------
        scale : scalar Tensor
            The scale, with its gradient.
        """
        return self.log_scale.clamp(max=math.log(largest)).exp()


class ClipNetwork(nn.Module):
    """An encoder and a projection head for each modality, and the scale of their similarities.

    Parameters
    ----------
    encoders, heads : list of Module
        Networks of each modality.
    n_components : int
        Number of outputs of the encoders.
    temperature : float
        Inverse of the first scale of the similarities.
    """

    def __init__(self, encoders, heads, n_components, temperature):
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        self.heads = nn.ModuleList(heads)
        self.n_components = n_components
        self.scale = LogitScale(temperature)

    @property
    def encoder(self) -> nn.ModuleList:
        """Encoders of the modalities."""
        return self.encoders

    def latents(self, views: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Encode modalities.

        Parameters
        ----------
        views : sequence of Tensor of shape (batch, *shape)
            Modalities.
        mask : Tensor of bool of shape (batch, n_modalities)
            False where a modality is missing.

        Returns
        -------
        z : Tensor of float32 of shape (batch, n_modalities, n_components)
            Directions, of length 1.
        """
        return F.normalize(encode_present(self.encoders, views, mask), dim=-1)

    def latents_of(self, j: int, x: Tensor) -> Tensor:
        """Encode rows of one modality.

        Parameters
        ----------
        j : int
            Number of the modality.
        x : Tensor of shape (N, *shape)
            Rows that have it.

        Returns
        -------
        z : Tensor of float32 of shape (N, n_components)
            Directions, of length 1.
        """
        return F.normalize(self.encoders[j](x).float(), dim=-1)

    def forward(self, views: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Project modalities.

        Parameters
        ----------
        views : sequence of Tensor of shape (batch, *shape)
            Modalities.
        mask : Tensor of bool of shape (batch, n_modalities)
            False where a modality is missing.

        Returns
        -------
        z : Tensor of float32 of shape (batch, n_modalities, d)
            Directions, of length 1.
        """
        both = zip(self.encoders, self.heads, strict=True)
        networks = [nn.Sequential(*pair) for pair in both]
        return F.normalize(encode_present(networks, views, mask), dim=-1)


class CLIP(BaseMultimodal, BaseDiscriminative):
    """Contrastive representations of several modalities, similar for those of one sample.

    `fit` minimizes :func:`~sklearn_simvae.losses.clip` of the projections, averaged over the pairs
    of modalities, with a learned scale of the similarities. Samples that lack a modality count in
    the pairs that they have. Each pair of modalities is weighted by the number of samples in a
    batch that have both, and left out if there are fewer than two.

    Parameters
    ----------
    n_components : int, default=10
        Number of features.
    {modalities}
    temperature : float, default=0.07
        Inverse of the first scale of the similarities; the scale is learned.
    max_logit_scale : float, default=100.0
        Largest scale of the similarities.
    projection_layer_sizes : int or array-like of int, default=()
        Widths of a projection head on each encoder, which `transform` leaves out and `project`
        applies. `()` means no head, so that both return the same.
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    MultimodalSimVAE : Generates one modality from another.
    SimCLR : Contrasts views that are augmentations.
    sklearn.cross_decomposition.CCA : Linear method for two modalities.

    References
    ----------
    Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML
    2021.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_simvae import CLIP
    >>> X = load_digits().data / 16
    >>> halves = [("upper", "auto", slice(0, 32)), ("lower", "auto", slice(32, 64))]
    >>> clip = CLIP(modalities=halves, hidden_layer_sizes=(64,), max_epochs=5, random_state=0)
    >>> clip.fit_transform(X).shape
    (1797, 10)
    >>> clip.transform(X, modality="upper").shape
    (1797, 10)
    """

    _parameter_constraints = {
        **BaseDiscriminative._parameter_constraints,
        **BaseMultimodal._parameter_constraints,
        "temperature": [POSITIVE],
        "max_logit_scale": [Interval(Real, 1.0, None, closed="left")],
    }
    _not_shared = {**BaseMultimodal._not_shared, "chunk_size": "auto"}
    _structure = (*BaseMultimodal._structure, "projection_layer_sizes")

    def __init__(
        self,
        n_components: int = 10,
        *,
        temperature: float = 0.07,
        max_logit_scale: float = 100.0,
        projection_layer_sizes: Sizes = (),
        **shared: Unpack[MultimodalParameters],
    ):
        super().__init__(
            n_components,
            projection_layer_sizes=projection_layer_sizes,
            **shared,
        )
        self.temperature = temperature
        self.max_logit_scale = max_logit_scale

    def _build_module(self, layout, unit_interval, sizes):
        encoders = [
            make_encoder(
                modality.encoder,
                kind=modality.layout.kind,
                input_shape=modality.layout.network_shape,
                n_outputs=self.n_components,
                hidden_layer_sizes=own,
            )
            for modality, own in zip(layout.modalities, sizes, strict=True)
        ]
        heads = [
            projection_head(self.n_components, self.projection_layer_sizes, batch_norm=True)
            for _ in encoders
        ]
        return ClipNetwork(encoders, heads, self.n_components, self.temperature)

    def _needs(self):
        # Samples without a pair are no negatives, which are the other samples of the batch.
        return Needs(views=1, scored_samples=2, batch_size=512, pairs=True)

    def _reader(self, anew=False):
        reader = super()._reader(anew)
        if anew:
            # Later ones may come in parts, of which some hold no pairs.
            reader.require(_check_pairs)
        return reader

    def _check_scored(self, samples):
        fewest = self._needs().scored_samples
        if samples.n_pairs < fewest:
            raise ValueError(
                f"The objective of CLIP compares pairs, and needs at least {fewest} rows "
                f"with the same two of the modalities {samples.layout.names}; got "
                f"{samples.n_pairs}. Give more rows, or use larger folds in cross-validation."
            )

    def _latent(self, module, batch):
        return mean_over_views(module.latents(batch.views, batch.mask), batch.mask)

    def _project(self, module, batch):
        return module(batch.views, batch.mask)

    def _loss(self, z, batch, module):
        scale = module.scale(self.max_logit_scale)
        pairs = [
            clip(z[:, a], z[:, b], scale, batch.mask[:, a] & batch.mask[:, b], return_terms=True)
            for a, b in combinations(range(z.shape[1]), 2)
        ]
        weights = _weights(batch.mask)
        n_pairs = weights.sum()
        terms = mean_terms(pairs, weights / n_pairs.clamp(min=1))
        return Terms(terms.loss, {**terms.parts, "logit_scale": scale}, n_pairs)

    # ---------------------------------------------------------------- use

    @reads
    def project(self, X, modality=None) -> np.ndarray:
        """Compute the directions that the objective compares, after the projection heads.

        Parameters
        ----------
        X : array-like, DataFrame, sparse matrix or dict
            Same as in :meth:`transform`, whose output is the input of the heads.
        modality : str, default=None
            Same as in :meth:`transform`.

        Returns
        -------
        P : ndarray of float32 of shape (n, projection_layer_sizes[-1])
            Directions of length 1 for one modality, else their mean over those that a row has.

        Raises
        ------
        ValueError
            Same as in :meth:`transform`.
        """

        def directions(batch):
            return mean_over_views(self._project(self.module_, batch), batch.mask)

        return self._apply(directions, self._samples_of(X, modality))

    @reads
    def similarity(self, Xa, Xb, modalities=None) -> np.ndarray:
        """Compute the cosine similarities of each row of one modality with each of another.

        The whole matrix has to fit in memory; if it does not, see
        :func:`~sklearn_simvae.multimodal.retrieve`.

        Parameters
        ----------
        Xa, Xb : array-like, DataFrame, sparse matrix or dict
            Same as in :meth:`transform`.
        modalities : (str, str), default=None
            Modality of Xa, and that of Xb. None means the first and the second.

        Returns
        -------
        similarity : ndarray of float32 of shape (n_a, n_b)
            Cosines, from -1 to 1.

        Raises
        ------
        ValueError
            Same as in :meth:`transform`.
        """
        a, b = self._two(modalities)
        Pa, Pb = self.project(Xa, a), self.project(Xb, b)
        return normalize(Pa) @ normalize(Pb).T

    def zero_shot_classifier(self, prompts, classes=None, *, modalities=None) -> ZeroShotClassifier:
        """Make a classifier whose classes are given by descriptions, without labeled samples.

        Parameters
        ----------
        prompts : array-like or dict
            One or several descriptions of each class, in the second of the `modalities`.
        classes : array-like of shape (n_prompts,), default=None
            Class of each prompt. The prompts of a class are averaged. None means that each prompt
            is the name of its class.
        modalities : (str, str), default=None
            Modality of the rows to classify, and modality of the prompts. None means the first and
            the second.

        Returns
        -------
        classifier : ZeroShotClassifier
            Fitted classifier.

        Raises
        ------
        ValueError
            If there are not as many classes as prompts, if there are no classes and prompts are not
            names, or same as in :meth:`transform`.
        """
        a, b = self._two(modalities)
        if classes is None and np.ndim(prompts) != 1:
            raise ValueError(
                f"Prompts of shape {np.shape(prompts)} name no classes. Give classes, one for each."
            )
        # Frozen, so that clones of the classifier keep what was learned.
        classifier = ZeroShotClassifier(FrozenEstimator(self), a, b)
        return classifier.fit(prompts, prompts if classes is None else classes)

    def _two(self, modalities) -> tuple[str, str]:
        check_is_fitted(self, "net_")
        names = self.layout_.names[:2] if modalities is None else modalities
        if isinstance(names, str) or len(names) != 2:
            raise ValueError(
                f"modalities must be two of the names {self.layout_.names}, got {modalities!r}."
            )
        for name in names:
            self.layout_.index(name)
        return tuple(names)


def _weights(mask: Tensor) -> Tensor:
    """Count the rows with both modalities of each pair; 0 if there is only one."""
    pairs = combinations(mask.unbind(1), 2)
    n_rows = torch.stack([(a & b).sum() for a, b in pairs]).float()
    return n_rows.masked_fill(n_rows < 2, 0.0)


def _check_pairs(samples: ModalSamples) -> None:
    # A single row is refused as by all methods.
    if samples.n_pairs < 2 <= len(samples):
        raise ValueError(
            f"{samples.n_pairs or 'No'} row of X has the same two of the modalities "
            f"{samples.layout.names}: there are no pairs to learn from; 2 are needed. Rows of one "
            "sample must have the same place in each modality."
        )
