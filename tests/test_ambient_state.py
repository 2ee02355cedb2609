"""Whatever a caller has set in torch, every method gives the same bits, and leaves it set."""

import contextlib
import copy
import functools
import pickle
import warnings

import numpy as np
import pytest
import torch
from conftest import METHODS, tiny
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits

from sklearn_simvae import FineTuned, FrozenEncoder, evaluation

X = (load_digits().data[:64] / 16).astype(np.float32)


@contextlib.contextmanager
def setting(get, put, value):
    before = get()
    put(value)
    try:
        yield
    finally:
        put(before)


@contextlib.contextmanager
def cuda_autocast():
    with warnings.catch_warnings(action="ignore"), torch.autocast("cuda", torch.float16):
        yield


STATES = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast in float16": lambda: torch.autocast("cpu", torch.float16),
    # Torch keeps the rounded weights until the outermost autocast ends, be it on or off.
    "autocast switched off": lambda: torch.autocast("cpu", enabled=False),
    "autocast without cache": lambda: torch.autocast("cpu", torch.bfloat16, cache_enabled=False),
    "autocast of CUDA": cuda_autocast,
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "default dtype": lambda: setting(
        torch.get_default_dtype, torch.set_default_dtype, torch.float64
    ),
    # Nothing can be computed there.
    "default device": lambda: torch.device("meta"),
    "deterministic algorithms": lambda: setting(
        torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, True
    ),
    "anomaly detection": lambda: torch.autograd.detect_anomaly(),
}

# How each public method is called: with what makes an estimator, and one that was fitted before.
CALLS = {
    "fit": lambda make, fitted: make().fit(X).transform(X),
    "fit_transform": lambda make, fitted: make().fit_transform(X),
    "partial_fit": lambda make, fitted: make().partial_fit(X).partial_fit(X).transform(X),
    "transform": lambda make, fitted: fitted.transform(X),
    "get_feature_names_out": lambda make, fitted: fitted.get_feature_names_out(),
    "score": lambda make, fitted: fitted.score(X),
    "score_samples": lambda make, fitted: fitted.score_samples(X, n_importance_samples=2),
    "encode": lambda make, fitted: fitted.encode(X),
    "inverse_transform": lambda make, fitted: fitted.inverse_transform(X[:, 20:23]),
    "sample": lambda make, fitted: fitted.sample(3, random_state=0),
    "content": lambda make, fitted: fitted.content(X, return_std=True),
    "style": lambda make, fitted: fitted.style(X),
    "impute": lambda make, fitted: fitted.impute(X),
    "recombine": lambda make, fitted: fitted.recombine(X, X[::-1]),
    "project": lambda make, fitted: fitted.project(X),
    "similarity": lambda make, fitted: fitted.similarity(X, X),
    "zero_shot_classifier": lambda make, fitted: zero_shot(fitted).predict_proba(X),
    "generate": lambda make, fitted: fitted.generate(X, "first", "second"),
}
# How what was fitted comes to life again, to be trained further.
WAYS = {
    "pickle": lambda make, fitted, path: pickle.loads(pickle.dumps(fitted)),
    "deepcopy": lambda make, fitted, path: copy.deepcopy(fitted),
    "load_weights": lambda make, fitted, path: make().load_weights(saved(fitted, path)),
    "from_file": lambda make, fitted, path: type(fitted).from_file(saved(fitted, path)),
}
# What gives no numbers, or is tried as a way.
ELSEWHERE = {
    *("get_params", "set_params", "get_metadata_routing", "set_output"),
    *("save_weights", "load_weights", "from_file", "to_onnx"),
}


def zero_shot(fitted):
    return fitted.zero_shot_classifier(X[:2], ["a", "b"])


def saved(fitted, path):
    fitted.save_weights(path / "weights")
    return path / "weights"


@functools.cache
def maker(name):
    # Of a precision in which torch keeps rounded weights.
    return functools.partial(tiny, name, max_epochs=1, precision="bf16")


@functools.cache
def fitted(name):
    return maker(name)().fit(X)


def calls_of(name):
    methods = {m for m in dir(METHODS[name]) if callable(getattr(METHODS[name], m, None))}
    # A class has the methods of its base that its instances withhold.
    has = {m for m in methods if hasattr(METHODS[name](), m) or hasattr(fitted(name), m)}
    return {m for m in has - ELSEWHERE if not m.startswith(("_", "set_"))}


