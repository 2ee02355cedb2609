"""Estimators, data and callbacks that the tests share."""

import functools
import re
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import settings
from sklearn.datasets import load_digits
from sklearn.preprocessing import Binarizer, MaxAbsScaler
from skorch.callbacks import Callback
from threadpoolctl import threadpool_limits
from torch.utils._python_dispatch import TorchDispatchMode

import sklearn_simvae
from sklearn_simvae import (
    CLIP,
    ContentStyleVAE,
    DeepCluster,
    InstanceDiscrimination,
    MultimodalSimVAE,
    SimCLR,
    SimVAE,
    SwAV,
)
from sklearn_simvae.base import BaseSSL
from sklearn_simvae.datasets import make_sprites
from sklearn_simvae.training import SSLNet, run
from sklearn_simvae.views import ViewMaker

# Pytest knows this module as "tests.conftest", and the tests as "conftest": it is one.
sys.modules.setdefault("conftest", sys.modules[__name__])

# Networks of this size are fastest on one thread, and give the same bits in any process.
torch.set_num_threads(1)
threadpool_limits(1)

# With --hypothesis-profile=thorough, cases of hostile input are many and always new.
settings.register_profile("thorough", max_examples=700, print_blob=True)

TINY = {"n_components": 3, "hidden_layer_sizes": (16,), "max_epochs": 2, "random_state": 0}


@pytest.fixture(autouse=True)
def no_interruption_before(monkeypatch):
    """Let an interrupted fit be the first one, however soon it comes after that of another test."""
    monkeypatch.setattr(run._Interruptions, "last", -np.inf)


@pytest.fixture(autouse=True)
def no_figure_stays():
    """Close the figures of a test, where any can have been made."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def code_blocks(page):
    """The Python on a page of the documentation, in order."""
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", page.read_text())
    return [textwrap.dedent(block) for block in blocks]


class NoSynchronization(TorchDispatchMode):
    """Refuse the operations that make the host wait for a device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        assert name not in ("_local_scalar_dense", "nonzero", "item", "masked_select")
        # How many rows a mask chooses, the device has to tell.
        chosen = args[1] if name == "index" else []
        assert not any(of is not None and of.dtype == torch.bool for of in chosen)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def no_waiting(monkeypatch):
    """Let a step fail that reads a value back from the device."""
    train_step, make_views = SSLNet.train_step, ViewMaker.__call__

    def strict_step(self, batch, **kwargs):
        with NoSynchronization():
            return train_step(self, batch, **kwargs)

    def strict_views(self, batch, generator=None):
        with NoSynchronization():
            return make_views(self, batch, generator)

    monkeypatch.setattr(SSLNet, "train_step", strict_step)
    monkeypatch.setattr(ViewMaker, "__call__", strict_views)


TWO = [("even", "auto", slice(0, None, 2)), ("odd", "mlp", slice(1, None, 2))]

# Every method that is exported, without what trains nothing of its own.
METHODS = {
    name: method
    for name in sklearn_simvae.__all__
    if isinstance(method := getattr(sklearn_simvae, name), type) and issubclass(method, BaseSSL)
}
# Those whose rows are of one kind: views are made of them, given or grouped, and one encoder reads
# them all. The others have modalities.
ONE_KIND = [name for name, method in METHODS.items() if "modalities" not in method().get_params()]
one_kind = pytest.mark.parametrize("make", ONE_KIND, indirect=True)


def tiny(name, **params):
    """A method with a small head, and the learning rate that the tests count on."""
    method = METHODS[name]
    small = (
        {"projection_layer_sizes": (16, 8)} if hasattr(method(), "projection_layer_sizes") else {}
    )
    return method(**{**TINY, **small, "lr": 1e-3, **params})


def with_variants(variants):
    """Parametrises `make` and `params` by methods and the variants whose parameters they have.

    Variants are parameters by name, or functions that give them for an estimator.
    """
    cases = []
    for name in METHODS:
        estimator = tiny(name)
        for label, params in variants.items():
            wanted = params(estimator) if callable(params) else params
            if wanted.keys() <= estimator.get_params().keys():
                cases.append(pytest.param(name, wanted, id=f"{name}-{label}"))
    return pytest.mark.parametrize("make, params", cases, indirect=["make"])


def as_they_are(make):
    """Parameters that take rows as they are, without augmentation."""
    return {"augmentation": None} if "augmentation" in make().get_params() else {}


