"""Networks as ONNX files, which give what transform, inverse_transform and score_samples give."""

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from conftest import METHODS, ONE_KIND, TINY, TWO, n_outputs, one_kind, tiny
from saved import mlp
from sklearn.preprocessing import MaxAbsScaler
from torch import nn

from sklearn_simvae import SimCLR, SimVAE
from sklearn_simvae.persistence import ONNX_OPSET


def run_onnx(path, given, names=("rows", "representation")):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run([names[1]], {names[0]: given})[0]


def assert_onnx_is_transform(estimator, path, rows, **kwargs):
    estimator.to_onnx(path, **kwargs)
    for part in (rows, rows[:1]):
        made, Z = run_onnx(path, part), estimator.transform(part, **kwargs)
        assert made.dtype == np.float32 and made.shape == Z.shape
        np.testing.assert_allclose(made, Z, atol=1e-4)


@one_kind
def test_onnx_gives_what_transform_gives(make, X, path):
    assert_onnx_is_transform(make().fit(X), path, X)


def images(channels_last=False):
    X = np.random.default_rng(0).integers(0, 256, (12, 3, 16, 16), dtype=np.uint8)
    return np.ascontiguousarray(X.transpose(0, 2, 3, 1)) if channels_last else X


def series():
    return np.random.default_rng(0).normal(size=(12, 40, 2)).astype(np.float32)


ENCODERS = {
    "mlp, hidden": (SimVAE(representation="hidden", **TINY), series()[:, :, 0]),
    "conv": (SimVAE(**TINY), images()),
    "conv, hidden": (SimCLR(representation="hidden", **TINY), images() / np.float32(255)),
    "channels last": (SimVAE(input_shape=(16, 16, 3), **TINY), images(channels_last=True)),
    "flat": (SimVAE(input_shape=(3, 16, 16), **TINY), images().reshape(12, -1)),
    "resnet18": (SimVAE(encoder="resnet18", **TINY), images()),
    "conv1d": (SimVAE(input_shape=(40, 2), **TINY), series()),
    "conv1d, flat": (SimCLR(input_shape=(40, 2), **TINY), series().reshape(12, -1)),
    "own": (SimVAE(encoder=mlp, **TINY), series()[:, :, 0]),
}


