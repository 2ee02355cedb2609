"""What `import sklearn_simvae` loads, beside torch, scikit-learn and skorch."""

import json
import subprocess
import sys

LOADED = """
import json, sys
import skorch, torch
before = set(sys.modules)
import sklearn_simvae
print(json.dumps(sorted(set(sys.modules) - before)))
"""
# Parts that are loaded when they are used.
LATER = ("evaluation", "plotting", "datasets", "persistence")


def test_import_loads_little_more_than_torch_and_skorch():
    command = [sys.executable, "-c", LOADED]
    made = subprocess.run(command, capture_output=True, check=True, text=True)
    loaded = json.loads(made.stdout)
    others = [name for name in loaded if name.split(".")[0] != "sklearn_simvae"]
    # tqdm is loaded by skorch; this part of it chooses the bar of the terminal or of a notebook.
    allowed = ("tqdm", "sklearn.utils", "sklearn.frozen")
    assert [name for name in others if not name.startswith(allowed)] == []
    assert [name for name in loaded if name.split(".")[1:2] and name.split(".")[1] in LATER] == []
