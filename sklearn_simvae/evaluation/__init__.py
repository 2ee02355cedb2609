"""Measures of representations: content, style, information, and signs of collapse.

Every function takes a fitted transformer, of this package or any other, or an array of
representations.
"""

from sklearn_simvae.evaluation.collapse import (
    alignment,
    collapse_report,
    effective_rank,
    uniformity,
)
from sklearn_simvae.evaluation.generation import frechet_distance, reconstruction_error
from sklearn_simvae.evaluation.information import mutual_information
from sklearn_simvae.evaluation.probes import hungarian_accuracy, probe
from sklearn_simvae.evaluation.style import style_probe
from sklearn_simvae.evaluation.table import ResultTable

__all__ = [
    "ResultTable",
    "alignment",
    "collapse_report",
    "effective_rank",
    "frechet_distance",
    "hungarian_accuracy",
    "mutual_information",
    "probe",
    "reconstruction_error",
    "style_probe",
    "uniformity",
]
