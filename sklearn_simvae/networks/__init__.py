"""Encoders, decoders, projection heads, and parts that change as training goes on."""

from .factory import make_decoder, make_encoder
from .heads import hidden_features, projection_head
from .living import LivingPart
from .resnet import resnet18_encoder
from .sizes import hidden_sizes
from .teacher import Teacher

__all__ = [
    "LivingPart",
    "Teacher",
    "hidden_features",
    "hidden_sizes",
    "make_decoder",
    "make_encoder",
    "projection_head",
    "resnet18_encoder",
]
