"""How estimators share parameters: their signatures, documentation and valid values."""

import difflib
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, get_args

from sklearn.utils._param_validation import Interval, StrOptions

POSITIVE = Interval(Real, 0, None, closed="neither")
NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
COUNT = Interval(Integral, 1, None, closed="left")
Likelihood = Literal["auto", "gaussian", "bernoulli", "multinomial", "poisson", "by_column"]
LIKELIHOODS = StrOptions(set(get_args(Likelihood)))


@dataclass(frozen=True)
class Parameter:
    """A parameter: its default, its constraints, its documentation and its uses.

    Parameters
    ----------
    default : object
        Default, unless a class has a default of its own.
    constraints : list
        Constraints, in the form that scikit-learn checks.
    doc : str
        Its type as documented, then, from the second line on, what it is.
    structure : bool, default=False
        Whether it is built into every net once, and cannot change while training goes on.
    described : bool, default=True
        Whether a checkpoint tells by it which fit it is of.
    """

    default: Any
    constraints: list[Any]
    doc: str
    structure: bool = False
    described: bool = True


Table = dict[str, Parameter]


def constraints_of(table: Table) -> dict[str, list[Any]]:
    """Return what scikit-learn is to check.

    Parameters
    ----------
    table : dict of str to Parameter
        By name.

    Returns
    -------
    constraints : dict of str to list
        By name.
    """
    return {name: parameter.constraints for name, parameter in table.items()}


def structure_of(table: Table) -> tuple[str, ...]:
    """Return the names of the parameters that are built into a net.

    Parameters
    ----------
    table : dict of str to Parameter
        By name.

    Returns
    -------
    names : tuple of str
        In the order of the table.
    """
    return tuple(name for name, parameter in table.items() if parameter.structure)


SHARED_ATTRIBUTES = """net_ : SSLNet
        The skorch net that was trained.
    module_ : torch.nn.Module
        Its module.
    encoder_ : torch.nn.Module
        The encoder in it, to be taken out and trained further: a copy, unless the estimator is to
        change with it. Of generative methods it gives means and logarithms of variances.
    history_ : list of dict
        A row per epoch: each term of the objective by name, `valid_...` on the validation part,
        "effective_rank" and "representation_variance" (the mean over components) of the latents
        of some samples, "lr" and "dur" (seconds).
    n_iter_ : int
        Epochs run.
    hidden_layer_sizes_ : tuple of int
        Widths of the hidden layers of "mlp" networks, as given or as chosen for the data; with
        modalities, a list of such tuples.
    layout_ : Layout
        How a row of X is read.
    n_features_in_ : int
        Values in a row, the product of its shape.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where X in `fit` had string names."""


EXAMPLE = """>>> from sklearn.datasets import load_digits
    >>> from sklearn_simvae import {name}
    >>> X = load_digits().data / 16
    >>> estimator = {name}(input_shape=(8, 8), hidden_layer_sizes=(64,), random_state=0)
    >>> estimator.set_params(max_epochs=5).fit_transform(X).shape
    (1797, 10)"""


# Names of these parameters in other libraries.
_SYNONYMS = {
    "augmentation": ("augment", "augmentations", "transform", "transforms"),
    "device": ("accelerator", "cuda", "gpu", "use_gpu"),
    "encoder": ("backbone", "model", "network"),
    "hidden_layer_sizes": ("hidden_dim", "hidden_dims", "hidden_sizes", "hidden_units", "layers"),
    "lr": ("eta", "learning_rate", "learning_rate_init"),
    "lr_schedule": ("learning_rate_schedule", "scheduler"),
    "max_epochs": ("epochs", "max_iter", "n_epochs", "n_iter", "num_epochs"),
    "n_components": (
        *("dim", "embedding_dim", "latent_dim", "latent_dims", "latent_size"),
        *("n_dims", "n_latent", "n_latents", "z_dim"),
    ),
    "n_iter_no_change": ("patience",),
    # The weight of the prior, next to a likelihood whose variance is 1.
    "noise_variance": ("beta",),
    "precision": ("amp", "dtype"),
    "projection_layer_sizes": ("projection_dim", "projector"),
    "random_state": ("seed",),
    "temperature": ("tau",),
    "validation_fraction": ("validation_split",),
    "weight_decay": ("alpha", "l2"),
}


