"""Whatever an estimator is given, it works or says what is wrong; nothing comes out as NaN."""

import copy
import functools
import inspect

import numpy as np
import pytest
import torch
from conftest import METHODS, ONE_KIND, tiny
from hostile import assert_finite, cases, labels, n_rows, tables, works_or_is_refused
from hypothesis import given
from hypothesis import strategies as st

PARAMETERS = {
    "n_components": [1, 40],
    "hidden_layer_sizes": [(), (1,)],
    "encoder": ["mlp", "conv1d"],
    "representation": ["hidden"],
    "n_views": [1, 3, 20],
    "augmentation": [None, torch.zeros_like, torch.log, torch.Tensor.double, torch.sum],
    "input_shape": [(6,), (3, 2), (8, 8), (6, 1)],
    "batch_size": [1, 2, 5, 10**12],
    "lr": [1e-300, 10.0, 1e30],
    "weight_decay": [1e3, 1e30],
    "optimizer": ["adamw", "sgd"],
    "lr_schedule": ["constant", "cosine"],
    "early_stopping": [True],
    "validation_fraction": [1e-300, 0.5, 1 - 1e-12],
    "warm_start": [True],
    "precision": ["bf16", "float32"],
    "random_state": [None, np.random.RandomState(0), 2**31],
    "projection_layer_sizes": [(), (1,), (1, 40)],
    "temperature": [1e-30, 1e-3, 1e30],
    "noise_variance": ["learned", 1e-30, 1e30],
    "likelihood": ["gaussian", "bernoulli", "multinomial"],
    "style_variance": [1e-30, 1e30],
    "prior_variance": [None, 1e-30, 1e30],
    "beta": [0.0, 1e30],
    "consistency_weight": [0.0, 1e30],
    "invariance_weight": [0.0, 1e30],
    "covariance_weight": [0.0, 1e30],
    "redundancy_weight": [0.0, 1e30],
    "n_clusters": [1, 2, 1000],
    "epsilon": [1e-30, 1e30],
    "n_iter": [1],
    "queue_size": [0, 3, 10**6],
    "chunk_size": [1, 8],
    "memory_bank": [True],
    "n_negatives": [1, 10**6],
    "tau": [0.0, 1.0],
    "max_logit_scale": [1.0, 1e30],
}


@st.composite
def estimators(draw, name):
    own = [p for p in PARAMETERS if p in tiny(name).get_params()]
    chosen = draw(st.lists(st.sampled_from(own), max_size=2, unique=True))
    return tiny(name, max_epochs=1, **{p: draw(st.sampled_from(PARAMETERS[p])) for p in chosen})


ROWS = np.random.default_rng(0).random((12, 6))


@functools.cache
def fitted(name):
    return tiny(name).fit(ROWS)


def use(estimator, X, groups=None):
    """Call whatever the estimator has that takes rows."""
    for method in ("transform", "encode", "project", "content", "generate"):
        if hasattr(estimator, method):
            # The posterior of a modality that is missing is NaN.
            nan = method == "encode" and hasattr(estimator, "generate")
            works_or_is_refused(getattr(estimator, method), X, nan=nan)
    for method in ("score", "score_samples"):
        if hasattr(estimator, method):
            works_or_is_refused(getattr(estimator, method), X, groups=groups)


@pytest.mark.parametrize("name", METHODS)
def test_fit_works_or_is_refused(name):
    @cases(8, name)
    @given(data=st.data(), estimator=estimators(name), X=tables())
    def check(data, estimator, X):
        arguments = (X,)
        if name in ONE_KIND and data.draw(st.booleans(), label="with groups"):
            arguments = (X, None, data.draw(labels(n_rows(X)), label="groups"))
        method = data.draw(st.sampled_from(["fit", "partial_fit", "fit_transform"]))
        works_or_is_refused(getattr(estimator, method), *arguments)
        if hasattr(estimator, "net_"):
            assert_finite([list(row.values()) for row in estimator.history_])
            use(estimator, X, *arguments[2:])

    check()


