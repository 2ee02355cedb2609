"""Networks of modalities, applied to the rows that have them."""

import functools

import numpy as np
import pytest
import torch
from conftest import TINY
from numpy.testing import assert_allclose
from torch import nn

from sklearn_simvae.multimodal import MultimodalSimVAE, present
from sklearn_simvae.multimodal.present import encode_present, of_present


def test_missing_rows_change_nothing_where_they_are_encoded_as_on_a_gpu(
    make_multimodal, holes, monkeypatch, request
):
    headless = "projection_layer_sizes" in make_multimodal().get_params()
    make = functools.partial(
        make_multimodal, **({"projection_layer_sizes": ()} if headless else {})
    )
    expected = make().fit(holes)
    monkeypatch.setattr(present, "_selects", lambda present: False)
    request.getfixturevalue("no_waiting")
    estimator = make().fit(holes)
    assert_allclose(estimator.transform(holes), expected.transform(holes), atol=1e-4)
    losses = [[row["loss"] for row in fitted.history_] for fitted in (estimator, expected)]
    assert_allclose(*losses, rtol=1e-4)


def test_rows_without_a_modality_stay_out_of_its_batch_statistics():
    rng = np.random.default_rng(0)
    pictures = [rng.normal(50, 1, 6) if i % 12 == 0 else None for i in range(120)]

    def encoder(input_shape, n_outputs):
        return nn.Sequential(nn.BatchNorm1d(6, momentum=1.0), nn.Linear(6, n_outputs))

    X = {"picture": pictures, "x": rng.standard_normal((120, 3))}
    estimator = MultimodalSimVAE(
        modalities=[("picture", encoder), ("x", "mlp")], **{**TINY, "batch_size": 12}
    ).fit(X)
    batch_norm = estimator.encoders_["picture"][0]
    assert batch_norm.num_batches_tracked > 0
    assert torch.allclose(batch_norm.running_mean, torch.tensor(50.0), atol=3.0)


PRESENT = torch.tensor([True, False, True, True, False, True])


def rows_of(*widths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(6, d, generator=generator) for d in widths)


def test_each_modality_is_encoded_by_its_own_network_where_it_is_there():
    views, networks = rows_of(4, 3), [nn.Linear(4, 2), nn.Linear(3, 2)]
    mask = torch.stack([PRESENT, ~PRESENT | (torch.arange(6) > 3)], dim=1)
    # Not even NaN at a missing place reaches what is there, nor the gradients.
    given = [torch.where(has[:, None], x, torch.nan) for x, has in zip(views, mask.T, strict=True)]
    z = encode_present(networks, given, mask)
    assert z.shape == (6, 2, 2) and z.dtype == torch.float32
    for j, network in enumerate(networks):
        weight, bias = (p.detach().numpy() for p in (network.weight, network.bias))
        there = mask[:, j].numpy()
        expected = views[j].numpy()[there] @ weight.T + bias
        assert_allclose(z.detach()[there, j], expected, rtol=1e-5, atol=1e-6)
    z[mask].sum().backward()
    for j, network in enumerate(networks):
        assert_allclose(network.weight.grad[0], views[j][mask[:, j]].sum(0), rtol=1e-5)


def test_batch_statistics_are_those_of_the_rows_that_are_there():
    (x,) = rows_of(4)
    network = nn.BatchNorm1d(4, momentum=1.0, eps=1e-9).train()
    z = of_present(network, network, PRESENT, x).detach().numpy()
    there = x.numpy()[PRESENT.numpy()]
    assert_allclose(network.running_mean, there.mean(0), rtol=1e-5)
    assert_allclose(network.running_var, there.var(0, ddof=1), rtol=1e-5)
    expected = (there - there.mean(0)) / there.std(0)
    assert_allclose(z[PRESENT], expected, rtol=1e-4, atol=1e-5)
    assert not z[~PRESENT].any()


@pytest.mark.parametrize("n_there", [0, 1])
def test_fewer_rows_than_make_statistics_take_and_leave_those_that_were_learned(n_there):
    (x,) = rows_of(4)
    network = nn.Sequential(nn.BatchNorm1d(4, eps=0.0), nn.Linear(4, 2)).train()
    network[0].running_mean += torch.arange(4.0)
    network[0].running_var *= 4
    before = {name: value.clone() for name, value in network.state_dict().items()}
    present = torch.arange(6) == (3 if n_there else 9)
    z = of_present(network, network, present, x)
    assert z.shape == (6, 2)
    after = network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(module.training for module in network.modules())
    weight, bias = (p.detach().numpy() for p in (network[1].weight, network[1].bias))
    expected = (x[present].numpy() - np.arange(4)) / 2 @ weight.T + bias
    assert_allclose(z[present].detach(), expected, rtol=1e-4, atol=1e-5)
    # The caller's mask is as it was.
    assert present.sum() == n_there


def test_a_network_that_keeps_no_statistics_is_given_two_rows_at_least():
    (x,) = rows_of(4)
    network = nn.BatchNorm1d(4, track_running_stats=False).train()
    present = torch.arange(6) == 4
    z = of_present(network, network, present, x)
    assert z.isfinite().all() and z[4].abs().min() > 0
    assert present.sum() == 1


def test_several_arguments_are_taken_at_the_same_rows():
    a, b = rows_of(2, 2)
    network = nn.Linear(2, 2)
    made = of_present(network, lambda x, y: network(x) * y, PRESENT, a, b).detach()
    expected = (network(a) * b).detach()
    assert_allclose(made[PRESENT], expected[PRESENT], rtol=1e-5)


def test_a_single_row_goes_through_dropout_like_the_others():
    torch.manual_seed(0)
    network = nn.Dropout(0.5).train()
    alone = torch.tensor([True, False, False])
    made = of_present(network, network, alone, torch.ones(3, 100))
    # In evaluation mode, all would be 1.
    assert set(made[0].tolist()) == {0.0, 2.0}
