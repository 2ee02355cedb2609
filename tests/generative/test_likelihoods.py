import pytest
import torch
from torch.distributions import Bernoulli, Multinomial, Normal, Poisson

from sklearn_simvae.generative.likelihoods import LIKELIHOODS, ByColumn

X = {
    "gaussian": torch.tensor([[0.5, -2.0, 3.0], [1.0, 0.0, -1.0]]),
    "bernoulli": torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]]),
    "categorical": torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
    "multinomial": torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.0, 7.0]]),
    "poisson": torch.tensor([[2.0, 1.0, 0.0], [0.0, 5.0, 7.0]]),
}
EXPECTED = {
    "gaussian": lambda x, mean: Normal(mean, 0.3**0.5).log_prob(x).sum(1),
    "bernoulli": lambda x, mean: Bernoulli(mean).log_prob(x).sum(1),
    "poisson": lambda x, mean: Poisson(mean).log_prob(x).sum(1),
}


def expected(name, x, mean):
    if name in EXPECTED:
        return EXPECTED[name](x, mean)
    rows = [Multinomial(int(row.sum()), p).log_prob(row) for row, p in zip(x, mean, strict=True)]
    return torch.stack(rows)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_log_probabilities_are_those_of_torch(name):
    likelihood, x = LIKELIHOODS[name](), X[name]
    output = torch.tensor([[0.3, -0.2, 0.9], [-1.0, 0.4, 0.1]])
    mean = likelihood.mean(output)
    torch.testing.assert_close(likelihood.log_prob(x, output, 0.3), expected(name, x, mean))
    torch.testing.assert_close(likelihood.log_prob_at(x, mean, 0.3), expected(name, x, mean))


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_first_outputs_give_the_means_of_the_data(name):
    likelihood = LIKELIHOODS[name]()
    mean = likelihood.target(X[name]).mean(0).clamp(0.05, 0.95)
    if name in ("categorical", "multinomial"):
        mean = mean / mean.sum()
    torch.testing.assert_close(likelihood.mean(likelihood.output_of(mean)), mean)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_columns_are_put_back_in_their_places(name):
    # The columns of one likelihood need not be neighbors.
    blocks = ByColumn([("gaussian", (1,)), (name, (3, 0, 2))])
    x = torch.zeros(2, 4)
    x[:, [3, 0, 2]], x[:, 1] = X[name], torch.tensor([0.5, -0.5])
    output = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    alone = LIKELIHOODS[name]()
    torch.testing.assert_close(
        blocks.log_prob(x, output, 0.3),
        alone.log_prob(X[name], output[:, [3, 0, 2]], 0.3)
        + LIKELIHOODS["gaussian"]().log_prob(x[:, [1]], output[:, [1]], 0.3),
    )
    torch.testing.assert_close(blocks.mean(output)[:, [3, 0, 2]], alone.mean(output[:, [3, 0, 2]]))


def test_missing_counts_are_in_the_scale_of_those_that_are_there():
    mean, usual = torch.tensor([[0.2, 0.3, 0.5]]), torch.tensor([20.0, 30.0, 50.0])
    x = torch.tensor([[4000.0, 6000.0, torch.nan], [torch.nan] * 3])
    fill = LIKELIHOODS["multinomial"]().fill(x, mean, usual)
    torch.testing.assert_close(fill[:, 2], torch.tensor([10000.0, 50.0]), rtol=0.03, atol=0)
    # The sum is that of the columns of a block.
    blocks = ByColumn([("gaussian", (0,)), ("multinomial", (1, 2))])
    fill = blocks.fill(x, torch.tensor([[0.0, 0.375, 0.625]] * 2), usual)
    torch.testing.assert_close(fill[:, 2], torch.tensor([10000.0, 50.0]), rtol=0.05, atol=0)


def test_a_category_that_is_missing_in_part_has_what_is_left():
    x = torch.tensor([[0.0, torch.nan, torch.nan], [1.0, torch.nan, torch.nan], [torch.nan] * 3])
    fill = LIKELIHOODS["categorical"]().fill(x, torch.tensor([[0.5, 0.1, 0.4]]), torch.ones(3))
    expected = torch.tensor([[0.2, 0.8], [0.0, 0.0], [0.1, 0.4]])
    torch.testing.assert_close(fill[:, 1:], expected)


def test_columns_move_with_the_network_and_are_no_weights():
    # Else each step would copy them to a GPU, and wait for it.
    module = torch.nn.Sequential(ByColumn([("gaussian", (1,)), ("poisson", (0, 2))])).to("meta")
    assert all(buffer.device.type == "meta" for buffer in module.buffers())
    x = torch.zeros(4, 3, device="meta")
    assert module[0].log_prob(x, x, 1.0).shape == (4,) and module[0].mean(x).shape == (4, 3)
    assert not module.state_dict()
