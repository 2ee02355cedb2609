"""Training with skorch: batches by index, precision, schedules, and one record per epoch."""

from sklearn_simvae.training.batching import BatchLoader, auto_batch_size, auto_max_epochs
from sklearn_simvae.training.callbacks import FitProgress, KNNScore, StopEarly
from sklearn_simvae.training.checkpoint import ResumeCheckpoint
from sklearn_simvae.training.gradient_cache import auto_chunk_size, encode_in_chunks
from sklearn_simvae.training.hardware import resolve_device, resolve_precision
from sklearn_simvae.training.kept import DivergenceError
from sklearn_simvae.training.modes import bf16_autocast, inference, own_modes
from sklearn_simvae.training.net import SSLNet, TotalLoss
from sklearn_simvae.training.optimizers import optimizer_parameters
from sklearn_simvae.training.options import FitOptions, FitResult
from sklearn_simvae.training.random_state import isolated_random_state, random_turn
from sklearn_simvae.training.run import Run
from sklearn_simvae.training.schedules import SCHEDULES, lr_factor
from sklearn_simvae.training.team import ProcessLostError
from sklearn_simvae.training.turns import reads, turns_of

__all__ = [
    "SCHEDULES",
    "BatchLoader",
    "DivergenceError",
    "FitOptions",
    "FitProgress",
    "FitResult",
    "KNNScore",
    "ProcessLostError",
    "ResumeCheckpoint",
    "Run",
    "SSLNet",
    "StopEarly",
    "TotalLoss",
    "auto_batch_size",
    "auto_chunk_size",
    "auto_max_epochs",
    "bf16_autocast",
    "encode_in_chunks",
    "inference",
    "isolated_random_state",
    "lr_factor",
    "optimizer_parameters",
    "own_modes",
    "random_turn",
    "reads",
    "resolve_device",
    "resolve_precision",
    "turns_of",
]
