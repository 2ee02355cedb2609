"""Arguments of constructors that come back from JSON, and what is refused there."""

import json

import numpy as np
import pytest
import torch
from saved import Hostile, mlp
from sklearn.preprocessing import StandardScaler

from sklearn_simvae import views
from sklearn_simvae.persistence.arguments import NotHeld, read, read_former, written
from sklearn_simvae.views import Augmentation, Compose, MultiView, RandomJitter, RandomRotation

VALUES = {
    "numbers": [None, True, 3, -0.5, float("inf"), "text", ""],
    "tuples": (1, (2, [3, ()]), []),
    "dict": {"even": 0.1, "odd": {"slice": (1, 2)}},
    "slices": [slice(0, None, 2), slice("a", "b")],
    "modalities": [("even", "auto", slice(0, 32)), ("odd", "mlp", ["a", "b"])],
    "optimizer": torch.optim.RAdam,
}


def through_json(value):
    return read(json.loads(json.dumps(written(value))))


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_values_come_back(value):
    made = through_json(value)
    assert made == value and type(made) is type(value)


def test_arrays_numbers_of_numpy_and_devices_come_back():
    for array in (np.arange(3), np.array([True, False]), np.zeros((2, 0), np.float32)):
        made = through_json(array)
        assert made.dtype == array.dtype and np.array_equal(made, array)
    assert through_json(np.int64(3)) == 3 and through_json(np.float32(0.5)) == 0.5
    assert through_json(torch.device("cuda", 1)) == "cuda:1"


AUGMENTATIONS = [
    getattr(views, name)
    for name in views.__all__
    if isinstance(getattr(views, name), type)
    and issubclass(getattr(views, name), Augmentation)
    and name not in ("Augmentation", "Compose", "MultiView")
]


@pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=lambda cls: cls.__name__)
def test_augmentations_come_back(augmentation):
    try:
        made = augmentation()
    except TypeError:
        pytest.skip("abstract, or without defaults")
    assert repr(through_json(made)) == repr(made) and type(through_json(made)) is augmentation


def test_augmentations_of_augmentations_come_back():
    steps = [RandomRotation(degrees=7), ("jitter", RandomJitter(0.1))]
    made = MultiView([None, Compose([RandomRotation(degrees=7), RandomJitter(0.1)])])
    assert repr(through_json(made)) == repr(made)
    assert repr(through_json(steps)) == repr(steps)


class Own(RandomRotation):
    """An augmentation of the user."""


CODE = {
    "function": (mlp, "saved.mlp"),
    "lambda": (lambda x: x, "<lambda>"),
    "module": (torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
    "object": (StandardScaler(), "StandardScaler"),
    "in a list": ([("note", StandardScaler())], "StandardScaler"),
    "in an augmentation": (Compose([RandomRotation(), torch.nn.ReLU()]), "ReLU"),
    "own augmentation": (Own(), "Own"),
    "hostile": (Hostile(), "Hostile"),
    "keys that are no text": ({1: 2}, "a dict"),
    "random state": (np.random.RandomState(0), "RandomState"),
}


@pytest.mark.parametrize("value, name", CODE.values(), ids=CODE)
def test_code_is_not_held_but_named(value, name):
    with pytest.raises(NotHeld, match=name):
        through_json(value)


FORMS = {
    "two kinds": {"tuple": [], "slice": []},
    "no kind": {},
    "unknown kind": {"eval": "1 + 1"},
    "no list": {"tuple": 3},
    "no dict": {"dict": [1]},
    "long slice": {"slice": [1, 2, 3, 4]},
    "objects": {"array": ["O", [1]]},
    "no type": {"array": ["nothing", [1]]},
    "ragged": {"array": ["<f8", [[1], [2, 3]]]},
    "parameters": {"augmentation": ["RandomRotation", {"nothing": 1}]},
    "abstract": {"augmentation": ["Augmentation", {}]},
    "optimizer": {"optimizer": 3},
    "deep": json.loads("[" * 200 + "]" * 200),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_other_forms_are_refused(form):
    with pytest.raises(ValueError, match="parameters in the file"):
        read(form)


@pytest.mark.parametrize(
    "form",
    [
        {"augmentation": ["make_views", {}]},
        {"augmentation": ["os", {}]},
        {"optimizer": "Optimizer_"},
        {"optimizer": "lr_scheduler"},
    ],
)
def test_names_of_other_things_make_nothing(form):
    with pytest.raises(NotHeld, match="does not have"):
        read(form)


def test_parameters_that_former_versions_wrote_for_readers():
    assert read_former({"a": [1, "mlp", None]}) == {"a": [1, "mlp", None]}
    for value in ("(own code)", [["even", "auto", "slice(0, None, 2)"]]):
        with pytest.raises(NotHeld):
            read_former(value)
