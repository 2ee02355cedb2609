"""A slowly changing copy of a network, which gives others the targets to learn from."""

import copy

import torch
from torch import Tensor, nn

from sklearn_simvae.networks.living import LivingPart


class Teacher(LivingPart):
    """Exponential moving average of the weights of a module, without gradient.

    Parameters
    ----------
    student : nn.Module
        Module whose copy the teacher is at first. The teacher keeps no reference to it.

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
        """Return the output of the averaged module.

        Parameters
        ----------
        *args, **kwargs
            Inputs of the module.

        Returns
        -------
        output : Tensor
            Output of the module, without gradient.
        """
        return self.module(*args, **kwargs)

    @torch.no_grad()
    def follow(self, student: nn.Module, decay: float) -> None:
        """Move the weights toward the student's, to `decay * own + (1 - decay) * student's`.

        Statistics of batch normalization are not copied: in training mode, the teacher computes
        its own.

        Parameters
        ----------
        student : nn.Module
            Module with the parameters of the one that was copied; it may have others as well.
        decay : float
            Weight of the teacher's own weights, in [0, 1]; 1 leaves them as they are.
        """
        theirs = dict(student.named_parameters())
        for name, own in self.module.named_parameters():
            own.lerp_(theirs[name], 1 - decay)
