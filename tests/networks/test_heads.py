import pytest
import torch
from torch import nn

from sklearn_simvae.networks import hidden_features, make_encoder, projection_head


class WithHidden(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(7, 6)
        self.head = nn.Linear(6, 5)

    def hidden(self, x):
        return self.body(x).relu()

    def forward(self, x):
        return self.head(self.hidden(x))


class NamedSequential(nn.Sequential):
    """A subclass whose slices torch cannot make."""

    def __init__(self):
        super().__init__(nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 5))


class Residual(nn.Sequential):
    """Ends in a linear layer that is not a head."""

    def forward(self, x):
        return x + super().forward(x)


@pytest.mark.parametrize(
    ("name", "kind", "shape", "n_hidden"),
    [
        ("mlp", "vector", (7,), 8),
        ("conv", "image", (3, 13, 10), 256),
        ("resnet18", "image", (3, 8, 8), 512),
        ("conv1d", "series", (2, 45), 256),
    ],
)
def test_head_of_hidden_is_the_encoder(name, kind, shape, n_hidden):
    encoder = make_encoder(
        name, kind=kind, input_shape=shape, n_outputs=5, hidden_layer_sizes=(16, 8)
    ).eval()
    batch = torch.rand(3, *shape)
    hidden = hidden_features(encoder)(batch)
    assert hidden.shape == (3, n_hidden)
    torch.testing.assert_close(encoder[-1](hidden), encoder(batch), atol=0, rtol=0)


@pytest.mark.parametrize("encoder", [WithHidden(), NamedSequential()])
def test_hidden_features_of_users_modules(encoder):
    head = encoder.head if isinstance(encoder, WithHidden) else encoder[-1]
    batch = torch.rand(3, 7)
    torch.testing.assert_close(head(hidden_features(encoder)(batch)), encoder(batch))


@pytest.mark.parametrize("encoder", [WithHidden(), NamedSequential()])
def test_hidden_features_share_the_weights(encoder):
    hidden = hidden_features(encoder)
    batch = torch.rand(3, 7)
    before = hidden(batch)
    with torch.no_grad():
        next(encoder.parameters()).mul_(2)
    assert not torch.equal(hidden(batch), before)
    own = {id(parameter) for parameter in encoder.parameters()}
    assert {id(parameter) for parameter in hidden.parameters()} <= own


@pytest.mark.parametrize(
    "way", [{"kind": "vector", "fill_missing": "mean"}, {"kind": "series", "padded": True}]
)
def test_hidden_features_of_users_modules_that_are_given_rows_without_nan(way):
    shape = (7,) if way["kind"] == "vector" else (1, 7)
    batch = torch.rand(3, *shape)
    batch[0, ..., -1] = torch.nan
    own = nn.Sequential(nn.Flatten(), WithHidden())
    own.hidden = lambda x: WithHidden.hidden(own[1], x.flatten(1))
    for encoder in (own, nn.Sequential(nn.Flatten(), nn.Linear(7, 6), nn.Linear(6, 5))):
        made = make_encoder(encoder, input_shape=shape, n_outputs=5, hidden_layer_sizes=(), **way)
        hidden = hidden_features(made)(batch)
        assert hidden.shape == (3, 6) and hidden.isfinite().all()


@pytest.mark.parametrize("training", [True, False])
def test_hidden_features_are_in_the_mode_of_the_encoder(training):
    for encoder in (WithHidden(), NamedSequential()):
        hidden = hidden_features(encoder.train(training))
        assert all(part.training == training for part in hidden.modules())


@pytest.mark.parametrize(
    "encoder",
    [nn.Linear(7, 5), nn.Sequential(), nn.Sequential(nn.ReLU()), Residual(nn.Linear(7, 7))],
)
def test_hidden_features_of_other_modules_are_refused_with_advice(encoder):
    with pytest.raises(ValueError, match="give it a method `hidden`"):
        hidden_features(encoder)


def test_projection_head_has_relu_between_layers_only():
    head = projection_head(8, (6, 4, 2))
    kinds = [type(layer) for layer in head]
    assert kinds == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    assert head(torch.rand(3, 8)).shape == (3, 2)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_projection_head_without_layers_is_the_identity(batch_norm):
    batch = torch.rand(3, 8)
    assert projection_head(8, (), batch_norm)(batch) is batch


def test_batch_norm_is_before_each_relu_and_not_on_the_output():
    head = projection_head(8, (6, 4, 2), batch_norm=True)
    hidden = [nn.Linear, nn.BatchNorm1d, nn.ReLU]
    assert [type(layer) for layer in head] == [*hidden, *hidden, nn.Linear]
    assert [layer.num_features for layer in head if isinstance(layer, nn.BatchNorm1d)] == [6, 4]
    assert [type(layer) for layer in projection_head(8, 2, batch_norm=True)] == [nn.Linear]


def test_batch_norm_makes_the_head_blind_to_the_scale_of_its_input():
    head = projection_head(8, (6, 2), batch_norm=True)
    plain = projection_head(8, (6, 2))
    batch = torch.rand(50, 8)
    torch.testing.assert_close(head(100 * batch), head(batch), atol=1e-3, rtol=1e-3)
    assert not torch.allclose(plain(100 * batch), plain(batch), atol=1e-1)
    # Evaluation normalizes by the statistics of training, whatever the batch.
    head.eval()
    torch.testing.assert_close(head(batch)[:1], head(batch[:1]))


def test_batch_norm_makes_the_biases_before_it_needless_and_leaves_the_scale_of_weights():
    head = projection_head(200, (300, 400, 5), batch_norm=True)
    first, second, last = (layer for layer in head if isinstance(layer, nn.Linear))
    assert first.bias is None and second.bias is None
    assert last.bias is not None and not last.bias.any()
    for layer in (first, second):
        expected = (2 / layer.in_features) ** 0.5
        assert float(layer.weight.detach().std()) == pytest.approx(expected, rel=0.05)


def test_projection_head_refuses_sizes_that_are_not_positive():
    with pytest.raises(ValueError, match="sizes must be a positive integer"):
        projection_head(8, (4, 0))
    with pytest.raises(ValueError, match="n_inputs must be a positive integer"):
        projection_head(0, (4,))
