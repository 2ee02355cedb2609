"""Types that a file may hold without being asked for."""

import abc
import importlib

from sklearn_simvae import _trusted
from sklearn_simvae._trusted import trust, trusted_names


def made(name, module, base=object):
    return type(base)(name, (base,), {"__module__": module})


def test_types_of_others_and_private_ones_are_not_trusted(monkeypatch):
    monkeypatch.setattr(_trusted, "_types", set())
    ours = made("Ours", "sklearn_simvae.views")
    others = [
        made("Theirs", "their_package"),
        made("Near", "sklearn_simvae_extras.views"),
        made("_Private", "sklearn_simvae.views"),
    ]
    for cls in (ours, *others):
        assert trust(cls) is cls
    assert trusted_names() == ["sklearn_simvae.views.Ours"]


def test_abstract_types_are_not_trusted_and_names_are_sorted(monkeypatch):
    monkeypatch.setattr(_trusted, "_types", set())

    class Base(abc.ABC):
        @abc.abstractmethod
        def make(self): ...

    Base.__module__ = "sklearn_simvae.base"
    trust(Base)
    for name in ("Second", "First"):
        trust(made(name, "sklearn_simvae.base"))
    assert trusted_names() == ["sklearn_simvae.base.First", "sklearn_simvae.base.Second"]


def test_every_trusted_name_is_that_of_a_type_of_the_package():
    names = trusted_names()
    assert len(names) > 30
    for name in names:
        module, _, qualname = name.rpartition(".")
        assert module.split(".")[0] == "sklearn_simvae"
        found = getattr(importlib.import_module(module), qualname)
        assert f"{found.__module__}.{found.__qualname__}" == name
