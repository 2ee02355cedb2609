"""DeepCluster: k-means clusters the samples, and each view predicts the cluster of its sample."""

from dataclasses import replace
from typing import Unpack

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklearn_simvae._parameter_types import DiscriminativeParameters
from sklearn_simvae._parameters import COUNT, POSITIVE
from sklearn_simvae.discriminative.base import BaseDiscriminative
from sklearn_simvae.losses import deep_cluster
from sklearn_simvae.networks import LivingPart


class Clusters(LivingPart):
    """Clusters of the samples, found again at the start of each epoch, and their classifier.

    Parameters
    ----------
    n_features : int
        Width of the projections.
    """

    def __init__(self, n_features: int):
        super().__init__()
        self.prototypes = nn.Parameter(torch.empty(0, n_features))
        # Whitening and centers assign clusters to samples that were not fitted.
        for name in ("mean", "whitening", "centers", "sizes"):
            self.register_buffer(name, torch.empty(0))
        self.register_buffer("labels", torch.empty(0, dtype=torch.long), persistent=False)

    def on_epoch_begin(self, run) -> None:
        """Cluster all samples, and reset the classifier to the mean projections of the clusters.

        Parameters
        ----------
        run : Run
            Fit that is running.
        """
        # Imported here, since it takes a tenth of a second.
        from sklearn.cluster import MiniBatchKMeans

        latents = run.latents()
        self._whiten(latents)
        features = self._directions(latents).cpu().numpy()
        n_clusters = max(1, min(run.parameters["n_clusters"], len(latents) // 2))
        kmeans = MiniBatchKMeans(n_clusters, batch_size=4096, n_init=1).fit(features)
        centers, labels = reseed_empty_clusters(
            features, kmeans.cluster_centers_, kmeans.labels_.astype(np.int64)
        )
        self.centers = latents.new_tensor(centers)
        self.labels = torch.from_numpy(labels).to(latents.device)
        self.sizes = torch.bincount(self.labels, minlength=n_clusters)
        # On the CPU, which adds in the same order each time.
        directions = run.module.directions(latents).cpu()
        sums = directions.new_zeros(n_clusters, directions.shape[1])
        sums.index_add_(0, self.labels.cpu(), directions)
        run.replace_parameter(self, "prototypes", F.normalize(sums, dim=1).to(latents.device))

    def nearest(self, latents: Tensor) -> Tensor:
        """Assign representations to the cluster with the nearest center.

        Parameters
        ----------
        latents : Tensor of shape (n, n_components)
            Representations of samples.

        Returns
        -------
        labels : Tensor of int of shape (n,)
            Indices of the clusters.
        """
        return torch.cdist(self._directions(latents), self.centers).argmin(1)

    def _whiten(self, latents: Tensor) -> None:
        from sklearn.decomposition import PCA

        with np.errstate(invalid="ignore"):  # explained variance ratios of constant data, not used
            pca = PCA().fit(latents.cpu().double().numpy())
        # Directions without variance would be blown up to noise.
        variance = np.maximum(pca.explained_variance_, 1e-12)
        kept = variance > 1e-6 * variance[0]
        # Zeros instead of fewer columns, so that buffers have one shape in all epochs.
        factors = kept / np.sqrt(variance)
        self.mean = latents.new_tensor(pca.mean_)
        self.whitening = latents.new_tensor((pca.components_ * factors[:, None]).T)

    def _directions(self, latents: Tensor) -> Tensor:
        """Whiten and normalize representations."""
        return F.normalize((latents - self.mean) @ self.whitening, dim=1)


class DeepCluster(BaseDiscriminative):
    """Representations of a view that predict the k-means cluster of its sample.

    At the start of each epoch, the representations of all samples, whitened and normalized, are
    clustered by :class:`sklearn.cluster.MiniBatchKMeans`. Empty clusters are filled by splitting
    the largest one. The classifier is reset: it starts with the mean projection of each
    cluster. `fit` then minimizes :func:`~sklearn_simvae.losses.deep_cluster`, which gives each
    cluster the same weight.

    New samples belong to the cluster whose center is nearest to the mean of their views. `score`
    and the objective on the validation part use these assignments. `partial_fit` clusters only the
    samples that it is given.

    Parameters
    ----------
    n_components : int, default=10
        Number of features.
    n_clusters : int, default=100
        Number of clusters, best several times the number of expected classes. It is limited to half
        the number of samples.
    temperature : float, default=0.1
        Divisor of the cosine similarities to the clusters; a smaller one makes predictions sharper.
    {discriminative_parameters}
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    SwAV : Assigns clusters within each batch.
    InstanceDiscrimination : Treats each sample as a class.

    References
    ----------
    Caron et al., "Deep Clustering for Unsupervised Learning of Visual Features", ECCV 2018.

    Examples
    --------
    {example}
    """

    _parameter_constraints = {
        **BaseDiscriminative._parameter_constraints,
        "n_clusters": [COUNT],
        "temperature": [POSITIVE],
    }

    _own_defaults = {"projection_layer_sizes": (1024, 256), "lr": 3e-3}

    def __init__(
        self,
        n_components: int = 10,
        *,
        n_clusters: int = 100,
        temperature: float = 0.1,
        **shared: Unpack[DiscriminativeParameters],
    ):
        super().__init__(n_components, **shared)
        self.n_clusters = n_clusters
        self.temperature = temperature

    def _needs(self):
        # A sample is compared with clusters, which exist already.
        return replace(super()._needs(), scored_samples=1)

    def _add_parts(self, module, n_features):
        module.clusters = Clusters(n_features)

    def _project(self, module, batch):
        z = super()._project(module, batch)
        if module.training:
            return z, module.clusters.labels[batch.indices]
        return z, module.clusters.nearest(self._latent(module, batch))

    def _loss(self, z, batch, module):
        z, labels = z
        clusters = module.clusters
        return deep_cluster(
            z,
            clusters.prototypes,
            labels,
            clusters.sizes,
            self.temperature,
            batch.mask,
            return_terms=True,
        )


def reseed_empty_clusters(
    features: np.ndarray, centers: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fill each empty cluster by splitting the largest one.

    Parameters
    ----------
    features : ndarray of shape (n, d)
        Rows that were clustered.
    centers : ndarray of shape (n_clusters, d)
        Centers of the clusters.
    labels : ndarray of int of shape (n,)
        Cluster of each row.

    Returns
    -------
    centers, labels : ndarray
        New centers and labels. The center of a cluster that was empty is now the row of the largest
        cluster that was farthest from its center, and the rows nearer to the new center move to it.
        No cluster is empty if there are at least as many rows as clusters.
    """
    centers, labels = centers.copy(), labels.copy()
    sizes = np.bincount(labels, minlength=len(centers))
    for empty in np.flatnonzero(sizes == 0):
        largest = sizes.argmax()
        members = np.flatnonzero(labels == largest)
        distances = np.linalg.norm(features[members] - centers[largest], axis=1)
        farthest = distances.argmax()
        centers[empty] = features[members[farthest]]
        moved = np.linalg.norm(features[members] - centers[empty], axis=1) < distances
        moved[farthest] = True
        if moved.all():
            # If rows are equal, or the center was not their mean, one has to stay nevertheless.
            nearest_row = distances.argmin()
            moved[nearest_row if nearest_row != farthest else farthest - 1] = False
        labels[members[moved]] = empty
        sizes = np.bincount(labels, minlength=len(centers))
    return centers, labels
