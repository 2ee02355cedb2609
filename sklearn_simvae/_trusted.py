"""The types of this package that a file may hold, known without importing any of them."""

import inspect

_PACKAGE = __name__.partition(".")[0]
_types: set[type] = set()


def trust(cls: type) -> type:
    """Note a type of this package as one whose objects run no code that comes from a file.

    Parameters
    ----------
    cls : type
        The type; those of other packages, such as a user's own subclass, are not noted.

    Returns
    -------
    cls : type
        The type itself.
    """
    if cls.__module__.partition(".")[0] == _PACKAGE and not cls.__name__.startswith("_"):
        _types.add(cls)
    return cls


def trusted_names() -> list[str]:
    """Return the names of all types that were noted, but those that only others derive from.

    Returns
    -------
    names : list of str
        With their modules, sorted.
    """
    concrete = (cls for cls in _types if not inspect.isabstract(cls))
    return sorted(f"{cls.__module__}.{cls.__qualname__}" for cls in concrete)
