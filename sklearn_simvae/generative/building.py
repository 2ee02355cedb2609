"""Networks of the generative methods, made of an estimator's parameters."""

from sklearn_simvae.generative.autoencoder import AutoEncoder
from sklearn_simvae.generative.likelihoods import LIKELIHOODS, ByColumn, Gaussian
from sklearn_simvae.networks import make_decoder, make_encoder
from sklearn_simvae.views import Layout


def make_autoencoder(
    estimator, layout: Layout, unit_interval: bool, sizes, encoder, likelihood, noise_variance
) -> AutoEncoder:
    """Build the module for one kind of data."""
    shape = layout.network_shape
    encoder_module = make_encoder(
        encoder,
        kind=layout.kind,
        input_shape=shape,
        n_outputs=2 * estimator.n_components,
        hidden_layer_sizes=sizes,
        fill_missing="indicator" if layout.missing else None,
        padded=layout.ragged,
    )
    decoder_module = make_decoder(
        estimator.decoder,
        encoder=encoder,
        kind=layout.kind,
        n_components=estimator.n_components,
        output_shape=shape,
        hidden_layer_sizes=sizes,
        padded=layout.ragged,
    )
    return AutoEncoder(
        encoder_module,
        decoder_module,
        estimator.n_components,
        likelihood_of(likelihood, unit_interval, layout),
        noise_variance,
        layout.missing or layout.ragged,
    )


def likelihood_of(likelihood, unit_interval: bool, layout: Layout) -> Gaussian:
    """Make the likelihood of one kind of data."""
    if layout.blocks:
        return ByColumn(layout.blocks)
    if likelihood == "auto":
        return Gaussian(squash=unit_interval)
    return LIKELIHOODS[likelihood]()
