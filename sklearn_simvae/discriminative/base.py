"""What the discriminative estimators share: a projection head, a score and a look for collapse."""

import warnings
from abc import abstractmethod

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from sklearn_simvae._parameters import COUNT
from sklearn_simvae.base import SSLTransformer
from sklearn_simvae.networks import make_encoder, projection_head
from sklearn_simvae.training import BatchLoader, isolated_random_state

_PROBE_ROWS = 512
# Below this ratio of spread to size, rows are told apart by rounding rather than by content.
_COLLAPSED_SPREAD = 1e-2


class Projector(nn.Module):
    """An encoder, and the projection head on which the objective looks.

    Parameters
    ----------
    encoder : Module
        `(N, *shape) -> (N, n_components)`.
    head : Module
        `(N, n_components) -> (N, d)`.
    """

    def __init__(self, encoder: nn.Module, head: nn.Module):
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, views: Tensor) -> Tensor:
        """Project views.

        Parameters
        ----------
        views : Tensor of shape (batch, n_views, *shape)
            Views.

        Returns
        -------
        z : Tensor of float32 of shape (batch, n_views, d)
            Their projections.
        """
        return self.head(self.encoder(views.flatten(0, 1))).float().unflatten(0, views.shape[:2])


class DiscriminativeTransformer(SSLTransformer):
    """Base of the methods that compare views without modelling them. A method adds `_loss`."""

    _parameter_constraints = {
        **SSLTransformer._parameter_constraints,
        "projection_sizes": ["array-like", COUNT],
    }
    _min_views = 2

    def __init__(self, n_components=10, *, projection_sizes=(64, 64), **shared):
        super().__init__(n_components, **shared)
        self.projection_sizes = projection_sizes

    @abstractmethod
    def _loss(self, z: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
        """The "loss" of projections (batch, n_views, d), and its terms."""

    def _build_module(self, layout, unit_interval):
        encoder = make_encoder(
            self.encoder,
            kind=layout.kind,
            input_shape=layout.network_shape,
            n_outputs=self.n_components,
            hidden_layer_sizes=self.hidden_layer_sizes,
        )
        return Projector(encoder, projection_head(self.n_components, self.projection_sizes))

    def _objective(self, module, views, mask, generator):
        z = module(views)
        # Similarities and covariances need more digits than autocast would leave them.
        with torch.autocast(z.device.type, enabled=False):
            return self._loss(z, mask)

    def project(self, X) -> np.ndarray:
        """What the objective sees: representations after the projection head.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            As for :meth:`transform`, which gives what goes into the head.

        Returns
        -------
        P : ndarray of float32 of shape (n, projection_sizes[-1])
            Averaged over the views where X has a views axis.
        """
        samples = self._read(X)
        with torch.inference_mode():
            parts = [self.module_(views).mean(1) for _, views in self._batches(samples)]
        return torch.cat(parts).cpu().numpy()

    def score(self, X, y=None, groups=None) -> float:
        """Mean objective of a sample, the negative loss; higher is better.

        It is deterministic: views are made with fixed draws, in batches of the size of `fit` and in
        the order of X. It may be compared between settings of the network and its training, not
        between batch sizes, temperatures, weights, augmentations or projection heads.

        Parameters
        ----------
        X : array-like
            As for :meth:`fit`.
        y : None
            Ignored.
        groups : array-like of shape (n,), default=None
            As for :meth:`fit`.

        Returns
        -------
        score : float
            The objective.
        """
        samples = self._read(X, groups)
        samples.n_views = self.n_views
        make_views = self._view_maker(samples)
        device = torch.device(self.net_.device)
        generator = torch.Generator(device).manual_seed(0)
        total = 0.0
        with torch.inference_mode(), isolated_random_state(0, device):
            for rows, mask in BatchLoader(samples, self.net_.batch_size, device):
                views = make_views(rows, generator=generator)
                terms = self._objective(self.module_, views, mask, generator)
                total -= float(terms["loss"]) * len(rows)
        return total / len(samples)

    def _warn_if_collapsed(self, samples):
        with torch.inference_mode():
            z = self.encoder_(samples.some_views(_PROBE_ROWS, self.net_.device)).double()
        spread = float((z.std(0).square().mean() / z.square().mean().clamp(min=1e-300)).sqrt())
        if spread < _COLLAPSED_SPREAD:
            warnings.warn(
                f"{type(self).__name__} has collapsed: the representations of {len(z)} samples "
                f"differ by {spread:.2%} of their size. Try a smaller lr, more samples a batch, a "
                "larger weight of what stands against collapse, or a stronger augmentation.",
                ConvergenceWarning,
            )
