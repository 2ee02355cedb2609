"""Parameters that are given for all modalities, or for each by its name."""

from sklearn_simvae._parameters import POSITIVE
from sklearn_simvae.generative.bounds import BOUNDS
from sklearn_simvae.multimodal.samples import ModalSamples
from sklearn_simvae.views.lazy import some_rows

LIKELIHOODS = ("auto", "gaussian", "bernoulli", "multinomial")


def by_name(value, names: list[str], parameter: str, default) -> dict:
    """Return a parameter by modality, from one for all or from a dict."""
    if not isinstance(value, dict):
        return dict.fromkeys(names, value)
    unknown = [name for name in value if name not in names]
    if unknown:
        raise ValueError(f"{parameter} names {unknown}, but the modalities are {names}.")
    for name, one in value.items():
        valid, expected = one in LIKELIHOODS, f"one of {LIKELIHOODS}"
        if parameter == "noise_variance":
            valid = POSITIVE.is_satisfied_by(one) or one == "learned"
            expected = "a positive number or 'learned'"
        if not valid:
            raise ValueError(f"{parameter}[{name!r}] must be {expected}, got {one!r}.")
    return {name: value.get(name, default) for name in names}


def check_likelihoods(likelihoods, samples: ModalSamples) -> None:
    """Raise if values are out of the range of the likelihood of their modality."""
    for likelihood, part in zip(likelihoods, samples.parts, strict=True):
        if likelihood not in BOUNDS or not part.shape[0]:
            continue
        values = some_rows(part.X)
        low, high = values.min(), values.max()
        wanted = "in [0, 1]" if likelihood == "bernoulli" else "at least 0"
        if low < 0 or (likelihood == "bernoulli" and high > 1 and not part.layout.pixels):
            raise ValueError(
                f"likelihood={likelihood!r} of the modality {part.name!r} needs values {wanted}; "
                f"got values from {low:.3g} to {high:.3g}. Scale them, or use 'gaussian'."
            )
        if not part.layout.pixels:
            part.hold_between(*BOUNDS[likelihood])
