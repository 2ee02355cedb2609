"""Factors of style, and representations of which it is known what they hold."""

import numpy as np
from sklearn.base import BaseEstimator

RNG = np.random.default_rng(0)
N, N_CLASSES = 240, 4

CONTENT = np.repeat(np.arange(N_CLASSES), N // N_CLASSES)
ONE_HOT = np.eye(N_CLASSES)[CONTENT]
NOISE = RNG.standard_normal((N, 4))
PLACE = RNG.uniform(size=(N, 2))
COLOR = RNG.choice(["blue", "green", "red"], N)
STYLE = np.hstack([PLACE, COLOR[:, None] == ["blue", "green", "red"]])
FACTORS = {"x": PLACE[:, 0], "y": 1000 * PLACE[:, 1], "color": COLOR}


class SpyTransformer(BaseEstimator):
    """Gives rows back, flat, and keeps those that it was given."""

    def __init__(self):
        self.seen = []

    def transform(self, X):
        self.seen.append(np.array(X))
        return X.reshape(len(X), -1)