# A line for each variant that is worth scikit-learn's checks.
ESTIMATORS = [
    *(method(**TINY) for method in METHODS.values()),
    *(tiny(name, representation="hidden") for name in ONE_KIND),
    *(tiny(name, early_stopping=True, validation_fraction=0.2) for name in METHODS),
    SimVAE(**TINY, prior_variance=None),
    SimVAE(**TINY, n_views=1),
    SimVAE(**TINY, likelihood="gaussian"),
    ContentStyleVAE(**TINY, representation="content", noise_variance="learned"),
    ContentStyleVAE(**TINY, n_content_components=1, projection_layer_sizes=()),
    SimCLR(**TINY, projection_layer_sizes=(), representation="hidden"),
    SimCLR(**TINY, chunk_size=8),
    InstanceDiscrimination(**TINY, memory_bank=True, n_negatives=5),
    DeepCluster(**TINY, n_clusters=3),
    SwAV(**TINY, n_views=3),
    SwAV(**TINY, queue_size=0),
    CLIP(**TINY, modalities=TWO),
    CLIP(**TINY, projection_layer_sizes=(16, 8)),
    CLIP(**TINY, preprocessing=[("second", MaxAbsScaler())]),
    MultimodalSimVAE(**TINY, modalities=TWO, noise_variance={"even": 0.1}),
    MultimodalSimVAE(**TINY, prior_variance=None),
    MultimodalSimVAE(
        **TINY,
        preprocessing=[("first", Binarizer()), ("second", Binarizer())],
        likelihood={"first": "bernoulli", "second": "multinomial"},
    ),
]


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than ten seconds")
    # Two epochs are no training, and the estimators say so.
    config.addinivalue_line("filterwarnings", "ignore:.* has collapsed")


@pytest.fixture(params=METHODS)
def make(request):
    """Makes a tiny estimator of each method in turn."""
    return functools.partial(tiny, request.param)


@pytest.fixture(params=[name for name in METHODS if name not in ONE_KIND])
def make_multimodal(request):
    """As `make`, of the methods whose rows are of several kinds."""
    return functools.partial(tiny, request.param)


@pytest.fixture(params=["SimVAE", "SimCLR", "DeepCluster"])
def make_one_of_each_kind(request):
    """As `make`, of three methods, for what is read and checked before any method sees it."""
    return functools.partial(tiny, request.param)


def n_outputs(estimator):
    """Width that an encoder given to the estimator must have: means and variances, or features."""
    return estimator.n_components * (2 if hasattr(estimator, "decoder") else 1)


def n_made_views(estimator):
    """Views of a row that the augmentation makes: all, or all but the row itself."""
    return estimator.n_views - estimator._needs().first_view_is_row


@pytest.fixture(scope="session")
def digits():
    """Flat 8 x 8 digits in [0, 1] and their labels; 160 rows make 10 steps of 16."""
    bunch = load_digits()
    X = (bunch.data[:160] / 16).astype(np.float32)
    X.flags.writeable = False
    return X, bunch.target[:160]


@pytest.fixture(scope="session")
def sprites():
    """Color images, uint8, two views of each of 40 samples, (n, J, C, H, W)."""
    images = make_sprites(40, image_size=8, n_channels=3, n_views=2, random_state=0).images
    images.flags.writeable = False
    return images


@pytest.fixture
def path(tmp_path):
    """Place of a file that is not there yet."""
    return tmp_path / "file"


def few(digits):
    """Rows for what shows in four steps an epoch."""
    return digits[0][:64]


def threads_of_one(n):
    """Threads in each of which torch uses one, as in the tests themselves: the last bit tells."""
    return ThreadPoolExecutor(n, initializer=torch.set_num_threads, initargs=(1,))


class Spy(Callback):
    """Keeps the hooks that training calls, and what it calls them with."""

    def __init__(self):
        self.calls = []

    def hooks(self):
        return [hook for hook, _ in self.calls]

    def seen(self, hook, name):
        return [kwargs[name] for called, kwargs in self.calls if called == hook]

    def batches(self):
        """The batches as read; skorch's callbacks expect pairs, here of a batch and no y."""
        return [batch for batch, _ in self.seen("batch_begin", "batch")]

    def on_train_begin(self, net, **kwargs):
        self.calls.append(("train_begin", kwargs))

    def on_train_end(self, net, **kwargs):
        self.calls.append(("train_end", kwargs))

    def on_epoch_begin(self, net, **kwargs):
        self.calls.append(("epoch_begin", kwargs))

    def on_epoch_end(self, net, **kwargs):
        weights = {k: w.clone() for k, w in net.module_.state_dict().items()}
        self.calls.append(("epoch_end", {**kwargs, "weights": weights}))

    def on_batch_begin(self, net, **kwargs):
        self.calls.append(("batch_begin", kwargs))

    def on_batch_end(self, net, **kwargs):
        self.calls.append(("batch_end", kwargs))

    def on_grad_computed(self, net, **kwargs):
        self.calls.append(("grad_computed", kwargs))


class RaiseAt(Callback):
    """Raises in a hook of an epoch, counted from 1 over the net's life."""

    def __init__(self, hook, epoch, error):
        self.hook = hook
        self.epoch = epoch
        self.error = error

    def _maybe(self, hook, net):
        if hook == self.hook and len(net.history) == self.epoch:
            raise self.error

    def on_epoch_begin(self, net, **kwargs):
        self._maybe("epoch_begin", net)

    def on_batch_end(self, net, training=False, **kwargs):
        self._maybe("batch_end" if training else "valid_batch_end", net)

    def on_epoch_end(self, net, **kwargs):
        self._maybe("epoch_end", net)


class Views:
    """An augmentation that keeps the batches that it gets, and from some call on acts on them."""

    def __init__(self, act=None, after=0):
        self.act = act
        self.after = after
        self.batches = []

    def __call__(self, x):
        self.batches.append(x.clone())
        return x if self.act is None or len(self.batches) <= self.after else self.act(x)


def fails(x):
    raise RuntimeError("the augmentation fails")


def gives_nan(x):
    return x * np.nan
