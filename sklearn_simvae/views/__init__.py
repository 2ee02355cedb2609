"""Views of samples: batches of shape (batch, views, ...) are made here and nowhere else.

Views come from groups of rows, from an axis of X, or from an augmentation.
"""

from sklearn_simvae._batch import Batch
from sklearn_simvae.views.augmentation import *  # noqa: F403
from sklearn_simvae.views.augmentation import __all__ as _augmentations
from sklearn_simvae.views.groups import Groups
from sklearn_simvae.views.layout import Layout
from sklearn_simvae.views.lazy import LazyArray
from sklearn_simvae.views.samples import Samples
from sklearn_simvae.views.sources import as_lazy_array
from sklearn_simvae.views.time import sliding_windows, time_groups
from sklearn_simvae.views.view_maker import ViewMaker, make_views

__all__ = [
    "Batch",
    "Groups",
    "Layout",
    "Samples",
    "LazyArray",
    "ViewMaker",
    "as_lazy_array",
    "make_views",
    "sliding_windows",
    "time_groups",
    *_augmentations,
]
