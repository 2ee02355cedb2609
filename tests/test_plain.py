"""What preprocessors learned, told apart in any process."""

import copy
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
import skops.io
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor, RandomTreesEmbedding
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.neighbors import KNeighborsTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, SplineTransformer, StandardScaler
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from sklearn_simvae._plain import fitted_digest

PREPROCESSORS = {
    "vocabulary": CountVectorizer(vocabulary={"cat", "dog", "car", "bus", "tree"}),
    "splines": SplineTransformer(),
    "trees": RandomTreesEmbedding(3, max_depth=2, random_state=0),
    "pipeline": make_pipeline(StandardScaler(), SplineTransformer()),
    "function": FunctionTransformer(np.sqrt),
    "neighbors": KNeighborsTransformer(n_neighbors=2, algorithm="ball_tree"),
    "columns": make_column_transformer(
        (make_pipeline(SimpleImputer(), RandomTreesEmbedding(3, random_state=0)), slice(0, 2)),
        (PCA(1), [2]),
    ),
}


def test_preprocessors_are_told_alike_in_another_process():
    X = np.random.default_rng(0).random((50, 3))
    fitted = {name: clone(made) for name, made in PREPROCESSORS.items()}
    for name in fitted.keys() - {"vocabulary"}:
        fitted[name].fit(X).transform(X)
    expected = {name: fitted_digest(made) for name, made in fitted.items()}
    assert len({*expected.values()}) == len(fitted)
    # pickled, as sets have another order in each process.
    code = (
        "import json, pickle, sys; from sklearn_simvae._plain import fitted_digest;"
        "fitted = pickle.load(sys.stdin.buffer);"
        "print(json.dumps({name: fitted_digest(made) for name, made in fitted.items()}))"
    )
    for seed in "12":
        there = subprocess.run(
            [sys.executable, "-c", code],
            input=pickle.dumps(fitted),
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        assert json.loads(there) == expected


@pytest.mark.parametrize("name", PREPROCESSORS)
def test_copies_of_preprocessors_are_told_alike(name):
    fitted = clone(PREPROCESSORS[name])
    if name != "vocabulary":
        fitted.fit(np.random.default_rng(0).random((50, 3)))
    data = skops.io.dumps(fitted)
    loaded = skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
    assert fitted_digest(copy.deepcopy(fitted)) == fitted_digest(loaded) == fitted_digest(fitted)


def test_texts_are_told_by_what_was_read():
    texts = ["one cat and two dogs", "a dog", "two cars and one bus"]
    stop_words = ["and", "a"]
    fitted = [
        TfidfVectorizer(stop_words=words).fit(read)
        for read, words in (
            *((texts, stop_words), (texts, list(stop_words))),
            *(([*texts, "a dog"], stop_words), (texts, ["and"])),
        )
    ]
    same, other, read, words = map(fitted_digest, fitted)
    assert same == other and len({same, read, words}) == 3
    assert fitted_digest(pickle.loads(pickle.dumps(fitted[0]))) == same


def test_arrays_are_told_by_their_values_whatever_their_order_in_memory():
    A = np.arange(12.0).reshape(3, 4)
    forms = [A, A.copy("F"), np.repeat(A, 2, axis=1)[:, ::2], np.broadcast_to(A, A.shape)]
    assert len({fitted_digest([form]) for form in forms}) == 1
    assert fitted_digest([A, A]) == fitted_digest([A, A.copy()])
    others = [A.reshape(4, 3), A.astype("f4"), A.astype("i8"), A + 1]
    assert len(set(map(fitted_digest, [A, *others]))) == 5
    for kind in (scipy.sparse.csr_array, torch.tensor):
        digests = [fitted_digest(kind(B)) for B in (A, A.copy("F"), A + 1)]
        assert digests[0] == digests[1] != digests[2]
    draws = [np.random.default_rng(seed) for seed in (0, 1)]
    assert len(set(map(fitted_digest, draws))) == 1


def test_modules_are_told_by_their_weights():
    def made(value, dtype=torch.bfloat16, p=0.5):
        torch.manual_seed(value)
        return nn.Sequential(weight_norm(nn.Linear(3, 2)), nn.Dropout(p)).to(dtype)

    digests = [made(0), made(0).eval(), made(1), made(0, torch.float32), made(0, p=0.1)]
    one, same, *others = map(fitted_digest, digests)
    assert one == same and len({one, *others}) == 4


def test_what_holds_itself_is_told():
    holding = [ByConvention().fit(np.full((2, 2), value)) for value in (0, 0, 1)]
    for one in holding:
        one.own = {"transformers": [one]}
    one, same, other = map(fitted_digest, holding)
    assert one == same != other


class ByConvention:
    """A transformer that is no estimator of scikit-learn."""

    def fit(self, X):
        self.mean_ = X.mean(0)
        return self

    def transform(self, X):
        return X - self.mean_


class WithTensor(BaseEstimator):
    """One that keeps a tensor."""

    def fit(self, X):
        self.mean_ = torch.from_numpy(X.mean(0))
        return self


class OfTrees(BaseEstimator):
    """One that keeps what is told by its trees alone."""

    def fit(self, X):
        self.forest_ = RandomForestRegressor(2, max_depth=2, random_state=0).fit(X, X[:, 0])
        return self


@pytest.mark.parametrize("make", [SplineTransformer, ByConvention, WithTensor, OfTrees])
def test_preprocessors_that_saw_other_data_are_told_apart(make):
    rng = np.random.default_rng(0)
    A, B = rng.random((50, 3)), 5 * rng.random((50, 3))
    digests = [fitted_digest(make().fit(X)) for X in (A, A, B)]
    assert digests[0] == digests[1] != digests[2]


def test_number_of_processors_makes_no_other_preprocessor():
    X = np.random.default_rng(0).random((50, 3))
    digests = {
        fitted_digest(make_pipeline(RandomTreesEmbedding(3, random_state=0, n_jobs=n)).fit(X))
        for n in (None, 1, 2)
    }
    assert len(digests) == 1
