"""What objectives are given: what they refuse, and what holds where nothing is given."""

import functools
import inspect

import numpy as np
import pytest
import torch
from by_hand import draws, terms_of
from documented import documented_defaults

from sklearn_simvae import losses

LABELS, SIZES = torch.tensor([1, 0, 2, 1]), torch.tensor([3, 5, 2])
PROTOTYPES, LIKELIHOODS = draws(3, 2, seed=5), draws(4, 3, seed=6)
# Objectives of views as functions of views and a mask, and how many views they need.
ONE = {
    "barlow_twins": (losses.barlow_twins, 2),
    "vicreg": (losses.vicreg, 2),
    "nt_xent": (losses.nt_xent, 2),
    "swav": (losses.swav, 2),
    "deep_cluster": (lambda z, mask: losses.deep_cluster(z, PROTOTYPES, LABELS, SIZES, 1, mask), 1),
    "instance_discrimination": (
        lambda z, mask: losses.instance_discrimination(z, PROTOTYPES, LABELS, mask=mask),
        1,
    ),
}
# The same of two batches that have one shape, and their names.
TWO = {
    "simsiam": (losses.simsiam, "p and z"),
    "byol": (losses.byol, "p and z"),
    **{
        name: (functools.partial(getattr(losses, name), LIKELIHOODS), "mean and log_variance")
        for name in ("vae_elbo", "crvae_elbo", "simvae_elbo")
    },
}
CALLS = {name: call for name, (call, _) in ONE.items()}
CALLS |= {
    name: lambda z, mask, call=call: call(z, z.flip(1) if torch.is_tensor(z) else z, mask=mask)
    for name, (call, _) in TWO.items()
}
every = pytest.mark.parametrize("name", CALLS)
MASK = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 1], [1, 1, 0]]).bool()


@every
@pytest.mark.parametrize("mask", [None, MASK], ids=["full", "masked"])
def test_a_batch_of_views_is_taken(name, mask):
    value = CALLS[name](draws(4, 3, 2), mask=mask)
    assert all(v.isfinite() for v in (value.values() if isinstance(value, dict) else [value]))


@every
@pytest.mark.parametrize("shape", [(4, 2), (3, 3), (4, 3, 1), (3,)])
def test_a_mask_of_another_shape_is_refused_by_both_shapes(name, shape):
    with pytest.raises(ValueError, match=r"mask .*\(batch, n_views\)") as error:
        CALLS[name](draws(4, 3, 2), mask=torch.ones(shape, dtype=torch.bool))
    assert "= (4, 3);" in str(error.value) and f"got {shape}." in str(error.value)


@every
@pytest.mark.parametrize(
    ("mask", "got"), [(MASK.float(), "torch.float32"), (MASK.numpy(), "bool"), ([[True]], "list")]
)
def test_a_mask_of_another_type_is_refused_by_its_type(name, mask, got):
    with pytest.raises(TypeError, match=rf"mask must be a tensor of bool, got {got}\."):
        CALLS[name](draws(4, 3, 2), mask=mask)


@every
@pytest.mark.parametrize("shape", [(0, 3, 2), (4, 2), (4, 3, 2, 1), (4, 0, 2)])
def test_what_is_no_batch_of_views_is_refused_by_its_shape(name, shape):
    with pytest.raises(ValueError, match=r"must have the shape \(batch, n_views, d\)") as error:
        CALLS[name](torch.zeros(shape), mask=None)
    message = str(error.value)
    assert message.startswith(("z ", "p ", "mean ", "scores ")) and f"got {shape}." in message


@every
def test_what_is_no_tensor_is_refused_by_its_type(name):
    with pytest.raises(TypeError, match="must be a tensor, got ndarray"):
        CALLS[name](np.zeros((4, 3, 2)), mask=None)


