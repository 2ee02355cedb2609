"""The last good state of a net, to go back to if a fit fails."""

import torch
from torch import Tensor, nn


class DivergenceError(ValueError):
    """Error raised if the loss or the weights are no longer finite."""


class LastGood:
    """Weights of the last whole epoch, and the optimizer's state as training began.

    Parameters
    ----------
    net : SSLNet
        Net whose state is kept.
    """

    def __init__(self, net):
        self.net = net
        self.n_epochs = self._start = len(net.history)
        self._weights: dict[str, Tensor] | None = None
        states = net.optimizer_.state
        # By the name of the parameter that they belong to.
        self._moments = {
            name: {k: v.clone() if torch.is_tensor(v) else v for k, v in states[p].items()}
            for name, p in net.module_.named_parameters()
            if p in states
        }

    def keep(self) -> None:
        """Keep the weights as they are now."""
        self.n_epochs = len(self.net.history)
        good = self._weights or {}
        for name, w in _tensors(self.net.module_):
            # Shapes may change: there are no prototypes before training.
            if name in good and good[name].shape == w.shape:
                good[name].copy_(w.detach())
            else:
                good[name] = w.detach().clone()
        self._weights = good

    def restore(self) -> None:
        """Put back the weights and the history.

        The optimizer's state is that of the start of training, or empty if there was a whole epoch
        since.
        """
        if self._weights is None:
            return
        # Not by load_state_dict, which is strict about shapes.
        for name, w in _tensors(self.net.module_):
            w.data = self._weights[name]
        self.net.optimizer_.state.clear()
        if self.n_epochs == self._start:
            # By name: prototypes may be another tensor than when training began.
            own = dict(self.net.module_.named_parameters())
            self.net.optimizer_.state.update({own[n]: s for n, s in self._moments.items()})
        del self.net.history[self.n_epochs :]


def weights_finite(module: nn.Module) -> bool:
    """Tell whether all parameters of a module are finite.

    Parameters
    ----------
    module : Module
        A network.

    Returns
    -------
    finite : bool
        True also if there are no parameters.

    Examples
    --------
    >>> import torch
    >>> from sklearn_simvae.training.kept import weights_finite
    >>> weights_finite(torch.nn.Linear(2, 1))
    True
    """
    with torch.no_grad():
        weights = list(module.parameters())
        # A sum takes one operation, and is not finite if a value is not, or if it overflows.
        sums = torch.stack([w.sum().float() for w in weights]) if weights else torch.zeros(1)
        return bool(sums.isfinite().all()) or all(bool(w.isfinite().all()) for w in weights)


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    """Weights and buffers in a module's state, to which a part may add other objects."""
    state = module.state_dict(keep_vars=True)
    return [(name, value) for name, value in state.items() if torch.is_tensor(value)]
