"""Registry of the types of this package that a file may hold, which imports none of them."""

import inspect

_PACKAGE = __name__.partition(".")[0]
_types: set[type] = set()


def trust(cls: type) -> type:
    """Register a type of this package whose objects run no code that comes from a file.

    Parameters
    ----------
    cls : type
        Type to register. Types of other packages, such as a user's own subclass, are ignored.

    Returns
    -------
    cls : type
        The type itself.
    """
    if cls.__module__.partition(".")[0] == _PACKAGE and not cls.__name__.startswith("_"):
        _types.add(cls)
    return cls


def trusted_names() -> list[str]:
    """Return the names of all registered types, except abstract base classes.

    Returns
    -------
    names : list of str
        Names of the types, with their modules, sorted.
    """
    concrete = (cls for cls in _types if not inspect.isabstract(cls))
    return sorted(f"{cls.__module__}.{cls.__qualname__}" for cls in concrete)
