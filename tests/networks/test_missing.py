import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from sklearn_simvae.networks import hidden_features, make_encoder
from sklearn_simvae.networks.missing import FillMissing, fill_layers

NAN = float("nan")


def test_means_are_filled_in_and_the_indicator_is_appended():
    layer = FillMissing(2).eval()
    layer.fit(np.array([[1.0, NAN], [3.0, NAN], [NAN, NAN]]))
    assert layer.means.tolist() == [2.0, 0.0]
    filled = layer(torch.tensor([[NAN, 5.0]]))
    assert filled.tolist() == [[2.0, 5.0, 1.0, 0.0]]
    layer.indicator = False
    assert layer(torch.tensor([[NAN, 5.0]])).tolist() == [[2.0, 5.0]]


def test_values_are_hidden_in_training_alone():
    layer, x = FillMissing(50, hide=0.3), torch.ones(2000, 50)
    torch.manual_seed(0)
    hidden = layer(x)[:, 50:]
    assert abs(float(hidden.mean()) - 0.3) < 0.02
    # The share of a row is uniform from 0 to twice the mean.
    assert_allclose(np.quantile(hidden.mean(1), [0.25, 0.75]), [0.15, 0.45], atol=0.04)
    assert (layer(x)[:, :50][hidden == 1] != 1).any()
    assert layer.eval()(x)[:, 50:].sum() == 0


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def hidden(self, x):
        return x.relu()

    def forward(self, x):
        return self.layer(self.hidden(x))


OWN = {"module": Own(), "sequential": nn.Sequential(nn.ReLU(), nn.Linear(3, 2))}


@pytest.mark.parametrize("fill", ["mean", "indicator"])
@pytest.mark.parametrize("encoder", ["mlp", *OWN])
def test_encoders_take_rows_with_missing_values(encoder, fill):
    given = OWN.get(encoder, encoder)
    made = make_encoder(
        given,
        kind="vector",
        input_shape=(3,),
        n_outputs=2,
        hidden_layer_sizes=(64,),
        fill_missing=fill,
    ).eval()
    x = torch.tensor([[1.0, NAN, 2.0], [1.0, 0.0, 2.0]])
    assert made(x).isfinite().all() and hidden_features(made)(x).isfinite().all()
    # The mask tells a mean from a value, where a network is known to take it.
    same = torch.equal(*made(x))
    assert same == (encoder != "mlp" or fill == "mean")
    assert len(fill_layers(made)) == 1


def test_without_missing_values_there_is_no_such_layer():
    made = make_encoder("mlp", kind="vector", input_shape=(3,), n_outputs=2, hidden_layer_sizes=())
    assert not fill_layers(made)
