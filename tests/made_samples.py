"""Samples of which each value is known, and the views that are made of them."""

import numpy as np
import torch

from sklearn_simvae.views import Layout, Samples, make_views

WHICH = np.array([4, 1, 1])


def values(*shape):
    return (np.arange(np.prod(shape)) % 120).reshape(shape)


def samples_of(X, input_shape=None, **kwargs):
    return Samples(X, *Layout.infer(X, input_shape), **kwargs)


def views_of(samples, which, n_views=1, augmentation=None, generator=None):
    rows, _ = samples.take(which)
    n_views = None if samples.views_given else n_views
    return make_views(torch.from_numpy(rows), samples.layout, n_views, augmentation, generator)


def numbered(n_samples, *shape):
    """Rows in [0, 1] whose first value tells the sample."""
    X = np.random.default_rng(0).random((n_samples, *shape), dtype=np.float32)
    X[..., 0] = (np.arange(n_samples) / n_samples).reshape(-1, *[1] * (len(shape) - 1))
    return X
