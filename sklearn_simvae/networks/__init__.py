"""Encoders, decoders, projection heads and teachers."""

from .factory import make_decoder, make_encoder
from .heads import hidden_features, projection_head
from .teacher import Teacher

__all__ = ["Teacher", "hidden_features", "make_decoder", "make_encoder", "projection_head"]
