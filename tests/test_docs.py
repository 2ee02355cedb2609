"""The code on the pages of the documentation runs, and does what they say."""

import sys
import types
from pathlib import Path

import pytest
from conftest import code_blocks
from sklearn.utils.estimator_checks import check_estimator

PAGE = Path(__file__).parent.parent / "docs" / "write_your_own_method.rst"


@pytest.fixture(scope="module")
def own_method():
    """What the page defines, once all its code has run."""
    module = types.ModuleType("own_method")
    # Where pickle looks for its classes.
    sys.modules[module.__name__] = module
    for block in code_blocks(PAGE):
        exec(compile(block, PAGE.name, "exec"), vars(module))
    yield vars(module)
    del sys.modules[module.__name__]


@pytest.mark.filterwarnings("ignore:.* has collapsed")
def test_method_of_the_page_passes_scikit_learns_checks(own_method):
    check_estimator(own_method["AlignmentUniformity"](hidden_layer_sizes=(16,), max_epochs=2))


def test_method_of_the_page_has_the_shared_parameters_and_shows_its_terms(own_method):
    best = own_method["search"].best_estimator_[0]
    assert {"uniformity_weight", "projection_sizes", "lr", "n_views"} <= set(best.get_params())
    assert "projection_sizes : int" in type(best).__doc__
    assert {"loss", "alignment", "uniformity"} <= set(best.history_[0])
    assert best.history_[-1]["loss"] < best.history_[0]["loss"]
    assert own_method["search"].best_score_ > 0.5  # chance is 0.1


def test_method_of_the_page_takes_about_forty_lines():
    loss, estimator, _ = code_blocks(PAGE)
    assert len([line for line in (loss + estimator).splitlines() if line.strip()]) <= 50
