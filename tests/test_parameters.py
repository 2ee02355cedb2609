"""Parameters are the same to a type checker, to `help` and to scikit-learn."""

import inspect
import typing
from pathlib import Path

import pytest
from conftest import METHODS
from sklearn.base import clone
from sklearn.utils._param_validation import StrOptions

from sklearn_simvae import SimCLR
from sklearn_simvae._parameter_types import DiscriminativeParameters, SharedAttributes
from sklearn_simvae._shared_parameters import NOT_DESCRIBED
from sklearn_simvae.base import BaseSSL
from sklearn_simvae.discriminative.base import BaseDiscriminative
from sklearn_simvae.generative.base import BaseGenerative
from sklearn_simvae.multimodal.base import BaseMultimodal

ROOT = Path(__file__).parent.parent


def types_of(method):
    """Types by name: of the parameters that `__init__` names, and of those in its TypedDict."""
    own = typing.get_type_hints(method.__init__)
    (shared,) = typing.get_args(own.pop("shared"))
    return own, typing.get_type_hints(shared)


@pytest.mark.parametrize("method", [*METHODS.values(), BaseGenerative, BaseDiscriminative])
def test_types_are_of_the_parameters_of_the_signature(method):
    own, shared = types_of(method)
    assert not own.keys() & shared.keys()
    assert own.keys() | shared.keys() == inspect.signature(method).parameters.keys()


@pytest.mark.parametrize(
    "family",
    [BaseSSL, BaseGenerative, BaseDiscriminative, BaseMultimodal],
)
def test_parameters_of_a_table_are_typed_as_attributes_too(family):
    (table,) = vars(family)["_tables"].values()
    attributes = SharedAttributes if family is BaseSSL else family
    typed = {name for name in inspect.get_annotations(attributes) if not name.startswith("_")}
    assert typed == table.keys()


def test_words_that_types_allow_are_those_that_fit_takes():
    allowed, taken = {}, {}
    for method in METHODS.values():
        own, shared = types_of(method)
        for name, kind in (own | shared).items():
            words = [
                word
                for part in (kind, *typing.get_args(kind))
                if typing.get_origin(part) is typing.Literal
                for word in typing.get_args(part)
            ]
            if words:
                constraints = method._parameter_constraints[name]
                options = [c.options for c in constraints if isinstance(c, StrOptions)]
                allowed.setdefault(name, set()).update(words)
                taken.setdefault(name, set()).update(*options)
    assert allowed == taken and {"kind", "likelihood", "queue_size"} <= allowed.keys()


def test_type_checker_takes_and_refuses_what_it_should(monkeypatch):
    api = pytest.importorskip("mypy.api")
    monkeypatch.chdir(ROOT)
    said, _, status = api.run(["--config-file", "pyproject.toml", "tests/typed_uses.py"])
    assert status == 0, said


class OwnDefaults(BaseDiscriminative):
    """Has defaults of its own, as the methods of the package have.

    Parameters
    ----------
    {shared_parameters}
    """

    _own_defaults = {"lr": 0.5, "chunk_size": 8}

    def __init__(
        self, n_components=10, *, mine=1, **shared: typing.Unpack[DiscriminativeParameters]
    ):
        super().__init__(n_components, **shared)
        self.mine = mine


class NamedDefaults(SimCLR):
    """Names them in `__init__`.

    Parameters
    ----------
    {shared_parameters}
    """

    def __init__(self, n_components=10, *, mine=1, lr=0.5, chunk_size=8, **shared):
        super().__init__(n_components, lr=lr, chunk_size=chunk_size, **shared)
        self.mine = mine


class Inherits(NamedDefaults):
    """Has no `__init__`."""


@pytest.mark.parametrize("method", [OwnDefaults, NamedDefaults, Inherits])
def test_defaults_of_a_subclass_are_its_parameters(method):
    if method is OwnDefaults:
        method = type("Method", (OwnDefaults,), {"_loss": SimCLR._loss})
    defaults = {"mine": 1, "lr": 0.5, "chunk_size": 8, "n_views": 2}
    assert defaults.items() <= method().get_params().items()
    assert {n: inspect.signature(method).parameters[n].default for n in defaults} == defaults
    assert clone(method(lr=0.25)).lr == 0.25 and method().set_params(chunk_size=4).chunk_size == 4
    if method is NamedDefaults:
        assert "lr : float, default=0.5\n" in method.__doc__
    with pytest.raises(TypeError, match=r"has no parameter 'lrr'\. Did you mean 'lr'\?"):
        method(lrr=1)


def test_checkpoints_tell_fits_apart_by_all_that_changes_them():
    assert set(NOT_DESCRIBED) == {"callbacks", "device", "random_state", "verbose", "warm_start"}


def test_a_mixin_with_an_init_of_its_own_may_stand_before_an_estimator():
    class Mixin:
        def __init__(self, *, tag="x", **parameters):
            super().__init__(**parameters)
            self.tag = tag

    class Tagged(Mixin, SimCLR):
        pass

    assert (Tagged().lr, Tagged().tag) == (SimCLR().lr, "x")
    assert Tagged(n_components=3, tag="y").n_components == 3


@pytest.mark.parametrize("defaults", [{"lr": 0.5}, {"temperature": 0.9, "lr": 0.5}])
def test_own_defaults_that_would_be_ignored_are_refused(defaults):
    members = {"_own_defaults": defaults}
    if "temperature" in defaults:
        members["__init__"] = lambda self, **shared: SimCLR.__init__(self, **shared)
    with pytest.raises(TypeError, match="must be defaults of shared parameters"):
        type("Own", (SimCLR,), members)
