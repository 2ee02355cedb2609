"""The requirements of a method, to data and to training."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Needs:
    """Requirements of a method, given its parameters.

    Parameters
    ----------
    views : int, default=1
        The fewest views of a sample: a sample of a single one has a term in the generative
        objectives alone.
    scored_samples : int, default=1
        The fewest samples of which the objective says something, on a validation part as in
        `score`.
    batch_size : int, default=256
        Samples in a batch of a large set, for `batch_size="auto"`.
    lr_multipliers : mapping of str to float, default={}
        Multiples of `lr` at which parameters learn, by a pattern of their names.
    pairs : bool, default=False
        Whether samples contribute to the objective through pairs of their modalities alone.
    first_view_is_row : bool, default=False
        Whether the first view that is made of a row is the row itself.

    Examples
    --------
    >>> from sklearn_simvae._needs import Needs
    >>> Needs(views=2).scored_samples
    1
    """

    views: int = 1
    scored_samples: int = 1
    batch_size: int = 256
    lr_multipliers: Mapping[str, float] = field(default_factory=dict)
    pairs: bool = False
    first_view_is_row: bool = False
