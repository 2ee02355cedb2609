"""What a representation holds."""

from sklearn_simvae.evaluation.collapse import effective_rank

__all__ = ["effective_rank"]
