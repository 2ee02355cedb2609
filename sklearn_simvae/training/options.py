"""The settings of one fit, and its end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_simvae._batch import Batch, Terms
from sklearn_simvae.training.checkpoint import Saved
from sklearn_simvae.views.view_maker import ViewMaker


@dataclass(frozen=True)
class FitOptions:
    """Settings of one fit, all of them resolved.

    Parameters
    ----------
    name : str
        Name of the estimator, for messages.
    n_epochs : int
        Passes over the samples.
    batch_size : int
        The most samples in a step, of all processes together.
    loss : callable
        `(module, batch, generator) -> Terms`.
    latent : callable
        `(module, batch) -> z`, representations of samples.
    make_views : ViewMaker
        From batches as they are read to views, on the device.
    lr : float, default=1e-3
        Peak of the learning rate.
    lr_schedule : str, default="constant"
        See :func:`~sklearn_simvae.training.lr_factor`.
    bf16 : bool, default=False
        Whether a step runs under bf16 autocast.
    callbacks : list, default=[]
        Skorch callbacks, or `(name, callback)`.
    record_batches : bool, default=False
        Whether callbacks find skorch's record of every batch.
    parameters : mapping, default={}
        Parameters of the estimator by name, for the living parts of the module.
    feature_names : ndarray of str or None, default=None
        Names of the columns.
    saved : Saved or None, default=None
        The checkpoint of this fit, after whose epochs it goes on.
    description : mapping, default={}
        Identity of the fit, by which its checkpoint knows it again.
    as_fitted : callable, default=None
        `(net) -> estimator`, the estimator as if the fit had ended now.
    """

    name: str
    n_epochs: int
    batch_size: int
    loss: Callable[[nn.Module, Batch, torch.Generator], Terms]
    latent: Callable[[nn.Module, Batch], Tensor]
    make_views: ViewMaker
    lr: float = 1e-3
    lr_schedule: str = "constant"
    bf16: bool = False
    callbacks: list = field(default_factory=list)
    record_batches: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    feature_names: np.ndarray | None = None
    saved: Saved | None = None
    description: Mapping[str, Any] = field(default_factory=dict)
    as_fitted: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class FitResult:
    """The end of a fit.

    Parameters
    ----------
    interrupted : bool
        Whether the user stopped it, after at least one whole epoch.
    views_range : tuple of float or None
        Least and greatest value of the augmented views of the last epoch.
    """

    interrupted: bool
    views_range: tuple[float, float] | None
