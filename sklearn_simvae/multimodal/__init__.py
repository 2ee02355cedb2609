"""Modalities as views: pictures and words, sensors and logs, two languages."""

from sklearn_simvae.multimodal.clip import CLIP
from sklearn_simvae.multimodal.retrieval import recall_at_k, retrieve
from sklearn_simvae.multimodal.simvae import MultimodalSimVAE
from sklearn_simvae.multimodal.zero_shot import ZeroShotClassifier

__all__ = ["CLIP", "MultimodalSimVAE", "ZeroShotClassifier", "recall_at_k", "retrieve"]
