"""Whatever a public function is given, it works or says what is wrong; nothing comes out as NaN."""

import functools
import inspect

import matplotlib.pyplot
import numpy as np
import pytest
import torch
from hostile import VALUES, cases, labels, n_rows, tables, works_or_is_refused
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from sklearn_simvae import (
    FrozenEncoder,
    SimVAE,
    evaluation,
    losses,
    make_table_transformer,
    multimodal,
    plotting,
    views,
)
from sklearn_simvae.datasets import make_sprites
from sklearn_simvae.evaluation.representations import as_array
from sklearn_simvae.training import ResumeCheckpoint

matplotlib.use("Agg")

RNG = np.random.default_rng(0)
# More rows, some of them with views: less is refused for what it lacks.
ROWS = {"rows": (40, 40, 40, 12, 2, 1, 0)}
FLAT = tables(shapes=[*(lambda n, d: (n, d),) * 4, lambda n, d: (n, 2, d)], **ROWS)
OF_VIEWS = tables(shapes=[*(lambda n, d: (n, 2, d),) * 4, lambda n, d: (n, d)], **ROWS)


@functools.cache
def pca():
    return PCA(3).fit(RNG.random((12, 6)))


@functools.cache
def vae():
    return SimVAE(3, hidden_layer_sizes=(16,), max_epochs=1, random_state=0).fit(
        RNG.random((20, 6))
    )


OF_A_TABLE = {
    "effective_rank": (FLAT, evaluation.effective_rank),
    "uniformity": (FLAT, evaluation.uniformity),
    "alignment": (OF_VIEWS, evaluation.alignment),
    "collapse_report": (FLAT, functools.partial(evaluation.collapse_report, None)),
    "collapse_report of views": (OF_VIEWS, functools.partial(evaluation.collapse_report, None)),
    "collapse_report of an estimator": (
        FLAT,
        lambda X: evaluation.collapse_report(pca(), X, augmentation="auto", random_state=0),
    ),
    "mutual_information": (
        OF_VIEWS,
        functools.partial(evaluation.mutual_information, None, methods="knn", random_state=0),
    ),
    "mutual_information of augmented rows": (
        FLAT,
        lambda X: evaluation.mutual_information(vae(), X, augmentation="auto", methods="knn"),
    ),
    "reconstruction_error": (FLAT, lambda X: evaluation.reconstruction_error(pca(), X)),
    "reconstruction_error of a model": (FLAT, lambda X: evaluation.reconstruction_error(vae(), X)),
    "frechet_distance": (FLAT, lambda X: evaluation.frechet_distance(X, X, pca())),
    "frechet_distance by a callable": (
        FLAT,
        lambda X: evaluation.frechet_distance(X, X, lambda X: X),
    ),
    "retrieve": (FLAT, lambda X: multimodal.retrieve(X, X, k=2)),
    "make_table_transformer": (
        FLAT,
        lambda X: make_table_transformer(PCA(1), vectorizer="sklearn").fit_transform(X),
    ),
    "recall_at_k": (FLAT, lambda X: multimodal.recall_at_k(X, X)),
    "FrozenEncoder": (OF_VIEWS, lambda X: FrozenEncoder(torch.nn.Tanh()).fit_transform(X)),
    "Layout": (OF_VIEWS, lambda X: views.Layout.infer(as_array(X))),
}


@pytest.mark.parametrize("name", OF_A_TABLE)
def test_functions_of_a_table(name):
    strategy, function = OF_A_TABLE[name]
    has_nan = name.startswith("collapse_report")

    @cases(5, name)
    @given(X=strategy)
    def check(X):
        made = works_or_is_refused(function, X, nan=has_nan)
        if has_nan and made is not None:
            # Only of rows without views there is no alignment.
            assert np.isfinite(np.r_[[v for k, v in made.items() if k != "alignment"][:1]]).all()
            assert np.isfinite(made.variance).all() and np.isfinite(made.uniformity)

    check()


def knn(*args, **kwargs):
    return evaluation.probe(*args, probes="knn", n_repeats=1, random_state=0, **kwargs)


