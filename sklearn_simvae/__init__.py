"""Self-supervised representations as scikit-learn transformers."""

from sklearn_simvae.generative import SimVAE

__version__ = "0.1.dev0"

__all__ = ["SimVAE"]
