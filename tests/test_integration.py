"""Pipelines, searches, metadata routing and copies."""

import copy
import pickle

import joblib
import numpy as np
import pytest
import sklearn
import torch
from conftest import n_outputs, one_kind, with_variants
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, StandardScaler
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_simvae.views import Compose, FeatureCorruption, RandomResizedCrop


def name_of(estimator):
    return type(estimator).__name__.lower()


def encoder_module(n_outputs, n_inputs=64):
    return nn.Sequential(nn.Flatten(), nn.Linear(n_inputs, 16), nn.ReLU(), nn.Linear(16, n_outputs))


# ---------------------------------------------------------------- pipelines


class Counted(nn.Linear):
    """A module that counts how often one of its kind trains."""

    n_steps = 0

    def forward(self, x):
        Counted.n_steps += self.training
        return super().forward(x.flatten(1))


@one_kind
def test_memory_of_a_pipeline_finds_encoders_that_are_modules(make, digits, tmp_path):
    estimator = make()
    encoder = Counted(64, n_outputs(estimator))
    pipeline = make_pipeline(
        estimator.set_params(encoder=encoder), LogisticRegression(), memory=str(tmp_path)
    )
    first = clone(pipeline).fit(*digits).predict_proba(digits[0])
    n_steps = Counted.n_steps
    assert_array_equal(clone(pipeline).fit(*digits).predict_proba(digits[0]), first)
    assert Counted.n_steps == n_steps
    with torch.no_grad():
        encoder.weight[0, 0] += 1
    clone(pipeline).fit(*digits)
    assert Counted.n_steps > n_steps


def test_in_a_pipeline_with_scaler_and_classifier(make, digits):
    X, y = digits
    pipe = make_pipeline(
        StandardScaler(),
        make(max_epochs=30, lr=0.01, n_components=8),
        LogisticRegression(max_iter=1000),
    )
    pipe.fit(X[:120], y[:120])
    # A class in ten is right by chance.
    assert pipe.score(X[120:], y[120:]) > 0.4
    assert_array_equal(pipe[1].transform(pipe[0].transform(X)), pipe[:2].transform(X))


def test_on_some_columns_of_a_frame(make, digits):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(digits[0], columns=[f"pixel {i}" for i in range(64)])
    frame.insert(20, "place", np.resize(["a", "b", "c"], len(frame)))
    pixels = [c for c in frame if c != "place"]
    estimator = make()
    columns = ColumnTransformer(
        [("rep", estimator, pixels), ("place", OneHotEncoder(sparse_output=False), ["place"])]
    )
    both = columns.fit_transform(frame)
    assert_allclose(both[:, :3], estimator.fit_transform(digits[0]), rtol=1e-6)
    assert both.shape == (len(frame), 6)
    names = columns.get_feature_names_out()
    assert list(names[:3]) == [f"rep__{name}" for name in estimator.get_feature_names_out()]
    assert list(columns.set_output(transform="pandas").fit_transform(frame)) == list(names)


@one_kind
def test_images_travel_flat_through_a_pipeline(make, digits):
    X, y = digits
    pipe = make_pipeline(make(input_shape=(8, 8)), LogisticRegression()).fit(X, y)
    assert pipe[:-1].transform(X).shape == (len(X), 3)
    assert_array_equal(pipe.predict(X.reshape(-1, 8, 8)), pipe.predict(X))


# ---------------------------------------------------------------- searches


def test_two_processes_find_what_one_does(make_one_of_each_kind, digits):
    X, y = digits
    make = make_one_of_each_kind
    pipe = make_pipeline(StandardScaler(), make(), LogisticRegression())
    grid = {f"{name_of(make())}__n_components": [2, 8]}
    one, two = (GridSearchCV(pipe, grid, cv=2, n_jobs=n).fit(X, y) for n in (1, 2))
    key = "mean_test_score"
    assert_allclose(one.cv_results_[key], two.cv_results_[key], atol=0.02)
    assert one.best_params_ == two.best_params_
    scores = [cross_val_score(pipe, X, y, cv=2, n_jobs=n) for n in (1, 2)]
    assert_allclose(*scores, atol=0.02)


def test_grid_search_without_labels(make, digits):
    X, _ = digits
    search = GridSearchCV(make(max_epochs=8), {"lr": [1e-6, 1e-2]}, cv=2).fit(X)
    assert search.best_params_ == {"lr": 1e-2}
    assert search.score(X) == search.best_estimator_.score(X)