OF_LABELS = {
    "probe": lambda X, y: knn(None, X, y),
    "probe by groups": lambda X, y: knn(None, X, np.arange(n_rows(X)) % 2, groups=y),
    "probe of a test set": lambda X, y: knn(None, X, np.arange(n_rows(X)) % 2, X_test=X, y_test=y),
    "style_probe": lambda X, y: evaluation.style_probe(
        None, X, y, probes="knn", n_repeats=1, random_state=0
    ),
    "style_probe of an augmentation": lambda X, y: evaluation.style_probe(
        pca(), X, groups=y, probes="knn", n_repeats=1, random_state=0
    ),
    "clustering_accuracy": lambda X, y: evaluation.clustering_accuracy(y, y),
    "clustering_accuracy of clusters": lambda X, y: evaluation.clustering_accuracy(
        np.arange(n_rows(X)) % 3, y
    ),
    "Groups": lambda X, y: list(views.Groups(y).batches(4)),
}


@pytest.mark.parametrize("name", OF_LABELS)
def test_functions_of_labels(name):
    @cases(5, name)
    @given(X=FLAT, data=st.data())
    def check(X, data):
        y = data.draw(labels(n_rows(X)), label="labels")
        works_or_is_refused(OF_LABELS[name], X, y)

    check()


# ---------------------------------------------------------------- tensors

SIZES = [(1, 2, 1), (1, 1, 3), (5, 1, 3), (5, 2, 1), (5, 2, 3), (6, 4, 3), (0, 2, 3)]
FINITE = [name for name in VALUES if name not in ("too large", "a NaN", "an infinity", "all NaN")]


def tensor(values, shape, dtype=torch.float32, seed=0):
    made = VALUES[values](np.random.default_rng(seed), shape)
    return torch.from_numpy(np.asarray(made, dtype=float)).to(dtype)


def arguments(function, values, shape, masked, dtype):
    """What a loss takes, by the names of its parameters."""
    batch, _, d = shape
    z = tensor(values, shape, dtype)
    flat = {"za", "zb"}
    known = {
        **dict.fromkeys(("z", "p", "mean", "log_variance", "variance", "scores", "x", "logits"), z),
        "log_rate": z.clamp(max=20),
        "projections": z,
        "correlation": 0.9,
        "contrast": torch.tensor(2.0),
        "contrast_weight": 10.0,
        "za": z[:, 0],
        "zb": z[:, -1],
        "logit_scale": 10.0,
        "log_likelihood": z.sum(-1),
        "noise_variance": 0.1,
        "style_variance": 0.1,
        "prototypes": tensor(values, (4, d), dtype, seed=1),
        "labels": torch.arange(batch) % 4,
        "indices": torch.arange(batch) % 4,
        "cluster_sizes": torch.tensor([3, 0, 2, 1]),
    }
    taken = inspect.signature(function).parameters
    made = {name: known[name] for name in taken if name in known}
    if masked and "mask" in taken:
        mask = torch.ones(shape[:2], dtype=torch.bool)
        mask[::2, 1:] = False
        made["mask"] = mask[:, -1] if flat <= taken.keys() else mask
    if "log_variance" in made or "variance" in made:
        name = "log_variance" if "log_variance" in made else "variance"
        made[name] = z.abs().clamp(max=20)
    if "logits" in made or "log_rate" in made:
        made["x"] = z.abs().clamp(max=1)
    return made


@pytest.mark.parametrize("name", [name for name in losses.__all__ if name != "Terms"])
def test_losses(name):
    function = getattr(losses, name)

    @cases(2, name)
    @given(
        values=st.sampled_from(FINITE),
        shape=st.sampled_from(SIZES),
        masked=st.booleans(),
        dtype=st.sampled_from([torch.float32, torch.float64]),
    )
    def check(values, shape, masked, dtype):
        # What overflows is reported by training, which looks at the loss once an epoch.
        overflows = dtype == torch.float32 and tensor(values, shape).abs().sum() > 1e15
        works_or_is_refused(
            function, **arguments(function, values, shape, masked, dtype), nan=bool(overflows)
        )

    check()


