"""Learning rates over a fit."""

import numpy as np
import pytest
from conftest import few

from sklearn_simvae.training import SCHEDULES, lr_factor

PROGRESS = np.linspace(0, 1, 10_001)
every = pytest.mark.parametrize("schedule", SCHEDULES)


def factors(schedule):
    return np.array([lr_factor(schedule, float(t)) for t in PROGRESS])


def test_schedules_are_those_of_the_contract():
    assert set(SCHEDULES) == {"one_cycle", "cosine", "constant"}


@every
def test_factor_stays_in_the_unit_interval_and_reaches_its_peak(schedule):
    values = factors(schedule)
    assert values.min() >= 0
    assert values.max() == pytest.approx(1)
    assert values.max() <= 1 + 1e-12


@every
def test_factor_has_no_jumps(schedule):
    # Half a cosine over at least 30 % is nowhere steeper than pi / 0.6.
    steps = np.abs(np.diff(factors(schedule)))
    assert steps.max() <= np.pi / 0.6 * np.diff(PROGRESS).max() + 1e-12


@pytest.mark.parametrize(
    ("schedule", "ends"), [("one_cycle", (1 / 25, 0)), ("cosine", (1, 0)), ("constant", (1, 1))]
)
def test_factor_starts_and_ends_where_it_should(schedule, ends):
    assert (lr_factor(schedule, 0.0), lr_factor(schedule, 1.0)) == pytest.approx(ends)


def test_one_cycle_rises_over_thirty_percent_and_falls_after():
    values = factors("one_cycle")
    assert (np.diff(values[PROGRESS <= 0.3]) > 0).all()
    assert (np.diff(values[PROGRESS > 0.3]) < 0).all()
    assert lr_factor("one_cycle", 0.3) == pytest.approx(1)
    assert lr_factor("one_cycle", 0.15) == pytest.approx((1 + 1 / 25) / 2)
    assert lr_factor("one_cycle", 0.65) == pytest.approx(0.5)


def test_cosine_falls_all_the_way():
    assert (np.diff(factors("cosine")) < 0).all()
    assert lr_factor("cosine", 0.5) == pytest.approx(0.5)


def test_constant_is_constant():
    assert set(factors("constant")) == {1.0}


def test_learning_rate_follows_its_schedule(make, digits):
    X = few(digits)
    rates = {
        schedule: np.array(
            [row["lr"] for row in make(lr_schedule=schedule, max_epochs=6).fit(X).history_]
        )
        for schedule in ("constant", "cosine", "one_cycle")
    }
    assert (rates["constant"] == 1e-3).all()
    assert (np.diff(rates["cosine"]) < 0).all() and rates["cosine"][-1] < 1e-5
    peak = rates["one_cycle"].argmax()
    assert 0 < peak < 3 and rates["one_cycle"][-1] < 1e-5
    assert max(r.max() for r in rates.values()) <= 1e-3