@one_kind
def test_parameters_of_the_augmentation_can_be_searched(make, digits):
    X, y = digits
    augmentation = Compose([RandomResizedCrop(), FeatureCorruption(p=0.1)])
    assert clone(make(augmentation=augmentation)).augmentation is not augmentation
    estimator = make(augmentation=RandomResizedCrop(), input_shape=(8, 8))
    pipe = make_pipeline(estimator, LogisticRegression())
    key = f"{name_of(estimator)}__augmentation__scale"
    search = GridSearchCV(pipe, {key: [(0.3, 1.0), (0.95, 1.0)]}, cv=2, refit=False).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    first, second = (
        clone(pipe).set_params(**{key: scale}).fit(X, y)[0].transform(X)
        for scale in ((0.3, 1.0), (0.95, 1.0))
    )
    assert np.abs(first - second).max() > 1e-4
    assert estimator.augmentation.scale == RandomResizedCrop().scale


# ---------------------------------------------------------------- metadata routing


@pytest.fixture
def grouped(digits):
    X, y = digits
    # Of two and three rows.
    return X, y, np.random.default_rng(0).permutation(np.arange(len(X)) % 60)


def by_hand(estimator, X, groups):
    return [
        clone(estimator).fit(X[train], groups=groups[train]).score(X[test], groups=groups[test])
        for train, test in GroupKFold(3).split(X, groups=groups)
    ]


@one_kind
def test_groups_are_routed_in_cross_validation(make, grouped):
    X, _, groups = grouped
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = make().set_fit_request(groups=True).set_score_request(groups=True)
        result = cross_validate(estimator, X, params={"groups": groups}, cv=GroupKFold(3))
    assert_allclose(result["test_score"], by_hand(make(), X, groups), rtol=1e-5)
    unrouted = cross_val_score(make(), X, cv=3)
    assert np.abs(result["test_score"] / unrouted - 1).min() > 1e-3


@one_kind
def test_groups_are_routed_through_a_pipeline(make, grouped):
    X, y, groups = grouped
    # Under routing, Pipeline.score works only with last steps that know sample_weight
    # (scikit-learn #30937): a classifier, here.
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = make_pipeline(
            StandardScaler(), make().set_fit_request(groups=True), LogisticRegression()
        )
        result = cross_validate(
            pipe, X, y, params={"groups": groups}, cv=GroupKFold(3), return_estimator=True
        )
    assert np.isfinite(result["test_score"]).all()
    folds = GroupKFold(3).split(X, groups=groups)
    for fitted, (train, test) in zip(result["estimator"], folds, strict=True):
        scaler, estimator, _ = fitted
        by_hand = make().fit(scaler.transform(X[train]), groups=groups[train])
        test = scaler.transform(X[test])
        assert_array_equal(estimator.transform(test), by_hand.transform(test))


@one_kind
def test_groups_are_not_routed_unasked(make, grouped):
    X, _, groups = grouped
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(ValueError, match="groups"),
    ):
        cross_validate(make(), X, params={"groups": groups}, cv=GroupKFold(3), error_score="raise")


# ---------------------------------------------------------------- copies


def through_joblib(estimator, tmp_path):
    joblib.dump(estimator, tmp_path / "estimator")
    return joblib.load(tmp_path / "estimator")


COPIES = {
    "pickle": lambda estimator, tmp_path: pickle.loads(pickle.dumps(estimator)),
    "joblib": through_joblib,
    "deepcopy": lambda estimator, tmp_path: copy.deepcopy(estimator),
}


VARIANTS = {
    "default": lambda e: {},
    "hidden": lambda e: {"representation": "hidden"},
    "stopping early": lambda e: {"early_stopping": True, "verbose": 1, "warm_start": True},
    "module": lambda e: {
        "encoder": encoder_module(n_outputs(e)),
        "optimizer": torch.optim.RMSprop,
    },
    "augmentation": lambda e: {"augmentation": FeatureCorruption(p=0.2)},
    "modalities": lambda e: {
        "modalities": [
            ("upper", encoder_module(n_outputs(e), 32), slice(32)),
            ("lower", "mlp", slice(32, 64)),
        ],
        "preprocessing": [("lower", MaxAbsScaler())],
    },
}


