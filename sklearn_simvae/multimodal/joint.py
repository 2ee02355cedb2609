"""The module of MultimodalSimVAE: autoencoders that meet in the prior of their latents alone."""

import torch
from torch import Tensor, nn

from sklearn_simvae.generative.autoencoder import AutoEncoder, posterior
from sklearn_simvae.multimodal.present import (
    encode_present,
    of_present,
    present_modalities,
    split_modalities,
)


class JointAutoEncoder(nn.Module):
    """An autoencoder for each modality; only the prior of their latents connects them.

    Parameters
    ----------
    layout : ModalLayout
        Layout of the rows.
    parts : list of AutoEncoder
        Autoencoders of the modalities.
    """

    def __init__(self, layout, parts: list[AutoEncoder]):
        super().__init__()
        self.layout = layout
        self.parts = nn.ModuleList(parts)
        self.n_components = parts[0].n_components

    @property
    def encoders(self) -> list[nn.Module]:
        """Encoders of the modalities."""
        return [part.encoder for part in self.parts]

    def encode(self, views: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the parameters of q(z | x) of each modality.

        Parameters
        ----------
        views : Tensor of shape (batch, 1, n_values)
            Rows, with all modalities.

        Returns
        -------
        mean, log_variance : Tensor of float32 of shape (batch, n_modalities, n_components)
            Parameters of the posteriors, arbitrary where a modality is missing.
        """
        mask, rows = split_modalities(views[:, 0], self.layout)
        return posterior(encode_present(self.encoders, rows, mask))

    def mask(self, views: Tensor) -> Tensor:
        """Find the modalities that each row has.

        Parameters
        ----------
        views : Tensor of shape (batch, 1, n_values)
            Rows, with all modalities.

        Returns
        -------
        mask : Tensor of bool of shape (batch, n_modalities)
            False where a modality is missing.
        """
        return present_modalities(views[:, 0], self.layout)

    def latents(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the means of the latents of rows.

        Parameters
        ----------
        x : Tensor of shape (N, n_values)
            Rows, with all modalities.

        Returns
        -------
        mask : Tensor of bool of shape (N, n_modalities)
            True where a modality is present.
        z : Tensor of float32 of shape (N, n_modalities, n_components)
            Means of the posteriors.
        """
        return self.mask(x.unsqueeze(1)), self.encode(x.unsqueeze(1))[0]

    def log_likelihood(self, views: Tensor, z: Tensor) -> Tensor:
        """Compute log p(x | z) of each modality, in nats.

        Parameters
        ----------
        views : Tensor of shape (batch, 1, n_values)
            Rows to explain.
        z : Tensor of shape (batch, n_modalities, n_components)
            Latents.

        Returns
        -------
        log_likelihood : Tensor of float32 of shape (batch, n_modalities)
            Log-likelihoods, arbitrary where a modality is missing.
        """
        mask, rows = split_modalities(views[:, 0], self.layout)
        values = [
            of_present(
                part.decoder, part.log_likelihood, mask[:, j], x.unsqueeze(1), z[:, j : j + 1]
            )
            for j, (part, x) in enumerate(zip(self.parts, rows, strict=True))
        ]
        return torch.cat(values, dim=1)

    def explained_variance(self, x: Tensor) -> float:
        """Compute the fraction of variance explained, for the modality where it is largest.

        Parameters
        ----------
        x : Tensor of shape (N, n_values)
            Rows, with all modalities.

        Returns
        -------
        r2 : float
            At most 1; 0 for reconstructions by the mean.
        """
        mask, rows = split_modalities(x, self.layout)
        parts = zip(self.parts, rows, mask.T, strict=True)
        return max(part.explained_variance(x[there]) for part, x, there in parts if there.any())
