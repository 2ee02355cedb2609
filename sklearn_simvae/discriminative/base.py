"""Base of the discriminative estimators: projection head, score and check for collapse."""

import warnings
from abc import abstractmethod
from typing import Literal, Unpack

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_simvae._batch import Batch, Terms
from sklearn_simvae._checks import check_sizes
from sklearn_simvae._fitting import PROBE_ROWS
from sklearn_simvae._needs import Needs
from sklearn_simvae._numerics import smooth_rank
from sklearn_simvae._parameter_types import DiscriminativeParameters, Sizes
from sklearn_simvae._parameters import constraints_of, structure_of
from sklearn_simvae._shared_parameters import DISCRIMINATIVE
from sklearn_simvae.base import BaseSSL
from sklearn_simvae.losses.reduction import mean_over_views
from sklearn_simvae.networks import LivingPart, make_encoder, projection_head
from sklearn_simvae.training import (
    BatchLoader,
    auto_chunk_size,
    encode_in_chunks,
    inference,
    isolated_random_state,
    random_turn,
    reads,
)
from sklearn_simvae.training.checks import check_batches, check_views
from sklearn_simvae.training.distributed import n_processes
from sklearn_simvae.training.exchange import from_first, gather_batch
from sklearn_simvae.views import FeatureCorruption, Samples
from sklearn_simvae.views.hints import not_finite

# Below this ratio of spread to size, representations differ by rounding rather than by content.
_COLLAPSED_SPREAD = 1e-2
# Effective rank below which only one direction is left.
_COLLAPSED_RANK = 1.1


