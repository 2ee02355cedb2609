"""Every block of Python in the README and in the documentation runs."""

import doctest
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import code_blocks
from sklearn.datasets import load_digits

from sklearn_simvae import SimVAE
from sklearn_simvae.training import Run

ROOT = Path(__file__).parent.parent
# Pages whose code needs what is not everywhere: tested where that is.
ELSEWHERE = {"write_your_own_method.rst", "clusters.rst", "distributed.rst"}
PAGES = [
    page
    for page in [ROOT / "README.rst", *sorted((ROOT / "docs").rglob("*.rst"))]
    if page.name not in ELSEWHERE
    and not {"_build", "_templates", "api", "auto_examples"} & set(page.parts)
]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def assumed():
    """What a page may speak of without making it: a user's data, and a fitted estimator."""
    X, y = load_digits(return_X_y=True)
    X = X / 16
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 30)))
    table.columns = [f"m{i}" for i in range(30)]
    table["note"] = rng.choice(["warm and dry", "cold", "cold and wet"], 60)
    simvae = SimVAE(input_shape=(8, 8), hidden_layer_sizes=(16,), random_state=0).fit(X)
    return {
        "X": X,
        "y": y,
        "X_train": X,
        "y_train": y,
        "X_test": X,
        "y_test": y,
        "X_all": X,
        "X_labeled": X[:50],
        "y_labeled": y[:50],
        "X_augmented": np.stack([X, X[::-1]], axis=1),
        "patient_id": np.arange(len(X)) // 2,
        "table": table,
        "simvae": simvae,
    }


@pytest.fixture
def short_fits(monkeypatch):
    """Fits of one epoch, since what the code says is tested, not what it learns."""
    whole = Run.__init__

    def one_epoch(run, net, options, *args):
        whole(run, net, replace(options, n_epochs=1), *args)

    monkeypatch.setattr(Run, "__init__", one_epoch)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:.* has collapsed", "ignore:.*labels.*classes")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if code_blocks(page)], ids=lambda p: p.stem
)
def test_code_of_a_page_runs(page, short_fits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = assumed()
    for block in code_blocks(page):
        exec(compile(block, page.name, "exec"), names)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if ">>>" in page.read_text()], ids=lambda p: p.stem
)
def test_console_sessions_of_a_page_give_what_they_show(page):
    failed, tried = doctest.testfile(str(page), module_relative=False, optionflags=FLAGS)
    assert tried and not failed
