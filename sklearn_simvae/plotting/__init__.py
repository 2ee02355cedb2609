"""Figures of estimators and their results, as Display classes in the manner of scikit-learn.

The `from_...` class methods compute and plot. The display keeps what they computed, and `plot`
draws it again. These methods need matplotlib: ``pip install "sklearn-simvae[plot]"``.
"""

from sklearn_simvae.plotting.embedding import EmbeddingDisplay
from sklearn_simvae.plotting.probe import ProbeDisplay
from sklearn_simvae.plotting.recombination import RecombinationDisplay
from sklearn_simvae.plotting.reconstruction import ReconstructionDisplay
from sklearn_simvae.plotting.sample import SampleDisplay
from sklearn_simvae.plotting.training_history import TrainingHistoryDisplay
from sklearn_simvae.plotting.traversal import TraversalDisplay
from sklearn_simvae.plotting.views import ViewsDisplay

__all__ = [
    "EmbeddingDisplay",
    "ProbeDisplay",
    "RecombinationDisplay",
    "ReconstructionDisplay",
    "SampleDisplay",
    "TrainingHistoryDisplay",
    "TraversalDisplay",
    "ViewsDisplay",
]