class Projector(LivingPart):
    """An encoder and the projection head whose outputs the objective compares.

    Parameters
    ----------
    encoder : Module
        Network `(N, *shape) -> (N, n_components)`.
    head : Module
        Network `(N, n_components) -> (N, d)`.
    """

    def __init__(self, encoder: nn.Module, head: nn.Module):
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.chunk_size = None

    def on_fit_begin(self, run) -> None:
        """Choose how many views to encode at a time.

        Parameters
        ----------
        run : Run
            Fit that begins.
        """
        x = run.train.some_views(2, run.device)
        self.eval()
        chunk_size = run.parameters["chunk_size"]
        if chunk_size == "auto":
            chunk_size = auto_chunk_size(self.encoder, x)
        if n_processes() > 1:
            # The same number of even chunks in each process: batch norm waits for all of them.
            n_rows = -(-run.options.batch_size // n_processes()) * run.train.n_step_views
            chunk_size = from_first(-(-n_rows // -(-n_rows // chunk_size)))
        self.chunk_size = chunk_size

    def forward(self, views: Tensor) -> Tensor:
        """Project views.

        Parameters
        ----------
        views : Tensor of shape (batch, n_views, *shape)
            Batch of views.

        Returns
        -------
        z : Tensor of float32 of shape (batch, n_views, d)
            Projections of the views.
        """
        x = views.flatten(0, 1)
        z = encode_in_chunks(self.encoder, x, self.chunk_size or len(x))
        return self.head(z).float().reshape(*views.shape[:2], -1)

    @torch.no_grad()
    def directions(self, latents: Tensor) -> Tensor:
        """Project and normalize representations, for cosine similarities.

        Parameters
        ----------
        latents : Tensor of shape (n, n_components)
            Outputs of the encoder.

        Returns
        -------
        directions : Tensor of float32 of shape (n, d)
            Projections of length 1, without gradient.
        """
        return F.normalize(self.head(latents).float(), dim=1)


class BaseDiscriminative(BaseSSL):
    """Base of the methods that compare views without modeling them. A method adds `_loss`."""

    _tables = {"discriminative_parameters": DISCRIMINATIVE}
    _parameter_constraints = {
        **BaseSSL._parameter_constraints,
        **constraints_of(DISCRIMINATIVE),
    }
    _structure = (*BaseSSL._structure, *structure_of(DISCRIMINATIVE))

    projection_layer_sizes: Sizes
    chunk_size: int | Literal["auto"]

    def __init__(self, n_components: int = 10, **shared: Unpack[DiscriminativeParameters]):
        super().__init__(n_components, **shared)

    # ---------------------------------------------------------------- what a method adds

    @abstractmethod
    def _loss(self, z: Tensor, batch: Batch, module: Projector) -> Terms:
        """Compute the loss of projections (batch, n_views, d) and its parts, as sample means."""

    def _needs(self):
        # A single sample has nothing to be compared with, and no covariance.
        return Needs(views=2, scored_samples=2)

    def _add_parts(self, module: Projector, n_features: int) -> None:
        """Add the parts that the objective needs besides encoder and head."""

    def _project(self, module: Projector, batch: Batch):
        """Compute the argument z of `_loss`."""
        return module(batch.views)

    # ---------------------------------------------------------------- training

    def _build_module(self, layout, unit_interval, sizes):
        encoder = make_encoder(
            self.encoder,
            kind=layout.kind,
            input_shape=layout.network_shape,
            n_outputs=self.n_components,
            hidden_layer_sizes=sizes,
            fill_missing="mean" if layout.missing else None,
            padded=layout.ragged,
        )
        head = projection_head(self.n_components, self.projection_layer_sizes, batch_norm=True)
        module = Projector(encoder, head)
        widths = (
            self.n_components,
            *check_sizes(self.projection_layer_sizes, "projection_layer_sizes"),
        )
        self._add_parts(module, widths[-1])
        return module

    def _default_augmentation(self, layout):
        # Missing values count as corrupted.
        if layout.missing:
            return FeatureCorruption(replace_missing=True)
        return super()._default_augmentation(layout)

    def _objective(self, module, batch, generator):
        z = self._project(module, batch)
        # Similarities and covariances need more digits than autocast keeps.
        with torch.autocast(batch.indices.device.type, enabled=False):
            return self._loss(*gather_batch(z, batch), module)

    def _diagnose(self, samples):
        with inference(self.module_):
            some = samples.some(PROBE_ROWS, self.net_.device)
            z = self._latent(self.module_, some).cpu().double()
        spread = float((z.std(0).square().mean() / z.square().mean().clamp(min=1e-300)).sqrt())
        rank = smooth_rank(z.numpy())
        if spread < _COLLAPSED_SPREAD:
            seen = f"the representations of {len(z)} samples differ by {spread:.2%} of their size"
        elif z.shape[1] > 1 and rank < _COLLAPSED_RANK:
            seen = (
                f"the representations of {len(z)} samples lie on a line, with an effective rank "
                f"of {rank:.2f} in {z.shape[1]} dimensions"
            )
        else:
            return
        warnings.warn(
            f"{type(self).__name__} has collapsed: {seen}. Try a smaller lr, a larger batch_size, "
            "a larger weight of the terms that prevent collapse, or a stronger augmentation.",
            ConvergenceWarning,
        )

    # ---------------------------------------------------------------- use

    @reads
    def project(self, X) -> np.ndarray:
        """Compute the projections that the objective compares, after the projection head.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Same as in :meth:`transform`, whose output is the input of the head.

        Returns
        -------
        P : ndarray of float32 of shape (n, projection_layer_sizes[-1])
            Projections, averaged over the views if X has a views axis.
        """

        def project(batch):
            return mean_over_views(self.module_(batch.views), batch.mask)

        return self._apply(project, self._read(X))

    def _check_scored(self, samples: Samples) -> None:
        """Raise if there are too few samples to compare."""
        fewest = self._needs().scored_samples
        if len(samples) < fewest:
            raise ValueError(
                f"The objective of {type(self).__name__} compares samples, and needs at least "
                f"{fewest}; got {len(samples)}. Give more samples, or use larger folds in "
                "cross-validation."
            )

    def score(self, X, y=None, groups=None) -> float:
        """Compute the mean objective of a sample, the negative loss; higher is better.

        The score is deterministic: views are made with fixed random draws, in batches of the size
        used in `fit` and in the order of X. Scores may be compared between settings of the network
        and its training, but not between batch sizes, temperatures, weights, augmentations or
        projection heads.

        Parameters
        ----------
        X : array-like
            Same as in :meth:`fit`.
        y : None
            Ignored.
        groups : array-like of shape (n,), default=None
            Same as in :meth:`fit`.

        Returns
        -------
        score : float
            Mean of the objective.
        """
        with random_turn():
            return self._score(X, groups)

    @reads
    def _score(self, X, groups):
        reader, needs = self._reader(), self._needs()
        X, groups = reader.split_groups(X, groups, needed=True)
        samples = self._read(X, groups, self.n_views)
        check_views(type(self).__name__, samples, needs.views)
        self._check_scored(samples)
        check_batches(type(self).__name__, samples, self._fitted_batch_size, needs.scored_samples)
        make_views = reader.view_maker(samples)
        device = torch.device(self.net_.device)
        generator = torch.Generator(device).manual_seed(0)
        total = weights = 0.0
        finite = True
        with isolated_random_state(0, device), inference(self.module_):
            for batch in BatchLoader(samples, self._fitted_batch_size, device):
                batch = make_views(batch, generator=generator)
                if make_views.augments and not make_views.values(batch.views).isfinite().all():
                    finite = False
                terms = self._objective(self.module_, batch, generator)
                weight = float(len(batch) if terms.weight is None else terms.weight)
                total -= float(terms.loss) * weight
                weights += weight
        if not np.isfinite(total):
            if not finite:
                raise ValueError(not_finite("The augmentation"))
            raise ValueError(
                f"The objective of {type(self).__name__} is not finite on X, whose numbers "
                "overflow float32. Scale the data to that of fit, e.g. by StandardScaler."
            )
        if not weights:
            raise ValueError(
                f"No batch of {self._fitted_batch_size} samples of X has two that the objective of "
                f"{type(self).__name__} can compare. Leave out rows that have no pair."
            )
        return total / weights