@pytest.mark.parametrize("name", METHODS)
def test_use_of_a_fitted_estimator_works_or_is_refused(name):
    estimator = fitted(name)

    @cases(7, name)
    @given(X=tables())
    def check(X):
        use(estimator, X)
        works_or_is_refused(copy.deepcopy(estimator).partial_fit, X)
        for method in ("inverse_transform", "similarity"):
            if hasattr(estimator, method):
                arguments = (X, X) if method == "similarity" else (X,)
                works_or_is_refused(getattr(estimator, method), *arguments)

    check()


@pytest.mark.parametrize("name", METHODS)
def test_training_that_diverges_says_so(name):
    for params in ({"lr": 1e30}, {"lr": 1e30, "optimizer": "sgd"}):
        for X in (ROWS, 1e30 * ROWS, 3e38 * ROWS):
            try:
                estimator = tiny(name, **params).fit(X)
            except ValueError as error:
                assert "Lower lr" in str(error)
            else:
                assert_finite([list(row.values()) for row in estimator.history_])


NUMBERS = [1, 3, 0, -1, 2.5, np.nan, "a", None, True, np.int64(2), 10**30]


@pytest.mark.parametrize("name", [name for name in METHODS if hasattr(tiny(name), "sample")])
def test_sampling_works_or_is_refused(name):
    estimator = fitted(name)
    has_views = "n_views" in inspect.signature(estimator.sample).parameters

    @cases(3, name)
    @given(
        *map(st.sampled_from, (NUMBERS[:-1], NUMBERS[:-1], [*NUMBERS, np.random.RandomState(0)]))
    )
    def check(n_samples, n_views, random_state):
        views = {"n_views": n_views} if has_views else {}
        works_or_is_refused(estimator.sample, n_samples, random_state=random_state, **views)

    check()


# ---------------------------------------------------------------- several kinds of data in a row

# A modality alone: columns, images, words.
ENTRIES = st.one_of(
    tables(rows=(12, 12, 12, 11, 0)), labels(12), st.sampled_from([None, 3, "abc", [None] * 12])
)
BY_MODALITY = st.one_of(
    st.fixed_dictionaries({"even": ENTRIES, "odd": ENTRIES}),
    st.dictionaries(st.sampled_from(["even", "odd", 3, None]), ENTRIES, max_size=3),
)


@pytest.mark.parametrize("name", ["CLIP", "MultimodalSimVAE"])
def test_dicts_of_modalities_work_or_are_refused(name):
    @cases(12, name)
    @given(X=BY_MODALITY, other=BY_MODALITY)
    def check(X, other):
        estimator = tiny(name, max_epochs=1)
        works_or_is_refused(estimator.fit, X)
        if not hasattr(estimator, "net_"):
            estimator = fitted_on_dict(name)
        for rows in (X, other):
            use(estimator, rows)
            works_or_is_refused(estimator.transform, rows, modality="even")

    check()


@cases(20)
@given(prompts=tables(shapes=[lambda n, d: (n, 3)] * 3 + [lambda n, d: (n, d)]), data=st.data())
def test_zero_shot_classification_works_or_is_refused(prompts, data):
    clip = fitted_on_dict("CLIP")
    classes = data.draw(labels(n_rows(prompts)), label="classes")
    classifier = works_or_is_refused(clip.zero_shot_classifier, prompts, classes)
    X = data.draw(tables(shapes=[lambda n, d: (n, 3)]), label="X")
    if classifier is not None:
        for method in ("predict", "predict_proba", "decision_function"):
            works_or_is_refused(getattr(classifier, method), X, nan=method == "predict")


@functools.cache
def fitted_on_dict(name):
    return tiny(name).fit({"even": ROWS[:, ::2], "odd": ROWS[:, 1::2]})
