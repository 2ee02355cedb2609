"""What the methods of several modalities share beside what all methods do."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from conftest import Spy, n_outputs
from made_modalities import HALVES
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from torch import nn

from sklearn_simvae.training import BatchLoader


def module(n_outputs):
    return nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, n_outputs))


def as_dict(X):
    return {name: X[:, columns] for name, columns in HALVES.items()}


# ---------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    "name",
    ["encoder", "representation", "n_views", "augmentation", "input_shape", "chunk_size"],
)
def test_parameters_of_one_kind_of_data_are_not_there(make_multimodal, name):
    assert name not in make_multimodal().get_params()
    assert f"{name} : " not in type(make_multimodal()).__doc__
    with pytest.raises(TypeError, match=name):
        make_multimodal(**{name: None})


def test_use_of_one_modality_before_fit(make_multimodal, digits):
    for method in ("transform", "project", "content"):
        if hasattr(make_multimodal(), method):
            with pytest.raises(NotFittedError):
                getattr(make_multimodal(), method)(digits[0], modality="first")


# ---------------------------------------------------------------- training


def test_warm_start_trains_with_what_was_set_since(make_multimodal, digits):
    spy = Spy()
    estimator = make_multimodal(warm_start=True).fit(digits[0])
    estimator.set_params(lr=1e-5, batch_size=80, max_epochs=1, callbacks=spy)
    estimator.set_params(lr_schedule="constant").fit(digits[0])
    assert estimator.history_[-1]["lr"] == 1e-5
    assert [len(batch) for batch in spy.batches()] == [80, 80]


def test_partial_fit_takes_rows_that_lack_what_those_before_had(make_multimodal, digits, holes):
    estimator = make_multimodal().partial_fit(digits[0]).partial_fit(holes[:40])
    assert estimator.n_iter_ == 2 and np.isfinite(estimator.history_[-1]["loss"])
    estimator = make_multimodal().partial_fit(as_dict(digits[0]))
    estimator.partial_fit({**as_dict(digits[0]), "upper": None})
    assert estimator.n_iter_ == 2 and np.isfinite(estimator.history_[-1]["loss"])
    assert np.isfinite(estimator.transform(as_dict(digits[0]))).all()


def test_training_with_holes_learns_from_the_rows_that_have_them(make_multimodal, holes):
    params = {"max_epochs": 10, "lr": 5e-3, "early_stopping": True}
    estimator = make_multimodal(**params).fit(holes)
    history = np.array([list(row.values()) for row in estimator.history_])
    assert np.isfinite(history).all()
    losses = [row["loss"] for row in estimator.history_]
    assert losses[-1] < losses[0]
    assert_array_equal(make_multimodal(**params).fit_transform(holes), estimator.transform(holes))


@pytest.mark.parametrize("batch_size", [2, 3])
def test_batches_in_which_no_row_has_a_modality(make_multimodal, digits, batch_size):
    X = digits[0][:12].copy()
    X[2:, HALVES["lower"]] = np.nan
    estimator = make_multimodal(batch_size=batch_size).fit(X)
    assert np.isfinite([list(row.values()) for row in estimator.history_]).all()
    assert np.isfinite(estimator.transform(X)).all()


def test_a_table_and_a_dict_of_its_parts_are_learned_alike(make_multimodal, holes):
    table = make_multimodal(modalities=[(n, "auto", c) for n, c in HALVES.items()]).fit(holes)
    parts = make_multimodal().fit(as_dict(holes))
    assert_array_equal(table.transform(holes), parts.transform(as_dict(holes)))
    assert table.score(holes) == parts.score(as_dict(holes))
    assert [row["loss"] for row in table.history_] == [row["loss"] for row in parts.history_]


def test_what_stands_at_a_missing_place_is_nothing(make_multimodal, holes):
    estimator = make_multimodal().fit(holes)
    Z = estimator.transform(holes)
    only = estimator.transform(holes[::4], modality="second")
    assert_array_equal(Z[::4], only)
    assert estimator.score(holes) == estimator.score(holes)


def test_rows_are_represented_alike_wherever_they_stand(make_multimodal, holes):
    X = np.tile(holes, (14, 1))
    assert len(X) > 2 * 1024
    estimator = make_multimodal().fit(holes)
    Z = estimator.transform(X)
    assert_allclose(Z, np.tile(estimator.transform(holes), (14, 1)), atol=1e-6)
    assert_allclose(estimator.transform(holes[[5]]), Z[[5]], atol=1e-6)


# ---------------------------------------------------------------- encoders


def test_a_module_that_is_given_is_never_trained_nor_shared(make_multimodal, digits):
    X, _ = digits
    own = module(n_outputs(make_multimodal()))
    before = copy.deepcopy(own.state_dict())
    modalities = [(name, own, columns) for name, columns in HALVES.items()]
    estimator = make_multimodal(modalities=modalities).fit(X)
    first = estimator.transform(X)
    assert estimator.modalities[0][1] is own
    for other in (estimator, make_multimodal(modalities=modalities), clone(estimator)):
        assert_array_equal(other.fit(X).transform(X), first)
    assert all(torch.equal(w, before[name]) for name, w in own.state_dict().items())
    upper, lower = (encoder.state_dict() for encoder in estimator.encoders_.values())
    assert all(not torch.equal(w, lower[name]) for name, w in upper.items())
    assert all(not torch.equal(w, before[name]) for name, w in upper.items())


def test_factories_are_given_the_shape_of_their_modality(make_multimodal, digits):
    shapes = []

    def factory(input_shape, n_outputs):
        shapes.append(input_shape)
        return nn.Sequential(nn.Flatten(), nn.LazyLinear(n_outputs))

    modalities = [("all but two", factory, slice(0, 62)), ("series", factory, [62, 63])]
    make_multimodal(modalities=modalities, input_shapes={"series": (2, 1)}).fit(digits[0])
    assert {(62,), (1, 2)} <= set(shapes)


def test_encoders_that_do_not_fit_their_modality(make_multimodal, digits):
    wide = nn.Linear(32, n_outputs(make_multimodal()) + 1)
    for encoder, match in ((wide, "encoder must map"), (nn.Linear(31, 3), "encoder fails")):
        modalities = [("upper", encoder, slice(0, 32)), ("lower", "mlp", slice(32, 64))]
        estimator = make_multimodal(modalities=modalities)
        with pytest.raises(ValueError, match=match):
            estimator.fit(digits[0])
        assert not hasattr(estimator, "net_")


def test_encoders_are_there_by_name_to_be_trained_further(make_multimodal, digits):
    estimator = make_multimodal().fit(as_dict(digits[0]))
    assert list(estimator.encoders_) == ["upper", "lower"]
    assert all(
        a is b for a, b in zip(estimator.encoders_.values(), estimator.encoder_, strict=True)
    )
    with torch.no_grad():
        for name, encoder in estimator.encoders_.items():
            rows = torch.from_numpy(as_dict(digits[0])[name].copy())
            z = encoder(rows)[:, :3].numpy()
            Z = estimator.transform({name: rows.numpy()})
            # CLIP gives the direction alone.
            scale = np.linalg.norm(Z, axis=1) / np.linalg.norm(z, axis=1)
            assert_allclose(z * scale[:, None], Z, atol=1e-5)


# ---------------------------------------------------------------- pipelines


def test_in_a_pipeline_on_a_frame_of_numbers_and_text(make_multimodal, digits):
    pd = pytest.importorskip("pandas")
    X, y = digits
    frame = pd.DataFrame(X, columns=[f"pixel {i}" for i in range(64)])
    # Texts that say, of four, which the digit is of.
    frame.insert(
        10, "text", [f"{'few' if d < 5 else 'many'} {'even' if d % 2 else 'odd'}" for d in y]
    )
    frame.loc[frame.index % 5 == 0, "text"] = None
    modalities = [
        ("image", "auto", [c for c in frame if c != "text"]),
        ("text", "auto", "text"),
    ]
    estimator = make_multimodal(
        modalities=modalities,
        preprocessing=[("text", TfidfVectorizer())],
        input_shapes={"image": (8, 8)},
        n_components=8,
        max_epochs=30,
        lr=0.01,
    )
    pipe = make_pipeline(estimator, LogisticRegression(max_iter=1000))
    # A class in ten is right by chance.
    assert cross_val_score(pipe, frame, y, cv=2).mean() > 0.4


def test_set_output_keeps_the_index_of_a_frame(make_multimodal, digits):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(digits[0], index=np.arange(160) + 7, columns=map(str, range(64)))
    estimator = make_multimodal().set_output(transform="pandas").fit(frame)
    for modality in (None, "first"):
        Z = estimator.transform(frame, modality=modality)
        assert list(Z.index) == list(frame.index)
        assert list(Z) == list(estimator.get_feature_names_out())
    parts = estimator.fit(as_dict(digits[0])).transform(as_dict(digits[0]))
    assert parts.shape == (160, 3) and list(parts.index) == list(range(160))


def test_set_output_of_one_entry_of_a_dict(make_multimodal, digits):
    pytest.importorskip("pandas")
    data = as_dict(digits[0])
    estimator = make_multimodal().set_output(transform="pandas").fit(data)
    Z = estimator.transform(data["upper"], modality="upper")
    assert Z.shape == (160, 3)
    assert_array_equal(Z, estimator.transform({"upper": data["upper"]}))


def test_copies_represent_one_modality_as_the_original_does(make_multimodal, digits):
    estimator = make_multimodal().fit(as_dict(digits[0]))
    other = pickle.loads(pickle.dumps(estimator))
    upper = as_dict(digits[0])["upper"]
    assert_array_equal(
        other.transform(upper, modality="upper"), estimator.transform(upper, modality="upper")
    )


def test_modalities_are_augmented_where_they_are_there(make_multimodal):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 6, 6, 3), dtype=np.uint8)
    other = rng.normal(size=(40, 4)).astype(np.float32)
    other[::2] = np.nan
    seen = {"image": [], "other": []}

    def record(name, change):
        def augment(x):
            seen[name].append(x)
            return change(x)

        return augment

    estimator = make_multimodal(
        modalities=[("image", "mlp"), ("other", "mlp")],
        input_shapes={"image": (6, 6, 3)},
        augmentations={
            "image": record("image", lambda x: 1 - x),
            "other": record("other", lambda x: x + 1),
        },
        max_epochs=1,
        batch_size=40,
    ).fit({"image": images, "other": other})
    # In the layout of the networks, the rows that have it alone.
    assert seen["image"][0].shape == (40, 3, 6, 6)
    assert seen["other"][0].shape == (20, 4)
    samples = estimator._samples_of({"image": images, "other": other}, None)
    (batch,) = BatchLoader(samples, 40)
    assert batch.views[0].dtype == torch.uint8
    made = estimator._reader().view_maker(samples)(batch)
    assert isinstance(made.views, tuple) and [x.shape[0] for x in made.views] == [40, 40]
    assert_array_equal(made.mask, np.column_stack([np.ones(40, bool), np.arange(40) % 2 > 0]))
    as_they_are = samples.as_they_are(np.arange(40), "cpu")
    assert_allclose(made.views[0], 1 - as_they_are.views[0], atol=1e-6)
    assert_array_equal(made.views[1][1::2], batch.views[1][1::2] + 1)
    # Missing ones are zero, and are not augmented.
    assert not made.views[1][::2].any()


@pytest.mark.parametrize("to_table", [pd.DataFrame, pl.DataFrame])
def test_searches_take_a_table_with_a_column_of_arrays_for_each_modality(make_multimodal, to_table):
    rng = np.random.default_rng(0)
    images, vectors = rng.random((24, 1, 8, 8)), rng.random((24, 5))
    table = to_table({"image": images.tolist(), "vector": vectors.tolist()})
    modalities = [("image", "mlp", ["image"]), ("vector", "mlp", ["vector"])]
    estimator = make_multimodal(modalities=modalities)
    search = GridSearchCV(estimator, {"lr": [1e-3, 1e-2]}, cv=2, error_score="raise").fit(table)
    made = search.best_estimator_.transform(table)
    best = make_multimodal(**search.best_params_).fit({"image": images, "vector": vectors})
    assert_array_equal(made, best.transform({"image": images, "vector": vectors}))
