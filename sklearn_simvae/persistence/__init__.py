"""Saving of fitted estimators: weights as safetensors, pickle, skops and networks as ONNX."""

from sklearn_simvae.persistence.onnx import ONNX_OPSET
from sklearn_simvae.persistence.skops import trusted_types
from sklearn_simvae.persistence.weights import read_metadata

__all__ = ["ONNX_OPSET", "read_metadata", "trusted_types"]
