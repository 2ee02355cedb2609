"""The structure of the package: sizes of its parts, and who may reach whom."""

import ast
import inspect
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny

import sklearn_simvae
from sklearn_simvae.base import BaseSSL
from sklearn_simvae.multimodal.base import BaseMultimodal

PACKAGE = Path(sklearn_simvae.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in FILES}
# Hooks that a method of one's own may define, see docs/write_your_own_method.rst.
HOOKS = {"_build_module", "_objective", "_latent", "_needs", "_initialize", "_suit"}
HOOKS |= {"_default_augmentation", "_diagnose"}

TESTS = Path(__file__).parent
# Files that hold declarations alone, and have no tests of their own.
DECLARATIONS = {"_needs.py", "_parameter_types.py", "_shared_parameters.py", "_version.py"}


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def test_no_file_is_longer_than_400_lines():
    lines = {path.relative_to(PACKAGE).as_posix(): len(path.open().readlines()) for path in FILES}
    assert {name: n for name, n in lines.items() if n > 400} == {}


def test_no_function_has_more_than_40_lines_of_code():
    long = {}
    for name, tree in TREES.items():
        for function in functions(tree):
            body = function.body[1:] if ast.get_docstring(function) else function.body
            if body and (n := body[-1].end_lineno - body[0].lineno + 1) > 40:
                long[f"{name}: {function.name}"] = n
    assert long == {}


def test_nets_and_samples_are_changed_by_their_own_methods_alone():
    changed = []
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            for target in targets:
                owner = target.value if isinstance(target, ast.Attribute) else None
                called = getattr(owner, "attr", getattr(owner, "id", None))
                if called in ("net", "net_", "samples", "train", "valid"):
                    changed.append(f"{name}:{node.lineno}")
    assert changed == []


def test_tests_of_a_file_lie_in_the_same_folder_under_the_same_name():
    sources = {Path(name) for name in TREES if not name.endswith("__init__.py")}
    beside = {path: path.with_name(f"test_{path.stem.lstrip('_')}.py") for path in sources}
    tests = {path.relative_to(TESTS) for path in TESTS.rglob("test_*.py")}
    without = {path.as_posix() for path, test in beside.items() if test not in tests}
    assert without == DECLARATIONS
    # What concerns several parts is tested above them.
    of_nothing = tests - set(beside.values())
    assert {path.as_posix() for path in of_nothing if len(path.parts) > 1} == set()


@pytest.mark.parametrize("part", ["training", "views", "networks", "losses"])
def test_lower_layers_do_not_reach_for_the_estimator(part):
    reached = [
        f"{name}:{node.lineno} {node.attr}"
        for name, tree in TREES.items()
        if name.startswith(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "__self__"
    ]
    assert reached == []


def test_methods_have_eight_hooks_and_the_base_class_few_methods():
    own = {
        name
        for name, value in vars(BaseSSL).items()
        if inspect.isfunction(value) or isinstance(value, property)
    }
    assert own >= HOOKS
    assert len(own) <= 29


def test_modalities_override_little_beside_the_reader():
    of_base = {name for name in vars(BaseSSL) if not name.startswith("__")}
    own = {name for name in vars(BaseMultimodal) if callable(vars(BaseMultimodal)[name])}
    # A transform takes the modality, and parameters of preprocessors are set by their names.
    assert own & of_base == {"_reader", "transform", "set_params"}


class Hops:
    """The functions of the package that a call goes through until the first gradient."""

    def __init__(self):
        self.files, self.functions, self.stack = set(), set(), []
        self.n_changes = self.depth = 0
        self._last = None

    def __call__(self, frame, event, arg):
        path = Path(frame.f_code.co_filename)
        if event == "call" and frame.f_code.co_name == "backward":
            sys.setprofile(None)
        elif event == "call" and path.is_relative_to(PACKAGE):
            name = frame.f_code.co_qualname
            # Comprehensions and their like are no hops.
            if not name.endswith(">"):
                self.stack.append(frame)
                self.files.add(path)
                self.functions.add((path, name))
                self.depth = max(self.depth, len(self.stack))
                self.n_changes += path != self._last
                self._last = path
        elif event == "return" and self.stack and self.stack[-1] is frame:
            self.stack.pop()
            if self.stack:
                self._last = Path(self.stack[-1].f_code.co_filename)


@pytest.mark.parametrize("method", ["SimVAE", "CLIP"])
def test_way_from_fit_transform_to_the_first_gradient_does_not_grow(method):
    X = np.random.default_rng(0).standard_normal((60, 13))
    # The first call in a process does things that are done once.
    tiny(method).fit_transform(X)
    hops = Hops()
    sys.setprofile(hops)
    try:
        tiny(method).fit_transform(X)
    finally:
        sys.setprofile(None)
    found = len(hops.files), len(hops.functions), hops.n_changes, hops.depth
    assert np.all(np.array(found) <= LONGEST_WAY[method]), found


def test_way_of_modalities_is_hardly_longer():
    rows, modalities = (np.array(LONGEST_WAY[name]) for name in ("SimVAE", "CLIP"))
    assert np.all(modalities <= 1.15 * rows)


# Files, functions, changes of file, and depth, as they are: what comes is to make them less.
LONGEST_WAY = {"SimVAE": (54, 222, 229, 15), "CLIP": (47, 206, 230, 16)}