AUGMENTATIONS = {
    name: getattr(views, name)
    for name in views.__all__
    if isinstance(getattr(views, name), type)
    and issubclass(getattr(views, name), views.Augmentation)
    and name not in ("Augmentation", "Compose", "MultiView")
}
STEPS = [
    RNG,
    "flip",
    None,
    views.RandomJitter(),
    views.GaussianNoise(scale=0.0),
    views.FeatureMasking(),
]
BAD = [-1, 0, 1, 2.5, np.nan, np.inf, 1e30, "a", None, (0.5, 0.1), (1e-9, 1e-9), (0, 1e30), [], ()]
BATCHES = [
    (2, 3),
    (4, 3, 5),
    (3, 1, 8, 8),
    (2, 3, 1, 1),
    (1, 4, 2, 9),
    (0, 3),
    (5,),
    (1, 1),
    (2, 0),
]


def batch(draw):
    dtype = draw(st.sampled_from([torch.float32, torch.float64, torch.float16, torch.uint8]))
    values = draw(st.sampled_from(["fractions", "constant", "denormal", "zeros", "normal"]))
    return tensor(values, draw(st.sampled_from(BATCHES)), dtype)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentations(name):
    parameters = list(inspect.signature(AUGMENTATIONS[name]).parameters)

    @cases(4, name)
    @given(data=st.data())
    def check(data):
        x = batch(data.draw)
        augmentation = AUGMENTATIONS[name]()
        if data.draw(st.booleans(), label="other parameters"):
            value = data.draw(st.sampled_from(BAD), label="value")
            augmentation.set_params(**{data.draw(st.sampled_from(parameters)): value})
        # Half precision ends at 65,504.
        made = works_or_is_refused(augmentation, x, nan=x.dtype == torch.float16)
        assert made is None or (made.shape == x.shape and made.dtype == x.dtype)

    check()


@cases(8)
@given(steps=st.lists(st.sampled_from(STEPS), max_size=3), per_view=st.booleans(), data=st.data())
def test_composed_augmentations(steps, per_view, data):
    augmentation = views.MultiView(steps) if per_view else views.Compose(steps)
    x = batch(data.draw)
    works_or_is_refused(augmentation.augment_views, x, data.draw(st.sampled_from([1, 2, 3])))


# ---------------------------------------------------------------- all else

SPRITES = {
    "n_samples": [1, 3, 0, -1, 2.5, "a", None, np.int8(2), True],
    "image_size": [8, 9, 7, 0, np.nan, 8.0, "8"],
    "n_channels": [1, 3, 2, None],
    "n_views": [1, 2, 0, 1.5],
    "shapes": [("star",), (), "star", ("star", "star"), ("moon",), None, [3]],
    "noise": [0, 1.0, 1e30, -1, np.nan, np.inf, "a"],
    "return_X_y": [True],
    "random_state": [None, 0, -1, "a", np.random.RandomState(0)],
}


@cases(15)
@given(data=st.data())
def test_make_sprites(data):
    names = data.draw(st.lists(st.sampled_from(list(SPRITES)), max_size=2, unique=True))
    chosen = {name: data.draw(st.sampled_from(SPRITES[name]), label=name) for name in names}
    works_or_is_refused(make_sprites, **{"n_samples": 2, "image_size": 8, **chosen})


@cases(6)
@given(
    path=st.sampled_from(["", "no/such/folder/file", "."]),
    every=st.sampled_from([1, 0, -1, 2.5, np.nan, "a", None]),
)
def test_checkpoint(path, every):
    model = SimVAE(
        2, hidden_layer_sizes=(4,), max_epochs=1, callbacks=ResumeCheckpoint(path, every)
    )
    works_or_is_refused(model.fit, RNG.random((6, 2)))


DISPLAYS = {
    "embedding": lambda X: plotting.EmbeddingDisplay.from_representations(X),
    "embedding of a model": lambda X: plotting.EmbeddingDisplay.from_estimator(vae(), X),
    "reconstruction": lambda X: plotting.ReconstructionDisplay.from_estimator(vae(), X, 2),
    "traversal": lambda X: plotting.TraversalDisplay.from_estimator(vae(), X, [0], 2),
    "views": lambda X: plotting.ViewsDisplay.from_estimator(vae(), X, 2, 2),
}


@pytest.mark.parametrize("name", DISPLAYS)
def test_displays(name):
    @cases(2, name)
    @given(X=FLAT)
    def check(X):
        works_or_is_refused(DISPLAYS[name], X)
        matplotlib.pyplot.close("all")

    check()
