"""Parameters that are built into a network, and cannot change while training goes on."""

import functools

import numpy as np
import pytest
from conftest import few, tiny
from numpy.testing import assert_array_equal
from torch import nn


@pytest.mark.parametrize("go_on", ["partial_fit", "fit"])
@pytest.mark.parametrize("params", [{"n_components": 7}, {"hidden_layer_sizes": (8,)}])
def test_training_does_not_go_on_in_another_network(make, digits, go_on, params):
    X = few(digits)
    estimator = make(warm_start=True).fit(X)
    before = estimator.transform(X)
    estimator.set_params(**params)
    with pytest.raises(ValueError, match=f"{next(iter(params))} changed.*warm_start=False"):
        getattr(estimator, go_on)(X)
    np.testing.assert_array_equal(estimator.transform(X), before)
    assert estimator.set_params(warm_start=False).fit(X).transform(X).shape[0] == len(X)


@pytest.mark.parametrize("hidden_layer_sizes", [16, [16], np.array([16])])
def test_equal_parameters_of_another_type_describe_the_same_network(
    make, digits, hidden_layer_sizes, tmp_path
):
    X = few(digits)
    estimator = make(warm_start=True).fit(X)
    same = {"n_components": np.int64(3), "hidden_layer_sizes": hidden_layer_sizes}
    estimator.set_params(**same, weight_decay=0).partial_fit(X).fit(X)
    estimator.save_weights(tmp_path / "weights")
    loaded = make().load_weights(tmp_path / "weights")
    assert_array_equal(loaded.transform(X), estimator.transform(X))


def of_width(input_shape, n_outputs, width):
    hidden = nn.Linear(input_shape[0], width)
    return nn.Sequential(hidden, nn.ReLU(), nn.Linear(width, n_outputs))


class OfWidth:
    """A factory that is told by its attributes."""

    def __init__(self, width):
        self.width = width

    def __call__(self, input_shape, n_outputs):
        return of_width(input_shape, n_outputs, self.width)


FACTORIES = {
    "partial": lambda width: functools.partial(of_width, width=width),
    "object": OfWidth,
    "method": lambda width: OfWidth(width).__call__,
    "module": lambda width: of_width((64,), 3, width),
}


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)
def test_encoders_that_differ_inside_are_told_apart(digits, factory):
    X = few(digits)
    estimator = tiny("SimCLR", encoder=factory(8)).fit(X)
    # The weights that a module has now are not those that were trained.
    estimator.set_params(encoder=factory(8)).partial_fit(X)
    with pytest.raises(ValueError, match="encoder changed"):
        estimator.set_params(encoder=factory(9)).partial_fit(X)
