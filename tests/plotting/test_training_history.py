"""The terms of the objective over epochs."""

import numpy as np
import pytest
from conftest import TINY
from figures import data, fitted

from sklearn_simvae import SimCLR, SimVAE
from sklearn_simvae.plotting import TrainingHistoryDisplay

HISTORY = [
    {"epoch": 1, "loss": 3.0, "valid_loss": 4.0, "kl": 1.0, "lr": 0.1, "dur": 9.0, "note": "x"},
    {"epoch": 2, "loss": 2.0, "valid_loss": 3.5, "kl": 1.5, "lr": 0.1, "dur": 9.0},
    {"epoch": 3, "loss": 1.0, "kl": 2.0, "lr": 0.1, "dur": 9.0},
]


def test_terms_are_drawn_with_validation_where_it_was_recorded():
    display = TrainingHistoryDisplay.from_history(HISTORY)
    assert list(display.train) == list(display.lines_) == ["loss", "kl"]
    assert list(display.valid) == ["loss"]
    train, valid = display.lines_["loss"]
    np.testing.assert_array_equal(train.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(train.get_ydata(), [3, 2, 1])
    np.testing.assert_array_equal(valid.get_xdata(), [1, 2])
    np.testing.assert_array_equal(valid.get_ydata(), [4, 3.5])
    (alone,) = display.lines_["kl"]
    np.testing.assert_array_equal(alone.get_ydata(), [1, 1.5, 2])
    assert [text.get_text() for text in display.axes_[0, 0].get_legend().texts] == [
        "train",
        "validation",
    ]
    assert display.axes_[0, 1].get_legend() is None


@pytest.mark.parametrize("terms", ["lr", ["lr"], ("lr",)])
def test_terms_may_be_chosen_among_all_that_is_recorded(terms):
    display = TrainingHistoryDisplay.from_history(HISTORY, terms)
    assert list(display.train) == ["lr"]
    assert display.axes_.shape == (1, 1)
    assert display.axes_[0, 0].get_title() == "lr"
    assert display.axes_[0, 0].get_legend() is None


def test_epochs_without_numbers_are_counted():
    history = [{"loss": value} for value in (5.0, 4.0)]
    np.testing.assert_array_equal(TrainingHistoryDisplay.from_history(history).epochs, [1, 2])


def test_many_terms_stand_in_several_lines_with_epochs_below():
    history = [{"epoch": e, **{f"term_{i}": e * i for i in range(5)}} for e in (1, 2)]
    axes = TrainingHistoryDisplay.from_history(history).axes_
    assert axes.shape == (2, 3)
    assert [ax.get_title() for ax in axes.flat[:5]] == [f"term {i}" for i in range(5)]
    assert not axes[1, 2].get_visible()
    assert [ax.get_xlabel() for ax in axes.flat[:5]] == ["", "", "epoch", "epoch", "epoch"]


@pytest.mark.filterwarnings("ignore:.* has collapsed")
def test_history_of_an_estimator_is_that_of_its_objective():
    estimator = SimVAE(**TINY, input_shape=(8, 8), early_stopping=True).fit(data("flat"))
    display = TrainingHistoryDisplay.from_estimator(estimator)
    assert list(display.train) == ["loss", "reconstruction", "entropy", "prior"]
    assert display.valid.keys() == display.train.keys()
    for name in display.train:
        recorded = [row[name] for row in estimator.history_]
        np.testing.assert_array_equal(display.lines_[name][0].get_ydata(), recorded)
        recorded = [row[f"valid_{name}"] for row in estimator.history_]
        np.testing.assert_array_equal(display.lines_[name][1].get_ydata(), recorded)


def test_discriminative_objectives_have_their_own_terms():
    estimator = fitted(method=SimCLR, projection_layer_sizes=(8,))
    display = TrainingHistoryDisplay.from_estimator(estimator)
    recorded = estimator.history_[0].keys()
    left_out = {"epoch", "lr", "dur", "effective_rank", "representation_variance"}
    assert set(display.train) == set(recorded) - left_out
    assert display.valid == {}


def test_keywords_reach_the_lines():
    display = TrainingHistoryDisplay.from_history(HISTORY, line_kw={"linewidth": 4})
    assert {line.get_linewidth() for lines in display.lines_.values() for line in lines} == {4}


@pytest.mark.parametrize(
    "history, terms, message",
    [
        (HISTORY, ["loss", "los"], r"no terms \['los'\]; it has \['epoch', 'loss'"),
        (HISTORY, [], "no terms"),
        ([], None, "history of 0 epochs"),
        ([{"epoch": 1, "lr": 0.1}], None, "no terms"),
    ],
)
def test_terms_that_are_not_there_are_told(history, terms, message):
    with pytest.raises(ValueError, match=message):
        TrainingHistoryDisplay.from_history(history, terms)


def test_a_label_replaces_those_of_the_lines():
    history = [{"loss": 2.0, "valid_loss": 3.0}, {"loss": 1.0, "valid_loss": 2.0}]
    display = TrainingHistoryDisplay.from_history(history, line_kw={"label": "mine"})
    assert [line.get_label() for line in display.lines_["loss"]] == ["mine", "mine"]


pytestmark = pytest.mark.filterwarnings("ignore:.* has collapsed")


def test_history_may_be_of_lists():
    display = TrainingHistoryDisplay([1, 2], {"loss": [2.0, 1.0]}).plot()
    np.testing.assert_array_equal(display.lines_["loss"][0].get_ydata(), [2, 1])