@pytest.mark.parametrize("name", ONE)
def test_fewer_views_than_are_compared_are_refused(name):
    call, n_views = ONE[name]
    assert call(draws(4, n_views, 2), mask=None).isfinite()
    with pytest.raises(ValueError, match=rf"at least 1 sample and {n_views} view\(s\); got"):
        call(draws(4, n_views - 1, 2), mask=None)


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("shape", [(4, 3, 5), (4, 2, 2), (1, 3, 2)])
def test_two_batches_of_different_shapes_are_refused_by_both(name, shape):
    call, names = TWO[name]
    with pytest.raises(ValueError, match=f"^{names} must have one shape") as error:
        call(draws(4, 3, 2), draws(*shape))
    assert f"got (4, 3, 2) and {shape}" in str(error.value)
    with pytest.raises(ValueError, match=f"^{names.split()[-1]} must have the shape"):
        call(draws(4, 3, 2), draws(4, 2))


@pytest.mark.parametrize(
    ("a", "b"), [((0, 3), (0, 3)), ((3,), (3,)), ((2, 3), (2, 4)), ((2, 3), (1, 3))]
)
def test_modalities_that_are_no_two_batches_of_one_shape_are_refused_by_both(a, b):
    with pytest.raises(ValueError, match=r"one shape \(batch, d\)") as error:
        losses.clip(torch.zeros(a), torch.zeros(b), 1.0)
    assert f"got {a} and {b}." in str(error.value)


@pytest.mark.parametrize("name", ["vae_elbo", "crvae_elbo", "simvae_elbo"])
def test_a_reduction_that_is_not_known_is_refused_by_its_name(name):
    with pytest.raises(ValueError, match="'mean' or 'none', got 'sum'"):
        TWO[name][0](draws(4, 3, 2), draws(4, 3, 2), reduction="sum")


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("barlow_twins", (draws(4, 3, 2),)),
        ("vicreg", (draws(4, 3, 2),)),
        ("nt_xent", (draws(4, 3, 2),)),
        ("simsiam", (draws(4, 3, 2), draws(4, 3, 2, seed=1))),
        ("byol", (draws(4, 3, 2), draws(4, 3, 2, seed=1))),
        ("clip", (draws(4, 2), draws(4, 2, seed=1), 3.0)),
        ("deep_cluster", (draws(4, 3, 2), PROTOTYPES, LABELS, SIZES)),
        ("instance_discrimination", (draws(4, 3, 2), PROTOTYPES, LABELS)),
        ("sinkhorn", (draws(4, 3),)),
        ("swav", (draws(4, 3, 2),)),
        ("gaussian_kl", (draws(4, 2), draws(4, 2, seed=1))),
        ("vae_elbo", (LIKELIHOODS, draws(4, 3, 2), draws(4, 3, 2, seed=1))),
        ("vae_log_weights", (LIKELIHOODS, *(draws(4, 3, 2, seed=i) for i in range(3)))),
        ("crvae_elbo", (LIKELIHOODS, draws(4, 3, 2), draws(4, 3, 2, seed=1))),
        ("simvae_elbo", (LIKELIHOODS, draws(4, 3, 2), draws(4, 3, 2, seed=1))),
        ("simvae_log_weights", (LIKELIHOODS, *(draws(4, 3, 2, seed=i) for i in range(3)))),
        ("log_joint_prior", (draws(4, 3, 2), 0.15)),
        ("expected_log_joint_prior", (draws(4, 3, 2), draws(4, 3, 2, seed=1).exp(), 0.15)),
    ],
)
def test_what_is_left_out_is_as_documented(name, args):
    function = getattr(losses, name)
    documented = documented_defaults(function)
    parameters = inspect.signature(function).parameters.values()
    assert documented == {p.name: p.default for p in parameters if p.default is not p.empty}
    torch.testing.assert_close(function(*args), function(*args, **documented), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("vae_elbo", "reconstruction kl elbo objective"),
        ("crvae_elbo", "reconstruction kl elbo objective consistency"),
        ("simvae_elbo", "reconstruction entropy prior elbo"),
    ],
)
def test_bounds_have_the_terms_that_are_documented(name, terms):
    assert set(TWO[name][0](draws(4, 3, 2), draws(4, 3, 2))) == set(terms.split())


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("barlow_twins", "loss invariance redundancy"),
        ("vicreg", "loss invariance variance covariance"),
    ],
)
def test_weighted_losses_have_the_terms_that_are_documented(name, terms):
    assert set(terms_of(getattr(losses, name), draws(4, 3, 2))) == set(terms.split())
