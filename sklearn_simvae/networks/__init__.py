"""Encoders, decoders and projection heads."""

from .factory import make_decoder, make_encoder
from .heads import hidden_features, projection_head

__all__ = ["hidden_features", "make_decoder", "make_encoder", "projection_head"]
