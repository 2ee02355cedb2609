"""What the benchmarks compare stays what it was, whatever defaults the package has."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conftest import ONE_KIND, tiny

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from paper_methods import DEFAULTS, NO_SETTING, make_method, parameters_digest


@dataclass
class Rows:
    """As little of a data set as a method is made for."""

    fit_on: np.ndarray
    input_shape: tuple = (8, 8)
    augmentation: object = None
    n_components: int = 3
    encoder: str = "mlp"


@pytest.fixture
def rows():
    return Rows(np.zeros((6000, 64)))


def test_every_parameter_of_every_method_stands_by_value():
    of_the_run = {*NO_SETTING, "n_components", "input_shape", "augmentation", "encoder"}
    of_the_run |= {"max_epochs", "batch_size"}
    for name in ONE_KIND:
        assert DEFAULTS[name].keys() == tiny(name).get_params().keys() - of_the_run, name


@pytest.mark.parametrize("name", ONE_KIND)
def test_digest_tells_parameters_and_not_what_no_result_depends_on(
    rows, name, monkeypatch, tmp_path
):
    digest = parameters_digest(make_method(name, rows, {}, 2, seed=0))
    other_seed = make_method(name, rows, {}, 2, 1, tmp_path / "fit.checkpoint")
    assert parameters_digest(other_seed) == digest
    assert parameters_digest(make_method(name, rows, {"lr": 0.5}, 2, 0)) != digest
    assert parameters_digest(make_method(name, rows, {}, 3, 0)) != digest
    monkeypatch.setitem(DEFAULTS[name], "weight_decay", 0.1)
    assert parameters_digest(make_method(name, rows, {}, 2, 0)) != digest


def test_a_union_has_as_many_numbers_in_all(rows):
    rows.n_components = 4
    union = make_method("SimCLR + VAE", rows, {"SimCLR": {"temperature": 0.3}}, 2, 0)
    assert [part.n_components for _, part in union.transformer_list] == [2, 2]
    assert union.transformer_list[0][1].temperature == 0.3
    assert parameters_digest(union) != parameters_digest(
        make_method("SimCLR + VAE", rows, {}, 2, 0)
    )
