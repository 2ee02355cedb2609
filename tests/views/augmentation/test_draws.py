"""Random draws: their distribution, type and source, and one value for each row of them."""

import pytest
import torch
from augmentations import seeded
from scipy import stats

from sklearn_simvae.views.augmentation.draws import one_per_row, rand, randn

LIKE = torch.zeros(1, dtype=torch.float64)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 5.0), (0.9, 1.1), (2.0, 2.0)])
def test_uniform_draws_fill_their_range(low, high):
    drawn = rand((40, 50), LIKE, seeded(), low, high)
    assert drawn.min() >= low and drawn.max() <= high
    if low < high:
        assert stats.kstest(drawn.ravel(), "uniform", args=(low, high - low)).pvalue > 1e-3


def test_normal_draws_are_standard():
    assert stats.kstest(randn((40, 50), LIKE, seeded()).ravel(), "norm").pvalue > 1e-3


@pytest.mark.parametrize("draw", [rand, randn])
def test_draws_have_the_type_of_the_batch_and_come_from_the_generator_alone(draw):
    state = torch.get_rng_state()
    for dtype in (torch.float16, torch.float32, torch.float64):
        first, again, other = (
            draw((5, 2), torch.zeros(3, dtype=dtype), seeded(seed)) for seed in (0, 0, 1)
        )
        assert first.dtype == dtype and first.shape == (5, 2)
        assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_rows_have_the_mean_of_their_draws_and_share_no_memory_with_them():
    drawn = torch.tensor([[[1.0, 2.0], [3.0, 6.0]], [[0.0, 0.0], [0.0, 2.0]]], dtype=torch.float64)
    torch.testing.assert_close(one_per_row(drawn), torch.tensor([3.0, 0.5]))
    # Of what is true or false, the share that is true.
    torch.testing.assert_close(one_per_row(drawn > 1.5), torch.tensor([0.75, 0.25]))
    flat = drawn[:, 0, 0].float()
    kept = one_per_row(flat)
    flat.zero_()
    assert kept.tolist() == [1.0, 0.0] and kept.dtype == torch.float32
    flags = torch.tensor([True, False])
    kept = one_per_row(flags)
    flags.logical_not_()
    assert kept.tolist() == [True, False] and kept.dtype == torch.bool
