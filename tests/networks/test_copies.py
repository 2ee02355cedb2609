"""Modules of users that torch does not copy, run or pickle as it does others."""

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
import torch
from conftest import METHODS, ONE_KIND, n_outputs, one_kind, tiny
from numpy.testing import assert_array_equal
from sklearn.base import clone
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from sklearn_simvae.networks.copies import copy_module, picklable

pytestmark = pytest.mark.filterwarnings(
    # torch deprecates what it goes on to offer.
    "ignore::DeprecationWarning:torch",
    "ignore::FutureWarning",
    "ignore:.*torch.jit",
    "ignore:Lazy modules",
)


@pytest.fixture
def X():
    return np.random.RandomState(0).randn(60, 6).astype(np.float32)


def layers(n_in, n_out, norm=lambda layer: layer):
    return nn.Sequential(norm(nn.Linear(n_in, 8)), nn.ReLU(), norm(nn.Linear(8, n_out)))


def lazy(n_in, n_out):
    return nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(n_out))


def mixed(n_in, n_out):
    module = layers(n_in, n_out)
    module[2].double()
    return module


NORMS = {
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
}
OLD_NORMS = {"weight norm": nn.utils.weight_norm, "spectral norm": nn.utils.spectral_norm}
WORKING = {
    "lazy": lazy,
    "float64": lambda *sizes: layers(*sizes).double(),
    "float16": lambda *sizes: layers(*sizes).half(),
    "bfloat16": lambda *sizes: layers(*sizes).bfloat16(),
    "mixed": mixed,
    **{name: lambda *sizes, norm=norm: layers(*sizes, norm) for name, norm in NORMS.items()},
    **{f"old {n}": lambda *sizes, norm=norm: layers(*sizes, norm) for n, norm in OLD_NORMS.items()},
}
SCRIPTED = {
    "script": lambda *sizes: torch.jit.script(layers(*sizes)),
    "trace": lambda n_in, n_out: torch.jit.trace(layers(n_in, n_out), torch.zeros(2, n_in)),
    "part": lambda *sizes: nn.Sequential(torch.jit.script(layers(*sizes)), nn.Identity()),
}
as_module_or_factory = pytest.mark.parametrize("as_factory", [False, True])


def with_networks(make, kind, as_factory, **params):
    """An estimator with such an encoder and, where it has one, such a decoder."""
    estimator, n = make(**params), n_outputs(make())
    if as_factory:
        estimator.set_params(encoder=lambda shape, n_out: kind(shape[0], n_out))
        decoder = lambda n_in, shape: kind(n_in, shape[0])  # noqa: E731
    else:
        estimator.set_params(encoder=kind(6, n))
        decoder = kind(estimator.n_components, 6)
    return estimator.set_params(decoder=decoder) if hasattr(estimator, "decoder") else estimator


@one_kind
@as_module_or_factory
@pytest.mark.parametrize("kind", WORKING.values(), ids=WORKING)
def test_encoders_and_decoders_of_all_kinds_train_in_float32(make, kind, as_factory, X):
    estimator = with_networks(make, kind, as_factory, max_epochs=1).fit(X)
    Z = estimator.transform(X)
    assert Z.dtype == np.float32 and np.isfinite(Z).all()
    assert {w.dtype for w in estimator.module_.parameters()} == {torch.float32}
    if not as_factory:
        assert_array_equal(estimator.fit(X).transform(X), Z)


@pytest.mark.parametrize("kind", ["lazy", "float64", "mixed", "weight norm"])
def test_modules_that_are_given_stay_as_they_are(kind, X):
    encoder = WORKING[kind](6, 6)
    before = pickle.dumps(encoder) if kind != "weight norm" else str(encoder.state_dict())
    tiny("SimVAE", encoder=encoder).fit(X)
    after = pickle.dumps(encoder) if kind != "weight norm" else str(encoder.state_dict())
    assert after == before


