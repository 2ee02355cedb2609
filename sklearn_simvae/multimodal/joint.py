"""The module of MultimodalSimVAE: autoencoders that meet in the prior of their latents alone."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_simvae.generative.autoencoder import AutoEncoder, posterior
from sklearn_simvae.multimodal.present import encode_present, of_present


class JointAutoEncoder(nn.Module):
    """An autoencoder for each modality; only the prior of their latents connects them.

    Parameters
    ----------
    parts : list of AutoEncoder
        Autoencoders of the modalities.
    """

    def __init__(self, parts: list[AutoEncoder]):
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.n_components = parts[0].n_components

    @property
    def encoder(self) -> list[nn.Module]:
        """Encoders of the modalities."""
        return [part.encoder for part in self.parts]

    def encode(self, views: Sequence[Tensor], mask: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the parameters of q(z | x) of each modality.

        Parameters
        ----------
        views : sequence of Tensor of shape (batch, *shape)
            Modalities.
        mask : Tensor of bool of shape (batch, n_modalities)
            False where a modality is missing.

        Returns
        -------
        mean, log_variance : Tensor of float32 of shape (batch, n_modalities, n_components)
            Parameters of the posteriors, arbitrary where a modality is missing.
        """
        return posterior(encode_present(self.encoder, views, mask))

    def latents_of(self, j: int, x: Tensor) -> Tensor:
        """Compute the means of the posteriors of rows of one modality.

        Parameters
        ----------
        j : int
            Number of the modality.
        x : Tensor of shape (N, *shape)
            Rows that have it.

        Returns
        -------
        mean : Tensor of float32 of shape (N, n_components)
            Latents.
        """
        return self.encoder[j](x).float()[:, : self.n_components]

    def log_likelihood(self, views: Sequence[Tensor], z: Tensor, mask: Tensor) -> Tensor:
        """Compute log p(x | z) of each modality, in nats.

        Parameters
        ----------
        views : sequence of Tensor of shape (batch, *shape)
            Modalities to explain.
        z : Tensor of shape (batch, n_modalities, n_components)
            Latents.
        mask : Tensor of bool of shape (batch, n_modalities)
            False where a modality is missing.

        Returns
        -------
        log_likelihood : Tensor of float32 of shape (batch, n_modalities)
            Log-likelihoods, arbitrary where a modality is missing.
        """
        values = [
            of_present(
                part.decoder, part.log_likelihood, mask[:, j], x.unsqueeze(1), z[:, j : j + 1]
            )
            for j, (part, x) in enumerate(zip(self.parts, views, strict=True))
        ]
        return torch.cat(values, dim=1)

    def explained_variance(self, views: Sequence[Tensor]) -> float:
        """Compute the fraction of variance explained, for the modality where it is largest.

        Parameters
        ----------
        views : sequence of Tensor of shape (n_present, *shape)
            Rows of each modality.

        Returns
        -------
        r2 : float
            At most 1; 0 for reconstructions by the mean, NaN if all modalities are constant.
        """
        both = zip(self.parts, views, strict=True)
        values = [part.explained_variance(x) for part, x in both if len(x)]
        # Unlike `max`, it passes over the NaN of a constant modality, wherever that stands.
        return float(np.fmax.reduce(values))
