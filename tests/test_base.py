"""The way of data through every estimator, and what is there before and after a fit."""

import inspect
import pickle

import numpy as np
import pytest
import scipy.sparse
from conftest import few, one_kind, tiny
from numpy.testing import assert_array_equal
from refused import IMAGES, VIEWS, X, put, refused
from sklearn.exceptions import NotFittedError
from torch import nn

from sklearn_simvae.training import KNNScore

FITTED = ["transform", "partial_fit", "encode", "score", "score_samples", "project"]


@one_kind
@pytest.mark.parametrize(
    "X, wrong, match",
    [
        (X, X[:, :5], "5 features.*expecting 6 features"),
        (X, VIEWS[..., :5], "10 features.*expecting 6 features"),
        (VIEWS, X[:, :5], "5 features.*expecting 6 features"),
        (X, put(np.nan), "NaN"),
        (X, put(np.inf), "infinity"),
        (X, put(1e39), "float32"),
        (X, scipy.sparse.csr_array(X), "[Ss]parse"),
        (IMAGES, IMAGES[..., :6], "48 features.*expecting 64 features"),
        (IMAGES, IMAGES / 127, r"outside \[0, 1\].*255"),
        (IMAGES, IMAGES / 255 - 0.5, r"outside \[0, 1\].*255"),
        (IMAGES, IMAGES.astype(int), r"outside \[0, 1\].*255"),
        (IMAGES / 255, IMAGES, "uint8"),
    ],
)
def test_data_unlike_that_of_fit(make, X, wrong, match):
    estimator = make().fit(X)
    Z = estimator.transform(X)
    errors = (ValueError, TypeError) if scipy.sparse.issparse(wrong) else ValueError
    for method in FITTED:
        if hasattr(estimator, method):
            refused(estimator, wrong, match, method=method, errors=errors)
    assert_array_equal(estimator.transform(X), Z)


def test_bad_data_leave_a_fitted_estimator_as_it_was(make):
    estimator = make(warm_start=True).fit(X)
    Z, n_iter = estimator.transform(X), estimator.n_iter_
    for bad in (put(np.nan), X[:1], X[:, :5]):
        refused(estimator, bad, None)
    refused(estimator.set_params(warm_start=False), put(np.inf), "infinity")
    refused(estimator.set_params(lr=-1), X, "lr")
    assert_array_equal(estimator.transform(X), Z)
    assert estimator.n_iter_ == n_iter


USES = {
    **dict.fromkeys(("transform", "encode", "score", "score_samples", "project"), (X,)),
    "inverse_transform": (X[:, :3],),
    "sample": (),
    "get_feature_names_out": (),
}


def test_use_before_fit(make):
    estimator = make()
    for method, arguments in USES.items():
        if hasattr(estimator, method):
            with pytest.raises(NotFittedError, match="fit"):
                getattr(estimator, method)(*arguments)


def test_fitted_attributes_are_absent_before_fit(make):
    estimator = make()
    for name in ("net_", "module_", "encoder_", "history_", "n_iter_", "n_features_in_"):
        assert not hasattr(estimator, name)


# What other libraries, or fingers, make of the name of a parameter.
UNKNOWN = {
    "n_epochs": "max_epochs",
    "max_iter": "max_epochs",
    "learning_rate": "lr",
    "latent_dim": "n_components",
    "seed": "random_state",
    "hidden_dims": "hidden_layer_sizes",
    "gpu": "device",
    "patience": "n_iter_no_change",
    "beta": "noise_variance",
    "tau": "temperature",
    "n_component": "n_components",
    "weight_decy": "weight_decay",
    "noise_varianse": "noise_variance",
    "projection_size": "projection_layer_sizes",
}


def test_unknown_keyword(make):
    own = make().get_params()
    name = type(make()).__name__
    for unknown, meant in UNKNOWN.items():
        if unknown in own or meant not in own:
            continue
        match = f"^{name} has no parameter {unknown!r}. Did you mean {meant!r}"
        with pytest.raises(TypeError, match=match):
            make(**{unknown: 3})
        with pytest.raises(ValueError, match=unknown):
            make().set_params(**{unknown: 3})
    with pytest.raises(
        TypeError, match=r"has no parameter 'qqq'. It has n_components, .*random_state"
    ):
        make(qqq=3)


def test_signatures_name_every_parameter_and_no_others(make):
    parameters = inspect.signature(type(make())).parameters
    assert not [p for p in parameters.values() if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    assert set(make().get_params(deep=False)) == set(parameters)


def test_transform_passes_rows_through_the_encoder_alone(make, digits):
    X, passes = few(digits), []
    estimator = make().fit(X)
    for part in estimator.module_.modules():
        if isinstance(part, nn.Linear):
            part.register_forward_hook(lambda part, args, out: passes.append(len(out)))
    Z = estimator.transform(X)
    assert passes and 1 not in passes
    assert len(estimator.get_feature_names_out()) == Z.shape[1]


def test_outputs_are_those_of_the_representation_that_is_set(digits, tmp_path):
    X, path = few(digits), tmp_path / "weights"
    estimator = tiny("SimVAE").fit(X)
    estimator.save_weights(path)
    loaded = pickle.loads(pickle.dumps(estimator))
    other = tiny("SimVAE", n_components=5, representation="hidden").fit(X)
    for one in (estimator, loaded, tiny("SimVAE").load_weights(path)):
        Z = one.transform(X)
        assert_array_equal(Z, estimator.transform(X))
        one.set_params(representation="hidden")
        assert one.transform(X).shape == (len(X), 16) == (len(X), len(one.get_feature_names_out()))
        assert_array_equal(one.set_params(representation="latent").transform(X), Z)
    assert other.set_params(representation="latent").transform(X).shape == (len(X), 5)
    # A fit anew that is looked at counts its own.
    score = KNNScore(X, digits[1][: len(X)], n_neighbors=2)
    other.set_params(callbacks=[score], n_components=4).fit(X)
    assert "knn_accuracy" in other.history_[-1] and other.transform(X).shape == (len(X), 4)
