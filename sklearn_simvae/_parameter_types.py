"""The types of the parameters that estimators share."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypedDict

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import Tensor, nn

from sklearn_simvae._parameters import Likelihood

Sizes = int | Sequence[int] | np.ndarray


class TrainingParameters(TypedDict, total=False):
    """Types of the parameters of every estimator, as keywords."""

    hidden_layer_sizes: Sizes | Literal["auto"]
    max_epochs: int | Literal["auto"]
    batch_size: int | Literal["auto"]
    lr: float
    weight_decay: float
    optimizer: Literal["adam", "adamw", "sgd"] | Callable[..., torch.optim.Optimizer]
    lr_schedule: Literal["one_cycle", "cosine", "constant"]
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    warm_start: bool
    device: str | torch.device
    precision: Literal["auto", "float32", "bf16"]
    compile: bool
    callbacks: list[Any] | tuple[Any, ...] | Callback | None
    verbose: int
    random_state: int | np.random.RandomState | None


class SharedParameters(TrainingParameters, total=False):
    """Types of the parameters of the estimators whose rows are of one kind."""

    kind: Literal["auto", "vector", "image", "series"]
    channels: Literal["auto", "first", "last"]
    group_column: str | int | None
    encoder: str | Callable[..., nn.Module]
    # The last two are of ContentStyleVAE alone: no subclass may change the type of a key.
    representation: Literal["latent", "hidden", "content", "style"]
    n_views: int
    augmentation: Literal["auto"] | Callable[..., Tensor] | None
    input_shape: tuple[int, ...] | list[int] | None


class GenerativeParameters(SharedParameters, total=False):
    """Types of the parameters of the methods that model p(x | z)."""

    decoder: str | Callable[..., nn.Module]
    noise_variance: float | Literal["learned"]
    likelihood: Likelihood | list[tuple[str, Any]]


class DiscriminativeParameters(SharedParameters, total=False):
    """Types of the parameters of the methods that compare views."""

    projection_layer_sizes: Sizes
    chunk_size: int | Literal["auto"]


class MultimodalParameters(TrainingParameters, total=False):
    """Types of the parameters of the methods whose views are modalities."""

    modalities: list[Any] | tuple[Any, ...] | None
    preprocessing: list[Any] | tuple[Any, ...]
    input_shapes: dict[str, Any] | None
    augmentations: dict[str, Any] | None


class SharedAttributes:
    """Types of the shared parameters as attributes, for editors and type checkers."""

    n_components: int
    hidden_layer_sizes: Sizes | Literal["auto"]
    encoder: str | Callable[..., nn.Module]
    representation: str
    n_views: int
    augmentation: str | Callable[..., Tensor] | None
    input_shape: tuple[int, ...] | list[int] | None
    max_epochs: int | Literal["auto"]
    batch_size: int | Literal["auto"]
    lr: float
    weight_decay: float
    optimizer: str | Callable[..., torch.optim.Optimizer]
    lr_schedule: str
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    warm_start: bool
    device: str | torch.device
    precision: str
    compile: bool
    callbacks: Any
    verbose: int
    random_state: int | np.random.RandomState | None
    group_column: str | int | None
    kind: str
    channels: str
