"""A slow copy of a network, for others to learn from."""

import copy

import torch
from torch import Tensor, nn

from sklearn_simvae.networks.living import LivingPart


class Teacher(LivingPart):
    """An exponential moving average of a module, without gradient.

    Parameters
    ----------
    student : nn.Module
        What to copy and to follow. It is not kept.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.networks import Teacher
    >>> student = torch.nn.Linear(1, 1)
    >>> teacher = Teacher(student)
    >>> with torch.no_grad():
    ...     _ = student.weight.zero_()
    >>> teacher.follow(student, decay=0.0)
    >>> teacher(torch.ones(1, 1)) == student.bias
    tensor([[True]])
    """

    def __init__(self, student: nn.Module):
        super().__init__()
        self.module = copy.deepcopy(student).requires_grad_(False)

    @torch.no_grad()
    def forward(self, *args, **kwargs) -> Tensor:
        """What the averaged module gives.

        Parameters
        ----------
        *args, **kwargs
            As for the module.

        Returns
        -------
        output : Tensor
            Without gradient.
        """
        return self.module(*args, **kwargs)

    @torch.no_grad()
    def follow(self, student: nn.Module, decay: float) -> None:
        """Move towards the student: weights to `decay * own + (1 - decay) * student's`.

        Statistics of batch normalisation are not taken over: in training mode it keeps its own.

        Parameters
        ----------
        student : nn.Module
            Of the structure that was copied; it may have gained parts since.
        decay : float
            In [0, 1]; 1 stands still.
        """
        theirs = dict(student.named_parameters())
        for name, own in self.module.named_parameters():
            own.lerp_(theirs[name], 1 - decay)