@with_variants(VARIANTS)
def test_copies_are_equal_and_go_on_as_the_original_does(make, digits, tmp_path, params):
    assert_copy_is_equal_and_goes_on(COPIES["pickle"], make(**params), digits[0][:64], tmp_path)


@pytest.mark.parametrize("by", ["joblib", "deepcopy"])
def test_copies_of_other_kinds_do_so_too(make, digits, tmp_path, by):
    assert_copy_is_equal_and_goes_on(COPIES[by], make(), digits[0][:64], tmp_path)


def assert_copy_is_equal_and_goes_on(duplicate, original, X, tmp_path):
    original.fit(X)
    other = duplicate(original, tmp_path)
    Z = original.transform(X)
    assert_array_equal(other.transform(X), Z)
    assert other.history_ == original.history_
    assert list(other.get_feature_names_out()) == list(original.get_feature_names_out())
    if hasattr(original, "score"):
        assert other.score(X) == original.score(X)
    other.partial_fit(X)
    assert_array_equal(original.transform(X), Z)
    assert_array_equal(other.transform(X), original.partial_fit(X).transform(X))
    assert np.abs(other.transform(X) - Z).max() > 1e-6
    assert_array_equal(
        duplicate(original, tmp_path).fit(X).transform(X), original.fit(X).transform(X)
    )


NESTED = {name: VARIANTS[name] for name in ("default", "augmentation", "modalities")}


@with_variants(NESTED)
def test_unfitted_estimators_can_be_pickled(make, params):
    estimator = make(**params)
    assert repr(pickle.loads(pickle.dumps(estimator))) == repr(estimator)


@with_variants(NESTED)
def test_clones_carry_the_parameters_and_nothing_learned(make, digits, params):
    X, _ = digits
    estimator = make(**params).fit(X)
    other = clone(estimator)
    assert repr(other) == repr(estimator) and not hasattr(other, "net_")
    assert_array_equal(other.fit(X).transform(X), estimator.transform(X))


@one_kind
def test_a_module_that_is_given_is_never_trained(make, digits):
    X, _ = digits
    module = encoder_module(n_outputs(make()))
    before = copy.deepcopy(module.state_dict())
    estimator = make(encoder=module)
    first = estimator.fit(X).transform(X)
    assert estimator.encoder is module and estimator.encoder_ is not module
    assert np.abs(first - make(encoder=module, lr=1e-12).fit_transform(X)).max() > 1e-4
    again = {
        "refit": estimator,
        "another": make(encoder=module),
        "clone": clone(estimator),
    }
    for name, other in again.items():
        assert_array_equal(other.fit(X).transform(X), first, err_msg=name)
    estimator.partial_fit(X)
    cross_validate(make_pipeline(make(encoder=module), LogisticRegression()), *digits, cv=2)
    assert all(torch.equal(w, before[name]) for name, w in module.state_dict().items())
    assert all(p.grad is None for p in module.parameters())


@one_kind
def test_folds_share_no_weights(make, digits):
    X, _ = digits
    result = cross_validate(
        make(encoder=encoder_module(n_outputs(make()))),
        X,
        cv=2,
        return_estimator=True,
        scoring=lambda *a: 0,
    )
    for train, fitted in zip((slice(80, 160), slice(80)), result["estimator"], strict=True):
        alone = clone(fitted).fit(X[train])
        assert_array_equal(fitted.transform(X), alone.transform(X))
    pointers = [{p.data_ptr() for p in e.module_.parameters()} for e in result["estimator"]]
    assert not pointers[0] & pointers[1]


@one_kind
def test_the_encoder_can_be_trained_on_in_a_classifier(make, digits):
    X, y = digits[0].copy(), digits[1]
    estimator = make(n_components=8, max_epochs=20, lr=0.01).fit(X)
    Z = estimator.transform(X)
    encoder = copy.deepcopy(estimator.encoder_)
    start = copy.deepcopy(encoder.state_dict())
    width = encoder(torch.zeros(1, 64)).shape[1]
    classifier = NeuralNetClassifier(
        nn.Sequential(encoder, nn.Linear(width, 10)),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.01,
        max_epochs=20,
        batch_size=32,
        train_split=None,
        verbose=0,
    )
    classifier.fit(X, y)
    assert classifier.score(X, y) > 0.8
    assert any(not torch.equal(w, start[name]) for name, w in encoder.state_dict().items())
    assert_array_equal(estimator.transform(X), Z)
