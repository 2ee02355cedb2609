"""What scikit-learn asks of every transformer."""

import ast
import inspect
import re

import numpy as np
import pytest
from conftest import ESTIMATORS, one_kind
from sklearn.utils.estimator_checks import parametrize_with_checks


@parametrize_with_checks(ESTIMATORS)
def test_passes_all_of_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("container", ["default", "pandas", "polars"])
def test_set_output_gives_the_container_asked_for(make, digits, container):
    X, _ = digits
    if container != "default":
        pytest.importorskip(container)
    estimator = make().set_output(transform=container)
    Z = estimator.fit_transform(X)
    assert type(Z).__module__.split(".")[0] == {"default": "numpy"}.get(container, container)
    np.testing.assert_array_equal(np.asarray(Z), estimator.set_output(transform=None).transform(X))
    if container != "default":
        assert list(Z.columns) == list(estimator.get_feature_names_out())


@one_kind
@pytest.mark.parametrize("representation, width", [("latent", 3), ("hidden", 16)])
def test_output_is_float32_and_has_a_name_for_each_column(make, digits, representation, width):
    X, _ = digits
    estimator = make(representation=representation).fit(X)
    Z = estimator.transform(X)
    assert Z.shape == (len(X), width) and Z.dtype == np.float32
    names = estimator.get_feature_names_out()
    assert len(set(names)) == width
    # A method may name the parts of its latents.
    pattern = type(estimator).__name__.lower() + (
        r"\d+" if representation == "hidden" else r"(_[a-z]+)?\d+"
    )
    assert all(re.fullmatch(pattern, name) for name in names)


@one_kind
def test_hidden_representation_is_what_the_head_of_the_encoder_reads(make, digits):
    X, _ = digits
    estimator = make(representation="hidden").fit(X)
    weight, bias = (p.detach().numpy() for p in list(estimator.encoder_.parameters())[-2:])
    latent = estimator.transform(X) @ weight.T + bias
    estimator.set_params(representation="latent")
    np.testing.assert_allclose(latent[:, :3], estimator.transform(X), atol=1e-5)


@one_kind
def test_n_features_in_counts_the_values_of_an_image(make, sprites):
    for X in (sprites, sprites[:, 0]):
        assert make(encoder="mlp").fit(X).n_features_in_ == 3 * 8 * 8


@pytest.mark.parametrize("module", ["pandas", "polars"])
def test_feature_names_of_a_frame_are_kept_and_asked_for_again(make, digits, module):
    DataFrame = pytest.importorskip(module).DataFrame
    X = digits[0][:, 20:24]
    frame = DataFrame({name: X[:, i] for i, name in enumerate("abcd")})
    estimator = make().fit(frame)
    assert list(estimator.feature_names_in_) == list("abcd")
    np.testing.assert_array_equal(estimator.transform(frame), make().fit_transform(X))
    with pytest.raises(ValueError, match="feature names"):
        estimator.transform(frame[["b", "a", "c", "d"]])
    assert not hasattr(estimator.fit(X), "feature_names_in_")


def test_y_is_accepted_and_never_used(make, digits):
    X, y = digits
    Z = make().fit_transform(X)
    np.testing.assert_array_equal(make().fit_transform(X, y), Z)
    np.testing.assert_array_equal(make().fit_transform(X, np.full(len(X), np.nan)), Z)


def test_documentation_names_the_parameters_of_the_signature_with_their_defaults(make):
    method = type(make())
    _, _, rest = inspect.getdoc(method).partition("Parameters\n----------\n")
    entries = re.findall(r"(?m)^(\w+) : .*default=(.+)$", rest.partition("\nAttributes\n")[0])
    signature = inspect.signature(method).parameters.values()
    assert sorted(name for name, _ in entries) == sorted(p.name for p in signature)
    defaults = {name: ast.literal_eval(default) for name, default in entries}
    assert defaults == {p.name: p.default for p in signature}