@pytest.mark.parametrize("estimator, rows", ENCODERS.values(), ids=ENCODERS)
def test_onnx_of_encoders_gives_what_transform_gives(estimator, rows, path):
    estimator.set_params(max_epochs=1).fit(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_onnx_is_transform(estimator, path, rows)


GENERATIVE = [name for name in METHODS if hasattr(METHODS[name], "inverse_transform")]
OF_ONE_KIND = [name for name in GENERATIVE if name in ONE_KIND]


def assert_onnx_is_decoder_and_score(estimator, path, rows):
    Z = 2 * np.random.default_rng(0).normal(size=(7, estimator.n_components)).astype(np.float32)
    cases = {
        "decoder": (Z, ("latents", "rows"), estimator.inverse_transform),
        "score": (rows, ("rows", "score"), estimator.score_samples),
    }
    for output, (given, names, method) in cases.items():
        estimator.to_onnx(path, output=output)
        for part in (given, given[:1]):
            made, expected = run_onnx(path, part, names), method(part)
            assert made.dtype == np.float32 and made.shape == expected.shape
            np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", OF_ONE_KIND)
@pytest.mark.parametrize("likelihood", ["auto", "gaussian", "bernoulli", "multinomial"])
def test_onnx_decodes_and_scores_as_the_estimator_does(name, likelihood, X, path):
    estimator = tiny(name, likelihood=likelihood, noise_variance="learned").fit(X)
    assert_onnx_is_decoder_and_score(estimator, path, X)


@pytest.mark.parametrize("estimator, rows", ENCODERS.values(), ids=ENCODERS)
def test_onnx_of_decoders_and_scores_of_all_kinds_of_rows(estimator, rows, path):
    if hasattr(estimator, "decoder"):
        estimator.set_params(max_epochs=1).fit(rows)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert_onnx_is_decoder_and_score(estimator, path, rows)


def test_onnx_of_likelihoods_by_column_and_missing_values(X, path):
    rows = np.abs(X[:, :5]).astype(np.float32)
    rows[::3, 1] = np.nan
    likelihood = [("poisson", [4, 0]), ("multinomial", [3, 1])]
    estimator = tiny("SimVAE", likelihood=likelihood).fit(rows)
    assert_onnx_is_decoder_and_score(estimator, path, rows)


def test_onnx_scores_binary_rows_that_are_far_from_what_is_expected(X, path):
    binary = (X > 0.5).astype(np.float32)
    estimator = tiny("SimVAE", likelihood="bernoulli").fit(binary)
    with torch.no_grad():
        list(estimator.module_.decoder.parameters())[-1].mul_(1000)
    assert estimator.score_samples(1 - binary).max() < -1000
    assert_onnx_is_decoder_and_score(estimator, path, 1 - binary)


def test_onnx_scores_large_counts(X, path):
    estimator = tiny("VAE", likelihood="multinomial").fit(X)
    counts = np.random.default_rng(0).poisson(np.geomspace(0.1, 1e4, 64), (9, 64))
    assert_onnx_is_decoder_and_score(estimator, path, counts.astype(np.float32))


@pytest.mark.parametrize("name", [name for name in METHODS if name not in GENERATIVE])
@pytest.mark.parametrize("output", ["decoder", "score"])
def test_onnx_of_what_a_method_cannot_do_is_refused(name, output, X, path):
    modality = {} if name in ONE_KIND else {"modality": "first"}
    estimator = tiny(name).fit(X)
    with pytest.raises(ValueError, match=f"output='{output}' needs .*_.*, which {name} does not"):
        estimator.to_onnx(path, output=output, **modality)
    assert not path.exists()


def test_onnx_of_an_improper_prior_has_no_score_and_of_nothing_else_is_refused(X, path):
    estimator = tiny("SimVAE", prior_variance=None).fit(X)
    with pytest.raises(ValueError, match=r"score_samples.*\(prior_variance=None\)"):
        estimator.to_onnx(path, output="score")
    with pytest.raises(ValueError, match=r"output must be one of .*'decoder'.* got 'encoder'"):
        estimator.to_onnx(path, output="encoder")
    estimator.to_onnx(path, output="decoder")


def test_onnx_of_a_modality_decodes_and_scores_it_alone(X, path):
    likelihood = {"even": "bernoulli", "odd": "gaussian"}
    estimator = tiny("MultimodalSimVAE", modalities=TWO, likelihood=likelihood).fit(X)
    Z = estimator.transform(X)
    for place, modality in enumerate(("even", "odd")):
        own, alone = slice(place, None, 2), np.full_like(X, np.nan)
        alone[:, own] = X[:, own]
        estimator.to_onnx(path, modality, output="score")
        scores = run_onnx(path, np.ascontiguousarray(X[:, own]), ("rows", "score"))
        np.testing.assert_allclose(scores, estimator.score_samples(alone), rtol=1e-5, atol=1e-4)
        estimator.to_onnx(path, modality, output="decoder")
        made = run_onnx(path, Z, ("latents", "rows"))
        np.testing.assert_allclose(made, estimator.inverse_transform(Z)[:, own], atol=1e-5)


def test_onnx_says_its_operators_and_names(fitted, path):
    fitted.to_onnx(path)
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert [opset.version for opset in model.opset_import] == [ONNX_OPSET]
    assert [tensor.name for tensor in model.graph.input] == ["rows"]


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ONE_KIND])
def test_onnx_of_a_modality_gives_what_transform_gives_of_it(method, X, path):
    params = {"modalities": TWO, "preprocessing": [("odd", MaxAbsScaler())]}
    estimator = tiny(method, **params).fit(X)
    parts = {"even": X[:, ::2], "odd": MaxAbsScaler().fit_transform(X[:, 1::2])}
    for modality, rows in parts.items():
        estimator.to_onnx(path, modality)
        Z = estimator.transform(X, modality=modality)
        np.testing.assert_allclose(run_onnx(path, rows), Z, atol=1e-4)
    with pytest.raises(ValueError, match="no modality 'third'"):
        estimator.to_onnx(path, "third")


def test_what_onnx_cannot_say_is_refused(X, path, capfd):
    class Odd(nn.Module):
        def __init__(self, n_outputs):
            super().__init__()
            self.layer = nn.Linear(64, n_outputs)

        def forward(self, x):
            return self.layer(x) + torch.special.bessel_j0(x).mean()

    estimator = tiny("SimVAE")
    estimator.set_params(encoder=lambda shape, n: Odd(n_outputs(estimator))).fit(X)
    path.write_bytes(b"what was there before")
    capfd.readouterr()
    with pytest.raises(ValueError, match=r"ONNX does not support.*bessel") as raised:
        estimator.to_onnx(path)
    assert path.read_bytes() == b"what was there before"
    assert len(str(raised.value)) < 400
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


AMBIENT = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference": torch.inference_mode,
    "no gradients": torch.no_grad,
    "another device": lambda: torch.device("meta"),
}


@pytest.mark.parametrize("ambient", AMBIENT.values(), ids=AMBIENT)
@pytest.mark.parametrize("name", ["SimVAE", "SimCLR", "CLIP"])
def test_onnx_is_the_same_whatever_the_caller_has_switched_on(name, ambient, X, path, tmp_path):
    estimator = tiny(name).fit(X)
    modality = {} if name in ONE_KIND else {"modality": "first"}
    for output in ["representation", *(["score", "decoder"] if name in GENERATIVE else [])]:
        estimator.to_onnx(path, output=output, **modality)
        estimator.module_.train()
        with ambient():
            estimator.to_onnx(tmp_path / "other.onnx", output=output, **modality)
        assert (tmp_path / "other.onnx").read_bytes() == path.read_bytes()
        assert estimator.module_.training