@functools.cache
def usual(name, call):
    """What a call gives where nothing is set."""
    return CALLS[call](maker(name), fitted(name))


def assert_same(found, expected):
    if not isinstance(expected, tuple):
        found, expected = [found], [expected]
    for one, other in zip(found, expected, strict=True):
        assert_array_equal(one, other)


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", METHODS)
def test_what_a_caller_has_set_in_torch_changes_no_result(name, state):
    for call in sorted(calls_of(name)):
        expected = usual(name, call)
        with STATES[state]():
            found = CALLS[call](maker(name), fitted(name))
        assert_same(found, expected)


@pytest.mark.parametrize("state", ["inference_mode", "no_grad", "default device", "default dtype"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", METHODS)
def test_what_comes_to_life_in_any_state_can_be_trained_further(name, way, state, tmp_path):
    def come_to_life():
        return WAYS[way](maker(name), fitted(name), tmp_path)

    expected = come_to_life().partial_fit(X).transform(X)
    with STATES[state]():
        made_inside = come_to_life()
    assert not any(w.is_inference() for w in made_inside.module_.parameters())
    assert_array_equal(made_inside.partial_fit(X).transform(X), expected)


@pytest.mark.parametrize("state", STATES)
def test_what_a_caller_has_set_changes_no_fine_tuning(state):
    torch.manual_seed(0)
    estimator = tiny("SimCLR", encoder=FineTuned(torch.nn.Linear(64, 8), freeze="trunk"))
    expected = estimator.fit_transform(X)
    with warnings.catch_warnings(action="ignore"), STATES[state]():
        found = estimator.fit_transform(X)
    assert_array_equal(found, expected)


@pytest.mark.parametrize("state", ["inference_mode", "autocast", "default dtype"])
def test_an_encoder_made_in_any_state_is_trained(state):
    def encoder():
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(64, 3, dtype=torch.float32))

    expected = tiny("SimCLR", encoder=encoder()).fit(X).transform(X)
    with STATES[state]():
        inside = encoder()
    assert_array_equal(tiny("SimCLR", encoder=inside).fit(X).transform(X), expected)


FUNCTIONS = {
    "probe": lambda vae, X: evaluation.probe(
        vae, X, np.arange(len(X)) % 2, probes="linear", n_repeats=1, random_state=0
    ),
    "style_probe": lambda vae, X: evaluation.style_probe(
        vae, X, X[:, 20], probes="knn", n_repeats=1, random_state=0
    ),
    "collapse_report": lambda vae, X: evaluation.collapse_report(
        vae, X, augmentation="auto", random_state=0
    ),
    "mutual_information": lambda vae, X: evaluation.mutual_information(
        vae, X, augmentation="auto", random_state=0
    ),
    "reconstruction_error": evaluation.reconstruction_error,
    "frechet_distance": lambda vae, X: evaluation.frechet_distance(X, X[::2], vae),
    "FrozenEncoder": lambda vae, X: FrozenEncoder(vae.encoder_).fit_transform(X).tolist(),
}


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
@pytest.mark.parametrize("state", STATES)
def test_what_a_caller_has_set_in_torch_changes_no_evaluation(state):
    vae = fitted("SimVAE")
    for function in FUNCTIONS.values():
        expected = function(vae, X)
        with STATES[state]():
            found = function(vae, X)
        assert repr(found) == repr(expected)


@pytest.mark.parametrize("state", STATES)
def test_what_a_caller_has_set_stays_set(state):
    def ambient():
        return (
            *map(torch.is_autocast_enabled, ("cpu", "cuda")),
            torch.get_autocast_dtype("cpu"),
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.get_default_dtype(),
            torch.get_default_device(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_anomaly_enabled(),
            torch.get_num_threads(),
        )

    with warnings.catch_warnings(action="ignore"), STATES[state]():
        before = ambient()
        estimator = tiny("SimVAE", max_epochs=1).fit(X)
        estimator.score(X)
        with pytest.raises(ValueError):
            estimator.fit(X[:0])
        assert ambient() == before


def test_every_method_is_tried():
    assert set.union(*map(calls_of, METHODS)) == CALLS.keys()