def unknown_parameter(cls: type, name: str) -> TypeError:
    """Make the error for a parameter that an estimator does not have.

    Parameters
    ----------
    cls : type
        The estimator.
    name : str
        The name that was given.

    Returns
    -------
    error : TypeError
        With the parameter that is probably meant, or else with all that there are.
    """
    own = [parameter for parameter in inspect.signature(cls).parameters if parameter != "self"]
    meant = [target for target, others in _SYNONYMS.items() if name.lower() in others]
    meant = [target for target in meant if target in own] or difflib.get_close_matches(name, own, 1)
    advice = f"Did you mean {meant[0]!r}?" if meant else f"It has {', '.join(own)}."
    return TypeError(f"{cls.__name__} has no parameter {name!r}. {advice}")


def store_shared(estimator: Any, given: dict[str, Any]) -> None:
    """Set the parameters of the tables of an estimator, as given or at its defaults.

    Parameters
    ----------
    estimator : object
        The estimator.
    given : dict of str to object
        By name.

    Raises
    ------
    TypeError
        If it has no such parameter.
    """
    cls = type(estimator)
    # A class before it, such as a mixin, may take any `__init__` of its own.
    inits = [vars(base)["__init__"] for base in cls.__mro__ if "__init__" in vars(base)]
    known = next(i.__signature__ for i in inits if hasattr(i, "__signature__")).parameters
    names = [name for table in _tables_of(cls).values() for name in table if name in known]
    for name in given:
        if name not in names:
            raise unknown_parameter(cls, name)
    defaults = {name: known[name].default for name in names}
    vars(estimator).update(cls._not_shared | defaults | given)


def share_parameters(cls: type) -> None:
    """Give the `__init__` of a class the signature, and the class the text, of all its parameters.

    A class names its own parameters and passes `**shared` on. The others are those of its base and
    of its `_tables`, without `_not_shared`, and with its `_own_defaults`. scikit-learn's
    introspection and `help` then see all of them; type checkers and editors read the TypedDict.

    Parameters
    ----------
    cls : type
        The class.
    """
    init = cls.__dict__.get("__init__")
    own_defaults = vars(cls).get("_own_defaults", {})
    shared = {name for table in _tables_of(cls).values() for name in table}
    if own_defaults and (init is None or not own_defaults.keys() <= shared):
        raise TypeError(
            f"_own_defaults={own_defaults} of {cls.__name__} must be defaults of shared "
            "parameters, in a class that has an __init__ of its own."
        )
    if init is not None:
        init.__signature__ = _signature(cls, init)
    if cls.__doc__:
        cls.__doc__ = _documentation(cls)


def _signature(cls: Any, init: Callable) -> inspect.Signature:
    own, inherited = _named(init), _named(super(cls, cls).__init__)
    tables = vars(cls).get("_tables", {}).values()
    shared = {name: parameter.default for table in tables for name, parameter in table.items()}
    shared |= vars(cls).get("_own_defaults", {})
    shared = shared | {name: p.default for name, p in inherited.items() if name not in shared}
    return inspect.Signature(
        [
            *(p.replace(annotation=p.empty) for p in own.values()),
            *(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
                for name, default in shared.items()
                if name not in own and name not in cls._not_shared
            ),
        ]
    )


def _named(init: Callable) -> dict[str, inspect.Parameter]:
    """Parameters that have a name of their own, unlike `**shared`."""
    parameters = inspect.signature(init).parameters
    return {n: p for n, p in parameters.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}


def _tables_of(cls: type) -> dict[str, Table]:
    """The tables of a class and its bases, by their places in its documentation."""
    bases = [vars(base).get("_tables", {}) for base in reversed(cls.__mro__)]
    return {place: table for tables in bases for place, table in tables.items()}


def _documentation(cls: type) -> str:
    """The docstring of a class, with all that stands in braces written out."""
    # Whether the compiler has taken the indentation away already depends on Python's version.
    doc = inspect.cleandoc(cls.__doc__ or "")
    # A parameter that a class documents by itself is not documented again.
    said = {line.partition(" : ")[0] for line in doc.splitlines()}
    signature = inspect.signature(cls).parameters
    texts = {
        place: "\n".join(
            _entry(name, parameter, signature[name].default)
            for name, parameter in table.items()
            if name in signature and name not in said
        )
        for place, table in _tables_of(cls).items()
    }
    texts["example"] = inspect.cleandoc(EXAMPLE).replace("{name}", cls.__name__)
    texts["shared_attributes"] = inspect.cleandoc(SHARED_ATTRIBUTES)
    for place, text in texts.items():
        doc = doc.replace(f"{{{place}}}", text)
    return doc


def _entry(name: str, parameter: Parameter, default: Any) -> str:
    kind, _, text = inspect.cleandoc(parameter.doc).partition("\n")
    shown = f'"{default}"' if isinstance(default, str) else repr(default)
    return f"{name} : {kind}, default={shown}\n{textwrap.indent(text, '    ')}"
