"""Pretrained networks: as transformers that are not trained, and as encoders that are."""

from sklearn_simvae.pretrained.fine_tuned import FineTuned
from sklearn_simvae.pretrained.frozen_encoder import FrozenEncoder

__all__ = ["FineTuned", "FrozenEncoder"]
