"""Check of nested parameters, such as that of `set_params(augmentation__p=0.5)`."""

from typing import Any

# An explanation of augmentation="auto", which is a name without parameters.
_AUTO = (
    "'auto' stands for FeatureCorruption() of vectors, RandomResizedCrop() of images, with "
    "ColorJitter() before it where these have colors, and Compose([Jitter(), Scaling(), "
    "SeriesCrop()]) of series. "
)


def check_nested(estimator: Any, params: dict[str, Any]) -> None:
    """Raise an error if a nested parameter is set on a value without parameters, such as a name.

    Parameters
    ----------
    estimator : object
        Estimator with a method `get_params`.
    params : dict of str to object
        Parameters given to `set_params`.

    Raises
    ------
    ValueError
        If in `name__parameter` the value of `name` is no object with parameters.
    """
    nested = [key for key in params if "__" in key]
    # Parameters are collected only if needed, since that takes long for many steps.
    own = {**estimator.get_params(deep=True), **params} if nested else {}
    for key in nested:
        name, _, parameter = key.partition("__")
        value = own.get(name)
        # For an unknown name scikit-learn raises its own error, which lists the valid names.
        if name not in own or hasattr(value, "set_params"):
            continue
        automatic = name == "augmentation" and isinstance(value, str) and value == "auto"
        example = ", e.g. augmentation=FeatureCorruption()," if name == "augmentation" else ""
        raise ValueError(
            f"{type(estimator).__name__} was given {key}, but {name}={value!r} has no parameter "
            f"{parameter!r} that could be set. {_AUTO if automatic else ''}Give {name} as an "
            f"object that has it{example} before or in the same call."
        )
