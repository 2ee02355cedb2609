"""Parameters of parameters, as `set_params(augmentation__p=0.5)` sets them."""

from typing import Any

# The augmentations that "auto" stands for.
_AUTO = (
    "'auto' stands for FeatureCorruption() of vectors, RandomResizedCrop() of images, with "
    "ColorJitter() before it where these have colors, and Compose([Jitter(), Scaling(), "
    "SeriesCrop()]) of series. "
)


def check_nested(estimator: Any, params: dict[str, Any]) -> None:
    """Raise where a parameter is to be set of what has none, such as a name.

    Parameters
    ----------
    estimator : object
        With `get_params`.
    params : dict of str to object
        What `set_params` was given.

    Raises
    ------
    ValueError
        If in `name__parameter` the value of `name` is no object with parameters.
    """
    nested = [key for key in params if "__" in key]
    # Looked up only then: of many steps it takes its time.
    own = {**estimator.get_params(deep=True), **params} if nested else {}
    for key in nested:
        name, _, parameter = key.partition("__")
        value = own.get(name)
        # scikit-learn says by itself which names there are.
        if name not in own or hasattr(value, "set_params"):
            continue
        automatic = name == "augmentation" and isinstance(value, str) and value == "auto"
        example = ", e.g. augmentation=FeatureCorruption()," if name == "augmentation" else ""
        raise ValueError(
            f"{type(estimator).__name__} was given {key}, but {name}={value!r} has no parameter "
            f"{parameter!r} that could be set. {_AUTO if automatic else ''}Give {name} as an "
            f"object that has it{example} before or in the same call."
        )
