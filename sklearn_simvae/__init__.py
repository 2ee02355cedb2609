"""Self-supervised representations as scikit-learn transformers."""

__version__ = "0.1.dev0"
