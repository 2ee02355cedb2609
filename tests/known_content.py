"""Representations of which it is known what they hold, for the tests of probes."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

RNG = np.random.default_rng(0)
N, N_CLASSES = 240, 4

CONTENT = np.repeat(np.arange(N_CLASSES), N // N_CLASSES)
ONE_HOT = np.eye(N_CLASSES)[CONTENT]
NOISE = RNG.standard_normal((N, 6))


class SpyClassifier(ClassifierMixin, BaseEstimator):
    """Guesses, and keeps for all its clones what each is fitted on and asked."""

    calls = []

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.calls.append(("fit", X, y, self.random_state))
        return self

    def predict(self, X):
        self.calls.append(("predict", X, None, self.random_state))
        return np.full(len(X), self.classes_[0])
