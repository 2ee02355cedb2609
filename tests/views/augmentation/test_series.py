"""Noise, scaling and crops of series, against what numpy gives."""

import numpy as np
import pytest
import torch
from augmentations import batch, seeded, small_batch
from numpy.testing import assert_allclose
from scipy import stats

from sklearn_simvae.views import Layout
from sklearn_simvae.views import augmentation as aug
from sklearn_simvae.views.view_maker import known_data


def test_series_scaling_is_one_factor_per_series_and_channel():
    x = 1 + batch(500, 2, 6)
    factor = aug.RandomScaling(scale=0.2)(x, seeded()) / x
    torch.testing.assert_close(factor, factor[:, :, :1].expand_as(factor))
    assert factor.mean() == pytest.approx(1, abs=0.03)
    assert factor[:, :, 0].std() == pytest.approx(0.2, rel=0.1)
    assert abs(np.corrcoef(factor[:, :, 0].T)[0, 1]) < 0.2


def test_series_jitter_has_its_scale():
    x = batch(50, 2, 60)
    assert (aug.RandomJitter(scale=0.3)(x, seeded()) - x).std() == pytest.approx(0.3, rel=0.05)


def test_series_crop_is_a_stretched_window_shared_by_the_channels():
    length, n = 41, 300
    x = batch(n, 1, length, dtype=torch.float64)
    ramp = torch.arange(length, dtype=torch.float64).expand(n, 1, length)
    out = aug.RandomSeriesCrop((0.25, 0.75))(torch.cat([ramp, x], 1), seeded()).numpy()
    start, stop = out[:, 0, 0], out[:, 0, -1]
    width = (stop - start) / (length - 1)
    assert start.min() >= 0 and stop.max() <= length - 1
    assert 0.25 <= width.min() < 0.3 and 0.7 < width.max() <= 0.75 + 1e-12
    for k in range(n):
        position = np.linspace(start[k], stop[k], length)
        np.testing.assert_allclose(out[k, 0], position, atol=1e-9)
        expected = np.interp(position, np.arange(length), x[k, 0])
        np.testing.assert_allclose(out[k, 1], expected, atol=1e-9)


def test_scale_is_the_mean_of_the_factors_of_the_channels():
    x = torch.ones(30, 4, 5)
    views, factors = aug.RandomScaling(0.3).augment_with_factors(x, seeded())
    assert_allclose(factors["scale"], views.mean((1, 2)), rtol=1e-5)


@pytest.mark.parametrize("length", [11, 1])
def test_start_and_length_are_those_of_the_window_of_a_ramp(length):
    x = torch.arange(float(length)).expand(50, 2, length)
    views, factors = aug.RandomSeriesCrop((0.3, 0.9)).augment_with_factors(x, seeded())
    last = length - 1
    assert_allclose(factors["start"] * last, views[:, 0, 0], atol=1e-5)
    assert_allclose((factors["start"] + factors["length"]) * last, views[:, 0, -1], atol=1e-5)


def test_windows_of_series_lie_anywhere_inside():
    augment = aug.RandomSeriesCrop((0.5, 0.5))
    _, factors = augment.augment_with_factors(small_batch(augment, 2000), seeded())
    assert stats.kstest(factors["start"].double(), "uniform", args=(0, 0.5)).pvalue > 1e-3


def test_scaling_multiplies_by_normal_draws_around_one():
    x = torch.ones(2000, 2, 3, dtype=torch.float64)
    factors = aug.RandomScaling(0.2)(x, seeded())[:, :, 0]
    assert stats.kstest((factors.ravel() - 1) / 0.2, "norm").pvalue > 1e-3


def test_series_that_end_in_nan_are_stretched_to_the_length_that_they_have():
    x = torch.arange(40.0).repeat(200, 2, 1)
    x[:, 1] *= 2
    x[100:, :, 10:] = torch.nan
    made = aug.RandomSeriesCrop((0.5, 0.5))(x, seeded())
    short = made[100:]
    assert short[:, :, :10].isfinite().all() and short[:, :, 10:].isnan().all()
    assert (short[:, 0, 0] >= 0).all() and (short[:, 0, 9] <= 9).all()
    assert_allclose((short[:, 0, 9] - short[:, 0, 0]).numpy(), 4.5, rtol=1e-4)
    assert_allclose(short[:, 1, :10].numpy(), 2 * short[:, 0, :10].numpy(), rtol=1e-4)
    assert made[:100].isfinite().all()
    assert_allclose((made[:100, 0, 39] - made[:100, 0, 0]).numpy(), 19.5, rtol=1e-4)


@pytest.mark.parametrize("ragged", [True, False])
def test_a_crop_is_the_same_where_it_is_known_whether_series_end_in_nan(ragged, monkeypatch):
    x, crop = torch.rand(20, 2, 40), aug.RandomSeriesCrop((0.5, 0.5))
    if ragged:
        x[10:, :, 10:] = torch.nan
    expected = crop(x, seeded())
    layout = Layout("series", (2, 40), (2, 40), ragged=ragged)
    with known_data(layout, None), monkeypatch.context() as m:
        if not ragged:
            # A search for NaN would take a sixth of the time.
            m.setattr(torch.Tensor, "isnan", None, raising=False)
        made = crop(x, seeded())
    torch.testing.assert_close(made, expected, rtol=0, atol=0, equal_nan=True)
