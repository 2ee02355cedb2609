"""A pretrained network as the encoder of an estimator."""

import copy
import pickle
import sys

import joblib
import numpy as np
import pytest
import torch
from conftest import n_outputs, one_kind, tiny
from numpy.testing import assert_allclose, assert_array_equal
from pretrained_networks import Convolutions, fake_timm
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from sklearn_simvae import FineTuned, FrozenEncoder, SimCLR
from sklearn_simvae.networks import hidden_features

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 3, 8, 8), dtype=np.uint8)


def trunk(estimator):
    return estimator.encoder_[0].network


def changed(module, other):
    """The names of weights and statistics that differ."""
    states = zip(module.state_dict().items(), other.state_dict().items(), strict=True)
    return {name for (name, one), (_, value) in states if not torch.equal(one.cpu(), value)}


@one_kind
@pytest.mark.parametrize("freeze", [None, "trunk", ["stem", "norm"]])
def test_every_method_trains_what_is_not_frozen(make, freeze):
    module = Convolutions().train()
    before = copy.deepcopy(module)
    estimator = make(encoder=FineTuned(module, freeze=freeze), weight_decay=0.1)
    Z = estimator.fit_transform(IMAGES)
    assert Z.shape == (24, 3) and np.isfinite(Z).all()
    assert estimator.encoder_[1].out_features == n_outputs(estimator)
    moved = changed(trunk(estimator), before)
    if freeze == "trunk":
        assert moved == set()
    elif freeze is None:
        assert {"stem.weight", "norm.running_mean", "body.1.weight"} <= moved
    else:
        assert moved == {"body.1.weight", "body.1.bias"}
    assert changed(module, before) == set() and module.training
    assert all(w.requires_grad for w in module.parameters())


