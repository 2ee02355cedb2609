"""Display of estimators as HTML in notebooks."""

from torch import nn

_PAGE = "https://sklearn-simvae.readthedocs.io/en/latest/api/{module}.{name}.html"


class LinkMixin:
    """Mixin that adds a link to the estimator's documentation to scikit-learn's diagram."""

    _doc_link_module = "sklearn_simvae"
    _doc_link_template = _PAGE
    # Module from which users import the estimator.
    _public_module = "sklearn_simvae"

    def _doc_link_url_param_generator(self):
        return {"module": self._public_module, "name": type(self).__name__}


class HTMLMixin(LinkMixin):
    """Mixin that adds the sizes of the networks and a documentation link to the diagram.

    The sizes are shown for a fitted estimator, even if it is a step of a pipeline.

    Examples
    --------
    >>> from sklearn_simvae import VAE
    >>> X = [[0.0], [1.0], [2.0], [3.0]]
    >>> vae = VAE(1, hidden_layer_sizes=(4,), augmentation=None, max_epochs=1).fit(X)
    >>> "encoder 18, decoder 13" in vae._repr_html_()
    True
    """

    def _sk_visual_block_(self):
        # Imported here: if scikit-learn moves this private class, only the diagram is affected.
        try:
            from sklearn.utils._repr_html.estimator import _VisualBlock
        except ImportError:
            from sklearn.utils._estimator_html_repr import _VisualBlock

        fitted = "net_" in vars(self)
        return _VisualBlock(
            "single",
            self,
            names=type(self).__name__,
            name_details=str(self),
            name_caption=network_sizes(self.module_) if fitted else None,
        )


def network_sizes(module: nn.Module) -> str:
    """Describe how many weights the networks of a module have.

    Parameters
    ----------
    module : Module
        Module of an estimator, with a network in each attribute. The networks of a ModuleList are
        counted one by one.

    Returns
    -------
    sizes : str
        Text with the number of weights of each network.

    Examples
    --------
    >>> from torch import nn
    >>> from sklearn_simvae._html import network_sizes
    >>> heads = nn.ModuleList([nn.Linear(2, 1), nn.Linear(3, 1)])
    >>> network_sizes(nn.ModuleDict({"encoder": nn.Linear(1000, 10), "heads": heads}))
    'weights: encoder 10,010, heads 3 + 4'
    """
    sizes = []
    for name, network in module.named_children():
        parts = network if isinstance(network, nn.ModuleList) else [network]
        counts = (f"{sum(weight.numel() for weight in part.parameters()):,}" for part in parts)
        sizes.append(f"{name} {' + '.join(counts)}")
    sizes += [f"{name} {w.numel():,}" for name, w in module.named_parameters(recurse=False)]
    return f"weights: {', '.join(sizes)}"
