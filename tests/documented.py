"""What docstrings say of parameters, to be held against what the code does."""

import ast
import inspect

from numpydoc.docscrape import NumpyDocString


def documented_defaults(thing):
    """The defaults that a docstring gives, by name of the parameter."""
    defaults = {}
    for parameter in NumpyDocString(inspect.getdoc(thing))["Parameters"]:
        names = parameter.name.split(", ")
        _, found, text = parameter.type.partition("default=")
        if found:
            value = ast.literal_eval(text)
            each = isinstance(value, tuple) and len(names) > 1
            defaults |= zip(names, value if each else [value] * len(names), strict=True)
    return defaults