def test_the_head_on_a_frozen_trunk_reads_the_features_of_a_frozen_encoder():
    estimator = tiny("SimCLR", encoder=FineTuned(Convolutions(), freeze="trunk"))
    Z = estimator.fit_transform(IMAGES)
    features = FrozenEncoder(Convolutions()).fit_transform(IMAGES)
    head = estimator.encoder_[1]
    by_hand = features @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    assert_allclose(Z, by_hand, rtol=1e-4, atol=1e-6)
    estimator.set_params(representation="hidden")
    assert_allclose(estimator.transform(IMAGES), features, rtol=1e-4, atol=1e-6)
    assert_allclose(
        FrozenEncoder(hidden_features(estimator.encoder_)).fit_transform(IMAGES),
        features,
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_weight_decay_does_not_move_what_is_frozen(optimizer):
    encoder = FineTuned(Convolutions(), freeze="trunk")
    estimator = tiny("SimCLR", encoder=encoder, optimizer=optimizer, weight_decay=0.5)
    assert changed(trunk(estimator.fit(IMAGES)), Convolutions()) == set()


def test_what_the_user_has_frozen_is_trained_unless_it_is_frozen_here():
    module = Convolutions().requires_grad_(False)
    estimator = tiny("SimCLR", encoder=FineTuned(module)).fit(IMAGES)
    assert "stem.weight" in changed(trunk(estimator), module)


def test_a_layer_and_the_normalization_are_part_of_the_encoder():
    encoder = FineTuned(Convolutions(), layer="body", mean=0.5, std=0.2, image_size=16)
    made = encoder((3, 8, 8), 5)
    assert made(torch.rand(2, 3, 8, 8)).shape == (2, 5)
    assert_array_equal(made[0].mean.flatten(), [0.5])


def test_vectors_and_series_have_networks_too():
    assert FineTuned(nn.Linear(4, 3))((4,), 2)(torch.zeros(5, 4)).shape == (5, 2)
    assert FineTuned(nn.Conv1d(2, 3, 3))((2, 9), 2)(torch.zeros(5, 2, 9)).shape == (5, 2)


def test_a_search_chooses_what_to_freeze():
    estimator = tiny("SimCLR", encoder=FineTuned(Convolutions()))
    grid = {"encoder__freeze": [None, "trunk", ["stem"]], "encoder__layer": [None, "body"]}
    search = GridSearchCV(estimator, grid, cv=2).fit(IMAGES)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("name", ["SimVAE", "SimCLR", "BYOL"])
def test_training_goes_on_and_what_is_frozen_stays(name):
    encoder = FineTuned(Convolutions(), freeze=["stem", "norm"])
    estimator = tiny(name, encoder=encoder, warm_start=True).fit(IMAGES)
    first = copy.deepcopy(trunk(estimator))
    estimator.fit(IMAGES).partial_fit(IMAGES)
    assert changed(trunk(estimator), first) == {"body.1.weight", "body.1.bias"}
    with pytest.raises(ValueError, match="encoder changed since"):
        estimator.set_params(encoder__freeze=None).partial_fit(IMAGES)


@pytest.mark.parametrize("name", ["SimVAE", "SimCLR"])
def test_estimators_are_kept(name, tmp_path):
    def make():
        return tiny(name, encoder=FineTuned(Convolutions(), freeze="trunk"))

    estimator = make().fit(IMAGES)
    Z = estimator.transform(IMAGES)
    estimator.save_weights(tmp_path / "weights")
    loaded = make().load_weights(tmp_path / "weights")
    for other in (loaded, pickle.loads(pickle.dumps(estimator)), copy.deepcopy(estimator)):
        assert_array_equal(other.transform(IMAGES), Z)
        assert_array_equal(clone(other).fit_transform(IMAGES), Z)
        assert changed(trunk(other.partial_fit(IMAGES)), Convolutions()) == set()


def test_equal_networks_have_equal_hashes():
    def digest(seed, freeze=None):
        return joblib.hash(SimCLR(encoder=FineTuned(Convolutions(seed=seed), freeze=freeze)))

    assert digest(0) == digest(0) != digest(1) and digest(0) != digest(0, "trunk")


def test_skops_keeps_a_network_by_its_name(monkeypatch):
    skops = pytest.importorskip("skops.io")
    with pytest.raises(ValueError, match="encoder of this FineTuned holds a torch module"):
        skops.dumps(FineTuned(Convolutions()))
    library = fake_timm(small_net=Convolutions)
    monkeypatch.setitem(sys.modules, "timm", library)
    estimator = tiny("SimCLR", encoder=FineTuned("small_net", freeze=["stem"])).fit(IMAGES)
    trusted = [
        "sklearn_simvae.pretrained.fine_tuned.FineTuned",
        "sklearn_simvae.discriminative.simclr.SimCLR",
    ]
    loaded = skops.loads(skops.dumps(estimator), trusted=trusted)
    assert_array_equal(loaded.transform(IMAGES), estimator.transform(IMAGES))


def test_modalities_have_networks_of_their_own():
    X = np.random.default_rng(0).random((24, 8)).astype(np.float32)
    encoder = FineTuned(nn.Linear(4, 5), freeze="trunk")
    modalities = [("first", encoder, slice(0, 4)), ("second", "auto", slice(4, 8))]
    estimator = tiny("CLIP", modalities=modalities).fit(X)
    assert np.isfinite(estimator.score(X))
    assert changed(estimator.module_.encoders[0][0].network, encoder.encoder) == set()


@pytest.mark.parametrize(
    "params, message",
    [
        ({"freeze": "body"}, "freeze must be 'trunk', None or a list of names"),
        ({"freeze": [0]}, "freeze must be"),
        ({"freeze": True}, "freeze must be"),
        ({"freeze": ["bodi"]}, "no part 'bodi'; it has 'body'"),
        ({"layer": "other"}, "no part 'other'"),
        ({"pooling": "median"}, "pooling must be one of"),
        ({"encoder": 3}, "must be a torch module or the name"),
    ],
)
def test_bad_parameters_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        tiny("SimCLR", encoder=FineTuned(Convolutions()).set_params(**params)).fit(IMAGES)
