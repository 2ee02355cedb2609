"""The code on the pages of the documentation runs, and does what they say."""

import importlib
import inspect
import re
import runpy
import sys
import textwrap
import types
from pathlib import Path

import pytest
from conftest import METHODS, code_blocks
from sklearn.datasets import load_iris
from sklearn.utils.estimator_checks import check_estimator

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "write_your_own_method.rst"
MODULES = ["datasets", "evaluation", "losses", "multimodal", "networks", "persistence", "plotting"]
MODULES = ["sklearn_simvae", *(f"sklearn_simvae.{m}" for m in [*MODULES, "training", "views"])]
# Checks of numpydoc that are left out: blank lines around (GL), more text (ES), a See Also (SA), no
# names of results (RT02). SS05, a verb first, has a test of its own.
NOT_ASKED = {"GL01", "GL02", "GL03", "ES01", "SA01", "RT02", "SS05"}
# The parameters that all estimators share come last in their texts, whatever has its own default.
# Errors and what others call have no examples; a context manager yields nothing.
NOT_ASKED_OF = {
    "class": {"PR03"},
    "method": {"EX01"},
    "sklearn_simvae.training": {"EX01", "YD01"},
    # Takes what every torch module takes.
    "TotalLoss": {"PR01"},
}
# Words that open a sentence about nothing that was named.
NO_OPENING = {"What", "As", "Of", "Those", "That", "Where", "Who"}


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
    assert {"uniformity_weight", "projection_layer_sizes", "lr", "n_views"} <= set(
        best.get_params()
    )
    assert "projection_layer_sizes : int" in type(best).__doc__
    assert {"loss", "alignment", "uniformity"} <= set(best.history_[0])
    assert best.history_[-1]["loss"] < best.history_[0]["loss"]
    assert own_method["search"].best_score_ > 0.5  # chance is 0.1


def test_method_of_the_page_takes_about_forty_lines():
    loss, estimator, _ = code_blocks(PAGE)
    assert len([line for line in (loss + estimator).splitlines() if line.strip()]) <= 50


def is_ours(one):
    return str(one.__module__).startswith("sklearn_simvae")


def documented(module):
    """What a module shows, and the methods and properties of its classes: name, kind, object."""
    for name in module.__all__:
        one = getattr(module, name)
        if inspect.isclass(one):
            yield name, "class", one
            for method, function in own_methods(one):
                yield f"{name}.{method}", "method", function
        elif callable(one):
            yield name, "function", one


def own_methods(owner):
    """Those that are not described by a class of another package, which calls them."""
    theirs = {name for base in owner.__mro__ if not is_ours(base) for name in vars(base)}
    for name, value in inspect.getmembers_static(owner):
        function = getattr(value, "fget", None) or getattr(value, "__func__", value)
        public = not name.startswith("_") and name not in theirs
        if public and inspect.isfunction(function) and is_ours(function):
            yield name, function


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_pass_numpydocs_checks(name):
    validate = pytest.importorskip("numpydoc.validate").validate
    module = importlib.import_module(name)
    # What is inherited is read once.
    found = {id(one): (place, kind) for place, kind, one in documented(module)}
    faults = []
    for place, kind in found.values():
        ignored = NOT_ASKED.union(*(NOT_ASKED_OF.get(of, ()) for of in (kind, name, place)))
        errors = validate(f"{name}.{place}")["errors"]
        faults += [f"{place}: {code} {text}" for code, text in errors if code not in ignored]
    assert found and not faults


def openings(thing):
    """Yield where each description of a docstring stands, and its first word."""
    from numpydoc.docscrape import NumpyDocString

    doc = NumpyDocString(inspect.getdoc(thing))
    texts = [("summary", doc["Summary"])]
    for section in ["Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns"]:
        texts += [(part.name or part.type, part.desc) for part in doc[section]]
    for place, lines in texts:
        if text := " ".join(lines).split():
            yield place, text[0].rstrip(",:;.")


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_open_with_a_verb_or_with_the_name_of_a_thing(name):
    validate = pytest.importorskip("numpydoc.validate").validate
    faults = []
    for place, kind, one in documented(importlib.import_module(name)):
        words = openings(one)
        faults += [f"{place}, {where}: {word}" for where, word in words if word in NO_OPENING]
        if kind != "class":
            errors = validate(f"{name}.{place}")["errors"]
            faults += [f"{place}: {text}" for code, text in errors if code == "SS05"]
    assert not faults


def test_every_estimator_has_a_page():
    listed = (DOCS / "api.rst").read_text().split()
    assert not METHODS.keys() - set(listed)


@pytest.mark.filterwarnings("ignore:.* has collapsed")
@pytest.mark.parametrize("logger", ["tensorboard", "mlflow", "wandb"])
def test_loggers_of_the_page_write_offline(logger, tmp_path, monkeypatch):
    pytest.importorskip(logger)
    monkeypatch.chdir(tmp_path)
    page = DOCS / "user_guide" / "feedback.rst"
    pattern = rf".. code-block:: python\n    :name: needs-{logger}\n\n((?:    .*\n|\n)+)"
    (block,) = re.findall(pattern, page.read_text())
    X, y = load_iris(return_X_y=True)
    names = {"X": X, "X_labeled": X, "y_labeled": y}
    for code in [*code_blocks(page), textwrap.dedent(block)]:
        exec(code.replace("SimVAE(", "SimVAE(max_epochs=2, "), names)
    assert any(path.is_file() for path in tmp_path.rglob("*"))


def test_links_that_lead_nowhere_are_named(tmp_path):
    script = DOCS.parent / ".ci" / "links.py"
    if not script.exists():
        pytest.skip("a source archive has no .ci")
    (tmp_path / "a.html").write_text(
        '<a href="b.html#there"></a><a href="b.html#gone"></a><a href="c.html"></a><h1 id="own">'
        '<a href="#own"></a><a href="#nowhere"></a><img src="no.png"><a href="https://x.org/y"></a>'
    )
    (tmp_path / "b.html").write_text('<p id="there"></p><a href="a.html"></a>')
    dead = runpy.run_path(script)["dead_links"](tmp_path)
    assert [(str(page), link) for page, link in dead] == [
        ("a.html", "#nowhere"),
        ("a.html", "b.html#gone"),
        ("a.html", "c.html"),
        ("a.html", "no.png"),
    ]
