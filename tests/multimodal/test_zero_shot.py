"""Classes that are known by descriptions alone."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import TINY
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import normalize

from sklearn_simvae.multimodal import CLIP, ZeroShotClassifier
from sklearn_simvae.multimodal.clip import LogitScale

LONGER = TINY | {
    "n_components": 6,
    "max_epochs": 40,
    "lr": 2e-2,
    "batch_size": 64,
    "hidden_layer_sizes": (32,),
}

CLASSES = np.array(["cat", "dog", "owl"])
PROMPTS = {
    "cat": ["a photo of a cat", "one cat"],
    "dog": ["a photo of a dog", "one dog"],
    "owl": ["a photo of an owl", "one owl"],
}


def make_captioned(n, n_classes=3, seed=0):
    """Vectors around the centre of their class, sentences that name it, and the classes."""
    rng = np.random.default_rng(seed)
    y = CLASSES[rng.integers(n_classes, size=n)]
    centers = 2 * np.eye(5)
    pixels = centers[np.searchsorted(CLASSES, y)] + 0.3 * rng.standard_normal((n, 5))
    forms = ["a photo of a {}", "one {}", "the {} again", "here is my {}"]
    text = [forms[i].format(c) for i, c in zip(rng.integers(4, size=n), y, strict=True)]
    return {"image": pixels.astype(np.float32), "text": text}, y


@pytest.fixture(scope="module")
def captioned():
    X, _ = make_captioned(300)
    clip = CLIP(
        **LONGER, preprocessing=[("text", CountVectorizer())], projection_layer_sizes=(8, 8)
    )
    return clip.fit(X)


def test_classes_are_told_by_a_description_of_each(captioned):
    X, y = make_captioned(200, seed=1)
    prompts = [PROMPTS[c][0] for c in CLASSES]
    classifier = captioned.zero_shot_classifier(prompts, CLASSES)
    assert is_classifier(classifier)
    assert_array_equal(classifier.classes_, CLASSES)
    assert classifier.score(X["image"], y) > 0.97
    assert classifier.score(X, y) == classifier.score(X["image"], y)
    # Without classes, the prompts are the classes.
    named = captioned.zero_shot_classifier(prompts)
    assert_array_equal(named.predict(X["image"]), np.array(prompts)[np.searchsorted(CLASSES, y)])


def test_a_class_of_several_descriptions_is_their_mean(captioned):
    X, y = make_captioned(200, seed=1)
    prompts = [p for c in CLASSES for p in PROMPTS[c]]
    classifier = captioned.zero_shot_classifier(prompts[::-1], np.repeat(CLASSES, 2)[::-1])
    assert_array_equal(classifier.classes_, CLASSES)
    assert classifier.score(X["image"], y) > 0.97
    P = captioned.project(prompts, "text").reshape(3, 2, -1).mean(1)
    expected = P / np.linalg.norm(P, axis=1, keepdims=True)
    assert_allclose(classifier.embeddings_, expected, atol=1e-5)


@pytest.mark.filterwarnings("error")
def test_decisions_are_similarities_times_the_scale(captioned):
    X, _ = make_captioned(20, seed=1)
    prompts = [PROMPTS[c][0] for c in CLASSES]
    classifier = captioned.zero_shot_classifier(prompts, CLASSES)
    logits = classifier.decision_function(X["image"])
    assert logits.shape == (20, 3)
    scale = captioned.module_.scale.log_scale.detach().exp().item()
    expected = scale * captioned.similarity(X["image"], prompts)
    assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    p = classifier.predict_proba(X["image"])
    assert p.shape == (20, 3)
    assert_allclose(p.sum(1), 1, rtol=1e-5)
    odds = np.exp(expected - expected.max(1, keepdims=True))
    assert_allclose(p, odds / odds.sum(1, keepdims=True), atol=1e-4)
    assert_array_equal(CLASSES[p.argmax(1)], classifier.predict(X["image"]))


def test_of_two_classes_there_is_one_decision_for_the_second(captioned):
    X, y = make_captioned(60, n_classes=2, seed=1)
    classifier = captioned.zero_shot_classifier(["one dog", "one cat"], ["dog", "cat"])
    decision = classifier.decision_function(X["image"])
    assert decision.shape == (60,)
    assert_array_equal(classifier.classes_, ["cat", "dog"])
    assert_array_equal(np.where(decision > 0, "dog", "cat"), classifier.predict(X["image"]))
    p = classifier.predict_proba(X["image"])
    assert_allclose(p[:, 1], 1 / (1 + np.exp(-decision.astype(float))), atol=1e-4)
    assert classifier.score(X["image"], y) > 0.97


def test_text_is_classified_by_images(captioned):
    X, y = make_captioned(60, seed=1)
    classifier = captioned.zero_shot_classifier(X["image"], y, modalities=("text", "image"))
    texts = [p for c in CLASSES for p in PROMPTS[c]]
    assert_array_equal(classifier.predict(texts), np.repeat(CLASSES, 2))


def test_clones_of_a_classifier_keep_what_was_learned(captioned):
    X, _ = make_captioned(60, seed=1)
    prompts = [PROMPTS[c][0] for c in CLASSES]
    classifier = captioned.zero_shot_classifier(prompts, CLASSES)
    again = clone(classifier)
    with pytest.raises(NotFittedError):
        again.predict(X["image"])
    assert_array_equal(again.fit(prompts, CLASSES).predict(X), classifier.predict(X))
    loaded = pickle.loads(pickle.dumps(classifier))
    assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))


def test_a_classifier_is_cross_validated_on_rows_that_have_both_modalities():
    rng = np.random.default_rng(0)
    factor = rng.standard_normal((400, 3))
    table = factor @ rng.standard_normal((3, 11)) + 0.1 * rng.standard_normal((400, 11))
    columns = [("image", "auto", slice(0, 6)), ("sound", "auto", slice(6, 11))]
    clip = CLIP(modalities=columns, **LONGER).fit(table[120:])
    test, y = table[:120], table[:120, 0] > 0
    classifier = ZeroShotClassifier(FrozenEstimator(clip), "image", "sound")
    assert cross_val_score(classifier, test, y, cv=3).mean() > 0.75


@pytest.mark.parametrize(
    "prompts, classes, params, message",
    [
        (["one cat", "one dog"], ["cat"], {}, "inconsistent numbers"),
        (["one cat"], ["cat"], {"modalities": ("image", "smell")}, "no modality 'smell'"),
        (["one cat"], [["cat", "dog"]], {}, "1d array"),
        ({"text": ["one cat"]}, None, {}, "name no classes. Give classes"),
        (["one cat"], None, {"modalities": ("image",)}, "must be two of the names"),
        (["one cat"], None, {"modalities": "text"}, "must be two of the names"),
    ],
)
def test_bad_descriptions_are_told(captioned, prompts, classes, params, message):
    with pytest.raises(ValueError, match=message):
        captioned.zero_shot_classifier(prompts, classes, **params)


class Linear:
    """Projects each modality by a matrix, with a scale of 2."""

    def __init__(self, **weights):
        self.weights = weights
        self.module_ = SimpleNamespace(scale=LogitScale(0.5))

    def project(self, X, modality):
        return (np.asarray(X) @ self.weights[modality]).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_predicted_is_the_class_whose_mean_direction_is_nearest(seed):
    rng = np.random.default_rng(seed)
    weights = {"image": rng.standard_normal((6, 4)), "text": rng.standard_normal((3, 4))}
    prompts, rows = rng.standard_normal((30, 3)), rng.standard_normal((200, 6))
    y = rng.integers(5, size=30) * 10
    classifier = ZeroShotClassifier(Linear(**weights), "image", "text").fit(prompts, y)
    directions = normalize(prompts @ weights["text"])
    classes = np.unique(y)
    means = normalize([directions[y == c].mean(0) for c in classes])
    queries = normalize(rows @ weights["image"])
    # Of points on a sphere, the nearest is the most similar one.
    distances = np.linalg.norm(queries[:, None] - means, axis=2)
    assert_array_equal(classifier.predict(rows), classes[distances.argmin(1)])
    assert_allclose(classifier.decision_function(rows), 2 - distances**2, atol=1e-5)
    odds = np.exp(-(distances**2))
    expected = odds / odds.sum(1, keepdims=True)
    assert_allclose(classifier.predict_proba(rows), expected, atol=1e-5)


def test_lengths_of_projections_do_not_count():
    rng = np.random.default_rng(0)
    eye = Linear(image=np.eye(4), text=np.eye(4))
    prompts, y, rows = rng.standard_normal((9, 4)), np.arange(9) // 3, rng.standard_normal((50, 4))
    lengths = rng.uniform(0.1, 10, size=(9, 1))
    first, second = (
        ZeroShotClassifier(eye, "image", "text").fit(given, y)
        for given in (prompts, lengths * prompts)
    )
    assert_allclose(second.embeddings_, first.embeddings_, atol=1e-6)
    assert_allclose(second.decision_function(100 * rows), first.decision_function(rows), atol=1e-5)
