"""Only what fetches data sets opens connections."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_simvae

PACKAGE = Path(sklearn_simvae.__file__).parent

# What opens connections in Python's library and in packages that may be installed with this one.
OPENERS = {
    "aiohttp",
    "asyncio",
    "boto3",
    "botocore",
    "ftplib",
    "fsspec",
    "gcsfs",
    "http",
    "httpx",
    "huggingface_hub",
    "imaplib",
    "poplib",
    "pooch",
    "requests",
    "s3fs",
    "smtplib",
    "socket",
    "socketserver",
    "ssl",
    "telnetlib",
    "tornado",
    "urllib",
    "urllib3",
    "webbrowser",
    "websocket",
    "websockets",
    "wsgiref",
    "xmlrpc",
    "zmq",
}
# Not by the name of their package alone, for much else is in there.
OPENERS_WITHIN = ("sklearn.datasets", "torch.distributed", "torch.hub", "torchvision.datasets")
# Functions that import a module by the name that they are given.
BY_NAME = ("__import__", "import_module", "need")
# By file: what each may import of these, and why.
ALLOWED = {
    "datasets/_remote.py": {"http.client", "urllib.request"},
    # The processes of one fit, at the address that their launcher gives.
    "training/distributed.py": {"torch.distributed"},
    "training/team.py": {"torch.distributed"},
}


def imported(source):
    """Names of all modules that a source imports, wherever in it, and by whichever statement."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in BY_NAME:
            yield from (str(a.value) for a in node.args if isinstance(a, ast.Constant))


def openers(source):
    """Those of them that open connections."""
    return {
        name
        for name in imported(source)
        if name.partition(".")[0] in OPENERS
        or any(f"{name}.".startswith(f"{module}.") for module in OPENERS_WITHIN)
    }


@pytest.mark.parametrize(
    "source",
    [
        "import socket",
        "import urllib.request as r",
        "from urllib.request import urlopen",
        "from urllib import request",
        "def f():\n    import requests",
        "try:\n    from torch import hub\nexcept ImportError: pass",
        "from sklearn.datasets import fetch_openml",
        "from sklearn import datasets",
        "import importlib\nimportlib.import_module('http.client')",
        "__import__('socket')",
    ],
)
def test_an_import_that_opens_connections_is_seen(source):
    assert openers(source)


@pytest.mark.parametrize("source", ["import torch", "from . import socket", "from .http import x"])
def test_other_imports_are_not(source):
    assert not openers(source)


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix()
)
def test_no_module_imports_what_opens_connections(path):
    allowed = ALLOWED.get(path.relative_to(PACKAGE).as_posix(), set())
    found = openers(path.read_text(encoding="utf-8"))
    assert {name for name in found if not any(name.startswith(a) for a in allowed)} == set()


# Python tells hooks of these before anything is sent; a hook cannot be taken off, hence a process.
SCRIPT = """
import os, sys, urllib.request

EVENTS = (
    "socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
    "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo", "socket.bind",
    "urllib.Request", "http.client.connect", "ftplib.connect", "smtplib.connect",
)
seen = []

def hook(event, arguments):
    if event in EVENTS:
        seen.append(event)
        raise PermissionError(f"{event} of {arguments}")

sys.addaudithook(hook)
import socket
for connect in (
    lambda: urllib.request.urlopen("http://127.0.0.1:9"),
    lambda: socket.create_connection(("127.0.0.1", 9)),
    lambda: socket.socket().connect(("127.0.0.1", 9)),
    lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"", ("127.0.0.1", 9)),
):
    try:
        connect()
    except PermissionError:
        continue
    raise SystemExit("the hook sees no connection")
seen.clear()

import importlib, pkgutil
import numpy as np
import torch
torch.set_num_threads(1)
import sklearn_simvae

for module in pkgutil.walk_packages(sklearn_simvae.__path__, "sklearn_simvae."):
    importlib.import_module(module.name)

folder = sys.argv[1]
X = np.random.RandomState(0).rand(40, 8).astype(np.float32)
for name in sklearn_simvae.__all__:
    method = getattr(sklearn_simvae, name)
    if not hasattr(method, "partial_fit"):
        continue
    params = {"n_components": 3, "hidden_layer_sizes": (8,), "max_epochs": 1, "random_state": 0}
    if "modalities" in method().get_params():
        params["modalities"] = [("a", "auto", slice(0, 4)), ("b", "auto", slice(4, 8))]
    model = method(**params).fit(X)
    path = os.path.join(folder, name)
    model.save_weights(path)
    loaded = method(**params).load_weights(path)
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    model.score(X)
    repr(model), model._repr_html_()

from sklearn_simvae import datasets
datasets.make_sprites(5)
assert seen == [], seen

# The one place that does, to show that this test would see it.
try:
    datasets.fetch_mnist(data_home=folder)
except OSError as error:
    assert "urllib.Request" in str(error), error
else:
    raise SystemExit("fetch_mnist did not connect")
assert set(seen) == {"urllib.Request"}, seen
print("as expected")
"""


@pytest.mark.slow
def test_nothing_connects_but_what_fetches_data(tmp_path, monkeypatch):
    monkeypatch.delenv("SKLEARN_SIMVAE_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout) == (0, "as expected\n"), done.stderr
