"""Parts of a network that change while it is trained by more than gradients."""

from torch import nn


class LivingPart(nn.Module):
    """Base of modules that a run tells of its course: teachers, memories, clusters, limits.

    A part is added to the module itself, and overrides what it needs. `run` is the
    :class:`~sklearn_simvae.training.run.Run`: it has the module that is trained, the samples,
    `latents` of them, the estimator's parameters by name, and the progress of the fit. What parts
    draw from the global random states is fixed by the seed of the fit.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.networks import LivingPart
    >>> class Scale(LivingPart):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.value = torch.nn.Parameter(torch.ones(()))
    ...     def on_step_end(self, run):
    ...         self.value.data.clamp_(max=run.parameters["largest_scale"])
    """

    def __init__(self):
        super().__init__()

    def on_fit_begin(self, run) -> None:
        """Get ready for samples, with new weights or with those of an earlier fit.

        Parameters
        ----------
        run : Run
            The fit.
        """

    def on_epoch_begin(self, run) -> None:
        """Get ready for an epoch.

        Parameters
        ----------
        run : Run
            The fit.
        """

    def on_step_end(self, run) -> None:
        """Follow a step of the optimizer.

        Parameters
        ----------
        run : Run
            The fit.
        """


def living_parts(module: nn.Module) -> list[LivingPart]:
    """List the living parts of a module: itself, and those that were added to it.

    Encoders and decoders are left out, since a part in a user's network belongs to another fit, and
    so are parts in other parts, such as in the copy of a network that a teacher is.

    Parameters
    ----------
    module : Module
        A network.

    Returns
    -------
    parts : list of LivingPart
        In the order in which they were added.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.networks.living import LivingPart, living_parts
    >>> len(living_parts(torch.nn.Sequential(torch.nn.Linear(2, 2), LivingPart())))
    1
    """
    networks = ("encoder", "encoders", "decoder", "parts")
    added = (part for name, part in module.named_children() if name not in networks)
    return [part for part in (module, *added) if isinstance(part, LivingPart)]