@pytest.mark.parametrize("name", [n for n in METHODS if n not in ONE_KIND])
@pytest.mark.parametrize("kind", ["lazy", "float64", "weight norm"])
def test_encoders_of_modalities_may_be_of_these_kinds_too(name, kind, X):
    n = n_outputs(tiny(name))
    half = [("one", WORKING[kind](3, n), slice(0, 3)), ("two", "auto", slice(3, 6))]
    estimator = tiny(name, modalities=half).fit(X)
    Z = estimator.transform(X, modality="one")
    assert_array_equal(pickle.loads(pickle.dumps(estimator)).transform(X, modality="one"), Z)
    with pytest.raises(ValueError, match="TorchScript"):
        scripted = [("one", SCRIPTED["script"](3, n), slice(0, 3)), ("two", "auto", slice(3, 6))]
        tiny(name, modalities=scripted).fit(X)


@one_kind
@as_module_or_factory
@pytest.mark.parametrize("kind", SCRIPTED.values(), ids=SCRIPTED)
def test_torchscript_is_refused_before_training(make, kind, as_factory, X):
    with pytest.raises(ValueError, match=r"encoder holds a TorchScript module.*compile=True"):
        with_networks(make, kind, as_factory).fit(X)


@as_module_or_factory
def test_torchscript_decoders_are_refused_before_training(as_factory, X):
    decoder = SCRIPTED["script"](3, 6)
    with pytest.raises(ValueError, match="decoder holds a TorchScript module"):
        tiny("SimVAE", decoder=(lambda *_: decoder) if as_factory else decoder).fit(X)


class Doubled(nn.Linear):
    def forward(self, x):
        return super().forward(x).double()


@pytest.mark.parametrize("name", ["SimVAE", "SimCLR", "BYOL"])
def test_networks_that_give_other_numbers_than_float32_are_refused(name, X):
    encoder = Doubled(6, n_outputs(tiny(name)))
    with pytest.raises(ValueError, match=r"encoder must .*gives float64.*\.float\(\)"):
        tiny(name, encoder=encoder).fit(X)


# ---------------------------------------------------------------- parametrizations


def through_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "joblib": through_joblib,
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@pytest.mark.parametrize("how", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("kind", NORMS.values(), ids=NORMS)
@pytest.mark.parametrize("name", ["SimVAE", "SimCLR", "BYOL"])
def test_copies_of_parametrized_networks_represent_and_go_on_alike(name, kind, how, X):
    def networks(*sizes):
        return layers(*sizes, kind)

    estimator = with_networks(lambda **p: tiny(name, **p), networks, False).fit(X)
    copied = how(estimator)
    assert_array_equal(copied.transform(X), estimator.transform(X))
    assert parametrize.is_parametrized(copied.encoder_[0])
    assert parametrize.is_parametrized(copied.encoder[0])
    if how is copy.copy:
        assert copied.encoder is estimator.encoder
        return
    assert how(copied).transform(X).shape == (60, 3)
    again = how(estimator).partial_fit(X).transform(X)
    assert_array_equal(again, estimator.partial_fit(X).transform(X))
    clone(copied).fit(X)


@pytest.mark.parametrize("kind", NORMS.values(), ids=NORMS)
def test_weights_of_parametrized_networks_are_saved_and_loaded(kind, X, tmp_path):
    def make():
        return with_networks(
            lambda **p: tiny("SimVAE", **p), lambda *sizes: layers(*sizes, kind), False
        )

    torch.manual_seed(0)
    estimator = make().fit(X)
    estimator.save_weights(tmp_path / "weights")
    assert_array_equal(
        make().load_weights(tmp_path / "weights").transform(X), estimator.transform(X)
    )


def test_parts_that_are_shared_stay_shared_through_pickle():
    layer = parametrizations.weight_norm(nn.Linear(4, 4))
    module = nn.Sequential(layer, nn.ReLU(), layer)
    restored = pickle.loads(pickle.dumps(picklable(module)))
    assert restored[0] is restored[2] and restored[0] is not layer
    x = torch.randn(3, 4)
    assert torch.equal(restored(x), module(x))


def test_modules_without_parametrizations_are_pickled_as_they_are():
    module = nn.Sequential(nn.Linear(2, 1))
    assert picklable(module) is module
    assert picklable([("a", module)])[0][1] is module


def test_copies_share_no_weights():
    module = nn.utils.weight_norm(nn.Linear(2, 1))
    copied = copy_module(module)
    x = torch.randn(3, 2)
    expected = module(x)
    assert torch.equal(copied(x), expected)
    with torch.no_grad():
        copied.weight_g.mul_(2)
    assert torch.equal(module(x), expected)
